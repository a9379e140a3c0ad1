"""The pure functions on texts."""

from __future__ import annotations

import re
from typing import Final

from agentkit.expressions._bounds import (
    MAX_LIST,
    Budget,
    Refusal,
    charge,
    charge_text,
    check_list,
    check_text,
    kind_of,
    mistyped,
)
from agentkit.expressions._collections import need_list
from agentkit.expressions._dates import format_date
from agentkit.expressions._operations import is_number, to_text
from agentkit.messages import Json

_MOST_WIDTH = 100
_SPEC: Final = re.compile(
    r"(?:.?[<>=^])?[+\- ]?z?#?0?(?P<width>\d{0,4})[,_]?(?:\.(?P<precision>\d{1,4}))?(?P<type>[bdeEfFgGosxX%]?)",
    re.DOTALL,
)


def need_text(value: Json, what: str = "it") -> str:
    """`value`, if it is a text."""
    if type(value) is str:
        return value
    raise mistyped(f"{what} must be a text, not {kind_of(value)}")


def _worked(budget: Budget, value: Json, what: str = "it") -> str:
    text = need_text(value, what)
    charge_text(budget, len(text))
    return text


def _grown(text: str) -> str:
    check_text(len(text))
    return text


def lower(budget: Budget, text: Json) -> Json:
    """A text in lower case."""
    return _grown(_worked(budget, text).lower())


def upper(budget: Budget, text: Json) -> Json:
    """A text in upper case."""
    return _grown(_worked(budget, text).upper())


def title(budget: Budget, text: Json) -> Json:
    """A text with the first letter of each word in upper case."""
    return _grown(_worked(budget, text).title())


def strip(budget: Budget, text: Json, characters: Json = None) -> Json:
    """A text without white space (or `characters`) at its ends."""
    chosen = None if characters is None else _worked(budget, characters, "characters")
    if chosen is not None and len(chosen) > _MOST_WIDTH:
        raise Refusal(f"characters may be at most {_MOST_WIDTH}")
    return _worked(budget, text).strip(chosen)


def split(budget: Budget, text: Json, separator: Json = None) -> Json:
    """The parts of a text between white space, or between `separator`."""
    whole = _worked(budget, text)
    between = None if separator is None else need_text(separator, "separator")
    if between == "":
        raise Refusal("the separator is empty")
    parts = whole.split(between, MAX_LIST)
    check_list(len(parts))
    charge(budget, len(parts))
    return parts


def join(budget: Budget, separator: Json, items: Json) -> Json:
    """The items of a list as one text with `separator` between them."""
    between, parts = need_text(separator, "separator"), need_list(items)
    charge(budget, len(parts))
    length = len(between) * max(len(parts) - 1, 0)
    texts = []
    for part in parts:
        texts.append(part if type(part) is str else to_text(part, budget))
        length += len(texts[-1])
        check_text(length)
    charge_text(budget, length)
    return between.join(texts)


def replace(budget: Budget, text: Json, old: Json, new: Json) -> Json:
    """A text with every `old` replaced by `new`."""
    whole, before, after = _worked(budget, text), need_text(old, "old"), need_text(new, "new")
    if before == "":
        raise Refusal("the text to replace is empty")
    length = len(whole) + whole.count(before) * (len(after) - len(before))
    check_text(length)
    charge_text(budget, length)
    return whole.replace(before, after)


def startswith(budget: Budget, text: Json, prefix: Json) -> Json:
    """Whether a text begins with `prefix`."""
    return _worked(budget, text).startswith(need_text(prefix, "prefix"))


def endswith(budget: Budget, text: Json, suffix: Json) -> Json:
    """Whether a text ends with `suffix`."""
    return _worked(budget, text).endswith(need_text(suffix, "suffix"))


def is_format(spec: Json) -> bool:
    """Whether a text is a format that some number may have; empty is one."""
    return isinstance(spec, str) and _SPEC.fullmatch(spec) is not None


def is_text_format(spec: Json) -> bool:
    """Whether a text is a format that some text may have; dates take patterns."""
    if not is_format(spec):
        return isinstance(spec, str) and "%" in spec
    try:
        format("", spec)
    except ValueError:
        return False
    return True


def format_(budget: Budget, value: Json, spec: Json = "") -> Json:
    """A value as text in Python's format, e.g. ``format(x, ".2f")``; dates take ``%Y-%m-%d`` and the like."""
    wanted = need_text(spec, "the format")
    if wanted == "":
        return to_text(value, budget)
    if type(value) is str and "%" in wanted:
        return format_date(budget, value, wanted)
    parts = _SPEC.fullmatch(wanted)
    if parts is None:
        raise Refusal(f"{wanted[:40]!r} is not a format; write one such as '.2f', ',' or '>10'")
    if int(parts["width"] or 0) > _MOST_WIDTH or int(parts["precision"] or 0) > _MOST_WIDTH:
        raise Refusal(f"width and precision of a format may be at most {_MOST_WIDTH}")
    if not is_number(value) and type(value) is not str:
        raise mistyped(f"cannot format {kind_of(value)} as {wanted!r}")
    if type(value) is str:
        charge_text(budget, len(value))
    elif type(value) is int:
        charge(budget, 1 + value.bit_length() // 32)
    try:
        return _grown(format(value, wanted))
    except ValueError:
        raise Refusal(f"cannot format {kind_of(value)} as {wanted!r}") from None
