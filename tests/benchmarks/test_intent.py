"""The measure of intents counts what it says."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.planners.intent import EmbeddingIntent
from benchmarks.intent import TOPICS, measure
from examples.kitty_vogue.questions import QUESTIONS, Question


class Letters:
    """An embedder that looks at the first letter."""

    name = "letters"
    dimension = 26

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(text.lower().startswith(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


async def test_verdicts_are_counted_by_what_they_should_be() -> None:
    questions = [Question("a", "Translate."), Question("b", "Translate!", in_scope=False), Question("c", "Z")]
    found = await measure(EmbeddingIntent(TOPICS, Letters()), questions)
    assert found.share("out_of_scope", in_scope=True) == (2, 2)
    assert found.share("out_of_scope", in_scope=False) == (1, 1)
    assert found.accuracy == 1 / 3


def test_no_labelled_example_is_a_question() -> None:
    examples = {example for topic in TOPICS for example in topic.examples}
    assert examples.isdisjoint(question.text for question in QUESTIONS)
    assert len(examples) == 22
