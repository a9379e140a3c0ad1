"""Calls that are steps: of tools, of the model, of the human, and subgoals."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Sequence
from typing import NamedTuple

from agentkit.diagnostics import Code
from agentkit.expressions.functions import RESERVED
from agentkit.expressions.nodes import Expr, Literal
from agentkit.messages import Json
from agentkit.plan import Ask, Call, Generate, OnError, Step, Subgoal, Unreadable
from agentkit.spelling._context import Frame, Lowerer, refuse
from agentkit.spelling._names import did_you_mean
from agentkit.spelling._unsupported import is_refused_builtin, no_such_builtin
from agentkit.toolbox import Tool

PURE = RESERVED | {"timedelta"}
"""Names that call pure functions, or that the expressions' reader explains."""

OPTIONS = ("_retry", "_timeout", "_on_error", "_fallback", "_again")
"""Keyword arguments of any tool call that say how to call, not with what."""

MODEL_CALLS = {"generate": "prompt", "ask": "question", "subgoal": "goal"}
"""The calls that are steps of their own kind, each with the name of its text."""


class Named(NamedTuple):
    """One argument of a call; `spread` if it stood in ``**{…}``, where no name has a meaning of its own."""

    name: str
    node: ast.expr
    spread: bool = False


def is_step(low: Lowerer, node: ast.AST) -> bool:
    """Whether `node` is a call that becomes a step."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id not in PURE
    return isinstance(node.func, ast.Attribute) and (_is_gather(node.func) or _dotted_tool(low, node.func) is not None)


def has_steps(low: Lowerer, node: ast.AST) -> bool:
    """Whether there is a call in `node` that becomes a step."""
    return any(is_step(low, part) for part in ast.walk(node))


def is_parallel(node: ast.Call) -> bool:
    """Whether a call is ``parallel(…)``, or ``asyncio.gather(…)``, which means the same."""
    if isinstance(node.func, ast.Name):
        return node.func.id == "parallel"
    return isinstance(node.func, ast.Attribute) and _is_gather(node.func)


def _is_gather(func: ast.Attribute) -> bool:
    return func.attr == "gather" and isinstance(func.value, ast.Name) and func.value.id == "asyncio"


def _dotted_tool(low: Lowerer, func: ast.Attribute) -> Tool | None:
    """The tool that ``server.name(…)`` calls."""
    if low.toolbox is None:
        return None
    parts = [func.attr]
    node = func.value
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    dotted = ".".join(reversed(parts))
    return low.toolbox.get(dotted) or low.toolbox.by_python_name(dotted.replace(".", "_"))


def emit_call(low: Lowerer, node: ast.Call, frame: Frame, target: str | None = None) -> Expr:
    """Lower a call, its arguments first; a reference to its step, whose id is `target`'s if given."""
    func = node.func
    name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    if name in MODEL_CALLS and isinstance(func, ast.Name):
        return _emit_model_call(low, node, frame, name, target)
    if name == "input" and isinstance(func, ast.Name):
        return _emit_model_call(low, node, frame, "ask", target)
    if name in ("answer", "print"):
        refuse(node, f"{name}(...) has no value.", "Write answer(...) alone, as the last line.")
    if name in low.functions:
        return low.emit(frame, Unreadable(_id(low, name, target), ast.unparse(node)[:200], low.line))
    tool, name = _called(low, node)
    if tool is None and is_refused_builtin(name) and not _is_call_by_name(node):
        refuse(node, *no_such_builtin(name))
    return _emit_tool_call(low, node, frame, tool, name, target)


def _id(low: Lowerer, base: str, target: str | None) -> str:
    return low.ids.claim(target) if target is not None else low.auto(base)


