"""`tool`: makes a `Tool` of a Python function or method."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, Unpack, cast, overload

from agentkit._schema import FunctionShape
from agentkit._schema_problems import listed, shown
from agentkit._schema_signature import Signature, origin_of, read_function
from agentkit._toolbox_settings import ToolSettings, read_settings
from agentkit._toolbox_tool import Tool, call_anywhere
from agentkit.context import RunContext
from agentkit.errors import DefinitionError, ToolDefinitionError

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
Owner = TypeVar("Owner")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FunctionTool(Tool, Generic[P, R]):
    """A `Tool` that is also still the function it was made of: calling it calls the function, unvalidated.

    Attributes:
        function: The function.
        instance: The object that the method is bound to, if it is one.
    """

    function: Callable[P, R]
    instance: object | None = None
    _signature_read: Signature
    _is_async: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.instance is None:
            return self.function(*args, **kwargs)
        return cast("Callable[..., R]", self.function)(self.instance, *args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(
        self: FunctionTool[Concatenate[Owner, Q], R], instance: Owner, owner: type[Any] | None = None
    ) -> FunctionTool[Q, R]: ...

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None or not self._signature_read.takes_self:
            return self
        return self._copy({"instance": instance})

    @property
    def takes_context(self) -> bool:
        """Whether the function's first parameter is a `RunContext`."""
        return self._signature_read.context is not None

    @property
    def needs_instance(self) -> bool:
        """Whether it is a method that was not reached through an instance."""
        return self.instance is None and self._signature_read.takes_self

    async def _call(self, bound: dict[str, Any], context: RunContext[Any] | None) -> Any:
        leading: tuple[Any, ...] = ()
        if self._signature_read.takes_self:
            if self.instance is None:
                raise DefinitionError(without_instance(self))
            leading = (self.instance,)
        if self._signature_read.context is not None:
            leading = (*leading, RunContext(None) if context is None else context)
        function: Callable[..., Any] = self.function
        if self._is_async:
            return await function(*leading, **bound)
        return await call_anywhere(function, *leading, **bound)


def without_instance(method: Tool) -> str:
    """What to say of a method that is used as a tool without its object."""
    return (
        f"tool {method.name!r} is the method {method.origin!r} without its object: "
        "take it from an instance, or give tools_of(instance)"
    )


@overload
def tool(function: Callable[P, R], /, **settings: Unpack[ToolSettings]) -> FunctionTool[P, R]: ...


@overload
def tool(**settings: Unpack[ToolSettings]) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **settings: Unpack[ToolSettings]) -> Any:
    """Make a tool of a function or a method; with or without settings, as a decorator or called.

    Everything is read from the function: types from its hints, descriptions from its Google, NumPy or Sphinx
    docstring or from ``Annotated[type, Field(description=…)]``. A first parameter annotated `RunContext` is filled in
    by the run and not part of the schema. A sync function runs on a thread.

    **A function whose effect is not said counts as a write on the whole world**: say ``effect="pure"`` or
    ``effect="read"`` wherever it is true, or plans will ask for approval and wait needlessly.

    Example:
        >>> @tool(effect="pure")
        ... def pounds_to_kilograms(pounds: float) -> float:
        ...     '''Convert a weight.
        ...
        ...     Args:
        ...         pounds: The weight in pounds.
        ...     '''
        ...     return pounds * 0.45359237
        >>> pounds_to_kilograms.signature()
        'pounds_to_kilograms(pounds: float) -> float'

    Args:
        function: The function, when there are no brackets after ``@tool``.
        settings: See `ToolSettings`.

    Returns:
        The tool, which can still be called like the function.

    Raises:
        ToolDefinitionError: Hints, descriptions or settings are missing or wrong; the message lists everything.
    """
    if function is not None:
        return _make(function, settings, _caller())

    def decorate(function: Callable[P, R]) -> FunctionTool[P, R]:
        return _make(function, settings, _caller())

    return decorate


def _caller() -> FrameType | None:
    """The frame that called the caller of this function: where the decorated function is being defined."""
    here = inspect.currentframe()
    return here.f_back.f_back if here is not None and here.f_back is not None else None


def _make(function: Callable[P, R], settings: ToolSettings, frame: FrameType | None) -> FunctionTool[P, R]:
    if isinstance(function, Tool):
        raise ToolDefinitionError(f"{function.name!r} is a tool already; change its settings with .replace(…)")
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise ToolDefinitionError(f"expected a function or a method, got {shown(function)}: wrap it in a function")
    signature, problems = read_function(function, frame)
    origin = origin_of(function)
    defaults = ToolSettings(name=function.__name__, description=signature.docs.description)
    values, setting_problems = read_settings({**defaults, **settings})
    if problems or setting_problems:
        raise ToolDefinitionError(listed(f"{origin!r} cannot be a tool", [*problems, *setting_problems]))
    made: FunctionTool[P, R] = FunctionTool(
        function=function,
        origin=origin,
        _shape=FunctionShape(signature),
        _signature_read=signature,
        _is_async=inspect.iscoroutinefunction(function),
        **values,
    )
    made.__dict__.update(
        __doc__=function.__doc__,
        __name__=function.__name__,
        __qualname__=function.__qualname__,
        __module__=function.__module__,
        __wrapped__=function,
    )
    return made


def tools_of(instance: object) -> list[FunctionTool[..., Any]]:
    """The tools among an object's methods, bound to it: base classes first, in the order of their definition.

    A subclass replaces an inherited tool by another tool of the same attribute name, and removes it with ``None``.

    Raises:
        DefinitionError: A tool is overridden by something that is not one.
    """
    found: dict[str, FunctionTool[..., Any]] = {}
    for cls in reversed(type(instance).__mro__):
        for attribute, value in vars(cls).items():
            if isinstance(value, FunctionTool):
                found[attribute] = value
            elif attribute in found and value is None:
                del found[attribute]
            elif attribute in found:
                raise DefinitionError(
                    f"{cls.__qualname__}.{attribute} overrides the tool {found[attribute].origin!r} and is not a tool: "
                    "decorate it with @tool, or set it to None to remove the tool"
                )
    return [method.__get__(instance, type(instance)) for method in found.values()]
