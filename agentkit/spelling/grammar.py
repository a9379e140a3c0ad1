"""The grammar of the next line of a plan, made from the names and types defined so far (llguidance's Lark dialect).

An argument of type number admits a number, or a reference or expression that is one, and nothing else. A line that the
checker would refuse for its tools, arguments, names or types cannot be written.

Two more things that small models get wrong cannot be written either: a record that a tool of the toolbox makes is
referred to and never made up, and where a tool computes, constants are added at most: a factor out of a
model's memory is no substitute for the tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentkit.spelling._references import (
    Reference,
    escaped,
    is_optional,
    paths,
    python_literal,
    quoted,
    records,
)
from agentkit.spelling.whole_grammar import optional_list
from agentkit.toolbox import RESERVED_NAMES, Tool, Toolbox
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
NL: /\n\n?/
STRING: /"[^"\\\n]{0,200}"/
FTEXT: /[^"{}\\\n]{1,200}/
DATE: /"[0-9]{4}-[01][0-9]-[0-3][0-9]"/
INT: /-?[0-9]{1,9}/
NUM: /-?[0-9]{1,9}(\.[0-9]{1,6})?/
IDX: /-1|[0-9]/
"""

DATE = StringType(format="date")

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
    r"""The grammar of one line, with its newline, at any of the places that `options` allow.

    The newline is part of it because tokens such as ``)\n`` are: a model that may not write them goes on instead of
    ending the line.

    Args:
        toolbox: The tools that the line may call.
        options: Where it may stand, and what it sees there.
    """
    rules = _Rules(toolbox)
    starts = []
    for position, option in enumerate(options):
        line = _Line(rules, toolbox, option, f"s{position}")
        indent = f'"{"    " * option.indent}" ' if option.indent else ""
        starts.append(f"{indent}{line.statement()}")
    rules.add("start", [f"({' | '.join(starts)}) NL"])
    return rules.text()


