"""``python -m benchmarks.intent``: how well the nearest examples tell a shop's questions from all others.

The questions are those that the example agent Kitty Vogue is judged by; the labelled examples below are others. No
language model is called: MiniLM (``agentkit models pull minilm``) makes the vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from agentkit.embeddings import MiniLM
from agentkit.planners.intent import EmbeddingIntent, Topic
from agentkit.planning import Intent, IntentOutcome, PlanRequest
from agentkit.run import Run
from agentkit.toolbox import Toolbox
from examples.kitty_vogue.questions import QUESTIONS, Question

TOPICS = (
    Topic(
        "products",
        (
            "How much is the Velvet Collar?",
            "Is the Tabby Tiara still available?",
            "Which shoes do we sell?",
            "In which category is the Silk Scarf?",
        ),
        "the shop's products",
    ),
    Topic(
        "sales",
        (
            "What did we earn last month?",
            "How many Velvet Collars did customers buy yesterday?",
            "Which hats sold worst this year?",
            "Are there days without sales of the Tabby Tiara?",
            "What will sales of the Silk Scarf be in the next quarter?",
        ),
        "the shop's sales",
    ),
    Topic(
        "campaigns",
        ("Which advertising runs in May?", "How much do we spend on promotion?"),
        "the shop's campaigns",
    ),
    Topic(
        "calculation",
        ("How many pounds are 3 kilograms?", "What is 12 times 345?", "What percentage of 80 is 20?"),
        "a calculation",
    ),
    Topic(
        "other",
        (
            "Who is the president of France?",
            "Tell me a joke about cats.",
            "What's the weather tomorrow?",
            "Write Python code for quicksort.",
            "I have a headache, what shall I do?",
            "Which fund is a good investment?",
            "Translate this letter into German.",
            "Who wrote Faust?",
        ),
        intent=Intent(False, "I can't help with that."),
    ),
)
COLUMNS: tuple[tuple[IntentOutcome, bool], ...] = (
    ("in_scope", True),
    ("ambiguous", True),
    ("out_of_scope", True),
    ("out_of_scope", False),
    ("in_scope", False),
)
THRESHOLDS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)


@dataclass(frozen=True, slots=True)
class Counted:
    """Verdicts on questions, by whether they were to be let in."""

    verdicts: Sequence[tuple[Question, IntentOutcome]]

    def share(self, outcome: IntentOutcome, *, in_scope: bool) -> tuple[int, int]:
        """How many of the questions of one kind had a verdict, and how many there are."""
        kind = [said for question, said in self.verdicts if question.in_scope is in_scope]
        return kind.count(outcome), len(kind)

    @property
    def accuracy(self) -> float:
        """The share of right verdicts; a question back is not right."""
        right = self.share("in_scope", in_scope=True)[0] + self.share("out_of_scope", in_scope=False)[0]
        return right / len(self.verdicts)


async def measure(classifier: EmbeddingIntent, questions: Sequence[Question] = QUESTIONS) -> Counted:
    """What the classifier says of each question."""
    run = Run()
    verdicts = [(one, await classifier.classify(PlanRequest(one.text, Toolbox()), run)) for one in questions]
    return Counted([(one, intent.outcome) for one, intent in verdicts])


async def _table() -> None:
    classifier = EmbeddingIntent(TOPICS, MiniLM())
    await classifier.nearness("warm up")
    print("| threshold | accuracy | let in | asked back | declined wrongly | declined rightly | let in wrongly |")
    print("|---|---|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        found = await measure(replace(classifier, threshold=threshold))
        cells = [found.share(outcome, in_scope=kind) for outcome, kind in COLUMNS]
        shown = " | ".join(f"{some} of {all_of}" for some, all_of in cells)
        print(f"| {threshold} | {found.accuracy:.3f} | {shown} |")
    taken = []
    for question in QUESTIONS:
        began = time.perf_counter()
        await classifier.nearness(question.text)
        taken.append(time.perf_counter() - began)
    print(f"\n{len(QUESTIONS)} questions, {sum(len(topic.examples) for topic in TOPICS)} labelled examples, ", end="")
    print(f"{median(taken) * 1000:.0f} ms a question")


def main() -> None:
    """Measure and print a table."""
    argparse.ArgumentParser(prog="python -m benchmarks.intent", description=__doc__).parse_args()
    asyncio.run(_table())


if __name__ == "__main__":
    main()
