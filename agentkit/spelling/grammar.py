"""The grammar of the next line of a plan, made from the names and types defined so far (llguidance's Lark dialect).

An argument of type number admits a number, or a reference or expression that is one, and nothing else. A line that the
checker would refuse for its tools, arguments, names or types cannot be written.

Two more things that small models get wrong cannot be written either: a record that a tool of the toolbox makes is
referred to and never made up, and where a tool computes, constants are added at most: a factor out of a
model's memory is no substitute for the tool.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentkit.spelling._offered import call_rule, model_calls, offered
from agentkit.spelling._references import (
    Reference,
    escaped,
    is_optional,
    paths,
    python_literal,
    quoted,
)
from agentkit.spelling._rules import Rules
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

MAX_PARENTHESES = 2
"""How deep arithmetic goes into parentheses; a small model may open them without end, and closes none."""

DATE = StringType(format="date")

NUMBERS = Reference('"range(" INT (", " INT)? ")"', ArrayType(IntegerType()))
"""Whole numbers to go through."""

_ENDINGS = "answer|print|return|import"

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
        answer: The type that an answer has to have; None where ``answer(…)`` is not possible.
        opens: Blocks may be opened: ``if``, ``for``, ``while``.
        lists: Names of lists that the enclosing loop appends to.
    """

    indent: int
    scope: Mapping[str, Type]
    in_loop: bool = False
    after_if: bool = False
    answer: Type | None = ANY
    opens: bool = True
    lists: tuple[str, ...] = ()


def line_grammar(
    toolbox: Toolbox,
    options: Sequence[LineOption],
    kinds: Collection[str] | None = None,
    *,
    before: str = "",
    or_nothing: bool = False,
) -> str:
    r"""The grammar of one line, with its newline, at any of the places that `options` allow.

    The newline is part of it because tokens such as ``)\n`` are: a model that may not write them goes on instead of
    ending the line.

    Args:
        toolbox: The tools that the line may call.
        options: Where it may stand, and what it sees there.
        kinds: Step kinds to offer, as the JSON spelling names them; None offers all. Without `repeat`, nothing in a
            loop changes what is outside it.
        before: The grammar of what is written before the line.
        or_nothing: Nothing at all may be written, too.

    Raises:
        DefinitionError: There is no such kind.
    """
    rules = Rules(toolbox, offered(kinds))
    starts = []
    for position, option in enumerate(options):
        line = _Line(rules, toolbox, option, f"s{position}")
        indent = f'"{"    " * option.indent}" ' if option.indent else ""
        if statement := line.statement():
            starts.append(f"{indent}{statement}")
    line_rule = f"{before} ({' | '.join(starts) or quoted('pass')}) NL"
    rules.add("start", [f"({line_rule})?" if or_nothing else line_rule])
    return rules.text()


