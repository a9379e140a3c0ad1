"""ReAct: thought, action, observation, until the answer; in text and with native tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.events import ModelCalled, PlanChecked, PlanProposed, StepStarted
from agentkit.limits import Limits
from agentkit.messages import GrammarOutput, ModelProfile, ModelResponse, ToolCall
from agentkit.planners.primer import REACT_PRIMER
from agentkit.planners.react import ReAct
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from agentkit.toolbox import tool
from tests.line_grammars import admits
from tests.plans import BASIC

TEXT = ModelProfile()
NATIVE = ModelProfile(tools=True)

PAGES = {
    "Colorado orogeny": "The eastern sector extends into the High Plains and is called the Central Plains orogeny.",
    "High Plains": "The High Plains rise in elevation from around 1,800 to 7,000 ft.",
}


@tool(effect="read")
async def search(entity: str) -> str:
    """The first sentences about something, or nothing if there is no page.

    Args:
        entity: Its name.
    """
    return PAGES.get(entity, "")


@tool(effect="read")
async def flip() -> str:
    """Flip a coin."""
    return "heads"


def agent(model: ScriptedModel, **options: Any) -> Agent:
    return Agent(model, tools=[BASIC, search, flip], planner=ReAct(**options))


def text(*replies: str) -> ScriptedModel:
    return ScriptedModel(replies, profile=TEXT)


def native(*replies: str | ModelResponse) -> ScriptedModel:
    return ScriptedModel(replies, profile=NATIVE)


def calls(*made: tuple[str, dict[str, Any]], thought: str = "") -> ModelResponse:
    return ModelResponse(
        thought, tuple(ToolCall(f"c{i}", name, args) for i, (name, args) in enumerate(made)), "tool_calls"
    )


def proposed(result: RunResult) -> list[PlanProposed]:
    return [event for event in result.events if isinstance(event, PlanProposed)]


def called(result: RunResult) -> list[tuple[str, object]]:
    return [(event.action, event.args) for event in result.events if isinstance(event, StepStarted)]


def said_last(model: ScriptedModel) -> str:
    return model.requests[-1].messages[-1].content


async def test_a_question_over_two_pages_is_answered_hop_by_hop() -> None:
    """HotpotQA-style: the second search is for what the first one found (Yao et al. 2022, figure 1)."""
    model = text(
        "Thought: I need the area that the eastern sector extends into.\n"
        'Action: orogeny = search(entity="Colorado orogeny")',
        'Thought: It is the High Plains; I need their elevation.\nAction: plains = search(entity="High Plains")',
        'Thought: They rise from 1,800 to 7,000 ft.\nAction: answer("1,800 to 7,000 ft")',
    )
    result = await agent(model).run("What is the elevation range of the area into which the Colorado orogeny extends?")
    assert (result.status, result.output) == ("done", "1,800 to 7,000 ft")
    assert called(result) == [("search", {"entity": "Colorado orogeny"}), ("search", {"entity": "High Plains"})]
    assert "Central Plains orogeny" in model.requests[1].messages[-1].content
    assert said_last(model) == f'Observation: plains = "{PAGES["High Plains"]}"'
    plans = proposed(result)
    assert [event.final for event in plans] == [False, False, True]
    assert plans[0].source.startswith("Thought: I need the area")
    assert plans[1].notes["thought"] == "It is the High Plains; I need their elevation."


async def test_a_small_model_writes_a_thought_and_a_call_or_the_answer_under_a_grammar() -> None:
    profile = ModelProfile(grammar=True, decoding="typed")
    model = ScriptedModel(
        [
            'Thought: First the page.\nAction: orogeny = search(entity="Colorado orogeny")',
            'Thought: That is it.\nAction: answer("High Plains")',
        ],
        profile=profile,
    )
    result = await agent(model).run("Where does the eastern sector of the Colorado orogeny extend into?")
    assert (result.status, result.output) == ("done", "High Plains")
    first, second = (request.output for request in model.requests)
    assert isinstance(first, GrammarOutput)
    assert isinstance(second, GrammarOutput)
    again = "Thought: Further.\nAction: plains = search(entity=orogeny)"
    assert (admits(first.lark, again), admits(second.lark, again)) == (False, True)
    for turn in (
        'plains = search(entity="High Plains")',  # no thought
        "Thought: By heart.\nAction: height = 1800 + 7000",  # nothing is called
        "Thought: On the web.\nAction: page = browse(entity=orogeny)",  # no such tool
    ):
        assert not admits(second.lark, turn)


@pytest.mark.parametrize(("profile", "shown"), [(ModelProfile(primer=True), True), (ModelProfile(), False)])
async def test_a_worked_task_is_shown_where_the_profile_asks_for_it(profile: ModelProfile, shown: bool) -> None:
    model = ScriptedModel(['Thought: I know.\nAction: answer("yes")'], profile=profile)
    await agent(model).run("Is it?")
    assert (REACT_PRIMER in model.requests[0].messages[0].content) == shown


async def test_the_conversation_only_grows_so_that_prompt_caches_hit() -> None:
    model = text(*(f"Action: x{i} = double(number={i})" for i in range(5)), "Action: answer(x4)")
    await agent(model).run("?")
    for earlier, later in zip(model.requests, model.requests[1:], strict=False):
        assert later.messages[: len(earlier.messages)] == earlier.messages
        assert len(later.messages) == len(earlier.messages) + 2
    assert model.requests[0].messages[0].cache


async def test_a_later_action_may_use_earlier_results_by_name() -> None:
    model = text("Action: top = top_products(count=2)", "Action: answer([price_of(name=p.name) for p in top])")
    assert (await agent(model).run("?")).output == [20.0, 15.5]


@pytest.mark.parametrize(
    ("reply", "output"),
    [
        ("Thought: easy\nAction: Finish[twelve]", "twelve"),
        ("Thought: easy\nanswer(12)", 12),
        ("```python\nanswer(12)\n```", 12),
        ("Action 1: answer(12)\nObservation: I make this up\nAction 2: answer(13)", 12),
        ("Action: 6 * 2", 12),
    ],
)
async def test_what_models_write_besides_the_format_is_understood(reply: str, output: object) -> None:
    assert (await agent(text(reply)).run("?")).output == output


async def test_a_refused_action_is_an_observation_with_the_diagnostics() -> None:
    model = text('Action: x = bing_search(q="hat")', 'Action: x = price_of(name="hat")', "Action: answer(x)")
    result = await agent(model).run("?")
    assert result.output == 20.0
    assert "Nothing was run. The action was refused:\n- AK201" in model.requests[1].messages[-1].content
    assert called(result) == [("price_of", {"name": "hat"})]


async def test_a_failed_action_is_an_observation_and_no_replan() -> None:
    model = text('Action: x = price_of(name="sombrero")', 'Action: x = price_of(name="hat")', "Action: answer(x)")
    result = await agent(model).run("?", limits=Limits(replans=0))
    assert result.output == 20.0
    assert "It failed: 'x' failed: LookupError: no product 'sombrero'" in model.requests[1].messages[-1].content


async def test_turns_are_bounded() -> None:
    model = text(*(f"Action: x{i} = double(number={i})" for i in range(9)))
    result = await agent(model).run("?", limits=Limits(turns=3))
    assert result.error == "stopped: the limit turns=3 is used up; done so far: x0, x1, x2"


async def test_a_value_that_is_too_long_is_shown_by_its_beginning_and_type() -> None:
    model = text("Action: top = top_products()", "Action: answer(len(top))")
    result = await agent(model, longest=20).run("?")
    assert result.output == 3
    assert said_last(model).startswith(
        'Observation: top = [{"name": "hat", "pr… (135 characters of list[{name: string, price: number, '
    )


async def test_the_same_call_with_the_same_result_is_pointed_out_and_then_stopped() -> None:
    model = text(*["Action: side = flip()"] * 9)
    result = await agent(model).run("?")
    notice = (
        'Observation: side_2 = "heads"\nThis is what you did in turn 1, with the same result. Doing it again changes '
        "nothing: call something else, change the arguments, or answer."
    )
    assert model.requests[2].messages[-1].content == notice
    assert result.status == "stopped"
    assert result.error == (
        "stopped: the model repeated earlier turns 3 times in a row, with the same results; the last time it was: "
        "side = flip(); done so far: side, side_2, side_3, side_4"
    )


async def test_going_round_between_two_calls_is_noticed_too() -> None:
    model = text(*["Action: a = flip()", "Action: b = double(number=1)"] * 9)
    result = await agent(model, patience=1).run("?")
    assert "repeated earlier turns 2 times in a row" in result.error


async def test_a_new_call_after_a_repetition_is_forgiven() -> None:
    turns = ["flip()", "flip()", "double(number=1)", "flip()", "double(number=2)"]
    model = text(*(f"Action: a = {turn}" for turn in turns), 'Action: answer("ok")')
    assert (await agent(model, patience=1).run("?")).output == "ok"


# native tool calls


async def test_function_calling_shows_the_arguments_of_each_call() -> None:
    """The model's native calls are plans: checked, run, and each with its arguments in the events."""
    model = native(
        calls(("price_of", {"name": "hat"}), ("price_of", {"name": "scarf"}), thought="Both prices."),
        "The hat costs $20, the scarf $15.50.",
    )
    result = await agent(model).run("What do hat and scarf cost?")
    assert result.output == "The hat costs $20, the scarf $15.50."
    assert sorted(map(str, called(result))) == ["('price_of', {'name': 'hat'})", "('price_of', {'name': 'scarf'})"]
    [first, _] = [event for event in result.events if isinstance(event, ModelCalled)]
    assert first.tool_calls[1] == {"name": "price_of", "args": {"name": "scarf"}}
    assert proposed(result)[0].source == (
        '# Both prices.\nprice_of_1 = price_of(name="hat")\nprice_of_2 = price_of(name="scarf")\n'
    )
    offered = {schema.name: schema for schema in model.requests[0].tools}
    assert set(offered) == {*BASIC, "search", "flip"}
    assert offered["price_of"].input_schema["required"] == ["name"]
    made, *results = model.requests[1].messages[-3:]
    assert [(one.name, one.args) for one in made.tool_calls] == [
        ("price_of", {"name": "hat"}),
        ("price_of", {"name": "scarf"}),
    ]
    assert [(one.tool_call_id, one.content) for one in results] == [("price_of_1", "20.0"), ("price_of_2", "15.5")]


