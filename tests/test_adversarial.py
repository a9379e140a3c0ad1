"""Mutated plans: the checker never crashes, and what it passes never fails for a reason that it names."""

from __future__ import annotations

import asyncio
import copy
import random
import re
from typing import Any

import pytest

from agentkit.checker import check
from agentkit.executor import execute
from agentkit.limits import Limits
from agentkit.run import Run
from agentkit.spelling import read_json, read_python, write_json, write_python
from tests.plans import AUTO, BASIC, call, value

LIMITS = Limits(steps=2_000, tool_calls=500, loop_iterations=20)

SEEDS: list[dict[str, Any]] = [
    {
        "steps": [
            call("top", "top_products", count=2),
            call("price", "price_of", name="${top[0].name}"),
            value("twice", "${price * 2}"),
        ],
        "answer": {"text": "It costs ${price}.", "twice": "${twice}"},
    },
    {
        "steps": [
            call("top", "top_products"),
            {
                "id": "prices",
                "kind": "for_each",
                "item": "p",
                "in": "${[p for p in top if p.units > 2]}",
                "do": [call("one", "price_of", name="${p.name}")],
                "concurrency": 2,
            },
            {
                "id": "verdict",
                "kind": "if",
                "condition": "${sum(prices) > 30}",
                "then": [value("yes", "dear")],
                "else": [value("no", "cheap")],
            },
        ],
        "answer": "${verdict}",
    },
    {
        "steps": [
            {
                "id": "loop",
                "kind": "repeat",
                "state": {"n": 1},
                "do": [call("d", "double", number="${n}")],
                "next": {"n": "${d}"},
                "until": "${n > 50}",
                "max_iterations": 9,
            },
            {
                "id": "both",
                "kind": "parallel",
                "branches": {"a": [call("x", "double", number="${loop.n}")], "b": [value("y", [1, "two", None])]},
            },
        ],
        "answer": "${[both.a, both.b]}",
    },
]

JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    "",
    "x",
    "${",
    "${}",
    "${top}",
    "${price}",
    "${n}",
    [],
    {},
    [[]],
    "call",
]
JUNK += [
    "${top[9].name}",
    "${9**9**9}",
    "${().__class__}",
    "for_each",
    {"value": 1},
    "${[x for x in top]}",
    "nul\x00",
    "𝕩",
]

VALUE_DEPENDENT = re.compile(
    r"index -?\d+ is outside|division by zero|too large|LookupError|must be a whole number|the list is empty|at most"
    r"|would have|takes more than|is not a number|whole number|no field|cannot unpack|not a date|step of a slice"
    r"|more than|step must not be 0"
)
"""Reasons that depend on values, which no checker can know."""


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every part of a JSON value."""
    found = [path]
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutate(plan: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A copy with one to three parts replaced, removed, renamed, duplicated or swapped."""
    made = copy.deepcopy(plan)
    for _ in range(draw.randint(1, 3)):
        path = draw.choice(places(made)[1:] or [()])
        if not path:
            break
        holder: Any = made
        for key in path[:-1]:
            holder = holder[key]
        key = path[-1]
        match draw.randrange(6):
            case 0:
                holder[key] = draw.choice(JUNK)
            case 1:
                del holder[key]
            case 2 if isinstance(holder, list):
                holder.insert(draw.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
            case 3 if isinstance(holder, dict):
                holder[draw.choice(["kind", "id", "args", "name", "junk"])] = holder.pop(key)
            case 4 if isinstance(holder[key], str) and holder[key]:
                at = draw.randrange(len(holder[key]))
                holder[key] = holder[key][:at] + draw.choice("${}.[]()x 0'\"") + holder[key][at + 1 :]
            case _:
                holder[key] = copy.deepcopy(draw.choice([draw.choice(JUNK), holder[key]]))
    return made


async def hold(rounds: int, seed: int) -> int:
    """Mutate, check, and run what passes; how many passed."""
    draw = random.Random(seed)
    passed = 0
    for _ in range(rounds):
        report = check(read_json(mutate(draw.choice(SEEDS), draw)), BASIC, policy=AUTO, limits=LIMITS)
        for diagnostic in report.diagnostics:
            assert str(diagnostic)
        if report.checked is None:
            continue
        passed += 1
        assert read_json(write_json(report.plan)) == report.plan
        outcome = await execute(report.checked, run=Run(limits=LIMITS))
        if outcome.status == "failed" and not report.checked.certificate.runtime_checks:
            assert VALUE_DEPENDENT.search(outcome.error), (outcome.error, write_json(report.plan))
    return passed


def test_mutated_plans_never_crash_the_checker_nor_fail_for_a_reason_it_names() -> None:
    assert asyncio.run(hold(1_500, seed=1)) > 100


@pytest.mark.slow
def test_a_hundred_thousand_mutations() -> None:
    assert asyncio.run(hold(100_000, seed=2)) > 5_000


def mutate_sources(rounds: int, seed: int) -> None:
    """Read and check Python sources with single characters replaced."""
    draw = random.Random(seed)
    sources = [write_python(read_json(plan), BASIC) for plan in SEEDS]
    for _ in range(rounds):
        text = draw.choice(sources)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(text))
            piece = draw.choice(["", "(", ")", ":", "\n", "    ", "=", "lambda", "__import__('os')"])
            text = text[:at] + piece + text[at + 1 :]
        check(read_python(text, BASIC), BASIC, policy=AUTO, limits=LIMITS)


def test_mutated_source_never_crashes_the_reader_or_the_checker() -> None:
    mutate_sources(1_500, seed=3)


@pytest.mark.slow
def test_a_hundred_thousand_mutated_sources() -> None:
    mutate_sources(100_000, seed=4)