class _Rules:
    """Rules by name, in the order they were made, and what they ask of the toolbox."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._rules: dict[str, list[str]] = {}
        self._terminals: dict[str, str] = {}
        self._made = tuple(dict.fromkeys(kind for tool in toolbox.values() for kind in records(tool.output_type)))
        self.computing = any(
            tool.effect == "pure" and flows(tool.output_type, NUMBER) is Flow.YES for tool in toolbox.values()
        )

    def made_by_a_tool(self, kind: ObjectType) -> bool:
        """Whether some tool gives records of this type, so that a plan has no reason to write one out."""
        return any(required for _, _, required in kind.fields) and any(
            flows(one, kind) is Flow.YES for one in self._made
        )

    def add(self, name: str, alternatives: Iterable[str]) -> str:
        self._rules[name] = list(dict.fromkeys(alternatives))
        return name

    def reserve(self, name: str) -> bool:
        """Whether `name` is new; a reserved rule may refer to itself while it is being made."""
        if name in self._rules:
            return False
        self._rules[name] = []
        return True

    def terminal(self, pattern: str) -> str:
        """The name of the terminal of `pattern`."""
        return self._terminals.setdefault(pattern, f"NEW{len(self._terminals)}")

    def discard(self, name: str) -> None:
        """Take back a reserved rule that came to nothing."""
        del self._rules[name]

    def text(self) -> str:
        rows = [f"{name}: {' | '.join(alternatives)}" for name, alternatives in self._rules.items()]
        rows += [f"{name}: {pattern}" for pattern, name in self._terminals.items()]
        return "\n".join(rows) + _TERMINALS


class _Line:
    """Rules of one line in one scope. Rules of a comprehension's inside see its item too, under a name of their own."""

    def __init__(self, rules: _Rules, toolbox: Toolbox, option: LineOption, name: str) -> None:
        self._rules = rules
        self._toolbox = toolbox
        self._option = option
        self._name = name
        self._references = [one for key, kind in option.scope.items() for one in paths(quoted(key), kind, MAX_DEPTH)]
        self._kinds: dict[Type, str] = {}
        self._insides: dict[Reference, _Line] = {}

    # statements

    def statement(self) -> str:
        """The rule of a whole statement."""
        option = self._option
        new = self._new_name()
        forms = [f'{new} " = " {self.calls()}', f'{new} " = " {self._anything()}']
        forms += self._effects()
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

    def _new_name(self) -> str:
        """The terminal of names that a line may give: no word of the language, and outside loops none that is taken."""
        taken = () if self._option.indent else tuple(self._option.scope)
        words = sorted({*RESERVED_NAMES, *taken})
        return self._rules.terminal(f"/[a-z][a-z0-9_]{{0,23}}/ & ~/({'|'.join(words)})/")

    def _effects(self) -> list[str]:
        """Calls whose results nobody needs: those that write. A read that nothing uses is a mistake."""
        calls = (self._call(tool) for tool in self._toolbox.values() if tool.effect == "write")
        return [call for call in calls if call]

    def _openings(self) -> list[str]:
        forms = [f'"if " {self.condition()} ":"']
        forms += [f'"for {ITEM} in " {reference.rule} ":"' for reference in self._lists()]
        forms += [f'"while " {self.condition()} ":"', '"for _ in range(" INT "):"', f'{self._new_name()} " = " "[]"']
        return forms

    def _comprehensions(self) -> list[str]:
        """``x = [f(a=p.b) for p in xs]``: what is called for each item."""
        new = self._new_name()
        return [f'{new} " = " {self._each(reference, self._inside(reference).calls())}' for reference in self._lists()]

    def _each(self, reference: Reference, element: str) -> str:
        """``[element for p in reference if condition]``."""
        where = f'(" if " {self._inside(reference).condition()})?'
        # The bracket is a token of its own: a longer one (" = [") would hide every other value that begins with it.
        return f'"[" ({element}) " for {ITEM} in " {reference.rule} {where} "]"'

    def _inside(self, reference: Reference) -> _Line:
        """The line's rules inside a comprehension over `reference`, where its item is in sight."""
        known = self._insides.get(reference)
        if known is None:
            found = item_type(reference.type)
            item = found.type if isinstance(found, Found) else ANY
            scope = {**self._option.scope, ITEM: item}
            option = LineOption(self._option.indent, scope, answer=False, opens=False)
            known = _Line(self._rules, self._toolbox, option, f"{self._name}_in{len(self._insides)}")
            self._insides[reference] = known
        return known

    def calls(self) -> str:
        """The rule of calls of all tools."""
        name = f"{self._name}_call"
        if self._rules.reserve(name):
            calls = [self._call(tool) for tool in self._toolbox.values()]
            self._rules.add(name, [call for call in calls if call] + self._steps())
        return name

    def _call(self, tool: Tool) -> str:
        """The rule of a call; empty while nothing in scope can be one of its arguments."""
        target = tool.input_type
        fields = {name: kind for name, kind, _ in target.fields} if isinstance(target, ObjectType) else {}
        rules = {p.name: self._value(fields.get(p.name, ANY)) for p in tool.parameters}
        required = [p.name for p in tool.parameters if p.required]
        optional = [p.name for p in tool.parameters if not p.required and rules[p.name]]
        if not all(rules[name] for name in required):
            return ""
        values = {name: f'"{name}=" {rules[name]}' for name in (*required, *optional)}
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
        """The rule of values of a type: literals, references that flow to it, and expressions that make it.

        Empty if there is none yet: a record that only a tool can make.
        """
        known = self._kinds.get(kind)
        if known is not None:
            return known
        name = self._kinds[kind] = f"{self._name}_v{len(self._kinds)}"
        self._rules.reserve(name)
        forms = [form for member in members_of(kind) for form in self._forms(member)]
        forms += [one.rule for one in self._references if flows(one.type, kind) is not Flow.NO]
        if not forms:
            self._rules.discard(name)
            self._kinds[kind] = ""
            return ""
        self._rules.add(name, forms)
        return name

    def _forms(self, kind: Type) -> Iterator[str]:
        """Literals and expressions of a type that is no union."""
        match kind:
            case AnyType():
                yield self._anything()
            case LiteralType(values):
                yield from (quoted(python_literal(value)) for value in values)
            case BooleanType():
                yield from ('"True"', '"False"', self.condition())
            case NullType():
                yield '"None"'
            case IntegerType():
                yield from ("INT", self.number())
            case NumberType():
                yield self.number()
            case StringType():
                yield from self._string_forms(kind)
            case ArrayType():
                yield from self._array_forms(kind)
            case ObjectType():
                yield from self._object_forms(kind)
            case _:
                yield self._anything()

    def _string_forms(self, kind: StringType) -> Iterator[str]:
        yield _FORMATS.get(kind.format or "", "STRING")
        if kind.format == "date":
            yield from self._date_sums()
        elif kind.format is None:
            yield self.template()

    def _dates(self) -> str:
        """References that are dates, as alternatives."""
        return " | ".join(one.rule for one in self._references if flows(one.type, DATE) is Flow.YES)

    def _date_sums(self) -> Iterator[str]:
        if dates := self._dates():
            yield f'"add_days(" ({dates}) ", " INT ")"'

    def _array_forms(self, kind: ArrayType) -> Iterator[str]:
        found = item_type(kind)
        item = found.type if isinstance(found, Found) else ANY
        value = self._value(item)
        if value:
            yield f'"[" {value} (", " {value})* "]"'
        for reference in self._lists():
            yield from (
                f'"[" {part.rule} " for {ITEM} in " {reference.rule} "]"'
                for part in self._item_paths(reference)
                if flows(part.type, item) is not Flow.NO
            )

    def _object_forms(self, kind: ObjectType) -> Iterator[str]:
        if self._rules.made_by_a_tool(kind):
            return
        values = {name: self._value(of) for name, of, required in kind.fields if required}
        if not values:
            yield f'"{{" (STRING ": " {self._value(kind.additional or ANY)})? "}}"'
        elif all(values.values()):
            pairs = (f'"{escaped(json.dumps(name))}: " {rule}' for name, rule in values.items())
            yield '"{" ' + ' ", " '.join(pairs) + ' "}"'

    # expressions

    def _anything(self) -> str:
        """The rule of any value: what an answer may be."""
        name = f"{self._name}_any"
        if self._rules.reserve(name):
            simple = [self._text(), self.number(), *(one.rule for one in self._references), *self._date_sums()]
            part = self._rules.add(f"{self._name}_part", simple)
            forms = [part, f'{part} " if " {self.condition()} " else " {part}']
            forms += [f'"sorted(" {reference.rule} ")"' for reference in self._lists()]
            forms += [self._each(reference, self._element(reference)) for reference in self._lists()]
            forms += [f'"[" {name} (", " {name})* "]"', f'"{{" STRING ": " {name} (", " STRING ": " {name})* "}}"']
            self._rules.add(name, forms)
        return name

    def _element(self, reference: Reference) -> str:
        """What a comprehension makes of each item: a part of it, a text about it, or a number."""
        inside = self._inside(reference)
        parts = [part.rule for part in self._item_paths(reference)]
        return " | ".join([*parts, inside.template(), inside.number()])

    def number(self) -> str:
        name = f"{self._name}_num"
        if self._rules.reserve(name):
            term = self._rules.add(f"{self._name}_term", self._terms(name))
            signs = '" + " | " - "' if self._constants_only() else '" + " | " - " | " * " | " / "'
            self._rules.add(name, [f"{term} (({signs}) {term}){{0,3}}"])
        return name

    def _constants_only(self) -> bool:
        """Whether there is nothing to reckon with but constants, and a tool that should do it."""
        numbers = any(flows(one.type, NUMBER) is Flow.YES for one in self._references)
        return self._rules.computing and not numbers and not self._lists()

    def _terms(self, number: str) -> Iterator[str]:
        yield "NUM"
        yield from (one.rule for one in self._references if flows(one.type, NUMBER) is Flow.YES)
        yield f'"round(" {number} (", " INT)? ")"'
        yield f'"abs(" {number} ")"'
        yield f'"(" {number} ")"'
        for reference in self._lists():
            yield f'"len(" {reference.rule} ")"'
            functions = '("sum" | "min" | "max")'
            found = item_type(reference.type)
            if isinstance(found, Found) and flows(found.type, NUMBER) is Flow.YES:
                yield f'{functions} "(" {reference.rule} ")"'
            elif any(flows(part.type, NUMBER) is Flow.YES for part in self._item_paths(reference)):
                yield f'{functions} "(" {self._each(reference, self._inside(reference).number())} ")"'

    def condition(self) -> str:
        """The rule of conditions."""
        name = f"{self._name}_cond"
        if self._rules.reserve(name):
            test = self._rules.add(f"{self._name}_test", self._tests())
            self._rules.add(name, [f'{test} ((" and " | " or ") {test}){{0,2}}'])
        return name

    def _tests(self) -> Iterator[str]:
        yield f"{self.number()} {_COMPARE} {self.number()}"
        for one in self._references:
            if flows(one.type, BOOLEAN) is Flow.YES:
                yield f'("not ")? {one.rule}'
            elif isinstance(one.type, LiteralType):
                yield from self._enum_tests(one)
            elif flows(one.type, STRING) is Flow.YES:
                others = (other.rule for other in self._references if _alike(other.type, one.type))
                order = ' | " < " | " <= " | " > " | " >= "' if flows(one.type, DATE) is Flow.YES else ""
                yield f'{one.rule} (" == " | " != "{order}) ({" | ".join(["STRING", *others])})'
            elif is_optional(one.type):
                yield f'{one.rule} (" is None" | " is not None")'

    def _enum_tests(self, one: Reference) -> Iterator[str]:
        values = one.type.values if isinstance(one.type, LiteralType) else ()
        options = " | ".join(quoted(python_literal(value)) for value in values)
        yield f'{one.rule} (" == " | " != ") ({options})'

    def _text(self) -> str:
        name = f"{self._name}_text"
        if self._rules.reserve(name):
            self._rules.add(name, ["STRING", self.template()])
        return name

    def template(self) -> str:
        name = f"{self._name}_f"
        if self._rules.reserve(name):
            values = " | ".join([self.number(), *(one.rule for one in self._references)])
            self._rules.add(name, [f'"f\\"" (FTEXT | "{{" ({values}) (":.2f")? "}}")* "\\""'])
        return name

    # references

    def _lists(self) -> list[Reference]:
        """References to lists that the line may go through; inside a comprehension there is no second one."""
        if ITEM in self._option.scope and not self._option.opens:
            return []
        return [one for one in self._references if isinstance(one.type, ArrayType)][:8]

    def _item_paths(self, reference: Reference) -> list[Reference]:
        found = item_type(reference.type)
        item = found.type if isinstance(found, Found) else ANY
        return list(paths(quoted(ITEM), item, 2))


def _alike(one: Type, other: Type) -> bool:
    """Whether it makes sense to compare two texts: both dates, or both something else."""
    return flows(one, STRING) is Flow.YES and (flows(one, DATE) is flows(other, DATE))
