"""JSON Schemas and validators of a function, built by pydantic when they are first needed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import PydanticSerializationError, SchemaError, from_json, to_jsonable_python
from typing_extensions import TypedDict

from agentkit._schema_hints import guarded, resolve_hints, subject, type_name
from agentkit._schema_problems import RefusedError, argument_problems, listed, place, result_problems, shown
from agentkit._schema_signature import Signature, description_problems, origin_of
from agentkit.errors import ToolDefinitionError
from agentkit.messages import Json

_NO_SCHEMA = (PydanticUserError, SchemaError, NameError, TypeError, ValueError, RecursionError)
_WHOLE_NUMBER_ERRORS = frozenset({"int_type", "int_from_float", "literal_error", "enum"})
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})
_VALUES = frozenset({"default", "const", "enum", "examples"})

encode: Final[Callable[[Any], str]] = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""JSON text of a value; raises TypeError, ValueError or RecursionError for what is not JSON."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        name: Its name.
        required: Whether every call has to give it.
        schema: Its JSON Schema, complete in itself: the ``$defs`` that it refers to are inside.
        description: What it means.
    """

    name: str
    required: bool
    schema: Mapping[str, Json]
    description: str


class _Written(GenerateJsonSchema):
    """The schema of what is written: a field with a default is always there."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return field["type"] in {"model-field", "dataclass-field"} or super().field_is_required(field, total)


class FunctionShape:
    """What goes into a Python function and comes out of it, as JSON Schemas and as checks.

    Everything crosses the border as JSON text in pydantic's strict mode: that is JSON Schema's own strictness (no
    ``"7"`` for an integer, ISO 8601 text for a date), and one pass in native code.
    """

    result_is_closed = True
    """Whether objects in the result have the fields that the output schema lists, and no others."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature

    @cached_property
    def _hints(self) -> Mapping[str, Any]:
        signature = self._signature
        if signature.hints is not None:
            return signature.hints
        hints, unresolved = resolve_hints(signature.function, signature.namespace, signature.context)
        self._refuse_if([*unresolved.values()] or description_problems(signature, hints))
        return hints

    def _refuse_if(self, problems: list[str]) -> None:
        if problems:
            raise ToolDefinitionError(listed(f"{origin_of(self._signature.function)!r} cannot be a tool", problems))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self._signature.parameters)

    @cached_property
    def _arguments(self) -> TypeAdapter[dict[str, Any]]:
        """The validator of all arguments together; building it is also how unfit type hints are found."""
        signature, hints = self._signature, self._hints
        fields: dict[str, Any] = {}
        for parameter in signature.parameters:
            described = _described(hints[parameter.name], signature.description_of(parameter.name, hints))
            optional = parameter.default is not inspect.Parameter.empty
            fields[parameter.name] = NotRequired[described] if optional else described
        make: Any = TypedDict
        arguments = make("Arguments", fields)
        arguments.__pydantic_config__ = ConfigDict(extra="forbid")
        try:
            return self._adapter(arguments)
        except _NO_SCHEMA:
            self._refuse_if([line for name in self._names for line in self._hint_problems(name)])
            raise

    @cached_property
    def _result(self) -> TypeAdapter[Any]:
        try:
            return self._adapter(self._hints["return"], "serialization")
        except _NO_SCHEMA:
            self._refuse_if(self._hint_problems("return"))
            raise

    def _adapter(self, hint: Any, mode: JsonSchemaMode = "validation") -> TypeAdapter[Any]:
        adapter = TypeAdapter(hint)
        if not adapter.pydantic_complete:
            adapter.rebuild(raise_errors=True, _types_namespace=dict(self._signature.namespace))
        adapter.json_schema(mode=mode)
        return adapter

    def _hint_problems(self, name: str) -> list[str]:
        hint = self._hints[name]
        try:
            self._adapter(hint, "serialization" if name == "return" else "validation")
        except _NO_SCHEMA as error:
            reason = str(error).strip().split("\n", 1)[0].split(". Set `", 1)[0]
            return [f"{subject(name)} has type {type_name(hint)!r}, which cannot be described as JSON: {reason}"]
        return []

    @cached_property
    def input_schema(self) -> Mapping[str, Json]:
        """The schema of all arguments together: a closed object."""
        schema: dict[str, Json] = without_titles(self._arguments.json_schema())
        for parameter in self._signature.parameters:
            if parameter.default is not inspect.Parameter.empty:
                schema["properties"][parameter.name] |= _default(parameter.default)
        schema.setdefault("properties", {})
        return schema

    @cached_property
    def output_schema(self) -> Mapping[str, Json]:
        """The schema of the result."""
        schema: dict[str, Json] = self._result.json_schema(schema_generator=_Written, mode="serialization")
        return without_titles(schema)  # type: ignore[no-any-return]

    def identity(self) -> list[Json]:
        """JSON that differs wherever the schemas differ, without building this function's own.

        Many tools share few type hints: the schema of each hint is made once.
        """
        signature, hints = self._signature, self._hints
        try:
            said: list[Json] = [_schema_of_hint(hints["return"], repr(hints["return"]), "serialization")]
            for parameter in signature.parameters:
                name, hint, default = parameter.name, hints[parameter.name], parameter.default
                optional = default is not inspect.Parameter.empty
                schema = _schema_of_hint(hint, repr(hint), "validation")
                about = [name, signature.description_of(name, hints), optional, _default(default) if optional else {}]
                said.append([*about, schema])
        except _NO_SCHEMA:
            # A hint that cannot be told from others, or has a schema only where the function was defined.
            return [self.input_schema, self.output_schema]
        return said

    @cached_property
    def _is_symmetric(self) -> bool:
        """Whether what the result type writes is what it reads: so without aliases and computed fields."""
        try:
            read = self._result.json_schema(mode="validation")
        except PydanticUserError:
            return False
        return bool(_outline(read) == _outline(self.output_schema))

    @cached_property
    def _read_arguments(self) -> Callable[..., Any]:
        return self._arguments.validator.validate_json

    @cached_property
    def _read_result(self) -> Callable[..., Any]:
        return self._result.validator.validate_json

    @cached_property
    def _write_result(self) -> Callable[..., Any]:
        return self._result.serializer.to_python

    def bind(self, args: Mapping[str, Json]) -> dict[str, Any]:
        """The arguments as Python values, ready to be passed by name; defaults are left to the function.

        Raises:
            RefusedError: They do not fit.
        """
        read = self._read_arguments
        try:
            return _read(read, encode(args if type(args) is dict else dict(args)))  # type: ignore[no-any-return]
        except ValidationError as error:
            problems = argument_problems(error.errors(include_url=False), args, self._names)
        except (TypeError, ValueError, RecursionError):
            problems = not_json(args)
        raise RefusedError(problems)

    def dump(self, result: Any) -> Json:
        """The result as plain JSON that satisfies the output schema.

        Raises:
            RefusedError: It does not.
        """
        try:
            if self._is_symmetric:
                value = _read(self._read_result, result_text(result))
                return self._write_result(value, mode="json", by_alias=True, warnings="error")
            return self._dump_object(result)
        except ValidationError as error:
            problems = result_problems(error.errors(include_url=False), _loaded(result))
        except PydanticSerializationError as error:
            problems = [f"result: {error}"]
        raise RefusedError(problems)

    def _dump_object(self, result: Any) -> Json:
        """A result of a type whose JSON differs from what it is made of."""
        try:
            value = self._result.validator.validate_python(result, strict=True)
        except ValidationError:
            value = _read(self._read_result, result_text(result))
        data = self._write_result(value, mode="json", by_alias=True, warnings="error")
        result_text(data)
        return data


