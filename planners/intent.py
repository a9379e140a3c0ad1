"""Is this request the agent's business, and whose exactly? Asked before anything is planned.

`RuleIntent` looks for words, `EmbeddingIntent` for the nearest examples, `ModelIntent` asks the run's model for a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, zip_longest
from math import sqrt

from agentkit.errors import DefinitionError, ModelOutputError
from agentkit.messages import GrammarOutput, Message, ModelRequest, ModelSettings, assistant, system, user
from agentkit.planning import Intent, PlanRequest, clarified, own_words
from agentkit.protocols import Embedder
from agentkit.run import Run

DECLINE = "I can't help with that; it is not something I have tools for."

SOMETHING_ELSE = "something else"

_IN_SCOPE, _DECLINED = Intent(True), Intent(False, DECLINE)


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of request, known by examples.

    Attributes:
        name: One word, for events and for models.
        examples: Requests of this kind.
        means: The kind as a question names it, e.g. ``the weather``; the name by default.
        intent: What a request of this kind leads to: by default it is planned with all tools.
    """

    name: str
    examples: tuple[str, ...] = ()
    means: str = ""
    intent: Intent = _IN_SCOPE

    def __str__(self) -> str:
        return self.means or self.name

    def found(self, by: str, score: float | None = None, why: str = "") -> Intent:
        """The intent of a request of this kind."""
        return replace(self.intent, label=self.name, by=by, score=score, why=why)


# rules


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests with something in them, and what they lead to.

    Attributes:
        pattern: A regular expression that is looked for anywhere in the request, whatever its case.
        intent: What such a request leads to.
    """

    pattern: str
    intent: Intent

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise DefinitionError(
                f"the rule {self.pattern!r} is not a regular expression: {error}; mend it, or use Rule.words(…)"
            ) from None

    @classmethod
    def words(cls, *words: str, intent: Intent) -> Rule:
        """A rule that looks for any of these words or phrases, whole."""
        return cls(rf"\b(?:{'|'.join(re.escape(word) for word in words)})\b", intent)


@dataclass(frozen=True, slots=True)
class RuleIntent:
    """Looks for words and patterns; the first rule that fits decides.

    Rules for what is clear come before those that ask back, since an answer is added to the request and judged again
    with it.

    Attributes:
        rules: In their order.
        otherwise: What a request leads to that no rule fits.
    """

    rules: tuple[Rule, ...]
    otherwise: Intent = _IN_SCOPE

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        """The intent of the first rule that fits the person's words."""
        questions = [intent.question for intent in (self.otherwise, *(rule.intent for rule in self.rules))]
        text = "\n".join(own_words(continued(request, questions)))
        for rule in self.rules:
            if re.search(rule.pattern, text, re.IGNORECASE):
                return replace(rule.intent, by="rules", why=f"it has {rule.pattern!r}")
        return replace(self.otherwise, by="rules", why="no rule fits")


# examples


