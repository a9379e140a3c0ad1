"""Requests are let in, declined, asked back or handed on before anything is planned, by each of three classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentkit import Agent, JournalStore, Policy
from agentkit.embeddings import MiniLM
from agentkit.errors import DefinitionError
from agentkit.events import Event, IntentClarified, IntentJudged, StepFinished, from_json, to_json
from agentkit.limits import Limits
from agentkit.messages import Json, Message, ModelProfile, assistant, user
from agentkit.models.catalogue import MINILM, is_pulled
from agentkit.planners.intent import DECLINE, EmbeddingIntent, ModelIntent, Rule, RuleIntent, Topic
from agentkit.planning import Example, Intent, IntentClassifier, PlanRequest, clarified, own_words
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.run import Run
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Toolbox, tool

FREE = ModelProfile(spelling="python", decoding="free", repairs=True)
DECODED = ModelProfile(spelling="python", decoding="free", grammar=True)
WHICH = "Do you mean the weather or a computer?"

Made: TypeAlias = tuple[IntentClassifier, list[str]]
"""A classifier, and what a model that it asks replies before and after the answer."""


@tool(effect="read", tags={"sky"})
async def weather(city: str = "Oslo") -> str:
    """The weather.

    Args:
        city: Where.
    """
    return "minus 5 degrees"


@tool(effect="read")
async def restart(machine: str = "mine") -> str:
    """Restart a computer.

    Args:
        machine: Which.
    """
    return "restarted"


class Words:
    """An embedder with one number for each of some words, and a small one for everything."""

    name = "words"
    known = ("freez", "cold", "weather", "screen", "laptop", "hat")
    dimension = len(known) + 1

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[0.1, *(float(word in text.lower()) for word in self.known)] for text in texts]


WEATHER = Topic(
    "weather", ("Is it cold outside?", "Is it freezing tonight?"), "the weather", Intent(True, tools=("weather",))
)
COMPUTER = Topic(
    "computer", ("My screen is black.", "It is freezing again", "Mend my laptop"), "a computer",
    Intent(True, tools=("restart",)),
)  # fmt: skip


def by_rules() -> Made:
    rules = (
        Rule.words("weather", "cold", intent=WEATHER.intent),
        Rule("screen|laptop", COMPUTER.intent),
        Rule(r"\bfreez", Intent(False, question=WHICH)),
        Rule("^world cup", Intent(False, "Not here.")),
    )
    return RuleIntent(rules, Intent(False, DECLINE)), []


def by_examples() -> Made:
    return EmbeddingIntent((WEATHER, COMPUTER), Words(), threshold=0.3), []


def by_model() -> Made:
    intent = ModelIntent("A helper.", topics=(WEATHER, COMPUTER), unclear=("It does not move.",), question=WHICH)
    return intent, ["unclear", "computer"]


class Person:
    """Answers questions, and remembers them."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def approve(self, request: ApprovalRequest) -> Decision:
        return Decision(True)

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        self.asked.append(question)
        return self.answers.pop(0)


def verdicts(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.outcome, event.label) for event in events if isinstance(event, IntentJudged)]


PLAN = 'done = restart(machine="laptop")\nanswer(done)'
KINDS = pytest.mark.parametrize("made", [by_rules, by_examples, by_model], ids=["rules", "examples", "model"])


@KINDS
async def test_freezing_is_asked_back_and_the_answer_leads_to_the_right_tools(made: Any) -> None:
    """Ambiguous: the weather, or a computer that does not respond?"""
    classifier, replies = made()
    model, person = ScriptedModel([*replies, PLAN], profile=FREE), Person("my laptop")
    result = await Agent(model, tools=[weather, restart], intent=classifier, human=person).run("Freezing")
    assert (result.status, result.output) == ("done", "restarted")
    assert person.asked == [WHICH]
    assert [outcome for outcome, _ in verdicts(result.events)] == ["ambiguous", "in_scope"]
    assert [event.answer for event in result.events if isinstance(event, IntentClarified)] == ["my laptop"]
    assert result.task == f"Freezing\n\nAsked back: {WHICH}\nAnswer: my laptop"
    prompt = model.requests[-1].messages[0].content
    assert ("restart(" in prompt, "weather(" in prompt) == (True, False)


