"""Connections live as long as they are of use, and no longer."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from agentkit.models import _transport
from agentkit.models._transport import ClientPool


class Client:
    """Counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


async def test_a_pool_gives_one_client_to_one_loop() -> None:
    pool = ClientPool(Client)
    assert await pool.get() is await pool.get()
    await pool.aclose()


async def test_calls_at_once_share_a_client() -> None:
    pool = ClientPool(Client)
    clients = await asyncio.gather(*(pool.get() for _ in range(10)))
    assert len(set(map(id, clients))) == 1
    await pool.aclose()


def test_a_loop_closes_its_client_when_it_ends() -> None:
    pool = ClientPool(Client)
    first = asyncio.run(pool.get())
    second = asyncio.run(pool.get())
    assert first is not second
    assert (first.closed, second.closed) == (1, 1)


async def test_closing_a_pool_closes_its_client_and_the_next_call_makes_another() -> None:
    pool = ClientPool(Client)
    first = await pool.get()
    await pool.aclose()
    await pool.aclose()
    assert first.closed == 1
    assert await pool.get() is not first
    await pool.aclose()


async def test_a_pool_that_is_dropped_closes_its_client() -> None:
    pool = ClientPool(Client)
    client = await pool.get()
    del pool
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.closed == 1


def test_a_pool_dropped_at_the_very_end_of_its_loop_closes_its_client() -> None:
    """The task that closes it is cancelled before it starts, and the loop's end closes it all the same."""

    async def drop() -> Any:
        return await ClientPool(Client).get()

    assert asyncio.run(drop()).closed == 1
    assert not _transport._alive


def test_a_loop_that_ends_without_closing_its_generators_is_forgotten() -> None:
    pool = ClientPool(Client)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(pool.get())
    loop.close()
    asyncio.run(pool.get())
    assert not _transport._alive
