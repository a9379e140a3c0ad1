"""Local models: GGUF files, run by llama.cpp inside this process."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentkit.errors import DefinitionError, ModelOutputError, ModelUnavailableError
from agentkit.messages import (
    FinishReason,
    GrammarOutput,
    Json,
    JsonOutput,
    Message,
    ModelProfile,
    ModelRequest,
    ModelResponse,
    TextDelta,
    Usage,
)
from agentkit.models._llama import Engine, leave_engines, refused, shared_engine
from agentkit.models.capabilities import check_request
from agentkit.models.catalogue import find_weights, not_here, weights_path

_ANY_GGUF = ModelProfile(json_schema=True, grammar=True, prefix=True, decoding="typed", repairs=False, primer=True)
_GUIDANCE = "%llguidance {}\n"
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class LocalModel:
    """A model that llama.cpp runs in this process, without any network.

    The weights are loaded by the first request and shared by all `LocalModel` objects of the same file and settings.
    Requests are served one after another, in a thread of the engine, so the event loop stays free. The prompt's
    beginning that a request shares with an earlier one is not read again.

    Args:
        model: A name of the catalogue (``qwen2.5-coder-1.5b``), or the path of a GGUF file.
        context: Tokens of prompt and reply together; by default the profile's. Memory grows with it.
        threads: CPU threads; by default as many as this process may use, half of them above 4.
        seed: For requests that set none; by default each draws its own.
        profile: What the model can do; by default the catalogue's.

    Raises:
        DefinitionError: The catalogue has no such model.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        context: int | None = None,
        threads: int | None = None,
        seed: int | None = None,
        profile: ModelProfile | None = None,
    ) -> None:
        self._weights = None if _is_path(model) else find_weights(str(model))
        known = self._weights.profile if self._weights else _ANY_GGUF
        self._name = self._weights.id if self._weights else f"local:{model}"
        self._file = Path(model).expanduser()
        self._profile = replace(profile or known, context_window=context or (profile or known).context_window)
        self._threads = threads or _default_threads()
        self._seed = seed

    def __repr__(self) -> str:
        return f"LocalModel({self._name.removeprefix('local:')!r})"

    @property
    def name(self) -> str:
        """The model id."""
        return self._name

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._profile

    @property
    def path(self) -> Path:
        """Where the GGUF file is, or will be once it is pulled."""
        return weights_path(self._weights) if self._weights else self._file

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` completely; cancelling it stops the generation.

        Raises:
            DefinitionError: The file is not on this machine, or the request asks for what the profile excludes.
            MissingDependencyError: The packages of the extra ``local`` are not installed.
            ModelFileError: llama.cpp cannot load the file.
            ModelRefusedError: The grammar or schema is wrong, or the prompt does not fit into the context.
            ModelUnavailableError: `ModelSettings.timeout` ran out, the time in the queue included.
            ModelOutputError: The engine ended without a complete reply.
        """
        async with aclosing(self.stream(request)) as items:
            async for item in items:
                if isinstance(item, ModelResponse):
                    return item
        raise AssertionError("unreachable: a stream ends with a response or raises")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece; see `request` for what it raises. Leaving the stream stops the generation.

        Time to the first token counts from the call: waiting for other requests and reading the prompt are in it.
        """
        check_request(request, self._profile, self._name)
        started = time.perf_counter()
        reply = _Reply(self._name, self.path.stem)
        ttft: float | None = None
        async with aclosing(self._chunks(request)) as chunks:
            async for chunk in chunks:
                if text := reply.feed(chunk):
                    ttft = time.perf_counter() - started if ttft is None else ttft
                    yield TextDelta(text)
        yield replace(reply.result(), ttft=ttft, seconds=time.perf_counter() - started)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text by itself; loads the weights, and waits for requests under way.

        Raises:
            DefinitionError: The file is not on this machine.
            ModelFileError: llama.cpp cannot load the file.
            ModelOutputError: The engine ended without an answer.
        """
        async with aclosing(self._engine().chunks({"count": list(texts)})) as chunks:
            async for chunk in chunks:
                counted: list[int] = chunk["count"]
                return counted
        raise ModelOutputError(f"{self._name!r}: llama.cpp ended without counting tokens.", model=self._name)

    def close(self) -> None:
        """Free the memory, unless another `LocalModel` uses the same weights. The next request loads them again."""
        leave_engines(self)

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[dict[str, Json], None]:
        left = timeout = request.settings.timeout
        async with aclosing(self._engine().chunks(self._body(request))) as chunks:
            while True:
                clock = time.perf_counter()
                try:
                    async with asyncio.timeout(left):
                        chunk = await anext(chunks, None)
                except TimeoutError as error:
                    raise ModelUnavailableError(
                        f"{self._name!r}: no complete reply within {timeout:g} s. Raise ModelSettings.timeout, "
                        "or ask for fewer tokens.",
                        model=self._name,
                    ) from error
                # The time that the caller takes between two pieces is not the model's.
                left = None if left is None else left - (time.perf_counter() - clock)
                if chunk is None:
                    return
                yield chunk

    def _engine(self) -> Engine:
        return shared_engine(
            self, self._name, self.path, self._profile.context_window, self._threads, check=self._check_file
        )

    def _check_file(self) -> None:
        if self._weights and not self.path.is_file():
            raise not_here(self._weights)
        if not self.path.is_file():
            raise DefinitionError(f"there is no file {str(self.path)!r}; give the path of a GGUF file after 'local:'.")
        with self.path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise DefinitionError(f"{str(self.path)!r} is not a GGUF file; local models are GGUF files.")

    def _body(self, request: ModelRequest) -> dict[str, Json]:
        settings = request.settings
        seed = settings.seed if settings.seed is not None else self._seed
        chosen = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "max_tokens": settings.max_tokens,
            "seed": seed,
            "stop": list(settings.stop) or None,
            "grammar": _grammar(request.output),
        }
        messages = [_message(message) for message in request.messages]
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
        return {
            "messages": messages,
            # Streams only: a complete reply of llama.cpp would repeat the prefix, and could not be stopped.
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "cache_prompt": True,
            **{name: value for name, value in chosen.items() if value is not None},
        }


class _Reply:
    """Puts the chunks of one streamed reply together."""

    def __init__(self, name: str, model: str) -> None:
        self._name, self._model = name, model
        self._texts: list[str] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: dict[str, Any]) -> str:
        """Take one chunk; returns the text that it adds."""
        if error := chunk.get("error"):
            raise self._failure(error)
        if usage := chunk.get("usage"):
            cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
            self._usage = Usage(usage["prompt_tokens"], cached, usage["completion_tokens"], model_calls=1)
        text = ""
        for choice in chunk.get("choices", ()):
            text += choice["delta"].get("content") or ""
            if choice["finish_reason"]:
                self._finish = "length" if choice["finish_reason"] == "length" else "stop"
        self._texts.append(text)
        return text

    def result(self) -> ModelResponse:
        """The whole reply."""
        if self._finish is None or self._usage is None:
            raise ModelOutputError(f"{self._name!r}: llama.cpp ended without a complete reply.", model=self._name)
        return ModelResponse("".join(self._texts), finish=self._finish, usage=self._usage, model=self._model)

    def _failure(self, error: dict[str, Any]) -> Exception:
        status, reason = int(error.get("code", 500)), str(error.get("message", error))
        if error.get("type") == "exceed_context_size_error":
            reason += "; shorten the prompt, or give LocalModel a larger context="
        if status < 500:
            return refused(self._name, reason, status)
        return ModelUnavailableError(f"{self._name!r}: llama.cpp failed: {reason}", model=self._name, status=status)


def _grammar(output: JsonOutput | GrammarOutput | None) -> str | None:
    if output is None:
        return None
    if isinstance(output, GrammarOutput):
        return output.lark if output.lark.startswith("%llguidance") else _GUIDANCE + output.lark
    # llama.cpp's own response_format lets the model pretty-print, which costs about 40 % more tokens.
    return f"{_GUIDANCE}start: %json {json.dumps({**output.schema, 'x-guidance': _COMPACT})}"


def _message(message: Message) -> dict[str, Json]:
    body: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.args)}}
            for c in message.tool_calls
        ]
    return body


def _is_path(model: str | Path) -> bool:
    if isinstance(model, Path) or model.startswith(("~", ".")) or model.lower().endswith(".gguf"):
        return True
    return os.sep in model or "/" in model


def _default_threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return available if available <= 4 else max(4, available // 2)
