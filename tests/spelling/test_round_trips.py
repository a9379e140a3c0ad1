"""Both spellings say exactly what the plan is, and nothing that is read can raise or take long."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentkit.expressions.nodes import Expr, children
from agentkit.plan import KINDS, Call, Plan, Unreadable, walk
from agentkit.spelling import mermaid, outline, read_json, read_python, write_json, write_python
from agentkit.spelling._steps import expressions
from tests.random_plans import TOOLBOX, Plans
from tests.strategies import plans

BOUNDED = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def reads_back_from_python(plan: Plan) -> None:
    text = write_python(plan)
    again = read_python(text)
    assert (again, again.problems) == (plan, ()), text
    text = write_python(plan, TOOLBOX)
    again = read_python(text, TOOLBOX)
    assert (again, again.problems) == (plan, ()), text


def reads_back_from_json(plan: Plan) -> None:
    again = read_json(json.dumps(write_json(plan)))
    assert (again, again.problems) == (plan, ())
    assert read_json(with_nulls(write_json(plan))) == plan


OPTIONAL = {
    "call": ["args", "retry", "timeout", "on_error", "again"],
    "if": ["else"],
    "for_each": ["concurrency"],
    "repeat": ["until", "while", "max_iterations", "state", "next"],
    "generate": ["schema"],
    "ask": ["schema"],
    "subgoal": ["schema", "inputs"],
}


def with_nulls(plan: dict[str, Any]) -> dict[str, Any]:
    """The JSON spelling with null for every field that is absent."""
    return {"goal": None, "inputs": None, "answer": None, **plan, "steps": [_nulls(step) for step in plan["steps"]]}


def _nulls(step: dict[str, Any]) -> dict[str, Any]:
    step = {**dict.fromkeys(OPTIONAL.get(step["kind"], [])), **step}
    if step["kind"] == "call" and not step["args"]:
        step["args"] = None
    for name in {"then", "else", "do"} & step.keys():
        step[name] = step[name] and [_nulls(inner) for inner in step[name]]
    if "branches" in step:
        step["branches"] = {name: [_nulls(inner) for inner in block] for name, block in step["branches"].items()}
    return step


CHART_LINE = re.compile(
    r"flowchart TD|    (s\d+|answer) --> (s\d+|answer)|    answer\(\[\"[^\"\[\]\n]*\"\]\)"
    r"|(    )+(subgraph )?s\d+(_\d+)?\[\"[^\"\[\]\n]*\"\]|(    )+end"
)


def can_be_shown(plan: Plan) -> None:
    assert all(step.id in outline(plan) for step in walk(plan.steps))
    lines = mermaid(plan).split("\n")
    assert all(CHART_LINE.fullmatch(line) for line in lines), lines
    starts = [line.split()[0] for line in lines]
    assert starts.count("subgraph") == starts.count("end")
    boxes = Counter(line.replace("subgraph ", "").split("[")[0].strip(" (") for line in lines if "[" in line)
    assert set(boxes.values()) <= {1}
    assert all(set(line.split(" --> ")) <= {*boxes, "answer"} for line in map(str.strip, lines) if "-->" in line)


PROPERTIES = pytest.mark.parametrize("holds", [reads_back_from_python, reads_back_from_json, can_be_shown])


@PROPERTIES
def test_every_plan(holds: Callable[[Plan], None]) -> None:
    @given(plans())
    @BOUNDED
    def test(plan: Plan) -> None:
        holds(plan)

    test()


def many(first: int, last: int) -> list[Plan]:
    """Plans of all sizes, from tame to wild."""
    return [Plans(Random(seed), wild=(50, 20, 5, 0, 90)[seed % 5]).plan(seed % 30 + 1) for seed in range(first, last)]


@PROPERTIES
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thousands_of_plans(holds: Callable[[Plan], None]) -> None:
    for plan in many(1_000, 6_000):
        holds(plan)


def test_the_random_plans_hold_everything_that_plans_can_say() -> None:
    steps = [step for plan in many(0, 300) for step in walk(plan.steps)]
    assert {type(step) for step in steps} == set(KINDS) - {Unreadable}
    forms: set[type[Expr]] = set()
    left = [expr for step in steps for expr in expressions(step)]
    while left:
        forms.add(type(left[-1]))
        left.extend(children(left.pop()))
    assert {form.__name__ for form in forms} == {form.__name__ for form in Expr.__args__} - {"Malformed"}
    calls = [step for step in steps if isinstance(step, Call)]
    assert {call.on_error for call in calls} == {"fail", "skip", "value"}
    assert all({getattr(call, name) is None for call in calls} == {True, False} for name in ("retry", "timeout"))
    assert {call.again for call in calls} == {True, False}


SAMPLE = '''"""Find the best product."""
city = input({"type": "string"})
top = search(query=f"hats in {city}", limit=3, _retry=2)
names = [p.name for p in top if p.price > 3]
rows = []
for p in top:
    if p.price > 3 and search(p.name):
        rows.append({"name": p.name, "seen": [search(x) for x in p.tags]})
    else:
        continue
n = 0
while n < 5:
    n += 1
    if send(n) == "done":
        break
with parallel() as r:
    with branch() as left:
        a = send(1)
    with branch() as right:
        b = generate(f"Say {n}", schema={"type": "object"})
if len(rows) > 2:
    answer(rows)
elif n:
    x, y = parallel(send(1), send(2))
    answer({"x": x, "y": y})
answer([names, r.left])
'''
PIECES = [
    "for ",
    "if ",
    "while ",
    "    ",
    "\n",
    ":",
    "(",
    ")",
    "[",
    "]",
    "answer(",
    "= ",
    "*",
    "x",
    "break\n",
    "with ",
    "\\",
    '"',
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The sample with pieces taken out, doubled, moved and put in."""
    text = SAMPLE
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        replacement = draw(st.sampled_from(["", text[start:end] * 2, *PIECES]) | st.text(max_size=3))
        text = text[:start] + replacement + text[end:]
    return text


