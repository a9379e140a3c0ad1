"""From expressions back to text and JSON; both read back as the same expression."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Final
from unicodedata import normalize

from agentkit.expressions.nodes import (
    Apply,
    Binary,
    Compare,
    Comprehension,
    Conditional,
    Expr,
    Field,
    Item,
    Lambda,
    ListOf,
    Literal,
    Logical,
    Malformed,
    Name,
    ObjectOf,
    Slice,
    Template,
    Unary,
)
from agentkit.messages import Json

_LAMBDA, _CONDITIONAL, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _PRIMARY = range(11)
_BINARY_LEVELS: Final = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT}
_WORDS: Final = {"not-in": "not in", "is-not": "is not"}
_PLAIN_SPEC: Final = re.compile(r"[\w.,<>+\-=^%: /]+", re.ASCII)
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def to_source(expr: Expr) -> str:
    """Canonical Python source of an expression, with as few parentheses as it can do with.

    ``parse_expression(to_source(e)) == e`` for everything that parsing gives.
    """
    return _source(expr, _LAMBDA, '"')


def to_json_value(expr: Expr) -> Json:
    """An expression in the JSON spelling: literals as they are, anything else as ``"${source}"`` or text around such.

    ``parse_value(to_json_value(e)) == e`` for everything that parsing gives.
    """
    match expr:
        case Literal(value):
            return value.replace("${", "$${") if isinstance(value, str) else value
        case ListOf(items):
            return [to_json_value(item) for item in items]
        case ObjectOf(pairs):
            fields = {
                key.value: value for key, value in pairs if isinstance(key, Literal) and isinstance(key.value, str)
            }
            if len(fields) == len(pairs):
                return {name: to_json_value(value) for name, value in fields.items()}
            return _placeholder(expr)
        case Template(parts):
            return "".join(_template_text(parts))
        case Malformed(text):
            return f"${{{text}}}"
        case _:
            return _placeholder(expr)


def _template_text(parts: tuple[str | Expr, ...]) -> list[str]:
    texts = []
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            texts.append(_placeholder(part))
            continue
        text = part.replace("${", "$${")
        if text.endswith("$") and index + 1 < len(parts):
            # Two dollars before a brace would read as an escaped placeholder.
            plain = text.rstrip("$")
            text = f'{plain}${{"{text[len(plain) :]}"}}'
        texts.append(text)
    return texts


def _placeholder(expr: Expr) -> str:
    return f"${{{to_source(expr)}}}"


def quoted(text: str, quote: str = '"') -> str:
    """A text as a Python literal of printable characters."""
    return quote + _escaped(text, quote) + quote


def _escaped(text: str, quote: str) -> str:
    if text.isprintable() and quote not in text and "\\" not in text:
        return text
    return "".join(_escape(character, quote) for character in text)


def _escape(character: str, quote: str) -> str:
    if character == quote:
        return "\\" + quote
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _source(expr: Expr, level: int, quote: str) -> str:
    """The source of `expr` where nothing that binds less than `level` may stand bare."""
    text, own = _written(expr, quote)
    return text if own >= level else f"({text})"


def _written(expr: Expr, quote: str) -> tuple[str, int]:
    match expr:
        case Literal(value):
            return _literal(value, quote)
        case Name(id):
            return id, _PRIMARY
        case Field() | Item() | Slice():
            return _reading(expr, quote), _PRIMARY
        case Unary("not", operand):
            return f"not {_source(operand, _NOT, quote)}", _NOT
        case Unary(sign, operand):
            return f"{sign}{_source(operand, _SIGN, quote)}", _SIGN
        case Binary("**", left, right):
            return f"{_source(left, _PRIMARY, quote)} ** {_source(right, _SIGN, quote)}", _POWER
        case Binary(symbol, left, right):
            own = _BINARY_LEVELS[symbol]
            return f"{_source(left, own, quote)} {symbol} {_source(right, own + 1, quote)}", own
        case Compare(first, ops, rest):
            pairs = (f" {_WORDS.get(op, op)} {_source(part, _SUM, quote)}" for op, part in zip(ops, rest, strict=True))
            return _source(first, _SUM, quote) + "".join(pairs), _COMPARE
        case Logical(op, operands):
            own = _AND if op == "and" else _OR
            return f" {op} ".join(_source(operand, own + 1, quote) for operand in operands), own
        case Conditional(condition, then, otherwise):
            branches = _source(then, _OR, quote), _source(otherwise, _CONDITIONAL, quote)
            return f"{branches[0]} if {_source(condition, _OR, quote)} else {branches[1]}", _CONDITIONAL
        case Lambda(item, body):
            return f"lambda {item}: {_source(body, _CONDITIONAL, quote)}", _LAMBDA
        case Malformed(text):
            return text, _PRIMARY
        case Template(parts):
            return _template(parts, quote), _PRIMARY
        case _:
            return _enclosed(expr, quote), _PRIMARY


def _enclosed(expr: ListOf | ObjectOf | Comprehension | Apply, quote: str) -> str:
    match expr:
        case ListOf(items):
            return "[" + ", ".join(_source(item, _CONDITIONAL, quote) for item in items) + "]"
        case ObjectOf(pairs):
            written = (f"{_source(k, _CONDITIONAL, quote)}: {_source(v, _CONDITIONAL, quote)}" for k, v in pairs)
            return "{" + ", ".join(written) + "}"
        case Comprehension():
            return _comprehension(expr, quote)
        case Apply(function, args, keywords):
            given = [_source(arg, _CONDITIONAL, quote) for arg in args]
            given += [f"{name}={_source(value, _LAMBDA, quote)}" for name, value in keywords]
            return f"{function}({', '.join(given)})"


def _literal(value: None | bool | int | float | str, quote: str) -> tuple[str, int]:
    if isinstance(value, str):
        return quoted(value, quote), _PRIMARY
    text = repr(value)
    return text, _SIGN if text.startswith("-") else _PRIMARY


def _reading(expr: Field | Item | Slice, quote: str) -> str:
    of = _source(expr.of, _PRIMARY, quote)
    match expr:
        case Field(inner, key):
            if not is_attribute(key):
                return f"{of}[{quoted(key, quote)}]"
            is_number = isinstance(inner, Literal) and of[:1].isdigit()
            return f"({of}).{key}" if is_number else f"{of}.{key}"
        case Item(_, index):
            return f"{of}[{_source(index, _CONDITIONAL, quote)}]"
        case Slice(_, start, stop, step):
            bounds = ["" if part is None else _source(part, _CONDITIONAL, quote) for part in (start, stop)]
            tail = "" if step is None else f":{_source(step, _CONDITIONAL, quote)}"
            return f"{of}[{bounds[0]}:{bounds[1]}{tail}]"


def is_attribute(key: str) -> bool:
    """Whether a field is written ``.key``, not ``["key"]``."""
    return key.isidentifier() and not key.startswith("_") and not iskeyword(key) and normalize("NFKC", key) == key


def _comprehension(expr: Comprehension, quote: str) -> str:
    element = _source(expr.element, _CONDITIONAL, quote)
    key = "" if expr.key is None else f"{_source(expr.key, _CONDITIONAL, quote)}: "
    test = "" if expr.condition is None else f" if {_source(expr.condition, _OR, quote)}"
    loop = f"{key}{element} for {', '.join(expr.targets)} in {_source(expr.source, _OR, quote)}{test}"
    return f"[{loop}]" if expr.key is None else f"{{{loop}}}"


def _template(parts: tuple[str | Expr, ...], quote: str) -> str:
    """An f-string; or ``concat(…)``, which parsing reads back as the same, where an f-string cannot hold a part."""
    written = []
    for part in parts if quote == '"' else ():
        text = _escaped(part, quote).replace("{", "{{").replace("}", "}}") if isinstance(part, str) else _hole(part)
        if text is None:
            break
        written.append(text)
    if len(written) == len(parts):
        return f'f"{"".join(written)}"'
    values = (quoted(part, quote) if isinstance(part, str) else _source(part, _CONDITIONAL, quote) for part in parts)
    return f"concat({', '.join(values)})"


def _hole(part: Expr) -> str | None:
    """A value inside an f-string; None if Python cannot read it there (quotes, backslashes and comments)."""
    spec = ""
    match part:
        case Apply("format", (value, Literal(str() as spec_text)), ()) if _PLAIN_SPEC.fullmatch(spec_text):
            part, spec = value, f":{spec_text}"
    text = _source(part, _CONDITIONAL, "'")
    if any(character in text for character in '"\\#'):
        return None
    return f"{{({text}){spec}}}" if text.startswith("{") else f"{{{text}{spec}}}"
