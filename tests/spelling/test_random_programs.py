"""Random programs with nested branches, loops, jumps and early answers mean as plans what they mean in Python."""

from __future__ import annotations

import random
import sys
from types import FrameType
from typing import Any

import pytest

from agentkit.checker import check
from agentkit.diagnostics import Code
from agentkit.executor import execute
from agentkit.limits import Limits
from agentkit.spelling import read_python, write_python
from tests.spelling.test_python_meaning import TOOLBOX, by_python

MOST_LINES = 400
"""Lines that CPython runs of a program before it counts as endless."""


class EndlessError(Exception):
    """The program runs for too long to be worth comparing."""


class Programs:
    """Writes one program after another; the seed says which."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def source(self) -> str:
        """A program over numbers a, b, c, a number z that may be unknown, and a list log."""
        names = ["a", "b", "c", *("z" for _ in range(self._draw.randrange(2)))]
        start = ["a = 1", "b = double(2)", "c = 3", "log = []"]
        body = self._block(3, 0, names, loop=False)
        return "\n".join([*start, *body, "answer([a, b, c, log])"]) + "\n"

    def _block(self, depth: int, indent: int, names: list[str], *, loop: bool) -> list[str]:
        lines: list[str] = []
        pad = "    " * indent
        for _ in range(self._draw.randint(1, 3)):
            kind = self._draw.choice(["set", "set", "add", "log", "if", "if", "for", "while", "jump", "answer"])
            if kind in ("if", "for", "while") and depth:
                lines += [f"{pad}{line}" for line in self._compound(kind, depth - 1, names, loop=loop)]
            elif kind == "jump" and loop:
                return [*lines, pad + self._draw.choice(["break", "continue"])]
            elif kind == "answer" and indent:
                return [*lines, f"{pad}answer([{self._expr(names)}, 'early'])"]
            elif kind == "add":
                lines.append(f"{pad}{self._draw.choice('abc')} += {self._expr(names)}")
            elif kind == "log":
                lines.append(f"{pad}log.append({self._expr(names)})")
            else:
                lines.append(f"{pad}{self._draw.choice('abcz')} = {self._expr(names)}")
        return lines

    def _compound(self, kind: str, depth: int, names: list[str], *, loop: bool) -> list[str]:
        if kind == "if":
            lines = [f"if {self._test(names)}:", *self._block(depth, 1, names, loop=loop)]
            return [*lines, "else:", *self._block(depth, 1, names, loop=loop)] if self._draw.random() < 0.6 else lines
        if kind == "for":
            item = self._draw.choice(["i", "j", "a"])
            source = self._draw.choice(["range(3)", "[3, 1, 2]", "range(1, 4)"])
            return [f"for {item} in {source}:", *self._block(depth, 1, [*names, item], loop=True)]
        name = self._draw.choice("abc")
        body = self._block(depth, 1, names, loop=True)
        return [f"while {name} < {self._draw.randrange(6)}:", *body, f"    {self._draw.choice('abc')} += 1"]

    def _expr(self, names: list[str]) -> str:
        name = self._draw.choice(names)
        number = self._draw.randrange(5)
        return self._draw.choice([str(number), name, name, f"double({name})", f"{name} + {number}"])

    def _test(self, names: list[str]) -> str:
        name, other = self._draw.choice(names), self._draw.choice(names)
        number = self._draw.randrange(12)
        return self._draw.choice([f"{name} > {number}", f"is_big({name})", f"{name} % 2 == 0", f"{name} < {other}"])


def in_time(source: str) -> Any:
    """What CPython answers.

    Raises:
        EndlessError: It runs on and on.
    """
    left = MOST_LINES

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise EndlessError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return by_python(source)
    finally:
        sys.settrace(before)


async def compare(seed: int) -> bool:
    """Hold one program to its meaning; whether there was something to compare."""
    source = Programs(seed).source()
    try:
        wanted = in_time(source)
    except (NameError, EndlessError, OverflowError):
        return False
    plan = read_python(source, TOOLBOX)
    assert read_python(write_python(plan, TOOLBOX), TOOLBOX) == plan, source
    report = check(plan, TOOLBOX, limits=Limits(seconds=10, steps=None, tool_calls=None))
    if report.checked is None:
        # A name that some paths leave unknown, or lines that nothing reaches: Python finds those when it gets there.
        assert all("'z'" in one.message or one.code is Code.UNREACHABLE for one in report.errors), (source, report)
        return False
    outcome = await execute(report.checked)
    assert outcome.status == "done", (source, outcome.error)
    assert outcome.value == wanted, source
    return True


async def test_random_programs_mean_what_python_means() -> None:
    assert sum([await compare(seed) for seed in range(250)]) > 100


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("start", range(1_000, 5_000, 1_000))
async def test_many_random_programs_mean_what_python_means(start: int) -> None:
    assert sum([await compare(seed) for seed in range(start, start + 1_000)]) > 400
