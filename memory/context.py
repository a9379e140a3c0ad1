"""The context of a model call: as much of a conversation as a token budget has room for, and where the rest is."""

from __future__ import annotations

import json
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass

from agentkit.errors import DefinitionError
from agentkit.memory._checks import check_least, check_part
from agentkit.memory.policies import Buffer, ContextPolicy, View
from agentkit.memory.units import Unit, handle_of, measured, split
from agentkit.messages import Json, Message, ModelProfile, user
from agentkit.protocols import Model
from agentkit.run import Run
from agentkit.tokens import REPLY_OVERHEAD, TokenCounter, counter_for
from agentkit.toolbox import Tool

RESERVE = 0.30
"""The share of the context window that is kept for what long-term memory recalls, and for the reply."""

LONGEST_OUTPUT = 200
"""Tokens of a tool output that are shown where it has to be cut."""

REPLY = 1_024
"""Tokens of the reserve that the reply may have, or half of it where it is small."""

FETCH = "fetch_output"
"""The tool that gives a whole tool output by its handle."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a model call sees of a conversation.

    Attributes:
        messages: The messages, with a note before them where a policy wrote one. They are in their order, and calls
            stand with their results.
        overflow: The messages that are not among them, whole and in their order.
        positions: Their positions in the conversation.
        trimmed: Handles of tool outputs that are cut.
        tokens: What `messages` and the fixed messages cost.
        budget: What they may cost. Fixed and pinned messages never go, so these alone can exceed it.
        counter: Who counted.
        note: What stands for messages that fell out.
    """

    messages: tuple[Message, ...]
    overflow: tuple[Message, ...] = ()
    positions: tuple[int, ...] = ()
    trimmed: tuple[str, ...] = ()
    tokens: int = 0
    budget: int = 0
    counter: str = ""
    note: str = ""


class ContextBuilder:
    """Fits conversations into a model's context.

    The budget is the context window times (1 − `reserve`). What cannot go counts first: the task, the constraints, the
    tools, and pinned messages. Of the rest, long tool outputs are cut first, to their beginning and a handle by which
    the tool `fetch_output` gives the whole; then messages go, as the policy says. Calls keep their results.

    Args:
        policy: What stays; `Buffer` by default.
        reserve: The share of the window that is kept free.
        window: Tokens of the context window; the model's own by default.
        longest_output: Tokens that a tool output is cut to.

    Raises:
        DefinitionError: The reserve is not from 0 to below 1, the policy is none, or a number is too small.
    """

    def __init__(
        self,
        policy: ContextPolicy | None = None,
        *,
        reserve: float = RESERVE,
        window: int | None = None,
        longest_output: int = LONGEST_OUTPUT,
    ) -> None:
        if not 0 <= reserve < 1:
            raise DefinitionError(f"reserve is {reserve!r}; expected a share of the context window from 0 to below 1")
        check_part("ContextBuilder(policy", policy, "choose", "a policy, such as LastTurns(10)")
        if window is not None:
            check_least("ContextBuilder(window", window, 1, "tokens")
        check_least("ContextBuilder(longest_output", longest_output, 1, "tokens")
        self.policy = policy or Buffer()
        self.reserve = reserve
        self.window = window
        self.longest_output = longest_output
        self._counters: dict[str, TokenCounter] = {}

    def budget(self, profile: ModelProfile) -> int:
        """Tokens that the messages of a call may cost."""
        return int(self._window(profile) * (1 - self.reserve))

    def recall_budget(self, profile: ModelProfile) -> int:
        """Tokens that recalled memories may cost: the reserve, without the part of the reply."""
        kept = self._window(profile) - self.budget(profile)
        return kept - min(REPLY, kept // 2)

    def _window(self, profile: ModelProfile) -> int:
        return self.window or profile.context_window

    def counter(self, model: Model) -> TokenCounter:
        """Counts the model's tokens; it remembers what it has counted."""
        return self._counters.setdefault(model.name, counter_for(model))

    async def build(
        self,
        history: Sequence[Message],
        *,
        run: Run,
        fixed: Sequence[Message] = (),
        task: str = "",
        notes: MutableMapping[str, Json] | None = None,
    ) -> Context:
        """The context for the next call of the run's model.

        Args:
            history: The conversation, oldest first.
            run: The run, with the model.
            fixed: The other messages of the call, such as instructions and the task.
            task: What is asked, for policies that look at it.
            notes: What policies keep about this conversation from turn to turn.

        Raises:
            DefinitionError: The run has no model.
            LimitReached: A policy asked a model, and a budget of the run is used up.
        """
        if run.model is None:
            raise DefinitionError("a context is fitted to a model, and the run has none; make it with Run(model=…)")
        model = run.model.model
        counter = self.counter(model)
        budget = self.budget(model.profile)
        spent = sum(await counter.each(fixed)) + REPLY_OVERHEAD
        units = await measured(split(history), counter, self.longest_output)
        view = View(units, max(0, budget - spent), task, counter, run, {} if notes is None else notes)
        choice = await self.policy.choose(view)
        note = (user(choice.note),) if choice.note else ()
        fitted = choice.fitted
        overflow = [(unit.start + n, message) for unit in fitted.dropped for n, message in enumerate(unit.messages)]
        return Context(
            messages=(*note, *fitted.messages),
            overflow=tuple(message for _, message in overflow),
            positions=tuple(position for position, _ in overflow),
            trimmed=fitted.handles,
            tokens=spent + sum(await counter.each(note)) + fitted.tokens,
            budget=budget,
            counter=counter.name,
            note=choice.note,
        )


def outputs_of(history: Iterable[Message]) -> dict[str, str]:
    """The tool outputs of a conversation by their handles."""
    return {handle_of(message.content): message.content for message in history if message.role == "tool"}


def fetch_tool(history: Sequence[Message]) -> Tool:
    """The tool `fetch_output`, for the outputs of a conversation."""

    async def fetch(args: dict[str, str]) -> Json:
        outputs = outputs_of(history)
        content = outputs.get(args["handle"])
        if content is None:
            known = ", ".join(map(repr, outputs)) or "none"
            raise LookupError(f"there is no output {args['handle']!r} in this conversation; handles are {known}")
        try:
            return json.loads(content)
        except ValueError:
            return content

    return Tool.from_schema(
        name=FETCH,
        description="The whole of an earlier tool output of which the conversation shows the beginning only.",
        effect="read",
        resources="conversation",
        input_schema={
            "type": "object",
            "properties": {"handle": {"type": "string", "description": "The handle that stands at the cut."}},
            "required": ["handle"],
            "additionalProperties": False,
        },
        call=fetch,
        origin="agentkit.memory",
    )


def has_long_outputs(units: Sequence[Unit]) -> bool:
    """Whether any tool output could be cut."""
    return any(unit.handles for unit in units)