@KINDS
async def test_freezing_ends_with_the_question_if_nobody_can_be_asked_and_the_next_message_goes_on(
    made: Any,
) -> None:
    classifier, replies = made()
    model = ScriptedModel([*replies, PLAN], profile=FREE)
    agent = Agent(model, tools=[weather, restart], intent=classifier)
    first = await agent.run("Freezing")
    assert (first.status, first.output) == ("declined", WHICH)
    assert not [event for event in first.events if event.kind == "plan_proposed"]
    second = await agent.run("it's the laptop", message_history=first.all_messages())
    assert (second.status, second.output) == ("done", "restarted")
    asked = "\n".join(message.content for message in model.requests[-1].messages)
    assert "Freezing" in asked


@KINDS
async def test_requests_that_are_clear_go_on_or_are_declined_at_once(made: Any) -> None:
    classifier, replies = made()
    model = ScriptedModel(["weather", "answer(weather())", "no"] if replies else ["answer(weather())"], profile=FREE)
    agent = Agent(model, tools=[weather, restart], intent=classifier, human=Person())
    result = await agent.run("How cold is it?")
    assert result.output == "minus 5 degrees"
    [event] = [event for event in result.events if isinstance(event, IntentJudged)]
    assert (event.outcome, event.judge, event.tools) == ("in_scope", "Agent", ("weather",))
    assert from_json(to_json(event)) == event
    declined = await agent.run("Sing a song.")
    assert (declined.status, declined.output) == ("declined", DECLINE)
    assert declined.plan is None


@pytest.mark.skipif(
    not all(map(is_pulled, MINILM.files)),
    reason="the weights are not here; fetch them with: agentkit models pull minilm",
)
async def test_freezing_is_ambiguous_to_a_real_embedder() -> None:
    topics = (
        Topic("weather", ("Will it freeze tonight?", "How cold is it outside?"), "the weather"),
        Topic("computer", ("My computer keeps freezing.", "The screen does not respond."), "a computer",
              Intent(True, tools=("restart",))),
    )  # fmt: skip
    classifier = EmbeddingIntent(topics, MiniLM(), margin=0.15)
    run = Run()
    found = [await classifier.classify(PlanRequest(task, Toolbox()), run) for task in (
        "Freezing", "How many degrees are there outside?", "My laptop screen is stuck.", "Who won the world cup?",
    )]  # fmt: skip
    assert [intent.outcome for intent in found] == ["ambiguous", "in_scope", "in_scope", "out_of_scope"]
    assert found[0].question == WHICH
    assert [intent.label for intent in found[1:3]] == ["weather", "computer"]


async def test_a_person_is_not_asked_for_ever() -> None:
    classifier, _ = by_rules()
    person = Person("freezing!", "freezing!!", "freezing!!!")
    result = await Agent(ScriptedModel([]), tools=[weather], intent=classifier, human=person).run("Freezing")
    assert (result.status, result.output) == ("declined", WHICH)
    assert len(person.asked) == 2


async def test_a_question_of_an_earlier_run_is_known_from_any_other_sentence() -> None:
    classifier, _ = by_rules()
    run = Run()

    async def outcome(*history: Message) -> str:
        return (await classifier.classify(PlanRequest("Not now.", Toolbox(), history=history), run)).outcome

    assert await outcome(user("My laptop?"), assistant("Do you mean something else?")) == "out_of_scope"
    assert await outcome(user("My laptop?"), assistant(WHICH)) == "in_scope"


async def test_the_first_rule_that_fits_decides_whatever_the_case() -> None:
    classifier, _ = by_rules()
    found = await classifier.classify(PlanRequest("WORLD CUP screen", Toolbox()), Run())
    assert (found.tools, found.by, found.why) == (("restart",), "rules", "it has 'screen|laptop'")
    found = await classifier.classify(PlanRequest("World Cup", Toolbox()), Run())
    assert (found.outcome, found.reply) == ("out_of_scope", "Not here.")


async def test_the_nearest_topic_is_named_with_its_score_and_the_others() -> None:
    classifier, _ = by_examples()
    found = await classifier.classify(PlanRequest("Is it cold?", Toolbox()), Run())
    assert (found.label, found.by, found.why) == ("weather", "examples", "weather 1.00, computer 0.01")
    assert found.score == pytest.approx(1.0)


