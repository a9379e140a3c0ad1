"""Regular expressions from models, on RE2: matching takes time linear in the text, and memory is bounded.

Backtracking engines can be stopped by a clock, but not kept from filling the memory: ``((a{1000}){1000}){1000}`` does
it while it is compiled. RE2 has no such patterns; in return it has no look-around and no back references.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Protocol

from agentkit.errors import ModelRetry
from agentkit.tools._optional import load

MAX_TEXT = 1_000_000
MAX_PATTERN = 1_000
MAX_MEMORY = 16 * 1024**2
MAX_SECONDS = 2.0

_GROUP = re.compile(r"\\(?:(?P<number>\d{1,2})|g<(?P<name>\w+)>|(?P<escaped>.?))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


class PatternMatch(Protocol):
    """What is used of a match."""

    def __getitem__(self, group: int | str) -> str | None:
        """What a group matched; group 0 is the whole match."""
        ...

    def groups(self) -> tuple[str | None, ...]:
        """What each group matched."""
        ...

    def span(self) -> tuple[int, int]:
        """Where the match starts and ends."""
        ...


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Any:
    """An RE2 object for `pattern`.

    Raises:
        ModelRetry: If the pattern is invalid or too long.
    """
    re2 = load("re2", "regular expressions", install="google-re2")
    if len(pattern) > MAX_PATTERN:
        raise ModelRetry(f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} are taken")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        lacking = reason.startswith(("invalid perl operator", "invalid escape"))
        hint = " (there are no look-arounds and back references; search in several steps)" if lacking else ""
        raise ModelRetry(f"the pattern {shown(pattern)} is invalid: {reason}{hint}") from None
    except UnicodeEncodeError:
        raise ModelRetry(
            "the pattern contains half a character (a lone surrogate); write the whole character"
        ) from None


def iterate_matches(compiled: Any, text: str, *, seconds: float = MAX_SECONDS) -> Iterator[PatternMatch]:
    """Every match of a compiled pattern in `text`, from left to right.

    Raises:
        ModelRetry: If the text is too long, or matching takes longer than `seconds`.
    """
    check_length("the text", text)
    started = time.monotonic()
    try:
        for match in compiled.finditer(text):
            # One match is linear in the text, all of them together need not be.
            if time.monotonic() - started > seconds:
                raise ModelRetry(f"the pattern takes longer than {seconds:g} s on this text; make it more specific")
            yield match
    except UnicodeEncodeError:
        raise ModelRetry("the text contains half a character (a lone surrogate) and cannot be searched") from None


def check_length(what: str, text: str) -> None:
    """Refuse a text of more than `MAX_TEXT` characters.

    Raises:
        ModelRetry: It is longer.
    """
    if len(text) > MAX_TEXT:
        raise ModelRetry(f"{what} has {len(text)} characters; at most {MAX_TEXT} are taken; split it")


def fill_template(template: str, match: PatternMatch) -> str:
    r"""`template` with ``\1`` and ``\g<name>`` replaced by what the groups of `match` matched.

    Raises:
        ModelRetry: If there is no such group, or another escape than ``\n``, ``\t`` and ``\\``.
    """

    def replaced(found: re.Match[str]) -> str:
        if (escaped := found["escaped"]) is not None:
            if escaped not in _ESCAPES:
                raise ModelRetry(rf"the replacement {shown(template)} has {found[0]!r} in it; write \\ for a backslash")
            return _ESCAPES[escaped]
        group = found["number"] or found["name"]
        try:
            return match[int(group) if group.isdecimal() else group] or ""
        except IndexError:
            raise ModelRetry(
                f"the replacement {shown(template)} names group {group}, which the pattern lacks"
            ) from None

    return _GROUP.sub(replaced, template)


def shown(text: str) -> str:
    """`text` in quotes, cut to a length fit for messages."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
