"""What every `Planner` must do, whatever its strategy.

Subclass `PlannerConformance`, say how the planner is made and what a model answers it, turn by turn, for a task whose
answer is 20.0 (the price of the product that sells best, from the tools of `tests.plans.BASIC`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from agentkit.agent import Agent
from agentkit.errors import ModelError, ModelRefusedError
from agentkit.events import Event, PlanProposed, RunFinished, StepStarted
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.messages import Json, ModelProfile, ModelRequest
from agentkit.planning import Planner, PlanRequest
from agentkit.reflection import NO_REFLECTION, Reflection
from agentkit.results import RunResult
from agentkit.run import Run
from agentkit.testing import FunctionModel, ScriptedModel
from agentkit.testing.models import Reply
from tests.plans import BASIC

TASK = "What does the product that sells best cost?"
FREE = ModelProfile(spelling="python", decoding="free")


class PlannerConformance:
    """The suite.

    Attributes:
        replies: What the model answers, in order.
        profile: What the model can do.
        output: The answer that they lead to.
        reflection: Judges of the agent, for planners that learn from a judgement.
        asks: Whether the planner asks a model at all.
    """

    replies: ClassVar[Sequence[Reply]] = ()
    profile: ClassVar[ModelProfile] = FREE
    output: ClassVar[Json] = 20.0
    reflection: ClassVar[Reflection] = NO_REFLECTION
    asks: ClassVar[bool] = True

    def make(self) -> Planner:
        """The planner under test."""
        raise NotImplementedError("a conformance class makes its planner")

    def model(self) -> ScriptedModel:
        """A model that gives the replies in order."""
        return ScriptedModel(self.replies, profile=self.profile)

    def agent(self, model: ScriptedModel | FunctionModel, planner: Planner | None = None) -> Agent:
        """An agent with the planner under test."""
        return Agent(model, tools=[BASIC], planner=planner or self.make(), reflection=self.reflection)

    async def test_it_does_the_task_and_uses_up_the_script(self) -> None:
        model = self.model()
        result = await self.agent(model).run(TASK)
        assert (result.status, result.output) == ("done", self.output), result.error
        assert model.remaining == 0

    async def test_without_model_calls_left_the_run_stops_and_says_so(self) -> None:
        if self.asks:
            result = await self.agent(self.model()).run(TASK, limits=Limits(model_calls=0))
            assert (result.status, result.error) == ("stopped", "stopped: the limit model_calls=0 is used up")

    async def test_it_never_passes_a_limit(self) -> None:
        for most in range(1, len(self.replies)):
            result = await self.agent(self.model()).run(TASK, limits=Limits(model_calls=most))
            assert result.usage.model_calls <= most

    async def test_tools_that_a_run_may_not_use_are_not_called(self) -> None:
        model = FunctionModel(_repeating(self.replies), profile=self.profile)
        result = await self.agent(model).run(TASK, tool_choice=["double"], limits=Limits(model_calls=12))
        called = {event.action for event in result.events if isinstance(event, StepStarted)}
        assert called <= {"double", "generate"}

    async def test_a_model_that_fails_for_good_is_a_model_error(self) -> None:
        if not self.asks:
            return
        down = ScriptedModel([ModelRefusedError("no key")] * 20, profile=self.profile)
        with pytest.raises(ModelError, match="no key"):
            await self.make().propose(PlanRequest(TASK, BASIC), Run(model=down))
        result = await self.agent(ScriptedModel([ModelRefusedError("no key")] * 20, profile=self.profile)).run(TASK)
        assert (result.status, result.error) == ("failed", "the model failed: no key")

    async def test_a_run_killed_after_any_event_goes_on_as_if_nothing_had_happened(self, tmp_path: Path) -> None:
        """It asks the model exactly what it would have asked, and comes to the same plans and the same answer."""
        model = self.model()
        whole = await self.agent(model).run(TASK)
        known = {repr(request): reply for request, reply in zip(model.requests, self.replies, strict=True)}
        store = JournalStore(tmp_path / "runs.sqlite")
        for cut in range(1, len(whole.events)):
            await _written(store, f"run{cut}", whole.events[:cut])
            again = await self.agent(FunctionModel(_known(known), profile=self.profile)).resume(f"run{cut}", store)
            assert (again.status, again.output) == ("done", self.output), (
                f"after {whole.events[cut - 1]}: {again.error}"
            )
            assert _plans(again) == _plans(whole)
        store.close()

    async def test_runs_at_the_same_time_and_one_after_another_do_not_touch_each_other(self) -> None:
        planner = self.make()
        models = [self.model() for _ in range(6)]
        first = await self.agent(models[0], planner).run(TASK)
        together = await asyncio.gather(*(self.agent(model, planner).run(TASK) for model in models[1:]))
        assert [result.output for result in (first, *together)] == [self.output] * 6
        assert all(_asked(model) == _asked(models[0]) for model in models)

    async def test_the_prompt_begins_the_same_for_every_task(self) -> None:
        if not self.asks:
            return
        model, other = self.model(), self.model()
        await self.agent(model).run(TASK)
        await self.agent(other).run("How much is it?")
        assert model.requests[0].messages[0] == other.requests[0].messages[0]
        assert model.requests[0].messages[0].role == "system"


def _asked(model: FunctionModel) -> list[str]:
    return sorted(map(repr, model.requests))


def _plans(result: RunResult) -> list[object]:
    """Every plan of a run that went on, counted once."""
    events = (*result.earlier, *result.events)
    found = {(event.within, event.number): event for event in events if isinstance(event, PlanProposed)}
    return [(key, event.plan, event.source, event.notes) for key, event in found.items()]


def _repeating(replies: Sequence[Reply]) -> Callable[[ModelRequest], Reply]:
    """Gives the replies over and over."""
    count = iter(range(1_000))
    return lambda request: replies[next(count) % len(replies)]


def _known(replies: dict[str, Reply]) -> Callable[[ModelRequest], Reply]:
    """Answers only what was asked in the uninterrupted run."""

    def answer(request: ModelRequest) -> Reply:
        assert repr(request) in replies, f"asked something new: {request.messages[-1].content}"
        return replies[repr(request)]

    return answer


async def _written(store: JournalStore, run_id: str, events: Sequence[Event]) -> None:
    """A journal in which a process was killed after these events."""
    assert not any(isinstance(event, RunFinished) for event in events)
    journal = store.run(run_id)
    for event in events:
        journal.append(event)
    await journal.flush()