async def test_without_native_tool_calling_the_same_question_is_answered_in_text() -> None:
    model = text('Thought: Both.\nAction: answer([price_of(name="hat"), price_of(name="scarf")])')
    assert (await agent(model).run("?")).output == [20.0, 15.5]
    assert model.requests[0].tools == ()


async def test_a_native_call_that_the_checker_refuses_is_answered_with_the_reason() -> None:
    model = native(calls(("price_off", {"name": "hat"})), calls(("price_of", {"name": "hat"})), "20")
    result = await agent(model).run("?")
    assert result.output == "20"
    refusal = model.requests[1].messages[-1]
    assert (refusal.role, refusal.tool_call_id) == ("tool", "price_off_1")
    assert "there is no tool 'price_off'" in refusal.content


async def test_texts_of_native_arguments_are_data_and_never_expressions() -> None:
    model = native(calls(("search", {"entity": "${answer}"})), "done")
    result = await agent(model).run("?")
    assert called(result) == [("search", {"entity": "${answer}"})]


async def test_a_task_with_inputs_is_done_in_text_where_they_have_names() -> None:
    model = native("Action: answer(price_of(name=product))")
    assert (await agent(model).run("?", inputs={"product": "hat"})).output == 20.0


# tool choice, for every planner


async def test_required_asks_the_api_for_a_call_until_there_was_one() -> None:
    model = native(calls(("flip", {})), "heads")
    assert (await agent(model).run("?", tool_choice="required")).output == "heads"
    assert [request.tool_choice for request in model.requests] == ["required", "auto"]


