"""Ways out of sandboxes, and bombs, in whole plans of both spellings: refused, or ended, with nothing executed."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agentkit.checker import check
from agentkit.executor import execute
from agentkit.limits import Limits
from agentkit.plan import Plan
from agentkit.run import Run
from agentkit.spelling import read_json, read_python
from tests.expressions.test_escapes import ESCAPES
from tests.expressions.test_evaluate import BOMBS
from tests.plans import AUTO, BASIC, call, value

LIMITS = Limits(steps=2_000, tool_calls=500, loop_iterations=20)
SCHEMAS: dict[str, dict[str, Any]] = {
    "x": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "xs": {"type": "array", "items": {"type": "integer"}},
    "word": {"type": "string"},
    "yes": {"type": "boolean"},
    "big": {"type": "string"},
}
VALUES: dict[str, Any] = {"x": {"a": 1}, "xs": [1, 2], "word": "class", "yes": True, "big": "a" * 600_000}
SCHEMAS["x"]["additionalProperties"] = False
HEAD = "".join(f"{name} = input({schema})\n" for name, schema in SCHEMAS.items())

ESCAPING_STATEMENTS = [
    "import os",
    "import os as answer",
    "from os import system",
    "from os import *",
    "__import__('os').system('id')",
    "exec('import os')",
    "class A: pass",
    "class A(metaclass=type): x = __import__('os')",
    "def f(x=__import__('os')): return x",
    "async def f(): await g()",
    "@eval\ndef f(): pass",
    "f = lambda: __import__('os')",
    "with open('/etc/passwd') as f: pass",
    "try:\n    1 / 0\nexcept Exception as e:\n    y = e.__traceback__.tb_frame.f_globals",
    "try:\n    pass\nfinally:\n    y = 1",
    "raise SystemExit",
    "assert False, __import__('os')",
    "global x",
    "del xs",
    "x.__class__ = 1",
    "x['__class__'].y = 1",
    "__builtins__.x = 1",
    "[y.__class__ for y in xs]",
    "for y.z in xs: pass",
    "match x:\n    case object(__class__=c): pass",
    "while (y := __import__('os')): pass",
    "print(__import__('os'))",
    "call('__import__', arg1='os')",
    "call('double', **x)",
    "double(*xs)",
    "os.system('id')",
    "double.__globals__",
    "double.__call__(1)",
    "y = double.call",
    "yield 1",
    "return __import__('os')",
    "if __import__('os'):\n    pass",
    "type A = int",
    "x = eval",
    "generate(__import__('os').name)",
]


def in_json(expression: str) -> list[Plan]:
    """Plans that compute an expression in the places that JSON has for them."""
    hole = f"${{{expression}}}"
    places: list[list[dict[str, Any]]] = [
        [value("y", f"a {hole}")],
        [call("y", "double", number=hole)],
        [{"id": "y", "kind": "if", "condition": hole, "then": [value("z", 1)]}],
        [{"id": "y", "kind": "for_each", "item": "i", "in": hole, "do": [call("z", "double", number=1)]}],
    ]
    plans: list[dict[str, Any]] = [{"steps": steps, "answer": "${y}"} for steps in places]
    return [read_json({"inputs": SCHEMAS, **plan}) for plan in [*plans, {"steps": [], "answer": hole}]]


def in_python(expression: str) -> list[Plan]:
    """Plans that compute an expression in the places that Python has for them."""
    lines = [f"answer({expression})", f"y = {expression}\nanswer(y)", f"y = double(number={expression})\nanswer(y)"]
    lines += [f"for y in {expression}:\n    double(number=1)\nanswer(1)", f"while {expression}:\n    y = 1\nanswer(1)"]
    return [read_python(f"{HEAD}{line}\n", BASIC) for line in lines]


async def succeeds(plan: Plan) -> bool:
    """Whether the checker passes a plan and it runs to its answer."""
    report = check(plan, BASIC, policy=AUTO, limits=LIMITS)
    if report.checked is None:
        return False
    inputs = {name: VALUES[name] for name in plan.inputs}
    return (await execute(report.checked, inputs=inputs, run=Run(limits=LIMITS))).status == "done"


_EVENTS: list[str] = []
_WATCHING: list[bool] = []
_DANGEROUS = ("os.", "subprocess.", "import", "exec", "open", "socket.", "ctypes.", "pickle.", "sys._getframe")


def _watch(event: str, args: tuple[Any, ...]) -> None:
    # For its message about a syntax error, Python looks for a file of the source's name.
    if _WATCHING and event.startswith(_DANGEROUS) and args[:1] != ("<unknown>",):
        _EVENTS.append(event)


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[None]:
    """Nothing is imported, opened or executed inside."""
    _EVENTS.clear()
    _WATCHING.append(True)
    try:
        yield
    finally:
        _WATCHING.clear()
    assert _EVENTS == []


@pytest.fixture(autouse=True, scope="module")
def everything_is_loaded() -> None:
    """What plans load when they are first used is no escape."""
    for plan in (*in_json("len(xs)"), *in_python("len(xs)")):
        asyncio.run(succeeds(plan))


async def test_no_escape_gets_anywhere_in_json() -> None:
    with watched():
        for escape in ESCAPES:
            assert not any([await succeeds(plan) for plan in in_json(escape)]), escape


async def test_no_escape_gets_anywhere_in_python() -> None:
    with watched():
        for escape in ESCAPES:
            # As an argument, x = 1 is a name for a value; as a line, x; y is two.
            assert escape in ("x = 1", "x; y") or not any([await succeeds(plan) for plan in in_python(escape)]), escape


@pytest.mark.parametrize("statement", ESCAPING_STATEMENTS)
async def test_no_statement_gets_anywhere(statement: str) -> None:
    indented = statement.replace("\n", "\n    ")
    with watched():
        for text in (f"{statement}\nanswer(1)\n", f"for i in xs:\n    {indented}\nanswer(1)\n"):
            assert not await succeeds(read_python(HEAD + text, BASIC)), text


@pytest.mark.parametrize("statement", ["y: __import__('os') = 1", "y: eval('1')", "for __builtins__ in xs: pass"])
async def test_annotations_are_not_read_and_names_are_only_names(statement: str) -> None:
    with watched():
        assert await succeeds(read_python(f"{HEAD}{statement}\nanswer(1)\n", BASIC))


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
async def test_a_bomb_ends_a_plan_soon(bomb: str) -> None:
    for plan in (in_json(bomb)[-1], in_python(bomb)[1]):
        started = time.thread_time()
        assert not await succeeds(plan)
        assert time.thread_time() - started < 2.0


@pytest.mark.parametrize(
    "text",
    [
        "for i in range(10 ** 12):\n    double(number=i)\nanswer(1)",
        "for i in range(99999):\n    double(number=i)\nanswer(1)",
        "x = 1\nwhile True:\n    x = double(number=x)\nanswer(x)",
        "x = 'a'\nfor _ in range(90):\n    x = x + x\nanswer(x)",
        "x = [1]\nwhile len(x) > 0:\n    x = x + x\nanswer(x)",
        "x = 9\nfor _ in range(20):\n    x = x ** x\nanswer(x)",
        "answer([[[i for i in range(100)] for j in range(1000)] for k in range(1000)])",
    ],
)
async def test_a_loop_that_grows_without_end_ends_soon(text: str) -> None:
    started = time.thread_time()
    assert not await succeeds(read_python(text, BASIC))
    assert time.thread_time() - started < 2.0
