"""A plan means what Python means: each source is run by CPython and as a plan, and both give the same answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agentkit.checker import check
from agentkit.diagnostics import Code
from agentkit.executor import execute
from agentkit.expressions import evaluate, parse_expression
from agentkit.limits import Limits
from agentkit.policy import Policy
from agentkit.spelling import read_json, read_python, write_json, write_python
from agentkit.toolbox import Tool, Toolbox


class Record(dict[str, Any]):
    """A JSON object whose fields Python can read as attributes, as plans do."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Answered(Exception):
    """What ``answer(…)`` raises under CPython."""


SHOP = [
    Record(name="hat", price=20, units=5, tags=["wool", "red"]),
    Record(name="scarf", price=15, units=9, tags=["wool"]),
    Record(name="glove", price=9, units=2, tags=[]),
    Record(name="sock", price=4, units=12, tags=["red", "short"]),
]


def products() -> list[Record]:
    return SHOP


def price(name: str) -> int:
    return int(next(one.price for one in SHOP if one.name == name))


def double(x: int) -> int:
    return x * 2


def is_big(x: int) -> bool:
    return x > 10


def tags(name: str) -> list[str]:
    return list(next(one.tags for one in SHOP if one.name == name))


def page(number: int) -> Record:
    return Record(rows=[number * 10, number * 10 + 1], following=number + 1 if number < 3 else None)


def half(x: int) -> int:
    return x // 2


def nothing() -> None:
    return None


FUNCTIONS: list[Callable[..., Any]] = [products, price, double, is_big, tags, page, half, nothing]
ARGUMENTS = {"price": ["name"], "double": ["x"], "is_big": ["x"], "tags": ["name"], "page": ["number"], "half": ["x"]}


def _tool(function: Callable[..., Any]) -> Tool:
    names = ARGUMENTS.get(function.__name__, [])
    schema = {"type": "object", "properties": {name: {} for name in names}, "required": names}
    call: Callable[[dict[str, Any]], Any] = lambda args: function(**args)  # noqa: E731
    return Tool.from_schema(name=function.__name__, description="Do it.", effect="pure", input_schema=schema, call=call)


TOOLBOX = Toolbox(_tool(function) for function in FUNCTIONS)


def by_python(source: str) -> Any:
    """What CPython answers."""

    def answer(*values: Any, **named: Any) -> None:
        raise Answered(named or (values[0] if len(values) == 1 else list(values)))

    extra = {name: _pure(name) for name in ("flatten", "unique", "get")}
    space = {function.__name__: function for function in FUNCTIONS}
    try:
        exec(source, {**space, **extra, "answer": answer, "each": lambda items, concurrency=None: items})
    except Answered as found:
        return json.loads(json.dumps(found.args[0]))
    raise AssertionError("the source does not answer")


def _pure(name: str) -> Callable[..., Any]:
    return lambda *args: evaluate(
        parse_expression(f"{name}({', '.join(f'a{i}' for i in range(len(args)))})"),
        {f"a{i}": value for i, value in enumerate(args)},
    )


