"""Names: the nearest known one to one that is not, and fresh ones for the steps that a reader makes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

KEYWORDS = frozenset(("answer", "ask", "call", "generate", "input", "parallel", "print", "subgoal"))
"""Names that the Python spelling gives a meaning of their own when they are called."""

_NOT_IDS = frozenset(("true", "false", "null"))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the known name nearest to `name`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else ""


class Ids:
    """The ids of one plan: unique, and for the same source always the same.

    Attributes:
        taken: Ids of steps and inputs, and names from outside.
        bound: Names that natural loops bind; no step may have one of them as its id.
    """

    def __init__(self, assigned: Iterable[str], first_use: Mapping[str, int], given: Iterable[str]) -> None:
        self._assigned = frozenset(assigned)
        self._first_use = first_use
        self._next: dict[str, int] = {}
        self.taken = set(given)
        self.bound: set[str] = set()

    def claim(self, name: str) -> str:
        """The id for an assignment to `name`: itself the first time, then ``name_2`` and so on."""
        if name not in self.taken and name not in self.bound and _may_be_id(name):
            self.taken.add(name)
            self._next.setdefault(name, 2)
            return name
        self._next.setdefault(name, 2)
        return self._number(name, line=None)

    def join(self, name: str) -> str:
        """Like `claim`, for a value with several versions: they are ``name_1``, ``name_2`` and so on."""
        self._next.setdefault(name, 1)
        return self.claim(name)

    def auto(self, base: str, line: int | None) -> str:
        """``base_1`` and so on, passing over names that the source assigns, or uses up to `line`."""
        self._next.setdefault(base, 1)
        return self._number(base, line)

    def bind(self, name: str) -> str:
        """The name for what a loop binds as `name`; other loops may bind the same one."""
        if name not in self.taken and _may_be_id(name):
            self.bound.add(name)
            return name
        return self.bind_fresh(name)

    def bind_fresh(self, base: str) -> str:
        """A name of its own for what a loop binds."""
        self._next.setdefault(base, 1)
        fresh = self._number(base, line=None)
        self.taken.discard(fresh)
        self.bound.add(fresh)
        return fresh

    def release(self, id: str) -> None:
        """Give back the id of a step that is dropped."""
        self.taken.discard(id)

    def _number(self, name: str, line: int | None) -> str:
        base = re.sub(r"^_+", "", name) or "item"
        number = self._next.get(name, 1)
        while self._unfit(f"{base}_{number}", line):
            number += 1
        self._next[name] = number + 1
        fresh = f"{base}_{number}"
        self.taken.add(fresh)
        return fresh

    def _unfit(self, name: str, line: int | None) -> bool:
        if name in self.taken or name in self.bound or name in self._assigned:
            return True
        used = self._first_use.get(name)
        return used is not None and (line is None or used <= line)


def _may_be_id(name: str) -> bool:
    return not name.startswith("_") and name not in _NOT_IDS
