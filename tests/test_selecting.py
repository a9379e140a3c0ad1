"""Tools are selected for a task, and more are added when a plan needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, JournalStore, Policy, RunResult
from agentkit.events import Event, PlanChecked, StepFinished, StepStarted, ToolsSelected, from_json, to_json
from agentkit.limits import Limits
from agentkit.messages import ModelProfile
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planning import Example, Picked, PlanningEnded, PlanRequest, Proposal
from agentkit.run import Run
from agentkit.spelling import read_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Tool, tool
from agentkit.tools.selection import ToolRetrieval

FREE = ModelProfile(spelling="python", decoding="free", repairs=True, json_schema=True)
DECODED = ModelProfile(spelling="python", decoding="grammar", grammar=True)


@tool(effect="read")
async def weather_forecast(city: str) -> str:
    """The weather of the coming days.

    Args:
        city: Where.
    """
    return f"sun in {city}"


@tool(effect="read")
async def weather_alerts(city: str) -> str:
    """Warnings of storms.

    Args:
        city: Where.
    """
    return f"no storm in {city}"


@tool(effect="write")
async def mail_send(to: str, text: str) -> str:
    """Write a letter to somebody.

    Args:
        to: Whom.
        text: What.
    """
    return f"sent to {to}"


@tool(effect="read")
async def mail_search(text: str) -> str:
    """Look for letters.

    Args:
        text: A part of the letter.
    """
    return "none"


def filler(number: int) -> Tool:
    return weather_forecast.replace(name=f"filler_{number}", description=f"Machine {number} of the factory.")


TOOLS: list[Tool] = [
    weather_forecast,
    weather_alerts,
    mail_send,
    mail_search,
    *(filler(number) for number in range(20)),
]
FORECAST = 'sky = weather_forecast(city="Oslo")\nanswer(sky)'
BOTH = 'sky = weather_forecast(city="Oslo")\nmail_send(to="Ann", text=sky)\nanswer(sky)'
TASK = "What is the weather forecast for Oslo?"


def scripted(*replies: Any, profile: ModelProfile = FREE) -> ScriptedModel:
    return ScriptedModel(list(replies), profile=profile)


def selections(events: Sequence[Event]) -> list[tuple[int, list[str], str]]:
    return [
        (event.number, [row["tool"] for row in event.tools], event.reason)
        for event in events
        if isinstance(event, ToolsSelected)
    ]


def checks(events: Sequence[Event]) -> list[tuple[int, bool]]:
    return [(event.number, event.accepted) for event in events if isinstance(event, PlanChecked)]


async def run(model: ScriptedModel, task: str = TASK, k: int = 1, **options: Any) -> RunResult:
    settings = {"tools": TOOLS, "selector": ToolRetrieval(k=k, neighbours=1), "policy": Policy(writes="auto")}
    return await Agent(model, **{**settings, **options}).run(task)


async def test_a_planner_is_told_of_the_selected_tools_alone_and_an_event_says_why() -> None:
    model = scripted(FORECAST)
    result = await run(model)
    assert result.output == "sun in Oslo"
    prompt = model.requests[0].messages[0].content
    assert "weather_forecast(" in prompt
    assert "mail_send(" not in prompt
    [event] = [event for event in result.events if isinstance(event, ToolsSelected)]
    assert event.out_of == len(TOOLS)
    assert [(row["tool"], row["why"]) for row in event.tools] == [("weather_forecast", "words 1")]
    assert event.tools[0]["score"] > 0
    assert from_json(to_json(event)) == event


async def test_the_grammar_of_a_plan_has_the_selected_tools_alone() -> None:
    model = scripted(FORECAST, profile=DECODED)
    await run(model)
    [asked] = model.requests
    assert "weather_forecast" in repr(asked.output)
    assert "mail_send" not in repr(asked.output)


async def test_a_plan_that_calls_a_tool_that_was_not_selected_runs_without_another_model_call() -> None:
    model = scripted(BOTH)
    result = await run(model)
    assert result.output == "sun in Oslo"
    assert result.usage.model_calls == 1
    assert selections(result.events) == [
        (0, ["weather_forecast"], ""),
        (1, ["mail_send"], "the plan calls 'mail_send', not among them"),
    ]
    assert checks(result.events) == [(1, False), (1, True)]


async def test_a_repair_is_told_of_the_tool_that_was_missing_and_of_its_neighbours() -> None:
    model = scripted('mail_send(whom="Ann")\nanswer("ok")', BOTH)
    result = await run(model, selector=ToolRetrieval(k=1, neighbours=2))
    assert result.output == "sun in Oslo"
    assert "mail_send(" not in model.requests[0].messages[0].content
    assert "mail_send(" in model.requests[1].messages[0].content
    assert "mail_search(" in model.requests[1].messages[0].content
    complaint = model.requests[1].messages[-1].content
    assert "'mail_send' needs the argument 'to'" in complaint
    assert "there is no tool" not in complaint


async def test_a_streamed_plan_that_was_stopped_at_a_missing_tool_is_written_to_its_end() -> None:
    model = scripted(BOTH, BOTH)
    result = await run(model, planner=PlanAndExecute(stream=True))
    assert result.output == "sun in Oslo"
    assert result.usage.model_calls == 2
    assert [event.step for event in result.events if isinstance(event, StepStarted) and event.action == "mail_send"]
    assert "mail_send(" in model.requests[-1].messages[0].content
    said = "\n".join(message.content for message in model.requests[-1].messages)
    assert "there is no tool 'mail_send'. The tools are now: weather_forecast, mail_send." in said


async def test_a_tool_that_does_not_exist_brings_those_that_it_sounds_like() -> None:
    model = scripted('write_letter(name="Ann")\nanswer("ok")', BOTH)
    result = await run(model)
    assert result.output == "sun in Oslo"
    assert selections(result.events)[1] == (1, ["mail_send"], "the plan calls 'write_letter', not among them")


async def test_widening_is_bounded() -> None:
    model = scripted(*(f'filler_{number}(town="x")\nanswer(1)' for number in range(8)))
    result = await run(model, limits=Limits(repairs=7))
    assert result.status == "failed"
    assert len(selections(result.events)) == 1 + 3


class GivesUp:
    """A planner that gives up unless it may send mail."""

    def __init__(self, *, loudly: bool) -> None:
        self.loudly = loudly
        self.seen: list[int] = []

    async def propose(self, request: PlanRequest, run: Run) -> Proposal | None:
        self.seen.append(len(request.toolbox))
        if "mail_send" in request.toolbox:
            return Proposal(read_python('sent = mail_send(to="Ann", text="x")\nanswer(sent)', request.toolbox))
        if self.loudly:
            raise PlanningEnded("nothing here sends mail")
        return None


class Two:
    """A selector that knows the weather first, and everything when asked again."""

    async def select(self, request: PlanRequest, run: Run) -> list[Picked]:
        return [Picked("weather_forecast"), Picked("no_such_tool")]

    async def widen(self, wanted: Sequence[str], request: PlanRequest, run: Run) -> list[Picked]:
        return [Picked(name) for name in request.toolbox]


@pytest.mark.parametrize("loudly", [False, True])
async def test_a_planner_that_gives_up_is_asked_again_with_more_tools(loudly: bool) -> None:
    planner = GivesUp(loudly=loudly)
    result = await run(scripted(), planner=planner, selector=Two())
    assert result.output == "sent to Ann"
    assert planner.seen == [1, len(TOOLS)]
    assert selections(result.events)[1][2] == "the planner found no way with the tools selected"


async def test_a_planner_that_gives_up_with_every_tool_is_not_asked_for_ever() -> None:
    planner = GivesUp(loudly=True)
    result = await run(scripted(), planner=planner, tools=[weather_forecast], selector=Two())
    assert (result.status, result.error) == ("stopped", "stopped: nothing here sends mail")
    assert planner.seen == [1]


async def test_policy_holds_for_tools_that_are_added_later_and_keeps_forbidden_ones_from_being_selected() -> None:
    model = scripted(BOTH, FORECAST)
    result = await run(model, task="weather forecast, and send mail", k=5, policy=Policy(writes="never"))
    assert "mail_send" not in selections(result.events)[0][1]
    assert "the policy forbids calling 'mail_send'" in model.requests[1].messages[-1].content
    assert result.output == "sun in Oslo"


async def test_tools_are_selected_among_those_that_the_run_may_call() -> None:
    agent = Agent(scripted(BOTH, FORECAST), tools=TOOLS, selector=ToolRetrieval(k=2), policy=Policy(writes="auto"))
    result = await agent.run(TASK, tool_choice=["weather_*"])
    assert result.output == "sun in Oslo"
    assert [event.out_of for event in result.events if isinstance(event, ToolsSelected)] == [2]
    result = await Agent(scripted('answer("hm")'), tools=TOOLS, selector=ToolRetrieval()).run("?", tool_choice="none")
    assert not selections(result.events)


async def test_tools_that_are_always_wanted_or_called_by_examples_are_there() -> None:
    examples = [Example("Any storms?", 'answer(weather_alerts(city="Rome"))')]
    result = await run(scripted(FORECAST), selector=ToolRetrieval(k=1, always=["mail_s*"]), examples=examples)
    [(_, names, _)] = selections(result.events)
    assert names == ["weather_forecast", "mail_send", "mail_search", "weather_alerts"]


async def test_tools_are_selected_anew_for_each_subgoal() -> None:
    plan = 'letters = subgoal("look for letters from Ann")\nanswer(letters)'
    model = scripted(plan, 'found = mail_search(text="Ann")\nanswer(found)')
    result = await run(model)
    assert result.output == "none"
    events = [event for event in result.events if isinstance(event, ToolsSelected)]
    assert [(event.within, [row["tool"] for row in event.tools]) for event in events] == [
        ("", ["weather_forecast"]),
        ("letters/", ["mail_search"]),
    ]


async def test_a_plan_can_be_checked_without_running_it() -> None:
    agent = Agent(scripted(BOTH), tools=TOOLS, selector=ToolRetrieval(k=1), policy=Policy(writes="auto"))
    assert (await agent.plan(TASK)).ok


class _CrashError(BaseException):
    """The process ends."""


class Counting(ToolRetrieval):
    """A selector that counts."""

    asked = 0

    async def select(self, request: PlanRequest, run: Run) -> list[Picked]:
        self.asked += 1
        return await super().select(request, run)


async def test_a_resumed_run_has_the_tools_that_it_had(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "runs.sqlite")
    selector = Counting(k=1, neighbours=1)
    plan = 'sky = weather_forecast(city="Oslo")\nrain = weather_alerts(city="Oslo")\nanswer([sky, rain])'
    agent = Agent(scripted(plan), tools=TOOLS, selector=selector)

    def crash(event: Event) -> None:
        if isinstance(event, StepFinished) and event.step == "sky":
            raise _CrashError

    with pytest.raises(_CrashError):
        await agent.run(TASK, journal=store, run_id="r", listeners=[crash])
    with pytest.raises(_CrashError):
        await agent.resume("r", store, listeners=[crash])
    result = await agent.resume("r", store)
    assert result.output == ["sun in Oslo", "no storm in Oslo"]
    assert selector.asked == 1
    expected = [
        (0, ["weather_forecast"], ""),
        (1, ["weather_alerts"], "the plan calls 'weather_alerts', not among them"),
    ]
    assert selections(result.events) == expected
    assert checks(result.events) == [(1, False), (1, True)]
    store.close()
