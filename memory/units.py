"""What a conversation is made of when it has to be cut: messages, and calls together with their results."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agentkit.messages import Message
from agentkit.tokens import TokenCounter

HANDLE_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Unit:
    """Messages that stay or go together: one message, or an assistant's calls with all their results.

    Attributes:
        start: Position of its first message in the conversation.
        messages: The messages, whole.
        tokens: What they cost.
        short: The messages with long tool outputs cut; the same as `messages` if none is long.
        short_tokens: What those cost.
        handles: Of the outputs that `short` cuts.
        pinned: It never goes, and is never cut.
    """

    start: int
    messages: tuple[Message, ...]
    tokens: int = 0
    short: tuple[Message, ...] = ()
    short_tokens: int = 0
    handles: tuple[str, ...] = ()
    pinned: bool = False

    @property
    def stop(self) -> int:
        """Position after its last message."""
        return self.start + len(self.messages)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What of a conversation stays. `kept` and `dropped` are in the conversation's order."""

    kept: tuple[Unit, ...]
    dropped: tuple[Unit, ...] = ()
    cut: frozenset[int] = field(default_factory=frozenset)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that the model sees."""
        return tuple(
            message for unit in self.kept for message in (unit.short if unit.start in self.cut else unit.messages)
        )

    @property
    def tokens(self) -> int:
        """What they cost."""
        return sum(unit.short_tokens if unit.start in self.cut else unit.tokens for unit in self.kept)

    @property
    def handles(self) -> tuple[str, ...]:
        """Of the outputs that are cut."""
        return tuple(handle for unit in self.kept if unit.start in self.cut for handle in unit.handles)


def handle_of(content: str) -> str:
    """The handle of a tool output: the same text has the same one."""
    return f"out_{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:HANDLE_LENGTH]}"


def split(messages: Sequence[Message]) -> list[Unit]:
    """A conversation as units, in order; together they are the conversation.

    A result belongs to the latest call with its id. Whatever stands between a call and its result stays with them.
    """
    starts: list[int] = []
    owners: dict[str, int] = {}
    for position, message in enumerate(messages):
        owner = owners.get(message.tool_call_id or "") if message.role == "tool" else None
        if owner is None:
            starts.append(position)
        else:
            while starts[-1] > owner:
                starts.pop()
        for call in message.tool_calls:
            owners[call.id] = starts[-1]
    ends = [*starts[1:], len(messages)][: len(starts)]
    return [_unit(start, tuple(messages[start:end])) for start, end in zip(starts, ends, strict=True)]


def _unit(start: int, messages: tuple[Message, ...]) -> Unit:
    pinned = any(message.pinned or message.role == "system" for message in messages)
    return Unit(start, messages, pinned=pinned)


async def measured(units: Sequence[Unit], counter: TokenCounter, longest_output: int) -> list[Unit]:
    """The units with what they cost, whole and with tool outputs cut to about `longest_output` tokens."""
    whole = await counter.each([message for unit in units for message in unit.messages])
    costs = iter(whole)
    return [await _measured(unit, [next(costs) for _ in unit.messages], counter, longest_output) for unit in units]


async def _measured(unit: Unit, costs: list[int], counter: TokenCounter, longest_output: int) -> Unit:
    short, handles = [], []
    for message, cost in zip(unit.messages, costs, strict=True):
        if message.role == "tool" and cost > longest_output and not unit.pinned:
            handle = handle_of(message.content)
            cut = await _cut(message, handle, cost, counter, longest_output)
            if cut is not None:
                short.append(cut)
                handles.append(handle)
                continue
        short.append(message)
    tokens = sum(costs)
    short_tokens = sum(await counter.each(short)) if handles else tokens
    return replace(unit, tokens=tokens, short=tuple(short), short_tokens=short_tokens, handles=tuple(handles))


async def _cut(message: Message, handle: str, cost: int, counter: TokenCounter, longest: int) -> Message | None:
    """The message with the beginning of its output; None if that would save nothing."""
    length = len(message.content) * longest // cost
    while True:
        said = f"cut after {length:,} of {len(message.content):,} characters; fetch_output(handle={handle!r}) has all"
        cut = replace(message, content=f"{message.content[:length]}… [{said}]")
        [tokens] = await counter.each([cut])
        if tokens <= longest or (length == 0 and tokens < cost):
            return cut
        if length == 0:
            return None
        length = length * 3 // 4


def fit(units: Sequence[Unit], room: int) -> Fitted:
    """As much of a conversation as fits into `room` tokens.

    First long tool outputs are cut, the oldest first. Then units go, the oldest first; pinned ones stay whatever they
    cost. At last, outputs that fit after all are shown whole again, the newest first.
    """
    total = sum(unit.tokens for unit in units)
    cut: set[int] = set()
    for unit in units:
        if total <= room:
            break
        if unit.handles:
            cut.add(unit.start)
            total -= unit.tokens - unit.short_tokens
    dropped: set[int] = set()
    for unit in units:
        if total <= room:
            break
        if not unit.pinned:
            dropped.add(unit.start)
            total -= unit.short_tokens if unit.start in cut else unit.tokens
    for unit in reversed(units):
        more = unit.tokens - unit.short_tokens
        if unit.start in cut and unit.start not in dropped and total + more <= room:
            cut.discard(unit.start)
            total += more
    return Fitted(
        tuple(unit for unit in units if unit.start not in dropped),
        tuple(unit for unit in units if unit.start in dropped),
        frozenset(cut - dropped),
    )
