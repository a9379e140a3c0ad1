"""A stand-in for the engine of local models: it answers from a script, in the chunks of llama.cpp."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType, SimpleNamespace
from typing import Any

Take = Callable[[dict[str, Any]], bool | None]


def delta(text: str | None, finish: str | None = None) -> dict[str, Any]:
    """One chunk with text."""
    return {"choices": [{"index": 0, "finish_reason": finish, "delta": {} if finish else {"content": text}}]}


def usage(prompt: int = 9, cached: int = 4, completion: int = 3) -> dict[str, Any]:
    """The last chunk."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"choices": [], "usage": {**counts, "prompt_tokens_details": {"cached_tokens": cached}}}


def answer(*pieces: str, finish: str = "stop") -> list[dict[str, Any]]:
    """A whole reply."""
    return [delta(None), *(delta(piece) for piece in pieces), delta(None, finish), usage()]


class FakeLlama:
    """The module `xllamacpp`, with one script for all its servers.

    Attributes:
        script: Chunks to send.
        bodies: Requests that were served.
        sent: How many chunks of the last request were taken before it ended or was stopped.
        serving: Set when a request is served.
        stopped: Set when a request was stopped by its callback.
        hold: While it is cleared, a server waits before each chunk after the first one with text.
        params: Of the servers that were loaded.
        closed: Servers that were freed.
        loads: Whether files can be loaded.
        rejects: What a server says of every request, where it refuses them outright.
        threads: Names of the threads that requests ran in.
    """

    def __init__(self) -> None:
        self.script = answer("Hello", ", world")
        self.bodies: list[dict[str, Any]] = []
        self.sent = 0
        self.serving = threading.Event()
        self.stopped = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self.params: list[Any] = []
        self.closed = 0
        self.loads = True
        self.rejects: str | None = None
        self.threads: set[str] = set()

    def module(self) -> ModuleType:
        """What ``import xllamacpp`` gives."""
        fake = self

        class Server:
            def __init__(self, params: Any) -> None:
                self._http: HTTPServer | None = None
                if not fake.loads:
                    raise RuntimeError("Failed to init server, please check the input params.")
                fake.params.append(params)

            def __del__(self) -> None:
                fake.closed += 1
                if self._http is not None:
                    self._http.shutdown()
                    self._http.server_close()

            @property
            def listening_address(self) -> str:
                self._http = self._http or _tokenizing(fake.params[-1].api_keys[0])
                return f"http://127.0.0.1:{self._http.server_port}"

            def handle_chat_completions(self, body: dict[str, Any], take: Take) -> None:
                fake.serve(body, take)

        module = ModuleType("xllamacpp")
        module.Server = Server  # type: ignore[attr-defined]
        module.CommonParams = _params  # type: ignore[attr-defined]
        return module

    def serve(self, body: dict[str, Any], take: Take) -> None:
        """Send the script, as long as it is wanted."""
        self.bodies.append(body)
        self.threads.add(threading.current_thread().name)
        self.serving.set()
        if self.rejects is not None:
            raise ValueError(self.rejects)
        self.sent = 0
        for number, chunk in enumerate(self.script):
            if number > 1:
                assert self.hold.wait(10)
            self.sent += 1
            if take(chunk):
                self.stopped.set()
                return


def _tokenizing(key: str) -> HTTPServer:
    """A server of llama.cpp's endpoint ``/tokenize`` whose tokens are words; it wants the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            right = self.path == "/tokenize" and self.headers["Authorization"] == f"Bearer {key}"
            self.send_response(200 if right else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"tokens": body["content"].split()}).encode())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _params() -> SimpleNamespace:
    return SimpleNamespace(
        model=SimpleNamespace(path=""),
        cpuparams=SimpleNamespace(n_threads=-1),
        cpuparams_batch=SimpleNamespace(n_threads=-1),
    )