def check_reading(text: str) -> None:
    for toolbox, partial in ((None, False), (TOOLBOX, True)):
        start = time.thread_time()
        plan = read_python(text, toolbox, partial=partial)
        assert time.thread_time() - start < 1
        written = write_json(plan)
        assert plan.problems or write_json(read_json(written)) == written
        write_python(plan)
    read_json(text)


@given(mutated())
@settings(BOUNDED, max_examples=100)
@example(SAMPLE)
def test_mutated_python_is_read_without_raising_and_in_bounded_time(text: str) -> None:
    check_reading(text)


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(BOUNDED, max_examples=100)
def test_any_text_is_read_without_raising_and_in_bounded_time(text: str) -> None:
    check_reading(text)


FIELDS = st.sampled_from(["steps", "id", "kind", "tool", "args", "then", "do", "branches", "state"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["call", "if", "repeat"])
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(FIELDS | st.text(), inner), max_leaves=20)


@given(JSON)
@settings(BOUNDED, max_examples=100)
def test_any_json_is_read_without_raising(data: object) -> None:
    read_json({"steps": data, "answer": data})
    read_json({"steps": [data]})


DEEP = {
    "parentheses": "x = " + "(" * 5_000,
    "signs": "x = " + "-" * 5_000 + "1",
    "nots": "x = " + "not " * 5_000 + "y",
    "attributes": "x = y" + ".a" * 5_000,
    "sums": "x = " + "1 + " * 5_000 + "1",
    "blocks": "\n".join(" " * depth + "if x:" for depth in range(99)) + "\n" + " " * 99 + "y = 1",
    "calls": "x = " + "f(" * 150 + ")" * 150,
    "partial answers": "\n".join(f"if a{i}:\n    if b{i}:\n        answer({i})" for i in range(40)),
    "continues": "for x in xs:\n"
    + "\n".join(f"    if a{i}:\n        if b{i}:\n            continue" for i in range(40)),
    "ifs": "".join(f"if a:\n    x{i} = f(x{i - 1})\n" for i in range(2_000)),
    "loops": "".join(f"r{i} = []\nfor x in r{i - 1}:\n    r{i}.append(f(x))\n" for i in range(1_500)),
    "nested loops": "\n".join("    " * d + f"for x{d} in xs:" for d in range(20)) + "\n" + "    " * 20 + "n = n + 1",
    "lines": "x = f(x)\n" * 12_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_large_and_deep_sources_are_read_in_bounded_time(text: str) -> None:
    start = time.thread_time()
    read_python(text)
    assert time.thread_time() - start < 2
