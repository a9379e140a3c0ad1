"""Line-by-line decoding: what is kept of a model's lines, and what is sampled again."""

from __future__ import annotations

from llguidance import LLMatcher

from agentkit.agent import Agent
from agentkit.events import PlanLine
from agentkit.limits import Limits
from agentkit.messages import GrammarOutput, ModelProfile, ModelResponse, Usage, assistant, user
from agentkit.results import RunResult
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Toolbox, tool

PROFILE = ModelProfile(grammar=True, prefix=True, decoding="typed", repairs=False)


def drawing() -> Toolbox:
    """A tool that gives 1, 2, 3 and so on, in turn."""
    drawn = iter(range(1, 100))

    @tool(effect="read")
    def draw() -> int:
        """The next number."""
        return next(drawn)

    return Toolbox(draw)


def long(line: str) -> ModelResponse:
    """A line that took 400 tokens."""
    return ModelResponse(line, usage=Usage(output_tokens=400, model_calls=1))


async def planned(*lines: str | ModelResponse) -> tuple[RunResult, ScriptedModel]:
    """A run whose plan a model writes line by line."""
    model = ScriptedModel(list(lines), profile=PROFILE)
    return await Agent(model, tools=[drawing()], limits=Limits(replans=0, repairs=0)).run("Draw."), model


def kept(result: RunResult) -> list[str]:
    return [event.text for event in result.events if isinstance(event, PlanLine)]


async def test_a_plan_is_written_line_by_line_under_grammars_that_llguidance_accepts() -> None:
    lines = ["n = draw()", "if n > 3:", '    answer("much")', "else:", "    answer(n)"]
    result, model = await planned(*lines)
    assert (result.output, kept(result)) == (1, lines)
    assert [request.prefix for request in model.requests[:2]] == ["", "n = draw()\n"]
    for request in model.requests:
        assert isinstance(request.output, GrammarOutput)
        assert not LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(request.output.lark))


async def test_a_loop_may_call_again_what_was_called_before_it() -> None:
    lines = ["n = draw()", "count = 1", "while n < 3:", "    n = draw()", "    count = count + 1", "answer(count)"]
    result, _ = await planned(*lines)
    assert (result.output, kept(result)) == (3, lines)


async def test_a_line_that_does_again_what_was_done_is_sampled_again() -> None:
    result, model = await planned("n = draw()", "m = draw()", "n = 3", "answer(n)")
    assert (result.output, kept(result)) == (1, ["n = draw()", "answer(n)"])
    warmth = [request.settings.temperature for request in model.requests]
    assert warmth == [0.0, 0.0, 0.3, 0.6]


async def test_a_line_that_the_checker_refuses_is_sampled_again() -> None:
    result, _ = await planned("n = draw()", "answer(n.price)", "answer(n)")
    assert kept(result) == ["n = draw()", "answer(n)"]


async def test_another_name_for_a_value_is_sampled_again_unless_a_block_chooses_by_it() -> None:
    result, _ = await planned("n = draw()", "m = n", "answer(n)")
    assert kept(result) == ["n = draw()", "answer(n)"]
    lines = ["n = draw()", "m = 5", "if m > n:", "    best = m", "else:", "    best = n", "answer(best)"]
    result, _ = await planned(*lines)
    assert (result.output, kept(result)) == (5, lines)


async def test_an_answer_that_leaves_a_read_unused_is_taken_only_if_nothing_better_comes() -> None:
    better, _ = await planned("n = draw()", "answer(3)", "answer(n)")
    assert kept(better)[-1] == "answer(n)"
    nothing, _ = await planned("n = draw()", *["answer(3)"] * 4)
    assert (nothing.output, kept(nothing)[-1]) == (3, "answer(3)")


async def test_an_answer_that_no_tool_was_asked_for_is_taken_only_if_nothing_better_comes() -> None:
    better, _ = await planned("answer(3)", "n = draw()", "answer(n)")
    assert kept(better) == ["n = draw()", "answer(n)"]
    nothing, _ = await planned(*["answer(3)"] * 4)
    assert (nothing.output, kept(nothing)) == (3, ["answer(3)"])


async def test_an_answer_out_of_the_conversation_is_taken_at_once() -> None:
    model = ScriptedModel(['answer("Ada")'], profile=PROFILE)
    history = [user("I am Ada."), assistant("Hello, Ada.")]
    result = await Agent(model, tools=[drawing()]).run("What is my name?", message_history=history)
    assert (result.output, len(model.requests)) == ("Ada", 1)


async def test_a_model_that_finds_no_end_is_stopped_at_the_tokens_of_a_line_and_of_a_plan() -> None:
    result, model = await planned(long("n = draw()"), long("m = n + 1"), "answer(m)")
    assert kept(result) == ["n = draw()", "m = n + 1"]
    assert result.error.startswith("no valid plan after 1 tries")
    assert {request.settings.max_tokens for request in model.requests} == {160}


async def test_a_plan_ends_where_no_line_can_be_mended_and_the_checker_says_why() -> None:
    result, _ = await planned("n = draw()", *["answer(m)"] * 4)
    assert result.status == "failed"
    assert "AK301 at line 2, answer: nothing defines 'm'." in result.error
