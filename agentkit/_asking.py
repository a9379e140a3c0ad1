"""Asking the person of a run, whose methods may be plain ones."""

from __future__ import annotations

from collections.abc import Mapping

from agentkit._toolbox_tool import call_anywhere
from agentkit.errors import DefinitionError
from agentkit.messages import Json
from agentkit.protocols import ApprovalRequest, Decision, Human


async def decision_of(human: Human, request: ApprovalRequest) -> Decision:
    """What a person decides about a call; a method that is not async is called on a thread.

    Raises:
        DefinitionError: It is no decision, which nothing takes for a yes.
    """
    decision = await call_anywhere(human.approve, request)
    if not isinstance(decision, Decision):
        raise DefinitionError(
            f"approve() of {type(human).__name__!r} has to return a Decision, e.g. Decision(True), got {decision!r}"
        )
    return decision


async def answer_of(human: Human, question: str, schema: Mapping[str, Json] | None) -> Json:
    """What a person answers; a method that is not async is called on a thread."""
    return await call_anywhere(human.answer, question, schema)
