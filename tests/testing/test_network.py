"""A closed network lets nothing out."""

from __future__ import annotations

import asyncio
import socket

import pytest

from agentkit.testing import block_network


async def test_connections_and_look_ups_are_refused() -> None:
    with block_network():
        with pytest.raises(ConnectionRefusedError, match=r"closed by block_network\(\): socket.connect to '192.0.2.1'"):
            await asyncio.open_connection("192.0.2.1", 80)
        with pytest.raises(ConnectionRefusedError, match=r"socket\.getaddrinfo to 'example\.org' was refused"):
            socket.getaddrinfo("example.org", 80)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(ConnectionRefusedError):
            sender.sendto(b"x", ("192.0.2.1", 53))


async def test_this_machine_stays_open() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    with block_network():
        for host in ("127.0.0.1", "localhost"):
            _, writer = await asyncio.open_connection(host, server.sockets[0].getsockname()[1])
            writer.close()
            await writer.wait_closed()
    server.close()
    await server.wait_closed()


def test_the_block_ends_with_its_block() -> None:
    with block_network(), block_network():
        pass
    with socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(("127.0.0.1", 9)) is not None
    with block_network(), pytest.raises(ConnectionRefusedError, match="closed by block_network"):
        socket.getaddrinfo("example.org", 80)