async def test_required_refuses_an_answer_without_any_call() -> None:
    model = text("Action: answer('heads')", "Action: side = flip()", "Action: answer(side)")
    result = await agent(model).run("?", tool_choice="required")
    assert result.output == "heads"
    [refused] = [event for event in result.events if isinstance(event, PlanChecked) and not event.accepted]
    assert refused.diagnostics == (
        (
            "AK702 at plan: the plan calls no tool, and this request requires a call. "
            "Get the answer from at least one of the tools."
        ),
    )


@pytest.mark.parametrize(("choice", "tools"), [("none", []), ("fl*", ["flip"]), (["flip", "d*"], ["double", "flip"])])
async def test_a_run_may_have_no_tools_or_some(choice: str | Sequence[str], tools: list[str]) -> None:
    model = native("hello")
    await agent(model).run("?", tool_choice=choice)
    assert [schema.name for schema in model.requests[0].tools] == tools


async def test_a_tool_to_choose_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"there is no tool 'flap' to select; did you mean 'flip'?"):
        await agent(native()).run("?", tool_choice=["flap"])


async def test_it_needs_a_model_and_sensible_settings() -> None:
    with pytest.raises(DefinitionError, match=r"ReAct needs a model; give the agent one, e.g. model='openai:gpt-5'"):
        await Agent(tools=[BASIC], planner=ReAct()).run("?")
    with pytest.raises(DefinitionError, match=r"patience is -1 and longest is 4000"):
        ReAct(patience=-1)


async def test_it_plans_subgoals_too_and_sees_what_its_steps_gave() -> None:
    model = text(
        'Action: cheap = subgoal("the cheapest price", schema={"type": "number"})',
        'Action: p = price_of(name="glove")',
        "Action: answer(p)",
        "Action: answer(cheap * 2)",
    )
    assert (await agent(model).run("?")).output == 18.0
    assert model.requests[2].messages[-1].content == "Observation: p = 9.0"
