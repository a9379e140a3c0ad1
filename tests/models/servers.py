"""Small HTTP servers on the loopback address that speak the providers' formats."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

USAGE = (120, 100, 7)
"""Prompt tokens (cached ones included), cached tokens, output tokens of every scripted answer."""
WRITTEN = 15
"""Prompt tokens that every server says it put into its prompt cache."""


@dataclass(frozen=True)
class Reply:
    """What the server sends for one request.

    Attributes:
        body: The body, for a request without ``stream``.
        events: Server-sent events, for a request with ``stream``; None sends `body`.
        status: HTTP status.
        headers: More headers.
        cut: Drop the connection after the last event, or in the middle of the body.
        hang: Send nothing more after the last event (or nothing at all), until the client closes the connection.
    """

    body: bytes = b""
    events: tuple[bytes, ...] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire."""

    path: str
    headers: Mapping[str, str]
    body: Any


class ProviderServer:
    """Answers each request with the next reply of the script, on an event loop in a thread of its own.

    Attributes:
        url: The address, without a path.
        replies: The replies still to give.
        received: The requests so far.
        connections: How many connections were opened.
        waiting: Set when a reply that hangs has been sent.
        closed_by_client: Set when the client closed the connection before its reply was over.
    """

    def __init__(self) -> None:
        self.url = ""
        self.replies: deque[Reply] = deque()
        self.received: list[Received] = []
        self.connections = 0
        self.waiting = threading.Event()
        self.closed_by_client = threading.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._main is not None
        self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join(5)

    async def _run(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        self._ready.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            server.close()

    @property
    def last(self) -> Any:
        """The body of the last request."""
        return self.received[-1].body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except ConnectionError:
            self.closed_by_client.set()
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left after a whole reply, or the test is over
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        body = json.loads(raw) if raw else None
        self.received.append(Received(head[0].split()[1], headers, body))
        reply = self.replies.popleft() if self.replies else Reply(b'{"error":{"message":"no reply left"}}', status=500)
        await self._send(writer, reply, streamed=bool(body and body.get("stream")) and reply.events is not None)
        if reply.hang:
            self.waiting.set()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            self.closed_by_client.set()
        return not (reply.hang or reply.cut)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply, *, streamed: bool) -> None:
        if reply.hang and not streamed:
            return
        headers = {"content-type": "text/event-stream" if streamed else "application/json", **reply.headers}
        if streamed:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(len(reply.body))
        lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{key}: {value}" for key, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        if streamed:
            for event in reply.events or ():
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            if not (reply.cut or reply.hang):
                writer.write(b"0\r\n\r\n")
        else:
            writer.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        await writer.drain()


@dataclass(frozen=True)
class Answer:
    """What a model says, in no provider's format."""

    text: str = ""
    tool: tuple[str, str, str] | None = None  # id, name, JSON text of the arguments
    finish: str = "stop"
    refusal: str = ""


class Dialect(Protocol):
    """A provider's format."""

    path: str

    def body(self, answer: Answer) -> dict[str, Any]:
        """The complete reply."""
        ...

    def events(self, answer: Answer) -> list[bytes]:
        """The streamed reply."""
        ...

    def error(self, code: str, message: str) -> dict[str, Any]:
        """An error object."""
        ...


def reply(dialect: Dialect, answer: Answer, *, cut: bool = False) -> Reply:
    """`answer` in a provider's format, whichever way it is asked for."""
    return Reply(json.dumps(dialect.body(answer)).encode(), tuple(dialect.events(answer)), cut=cut)


