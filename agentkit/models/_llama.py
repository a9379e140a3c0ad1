"""llama.cpp inside this process: one engine for each GGUF file, which serves one request after another.

One request at a time is the fastest way on a CPU when prompts share a long beginning, as plans do: every further slot
of llama.cpp would have to read that beginning for itself, which costs more than decoding side by side gains.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener
from weakref import WeakSet

from agentkit.errors import AgentKitError, MissingDependencyError, ModelFileError, ModelRefusedError
from agentkit.messages import Json
from agentkit.spelling.special_tokens import bracketed, demanded

_BATCH = 256
"""Prompt tokens read at a time: a cancelled request ends after the batch under way. Larger ones are hardly faster."""
_OLD_PROMPTS_MIB = 512
"""Memory for the state of earlier prompts, so that runs that take turns find theirs again."""
_LOOPBACK = build_opener(ProxyHandler({}))


@dataclass(slots=True)
class _Job:
    """A request on its way to the worker thread and back: a chat completion, or texts to count the tokens of."""

    body: dict[str, Json]
    loop: asyncio.AbstractEventLoop
    inbox: asyncio.Queue[Json | Exception | None] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def deliver(self, item: Json | Exception | None) -> None:
        try:
            self.loop.call_soon_threadsafe(self.inbox.put_nowait, item)
        except RuntimeError:  # the loop is closed, so nobody waits any more
            self.cancelled.set()


class Engine:
    """One model in memory. It is loaded by its first request, in its own thread, where all its requests run too.

    Args:
        name: The model id, for messages.
        path: The GGUF file.
        context: Tokens of prompt and reply together.
        threads: CPU threads.
    """

    def __init__(self, name: str, path: Path, context: int, threads: int) -> None:
        self.users: WeakSet[Any] = WeakSet()
        self._name, self._path, self._context, self._threads = name, path, context, threads
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = threading.Event()
        self._key = secrets.token_urlsafe(32)
        # A daemon, since the interpreter joins other threads before it runs what stops this one: `close_all`.
        self._worker = threading.Thread(target=self._work, name=f"llama.cpp {path.name}", daemon=True)
        self._worker.start()

    async def chunks(self, body: dict[str, Json]) -> AsyncGenerator[dict[str, Json], None]:
        """Send a streamed chat completion and yield llama.cpp's chunks; leaving the generator stops the generation.

        A body of nothing but ``count``, a list of texts, yields one object with their numbers of tokens instead.

        Raises:
            MissingDependencyError: The package of the engine is not installed.
            ModelFileError: llama.cpp cannot load the file.
            ModelRefusedError: llama.cpp rejects the request.
        """
        job = _Job(body, asyncio.get_running_loop())
        self._jobs.put(job)
        try:
            while (item := await job.inbox.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            job.cancelled.set()

    def close(self) -> None:
        """Stop what runs and free the memory."""
        self._closing.set()
        self._jobs.put(None)
        self._worker.join()

    def _work(self) -> None:
        server: Any = None
        while (job := self._jobs.get()) is not None and not self._closing.is_set():
            if job.cancelled.is_set():
                continue
            try:
                check_grammar(self._name, job.body.get("grammar"))
                server = server or self._load()
                self._check_literals(server, job.body.get("grammar"))
                if "count" in job.body:
                    job.deliver({"count": [self._tokens(server, text) for text in job.body["count"]]})
                else:
                    self._serve(server, job)
            except Exception as error:  # noqa: BLE001 - it is raised again where the caller waits
                job.deliver(error)
            else:
                job.deliver(self._closed() if self._closing.is_set() else None)
        while job is not None:
            job.deliver(self._closed())
            job = self._jobs.get()

    def _serve(self, server: Any, job: _Job) -> None:
        def take(chunk: Json) -> bool:
            if not job.cancelled.is_set():
                job.deliver(chunk)
            return job.cancelled.is_set() or self._closing.is_set()  # True stops the generation

        try:
            server.handle_chat_completions(job.body, take)
        except ValueError as error:
            raise refused(self._name, str(error), 400) from error

    def _check_literals(self, server: Any, grammar: str | None) -> None:
        """Refuse a grammar that demands the text of a special token: llama.cpp would go on without the grammar.

        Raises:
            ModelRefusedError: It does.
        """
        texts = {text for literal in demanded_by(grammar or "") for text in bracketed(literal)}
        for text in sorted(texts):
            if self._tokens(server, text) == 1 != self._tokens(server, text, special=False):
                reason = f"the grammar demands {text!r}, a special token of the model; leave it out or reword it."
                raise refused(self._name, reason, 400)

    def _tokens(self, server: Any, text: str, *, special: bool = True) -> int:
        """How many tokens a text is. The engine says so over its loopback port only."""
        request = Request(
            f"{server.listening_address}/tokenize",
            json.dumps({"content": text, "parse_special": special}).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        with _LOOPBACK.open(request, timeout=60) as reply:
            return len(json.load(reply)["tokens"])

    def _load(self) -> Any:
        llama = _xllamacpp()
        params = llama.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx, params.n_batch, params.n_ubatch = self._context, _BATCH, _BATCH
        params.n_parallel, params.cache_ram_mib = 1, _OLD_PROMPTS_MIB
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.verbosity, params.warmup = -1, False
        # The engine cannot be had without its HTTP server on a loopback port: nobody else gets in.
        params.api_keys = [self._key]
        params.ui = params.endpoint_slots = False
        params.cors_origins, params.n_threads_http = "", 1
        try:
            return llama.Server(params)
        except RuntimeError as error:
            raise ModelFileError(
                f"llama.cpp cannot load {str(self._path)!r}: it is damaged, of a kind that this version does not know, "
                f"or needs more memory than there is. For a model of the catalogue, pulling it again checks the file.",
                model=self._name,
            ) from error

    def _closed(self) -> AgentKitError:
        return ModelRefusedError(f"{self._name!r} was closed while the request waited or ran.", model=self._name)


def refused(name: str, reason: str, status: int) -> ModelRefusedError:
    """llama.cpp rejected the request of model `name`."""
    return ModelRefusedError(f"{name!r} refuses the request: {reason.strip()}", model=name, status=status)


def check_grammar(name: str, grammar: str | None) -> None:
    """Refuse a grammar that llama.cpp would drop without a word, to answer freely instead.

    Raises:
        ModelRefusedError: It is not a grammar of llguidance; the message is llguidance's own.
        MissingDependencyError: The package `llguidance` is not installed.
    """
    if grammar is None:
        return
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise _missing("llguidance") from error
    problem = LLMatcher.validate_grammar(grammar)
    if problem:
        raise refused(name, f"the grammar is wrong: {problem}", 400)


def demanded_by(grammar: str) -> Iterator[str]:
    """The texts that a grammar demands, those of its JSON Schemas included."""
    lark, position = "", 0
    for found in re.finditer("%json +", grammar):
        try:
            schema, end = json.JSONDecoder().raw_decode(grammar, found.end())
        except ValueError:
            continue
        lark += grammar[position : found.start()]
        position = end
        yield from demanded(schema)
    yield from re.findall(r'"(?:[^"\\\n]|\\.)*"', lark + grammar[position:])


def _xllamacpp() -> Any:
    # Idle OpenMP threads would spin and take the CPU from the rest of the program; it is read at import.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    try:
        import xllamacpp
    except ImportError as error:
        raise _missing("xllamacpp") from error
    return xllamacpp


def _missing(package: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"local models need the package {package!r}; install it with: pip install 'agentkit-plans[local]'"
    )


_engines: dict[tuple[int, Path, int, int], Engine] = {}
_engines_lock = threading.Lock()


def shared_engine(user: object, name: str, path: Path, context: int, threads: int, check: Callable[[], None]) -> Engine:
    """The one engine of this process for a file and its settings, on which `user` is noted.

    Args:
        user: Who wants it.
        name: The model id, for messages.
        path: The GGUF file.
        context: Tokens of prompt and reply together.
        threads: CPU threads.
        check: Called before a new one is made, to complain about a missing file.
    """
    key = (os.getpid(), path.resolve(), context, threads)  # threads do not survive a fork, so a child starts its own
    with _engines_lock:
        engine = _engines.get(key)
        if engine is None:
            check()
            engine = _engines[key] = Engine(name, path, context, threads)
        engine.users.add(user)
    return engine


def leave_engines(user: object) -> None:
    """Forget `user`, and free the engines that nobody else uses."""
    with _engines_lock:
        used = {key: engine for key, engine in _engines.items() if user in engine.users}
        for engine in used.values():
            engine.users.discard(user)
        idle = [_engines.pop(key) for key, engine in used.items() if not engine.users]
    for engine in idle:
        engine.close()


@atexit.register
def close_all() -> None:
    """Free every engine of this process. It runs at exit by itself."""
    with _engines_lock:
        engines = [engine for (pid, *_), engine in _engines.items() if pid == os.getpid()]
        _engines.clear()
    for engine in engines:
        engine.close()
