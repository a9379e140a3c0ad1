"""The grammar of the next line of a plan, made from the names and types defined so far (llguidance's Lark dialect).

An argument of type number admits a number, or a reference or expression that is one, and nothing else. A line that the
checker would refuse for its tools, arguments, names or types cannot be written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentkit.spelling.whole_grammar import optional_list
from agentkit.toolbox import Tool, Toolbox
from agentkit.types import (
    ANY,
    BOOLEAN,
    NUMBER,
    STRING,
    AnyType,
    ArrayType,
    BooleanType,
    Flow,
    Found,
    IntegerType,
    LiteralType,
    NullType,
    NumberType,
    ObjectType,
    StringType,
    Type,
    flows,
    item_type,
    members_of,
)

ITEM = "p"
"""The name that comprehensions of a typed line bind."""

MAX_DEPTH = 3
"""How deep references go into a value: fields and indexes."""

_TERMINALS = r"""
NEW: /[a-z][a-z0-9_]{0,23}/
STRING: /"[^"\\\n]{0,200}"/
FTEXT: /[^"{}\\\n]{1,200}/
DATE: /"[0-9]{4}-[01][0-9]-[0-3][0-9]"/
INT: /-?[0-9]{1,9}/
NUM: /-?[0-9]{1,9}(\.[0-9]{1,6})?/
IDX: /-1|[0-9]/
"""

_FORMATS = {"date": "DATE"}
_COMPARE = '(" == " | " != " | " < " | " <= " | " > " | " >= ")'


@dataclass(frozen=True, slots=True)
class LineOption:
    """One place where the next line may stand.

    Attributes:
        indent: Its indentation, in levels of four spaces.
        scope: The names that it can see, with their types.
        in_loop: ``break`` is possible.
        after_if: ``else:`` is possible.
        answer: ``answer(…)`` is possible.
        opens: Blocks may be opened: ``if``, ``for``, ``while``.
        lists: Names of lists that the enclosing loop appends to.
    """

    indent: int
    scope: Mapping[str, Type]
    in_loop: bool = False
    after_if: bool = False
    answer: bool = True
    opens: bool = True
    lists: tuple[str, ...] = ()


def line_grammar(toolbox: Toolbox, options: Sequence[LineOption]) -> str:
    """The grammar of one line, without its newline, at any of the places that `options` allow.

    Args:
        toolbox: The tools that the line may call.
        options: Where it may stand, and what it sees there.
    """
    rules = _Rules()
    starts = []
    for position, option in enumerate(options):
        line = _Line(rules, toolbox, option, f"s{position}")
        indent = f'"{"    " * option.indent}" ' if option.indent else ""
        starts.append(f"{indent}{line.statement()}")
    rules.add("start", starts)
    return rules.text()


class _Rules:
    """Rules by name, in the order they were made."""

    def __init__(self) -> None:
        self._rules: dict[str, list[str]] = {}

    def add(self, name: str, alternatives: Iterable[str]) -> str:
        self._rules[name] = list(dict.fromkeys(alternatives))
        return name

    def reserve(self, name: str) -> bool:
        """Whether `name` is new; a reserved rule may refer to itself while it is being made."""
        if name in self._rules:
            return False
        self._rules[name] = []
        return True

    def text(self) -> str:
        rows = [f"{name}: {' | '.join(alternatives)}" for name, alternatives in self._rules.items()]
        return "\n".join(rows) + _TERMINALS


@dataclass(frozen=True, slots=True)
class _Reference:
    """Text of a reference as grammar, and the type of what it refers to."""

    rule: str
    type: Type


class _Line:
    """Rules of one line in one scope. Rules of a comprehension's inside see its item too, under a name of their own."""

    def __init__(self, rules: _Rules, toolbox: Toolbox, option: LineOption, name: str) -> None:
        self._rules = rules
        self._toolbox = toolbox
        self._option = option
        self._name = name
        self._references = [one for key, kind in option.scope.items() for one in _paths(_quote(key), kind, MAX_DEPTH)]
        self._kinds: dict[Type, str] = {}

    # statements

    def statement(self) -> str:
        """The rule of a whole statement."""
        option = self._option
        forms = [self.calls(), f'NEW " = " {self.calls()}', f'NEW " = " {self._anything()}']
        forms += self._comprehensions()
        if option.answer:
            forms.append(f'"answer(" {self._anything()} ")"')
        if option.opens:
            forms += self._openings()
        if option.after_if:
            forms.append('"else:"')
        if option.in_loop:
            forms.append('"break"')
        forms += [f'"{name}.append(" {self._anything()} ")"' for name in option.lists]
        return self._rules.add(f"{self._name}_line", forms)

    def _openings(self) -> list[str]:
        forms = [f'"if " {self.condition()} ":"']
        forms += [f'"for {ITEM} in " {reference.rule} ":"' for reference in self._lists()]
        forms += [f'"while " {self.condition()} ":"', '"for _ in range(" INT "):"', 'NEW " = []"']
        return forms

    def _comprehensions(self) -> list[str]:
        """``x = [f(a=p.b) for p in xs]``: the call sees the item, so each list has rules of its own."""
        forms = []
        for position, reference in enumerate(self._lists()):
            inner = self._inside(reference, position)
            tail = f'" for {ITEM} in " {reference.rule}'
            where = f'(" if " {inner.condition()})?'
            forms.append(f'NEW " = [" {inner.calls()} {tail} {where} "]"')
        return forms

    def _inside(self, reference: _Reference, position: int) -> _Line:
        """The line's rules inside a comprehension over `reference`."""
        found = item_type(reference.type)
        item = found.type if isinstance(found, Found) else ANY
        scope = {**self._option.scope, ITEM: item}
        option = LineOption(self._option.indent, scope, answer=False, opens=False)
        return _Line(self._rules, self._toolbox, option, f"{self._name}_in{position}")

    def calls(self) -> str:
        """The rule of calls of all tools."""
        name = f"{self._name}_call"
        if self._rules.reserve(name):
            self._rules.add(name, [self._call(tool) for tool in self._toolbox.values()] + self._steps())
        return name

    def _call(self, tool: Tool) -> str:
        target = tool.input_type
        fields = {name: kind for name, kind, _ in target.fields} if isinstance(target, ObjectType) else {}
        required = [p.name for p in tool.parameters if p.required]
        optional = [p.name for p in tool.parameters if not p.required]
        values = {name: f'"{name}=" {self._value(fields.get(name, ANY))}' for name in (*required, *optional)}
        inside = ' ", " '.join(values[name] for name in required)
        if required:
            inside += "".join(f' (", " {values[name]})?' for name in optional)
        else:
            inside = optional_list([values[name] for name in optional])
        return f'"{tool.python_name}(" {inside} ")"' if inside else f'"{tool.python_name}()"'

    def _steps(self) -> list[str]:
        return [f'"generate(" {self._text()} ")"', f'"ask(" {self._text()} ")"']

    # values

    def _value(self, kind: Type) -> str:
        """The rule of values of a type: literals, references that flow to it, and expressions that make it."""
        known = self._kinds.get(kind)
        if known is not None:
            return known
        name = self._kinds[kind] = f"{self._name}_v{len(self._kinds)}"
        self._rules.reserve(name)
        forms = [form for member in members_of(kind) for form in self._forms(member)]
        forms += [one.rule for one in self._references if flows(one.type, kind) is not Flow.NO]
        self._rules.add(name, forms or ["STRING"])
        return name

    def _forms(self, kind: Type) -> Iterator[str]:
        """Literals and expressions of a type that is no union."""
        match kind:
            case AnyType():
                yield self._anything()
            case LiteralType(values):
                yield from (_quote(_python(value)) for value in values)
            case BooleanType():
                yield from ('"True"', '"False"', self.condition())
            case NullType():
                yield '"None"'
            case IntegerType():
                yield from ("INT", self._number())
            case NumberType():
                yield self._number()
            case StringType():
                yield from self._string_forms(kind)
            case ArrayType():
                yield from self._array_forms(kind)
            case ObjectType():
                yield self._object(kind)
            case _:
                yield self._anything()

    def _string_forms(self, kind: StringType) -> Iterator[str]:
        yield _FORMATS.get(kind.format or "", "STRING")
        if kind.format == "date":
            dates = [one.rule for one in self._references if flows(one.type, StringType(format="date")) is Flow.YES]
            if dates:
                yield f'"add_days(" ({" | ".join(dates)}) ", " INT ")"'
        elif kind.format is None:
            yield self._template()

    def _array_forms(self, kind: ArrayType) -> Iterator[str]:
        found = item_type(kind)
        item = found.type if isinstance(found, Found) else ANY
        value = self._value(item)
        yield f'"[" {value} (", " {value})* "]"'
        for reference in self._lists():
            yield from (
                f'"[" {part.rule} " for {ITEM} in " {reference.rule} "]"'
                for part in self._item_paths(reference)
                if flows(part.type, item) is not Flow.NO
            )

    def _object(self, kind: ObjectType) -> str:
        pairs = [f'"{_escape(json.dumps(name))}: " {self._value(of)}' for name, of, required in kind.fields if required]
        if pairs:
            return '"{" ' + ' ", " '.join(pairs) + ' "}"'
        return f'"{{" (STRING ": " {self._value(kind.additional or ANY)})? "}}"'

    # expressions

    def _anything(self) -> str:
        """The rule of any value: what an answer may be."""
        name = f"{self._name}_any"
        if self._rules.reserve(name):
            everything = [one.rule for one in self._references]
            lists = [
                f'"[" {part.rule} " for {ITEM} in " {reference.rule} {self._filter(reference)} "]"'
                for reference in self._lists()
                for part in self._item_paths(reference)
            ]
            forms = [self._text(), self._number(), *everything, *lists, f'"[" {name} (", " {name})* "]"']
            self._rules.add(name, forms)
        return name

    def _filter(self, reference: _Reference) -> str:
        """An optional condition on a comprehension's item."""
        parts = self._item_paths(reference)
        numbers = [part.rule for part in parts if flows(part.type, NUMBER) is Flow.YES]
        texts = [part.rule for part in parts if flows(part.type, STRING) is Flow.YES]
        tests = [f"({' | '.join(numbers)}) {_COMPARE} {self._number()}"] if numbers else []
        tests += [f'({" | ".join(texts)}) (" == " | " != ") STRING'] if texts else []
        return f'(" if " ({" | ".join(tests)}))?' if tests else ""

    def _number(self) -> str:
        name = f"{self._name}_num"
        if self._rules.reserve(name):
            term = self._rules.add(f"{self._name}_term", self._terms(name))
            self._rules.add(name, [f'{term} ((" + " | " - " | " * " | " / ") {term}){{0,3}}'])
        return name

    def _terms(self, number: str) -> Iterator[str]:
        yield "NUM"
        yield from (one.rule for one in self._references if flows(one.type, NUMBER) is Flow.YES)
        yield f'"round(" {number} (", " INT)? ")"'
        yield f'"(" {number} ")"'
        for reference in self._lists():
            yield f'"len(" {reference.rule} ")"'
            functions = '("sum" | "min" | "max")'
            found = item_type(reference.type)
            if isinstance(found, Found) and flows(found.type, NUMBER) is Flow.YES:
                yield f'{functions} "(" {reference.rule} ")"'
            for part in self._item_paths(reference):
                if part.rule != _quote(ITEM) and flows(part.type, NUMBER) is Flow.YES:
                    where = self._simple_filter(reference)
                    yield f'{functions} "([" {part.rule} " for {ITEM} in " {reference.rule} {where} "])"'

    def _simple_filter(self, reference: _Reference) -> str:
        """As `_filter`, against literals only: the rule of numbers must not refer to itself without end."""
        numbers = [part.rule for part in self._item_paths(reference) if flows(part.type, NUMBER) is Flow.YES]
        texts = [part.rule for part in self._item_paths(reference) if flows(part.type, STRING) is Flow.YES]
        tests = [f"({' | '.join(numbers)}) {_COMPARE} NUM"] if numbers else []
        tests += [f'({" | ".join(texts)}) (" == " | " != ") STRING'] if texts else []
        return f'(" if " ({" | ".join(tests)}))?' if tests else ""

    def condition(self) -> str:
        """The rule of conditions."""
        name = f"{self._name}_cond"
        if self._rules.reserve(name):
            test = self._rules.add(f"{self._name}_test", self._tests())
            self._rules.add(name, [f'{test} ((" and " | " or ") {test}){{0,2}}'])
        return name

    def _tests(self) -> Iterator[str]:
        yield f"{self._number()} {_COMPARE} {self._number()}"
        for one in self._references:
            if flows(one.type, BOOLEAN) is Flow.YES:
                yield f'("not ")? {one.rule}'
            elif isinstance(one.type, LiteralType):
                yield from self._enum_tests(one)
            elif flows(one.type, STRING) is Flow.YES:
                yield f'{one.rule} (" == " | " != ") STRING'
            elif _optional(one.type):
                yield f'{one.rule} (" is None" | " is not None")'

    def _enum_tests(self, one: _Reference) -> Iterator[str]:
        values = one.type.values if isinstance(one.type, LiteralType) else ()
        options = " | ".join(_quote(_python(value)) for value in values)
        yield f'{one.rule} (" == " | " != ") ({options})'

    def _text(self) -> str:
        name = f"{self._name}_text"
        if self._rules.reserve(name):
            self._rules.add(name, ["STRING", self._template()])
        return name

    def _template(self) -> str:
        name = f"{self._name}_f"
        if self._rules.reserve(name):
            values = " | ".join([self._number(), *(one.rule for one in self._references)])
            self._rules.add(name, [f'"f\\"" (FTEXT | "{{" ({values}) (":.2f")? "}}")* "\\""'])
        return name

    # references

    def _lists(self) -> list[_Reference]:
        """References to lists, names first; lists of unknown values count only as names."""
        return [one for one in self._references if isinstance(one.type, ArrayType)][:8]

    def _item_paths(self, reference: _Reference) -> list[_Reference]:
        found = item_type(reference.type)
        item = found.type if isinstance(found, Found) else ANY
        return list(_paths(_quote(ITEM), item, 2))


def _paths(rule: str, kind: Type, depth: int) -> Iterator[_Reference]:
    """A reference and the references into it, as far as its type is known."""
    yield _Reference(rule, kind)
    if depth == 0:
        return
    for member in members_of(kind):
        if isinstance(member, ObjectType):
            for name, inner, _ in member.fields:
                if name.isidentifier():
                    yield from _paths(_join(rule, f".{name}"), inner, depth - 1)
        elif isinstance(member, ArrayType) and member.max_items != 0:
            found = item_type(member)
            inner = found.type if isinstance(found, Found) else ANY
            last = 9 if member.max_items is None else min(member.max_items - 1, 9)
            indexes = "IDX" if last == 9 else f'("-1" | {" | ".join(_quote(str(i)) for i in range(last + 1))})'
            yield from _paths(f'{_join(rule, "[")} {indexes} "]"', inner, depth - 1)


def _join(rule: str, text: str) -> str:
    """`rule` followed by literal text; adjacent literals become one."""
    return f'{rule[:-1]}{text}"' if rule.endswith('"') else f'{rule} "{text}"'


def _optional(kind: Type) -> bool:
    return any(isinstance(member, NullType) for member in members_of(kind))


def _python(value: object) -> str:
    return repr(value) if value is None or isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quote(text: str) -> str:
    """A grammar literal of `text`."""
    return f'"{_escape(text)}"'
