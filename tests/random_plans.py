"""Random plans of every step kind, over typed tools that do nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from agentkit.expressions import Expr, Name
from agentkit.plan import Ask, Block, Call, ForEach, Generate, If, OnError, Parallel, Plan, Repeat, Step, Subgoal, Value
from agentkit.toolbox import Tool, Toolbox
from tests.random_expressions import Expressions, Tag

PRODUCT: Mapping[str, Tag] = {"name": "text", "units": "int"}
ARGUMENTS: Mapping[str, Mapping[str, Tag]] = {
    "search": {"query": "text", "limit": "int"},
    "double": {"number": "int"},
    "is_big": {"number": "int"},
    "get-weather": {"city": "text", "days": ("int",)},
    "github.create": {"title": "text", "a-b": "bool", "from": PRODUCT},
}
OUTPUTS: Mapping[str, Tag] = {
    "search": (PRODUCT,),
    "double": "int",
    "is_big": "bool",
    "get-weather": {"city": "text", "warm": "bool"},
    "github.create": {"id": "int", "labels": ("text",)},
}
ANSWERS: Mapping[str, Any] = {
    "search": [{"name": "hat", "units": 3}, {"name": "scarf", "units": 12}],
    "double": 14,
    "is_big": True,
    "get-weather": {"city": "Bonn", "warm": False},
    "github.create": {"id": 7, "labels": ["new", "old"]},
}
ODD_TOOLS = ("send", "sum", "parallel", "open", "class", "answer", "call", "a b", "concat")
"""Names of tools that no toolbox has, and that Python or the spelling takes for something else."""
ODD_ARGUMENTS = ("query", "limit", "from", "a-b", "_retry", "schema", "arg1", "prompt", "inputs", "")
IDS = ("x", "x_1", "x_2", "results", "p", "n", "if_1", "if_2", "for_1", "loop_1", "search_1", "answer", "total", "r")
"""Names of steps, likely to clash with those that a reader makes up."""
BRANCHES = ("left", "right side", "x", "class", "${x}", "")
SCHEMAS: tuple[Mapping[str, Any], ...] = (
    {"type": "string"},
    {"type": "array", "items": {"enum": [1, None, "${x}"]}},
    {},
)
GOALS = ("", "Do it.", 'Say "hi"', "Two\nlines", "back\\slash", '"', "é\x00${x}")
LEAVES = ("call", "call", "value", "generate", "ask", "subgoal")
COMPOUND = ("if", "for_each", "repeat", "parallel")


def schema_of(tag: Tag) -> dict[str, Any]:
    """The JSON Schema of a tag."""
    if isinstance(tag, tuple):
        return {"type": "array", "items": schema_of(tag[0])}
    if isinstance(tag, Mapping):
        fields = {name: schema_of(inner) for name, inner in tag.items()}
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"int": {"type": "integer"}, "text": {"type": "string"}, "bool": {"type": "boolean"}}.get(tag, {})


def _tool(name: str) -> Tool:
    inputs = schema_of(ARGUMENTS[name])
    inputs["required"] = inputs["required"][:1]
    return Tool.from_schema(
        name=name, description="Do it.", effect="pure", input_schema=inputs, output_schema=schema_of(OUTPUTS[name]),
        call=lambda args: ANSWERS[name],
    )  # fmt: skip


TOOLBOX = Toolbox(_tool(name) for name in ARGUMENTS)


class Plans(Expressions):
    """Draws plans with unique ids, whose references are in scope.

    Args:
        draw: Where choices come from.
        wild: The share of expressions that are of any form and type, in percent.
        kinds: The step kinds; None means all.
    """

    def __init__(self, draw: Random, *, wild: int = 50, kinds: Collection[str] | None = None) -> None:
        super().__init__(draw)
        self._wild = wild
        self._leaves = [kind for kind in LEAVES if kinds is None or kind in kinds]
        self._compound = [kind for kind in COMPOUND if kinds is None or kind in kinds]
        self._taken: set[str] = set()
        self._left = 0

    def plan(self, most: int = 12) -> Plan:
        """A plan of at most `most` steps."""
        self._taken, self._left = set(), self.draw.randint(1, most)
        scope: dict[str, Tag] = {self._fresh(): self.scalar() for _ in range(self.draw.randrange(2))}
        inputs: dict[str, Any] = {name: schema_of(tag) for name, tag in scope.items()}
        steps = self._block(scope, 2)
        answer = self._expr("any", scope) if self.draw.randrange(4) else None
        return Plan(steps, answer, self.draw.choice(GOALS) if self._odd() else "Do it.", inputs)

    def _odd(self) -> bool:
        return self.draw.randrange(100) < self._wild

    def _fresh(self) -> str:
        name = self.draw.choice(IDS) if self._odd() else f"s{len(self._taken)}"
        while name in self._taken:
            name += "q"
        self._taken.add(name)
        return name

    def _expr(self, tag: Tag, scope: Mapping[str, Tag]) -> Expr:
        return self.wild(list(scope), 6) if self._odd() else self.of(tag, scope)

    def _exprs(self, scope: Mapping[str, Tag]) -> dict[str, Expr]:
        names = dict.fromkeys(self.draw.choice(ODD_ARGUMENTS) for _ in range(self.draw.randrange(3)))
        return {name: self._expr("any", scope) for name in names}

    def _block(self, scope: dict[str, Tag], depth: int) -> Block:
        """Steps, whose ids come to be in `scope`."""
        steps: list[Step] = []
        for _ in range(self.draw.randint(1, 4)):
            self._left -= 1
            step, tag = self._step(scope, depth if self._left > 0 else 0)
            scope[step.id] = tag
            steps.append(step)
            if self._left <= 0:
                break
        return tuple(steps)

    def _step(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        kinds = [*self._leaves, *self._compound] if depth else self._leaves
        kind = self.draw.choice(kinds)
        make = {"call": self._call, "value": self._value, "if": self._if, "for_each": self._for_each}
        make |= {"repeat": self._repeat, "parallel": self._parallel}
        if kind in make:
            return make[kind](scope, depth - 1)
        return self._talk(kind, scope)

    def _call(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        tool = self.draw.choice(ODD_TOOLS if self._odd() and self._odd() else list(ARGUMENTS))
        if tool in ARGUMENTS:
            wanted = ARGUMENTS[tool]
            most = self.draw.randint(1, len(wanted))
            args = {name: self._expr(tag, scope) for name, tag in list(wanted.items())[:most]}
        else:
            args = self._exprs(scope)
        on_error: OnError = self.draw.choice(("fail", "fail", "skip", "value"))
        tag = OUTPUTS.get(tool, "any")
        fallback = self._expr(tag, scope) if on_error == "value" else None
        retry, timeout = self.draw.choice((None, 0, 3)), self.draw.choice((None, 1, 2.5))
        again = self.draw.randrange(5) == 0
        return Call(self._fresh(), tool, args, retry, timeout, on_error, fallback, again), tag

    def _value(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        kinds: tuple[Tag, ...] = ("int", "text", "bool", ("int",), ("text",), PRODUCT)
        tag = self.draw.choice(kinds)
        alias = list(scope) and self.draw.randrange(4) == 0
        return Value(self._fresh(), Name(self.draw.choice(list(scope))) if alias else self._expr(tag, scope)), tag

    def _talk(self, kind: str, scope: Mapping[str, Tag]) -> tuple[Step, Tag]:
        text = self._expr("text", scope)
        tag = self.draw.choice(("text", "int"))
        schema: Any = self.draw.choice(SCHEMAS) if self._odd() else None if tag == "text" else schema_of(tag)
        if kind == "subgoal":
            return Subgoal(self._fresh(), text, schema, self._exprs(scope)), tag
        return (Generate if kind == "generate" else Ask)(self._fresh(), text, schema), tag

    def _if(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        condition = self._expr("bool", scope)
        sides = [self._ended({**scope}, depth) for _ in range(1 if self.draw.randrange(3) == 0 else 2)]
        tag = sides[0][1] if len(sides) == 2 and sides[0][1] == sides[1][1] else "any"
        return If(self._fresh(), condition, sides[0][0], sides[1][0] if len(sides) == 2 else ()), tag

    def _ended(self, scope: dict[str, Tag], depth: int) -> tuple[Block, Tag]:
        """A block, and what its value is."""
        block = self._block(scope, depth)
        return block, scope[block[-1].id]

    def _for_each(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        kinds: tuple[Tag, ...] = ("int", "text", PRODUCT)
        kind = self.draw.choice(kinds)
        item = self.draw.choice(IDS) if self._odd() else self._fresh()
        source = self._expr((kind,), scope)
        do, tag = self._ended({**scope, item: kind}, depth)
        return ForEach(self._fresh(), item, source, do, self.draw.choice((None, 1, 3))), (tag,)

    def _repeat(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        tags: dict[str, Tag] = {}
        for _ in range(self.draw.randrange(3)):
            tags[self.draw.choice(IDS) if self._odd() else self._fresh()] = self.draw.choice(("int", "text"))
        state = {name: self._expr(tag, scope) for name, tag in tags.items()}
        inner = {**scope, **tags}
        while_ = self._expr("bool", inner) if self.draw.randrange(3) == 0 else None
        do, _ = self._ended(inner, depth)
        next_ = {name: self._expr(tags[name], inner) for name in tags if self.draw.randrange(3)}
        until = self._expr("bool", inner) if self.draw.randrange(2) else None
        bound = self.draw.choice((None, 0, 1, 3))
        return Repeat(self._fresh(), do, until, while_, bound, state, next_), tags or "any"

    def _parallel(self, scope: Mapping[str, Tag], depth: int) -> tuple[Step, Tag]:
        names = dict.fromkeys(
            self.draw.choice(BRANCHES) if self._odd() else f"b{n}" for n in range(self.draw.randint(1, 2))
        )
        ended = {name: self._ended({**scope}, depth) for name in names}
        blocks = {name: block for name, (block, _) in ended.items()}
        return Parallel(self._fresh(), blocks), {name: tag for name, (_, tag) in ended.items()}
