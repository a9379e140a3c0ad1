"""A plan for people: an indented outline for terminals, and a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agentkit.expressions import to_source
from agentkit.expressions.nodes import names
from agentkit.plan import (
    Ask,
    Block,
    Call,
    ForEach,
    Generate,
    If,
    Parallel,
    Plan,
    Repeat,
    Step,
    Subgoal,
    Value,
    blocks,
    walk,
)
from agentkit.schedule import expression_names

_LONGEST = 60


def outline(plan: Plan) -> str:
    """The plan as indented text: one line a step, with what it does and what it uses."""
    lines = [plan.goal] if plan.goal else []
    lines += [f"input {name}" for name in plan.inputs]
    lines += _outlined(plan.steps, "", "")
    if plan.answer is not None:
        lines.append(f"answer {to_source(plan.answer)}")
    return "\n".join(lines)


def _outlined(block: Block, number: str, indent: str) -> Iterator[str]:
    for position, step in enumerate(block, 1):
        label = f"{number}{position}"
        yield f"{indent}{label}. {step.id} = {_what(step)}"
        for name, inner in blocks(step):
            if inner:
                yield f"{indent}   {name.removeprefix('branches.')}:"
                yield from _outlined(inner, f"{label}.", f"{indent}      ")


def _what(step: Step) -> str:
    """What a step does, on one line."""
    match step:
        case Call(tool=tool, args=args):
            return f"{tool}({', '.join(f'{name}={to_source(value)}' for name, value in args.items())})"
        case Value(value=value):
            return to_source(value)
        case If(condition=condition):
            return f"if {to_source(condition)}"
        case ForEach(item=item, source=source):
            return f"for each {item} in {to_source(source)}"
        case Repeat():
            return _repeat(step)
        case Parallel():
            return "at once"
        case Generate(prompt=text):
            return f"generate {to_source(text)}"
        case Ask(question=text):
            return f"ask {to_source(text)}"
        case Subgoal(goal=text):
            return f"subgoal {to_source(text)}"
        case _:
            return f"unreadable: {step.text}"


def _repeat(step: Repeat) -> str:
    parts = ["repeat"]
    for word, expr in (("while", step.while_), ("until", step.until)):
        if expr is not None:
            parts.append(f"{word} {to_source(expr)}")
    if step.max_iterations is not None:
        parts.append(f"at most {step.max_iterations} times")
    if step.state:
        parts.append("from " + ", ".join(f"{name} = {to_source(value)}" for name, value in step.state.items()))
    return " ".join(parts)


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart: a box a step, an arrow for each value that one step takes from another."""
    steps = list(walk(plan.steps))
    # Boxes have names of their own: Mermaid takes some ids (end, click, graph) for words of its language.
    boxes = {step.id: f"s{number}" for number, step in enumerate(steps, 1)}
    lines = ["flowchart TD", *_boxes(plan.steps, "    ", boxes)]
    for step in steps:
        lines += _arrows(expression_names(step), boxes[step.id], boxes)
    if plan.answer is not None:
        lines.append(f'    answer(["{_text(f"answer {to_source(plan.answer)}")}"])')
        lines += _arrows(names(plan.answer), "answer", boxes)
    return "\n".join(lines)


def _arrows(used: Iterable[str], to: str, boxes: Mapping[str, str]) -> list[str]:
    found = sorted(boxes[name] for name in used if name in boxes and boxes[name] != to)
    return [f"    {box} --> {to}" for box in found]


def _boxes(block: Block, indent: str, boxes: Mapping[str, str]) -> Iterator[str]:
    for step in block:
        inner = [(name, body) for name, body in blocks(step) if body]
        box = f'{boxes[step.id]}["{_text(f"{step.id}: {_what(step)}")}"]'
        if not inner:
            yield f"{indent}{box}"
            continue
        yield f"{indent}subgraph {box}"
        for number, (name, body) in enumerate(inner, 1):
            if len(inner) == 1:
                yield from _boxes(body, f"{indent}    ", boxes)
            else:
                title = _text(name.removeprefix("branches.")) or " "
                yield f'{indent}    subgraph {boxes[step.id]}_{number}["{title}"]'
                yield from _boxes(body, f"{indent}        ", boxes)
                yield f"{indent}    end"
        yield f"{indent}end"


def _text(text: str) -> str:
    """Text that Mermaid shows as it is: quotes, brackets and markup as entities, cut where it is long."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(one if one.isalnum() or one in " .,:=_-…" else f"#{ord(one)};" for one in shown)