@lru_cache(maxsize=4096)
def _schema_of_hint(hint: Any, text: str, mode: JsonSchemaMode) -> str:
    """The JSON Schema of a type hint, as text.

    Hints of different schemas may be equal, as ``int | str`` and ``str | int``: `text`, the hint's own, tells which.
    """
    generator = _Written if mode == "serialization" else GenerateJsonSchema
    schema = TypeAdapter(hint).json_schema(schema_generator=generator, mode=mode)
    return json.dumps(without_titles(schema), sort_keys=True)


def _described(hint: Any, description: str) -> Any:
    return Annotated[guarded(hint), Field(description=description)]


def _read(read: Callable[..., Any], text: str) -> Any:
    """The validated value; ``7.0`` passes for an integer, as JSON Schema has it."""
    try:
        return read(text, strict=True)
    except ValidationError as error:
        places = [
            place(problem, from_json(text))
            for problem in error.errors(include_url=False)
            if problem["type"] in _WHOLE_NUMBER_ERRORS
            and isinstance(problem["input"], float)
            and problem["input"].is_integer()
        ]
        if not places:
            raise
    return read(encode(_with_integers(from_json(text), places)), strict=True)


def _with_integers(data: Json, places: list[tuple[str | int, ...]]) -> Json:
    root = {"": data}
    for path in places:
        holder: Any = root
        key: str | int = ""
        for part in path:
            holder, key = holder[key], part
        holder[key] = int(holder[key])
    return root[""]


def not_json(args: Any) -> list[str]:
    """Which of the arguments are not JSON."""
    if not isinstance(args, Mapping):
        return [f"expected an object of arguments, got {shown(args)}"]
    problems = []
    for name, value in args.items():
        try:
            encode(value)
        except (TypeError, ValueError, RecursionError):
            problems.append(f"argument {str(name)!r}: expected JSON, got {shown(value)}")
    return problems or [f"expected JSON, got {shown(args)}"]


def result_text(result: Any) -> str:
    """The JSON text of a tool's result; raises `RefusedError` for what is not JSON, infinities and NaN included."""
    try:
        try:
            return encode(result)
        except TypeError:
            return encode(to_jsonable_python(result, inf_nan_mode="constants"))
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error).split("\n", 1)[0]
        raise RefusedError([f"result: expected JSON, got {shown(result)} ({reason})"]) from None


def _loaded(result: Any) -> Json:
    try:
        return json.loads(result_text(result))
    except (ValueError, RecursionError):
        return None


def _default(value: Any) -> dict[str, Json]:
    """The schema keyword of a default; none for one that is not JSON, such as a sentinel."""
    try:
        return {"default": from_json(encode(to_jsonable_python(value, inf_nan_mode="constants")))}
    except (TypeError, ValueError, RecursionError):
        return {}


def without_titles(schema: Json) -> Any:
    """`schema` without pydantic's titles, which only repeat the names, and with its own copy of everything."""
    if isinstance(schema, list):
        return [without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: without_titles(inner) for name, inner in value.items()}
        if key in _NAMED_SCHEMAS
        else value
        if key in _VALUES
        else without_titles(value)
        for key, value in schema.items()
        if key != "title"
    }


def _outline(schema: Json) -> Json:
    """`schema` without what reading and writing may differ in harmlessly."""
    if isinstance(schema, list):
        return [_outline(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _outline(value)
        for key, value in schema.items()
        if key not in {"title", "required", "default", "readOnly"} or isinstance(value, dict)
    }
