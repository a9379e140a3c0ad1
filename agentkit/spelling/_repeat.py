"""``while``, and ``for`` whose rounds depend on each other, as `Repeat` steps that carry state."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentkit.expressions.nodes import Apply, Binary, Compare, Expr, Field, Item, ListOf, Literal, Name, names
from agentkit.plan import Repeat, Value
from agentkit.spelling._calls import has_steps
from agentkit.spelling._context import Frame, Lowerer, refuse
from agentkit.spelling._desugar import assign, load, without_break, without_continue
from agentkit.spelling._flow import NONE, Names, reads, target_names


@dataclass(slots=True)
class _Counter:
    """The state that a ``for`` needs: where it is in its list.

    Attributes:
        name: The state's name.
        first: Its first value.
        step: What it grows by.
        test: Whether there is another round; None where the bound says so.
        item: What the loop's target stands for.
        target: The loop's target.
    """

    name: str
    first: Expr
    step: Expr
    test: Expr | None
    item: Expr
    target: ast.expr


@dataclass(slots=True)
class _Rounds:
    """A loop that becomes a `Repeat`."""

    body: list[ast.stmt]
    line: int
    test: ast.expr | None = None
    bound: int | None = None
    counter: _Counter | None = None
    targets: Names = field(default_factory=frozenset)


def lower_while(low: Lowerer, stmt: ast.While, frame: Frame, live: Names) -> None:
    """Lower a ``while``. A condition that calls tools is asked before the loop and at the end of each round."""
    if stmt.orelse:
        refuse(stmt, "while has no else in a plan.", "Write what follows after the loop.")
    body = without_continue(stmt.body, low.flow, low.fresh, live | low.flow.statement(stmt).reads)
    line = low.line
    test: ast.expr | None = stmt.test
    if isinstance(test, ast.Constant) and test.value in (True, 1):
        test = None
    elif has_steps(low, stmt.test):
        again = low.fresh("again")
        low.block([assign(again, stmt.test, stmt)], frame, frozenset((again,)))
        body = [*body, assign(again, stmt.test, stmt)]
        test = load(again, stmt)
    low.line = line
    _repeat(low, _Rounds(body, line, test), frame, live)


def lower_rounds(low: Lowerer, stmt: ast.For, frame: Frame, live: Names) -> None:
    """Lower a ``for`` whose rounds must come one after the other."""
    body = without_continue(stmt.body, low.flow, low.fresh, live | low.flow.statement(stmt).reads)
    targets = target_names(stmt.target)
    rounds = _Rounds(body, low.line, targets=targets)
    effect = low.flow.block(body)
    uses_target = bool(targets & (effect.reads | frozenset(effect.assigns)))
    source = low.expr(stmt.iter, frame)
    counts = isinstance(source, Apply) and source.function == "range" and not source.keywords
    if counts and isinstance(source, Apply) and isinstance(stmt.target, ast.Name):
        _count(low, rounds, source, stmt.target, frame, uses_target=uses_target)
    else:
        _walk(low, rounds, source, stmt.target, frame)
    _repeat(low, rounds, frame, live)


def _count(low: Lowerer, rounds: _Rounds, source: Apply, target: ast.Name, frame: Frame, *, uses_target: bool) -> None:
    """``for i in range(…)``: the state is i itself."""
    first, stop, step = _range(source)
    values = [part.value if isinstance(part, Literal) else None for part in (first, stop, step)]
    known = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(known) == 3 and known[2] != 0:
        rounds.bound = len(range(*known))
        if not uses_target:
            return
    elif not isinstance(step, Literal) or not isinstance(step.value, int) or step.value == 0:
        _walk(low, rounds, source, target, frame)
        return
    stop = _settled(low, stop, frame)
    name = low.bind(frame, target.id)
    down = isinstance(step, Literal) and isinstance(step.value, int) and step.value < 0
    test = None if rounds.bound is not None else Compare(Name(name), (">" if down else "<",), (stop,))
    rounds.counter = _Counter(name, first, step, test, Name(name), target)


def _range(source: Apply) -> tuple[Expr, Expr, Expr]:
    match source.args:
        case (stop,):
            return Literal(0), stop, Literal(1)
        case (first, stop):
            return first, stop, Literal(1)
        case (first, stop, step):
            return first, stop, step
        case _:
            return Literal(0), Literal(0), Literal(1)


def _walk(low: Lowerer, rounds: _Rounds, source: Expr, target: ast.expr, frame: Frame) -> None:
    """``for x in items``: the state is the position."""
    if isinstance(source, ListOf):
        rounds.bound = len(source.items)
    items = _settled(low, source, frame)
    name = low.ids.bind_fresh("index")
    test = None if rounds.bound is not None else Compare(Name(name), ("<",), (Apply("len", (items,)),))
    rounds.counter = _Counter(name, Literal(0), Literal(1), test, Item(items, Name(name)), target)


def _settled(low: Lowerer, expr: Expr, frame: Frame) -> Expr:
    """An expression that can be asked again and again: a name or literal, or a step that computes it once."""
    path = expr
    while isinstance(path, Field):
        path = path.of
    if isinstance(path, Name | Literal):
        return expr
    return low.emit_value(frame, low.auto("items"), expr)


def _repeat(low: Lowerer, rounds: _Rounds, frame: Frame, live: Names) -> None:
    asked = reads(rounds.test) if rounds.test is not None else NONE
    kept = live | asked | low.flow.block(rounds.body).reads
    body, stop = without_break(rounds.body, low.flow, low.fresh, kept)
    carried, outgoing = _state_names(low, rounds, body, stop, live)
    single = None
    if not carried and rounds.counter is None and len(outgoing) == 1 and _defined_inside(low, body, outgoing[0], frame):
        single = outgoing.pop()
    id = low.ids.join(single) if single is not None else low.auto("loop")
    first = _first_values(low, [*carried, *outgoing], frame, rounds)
    inner = low.inner(frame, body[0] if body else ast.Pass())
    own = {name: low.bind(frame, name) for name in first}
    inner.scope.update({name: Name(state) for name, state in own.items()})
    state = {own[name]: value for name, value in first.items()}
    while_ = low.pure(rounds.test, inner) if rounds.test is not None else None
    if rounds.counter is not None:
        state = {rounds.counter.name: rounds.counter.first, **state}
        while_ = rounds.counter.test
        unpack(rounds.counter.target, rounds.counter.item, inner)
    low.block(body, inner, frozenset(own) | (reads(stop) if stop is not None else frozenset()) | _some(single))
    until = low.expr(stop, inner) if stop is not None else None
    low.line = rounds.line
    after = {own[name]: inner.scope[name] for name in own if inner.scope[name] != Name(own[name])}
    if rounds.counter is not None:
        after[rounds.counter.name] = Binary("+", Name(rounds.counter.name), rounds.counter.step)
    _fold(low, inner, after, until)
    if single is not None:
        low.close(inner, inner.scope[single], single)
    if not inner.steps:
        if not state:
            return
        low.emit_value(inner, low.auto("round"), Literal(None))
    low.emit(frame, Repeat(id, tuple(inner.steps), until, while_, rounds.bound, state, after, rounds.line))
    for name, state_name in own.items():
        frame.scope[name] = Field(Name(id), state_name)
    if single is not None:
        frame.scope[single] = Name(id)


def _some(name: str | None) -> Names:
    return frozenset() if name is None else frozenset((name,))


def _state_names(
    low: Lowerer, rounds: _Rounds, body: Sequence[ast.stmt], stop: ast.expr | None, live: Names
) -> tuple[list[str], list[str]]:
    """The names that a round reads from the one before, and those that only what follows the loop reads."""
    effect = low.flow.block(body)
    asked = reads(rounds.test) if rounds.test is not None else frozenset()
    if stop is not None:
        asked |= reads(stop) - effect.kills
    assigned = [name for name in effect.assigns if name not in rounds.targets]
    carried = [name for name in assigned if name in effect.reads or name in asked]
    return carried, [name for name in assigned if name in live and name not in carried]


def _defined_inside(low: Lowerer, body: Sequence[ast.stmt], name: str, frame: Frame) -> bool:
    return name not in frame.scope and name in low.flow.block(body).kills


def _first_values(low: Lowerer, wanted: Sequence[str], frame: Frame, rounds: _Rounds) -> dict[str, Expr]:
    """What the state is before the first round; values that only the loop uses become part of it."""
    effect_reads = low.flow.block(rounds.body).reads
    first: dict[str, Expr] = {}
    for name in wanted:
        unknown = Name(name) if name in effect_reads else Literal(None)
        first[name] = frame.scope.get(name, unknown)
    for name in wanted:
        step = low.unused_value(frame, name)
        if step is None or _mentioned(step.id, name, first, rounds.counter):
            continue
        low.drop(frame, step)
        first[name] = step.value
    return first


def _mentioned(id: str, name: str, first: dict[str, Expr], counter: _Counter | None) -> bool:
    others = [value for key, value in first.items() if key != name]
    if counter is not None:
        others += [part for part in (counter.first, counter.step, counter.test, counter.item) if part is not None]
    return any(id in names(value) for value in others)


def unpack(target: ast.expr, value: Expr, frame: Frame) -> None:
    """Let the names of a target stand for the parts of `value`."""
    match target:
        case ast.Name(id=name):
            frame.scope[name] = value
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for index, part in enumerate(parts):
                unpack(part, Item(value, Literal(index)), frame)
        case _:
            refuse(target, "only names can be bound here.", "Write names: for a, b in pairs.")


def _fold(low: Lowerer, inner: Frame, after: dict[str, Expr], until: Expr | None) -> None:
    """Compute what the state becomes in `next` rather than in steps that nothing else uses; one step must remain."""
    for name, value in after.items():
        step = next((s for s in inner.steps if isinstance(s, Value) and value == Name(s.id)), None)
        if step is None or len(inner.steps) == 1 or low.uses(step.id):
            continue
        elsewhere = [other for key, other in after.items() if key != name] + ([] if until is None else [until])
        if any(step.id in names(other) for other in elsewhere):
            continue
        low.drop(inner, step)
        after[name] = step.value
