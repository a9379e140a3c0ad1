"""Writes steps as the Python that a model would write, where that reads back as the same steps.

The forms written here are guesses: `write_python` reads them back, and takes explicit forms where they differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from agentkit.expressions.nodes import Apply, Comprehension, Expr, Field, ListOf, Literal, Name, ObjectOf, names
from agentkit.expressions.printing import to_source
from agentkit.expressions.renaming import map_children
from agentkit.plan import Ask, Block, Call, ForEach, Generate, If, Parallel, Plan, Repeat, Step, Subgoal, Value, walk
from agentkit.spelling._explicit_writer import ExplicitWriter, indented
from agentkit.spelling._phrases import callable_name, phrase
from agentkit.spelling._steps import expressions, map_steps
from agentkit.toolbox import Toolbox


class NaturalWriter(ExplicitWriter):
    """Writes one plan.

    Args:
        plan: The plan.
        toolbox: The tools, for their names.
        explicit: Ids of compound steps to be written in their explicit forms, with all that is inside them.
    """

    def __init__(self, plan: Plan, toolbox: Toolbox | None, explicit: Collection[str]) -> None:
        super().__init__(toolbox)
        self._explicit = explicit
        self._uses = _uses(plan)
        self._named: dict[str, str] = {}
        self._fields: dict[tuple[str, str], str] = {}

    def step(self, step: Step) -> list[str]:
        """The lines of a step, in its natural form if it has one."""
        if step.id in self._explicit:
            return ExplicitWriter(self.toolbox).step(map_steps(step, self.expr))
        match step:
            case If():
                return self._natural_if(step)
            case ForEach():
                return self._natural_for(step)
            case Repeat():
                return self._natural_repeat(step)
            case Parallel():
                return self._natural_parallel(step)
            case Call() | Value() | Generate() | Ask() | Subgoal():
                return [f"{self._named.get(step.id, step.id)} = {self._phrase(step)}"]
            case _:
                return super().step(step)

    def expr(self, expr: Expr) -> Expr:
        """An expression with the names that natural forms give to steps and to fields of steps."""
        match expr:
            case Name(id):
                return Name(self._named.get(id, id))
            case Field(Name(id), key) if (id, key) in self._fields:
                return Name(self._fields[id, key])
            case _:
                return map_children(expr, self.expr)

    def source(self, expr: Expr) -> str:
        """The source of an expression, under its natural names."""
        return to_source(self.expr(expr))

    def _phrase(self, step: Call | Value | Generate | Ask | Subgoal) -> str:
        return phrase(map_steps(step, self.expr), self.toolbox)

    def _used(self, id: str) -> bool:
        return self._uses[id] > 0

    def _natural_if(self, step: If) -> list[str]:
        condition = self.source(step.condition)
        outputs = self._outputs(step)
        sides = []
        for block in (step.then, step.otherwise):
            known = dict(self._named)
            sides.append(self._branch(step, block, outputs))
            self._named = known
        self._fields.update({(step.id, name): name for name in outputs})
        lines = [f"if {condition}:", *indented(sides[0])]
        if step.otherwise:
            lines += _else(sides[1])
        return lines

    def _outputs(self, step: If) -> tuple[str, ...]:
        """The names whose values the branches give together, if both end with an object of them."""
        ends = [_object_fields(block[-1]) if block else None for block in (step.then, step.otherwise)]
        if ends[0] is None or ends[1] is None or list(ends[0]) != list(ends[1]) or not step.id.startswith("if_"):
            return ()
        return tuple(ends[0]) if len(ends[0]) > 1 else ()

    def _branch(self, step: If, block: Block, outputs: tuple[str, ...]) -> list[str]:
        if outputs:
            fields = _object_fields(block[-1]) or {}
            taken = {value.id: name for name, value in fields.items() if isinstance(value, Name)}
            self._named.update({id: name for id, name in taken.items() if any(s.id == id for s in block)})
            lines = self.block(block[:-1])
            rest = [(name, value) for name, value in fields.items() if self.expr(value) != Name(name)]
            return [*lines, *(f"{name} = {self.source(value)}" for name, value in rest)]
        if not block or not (self._used(step.id) or not re.fullmatch(r"if_\d+", step.id)):
            return self.block(block)
        return self._ending_in(block, self._named.get(step.id, step.id))

    def _ending_in(self, block: Block, name: str) -> list[str]:
        """A block whose last step is known as `name`: itself, where the reader would give it its id; or by an alias."""
        last = block[-1]
        if re.fullmatch(rf"{re.escape(name)}_\d+", last.id):
            self._named[last.id] = name
            return self.block(block)
        return [*self.block(block), f"{name} = {last.id}"]

    def _natural_for(self, step: ForEach) -> list[str]:
        if not step.do:
            return ExplicitWriter(self.toolbox).step(map_steps(step, self.expr))
        id = self._named.get(step.id, step.id)
        only = step.do[0]
        if len(step.do) == 1 and isinstance(only, Call) and self._used(step.id) and self._is_auto(only):
            return [f"{id} = [{self._phrase(only)} for {self._header(step, filtered=True)}]"]
        header = f"for {self._header(step, filtered=False)}:"
        body = self.block(step.do)
        if not self._used(step.id) and re.fullmatch(r"for_\d+", step.id):
            return [header, *indented(body)]
        return [f"{id} = []", header, *indented([*body, f"{id}.append({step.do[-1].id})"])]

    def _header(self, step: ForEach, *, filtered: bool) -> str:
        """``item in source``, and the filter of a comprehension."""
        source, test = step.source, ""
        if filtered and isinstance(source, Comprehension) and source.condition is not None and source.key is None:
            plain = source.element == Name(step.item) and source.targets == (step.item,)
            test = f" if {self.source(source.condition)}" if plain else ""
            source = source.source if plain else source
        limit = f"each({self.source(source)}, concurrency={step.concurrency})"
        text = self.source(source) if step.concurrency is None else limit
        return f"{step.item} in {f'({text})' if _needs_brackets(source) else text}{test}"

    def _is_auto(self, step: Call) -> bool:
        """Whether the reader would give a lifted call this id."""
        name = callable_name(step.tool, self.toolbox) or step.tool
        return re.fullmatch(rf"{re.escape(name)}_\d+", step.id) is not None

    def _natural_repeat(self, step: Repeat) -> list[str]:
        if step.while_ is not None and step.max_iterations is not None:
            return ExplicitWriter(self.toolbox).step(map_steps(step, self.expr))
        start = [f"{name} = {self.source(value)}" for name, value in step.state.items() if value != Name(name)]
        outer = dict(self._named)
        lines = [*start, self._loop_header(step), *indented(self._round(step))]
        self._named = outer
        self._fields.update({(step.id, name): name for name in step.state})
        return lines

    def _loop_header(self, step: Repeat) -> str:
        if step.max_iterations is not None:
            return f"for _ in range({step.max_iterations}):"
        return f"while {'True' if step.while_ is None else self.source(step.while_)}:"

    def _round(self, step: Repeat) -> list[str]:
        inside = {one.id for one in step.do}
        later = dict(step.next)
        for name, expr in step.next.items():
            if isinstance(expr, Name) and expr.id in inside and expr.id not in self._named:
                self._named[expr.id] = name
                del later[name]
        if step.do and not step.state and (self._used(step.id) or not re.fullmatch(r"loop_\d+", step.id)):
            lines = self._ending_in(step.do, step.id)
        else:
            lines = self.block(step.do)
        lines += _assignments({name: self.expr(expr) for name, expr in later.items()})
        if step.until is not None:
            lines += [f"if {self.source(step.until)}:", *indented(["break"])]
        return lines

    def _natural_parallel(self, step: Parallel) -> list[str]:
        inside: list[str] = []
        for name, block in step.branches.items():
            inside += [f"with branch() as {name}:", *indented(self.block(block))]
        return [f"with parallel() as {self._named.get(step.id, step.id)}:", *indented(inside)]


def _else(lines: list[str]) -> list[str]:
    """The lines of an else branch; one that is a single ``if`` becomes ``elif``."""
    if lines and lines[0].startswith("if ") and all(line.startswith((" ", "else:", "elif ")) for line in lines[1:]):
        return [f"el{lines[0]}", *lines[1:]]
    return ["else:", *indented(lines)]


def _assignments(values: Mapping[str, Expr]) -> list[str]:
    """Assignments that all see the old values."""
    order = list(values)
    for position, name in enumerate(order):
        if any(name in names(values[later]) for later in order[position + 1 :]):
            return [f"{', '.join(order)} = {', '.join(to_source(values[one]) for one in order)}"]
    return [f"{name} = {to_source(value)}" for name, value in values.items()]


def _object_fields(step: Step) -> dict[str, Expr] | None:
    """The fields of a value that is an object with literal names."""
    if not isinstance(step, Value) or not isinstance(step.value, ObjectOf):
        return None
    pairs = [(key.value, value) for key, value in step.value.items if isinstance(key, Literal)]
    return {key: value for key, value in pairs if isinstance(key, str) and key.isidentifier()}


def _needs_brackets(expr: Expr) -> bool:
    return not isinstance(expr, Name | Field | Apply | ListOf | Comprehension | ObjectOf)


def _uses(plan: Plan) -> Counter[str]:
    """How often each name is referred to."""
    found: Counter[str] = Counter()
    for step in walk(plan.steps):
        for expr in expressions(step):
            found.update(names(expr))
    if plan.answer is not None:
        found.update(names(plan.answer))
    return found
