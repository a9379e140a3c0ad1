"""Tools that are known by their JSON Schemas only, such as those of a remote server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic_core import from_json

from agentkit._schema import encode, not_json, result_text
from agentkit._schema_problems import RefusedError, missing, path_text, unexpected
from agentkit.messages import Json
from agentkit.types.validation import validator_of

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, SchemaError, ValidationError

_LONGEST_LINE = 300
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "unevaluatedProperties"})


class SchemaShape:
    """What `FunctionShape` is to a function, for JSON Schemas (Draft 2020-12); made by `read_schemas`."""

    result_is_closed = False

    def __init__(self, input_schema: Mapping[str, Json], output_schema: Mapping[str, Json]) -> None:
        self.input_schema = input_schema
        self.output_schema = output_schema

    @cached_property
    def _input(self) -> Draft202012Validator:
        return validator_of(self.input_schema)

    @cached_property
    def _output(self) -> Draft202012Validator:
        return validator_of(self.output_schema)

    def bind(self, args: Mapping[str, Json]) -> dict[str, Any]:
        """A copy of the arguments, if the input schema accepts them."""
        try:
            data: dict[str, Any] = from_json(encode(args if type(args) is dict else dict(args)))
        except (TypeError, ValueError, RecursionError):
            raise RefusedError(not_json(args)) from None
        lines = self._argument_lines(_errors(self._input, data), data)
        if problems := list(dict.fromkeys(lines)):
            raise RefusedError(problems)
        return data

    def _argument_lines(self, errors: Iterable[ValidationError], args: Mapping[str, Json]) -> Iterator[str]:
        known = self.input_schema["properties"]
        for error in errors:
            path = tuple(error.absolute_path)
            if not path and error.validator == "required":
                yield from (missing(name) for name in self.input_schema["required"] if name not in args)
            elif not path and error.validator == "additionalProperties":
                yield from (unexpected(name, known) for name in args if name not in known)
            else:
                where = f"argument {path_text(path)!r}" if path else "the arguments"
                yield f"{where}: {_short(error.message)}"

    def identity(self) -> list[Json]:
        """JSON that differs wherever the schemas differ."""
        return [self.input_schema, self.output_schema]

    def dump(self, result: Any) -> Json:
        """The result as plain JSON, if the output schema accepts it."""
        try:
            data = from_json(result_text(result))
        except ValueError as error:
            raise RefusedError([f"result: expected JSON ({error})"]) from None
        if self.output_schema:
            lines = [
                f"{path_text(('result', *error.absolute_path))}: {_short(error.message)}"
                for error in _errors(self._output, data)
            ]
            if lines:
                raise RefusedError(lines)
        return data


def read_schemas(input_schema: Any, output_schema: Any) -> tuple[SchemaShape | None, list[str]]:
    """The shape that two JSON Schemas make, or every reason why they do not.

    An input schema that lists its properties and does not say whether there may be others is closed, so that an
    invented argument is found before the call.
    """
    problems = [*schema_problems(input_schema, "input"), *schema_problems(output_schema, "output")]
    if not problems and input_schema.get("type", "object") != "object":
        problems.append(f"input schema: a tool's arguments are an object, not {input_schema['type']!r}")
    if problems:
        return None, problems
    arguments: dict[str, Json] = {"type": "object", "properties": {}, **from_json(encode(dict(input_schema)))}
    if not _COMPOSED & arguments.keys():
        arguments.setdefault("additionalProperties", False)
    return SchemaShape(arguments, from_json(encode(dict(output_schema)))), []


def schema_problems(schema: Any, name: str) -> list[str]:
    """Why something is no JSON Schema (Draft 2020-12) that stands on its own; `name` says whose it is."""
    found = unfit_schema(schema)
    return [f"{name} schema{problem if problem.startswith(', at ') else f': {problem}'}" for problem in found]


def unfit_schema(schema: Any) -> list[str]:
    """`schema_problems` without saying whose schema it is; one that has a place begins with ``, at``."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(schema, Mapping):
        return [f"expected an object, got {type(schema).__name__}"]
    try:
        plain = from_json(encode(dict(schema)))
    except (TypeError, ValueError, RecursionError) as error:
        return [f"not JSON ({error})"]
    try:
        Draft202012Validator.check_schema(plain, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        where = path_text(tuple(error.absolute_path))
        return [f", at {where}: {_said(error)}" if where else _said(error)]
    except RecursionError:
        return ["nested too deeply"]
    return list(_reference_problems(plain))


def _said(error: SchemaError) -> str:
    path = error.absolute_path
    if path and path[-1] == "type" and not isinstance(error.instance, Mapping):
        return f"{_short(repr(error.instance))} is not a type; there are: {', '.join(_TYPES)}"
    return _short(error.message)


def _reference_problems(schema: dict[str, Json]) -> Iterator[str]:
    """References that lead nowhere, or out of the schema: nothing is ever fetched to check a value."""
    anchors = {f"#{value}" for key, value in _keywords(schema) if key in {"$anchor", "$dynamicAnchor"}}
    for key, target in _keywords(schema):
        if key not in {"$ref", "$dynamicRef"} or target in anchors:
            continue
        if not target.startswith("#"):
            yield f"the reference {target!r} leads outside; put the schema that it means under '$defs'"
        elif not _leads_somewhere(schema, target):
            yield f"the reference {target!r} leads nowhere"


def _keywords(schema: Json) -> Iterator[tuple[str, str]]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if isinstance(value, str):
                yield key, value
            elif key not in {"const", "enum", "default", "examples"}:
                yield from _keywords(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _keywords(item)


def _leads_somewhere(schema: Json, pointer: str) -> bool:
    for part in pointer.removeprefix("#").split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and key in schema:
            schema = schema[key]
        elif isinstance(schema, list) and key.isdecimal() and int(key) < len(schema):
            schema = schema[int(key)]
        else:
            return False
    return pointer == "#" or pointer.startswith("#/")


def _errors(validator: Draft202012Validator, data: Json) -> list[ValidationError]:
    try:
        return list(validator.iter_errors(data))
    except RecursionError:
        raise RefusedError(["the schema refers to itself without end, or the value is nested too deeply"]) from None


def _short(message: str) -> str:
    return message if len(message) <= _LONGEST_LINE else f"{message[: _LONGEST_LINE - 1]}…"