def _is_call_by_name(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "call"


def _called(low: Lowerer, node: ast.Call) -> tuple[Tool | None, str]:
    """The tool that is called, if it is known, and its name."""
    if isinstance(node.func, ast.Attribute):
        tool = _dotted_tool(low, node.func)
        return tool, tool.name if tool is not None else ast.unparse(node.func)
    if _is_call_by_name(node):
        first = node.args[0] if node.args else None
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            refuse(node, "call(...) has no tool's name.", "Write the tool's name first: call('name', argument=value).")
        known = low.toolbox.get(first.value) if low.toolbox is not None else None
        return known, first.value
    if not isinstance(node.func, ast.Name):
        refuse(node, "only tools and functions can be called, by their names.")
    name = node.func.id
    if low.toolbox is None:
        return None, name
    tool = low.toolbox.by_python_name(name) or low.toolbox.get(name)
    return tool, tool.name if tool is not None else name


def _emit_tool_call(
    low: Lowerer, node: ast.Call, frame: Frame, tool: Tool | None, name: str, target: str | None
) -> Expr:
    positional = node.args[1:] if _is_call_by_name(node) else node.args
    given, extra = _arguments(positional, node.keywords, tool)
    args: dict[str, Expr] = {}
    options: dict[str, Expr] = {}
    twice: list[str] = []
    for argument, value, spread in given:
        into = options if argument in OPTIONS and not spread else args
        if argument in into:
            twice.append(argument)
        into[argument] = low.expr(value, frame)
    low.at(node)
    base = tool.python_name if tool is not None else name
    id = _id(low, base if base.isidentifier() else "call", target)
    for one in twice:
        _unexpected(low, id, name, one, f"{name!r} is given {one!r} twice.", tool)
    for position in range(extra):
        most = len(positional) - extra
        message = f"{name!r} takes at most {most} arguments, not {len(positional)}."
        if position == 0:
            _unexpected(low, id, name, str(most + 1), message, tool)
    retry, timeout, on_error, again = _options(low, id, options)
    fallback = options.get("_fallback")
    if fallback is not None:
        on_error = "value"
    return low.emit(frame, Call(id, name, args, retry, timeout, on_error, fallback, again, low.line))


def _arguments(
    positional: Sequence[ast.expr], keywords: Sequence[ast.keyword], tool: Tool | None
) -> tuple[list[Named], int]:
    """The arguments in the order of evaluation, each with its name, and how many positional ones have none."""
    given: list[Named] = []
    parameters = None if tool is None else [parameter.name for parameter in tool.parameters]
    for position, value in enumerate(positional):
        if isinstance(value, ast.Starred):
            refuse(value, "arguments cannot be spread with '*'.", "Write each argument by its name.")
        if parameters is None:
            given.append(Named(f"arg{position + 1}", value))
        elif position < len(parameters):
            given.append(Named(parameters[position], value))
    extra = 0 if parameters is None else max(len(positional) - len(parameters), 0)
    for keyword in keywords:
        given.extend(_keyword(keyword))
    return given, extra


def _keyword(keyword: ast.keyword) -> list[Named]:
    if keyword.arg is not None:
        return [Named(keyword.arg, keyword.value)]
    fields = keyword.value
    if isinstance(fields, ast.Dict):
        names = [key.value for key in fields.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        if len(names) == len(fields.values):
            return [Named(name, value, spread=True) for name, value in zip(names, fields.values, strict=True)]
    return refuse(keyword.value, "arguments cannot be spread with '**'.", "Write each argument by its name.")


def _unexpected(low: Lowerer, id: str, name: str, argument: str, message: str, tool: Tool | None) -> None:
    known = ", ".join(parameter.name for parameter in tool.parameters) if tool is not None else ""
    low.report(
        Code.UNEXPECTED_ARGUMENT,
        message,
        "Give each argument once, by its name.",
        path=(id, "args", argument),
        expected=f"one of: {known}" if known else "",
    )


def _options(low: Lowerer, id: str, options: dict[str, Expr]) -> tuple[int | None, float | None, OnError, bool]:
    retry: int | None = None
    timeout: float | None = None
    on_error: OnError = "fail"
    again = False
    for name, expr in options.items():
        value = expr.value if isinstance(expr, Literal) else ...
        match name, value:
            case "_retry", int() if not isinstance(value, bool) and value >= 0:
                retry = value
            case "_timeout", int() | float() if not isinstance(value, bool):
                timeout = value
            case "_on_error", "fail" | "skip":
                on_error = "fail" if value == "fail" else "skip"
            case "_again", bool():
                again = value
            case ("_fallback", _) | ("_retry" | "_timeout", None):
                continue
            case _:
                _wrong_option(low, id, name)
    return retry, timeout, on_error, again


def _wrong_option(low: Lowerer, id: str, name: str) -> None:
    expected = {"_retry": "a whole number", "_timeout": "a number of seconds", "_again": "True"}.get(
        name, "'fail' or 'skip'"
    )
    low.report(
        Code.SHAPE,
        f"{name} has a value that it cannot have.",
        "Write a literal, e.g. _retry=2, _timeout=10, _on_error='skip'; for another value, _fallback=value.",
        path=(id, name.removeprefix("_")),
        expected=expected,
    )


def _emit_model_call(low: Lowerer, node: ast.Call, frame: Frame, kind: str, target: str | None) -> Expr:
    text_name = MODEL_CALLS[kind]
    texts = [value for value in node.args if not isinstance(value, ast.Starred)]
    keywords: list[Named] = [named for keyword in node.keywords for named in _keyword(keyword)]
    text = next((named.node for named in keywords if named.name in (text_name, "text")), None)
    if texts:
        text = texts[0]
    if text is None or len(texts) != len(node.args) or len(texts) > 1:
        refuse(node, f"{kind}(...) takes one text.", f'Write {kind}("…"), or {kind}(f"… {{name}} …").')
    prompt = low.expr(text, frame)
    schema: Json = None
    inputs: dict[str, Expr] = {}
    for name, value, _ in keywords:
        if name == "schema":
            schema = literal(value)
        elif name in (text_name, "text") and value is text:
            continue
        elif kind == "subgoal":
            inputs.update(_subgoal_inputs(low, name, value, frame))
        else:
            _unknown_keyword(low, node, kind, name)
    if schema is not None and not isinstance(schema, dict):
        refuse(node, f"the schema of {kind}(...) is not an object.", "Write schema={'type': …}.", Code.SHAPE)
    low.at(node)
    id = _id(low, kind, target)
    steps: dict[str, Step] = {
        "generate": Generate(id, prompt, schema, low.line),
        "ask": Ask(id, prompt, schema, low.line),
        "subgoal": Subgoal(id, prompt, schema, inputs, low.line),
    }
    return low.emit(frame, steps[kind])


def _subgoal_inputs(low: Lowerer, name: str, value: ast.expr, frame: Frame) -> dict[str, Expr]:
    if name == "inputs" and isinstance(value, ast.Dict):
        given = _keyword(ast.keyword(None, value))
        return {one.name: low.expr(one.node, frame) for one in given}
    return {name: low.expr(value, frame)}


def _unknown_keyword(low: Lowerer, node: ast.Call, kind: str, name: str) -> None:
    known = (MODEL_CALLS[kind], "schema")
    hint = did_you_mean(name, known) or 'Put values into the text: f"… {name} …".'
    refuse(node, f"{kind}(...) has no argument {name!r}.", hint, Code.SHAPE)


def literal(node: ast.expr) -> Json:
    """The JSON value of a literal.

    Raises:
        RefusedError: It is not a literal, or not JSON.
    """
    try:
        value = ast.literal_eval(_JsonNames().visit(node))
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        refuse(node, "this must be a literal value.", "Write the value itself.", Code.SHAPE)
    if isinstance(value, float) and not math.isfinite(value):
        refuse(node, "the number is too large.", code=Code.SHAPE)
    return _as_json(value)


def _as_json(value: Json) -> Json:
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _as_json(item) for name, item in value.items()}
    return value


class _JsonNames(ast.NodeTransformer):
    """JSON's spelling of its constants, which models mix up with Python's."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        values = {"true": True, "false": False, "null": None}
        return ast.copy_location(ast.Constant(values[node.id]), node) if node.id in values else node