def error_reply(dialect: Dialect, status: int, code: str, message: str, **headers: str) -> Reply:
    """An HTTP error in a provider's format."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Reply(json.dumps(dialect.error(code, message)).encode(), status=status, headers=named)


def pieces(text: str) -> list[str]:
    """`text` as a model would stream it."""
    return re.findall(r"\s*\S+|\s+", text)


def sse(data: Any, event: str = "") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


class Chat:
    """OpenAI Chat Completions."""

    path = "/v1/chat/completions"

    def body(self, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.text or None,
            "refusal": answer.refusal or None,
        }
        if answer.tool:
            message["tool_calls"] = [self._call(answer.tool)]
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "served-model",
            "choices": [{"index": 0, "message": message, "finish_reason": self._reason(answer), "logprobs": None}],
            "usage": self._usage(),
        }

    def events(self, answer: Answer) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in pieces(answer.text)]
        deltas += [{"refusal": piece} for piece in pieces(answer.refusal)]
        if answer.tool:
            first, second = answer.tool[2][:4], answer.tool[2][4:]
            deltas.append({"tool_calls": [{"index": 0, **self._call((*answer.tool[:2], first))}]})
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": second}}]})
        chunks = [self._chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
        chunks.append(self._chunk([{"index": 0, "delta": {}, "finish_reason": self._reason(answer)}]))
        chunks.append({**self._chunk([]), "usage": self._usage()})
        return [*(sse(chunk) for chunk in chunks), sse("[DONE]")]

    def error(self, code: str, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code or None}}

    def _reason(self, answer: Answer) -> str:
        return "tool_calls" if answer.tool else answer.finish

    def _call(self, tool: tuple[str, str, str]) -> dict[str, Any]:
        return {"id": tool[0], "type": "function", "function": {"name": tool[1], "arguments": tool[2]}}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
        return {**head, "choices": choices}

    def _usage(self) -> dict[str, Any]:
        prompt, cached, output = USAGE
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": WRITTEN},
        }


class Responses:
    """OpenAI Responses."""

    path = "/v1/responses"

    def body(self, answer: Answer) -> dict[str, Any]:
        output: list[dict[str, Any]] = [{"type": "reasoning", "id": "rs_1", "summary": []}]
        if answer.text or answer.refusal:
            output.append(self._message(answer))
        if answer.tool:
            call_id, name, arguments = answer.tool
            call = {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": arguments}
            output.append({**call, "status": "completed"})
        reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
        prompt, cached, tokens = USAGE
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "served-model",
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": WRITTEN},
                "output_tokens": tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + tokens,
            },
        }

    def events(self, answer: Answer) -> list[bytes]:
        response = self.body(answer)
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
        ]
        text = {"type": "response.output_text.delta", **where, "logprobs": []}
        events += [{**text, "delta": piece} for piece in pieces(answer.text)]
        events += [{"type": "response.refusal.delta", **where, "delta": piece} for piece in pieces(answer.refusal)]
        if answer.tool:
            call = {"item_id": "fc_1", "output_index": 1, "delta": answer.tool[2]}
            events.append({"type": "response.function_call_arguments.delta", **call})
        last = "response.incomplete" if response["status"] == "incomplete" else "response.completed"
        events.append({"type": last, "response": response})
        return [sse({**event, "sequence_number": n}, event["type"]) for n, event in enumerate(events)]

    def error(self, code: str, message: str) -> dict[str, Any]:
        return Chat().error(code, message)

    def _message(self, answer: Answer) -> dict[str, Any]:
        part: dict[str, Any] = {"type": "output_text", "text": answer.text, "annotations": []}
        if answer.refusal:
            part = {"type": "refusal", "refusal": answer.refusal}
        return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


class Messages:
    """Anthropic Messages."""

    path = "/v1/messages"
    _reasons: ClassVar = {
        "stop": "end_turn",
        "length": "max_tokens",
        "pause": "pause_turn",
        "full": "model_context_window_exceeded",
    }

    def body(self, answer: Answer) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "hm", "signature": "s"}]
        if answer.text:
            content.append({"type": "text", "text": answer.text, "citations": None})
        if answer.tool:
            call_id, name, arguments = answer.tool
            content.append({"type": "tool_use", "id": call_id, "name": name, "input": json.loads(arguments)})
        return {**self._head(), "content": content, **self._stop(answer), "usage": self._usage()}

    def events(self, answer: Answer) -> list[bytes]:
        started = {**self._usage(), "output_tokens": 1}
        events: list[dict[str, Any]] = [
            {
                "type": "message_start",
                "message": {**self._head(), "content": [], "stop_reason": None, "usage": started},
            },
            {"type": "ping"},
        ]
        events += self._block(
            0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in pieces(answer.text)]
        )
        if answer.tool:
            call_id, name, arguments = answer.tool
            block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
            parts = [arguments[:4], arguments[4:]]
            events += self._block(1, block, [{"type": "input_json_delta", "partial_json": p} for p in parts])
        events.append({"type": "message_delta", "delta": self._stop(answer), "usage": {"output_tokens": USAGE[2]}})
        events.append({"type": "message_stop"})
        return [sse(event, event["type"]) for event in events]

    def error(self, code: str, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": code or "api_error", "message": message}, "request_id": "req_1"}

    def _head(self) -> dict[str, Any]:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "served-model"}

    def _stop(self, answer: Answer) -> dict[str, Any]:
        if answer.refusal:
            details = {"type": "refusal", "category": "bio", "explanation": answer.refusal}
            return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
        reason = "tool_use" if answer.tool else self._reasons[answer.finish]
        return {"stop_reason": reason, "stop_sequence": None}

    def _usage(self) -> dict[str, Any]:
        prompt, cached, output = USAGE
        return {
            "input_tokens": prompt - cached - WRITTEN,
            "cache_creation_input_tokens": WRITTEN,
            "cache_read_input_tokens": cached,
            "output_tokens": output,
        }

    def _block(self, index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": block},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]