SOURCES = """
x = double(3)
answer(x)
---
answer(double(double(2)) + half(9))
---
x = 1
x = x + 1
x += double(x)
x -= 1
answer(x)
---
a, b = double(1), double(2)
a, b = b, a
answer(a - b)
---
first, second = tags("hat")
answer([second, first])
---
a = b = double(2)
answer(a + b)
---
x: int = double(4)
answer({"x": x, "y": [x, None]})
---
answer(double(1), double(2))
---
answer(low=half(9), high=double(9))
---
x = double(2) if price("hat") > 10 else half(2)
answer(x)
---
x = double(2) if price("sock") > 10 else half(2)
answer(x)
---
if price("hat") > 10:
    kind = "dear"
else:
    kind = "cheap"
answer(kind)
---
p = price("scarf")
if p > 18:
    kind = "dear"
elif p > 10:
    kind = "fair"
elif is_big(p):
    kind = "odd"
else:
    kind = "cheap"
answer(f"{kind}: {p:.2f}")
---
best = 0
if is_big(price("hat")):
    best = price("hat")
answer(best)
---
best = 0
if is_big(price("sock")):
    best = price("sock")
answer(best)
---
x = 1
y = 2
if x < y:
    x = double(y)
    y = x + 1
else:
    y = 0
answer([x, y])
---
x = 1
if not is_big(20):
    pass
else:
    x = 2
answer(x)
---
if is_big(3):
    answer("big")
else:
    answer("small")
---
if is_big(30):
    answer("big")
x = double(1)
answer(x)
---
if is_big(3):
    answer("big")
x = double(1)
if is_big(x):
    answer("then")
elif x > 1:
    y = x + 1
    answer(y)
answer("never")
---
if is_big(30):
    if is_big(3):
        answer("inner")
    z = 4
else:
    z = 5
answer(z)
---
if is_big(3):
    if is_big(3):
        answer("inner")
    z = double(4)
elif is_big(30):
    if is_big(2):
        if is_big(1):
            answer("deep")
        z = 6
    else:
        z = 7
    z = double(z)
else:
    z = 5
answer(z)
---
z = 1
if is_big(30):
    if z > 3:
        answer("inner")
    z = z + 4
else:
    z = 5
answer(z)
---
z = 1
for p in products():
    if p.units > 3:
        if p.units > 10:
            break
        z = double(p.units)
    else:
        z = p.price
answer(z)
---
out = []
for p in products():
    if p.units > 3:
        if p.units > 10:
            continue
        z = double(p.units)
    else:
        z = p.price
    out.append(z)
answer(out)
---
out = []
z = 0
for p in products():
    if p.units > 3:
        if p.units > 8:
            continue
        z = double(p.units)
    else:
        z = p.price
    out.append(z)
answer([out, z])
---
out = []
n = 0
while n < 9:
    n = n + 1
    if n > 3:
        if is_big(double(n)):
            break
        z = double(n)
    else:
        z = n
    out.append(z)
answer(out)
---
answer([double(p.units) for p in products()])
---
answer([double(p.units) for p in products() if p.price > 9])
---
answer([p.name for p in products() if is_big(p.price)])
---
answer([double(p.units) for p in products() if p.price > 5 if is_big(p.price)])
---
answer(sum(double(p.units) for p in products()) / len(products()))
---
answer(any(is_big(p.units) for p in products()))
---
answer({p.name: double(p.price) for p in products()})
---
answer([double(len(t)) for p in products() for t in tags(p.name)])
---
answer([[double(n) for n in range(i)] for i in range(3)])
---
names = []
for p in products():
    names.append(p.name)
answer(names)
---
found = []
for p in products():
    if p.units > 3:
        found.append(double(p.units))
answer(found)
---
found = ["start"]
for p in products():
    found.append(price(p.name))
answer(found)
---
found = []
for p in products():
    q = price(p.name)
    if q > 10:
        found.append(q)
    else:
        found.append(0)
answer(found)
---
found = []
for p in products():
    if is_big(p.price):
        found.append(p.name)
        found.append(double(p.price))
answer(found)
---
found = []
for p in products():
    for t in p.tags:
        found.append([p.name, double(len(t))])
answer(found)
---
found = []
for p in products():
    found.extend(tags(p.name))
    found += [p.name]
answer(found)
---
prices = {}
for p in products():
    prices[p.name] = double(p.price)
answer(prices)
---
prices = {}
for p in products():
    if p.units > 3:
        prices[p.name] = p.price
answer(prices)
---
total = 0
for p in products():
    total += double(p.units)
answer(total)
---
total = 10
count = 0
for p in products():
    if is_big(p.price):
        total += p.price
        count += 1
answer([total, count])
---
total = 100
for p in products():
    total -= p.units
answer(total)
---
cheap = []
dear = []
for p in products():
    if is_big(p.price):
        dear.append(p.name)
    else:
        cheap.append(p.name)
answer({"cheap": cheap, "dear": dear})
---
text = ""
for p in products():
    text = text + p.name + " "
answer(text)
---
last = None
for p in products():
    last = double(p.units)
answer(last)
---
best = None
for p in products():
    if best is None or p.units > best.units:
        best = p
answer(best.name)
---
out = []
for i, p in enumerate(products()):
    out.append(double(i) + p.price)
answer(out)
---
out = []
for a, b in zip([1, 2, 3], [4, 5, 6]):
    out.append(double(a) * b)
answer(out)
---
out = []
for k, v in {"a": 1, "b": 2}.items():
    out.append(f"{k}{double(v)}")
answer(out)
---
out = []
for p in products():
    if p.units < 3:
        continue
    q = double(p.units)
    if q > 20:
        continue
    out.append(q)
answer(out)
---
for p in products():
    if p.price < 10:
        answer(double(p.price))
answer(None)
---
for p in products():
    for t in p.tags:
        if t == "short":
            answer([p.name, double(len(t))])
answer("none")
---
found = None
for p in products():
    if is_big(p.units):
        found = p.name
        break
answer(found)
---
out = []
for p in products():
    if p.price > 5:
        if is_big(p.price):
            if p.units > 6:
                continue
            out.append(p.name)
        out.append(p.units)
    else:
        if p.units > 10:
            continue
        out.append("few")
    out.append(double(p.price))
answer(out)
---
log = []
for p in products():
    if p.price > 5:
        if p.units < 3:
            log.append("few")
            break
        log.append(double(p.units))
        if p.units > 8:
            continue
    log.append(p.name)
answer(log)
---
log = []
n = 0
while True:
    n += 1
    if n > 1:
        if is_big(double(n)):
            log.append("big")
            break
        else:
            if n == 3:
                continue
    else:
        log.append("first")
    log.append(n)
answer([log, n])
---
x = double(2)
if x > 3:
    if is_big(x):
        answer("big")
    x = x + 1
    if x > 100:
        answer("huge")
else:
    x = 0
y = double(x)
if y > 9:
    if is_big(y):
        if y > 10:
            answer("very")
answer(y)
---
found = None
tried = 0
for p in products():
    tried += 1
    if p.price > 50:
        found = p.name
        break
    elif p.price < 10:
        continue
    tried = tried + 10
answer([found, tried])
---
n = 0
while n < 5:
    n = n + 1
answer(n)
---
n = 40
steps = 0
while is_big(n):
    n = half(n)
    steps += 1
answer([n, steps])
---
n = 1
while True:
    n = double(n)
    if n > 50:
        break
answer(n)
---
n = 1
log = []
while n < 100:
    n = double(n)
    if n == 8:
        continue
    log.append(n)
    if n > 30:
        break
    log.append("on")
answer(log)
---
current = page(1)
items = current.rows
while current.following is not None:
    current = page(current.following)
    items = items + current.rows
answer(items)
---
a = 0
b = 1
for _ in range(6):
    a, b = b, a + b
answer(a)
---
x = 1
for i in range(2, 8, 2):
    x = x * i
answer(x)
---
x = 0
for i in range(half(9)):
    x = double(x) + i
answer(x)
---
x = 0
for i in range(5, 0, -2):
    x = double(x) + i
answer(x)
---
for _ in range(3):
    x = double(2)
answer(x)
---
rows = []
for i in range(2):
    row = []
    for j in range(3):
        row.append(double(i) + j)
    rows.append(row)
answer(rows)
---
n = 0
out = []
while n < 3:
    part = []
    for p in products():
        part.append(p.units + n)
    out = out + [sum(part)]
    n += 1
answer(out)
---
x = 3
ok = x > 2 and is_big(double(x))
answer(ok)
---
ok = is_big(3) or is_big(30)
answer(ok)
---
ok = is_big(3) and is_big(nothing())
answer(ok)
---
items = [3, 1, 2]
items.append(double(5))
items.sort()
items.reverse()
answer(items)
---
d = {"a": 1}
d["b"] = double(1)
d["a"] = 5
answer(d)
---
total = sum([double(p.units) for p in each(products(), concurrency=2)])
answer(total)
---
best = max(products(), key=lambda p: p.units * p.price)
answer(best.name)
---
names = sorted([p.name for p in products()], key=lambda n: n[-1])
answer(" and ".join(names))
---
stock = products()
cheapest = stock[0]
for p in stock[1:]:
    if p.price < cheapest.price:
        cheapest = p
answer(f"{cheapest.name} at {cheapest.price}")
---
budget = 30
bought = []
for p in products():
    if p.price <= budget:
        budget -= p.price
        bought.append(p.name)
answer({"bought": bought, "left": budget})
---
tried = 0
result = None
while tried < 5 and result is None:
    tried += 1
    guess = double(tried)
    if guess > 6:
        result = guess
answer([tried, result])
---
n = 3
if is_big(n):
    n = half(n)
else:
    while not is_big(n):
        n = double(n)
answer(n)
---
groups = {}
for t in ["wool", "red"]:
    members = [p.name for p in products() if t in tags(p.name)]
    groups[t] = members
answer(groups)
"""

