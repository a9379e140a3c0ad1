"""The right sides of lines: calls, literals and expressions as Python source."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable, Mapping

from agentkit.expressions.nodes import Expr
from agentkit.expressions.printing import quoted, to_source
from agentkit.messages import Json
from agentkit.plan import Ask, Call, Generate, JsonSchema, Subgoal, Value
from agentkit.spelling._calls import OPTIONS, PURE
from agentkit.spelling._names import KEYWORDS
from agentkit.spelling._unsupported import is_refused_builtin
from agentkit.toolbox import Toolbox

Simple = Call | Value | Generate | Ask | Subgoal


def is_identifier(name: str) -> bool:
    """Whether Python reads `name` back as the same name."""
    return name.isidentifier() and not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name


def python_literal(value: Json) -> str:
    """A JSON value as Python source."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(name)}: {python_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(python_literal, value)) + "]"
    return repr(value)


def phrase(step: Simple, toolbox: Toolbox | None) -> str:
    """The source of what a simple step computes."""
    match step:
        case Call():
            return _call(step, toolbox)
        case Value(value=value):
            return to_source(value)
        case Generate(prompt=text, schema=schema):
            return f"generate({', '.join([to_source(text), *_schema(schema)])})"
        case Ask(question=text, schema=schema):
            return f"ask({', '.join([to_source(text), *_schema(schema)])})"
        case Subgoal():
            return _subgoal(step)


def _schema(schema: JsonSchema | None) -> list[str]:
    return [] if schema is None else [f"schema={python_literal(schema)}"]


def _call(step: Call, toolbox: Toolbox | None) -> str:
    name = callable_name(step.tool, toolbox)
    parts = [quoted(step.tool)] if name is None else []
    parts += _keywords(step.args, OPTIONS)
    if step.retry is not None:
        parts.append(f"_retry={step.retry}")
    if step.timeout is not None:
        parts.append(f"_timeout={step.timeout!r}")
    if step.on_error == "skip":
        parts.append('_on_error="skip"')
    if step.on_error == "value" and step.fallback is not None:
        parts.append(f"_fallback={to_source(step.fallback)}")
    if step.again:
        parts.append("_again=True")
    return f"{name or 'call'}({', '.join(parts)})"


def callable_name(tool: str, toolbox: Toolbox | None) -> str | None:
    """The identifier that calls a tool; None if only ``call("name")`` does."""
    known = toolbox.get(tool) if toolbox is not None else None
    name: str = known.python_name if known is not None else tool
    if not is_identifier(name) or name in KEYWORDS or name in PURE:
        return None
    if known is None and is_refused_builtin(name):
        return None
    if toolbox is not None:
        found = toolbox.by_python_name(name) or toolbox.get(name)
        if (found.name if found is not None else name) != tool:
            return None
    return name


def _keywords(values: Mapping[str, Expr], reserved: Iterable[str]) -> list[str]:
    """``name=value`` for each value; names that Python has no keywords for go into ``**{…}``."""
    plain = [name for name in values if is_identifier(name) and name not in reserved]
    parts = [f"{name}={to_source(values[name])}" for name in plain]
    other = [f"{quoted(name)}: {to_source(value)}" for name, value in values.items() if name not in plain]
    return [*parts, f"**{{{', '.join(other)}}}"] if other else parts


def _subgoal(step: Subgoal) -> str:
    parts = [to_source(step.goal), *_schema(step.schema)]
    reserved = ("schema", "goal", "text", "inputs")
    if all(is_identifier(name) and name not in reserved for name in step.inputs):
        parts += _keywords(step.inputs, ())
    else:
        fields = (f"{quoted(name)}: {to_source(value)}" for name, value in step.inputs.items())
        parts.append(f"inputs={{{', '.join(fields)}}}")
    return f"subgoal({', '.join(parts)})"
