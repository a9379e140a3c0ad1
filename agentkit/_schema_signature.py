"""The cheap first look at a function that shall become a tool: what is its shape, and what is missing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from pydantic.fields import FieldInfo

from agentkit._schema_docstrings import Docs, read_docstring
from agentkit._schema_hints import is_context, metadata_description, resolve_hints

_KINDS_REFUSED = {
    inspect.Parameter.VAR_POSITIONAL: "parameter '*{}' cannot be given by name: use a parameter of type list",
    inspect.Parameter.VAR_KEYWORD: "parameter '**{}' has no declared names: use a parameter each, or one dict",
    inspect.Parameter.POSITIONAL_ONLY: "parameter '{}' is positional-only, and plans give names: remove the '/'",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What the first look learns about a function.

    Attributes:
        function: The function.
        parameters: Its parameters, without ``self`` and the context.
        docs: What its docstring says.
        takes_self: It is written as a method.
        context: The name of its first parameter, if that is a `RunContext`.
        hints: The resolved type hints; None while a name in them is not defined.
        namespace: Types that exist only where the function was defined.
    """

    function: Callable[..., Any]
    parameters: tuple[inspect.Parameter, ...]
    docs: Docs
    takes_self: bool
    context: str | None
    hints: Mapping[str, Any] | None
    namespace: Mapping[str, Any]

    def description_of(self, name: str, hints: Mapping[str, Any]) -> str:
        """What is said about a parameter, in its type hint or else in the docstring."""
        return metadata_description(hints.get(name)) or self.docs.parameters.get(name, "")


def origin_of(function: Callable[..., Any]) -> str:
    """Where a function comes from, e.g. ``shop.reports.fetch_top_products``."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or 'unknown'}.{name}"


def read_function(function: Callable[..., Any], frame: FrameType | None) -> tuple[Signature, list[str]]:
    """A function's signature, and every reason why it cannot be a tool.

    Args:
        function: A function or a bound method.
        frame: Where it is being defined, for type hints that name local types.
    """
    whole = inspect.signature(function)
    parameters = list(whole.parameters.values())
    takes_self = bool(parameters) and parameters[0].name == "self"
    if takes_self:
        parameters.pop(0)
    context = parameters.pop(0).name if parameters and is_context(parameters[0].annotation) else None
    names = _local_names(function, frame)
    hints, unresolved = resolve_hints(function, names, context)
    signature = Signature(
        function=function,
        parameters=tuple(parameters),
        docs=read_docstring(function.__doc__),
        takes_self=takes_self,
        context=context,
        hints=None if unresolved else hints,
        namespace=_types_in(names),
    )
    problems = [problem for parameter in parameters for problem in _parameter_problems(parameter)]
    if not unresolved:
        problems += description_problems(signature, hints)
    return signature, problems + _return_problems(function, whole)


def _local_names(function: Callable[..., Any], frame: FrameType | None) -> dict[str, Any]:
    """The names of the class and function bodies around a definition, the inner ones first."""
    around = [part for part in getattr(function, "__qualname__", "").split(".")[:-1] if part != "<locals>"]
    names: dict[str, Any] = {}
    for _ in around:
        if frame is None:
            break
        names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def _types_in(names: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in names.items()
        if isinstance(value, type) or type(value).__module__ in {"typing", "typing_extensions", "types"}
    }


def _parameter_problems(parameter: inspect.Parameter) -> list[str]:
    name = parameter.name
    if parameter.kind in _KINDS_REFUSED:
        return [_KINDS_REFUSED[parameter.kind].format(name)]
    problems = []
    if parameter.annotation is inspect.Parameter.empty:
        problems.append(f"parameter {name!r} has no type hint")
    elif is_context(parameter.annotation):
        problems.append(f"parameter {name!r} is a RunContext, which has to be the first parameter")
    if isinstance(parameter.default, FieldInfo):
        problems.append(f"parameter {name!r} has Field(…) as its default: write Annotated[type, Field(…)] instead")
    return problems


def description_problems(signature: Signature, hints: Mapping[str, Any]) -> list[str]:
    """The parameters that nothing is said about."""
    undescribed = [
        parameter.name
        for parameter in signature.parameters
        if parameter.kind not in _KINDS_REFUSED
        and not is_context(parameter.annotation)
        and not signature.description_of(parameter.name, hints)
    ]
    problems = [
        f"parameter {name!r} has no description: add it under 'Args:' in the docstring, or write "
        "Annotated[type, Field(description=…)]"
        for name in undescribed
    ]
    known = {signature.context, *(parameter.name for parameter in signature.parameters)}
    strange = [name for name in signature.docs.parameters if name not in known]
    if undescribed and strange:
        problems.append(f"the docstring describes {', '.join(map(repr, strange))}, which is not a parameter")
    return problems


def _return_problems(function: Callable[..., Any], signature: inspect.Signature) -> list[str]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return ["it is a generator, and a tool returns one value: return a list"]
    if signature.return_annotation is inspect.Signature.empty:
        return ["the return value has no type hint (write '-> None' if nothing is returned)"]
    return []