each_source = pytest.mark.parametrize("source", [one.strip() + "\n" for one in SOURCES.split("---\n")])


def test_what_follows_a_jump_is_left_out_and_named() -> None:
    plan = read_python(
        "for p in products():\n    if p.units > 3:\n        break\n        double(2)\nanswer(1)\n", TOOLBOX
    )
    (problem,) = plan.problems
    assert str(problem) == "AK502 at line 4, plan: nothing runs after break or continue. Remove what follows."
    assert problem.severity == "warning"
    assert "double" not in str(plan)


async def by_plan(source: str) -> Any:
    """What the plan answers."""
    plan = read_python(source, TOOLBOX)
    assert plan.problems == ()
    report = check(plan, TOOLBOX, policy=Policy(writes="auto"), limits=Limits(seconds=10, steps=None, tool_calls=None))
    outcome = await execute(report.require())
    assert outcome.status == "done", outcome.error
    return outcome.value


@each_source
async def test_a_plan_answers_what_python_answers(source: str) -> None:
    assert await by_plan(source) == by_python(source)


@each_source
async def test_a_plan_written_back_answers_the_same(source: str) -> None:
    plan = read_python(source, TOOLBOX)
    again = write_python(plan, TOOLBOX)
    assert read_python(again, TOOLBOX) == plan
    assert read_json(write_json(plan)) == plan
    assert await by_plan(again) == by_python(source)


