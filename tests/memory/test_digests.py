"""A running summary and a graph of facts: what a model writes down of the messages that fall out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.errors import DefinitionError, ModelRefusedError
from agentkit.events import MemoryFailed, ModelCalled
from agentkit.limits import LimitReached, Limits
from agentkit.memory import ContextBuilder, Fact, Graph, KnowledgeGraph, RunningSummary, graph_of
from agentkit.messages import Message, ModelProfile, assistant, user
from agentkit.run import Run
from tests.memory.conversations import Letters, run_with


def writer(*replies: str) -> Letters:
    return Letters(replies, profile=ModelProfile(context_window=10_000, json_schema=True))


def chat(turns: int) -> tuple[Message, ...]:
    return tuple(m for n in range(turns) for m in (user(f"question {n} " + "q" * 40), assistant(f"reply {n}")))


async def test_messages_that_fall_out_are_summed_up_before_those_that_stay() -> None:
    run = run_with(window=400)
    context = await ContextBuilder(RunningSummary(writer("They greeted."))).build(chat(6), run=run)
    assert context.note == "What was said before, in short:\nThey greeted."
    assert context.messages[0] == user(context.note)
    assert (*context.overflow, *context.messages[1:]) == chat(6)
    assert context.tokens <= context.budget
    [called] = [event for event in run.events if isinstance(event, ModelCalled)]
    assert called.purpose == "summary"
    assert "question 0" in called.prompt[1]["content"]
    assert "(nothing yet)" in called.prompt[1]["content"]


async def test_the_summary_goes_on_from_where_it_was_and_not_at_every_turn() -> None:
    builder, notes = ContextBuilder(RunningSummary(writer("First.", "First and second."))), dict[str, Any]()
    await builder.build(chat(6), run=run_with(window=400), notes=notes)
    same = await builder.build(chat(6), run=run_with(window=400), notes=notes)
    assert same.note.endswith("First.")
    later = run_with(window=400)
    context = await builder.build(chat(9), run=later, notes=json.loads(json.dumps(notes)))
    assert context.note.endswith("First and second.")
    [called] = [event for event in later.events if isinstance(event, ModelCalled)]
    assert "First." in called.prompt[1]["content"]
    assert "question 0" not in called.prompt[1]["content"]


async def test_notes_of_another_conversation_are_not_used() -> None:
    builder, notes = ContextBuilder(RunningSummary(writer("First.", "Other."))), dict[str, Any]()
    await builder.build(chat(6), run=run_with(window=400), notes=notes)
    other = (user("something else " + "o" * 300), *chat(5))
    context = await builder.build(other, run=run_with(window=400), notes=notes)
    assert context.note.endswith("Other.")


async def test_a_note_is_never_longer_than_it_may_be() -> None:
    context = await ContextBuilder(RunningSummary(writer("s" * 5000), tokens=120)).build(
        chat(9), run=run_with(window=600)
    )
    assert len(context.note) <= 120
    assert context.tokens <= context.budget


async def test_if_the_model_fails_messages_fall_out_without_a_note_and_an_event_says_so() -> None:
    def refuse(*_: object) -> ModelRefusedError:
        return ModelRefusedError("no", model="m")

    run = Run(model=Letters([refuse()], profile=ModelProfile(context_window=400)))
    context = await ContextBuilder(RunningSummary()).build(chat(6), run=run)
    assert context.note == ""
    assert (*context.overflow, *context.messages) == chat(6)
    [failed] = [event for event in run.events if isinstance(event, MemoryFailed)]
    assert (failed.doing, failed.error) == ("summary of the conversation", "no")


async def test_a_model_of_its_own_is_asked_within_the_budgets_of_the_run() -> None:
    run = run_with(window=400)
    context = await ContextBuilder(RunningSummary(writer("Short."))).build(chat(6), run=run)
    assert context.note.endswith("Short.")
    assert run.meter.usage.model_calls == 1
    spent = Run(model=Letters([], profile=ModelProfile(context_window=400)), limits=Limits(model_calls=0))
    with pytest.raises(LimitReached):
        await ContextBuilder(RunningSummary()).build(chat(6), run=spent)


async def test_what_falls_out_is_read_in_portions_that_the_model_can_hold() -> None:
    model = Letters("abcde", profile=ModelProfile(context_window=500))
    history = (user("x" * 900), user("new"))
    context = await ContextBuilder(RunningSummary(model, tokens=60)).build(history, run=run_with(window=400))
    assert [len(request.messages[1].content) < 300 for request in model.requests] == [True] * 5
    assert context.note.endswith("\ne")
    assert context.overflow == history[:1]


async def test_facts_about_what_the_task_names_come_first() -> None:
    facts = [
        {"subject": "Emily Doe", "relation": "likes", "object": "red hats"},
        {"subject": "red hats", "relation": "cost", "object": "$20"},
        {"subject": "John", "relation": "lives in", "object": "Rome"},
    ]
    notes: dict[str, Any] = {}
    builder = ContextBuilder(KnowledgeGraph(writer(json.dumps({"facts": facts}))))
    context = await builder.build(chat(9), run=run_with(window=600), task="What would Emily Doe like?", notes=notes)
    assert context.note.splitlines() == [
        "What was said before, as facts, the newest first:",
        "- Emily Doe likes red hats",
        "- red hats cost $20",
        "- John lives in Rome",
    ]
    assert str(graph_of(notes)) == "Emily Doe likes red hats\nred hats cost $20\nJohn lives in Rome"
    assert graph_of(notes).entities() == {"Emily Doe", "red hats", "$20", "John", "Rome"}


def test_a_fact_that_is_known_counts_as_new_again() -> None:
    one, two = Fact("a", "is", "b"), Fact("c", "is", "d")
    assert Graph((one, two)).with_([Fact("A", "is", "b")]).facts == (two, Fact("A", "is", "b"))
    assert Graph.from_json(Graph((one, two)).to_json()) == Graph((one, two))
    assert graph_of({}) == Graph()


async def test_without_any_model_a_summary_says_what_it_needs() -> None:
    from agentkit.memory.policies import View
    from agentkit.memory.units import measured, split
    from agentkit.tokens import ESTIMATE

    units = await measured(split(chat(3)), ESTIMATE, 100)
    with pytest.raises(DefinitionError, match=r"^RunningSummary needs a model; give it one, or the agent$"):
        await RunningSummary().choose(View(units, 10, "", ESTIMATE, Run()))
