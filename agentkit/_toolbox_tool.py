"""`Tool`: a function or a remote procedure that plans can call, with everything that is known about it."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self, Unpack, cast

from agentkit._schema import FunctionShape, Parameter
from agentkit._schema_problems import RefusedError, listed
from agentkit._schema_remote import SchemaShape, read_schemas
from agentkit._schema_signature import origin_of
from agentkit._schema_text import python_text
from agentkit._toolbox_settings import Approval, Effect, ToolSettings, read_settings
from agentkit._toolbox_threads import run_in_thread
from agentkit.context import RunContext
from agentkit.errors import ToolDefinitionError, ToolInputError, ToolOutputError
from agentkit.messages import Json
from agentkit.types import ANY, ObjectType, Type, from_schema

_FINGERPRINT_LENGTH = 16


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Tool:
    """Something that a plan can call. Made by `tool` from a function, or by `Tool.from_schema`; never changes.

    Schemas and validators are built when they are first needed: a tool costs little until a plan looks at it.

    Attributes:
        name: What plans call it by.
        description: What it does, for the model.
        effect: ``pure``, ``read`` or ``write``; a tool that does not say counts as a write.
        resources: What it reads or writes; empty with an effect means the world.
        approval: Overrides the policy's word on tools of this effect; None leaves it to the policy.
        retries: How often a failed call is tried again.
        timeout: Seconds that one attempt may take; None for no limit of its own.
        max_concurrency: How many calls may run at once; None for no limit of its own.
        cost: US dollars a call.
        expected_seconds: How long a call usually takes; 0 is unknown.
        idempotent: A repeated call with the same idempotency key does no more than one.
        tags: Words to select it by.
        version: Changes when its behaviour does.
        cache: Seconds that a result may be given again to an equal call; None for never.
        origin: Where it is defined: module and qualified name, or what `from_schema` was told.
    """

    name: str
    description: str
    effect: Effect = "write"
    resources: tuple[str, ...] = ()
    approval: Approval | None = None
    retries: int = 0
    timeout: float | None = None
    max_concurrency: int | None = None
    cost: float = 0.0
    expected_seconds: float = 0.0
    idempotent: bool = False
    tags: frozenset[str] = frozenset()
    version: str = "1"
    cache: float | None = None
    origin: str = ""
    _shape: FunctionShape | SchemaShape

    @classmethod
    def from_schema(
        cls,
        *,
        input_schema: Mapping[str, Json],
        call: Callable[[dict[str, Any]], Awaitable[Json] | Json],
        output_schema: Mapping[str, Json] | None = None,
        origin: str = "",
        **settings: Unpack[ToolSettings],
    ) -> Tool:
        """A tool that is known by its JSON Schemas (Draft 2020-12), such as one on a remote server.

        Args:
            input_schema: The schema of its arguments, an object. It is closed unless it speaks of further properties.
            call: Called with the validated arguments; if it is not async, on a thread.
            output_schema: The schema of its result; None where nothing is known.
            origin: Where it comes from, for messages, e.g. ``the MCP server 'github'``.
            settings: See `ToolSettings`; ``name`` and ``description`` are needed.

        Raises:
            ToolDefinitionError: A schema or a setting is wrong; the message lists everything.
        """
        values, problems = read_settings(settings)
        shape, schema_problems = read_schemas(input_schema, {} if output_schema is None else output_schema)
        problems = [*problems, *schema_problems]
        if shape is None or problems:
            raise ToolDefinitionError(listed(f"{settings.get('name', '')!r} cannot be a tool", problems))
        return _RemoteTool(_shape=shape, origin=origin or origin_of(call), _procedure=call, **values)

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}({self.name!r}, effect={self.effect!r})"

    # what goes in and what comes out

    @property
    def input_schema(self) -> Mapping[str, Json]:
        """The JSON Schema of the arguments: an object, closed unless a remote tool says otherwise."""
        return self._shape.input_schema

    @property
    def output_schema(self) -> Mapping[str, Json]:
        """The JSON Schema of the result; empty where nothing is known."""
        return self._shape.output_schema

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The arguments in the order of their declaration."""
        schema = self.input_schema
        required = frozenset(schema.get("required", ()))
        shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        found = []
        for name, said in schema["properties"].items():
            inner = said if isinstance(said, Mapping) else {} if said else {"not": {}}
            found.append(Parameter(name, name in required, {**inner, **shared}, str(inner.get("description", ""))))
        return tuple(found)

    @cached_property
    def input_type(self) -> Type:
        """The type of the arguments together."""
        return from_schema(self.input_schema)

    @cached_property
    def argument_types(self) -> Mapping[str, Type]:
        """The type of each declared argument, by name, in the order of their declaration."""
        whole = self.input_type
        fields = {name: kind for name, kind, _ in whole.fields} if isinstance(whole, ObjectType) else {}
        return {parameter.name: fields.get(parameter.name, ANY) for parameter in self.parameters}

    @property
    def other_arguments(self) -> Type | None:
        """The type of arguments that are not declared; None where there can be none."""
        whole = self.input_type
        return whole.additional if isinstance(whole, ObjectType) else ANY

    @cached_property
    def output_type(self) -> Type:
        """The type of the result."""
        return from_schema(self.output_schema, closed=self._shape.result_is_closed)

    @cached_property
    def python_name(self) -> str:
        """The name as an identifier: ``github.create-issue`` is ``github_create_issue``."""
        name = re.sub(r"\W", "_", self.name, flags=re.ASCII)
        return f"_{name}" if name[0].isdecimal() else name

    @property
    def takes_context(self) -> bool:
        """Whether the function wants a `RunContext`; `invoke` needs none otherwise."""
        return False

    @property
    def needs_instance(self) -> bool:
        """Whether it is a method that was not reached through an instance, and so cannot be called by a plan."""
        return False

    def signature(self) -> str:
        """One Python-like line for prompts.

        E.g. ``top_products(start: date, count: int = 10) -> list[{name: str, units: int}]``.
        """
        return self._signature

    @cached_property
    def _signature(self) -> str:
        shown = [_parameter_text(parameter) for parameter in self.parameters]
        return f"{self.python_name}({', '.join(shown)}) -> {python_text(self.output_type)}"

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of name, version, effect and schemas: it changes when a stored plan may no longer fit."""
        parts = [self.name, self.version, self.effect, self.resources, *self._shape.identity()]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_LENGTH]

    # calling

    def bind(self, args: Mapping[str, Json]) -> dict[str, Any]:
        """Validate a call's arguments and turn them into what the function takes (dates, dataclasses, …).

        Raises:
            ToolInputError: They do not fit; the message lists every problem.
        """
        try:
            return self._shape.bind(args)
        except RefusedError as refused:
            problems = refused.problems
        raise ToolInputError(listed(f"tool {self.name!r} cannot take these arguments", problems))

    async def invoke(self, bound: dict[str, Any], context: RunContext[Any] | None = None) -> Json:
        """Call the tool once and validate what it returns.

        A synchronous function runs on a thread. When the awaiting task is cancelled, `context` says so to the
        function, and a thread is left to itself.

        Args:
            bound: Arguments from `bind`.
            context: What the tool may know about the run.

        Returns:
            The result as plain JSON.

        Raises:
            ToolOutputError: The result is not JSON, or not what the output schema says.
            Exception: Whatever the tool raises, unchanged.
        """
        try:
            result = await self._call(bound, context)
        except asyncio.CancelledError:
            if context is not None:
                context.cancel()
            raise
        try:
            return self._shape.dump(result)
        except RefusedError as refused:
            problems = refused.problems
        raise ToolOutputError(listed(f"tool {self.name!r} returned what its output schema refuses", problems))

    async def _call(self, bound: dict[str, Any], context: RunContext[Any] | None) -> Any:
        raise NotImplementedError

    def replace(self, **changes: Unpack[ToolSettings]) -> Self:
        """The same tool with other settings, e.g. ``replace(name="search", approval="ask")``.

        Raises:
            ToolDefinitionError: A setting is wrong.
        """
        kept = cast("ToolSettings", {name: getattr(self, name) for name in ToolSettings.__annotations__})
        if changes.get("effect", self.effect) != self.effect:
            kept.pop("idempotent")
        values, problems = read_settings({**kept, **changes})
        if problems:
            raise ToolDefinitionError(listed(f"{self.name!r} cannot be a tool", problems))
        return self._copy(values)

    def _copy(self, changes: Mapping[str, Any]) -> Self:
        """A copy without what was computed from the old values."""
        copy = object.__new__(type(self))
        fields = self.__dataclass_fields__
        kept = {name: value for name, value in self.__dict__.items() if name in fields or name.startswith("__")}
        copy.__dict__.update(kept, **changes)
        return copy

    def same_as(self, other: Tool) -> bool:
        """Whether the other one is this tool or an equal copy: same function, same instance, same settings."""
        if type(self) is not type(other):
            return False
        mine, theirs = self.__dict__, other.__dict__
        return all(
            mine[name] is theirs[name] or (name in _COMPARED and mine[name] == theirs[name])
            for name in self.__dataclass_fields__
        )


_COMPARED = frozenset(ToolSettings.__annotations__)


def _parameter_text(parameter: Parameter) -> str:
    text = f"{parameter.name}: {python_text(from_schema(parameter.schema))}"
    if parameter.required:
        return text
    return f"{text} = {parameter.schema['default']!r}" if "default" in parameter.schema else f"{text} = ..."


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _RemoteTool(Tool):
    _procedure: Callable[[dict[str, Any]], Any]

    async def _call(self, bound: dict[str, Any], context: RunContext[Any] | None) -> Any:
        return await call_anywhere(self._procedure, bound)


async def call_anywhere(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call a function: a coroutine function here, any other on a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **named)
    result = await run_in_thread(partial(function, *args, **named))
    # Some plain functions hand out a coroutine: decorated ones, and objects with an async __call__.
    return await result if inspect.isawaitable(result) else result