def test_the_sources_are_many() -> None:
    assert len(SOURCES.split("---\n")) >= 75


@pytest.mark.parametrize(
    "source",
    [
        'if is_big(x=3):\n    answer("big")',
        'if is_big(x=3):\n    answer("big")\nelse:\n    y = double(x=3)',
        "for one in products():\n    if is_big(x=one.price):\n        answer(one.name)",
        "n = 1\nwhile n < 10:\n    n = n * 2\n    if is_big(x=n):\n        answer(n)",
    ],
)
def test_a_plan_that_may_end_without_an_answer_is_refused(source: str) -> None:
    (problem,) = check(read_python(source, TOOLBOX), TOOLBOX).errors
    assert str(problem).endswith(
        "answer: the plan may come to its end without an answer. Answer in every case: end with answer(...)."
    )
    assert problem.code is Code.NO_ANSWER


@pytest.mark.parametrize(
    "source",
    [
        'if is_big(x=3):\n    answer("big")\nanswer("small")',
        'if is_big(x=3):\n    answer("big")\nelif is_big(x=30):\n    answer("small")\nelse:\n    answer("odd")',
        'for one in products():\n    if is_big(x=one.price):\n        answer(one.name)\nanswer("none")',
        "n = 1\nwhile True:\n    n = n * 2\n    if is_big(x=n):\n        answer(n)",
    ],
)
def test_a_plan_that_answers_on_every_path_is_accepted(source: str) -> None:
    assert check(read_python(source, TOOLBOX), TOOLBOX).errors == ()
