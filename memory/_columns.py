"""The columns of a typed table: what a pydantic model's fields are in SQLite, and conditions on them."""

from __future__ import annotations

import datetime
import enum
import json
import re
import sqlite3
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from agentkit.errors import DefinitionError, ModelRetry, ToolError
from agentkit.messages import Json

BUSY = 30.0
"""Seconds to wait for another process that is writing."""

Sort: TypeAlias = Literal["text", "choice", "number", "flag", "date", "moment", "json"]
SqlValue: TypeAlias = str | int | float | None
Condition: TypeAlias = tuple[str, list[SqlValue]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SORTS: tuple[tuple[type, Sort], ...] = (
    (bool, "flag"),
    (int, "number"),
    (float, "number"),
    (datetime.datetime, "moment"),
    (datetime.date, "date"),
    (str, "text"),
)
_EQUAL = ("eq", "ne", "in")
_ORDER = ("lt", "le", "gt", "ge")
_OPERATORS: Mapping[Sort, tuple[str, ...]] = {
    "text": (*_EQUAL, "contains"),
    "choice": _EQUAL,
    "number": (*_EQUAL, *_ORDER),
    "date": (*_EQUAL, *_ORDER),
    "moment": (*_EQUAL, *_ORDER),
    "flag": _EQUAL[:2],
    "json": (),
}
_SQL = {"eq": "IS", "ne": "IS NOT", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NOT_COMPARED = frozenset(
    {"default", "title", "description", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"multipleOf", "minLength", "maxLength", "pattern"}
)
"""What a field's schema says that a value to compare with need not keep."""


@dataclass(frozen=True)
class Column:
    """A column: its name, what it holds, and the JSON Schema and the validator of its values."""

    name: str
    sort: Sort
    schema: Mapping[str, Json]
    adapter: TypeAdapter[Any]

    @property
    def operators(self) -> tuple[str, ...]:
        """What a condition may say of it; nothing of lists and objects."""
        return _OPERATORS[self.sort]

    def stored(self, value: Json) -> SqlValue:
        """A JSON value as SQLite keeps it."""
        if self.sort == "json" and value is not None:
            return json.dumps(value)
        kept: SqlValue = value
        return kept

    def loaded(self, value: SqlValue) -> Json:
        """The JSON value that SQLite keeps."""
        if value is None:
            return None
        if self.sort == "json":
            return json.loads(str(value))
        return bool(value) if self.sort == "flag" else value

    def given(self, value: Json) -> SqlValue:
        """A value that somebody compares with, as SQLite keeps such values.

        Raises:
            ModelRetry: It is none of this column.
        """
        try:
            python = self.adapter.validate_python(value)
        except ValidationError as error:
            raise ModelRetry(f"{self.name}: {error.errors()[0]['msg']}, got {value!r}") from None
        return self.stored(self.adapter.dump_python(python, mode="json"))

    def condition(self, operator: str, value: Json) -> Condition:
        """One condition as SQL with its parameters. Names and operators are ours; values are parameters only."""
        name = f'"{self.name}"'
        left, right = (f"julianday({name})", "julianday(?)") if self.sort == "moment" else (name, "?")
        match operator:
            case "in":
                values = [self.given(one) for one in value] if isinstance(value, list) else [self.given(value)]
                return f"{left} IN ({', '.join([right] * len(values))})", values
            case "contains":
                return f"instr({left}, ?) > 0", [str(value)]
            case _:
                return f"{left} {_SQL[operator]} {right}", [self.given(value)]


def columns_of(model: type[BaseModel]) -> list[Column]:
    """The columns for a model's fields.

    Raises:
        DefinitionError: A field is named ``id``, which every row has, or the model has none.
    """
    fields = model.model_fields
    if not fields or "id" in fields:
        raise DefinitionError(
            f"the model {model.__name__!r} cannot be a table: it needs fields, and none named 'id', "
            "which every row has by itself"
        )
    schemas = model.model_json_schema()["properties"]
    adapters: dict[str, TypeAdapter[Any]] = {
        name: TypeAdapter[Any](field.annotation or Any) for name, field in fields.items()
    }
    aliased = [name for name in fields if name not in schemas]
    if aliased:
        raise DefinitionError(f"the field {aliased[0]!r} of {model.__name__!r} has an alias; a table needs plain names")
    return [Column(name, _sort(field.annotation), schemas[name], adapters[name]) for name, field in fields.items()]


ID = Column("id", "number", {"type": "integer", "description": "The number of the row."}, TypeAdapter(int))
"""The column that every table has."""


def _sort(hint: Any) -> Sort:
    if get_origin(hint) is Annotated:
        return _sort(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        sorts = {_sort(one) for one in get_args(hint) if one is not type(None)}
        return sorts.pop() if len(sorts) == 1 else "json"
    if get_origin(hint) is Literal:
        return "choice" if all(isinstance(one, str) for one in get_args(hint)) else "json"
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "choice" if all(isinstance(one.value, str) for one in hint) else "json"
    return next((sort for kind, sort in _SORTS if isinstance(hint, type) and issubclass(hint, kind)), "json")


def where_schema(columns: Sequence[Column], *, operators: bool) -> dict[str, Json]:
    """The JSON Schema of conditions: by column, a value to equal; with `operators`, or these with their values."""
    compared = [column for column in columns if column.operators]
    properties = {column.name: _compared(column) if operators else _plain(column) for column in compared}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _plain(column: Column) -> dict[str, Json]:
    return {key: part for key, part in column.schema.items() if key not in _NOT_COMPARED}


def _compared(column: Column) -> dict[str, Json]:
    plain = _plain(column)
    special: dict[str, Json] = {
        "in": {"type": "array", "items": plain, "minItems": 1},
        "contains": {"type": "string"},
    }
    operators = {name: special.get(name, plain) for name in column.operators if name != "eq"}
    said = {"type": "object", "properties": operators, "additionalProperties": False, "minProperties": 1}
    return {"anyOf": [plain, said]}


def conditions(where: Mapping[str, Json], columns: Sequence[Column]) -> Condition:
    """All conditions as the end of a statement, from ``WHERE`` on, with their parameters.

    Raises:
        ModelRetry: A column or an operator is not known, or a value is none of its column.
    """
    known = {column.name: column for column in columns if column.operators}
    parts: list[str] = []
    parameters: list[SqlValue] = []
    for name, said in where.items():
        column = known.get(name)
        if column is None:
            raise ModelRetry(f"there is no column {name!r} to compare; there are: {', '.join(known)}")
        for operator, value in (said if isinstance(said, Mapping) else {"eq": said}).items():
            if operator not in column.operators:
                raise ModelRetry(f"{name} cannot be compared by {operator!r}; it can by: {', '.join(column.operators)}")
            sql, values = column.condition(operator, value)
            parts.append(sql)
            parameters += values
    return (f" WHERE {' AND '.join(parts)}" if parts else "", parameters)


def table_name(model: type[BaseModel], name: str | None) -> str:
    """The name of a model's table: its own in snake case, unless another one is given.

    Raises:
        DefinitionError: The model is none, or it cannot be the name of a table and of tools.
    """
    given: object = model  # whatever a caller who checks no types gives
    if not (isinstance(given, type) and issubclass(given, BaseModel)):
        raise DefinitionError(f"{model!r} cannot be a table or a queue: expected a class of pydantic's BaseModel")
    chosen = name if name is not None else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__).lower()
    if not _NAME.fullmatch(chosen) or chosen.startswith(("sqlite_", "agentkit_")):
        raise DefinitionError(
            f"{chosen!r} cannot name a table; expected lower-case letters, digits and '_', beginning with a letter, "
            "and not with 'sqlite_' or 'agentkit_'"
        )
    return chosen


class File:
    """A SQLite file with typed tables, used by any number of processes.

    Args:
        path: The file; made if it is not there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, kind: str, columns: str, shape: Json) -> None:
        """Make a table if it is not there.

        Raises:
            DefinitionError: There is one of another shape.
        """
        told = json.dumps([kind, shape], sort_keys=True)
        with self.writing() as db:
            db.execute("CREATE TABLE IF NOT EXISTS agentkit_tables (name TEXT PRIMARY KEY, shape TEXT NOT NULL)")
            row = db.execute("SELECT shape FROM agentkit_tables WHERE name = ?", (name,)).fetchone()
            if row is not None and row[0] != told:
                raise DefinitionError(
                    f"{str(self.path)!r} has a {json.loads(row[0])[0]} {name!r} of another shape: "
                    f"{json.dumps(json.loads(row[0])[1])}; give this one another name or file, or move its rows"
                )
            db.execute("INSERT OR IGNORE INTO agentkit_tables VALUES (?, ?)", (name, told))
            db.execute(f'CREATE TABLE IF NOT EXISTS "{name}" (id INTEGER PRIMARY KEY AUTOINCREMENT, {columns})')

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the file."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone writes; everything is kept together, or nothing."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA secure_delete = ON")  # what is deleted or replaced leaves the file
                db.execute(begin)
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            raise ModelRetry(f"refused: {error}") from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise ModelRetry(f"a value cannot be kept: {error}") from error
        except sqlite3.Error as error:
            raise ToolError(f"the tables in {str(self.path)!r} cannot be used: {error}") from error


def validated(model: Callable[..., Any], data: Mapping[str, Json]) -> Any:
    """An instance of the model.

    Raises:
        ModelRetry: The data do not fit; the message lists every problem.
    """
    try:
        return model(**data)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc'])) or 'row'}: {one['msg']}" for one in error.errors()]
        raise ModelRetry("; ".join(problems)) from None
