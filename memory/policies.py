"""What of a conversation a model sees: small policies behind one port.

Each is given the conversation as units and a number of tokens. Whatever a policy lets go is still kept elsewhere; see
`agentkit.memory.context`.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentkit.memory._checks import check_least
from agentkit.memory.units import Fitted, Unit, fit
from agentkit.messages import Json
from agentkit.run import Run
from agentkit.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class View:
    """What a policy may look at.

    Attributes:
        units: The conversation, oldest first.
        room: Tokens that it may have.
        task: What is asked now.
        counter: Counts tokens.
        run: The run that asks, with its model and budgets.
        notes: What policies keep about this conversation from turn to turn, by name, as JSON.
    """

    units: Sequence[Unit]
    room: int
    task: str
    counter: TokenCounter
    run: Run
    notes: MutableMapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy chose: what stays, and a note that stands before it for what went."""

    fitted: Fitted
    note: str = ""


class ContextPolicy(Protocol):
    """Chooses what of a conversation the model sees."""

    async def choose(self, view: View) -> Choice:
        """At most `view.room` tokens, the note and its message counted; pinned units stay in any case."""
        ...


class Buffer:
    """Everything, as long as it fits; then the oldest messages go."""

    async def choose(self, view: View) -> Choice:
        """As much as fits."""
        return Choice(fit(view.units, view.room))


@dataclass(frozen=True, slots=True)
class LastTurns:
    """The last turns; a turn begins with what the user says.

    Attributes:
        turns: How many.
    """

    turns: int

    def __post_init__(self) -> None:
        check_least("LastTurns(turns", self.turns, 0, "turns")

    async def choose(self, view: View) -> Choice:
        """The last turns, as much of them as fits."""
        begins = [n for n, unit in enumerate(view.units) if unit.messages[0].role == "user"]
        first = 0
        if self.turns < len(begins):
            first = begins[-self.turns] if self.turns > 0 else len(view.units)
        gone = [unit for unit in view.units[:first] if not unit.pinned]
        return Choice(without(gone, view.units, view.room))


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """The newest messages up to a number of tokens of their own; the oldest go first (FIFO).

    Attributes:
        tokens: How many; never more than the context has room for.
    """

    tokens: int

    def __post_init__(self) -> None:
        check_least("TokenWindow(tokens", self.tokens, 0, "tokens")

    async def choose(self, view: View) -> Choice:
        """The newest messages."""
        return Choice(fit(view.units, min(view.room, self.tokens)))


def without(gone: Sequence[Unit], units: Sequence[Unit], room: int) -> Fitted:
    """What fits of the units that are not gone; the gone ones count as dropped."""
    starts = {unit.start for unit in gone}
    fitted = fit([unit for unit in units if unit.start not in starts], room)
    dropped = sorted((*gone, *fitted.dropped), key=lambda unit: unit.start)
    return Fitted(fitted.kept, tuple(dropped), fitted.cut)