async def test_a_topic_that_is_declined_is_not_offered_in_a_question() -> None:
    other = Topic("other", ("Is it freezing on Mars?",), intent=Intent(False, "No."))
    classifier = EmbeddingIntent((WEATHER, other), Words())
    found = await classifier.classify(PlanRequest("freezing", Toolbox()), Run())
    assert found.question == "Do you mean the weather or something else?"


async def test_two_near_topics_that_lead_to_the_same_are_not_asked_back() -> None:
    classifier = EmbeddingIntent((Topic("a", ("cold",)), Topic("b", ("cold",))), Words())
    assert (await classifier.classify(PlanRequest("cold", Toolbox()), Run())).outcome == "in_scope"


async def test_the_model_s_reply_is_constrained_to_the_words_that_it_may_say() -> None:
    classifier, _ = by_model()
    model = ScriptedModel(["computer", PLAN], profile=DECODED)
    await Agent(model, tools=[weather, restart], intent=classifier).run("My screen is black.")
    assert 'start: "weather" | "computer" | "no" | "unclear"' in repr(model.requests[0].output)
    said = [message.content for message in model.requests[0].messages]
    assert "- weather: the weather" in said[0]
    assert ["It is freezing again", "computer"] in [said[i : i + 2] for i in range(len(said))]


# routes


class Sky(Agent):
    """Knows the weather."""

    instructions = "You know the sky."
    examples = (Example("Cold?", "answer(weather())"),)


def front(*, model: ScriptedModel, other: Agent, **intent: Any) -> Agent:
    rules = (Rule("weather", Intent(True, agent="Sky", **intent)),)
    return Agent(model, tools=[restart], intent=RuleIntent(rules), agents=[other], name="front", policy=Policy())


async def test_another_agent_takes_over_within_the_same_run_and_its_budgets() -> None:
    own = ScriptedModel(["answer(weather())"], profile=FREE)
    agent = front(model=ScriptedModel([]), other=Sky(own, tools=[weather]))
    result = await agent.run("weather?", run_id="r", limits=Limits(model_calls=1))
    assert (result.output, result.run_id, result.usage.model_calls) == ("minus 5 degrees", "r", 1)
    prompt = own.requests[0].messages
    assert prompt[0].content.startswith("You know the sky.")
    assert "restart(" not in prompt[0].content
    assert prompt[1].content == "Cold?"
    stopped = await agent.run("weather?", limits=Limits(model_calls=0))
    assert stopped.status == "stopped"


async def test_an_agent_without_a_model_uses_that_of_the_one_that_was_asked() -> None:
    model = ScriptedModel(["answer(weather())"], profile=FREE)
    assert (await front(model=model, other=Sky(tools=[weather])).run("weather?")).output == "minus 5 degrees"


async def test_the_agent_that_takes_over_is_asked_what_it_makes_of_the_request() -> None:
    other = Sky(tools=[weather], intent=RuleIntent((), Intent(False, "Ask at noon.")))
    result = await front(model=ScriptedModel([]), other=other).run("weather?")
    assert (result.status, result.output) == ("declined", "Ask at noon.")
    assert [event.judge for event in result.events if isinstance(event, IntentJudged)] == ["front", "Sky"]


async def test_agents_that_hand_a_request_to_each_other_end_the_run() -> None:
    other = Sky(tools=[weather], intent=RuleIntent((), Intent(True, agent="front")))
    agent = front(model=ScriptedModel([]), other=other)
    other.agents = [agent]
    result = await agent.run("weather?")
    assert (result.status, result.error) == ("failed", "the agents hand the request round: front, Sky, front")


async def test_an_agent_that_is_not_known_is_named() -> None:
    agent = Agent(intent=RuleIntent((), Intent(True, agent="Sky")), name="front")
    with pytest.raises(DefinitionError) as caught:
        await agent.run("?")
    assert str(caught.value) == (
        "an intent leads to the agent 'Sky', and 'front' knows: none; "
        "name one of them, or give the other one in Agent(agents=[…])"
    )


async def test_the_caller_s_choice_of_tools_holds_for_the_agent_that_takes_over() -> None:
    own = ScriptedModel(['answer("no idea")', 'answer("no idea")'], profile=FREE)
    agent = front(model=ScriptedModel([]), other=Sky(own, tools=[weather]))
    await agent.run("weather?", tool_choice="none")
    await agent.run("weather?", tool_choice=["re*"])
    assert all("weather(city" not in request.messages[0].content for request in own.requests)


