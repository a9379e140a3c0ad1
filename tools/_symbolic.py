"""Symbolic maths in a process of its own, which is ended when a computation takes too long.

sympy cannot be interrupted from a thread, and no bound on the input tells how long it will take. So one worker process
is started at first use and kept; a request over the time limit costs the worker its life, and the next one starts
another.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agentkit.errors import MissingDependencyError, ModelRetry, ToolError

TIME_LIMIT = 5.0
"""Seconds for one computation."""

START_LIMIT = 60.0
"""Seconds for the worker to import sympy."""


class SymbolicWorker:
    """A worker process that answers one request at a time; safe to share between threads."""

    def __init__(self, time_limit: float = TIME_LIMIT) -> None:
        self.time_limit = time_limit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, operation: str, **request: Any) -> Any:
        """Carry out `operation` (``simplify``, ``solve``, ``differentiate``, ``integrate``) and return its result.

        Raises:
            MissingDependencyError: If sympy is not installed.
            ModelRetry: If the request has no answer, or takes longer than the time limit.
            ToolError: If the worker cannot be started.
        """
        line = json.dumps({"operation": operation, **request})
        with self._lock:
            process = self._running()
            started = time.monotonic()
            answer = self._exchange(process, line, self.time_limit)
            if answer is None:
                self._stop()
                late = time.monotonic() - started >= self.time_limit
                why = f"stopped after {self.time_limit:g} s without a result" if late else "the computation broke off"
                raise ModelRetry(f"{why}; ask for something simpler, or use calculate() if a number is enough")
        reply = json.loads(answer)
        if "error" in reply:
            raise ModelRetry(reply["error"])
        return reply["result"]

    def close(self) -> None:
        """End the worker process, if one runs."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        if importlib.util.find_spec("sympy") is None:
            raise MissingDependencyError(
                "symbolic maths tools need the package 'sympy'; install it with: pip install sympy"
            )
        script = Path(__file__).with_name("_symbolic_worker.py")
        # -P: the script's folder must not shadow other packages.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), str(self.time_limit + 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        if self._exchange(self._process, "", START_LIMIT) != "ready":
            self._stop()
            raise ToolError("the worker for symbolic maths did not start; see whether sympy can be imported")
        return self._process

    def _exchange(self, process: subprocess.Popen[str], line: str, seconds: float) -> str | None:
        """Send `line`, if any, and wait for a line; None if the process ended or was ended after `seconds`."""
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(seconds, process.kill)
        killer.daemon = True
        killer.start()
        try:
            if line:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            return process.stdout.readline().rstrip("\n") or None
        except BrokenPipeError:
            return None
        finally:
            killer.cancel()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


WORKER = SymbolicWorker()
atexit.register(WORKER.close)