class _Line:
    """Rules of one line in one scope. Rules of a comprehension's inside see its item too, under a name of their own."""

    def __init__(self, rules: Rules, toolbox: Toolbox, option: LineOption, name: str) -> None:
        self._rules = rules
        self._toolbox = toolbox
        self._option = option
        self._name = name
        # A round that reads what the loop gathers would need the one before.
        hidden = () if "repeat" in rules.kinds else option.lists
        seen = {key: kind for key, kind in option.scope.items() if key not in hidden}
        self._references = [one for key, kind in seen.items() for one in paths(quoted(key), kind, MAX_DEPTH)]
        self._kinds: dict[Type, str] = {}
        self._insides: dict[Reference, _Line] = {}

    # statements

    def statement(self) -> str:
        """The rule of a whole statement; empty if nothing can be written here."""
        option, kinds = self._option, self._rules.kinds
        new = self._new_name()
        forms = [f'{new} " = " {call}' for call in [self.calls()] if call]
        forms += [f'{new} " = " {self._anything()}'] if "value" in kinds else []
        forms += self._effects()
        forms += self._comprehensions()
        if option.answer is not None and (value := self._value(option.answer)):
            forms.append(f'"answer(" {value} (" if " {self.condition()} " else " {value})? ")"')
        if option.opens:
            forms += self._openings()
        if option.after_if:
            forms.append('"else:"')
        if option.in_loop and "repeat" in kinds:
            forms.append('"break"')
        forms += [f'"{name}.append(" {self._anything()} ")"' for name in option.lists]
        return self._rules.add(f"{self._name}_line", forms) if forms else ""

    def _new_name(self) -> str:
        """The terminal of names that a line may give: no word of the language, and none that it must not change.

        Nor any that begins like `answer`: a model that wants to end and misses would go on for ever.
        """
        free = self._option.indent and "repeat" in self._rules.kinds
        words = sorted({*RESERVED_NAMES, *(() if free else self._option.scope)})
        return self._rules.terminal(f"/[a-z][a-z0-9_]{{0,23}}/ & ~/({'|'.join(words)}|({_ENDINGS})[a-z0-9_]*)/")

    def _tools(self) -> list[Tool]:
        return list(self._toolbox.values()) if "call" in self._rules.kinds else []

    def _effects(self) -> list[str]:
        """Calls whose results nobody needs: those that write. A read that nothing uses is a mistake."""
        calls = (self._call(tool) for tool in self._tools() if tool.effect == "write")
        return [call for call in calls if call]

    def _openings(self) -> list[str]:
        kinds = self._rules.kinds
        forms = [f'"if " {self.question()} ":"'] if "if" in kinds else []
        if "for_each" in kinds:
            forms += [f'"for {ITEM} in " {reference.rule} ":"' for reference in self._iterables()]
            forms.append(f'{self._new_name()} " = " "[]"')
        if "repeat" in kinds:
            forms += [f'"while " {self.question()} ":"', '"for _ in range(" INT "):"']
        return forms

    def _comprehensions(self) -> list[str]:
        """``x = [f(a=p.b) for p in xs]``: what is called for each item."""
        new = self._new_name()
        insides = [(one, self._inside(one).calls()) for one in self._iterables() if "for_each" in self._rules.kinds]
        return [f'{new} " = " {self._each(reference, calls)}' for reference, calls in insides if calls]

    def _each(self, reference: Reference, element: str) -> str:
        """``[element for p in reference if condition]``."""
        where = f'(" if " {self._inside(reference).question()})?'
        # The bracket is a token of its own: a longer one (" = [") would hide every other value that begins with it.
        return f'"[" ({element}) " for {ITEM} in " {reference.rule} {where} "]"'

    def _inside(self, reference: Reference) -> _Line:
        """The line's rules inside a comprehension over `reference`, where its item is in sight."""
        known = self._insides.get(reference)
        if known is None:
            found = item_type(reference.type)
            item = found.type if isinstance(found, Found) else ANY
            scope = {**self._option.scope, ITEM: item}
            option = LineOption(self._option.indent, scope, answer=None, opens=False)
            known = _Line(self._rules, self._toolbox, option, f"{self._name}_in{len(self._insides)}")
            self._insides[reference] = known
        return known

    def calls(self) -> str:
        """The rule of calls of all tools; empty if there is nothing to call."""
        name = f"{self._name}_call"
        if self._rules.reserve(name):
            calls = [call for call in map(self._call, self._tools()) if call]
            calls += model_calls(self._rules.kinds - {"subgoal"}, self._text())
            if not calls:
                self._rules.discard(name)
                return ""
            self._rules.add(name, calls)
        return name

    def _call(self, tool: Tool) -> str:
        """The rule of a call; empty while nothing in scope can be one of its arguments."""
        target = tool.input_type
        fields = {name: kind for name, kind, _ in target.fields} if isinstance(target, ObjectType) else {}
        return call_rule(tool, {one.name: self._value(fields.get(one.name, ANY)) for one in tool.parameters})

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
            inside = self._inside(reference)
            parts = [part.rule for part in self._item_paths(reference) if flows(part.type, item) is not Flow.NO]
            parts += [inside.template()] if flows(STRING, item) is Flow.YES else []
            parts += [inside.number()] if flows(NUMBER, item) is Flow.YES else []
            if parts:
                yield self._each(reference, " | ".join(parts))

    def _object_forms(self, kind: ObjectType) -> Iterator[str]:
        if self._rules.made_by_a_tool(kind):
            return
        values = {name: self._value(of) for name, of, required in kind.fields if required}
        if not values:
            yield f'"{{" (STRING ": " {self._value(kind.additional or ANY)})? "}}"'
        elif all(values.values()):
            pairs = (f'"{escaped(python_literal(name))}: " {rule}' for name, rule in values.items())
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

    def number(self, inside: int = 0) -> str:
        """The rule of numbers and what is reckoned with them, in so many parentheses already."""
        name = f"{self._name}_num{inside}"
        if self._rules.reserve(name):
            terms = [self._atom()]
            if inside < MAX_PARENTHESES:
                inner = self.number(inside + 1)
                terms += [f'"round(" {inner} (", " INT)? ")"', f'"abs(" {inner} ")"', f'"(" {inner} ")"']
            term = self._rules.add(f"{self._name}_term{inside}", terms)
            signs = '" + " | " - "' if self._constants_only() else '" + " | " - " | " * " | " / "'
            self._rules.add(name, [f"{term} (({signs}) {term}){{0,3}}"])
        return name

    def _atom(self) -> str:
        name = f"{self._name}_atom"
        if self._rules.reserve(name):
            self._rules.add(name, self._atoms())
        return name

    def _constants_only(self) -> bool:
        """Whether there is nothing to reckon with but constants, and a tool that should do it."""
        numbers = any(flows(one.type, NUMBER) is Flow.YES for one in self._references)
        return self._rules.computing and not numbers and not self._lists()

    def _atoms(self) -> Iterator[str]:
        yield "NUM"
        yield from (one.rule for one in self._references if flows(one.type, NUMBER) is Flow.YES)
        for reference in self._lists():
            yield f'"len(" {reference.rule} ")"'
            functions = '("sum" | "min" | "max")'
            found = item_type(reference.type)
            if isinstance(found, Found) and flows(found.type, NUMBER) is Flow.YES:
                yield f'{functions} "(" {reference.rule} ")"'
            elif any(flows(part.type, NUMBER) is Flow.YES for part in self._item_paths(reference)):
                yield f'{functions} "(" {self._each(reference, self._inside(reference).number())} ")"'

    def question(self) -> str:
        """The rule of what ``if``, ``while`` and filters ask: a condition, or yes or no of a tool."""
        name = f"{self._name}_question"
        if self._rules.reserve(name):
            asked = [self._call(tool) for tool in self._tools() if tool.effect != "write" and _says_yes_or_no(tool)]
            self._rules.add(name, [self.condition(), *(f'("not ")? {call}' for call in asked if call)])
        return name

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
        if self._in_comprehension():
            return []
        return [one for one in self._references if isinstance(one.type, ArrayType)][:8]

    def _iterables(self) -> list[Reference]:
        """What calls may be made for each item of: lists, and whole numbers."""
        return [] if self._in_comprehension() else [*self._lists(), NUMBERS]

    def _in_comprehension(self) -> bool:
        return ITEM in self._option.scope and not self._option.opens

    def _item_paths(self, reference: Reference) -> list[Reference]:
        found = item_type(reference.type)
        item = found.type if isinstance(found, Found) else ANY
        return list(paths(quoted(ITEM), item, 2))


def _says_yes_or_no(tool: Tool) -> bool:
    return flows(tool.output_type, BOOLEAN) is Flow.YES


def _alike(one: Type, other: Type) -> bool:
    """Whether it makes sense to compare two texts: both dates, or both something else."""
    return flows(one, STRING) is Flow.YES and (flows(one, DATE) is flows(other, DATE))
