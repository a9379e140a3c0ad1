"""Text, JSON and CSV: what a plan needs beyond the functions of its expressions.

Patterns run on RE2, in time linear in the text, so that no pattern can hang a run. JMESPath expressions are measured
before they run: one that would multiply its data beyond bounds is refused.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import math
from typing import Literal

from typing_extensions import TypedDict

from agentkit.errors import ModelRetry
from agentkit.toolbox import Tool, tool
from agentkit.tools._jmespath import search_json
from agentkit.tools._patterns import (
    MAX_TEXT,
    check_length,
    compile_pattern,
    fill_template,
    iterate_matches,
    shown,
)

MAX_MATCHES = 1_000
MAX_DIFF_LINES = 4_000
MAX_DEPTH = 100
MAX_DIGITS = 1_000


class TextSize(TypedDict):
    """How long a text is.

    Attributes:
        characters: Unicode characters, spaces included.
        words: Runs of characters between white space.
        lines: Lines; 0 for an empty text.
    """

    characters: int
    words: int
    lines: int


class Match(TypedDict):
    """One place where a pattern matched.

    Attributes:
        text: What matched.
        start: Position of its first character, from 0.
        line: Line that it starts on, from 1.
        groups: What the pattern's groups matched, in their order; null for one that took no part.
    """

    text: str
    start: int
    line: int
    groups: list[str | None]


class Matches(TypedDict):
    """Where a pattern matched.

    Attributes:
        matches: The matches, in the order of the text.
        count: How many are listed.
        truncated: Whether there are more than were asked for.
    """

    matches: list[Match]
    count: int
    truncated: bool


class Replaced(TypedDict):
    """A text after a replacement.

    Attributes:
        text: The new text.
        count: How many places were replaced.
    """

    text: str
    count: int


class Difference(TypedDict):
    """How two texts differ.

    Attributes:
        equal: Whether they are the same.
        added: Lines that only the second text has.
        removed: Lines that only the first text has.
        diff: The difference in unified format; empty if no line differs.
    """

    equal: bool
    added: int
    removed: int
    diff: str


@tool(effect="pure", tags=("text",))
def count_text(text: str) -> TextSize:
    """Count the characters, words and lines of a text.

    Args:
        text: Text to measure.
    """
    return TextSize(characters=len(text), words=len(text.split()), lines=len(text.splitlines()))


@tool(effect="pure", tags=("text",))
def find_pattern(text: str, pattern: str, ignore_case: bool = False, limit: int = 100) -> Matches:
    """Find where a regular expression matches in a text.

    Args:
        text: Text to search, at most a million characters.
        pattern: Regular expression in RE2's syntax: Python's without look-around and back references.
        ignore_case: Whether capital and small letters are the same.
        limit: How many matches to list, 1 to 1000.

    Raises:
        ModelRetry: If the pattern is invalid or takes too long, or an argument is out of range.
    """
    if not 1 <= limit <= MAX_MATCHES:
        raise ModelRetry(f"limit must be from 1 to {MAX_MATCHES}, not {limit}")
    found: list[Match] = []
    line, at = 1, 0
    for match in iterate_matches(compile_pattern(pattern, ignore_case=ignore_case), text):
        if len(found) == limit:
            return Matches(matches=found, count=limit, truncated=True)
        start, end = match.span()
        line += text.count("\n", at, start)
        at = start
        found.append(Match(text=text[start:end], start=at, line=line, groups=list(match.groups())))
    return Matches(matches=found, count=len(found), truncated=False)


@tool(effect="pure", tags=("text",))
def replace_pattern(text: str, pattern: str, replacement: str, ignore_case: bool = False) -> Replaced:
    r"""Replace every match of a regular expression in a text.

    Args:
        text: Text to change, at most a million characters.
        pattern: Regular expression in RE2's syntax: Python's without look-around and back references.
        replacement: Text to put in; \1 or \g<name> stands for what a group matched.
        ignore_case: Whether capital and small letters are the same.

    Raises:
        ModelRetry: If the pattern or the replacement is invalid, takes too long, or makes the text too long.
    """
    pieces: list[str] = []
    at = size = count = 0
    for match in iterate_matches(compile_pattern(pattern, ignore_case=ignore_case), text):
        start, end = match.span()
        new = fill_template(replacement, match)
        pieces += (text[at:start], new)
        size += len(new)
        if size > MAX_TEXT:
            raise ModelRetry(f"the replaced text is longer than {MAX_TEXT} characters; replace less")
        at, count = end, count + 1
    return Replaced(text="".join((*pieces, text[at:])), count=count)


@tool(effect="pure", tags=("text",))
def extract_between(text: str, start: str, end: str) -> list[str]:
    """Extract every part of a text that stands between two markers.

    Args:
        text: Text to search.
        start: Marker before each part.
        end: Marker after each part.

    Raises:
        ModelRetry: If a marker is empty.
    """
    if not start or not end:
        raise ModelRetry("start and end are texts that mark a part; neither may be empty")
    parts: list[str] = []
    at = text.find(start)
    while at >= 0:
        first = at + len(start)
        last = text.find(end, first)
        if last < 0:
            break
        parts.append(text[first:last])
        at = text.find(start, last + len(end))
    return parts


@tool(effect="pure", tags=("text",))
def diff_texts(before: str, after: str) -> Difference:
    """Compare two texts line by line.

    Args:
        before: First text.
        after: Second text.

    Raises:
        ModelRetry: If the texts have too many lines.
    """
    check_length("the first text", before)
    check_length("the second text", after)
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MAX_DIFF_LINES:
        raise ModelRetry(f"the texts have {len(old) + len(new)} lines; at most {MAX_DIFF_LINES} can be compared")
    lines = list(difflib.unified_diff(old, new, "before", "after", lineterm=""))
    return Difference(
        equal=before == after,
        added=sum(line.startswith("+") for line in lines[2:]),
        removed=sum(line.startswith("-") for line in lines[2:]),
        diff="\n".join(lines),
    )


@tool(effect="pure", tags=("text",))
def hash_text(text: str, algorithm: Literal["sha256", "sha512", "sha1", "md5"] = "sha256") -> str:
    """Compute the hash of a text's UTF-8 bytes, as hexadecimal digits.

    Args:
        text: Text to hash.
        algorithm: Hash function; sha1 and md5 only for comparing with old ones, since they are broken.
    """
    return hashlib.new(algorithm, text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


@tool(effect="pure", tags=("text",))
def parse_json(text: str) -> object:
    """Read a JSON text as data.

    Args:
        text: JSON, such as '{"price": 12.5}'.

    Raises:
        ModelRetry: If it is not JSON, or too long or deep.
    """
    check_length("the JSON text", text)
    try:
        value: object = json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        near = text[max(error.pos - 20, 0) : error.pos + 20]
        raise ModelRetry(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}, near {near!r}") from None
    except RecursionError:
        raise ModelRetry(f"the JSON text is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise ModelRetry(f"not JSON that can be used: {error}") from None
    if _depth(value) > MAX_DEPTH:
        raise ModelRetry(f"the JSON text is nested more than {MAX_DEPTH} deep")
    return value


@tool(effect="pure", tags=("text",))
def query_json(data: object, expression: str) -> object:
    """Select from JSON data with a JMESPath expression, e.g. filter, sort, group or reshape it.

    Args:
        data: JSON data.
        expression: JMESPath, such as 'people[?age > `20`].name' or 'max_by(products, &units).name'.

    Raises:
        ModelRetry: If the expression is invalid, does not fit the data, or builds too much.
    """
    return search_json(expression, data)


@tool(effect="pure", tags=("text",))
def csv_to_json(text: str, delimiter: Literal[",", ";", "|", "\t"] = ",") -> list[dict[str, str]]:
    """Read CSV text whose first line names the columns, one object a row.

    Args:
        text: CSV text.
        delimiter: Character between two cells.

    Raises:
        ModelRetry: If a row does not fit the header, or a column has no name or a name twice.
    """
    check_length("the CSV text", text)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise ModelRetry(f"not CSV: {error}") from None
    if not rows:
        return []
    header = [name.strip().removeprefix("\ufeff") for name in rows[0]]
    if "" in header or len(set(header)) < len(header):
        raise ModelRetry(f"the header {', '.join(map(repr, header))} must name every column differently")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise ModelRetry(f"row {number} has {len(row)} cells and the header has {len(header)} columns")
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]


@tool(effect="pure", tags=("text",))
def json_to_csv(rows: list[dict[str, object]], delimiter: Literal[",", ";", "|", "\t"] = ",") -> str:
    """Write a list of objects as CSV text with a header; the columns are all their keys.

    Args:
        rows: Objects, one a row; a missing key is an empty cell, a list or an object is written as JSON.
        delimiter: Character between two cells.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{shown(digits)} is too large for a number")
    return number


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"{shown(digits)} is too large for a number")
    return int(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _depth(value: object) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        current, depth = stack.pop()
        deepest = max(deepest, depth)
        if depth > MAX_DEPTH:
            return depth
        inner = current.values() if isinstance(current, dict) else current if isinstance(current, list) else ()
        stack.extend((item, depth + 1) for item in inner)
    return deepest


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


TOOLS: tuple[Tool, ...] = (
    count_text,
    find_pattern,
    replace_pattern,
    extract_between,
    diff_texts,
    hash_text,
    parse_json,
    query_json,
    csv_to_json,
    json_to_csv,
)
"""The tools of this family."""
