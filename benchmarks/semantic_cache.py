"""``python -m benchmarks.semantic_cache``: how often a semantic cache answers, and how often wrongly, by threshold.

The requests are generated: questions that are put in several ways (*same meaning*: a hit is right), and questions that
differ in one thing that matters (*near miss*: a hit is wrong): a number, a name, a negation, an opposite that the
guard's list of words has, or a common word that no list has. Each figure is a share of the pairs of its kind, with and
without the guard that `SemanticCachedModel` has by default.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import hypot

from agentkit.embeddings import MiniLM
from agentkit.models.semantic import same_details
from agentkit.protocols import Embedder

THRESHOLDS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.98)
NUMBERS = ("2", "3", "12", "15", "40", "45", "100", "250")
NAMES = ("Anna", "Ben", "Hanoi", "Lisbon", "Oslo", "Quito", "Acme", "Globex")
THINGS = ("red hats", "blue hats", "wool scarves", "silk scarves", "black gloves", "white gloves")


@dataclass(frozen=True, slots=True)
class Frame:
    """A question in several ways, its negation and its opposites, with ``{number}``, ``{name}`` and ``{thing}``."""

    ways: tuple[str, ...]
    negation: str
    opposite: str
    unlisted: str = ""


FRAMES = (
    Frame(
        (
            "How many {thing} did we sell to {name} in the last {number} days?",
            "What number of {thing} was sold to {name} during the last {number} days?",
            "In the last {number} days, how many {thing} were sold to {name}?",
        ),
        "How many {thing} did we not sell to {name} in the last {number} days?",
        "How many {thing} did we buy from {name} in the last {number} days?",
        "How many {thing} did we lend to {name} in the last {number} days?",
    ),
    Frame(
        (
            "Show me the {number} cheapest {thing} in the {name} shop.",
            "List the {number} cheapest {thing} that the {name} shop has.",
            "Which {number} {thing} are the cheapest in the {name} shop?",
        ),
        "Show me the {number} {thing} that are not the cheapest in the {name} shop.",
        "Show me the {number} most expensive {thing} in the {name} shop.",
        "Show me the {number} heaviest {thing} in the {name} shop.",
    ),
    Frame(
        (
            "What does it cost to ship {number} {thing} to {name}?",
            "How much is the shipping of {number} {thing} to {name}?",
            "I want to send {number} {thing} to {name}; what is the shipping price?",
        ),
        "What does it cost not to ship {number} {thing} to {name}?",
        "What is the least that it costs to ship {number} {thing} to {name}?",
        "How long does it take to ship {number} {thing} to {name}?",
    ),
    Frame(
        (
            "Can a customer in {name} return {thing} after {number} days?",
            "Is it possible to return {thing} after {number} days for customers in {name}?",
            "After {number} days, can {thing} still be returned by a customer in {name}?",
        ),
        "Can a customer in {name} not return {thing} after {number} days?",
        "Can a customer in {name} return {thing} before {number} days?",
        "Can a customer in {name} exchange {thing} after {number} days?",
    ),
    Frame(
        (
            "Which orders of {name} have more than {number} {thing}?",
            "List the orders of {name} with more than {number} {thing}.",
            "Show every order from {name} that has more than {number} {thing}.",
        ),
        "Which orders of {name} do not have more than {number} {thing}?",
        "Which orders of {name} have less than {number} {thing}?",
        "Which invoices of {name} have more than {number} {thing}?",
    ),
    Frame(
        (
            "Remind {name} to reorder {thing} in {number} days.",
            "In {number} days, please remind {name} to reorder {thing}.",
            "Set a reminder for {name} to reorder {thing} in {number} days.",
        ),
        "Do not remind {name} to reorder {thing} in {number} days.",
        "Remind {name} to stop reordering {thing} in {number} days.",
        "Remind {name} to inspect {thing} in {number} days.",
    ),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests and how they relate: ``same``, or what is different."""

    kind: str
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Row:
    """Shares of hits at one threshold: of pairs with the same meaning, and of near misses, together and by kind."""

    threshold: float
    guard: bool
    hits: float
    wrong: float
    by_kind: dict[str, float]


def pairs(fillings: int = 12, seed: int = 7) -> list[Pair]:
    """The generated set: `fillings` of each frame."""
    chance = random.Random(seed)
    found: list[Pair] = []
    for frame in FRAMES:
        for _ in range(fillings):
            filling = {
                "number": chance.choice(NUMBERS),
                "name": chance.choice(NAMES),
                "thing": chance.choice(THINGS),
            }
            said = [way.format(**filling) for way in frame.ways]
            found += [Pair("same", one, other) for one, other in combinations(said, 2)]
            for kind, values in (("number", NUMBERS), ("name", NAMES), ("thing", THINGS)):
                other = chance.choice([value for value in values if value != filling[kind]])
                found.append(Pair(kind, said[0], chance.choice(frame.ways).format(**{**filling, kind: other})))
            for kind in ("negation", "opposite", "unlisted"):
                found.append(Pair(kind, said[0], getattr(frame, kind).format(**filling)))
    return found


async def measure(examples: Sequence[Pair], embedder: Embedder) -> list[Row]:
    """The shares of hits at each threshold, with and without the guard."""
    texts = sorted({text for pair in examples for text in (pair.one, pair.other)})
    vectors = dict(zip(texts, await embedder.embed(texts), strict=True))
    judged = [(pair, _cosine(vectors[pair.one], vectors[pair.other])) for pair in examples]
    return [_row(threshold, guard, judged) for guard in (False, True) for threshold in THRESHOLDS]


def _row(threshold: float, guard: bool, judged: Sequence[tuple[Pair, float]]) -> Row:
    seen: dict[str, list[bool]] = {}
    for pair, cosine in judged:
        hit = cosine >= threshold and (not guard or same_details(pair.one, pair.other))
        seen.setdefault(pair.kind, []).append(hit)
    same = seen.pop("same")
    wrong = [hit for hits in seen.values() for hit in hits]
    by_kind = {kind: _share(hits) for kind, hits in seen.items()}
    return Row(threshold, guard, _share(same), _share(wrong), by_kind)


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / (hypot(*one) * hypot(*other))


def main() -> None:
    """Measure with the local embedding model and print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.semantic_cache", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args()
    examples = pairs()
    rows = asyncio.run(measure(examples, MiniLM()))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    same = sum(pair.kind == "same" for pair in examples)
    kinds = list(rows[0].by_kind)
    print(f"{same} pairs of the same meaning, {len(examples) - same} near misses; embeddings: minilm\n")
    print(f"{'guard':<6} {'threshold':>9} {'hits':>6} {'wrong':>6}   wrong, by what differs: {', '.join(kinds)}")
    for row in rows:
        shares = " ".join(f"{row.by_kind[kind]:>8.1%}" for kind in kinds)
        print(f"{'yes' if row.guard else 'no':<6} {row.threshold:>9.2f} {row.hits:>6.1%} {row.wrong:>6.1%}   {shares}")


if __name__ == "__main__":
    main()