@dataclass(frozen=True, slots=True)
class EmbeddingIntent:
    """Looks for the nearest examples. No model is called but the embedder's.

    A topic is as near as its nearest example, in cosine. A request that is near to none leads to `otherwise`; one that
    is about as near to two topics which lead to different things is asked back.

    Attributes:
        topics: The kinds of requests, those that are to be declined included.
        embedder: Makes the vectors, for instance `agentkit.embeddings.MiniLM`.
        threshold: Cosine from which on a topic counts as near.
        margin: How much nearer the nearest topic must be than the next one.
        otherwise: What a request leads to that is near to none.
    """

    topics: tuple[Topic, ...]
    embedder: Embedder
    threshold: float = 0.35
    margin: float = 0.05
    otherwise: Intent = _DECLINED
    _vectors: dict[str, list[float]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        _different_names(self.topics)
        bare = [topic.name for topic in self.topics if not topic.examples]
        if bare:
            raise DefinitionError(f"the topic {bare[0]!r} has no examples; EmbeddingIntent compares requests with them")

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        """The intent of the nearest topic.

        Raises:
            ModelError: The embedder failed for good.
        """
        questions = [_which(one, other) for one, other in combinations(self.topics, 2)]
        near = await self._nearness_of(own_words(continued(request, questions)))
        ranked = sorted(self.topics, key=lambda topic: -near[topic.name])
        if not ranked or near[ranked[0].name] < self.threshold:
            score = near[ranked[0].name] if ranked else 0.0
            return replace(self.otherwise, by="examples", score=score, why="near to no topic")
        first = ranked[0]
        score, why = near[first.name], ", ".join(f"{topic.name} {near[topic.name]:.2f}" for topic in ranked[:3])
        for other in ranked[1:]:
            if other.intent != first.intent and near[other.name] > max(score - self.margin, self.threshold):
                one, two = sorted((first, other), key=self.topics.index)
                return Intent(False, question=_which(one, two), by="examples", score=score, why=why)
        return first.found("examples", score, why)

    async def _nearness_of(self, said: list[str]) -> dict[str, float]:
        """That of a request; an answer to a question counts by itself as much as all that was said together."""
        near = await self.nearness("\n".join(said))
        if len(said) == 1:
            return near
        answer = await self.nearness(said[-1])
        return {name: (near[name] + answer[name]) / 2 for name in near}

    async def nearness(self, text: str) -> dict[str, float]:
        """The cosine of a text with the nearest example of each topic, by the topic's name."""
        examples = [example for topic in self.topics for example in topic.examples]
        missing = [example for example in dict.fromkeys(examples) if example not in self._vectors]
        [asked, *vectors] = await self.embedder.embed([text, *missing])
        self._vectors.update(zip(missing, vectors, strict=True))
        return {
            topic.name: max(_cosine(asked, self._vectors[example]) for example in topic.examples)
            for topic in self.topics
        }


def _which(one: Topic, other: Topic) -> str:
    """The question that tells two topics apart; one that is declined is not offered by its name."""
    means = [str(topic) for topic in (one, other) if topic.intent.outcome != "out_of_scope"]
    return f"Do you mean {' or '.join([*means, SOMETHING_ELSE][:2])}?"


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (sqrt(sum(a * a for a in one)) * sqrt(sum(b * b for b in other)) or 1.0)


# the model


@dataclass(frozen=True, slots=True)
class ModelIntent:
    """Asks the run's model for one word: ``yes`` (in scope) or ``no``; a topic's name where there are topics.

    Attributes:
        scope: What the agent is for, in a sentence or two.
        in_scope: Requests that are the agent's.
        out_of_scope: Requests that are not.
        reply: The stock answer to a request that is declined.
        unclear: Requests that could mean several things.
        question: What to ask back when the model says ``unclear``; with topics it has a default. Without a question
            the model is not offered that word.
        topics: Kinds of requests that lead to different things; in scope are then those that have a topic.
    """

    scope: str
    in_scope: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    reply: str = DECLINE
    unclear: tuple[str, ...] = ()
    question: str = ""
    topics: tuple[Topic, ...] = ()

    def __post_init__(self) -> None:
        _different_names(self.topics)
        if self.topics and self.in_scope:
            raise DefinitionError("in_scope and topics exclude each other: give each topic its examples")
        if self.unclear and not self._question():
            raise DefinitionError("unclear requests need a question: ModelIntent(question='…')")

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        """One word of the model, constrained where its engine can.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
        """
        if run.model is None:
            raise DefinitionError("ModelIntent needs a model; give the agent one")
        profile = run.model.model.profile
        words = self._words()
        output = GrammarOutput("start: " + " | ".join(f'"{word}"' for word in words)) if profile.grammar else None
        settings = ModelSettings(temperature=0.0, max_tokens=12 if self.topics else 4).for_profile(profile)
        messages = (*self._prefix(), user(continued(request, [self._question()])))
        asked = ModelRequest(messages, output=output, settings=settings)
        word = await run.model.parsed(asked, lambda text: _word(text, words), purpose="intent")
        if word == "no":
            return Intent(False, self.reply, by="model")
        if word == "unclear":
            return Intent(False, question=self._question(), by="model")
        topics = {topic.name.lower(): topic for topic in self.topics}
        return topics[word].found("model") if word in topics else Intent(True, by="model")

    def _words(self) -> list[str]:
        said = [topic.name.lower() for topic in self.topics] or ["yes"]
        return [*said, "no", *(["unclear"] if self._question() else [])]

    def _question(self) -> str:
        if self.question or not self.topics:
            return self.question
        means = [str(topic) for topic in self.topics if topic.intent.outcome != "out_of_scope"]
        return f"Do you mean {', '.join(means)} or {SOMETHING_ELSE}?"

    def _prefix(self) -> Iterable[Message]:
        yield system("\n".join([self.scope, *self._ask()]))
        groups = [[(text, topic.name.lower()) for text in topic.examples] for topic in self.topics]
        groups += [[(text, "yes") for text in self.in_scope], [(text, "no") for text in self.out_of_scope]]
        groups += [[(text, "unclear") for text in self.unclear]]
        for text, label in _in_turn(groups):
            yield user(text)
            yield assistant(label)

    def _ask(self) -> list[str]:
        unclear = ", or unclear if it could mean several things" if self._question() else ""
        if not self.topics:
            return [f"Can this assistant help with the request? Answer yes or no{unclear}."]
        kinds = [f"- {topic.name.lower()}: {topic}" for topic in self.topics]
        return ["What is the request about?", *kinds, f"Answer with one of these words, or no for none{unclear}."]


def _in_turn(groups: Iterable[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Examples of all labels in turn at the end, so that no label is merely the last one seen."""
    rounds = list(zip_longest(*(reversed(group) for group in groups)))
    return [one for turn in reversed(rounds) for one in turn if one is not None]


def _word(text: str, words: Sequence[str]) -> str:
    said = text.strip().strip(".!\"'").lower()
    for word in words:
        if said.startswith(word):
            return word
    raise ModelOutputError(f"the reply is none of: {', '.join(words)}")


def _different_names(topics: Sequence[Topic]) -> None:
    names = [topic.name.lower() for topic in topics]
    twice = [name for name in names if names.count(name) > 1]
    taken = [name for name in names if name in ("yes", "no", "unclear")]
    if twice:
        raise DefinitionError(f"two topics are named {twice[0]!r}; rename one of them")
    if taken:
        raise DefinitionError(f"a topic cannot be named {taken[0]!r}, which is an answer by itself; rename it")


# conversations


def continued(request: PlanRequest, questions: Sequence[str]) -> str:
    """The request, joined with the earlier one where it answers a question that an earlier run ended with.

    Args:
        request: The request, with the conversation before it.
        questions: What is asked back.
    """
    text = request.task
    history = list(request.history)
    while len(history) > 1 and history[-1].content and history[-1].content in questions:
        if history[-1].role != "assistant" or history[-2].role != "user":
            break
        text = clarified(history[-2].content, history[-1].content, text)
        history = history[:-2]
    return text
