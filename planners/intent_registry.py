"""Intent classifiers by word, with options that are plain data: for YAML and other configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from agentkit.embeddings import MiniLM
from agentkit.errors import DefinitionError
from agentkit.options import check_options, named
from agentkit.planners.intent import DECLINE, EmbeddingIntent, ModelIntent, Rule, RuleIntent, Topic
from agentkit.planning import Intent, IntentClassifier


def intent_from_data(said: object, *, scope: str = "") -> IntentClassifier:
    """The classifier that data describes: a name of `INTENTS`, or an object with ``name`` and its options.

    What a request leads to is written as an object too, in rules and topics beside their own keys: ``tools``, ``tags``
    and ``agent`` let it in, ``reply`` declines it, ``question`` asks back.

    Args:
        said: The name or object.
        scope: What the agent is for, where a model is asked and no ``scope`` is given.

    Raises:
        DefinitionError: It describes none; the message says what there is.
    """
    name, options = named(said, INTENTS, "intent classifier")
    if name == "model" and scope:
        options.setdefault("scope", scope)
    make = INTENTS[name]
    check_options(make, options, f"the intent classifier {name!r}")
    return make(**options)


def agents_in(said: object) -> Iterator[str]:
    """The names of the agents that a classifier, as data, leads to."""
    if isinstance(said, Mapping):
        if isinstance(said.get("agent"), str):
            yield said["agent"]
        for value in said.values():
            yield from agents_in(value)
    elif isinstance(said, list | tuple):
        for item in said:
            yield from agents_in(item)


def _rules(rules: Sequence[Any], *, otherwise: Any = None) -> RuleIntent:
    made = tuple(_of(_rule, one, "rule") for one in _listed(rules, "rules"))
    return RuleIntent(made) if otherwise is None else RuleIntent(made, _of(_leads, otherwise, "otherwise"))


def _examples(
    topics: Sequence[Any],
    *,
    embedder: str = "minilm",
    threshold: float = 0.35,
    margin: float = 0.05,
    otherwise: Any = None,
) -> EmbeddingIntent:
    if embedder != "minilm":
        raise DefinitionError(f"embedder is {embedder!r}; give 'minilm'")
    found = Intent(False, DECLINE) if otherwise is None else _of(_leads, otherwise, "otherwise")
    return EmbeddingIntent(_topics(topics), MiniLM(), threshold, margin, found)


def _model(
    scope: str,
    *,
    in_scope: Sequence[str] = (),
    out_of_scope: Sequence[str] = (),
    reply: str = DECLINE,
    unclear: Sequence[str] = (),
    question: str = "",
    topics: Sequence[Any] = (),
) -> ModelIntent:
    return ModelIntent(
        scope,
        _texts(in_scope, "in_scope"),
        _texts(out_of_scope, "out_of_scope"),
        reply,
        _texts(unclear, "unclear"),
        question,
        _topics(topics),
    )


INTENTS: Mapping[str, Callable[..., IntentClassifier]] = MappingProxyType(
    {"rules": _rules, "examples": _examples, "model": _model}
)
"""How each classifier is made."""


def _leads(
    *,
    tools: Sequence[str] = (),
    tags: Sequence[str] = (),
    agent: str = "",
    reply: str | None = None,
    question: str = "",
    label: str = "",
) -> Intent:
    """What a request leads to."""
    ways = [bool(tools or tags or agent), reply is not None, bool(question)]
    if sum(ways) > 1:
        raise DefinitionError(
            "a request is let in (tools, tags, agent), declined (reply) or asked back (question); give one of the three"
        )
    lets_in = reply is None and not question
    return Intent(lets_in, reply or "", question, _texts(tools, "tools"), _texts(tags, "tags"), agent, label)


def _rule(
    *,
    words: Sequence[str] = (),
    pattern: str = "",
    tools: Sequence[str] = (),
    tags: Sequence[str] = (),
    agent: str = "",
    reply: str | None = None,
    question: str = "",
    label: str = "",
) -> Rule:
    if bool(words) == bool(pattern):
        raise DefinitionError("a rule has either words or a pattern")
    intent = _leads(tools=tools, tags=tags, agent=agent, reply=reply, question=question, label=label)
    return Rule(pattern, intent) if pattern else Rule.words(*_texts(words, "words"), intent=intent)


def _topic(
    name: str,
    *,
    examples: Sequence[str] = (),
    means: str = "",
    tools: Sequence[str] = (),
    tags: Sequence[str] = (),
    agent: str = "",
    reply: str | None = None,
    question: str = "",
) -> Topic:
    intent = _leads(tools=tools, tags=tags, agent=agent, reply=reply, question=question)
    return Topic(name, _texts(examples, "examples"), means, intent)


def _topics(said: Sequence[Any]) -> tuple[Topic, ...]:
    return tuple(_of(_topic, one, "topic") for one in _listed(said, "topics"))


def _of(make: Callable[..., Any], said: object, what: str) -> Any:
    """What `make` gives for an object of options."""
    if not isinstance(said, Mapping):
        raise DefinitionError(f"{said!r} is no {what}; expected an object")
    options = {str(key): value for key, value in said.items()}
    check_options(make, options, f"the {what} {options!r}")
    try:
        return make(**options)
    except DefinitionError as error:
        raise DefinitionError(f"the {what} {dict(said)!r}: {error}") from error


def _texts(said: Any, what: str) -> tuple[str, ...]:
    """A list of texts; one text is a list of it."""
    found = (said,) if isinstance(said, str) else tuple(_listed(said, what))
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise DefinitionError(f"{what}: {wrong[0]!r} is no text; put it in quotes")
    return found


def _listed(said: Any, what: str) -> list[Any]:
    if not isinstance(said, list | tuple):
        raise DefinitionError(f"{what} is {said!r}; expected a list")
    return list(said)
