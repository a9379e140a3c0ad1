"""Runs synchronous tools beside the event loop, on daemon threads that can be abandoned.

`asyncio.to_thread` will not do: its few threads are joined when the interpreter exits, so one hanging tool starves the
others and keeps the process alive for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

Result = TypeVar("Result")

IDLE_SECONDS = 10.0
"""How long a thread waits for another call before it ends."""

_Outcome: TypeAlias = tuple[Any, BaseException | None]


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[], _Outcome]
    deliver: Callable[[_Outcome], None]


_Inbox: TypeAlias = "queue.SimpleQueue[_Job]"


class DaemonThreads:
    """As many threads as there are calls at once; idle ones are used again, the latest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Inbox] = []
        self._process = os.getpid()

    def submit(self, job: _Job) -> None:
        """Start `job` now, on an idle thread or a new one."""
        with self._lock:
            if self._process != os.getpid():  # a fork copies this list, but not the threads in it
                self._idle.clear()
                self._process = os.getpid()
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), name="agentkit-tool", daemon=True).start()
        inbox.put(job)

    def _work(self, inbox: _Inbox) -> None:
        while True:
            try:
                job = inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue  # a job is on its way: this thread was picked between the timeout and the lock
            outcome = job.run()
            with self._lock:
                self._idle.append(inbox)
            job.deliver(outcome)
            del job, outcome


_THREADS = DaemonThreads()


async def run_in_thread(function: Callable[[], Result]) -> Result:
    """The result of `function`, run on a daemon thread with a copy of the caller's context variables.

    When the awaiting task is cancelled this returns at once; the thread runs on and its result is dropped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Outcome] = loop.create_future()
    variables = contextvars.copy_context()

    def run() -> _Outcome:
        try:
            return variables.run(function), None
        except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
            return None, error

    def settle(outcome: _Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def deliver(outcome: _Outcome) -> None:
        # The loop is closed when the call was abandoned and its run is over: nobody is left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    _THREADS.submit(_Job(run, deliver))
    result, error = await done
    if error is not None:
        try:
            raise error
        finally:
            del error  # or the exception, its traceback and this frame keep each other alive
    return result  # type: ignore[no-any-return]
