"""Reflection at four points: who is asked when, what a verdict does, and what it costs those who do not use it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentkit._reflecting import Reflecting
from agentkit.agent import Agent
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import DefinitionError, ModelRefusedError
from agentkit.events import Reflected, StepFinished, StepStarted, from_json, to_json
from agentkit.journal import JournalStore
from agentkit.judges import ModelJudge, Scorer
from agentkit.limits import Limits
from agentkit.messages import ModelProfile
from agentkit.planning import Situation, Verdict
from agentkit.policy import Policy
from agentkit.reflection import Reflection
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from tests.plans import BASIC, World

FREE = ModelProfile(spelling="python", decoding="free", repairs=True, json_schema=True)
HAT = 'cost = price_of(name="hat")\nanswer(cost)'
GLOVE = 'cost = price_of(name="glove")\nanswer(cost)'


def scripted(*replies: Any) -> ScriptedModel:
    return ScriptedModel(list(replies), profile=FREE)


async def run(*replies: Any, reflection: Reflection, **options: Any) -> RunResult:
    return await Agent(scripted(*replies), tools=[BASIC], reflection=reflection, **options).run("What does a hat cost?")


def judgements(result: RunResult) -> list[tuple[str, int, bool, str]]:
    return [
        (event.point, event.number, event.done, event.reason) for event in result.events if isinstance(event, Reflected)
    ]


def content(situation: Situation) -> bool:
    return True


async def test_a_task_that_cannot_be_done_is_declined_before_anything_is_planned() -> None:
    def feasible(situation: Situation) -> str:
        assert (situation.point, situation.plan) == ("feasibility", None)
        return "no tool sells hats"

    result = await run(reflection=Reflection(feasibility=feasible))
    assert (result.status, result.output) == ("declined", "This cannot be done: no tool sells hats")
    assert result.error == "no tool sells hats"
    assert result.usage.model_calls == 0
    assert judgements(result) == [("feasibility", 0, False, "no tool sells hats")]


async def test_a_plan_that_a_judge_refuses_goes_back_for_repair_and_does_not_run() -> None:
    def modest(situation: Situation) -> str:
        assert situation.certificate is not None
        return "it is about gloves" if situation.plan and "glove" in str(situation.plan) else ""

    model = scripted(GLOVE, HAT)
    result = await Agent(model, tools=[BASIC], reflection=Reflection(plan=modest)).run("What does a hat cost?")
    assert (result.status, result.output) == ("done", 20.0)
    assert judgements(result)[:2] == [("plan", 1, False, "it is about gloves"), ("plan", 2, True, "")]
    assert [event.plan for event in result.events if isinstance(event, StepStarted)] == [2]
    assert model.requests[1].messages[-1].content == (
        "That plan was judged before running, and is not run: it is about gloves. Write another plan."
    )


async def test_plans_that_a_judge_refuses_use_up_the_repairs() -> None:
    result = await run(HAT, HAT, reflection=Reflection(plan=lambda s: "no"), limits=Limits(repairs=1))
    assert (result.status, result.error) == ("failed", "no valid plan after 2 tries; the last one was judged: no")


async def test_a_step_that_is_judged_wrong_stops_the_rest_and_leads_to_another_plan() -> None:
    def dear(situation: Situation) -> str:
        assert situation.step is not None
        return "far too cheap" if situation.step.value == 9.0 else ""

    plan = 'a = price_of(name="glove")\nb = double(number=a)\nc = double(number=b)\nanswer(c)'
    result = await run(plan, "answer(a + 1)", reflection=Reflection(step=dear))
    assert (result.status, result.output) == ("done", 10.0)
    ends = {event.step: (event.status, event.error) for event in result.events if isinstance(event, StepFinished)}
    stopped = "stopped after 'a': far too cheap"
    assert ends == {"a": ("done", ""), "b": ("skipped", stopped), "c": ("skipped", stopped)}
    assert ("step", 1, False, "far too cheap") in judgements(result)
    assert ("outcome", 1, False, stopped) in judgements(result)


async def test_what_a_stopped_step_gave_is_known_to_the_next_plan_and_writes_under_way_end() -> None:
    world = World()

    def wrong(situation: Situation) -> str:
        return "wrong" if situation.step and situation.step.step == "a" else ""

    plan = 'a = look(name="a")\nb = stack(name="b", seconds=0.02)\nc = stack(name="c")\nanswer([a, b, c])'
    agent = Agent(
        scripted(plan, "answer([a, b])"),
        tools=world.tools(),
        policy=Policy(writes="auto"),
        reflection=Reflection(step=wrong),
    )
    result = await agent.run("?")
    assert (result.status, result.output) == ("done", ["a", "b"])
    assert world.log.count("end b") == 1
    assert "start c" not in world.log


async def test_steps_in_loops_are_judged_every_so_many() -> None:
    seen: list[str] = []

    def look(situation: Situation) -> bool:
        assert situation.step is not None
        seen.append(situation.step.step)
        return True

    plan = "x = [double(number=i) for i in range(6)]\nanswer(x)"
    result = await run(plan, reflection=Reflection(step=look, step_every=3))
    assert result.status == "done"
    assert len(seen) == 2


async def test_a_loop_stops_where_a_judge_stops_it() -> None:
    def enough(situation: Situation) -> str:
        return "enough" if situation.step and situation.step.value == 6 else ""

    plan = "x = 0\nwhile x < 90:\n    x = double(number=x + 1)\nanswer(x)"
    result = await run(plan, "answer(1)", reflection=Reflection(step=enough), limits=Limits(loop_iterations=20))
    assert (result.status, result.output) == ("done", 1)
    assert sum(isinstance(event, StepStarted) for event in result.events) <= 3


async def test_all_judges_of_a_point_must_be_content_and_the_first_that_is_not_speaks() -> None:
    def no(situation: Situation) -> bool:
        return False

    def never(situation: Situation) -> bool:
        raise AssertionError("the judge before it was not content")

    result = await run(HAT, reflection=Reflection(outcome=[content, no, never]), limits=Limits(replans=0))
    assert result.error.startswith("the rule 'no' does not hold")


async def test_a_scorer_is_content_from_its_threshold_on() -> None:
    async def closeness(situation: Situation) -> float:
        return 1.0 if situation.facts.answer == 20.0 else 0.25

    scorer = Scorer(closeness, at_least=0.8)
    result = await run(GLOVE, HAT, reflection=Reflection(outcome=scorer))
    verdicts = [event for event in result.events if isinstance(event, Reflected)]
    assert [(event.done, event.score) for event in verdicts] == [(False, 0.25), (True, 1.0)]
    assert verdicts[0].reason == "the score 0.25 of 'closeness' is below 0.8"


async def test_a_score_that_is_no_number_is_below_every_threshold() -> None:
    scorer = Scorer(lambda situation: float("nan"), at_least=-1e9, name="broken")
    result = await run(HAT, reflection=Reflection(outcome=scorer), limits=Limits(replans=0))
    assert result.error.startswith("the score nan of 'broken' is below -1e+09")


# evidence


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        (("cost",), ""),
        (
            ("pay",),
            "the verdict of 'auditor' is refused: it names 'pay' as evidence, a step that did not run to its end",
        ),
        (("seen",), "the verdict of 'auditor' is refused: it names 'seen' as evidence, a step that gave nothing"),
    ],
)
async def test_evidence_must_be_a_step_that_ran_and_gave_something(evidence: tuple[str, ...], problem: str) -> None:
    def auditor(situation: Situation) -> Verdict:
        return Verdict(True, "it is shown", evidence=evidence)

    plan = 'cost = price_of(name="hat")\nseen = top_products(count=0)\nanswer([cost, seen])'
    result = await run(plan, reflection=Reflection(outcome=auditor), limits=Limits(replans=0))
    assert result.status == ("failed" if problem else "done")
    assert result.error.startswith(problem)
    [verdict] = [event for event in result.events if isinstance(event, Reflected)]
    assert verdict.evidence == evidence


async def test_an_iteration_of_a_loop_and_the_loop_are_evidence() -> None:
    def auditor(situation: Situation) -> Verdict:
        return Verdict(True, evidence=("costs", *[name for name in situation.facts.steps if "[" in name]))

    plan = 'costs = [price_of(name=n) for n in ["hat", "glove"]]\nanswer(costs)'
    assert (await run(plan, reflection=Reflection(outcome=auditor))).status == "done"


# models that judge


def said(content: bool, *evidence: str, reason: str = "because", **more: Any) -> str:
    import json

    return json.dumps({"reason": reason, "evidence": list(evidence), **more, "content": content})


async def test_a_model_judges_by_the_results_and_names_its_evidence() -> None:
    model = scripted(HAT, said(True, "cost", reason="the price was read"))
    result = await Agent(model, tools=[BASIC], reflection=Reflection(outcome=ModelJudge("Be strict."))).run("Hat?")
    assert result.status == "done"
    [verdict] = [event for event in result.events if isinstance(event, Reflected)]
    assert (verdict.done, verdict.by, verdict.reason, verdict.evidence) == (
        True,
        "model",
        "the price was read",
        ("cost",),
    )
    prompt = model.requests[1].messages[-1].content
    assert "Task: Hat?" in prompt
    assert "cost = 20.0" in prompt
    assert "Be strict." in model.requests[1].messages[0].content


async def test_a_model_that_claims_success_without_evidence_is_asked_once_more_and_then_refused() -> None:
    result = await run(
        HAT, said(True), said(True), reflection=Reflection(outcome=ModelJudge()), limits=Limits(replans=0)
    )
    assert result.status == "failed"
    assert result.error.startswith("the verdict of 'model' is refused: it names no step that shows it")


async def test_a_model_that_mends_its_verdict_is_believed() -> None:
    result = await run(HAT, said(True), said(True, "cost"), reflection=Reflection(outcome=ModelJudge()))
    assert result.status == "done"
    assert result.usage.model_calls == 3


async def test_a_model_s_score_below_the_threshold_is_not_content() -> None:
    judge = ModelJudge(at_least=0.8)
    result = await run(
        GLOVE,
        said(True, "cost", score=0.5, reason="a glove"),
        HAT,
        said(True, "cost_2", score=0.9),
        reflection=Reflection(outcome=judge),
    )
    assert result.output == 20.0
    assert [event.score for event in result.events if isinstance(event, Reflected)] == [0.5, 0.9]
    assert judgements(result)[0][3] == "a glove (score 0.5, below 0.8)"


@pytest.mark.parametrize("point", ["feasibility", "plan", "step"])
async def test_a_model_may_judge_at_every_point(point: str) -> None:
    reply = '{"reason": "fine", "content": true}'
    replies = [reply, HAT] if point == "feasibility" else [HAT, reply]
    reflection = replace(Reflection(), **{point: ModelJudge()})  # type: ignore[arg-type]  # the name is a parameter
    result = await run(*replies, reflection=reflection)
    assert result.status == "done"
    assert (point, "fine") in [(one[0], one[3]) for one in judgements(result)]


async def test_a_judge_whose_model_fails_while_steps_run_ends_the_run_when_they_have_ended() -> None:
    world = World()
    plan = 'a = look(name="a")\nb = stack(name="b", seconds=0.02)\nanswer([a, b])'
    agent = Agent(
        scripted(plan, ModelRefusedError("no judging today"), ModelRefusedError("no judging today")),
        tools=world.tools(),
        policy=Policy(writes="auto"),
        reflection=Reflection(step=ModelJudge()),
    )
    result = await agent.run("?")
    assert result.status == "failed"
    assert result.error.startswith("the model failed: no judging today")
    assert world.log.count("end b") == 1


async def test_judging_is_inside_the_run_s_budgets() -> None:
    result = await run(HAT, reflection=Reflection(step=ModelJudge()), limits=Limits(model_calls=1))
    assert (result.status, result.error) == (
        "stopped",
        "stopped: the limit model_calls=1 is used up; done so far: cost",
    )


# where it holds, and where not


async def test_plans_of_subgoals_are_judged_and_their_outcome_is_not() -> None:
    seen: list[tuple[str, str]] = []

    def look(situation: Situation) -> bool:
        seen.append((situation.point, situation.request.task))
        return True

    plan = 'cheap = subgoal("the cheapest price")\nanswer(cheap)'
    result = await run(plan, 'answer(price_of(name="glove"))', reflection=Reflection(look, look, (), look))
    assert result.status == "done"
    assert seen == [
        ("feasibility", "What does a hat cost?"),
        ("plan", "What does a hat cost?"),
        ("plan", "the cheapest price"),
        ("outcome", "What does a hat cost?"),
    ]


def test_step_every_must_be_positive() -> None:
    with pytest.raises(DefinitionError, match=r"^step_every is 0; give 1 or more$"):
        Reflection(step_every=0)


async def test_without_judges_and_constraints_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any) -> Any:
        raise AssertionError("a step was watched")

    monkeypatch.setattr(Reflecting, "_step", never)
    assert (await run(HAT, reflection=Reflection(outcome=content))).status == "done"
    with pytest.raises(AssertionError, match="a step was watched"):
        await run(HAT, reflection=Reflection(step=content))


def test_a_journal_from_before_the_points_can_be_read() -> None:
    row = {"kind": "reflected", "at": 1.0, "number": 1, "done": True, "reason": "", "by": "execution", "within": ""}
    event = from_json(row)
    assert isinstance(event, Reflected)
    assert (event.point, event.evidence) == ("outcome", ())
    judged = Reflected(1.0, 1, True, "r", "b", "", "step", 0.5, ("a",), "a")
    assert from_json(to_json(judged)) == judged


async def test_what_was_judged_before_a_crash_is_not_judged_again(tmp_path: Path) -> None:
    world = World()
    world.gates["b"] = asyncio.Event()
    asked: list[str] = []

    def look(situation: Situation) -> bool:
        asked.append(situation.step.step if situation.step else situation.point)
        return True

    reflection = Reflection(look, look, look, look)
    store = JournalStore(tmp_path / "runs.sqlite")
    plan = 'a = look(name="a")\nb = think(name=f"{a[:0]}b")\nanswer([a, b])'
    agent = Agent(scripted(plan), tools=world.tools(), reflection=reflection)
    task = asyncio.ensure_future(agent.run("?", journal=store, run_id="r"))
    while "start b" not in world.log:  # noqa: ASYNC110  # the world says what has begun in a plain list
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.gates.clear()
    result = await Agent(scripted(), tools=world.tools(), reflection=reflection).resume("r", store)
    store.close()
    assert (result.status, result.output) == ("done", ["a", "b"])
    assert asked == ["feasibility", "plan", "a", "b", "outcome"]


async def test_a_domain_validator_of_the_agent_refuses_plans_with_a_code() -> None:
    def no_gloves(plan: Any, certificate: Any) -> list[Diagnostic]:
        found = [step for step in plan.steps if "glove" in str(step)]
        return [Diagnostic(Code.VALIDATOR, (step.id,), "gloves are out of season.", line=step.line) for step in found]

    model = scripted(GLOVE, HAT)
    result = await Agent(model, tools=[BASIC], validators=[no_gloves]).run("?")
    assert result.output == 20.0
    assert "AK702 at line 1, cost: gloves are out of season." in model.requests[1].messages[-1].content
