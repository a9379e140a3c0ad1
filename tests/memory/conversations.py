"""Conversations for tests of short-term memory: generated ones, and a model whose tokens are characters."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from agentkit.messages import Message, ModelProfile, ToolCall
from agentkit.run import Run
from agentkit.testing import FakeClock, ScriptedModel


class Letters(ScriptedModel):
    """A scripted model whose tokens are characters."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


def run_with(*replies: str, window: int = 1000) -> Run:
    """A run whose model has a window of so many characters."""
    profile = ModelProfile(context_window=window, json_schema=True, spelling="python", decoding="free")
    return Run(model=Letters(replies, profile=profile), clock=FakeClock())


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """A conversation whose calls are all answered, some of them late; its messages are all different."""
    messages: list[Message] = []
    waiting: list[str] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["user", "assistant", "calls", "system"]))
        text = f"{number}:" + "x" * draw(st.integers(0, 60))
        pinned = draw(st.integers(0, 9)) == 0
        if kind == "calls":
            ids = [f"c{number}-{n}" for n in range(draw(st.integers(1, 3)))]
            calls = tuple(ToolCall(id, "f", {}) for id in ids)
            messages.append(Message("assistant", text, tool_calls=calls, pinned=pinned))
            waiting += ids
        elif kind == "system":
            messages.append(Message("system", text))
        else:
            messages.append(Message("user" if kind == "user" else "assistant", text, pinned=pinned))
        while waiting and draw(st.integers(0, 3)) > 0:
            id = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            messages.append(Message("tool", f"{id}:" + "y" * draw(st.integers(0, 300)), tool_call_id=id))
    messages += [Message("tool", f"{id}:z", tool_call_id=id) for id in waiting]
    return tuple(messages)
