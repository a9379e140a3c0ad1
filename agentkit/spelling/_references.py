"""References to the values in a line's scope, as pieces of a grammar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from agentkit.expressions.printing import is_attribute
from agentkit.spelling.special_tokens import spelled_out
from agentkit.types import ANY, ArrayType, Found, NullType, ObjectType, Type, item_type, members_of


@dataclass(frozen=True, slots=True)
class Reference:
    """Text of a reference as grammar, and the type of what it refers to."""

    rule: str
    type: Type


def paths(rule: str, kind: Type, depth: int) -> Iterator[Reference]:
    """A reference and the references into it, as far as its type is known."""
    yield Reference(rule, kind)
    if depth == 0:
        return
    for member in members_of(kind):
        if isinstance(member, ObjectType):
            for name, inner, _ in member.fields:
                step = f".{name}" if is_attribute(name) else f"[{python_literal(name)}]"
                yield from paths(joined(rule, escaped(step)), inner, depth - 1)
        elif isinstance(member, ArrayType) and member.max_items != 0:
            found = item_type(member)
            inner = found.type if isinstance(found, Found) else ANY
            last = 9 if member.max_items is None else min(member.max_items - 1, 9)
            indexes = "IDX" if last == 9 else f'("-1" | {" | ".join(quoted(str(i)) for i in range(last + 1))})'
            yield from paths(f'{joined(rule, "[")} {indexes} "]"', inner, depth - 1)


def records(kind: Type) -> Iterator[ObjectType]:
    """The types of records that a value of this type is, or is a list of."""
    for member in members_of(kind):
        if isinstance(member, ObjectType):
            yield member
        elif isinstance(member, ArrayType):
            found = item_type(member)
            if isinstance(found, Found):
                yield from records(found.type)


def joined(rule: str, text: str) -> str:
    """`rule` followed by literal text; adjacent literals become one."""
    return f'{rule[:-1]}{text}"' if rule.endswith('"') else f'{rule} "{text}"'


def is_optional(kind: Type) -> bool:
    return any(isinstance(member, NullType) for member in members_of(kind))


def python_literal(value: object) -> str:
    """A JSON value as Python, in which no tokenizer finds a special token."""
    plain = value is None or isinstance(value, bool)
    return repr(value) if plain else spelled_out(json.dumps(value, ensure_ascii=False))


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def quoted(text: str) -> str:
    """A grammar literal of `text`."""
    return f'"{escaped(text)}"'
