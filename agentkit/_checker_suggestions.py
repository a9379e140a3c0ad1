"""What to write instead of a value that cannot be used: only what would pass is suggested."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from agentkit.expressions import to_source
from agentkit.expressions.nodes import Expr, Literal
from agentkit.types import (
    ANY,
    BOOLEAN,
    NUMBER,
    STRING,
    ArrayType,
    Flow,
    Found,
    LiteralType,
    ObjectType,
    StringType,
    Type,
    flows,
    item_type,
    join,
    literal,
    members_of,
)

_SHOWN_AS_TEXT = join([NUMBER, BOOLEAN])
_EXAMPLES = {"date": '"2026-11-21"', "date-time": '"2026-11-21T09:30:00Z"', "time": '"09:30:00"'}


def instead(expr: Expr, kind: Type, target: Type) -> str:
    """What to write where `expr`, of type `kind`, stands and a `target` is wanted; empty if nothing is known."""
    if isinstance(expr, Literal):
        return _other_literal(expr.value, target)
    return next(_derived(kind, target), "")


def _fits(kind: Type, target: Type) -> bool:
    return flows(kind, target) is not Flow.NO


def _other_literal(value: object, target: Type) -> str:
    """The value that was meant by a literal of another type or spelling."""
    if isinstance(value, str):
        for kind in members_of(target):
            if isinstance(kind, LiteralType):
                texts = {str(one).lower(): one for one in kind.values if isinstance(one, str)}
                close = get_close_matches(value.lower(), list(texts), n=1)
                if close:
                    return f"Did you mean {to_source(Literal(texts[close[0]]))}?"
        for number in _numbers(value):
            if _fits(literal(number), target):
                return f"Write {number}, without quotes."
        if value.lower() in ("true", "false") and _fits(BOOLEAN, target):
            return f"Write {value.title()}, without quotes."
        formats = [kind.format for kind in members_of(target) if isinstance(kind, StringType)]
        example = next((_EXAMPLES[one] for one in formats if one in _EXAMPLES), "")
        return f"Write it like {example}." if example else ""
    if isinstance(value, int | float) and not isinstance(value, bool) and _fits(literal(str(value)), target):
        return f'Write "{value}", in quotes.'
    return ""


def _numbers(text: str) -> Iterator[int | float]:
    for read in (int, float):
        try:
            yield read(text)
        except ValueError:
            continue


def _derived(kind: Type, target: Type) -> Iterator[str]:
    """What makes a value that could be used. The value is not spelled: in another spelling it has other words."""
    if isinstance(kind, ObjectType) and (field := _field(kind, target)):
        yield f"Add .{field} to pass that field."
    if isinstance(kind, ArrayType):
        item = item_type(kind)
        of = item.type if isinstance(item, Found) else ANY
        field = f".{name}" if isinstance(of, ObjectType) and (name := _field(of, target)) else ""
        if field or flows(of, target) is Flow.YES:
            yield f"It is a list: add [0]{field} to pass its first item, or loop over it."
    if any(isinstance(one, ArrayType) and flows(kind, one.items) is Flow.YES for one in members_of(target)):
        yield "A list is wanted: write [ ] around it."
    if flows(kind, _SHOWN_AS_TEXT) is Flow.YES and flows(STRING, target) is Flow.YES:
        yield "Write str( ) around it."
    if flows(kind, STRING) is Flow.YES and _fits(NUMBER, target):
        yield f"Write {'float' if _fits(literal(0.5), target) else 'int'}( ) around it, if it spells a number."


def _field(kind: ObjectType, target: Type) -> str:
    """The first field of an object that could be used; empty if none could."""
    return next((n for n, field, _ in kind.fields if n.isidentifier() and flows(field, target) is Flow.YES), "")