async def test_tags_keep_a_request_to_some_tools_and_to_the_examples_that_need_no_others() -> None:
    model = ScriptedModel(["answer(weather())"], profile=FREE)
    examples = [Example("Cold?", "answer(weather())"), Example("Stuck?", "answer(restart())")]
    intent = RuleIntent((), Intent(True, tags=("sky",)))
    agent = Agent(model, tools=[weather, restart], examples=examples, intent=intent)
    assert (await agent.run("?")).output == "minus 5 degrees"
    said = "\n".join(message.content for message in model.requests[0].messages)
    assert "Cold?" in said
    assert "restart(" not in said


async def test_a_route_to_a_tool_that_does_not_exist_is_a_mistake_of_the_definition() -> None:
    agent = Agent(tools=[weather], intent=RuleIntent((), Intent(True, tools=("wether",))))
    with pytest.raises(DefinitionError, match=r"^there is no tool 'wether' to select; did you mean 'weather'\?$"):
        await agent.run("?")


# after a crash


class _CrashError(BaseException):
    """The process ends."""


def crash_at(kind: type[Event], number: int = 1) -> Any:
    left = [number]

    def listener(event: Event) -> None:
        if isinstance(event, kind):
            left[0] -= 1
            if not left[0]:
                raise _CrashError

    return listener


class Once:
    """A classifier that asks back, then hands over; it may be asked only twice."""

    def __init__(self) -> None:
        self.verdicts = [Intent(False, question="What?"), Intent(True, agent="Sky")]

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        return self.verdicts.pop(0)


@pytest.mark.parametrize(
    ("kind", "number"), [(IntentJudged, 1), (IntentClarified, 1), (IntentJudged, 2), (StepFinished, 1)]
)
async def test_a_resumed_run_goes_by_what_was_judged_and_answered(
    kind: type[Event], number: int, tmp_path: Path
) -> None:
    store, person = JournalStore(tmp_path / "runs.sqlite"), Person("the sky")
    plan = 'sky = weather()\nagain = weather(city="Rome")\nanswer([sky, again])'
    other = Sky(ScriptedModel([plan], profile=FREE), tools=[weather])
    agent = Agent(tools=[restart], intent=Once(), agents=[other], human=person)
    with pytest.raises(_CrashError):
        await agent.run("Well?", journal=store, run_id="r", listeners=[crash_at(kind, number)])
    result = await agent.resume("r", store)
    assert result.output == ["minus 5 degrees", "minus 5 degrees"]
    assert person.asked == ["What?"]
    assert own_words(result.task) == ["Well?", "the sky"]
    store.close()


# definitions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rule("(", Intent(True)),
         r"the rule '\(' is not a regular expression: .*; mend it, or use Rule\.words\(…\)"),
        (lambda: EmbeddingIntent((Topic("a"),), Words()),
         "the topic 'a' has no examples; EmbeddingIntent compares requests with them"),
        (lambda: ModelIntent("x", topics=(Topic("a"), Topic("A"))), "two topics are named 'a'; rename one of them"),
        (lambda: ModelIntent("x", topics=(Topic("no"),)),
         "a topic cannot be named 'no', which is an answer by itself; rename it"),
        (lambda: ModelIntent("x", ("y",), topics=(Topic("a"),)),
         "in_scope and topics exclude each other: give each topic its examples"),
        (lambda: ModelIntent("x", unclear=("y",)), r"unclear requests need a question: ModelIntent\(question='…'\)"),
    ],
)  # fmt: skip
def test_a_wrong_definition_says_what_to_do(make: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=f"^{message}$"):
        make()


def test_what_was_asked_back_is_told_apart_from_what_the_person_said() -> None:
    task = clarified(clarified("Freezing", "Which\none?", "my laptop"), "Old?", "yes")
    assert task == "Freezing\n\nAsked back: Which one?\nAnswer: my laptop\n\nAsked back: Old?\nAnswer: yes"
    assert own_words(task) == ["Freezing", "my laptop", "yes"]
    assert own_words("plain") == ["plain"]
