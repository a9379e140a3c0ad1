"""Structured memory: typed tables and queues in SQLite, for programs and, as tools, for agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agentkit.errors import DefinitionError, ModelRetry
from agentkit.memory._columns import ID, Column, File, columns_of, conditions, table_name, validated, where_schema
from agentkit.messages import Json
from agentkit.toolbox import Tool

MOST_ROWS = 1_000
"""Rows that the query tool gives at once."""

M = TypeVar("M", bound=BaseModel)


# Without slots: on Python 3.11 a frozen generic dataclass with them cannot be made through `Row[X](…)`.
@dataclass(frozen=True)
class Row(Generic[M]):
    """A row of a table: its number, and its value."""

    id: int
    value: M

    def to_json(self) -> dict[str, Json]:
        """The row as tools give it: the model's fields and ``id``."""
        return {"id": self.id, **self.value.model_dump(mode="json")}


class Table(Generic[M]):
    """Rows of a pydantic model in a SQLite table, each with a number of its own in ``id``.

    Conditions (`where`) name columns with a value to equal, or with operators: ``{"name": "Ann", "age": {"ge": 9}}``.
    Operators are ``eq ne in``, for numbers and dates ``lt le gt ge``, and ``contains`` for text. All must hold.

    Args:
        model: What a row is. Lists and objects are kept as JSON and cannot be compared.
        path: The SQLite file; made if it is not there. It may hold several tables.
        name: The table's name; the model's in snake case by default.
        unique: Fields that together no two rows may have the same.

    Raises:
        DefinitionError: The model cannot be a table, or the file has one of this name and another shape.
    """

    def __init__(
        self, model: type[M], path: str | Path, *, name: str | None = None, unique: tuple[str, ...] | str = ()
    ) -> None:
        self.model = model
        self.name = table_name(model, name)
        self._columns = columns_of(model)
        self._all: list[Column] = [ID, *self._columns]
        self._file = File(path)
        keys = (unique,) if isinstance(unique, str) else unique
        unknown = [key for key in keys if key not in model.model_fields]
        if unknown:
            raise DefinitionError(f"unique names {unknown[0]!r}, which is no field of {model.__name__!r}")
        parts = [f'"{column.name}"' for column in self._columns]
        if keys:
            parts.append("UNIQUE ({})".format(", ".join(f'"{key}"' for key in keys)))
        shape = [*(f"{column.name}: {column.sort}" for column in self._columns), *(f"unique {key}" for key in keys)]
        self._file.create(self.name, "table", ", ".join(parts), shape)

    # for programs

    def insert(self, value: M) -> int:
        """Put a row in; its number.

        Raises:
            ModelRetry: Another row has the same unique fields.
        """
        stored = self._stored(value)
        marks = ", ".join("?" * len(stored))
        names = ", ".join(f'"{column.name}"' for column in self._columns)
        with self._file.writing() as db:
            return int(db.execute(f'INSERT INTO "{self.name}" ({names}) VALUES ({marks})', stored).lastrowid or 0)

    def query(
        self,
        where: Mapping[str, Json] | None = None,
        *,
        order_by: str = "id",
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row[M]]:
        """The rows that meet all conditions.

        Raises:
            ModelRetry: A condition or `order_by` names no column, or a value does not fit.
        """
        ends, parameters = conditions(where or {}, self._all)
        sortable = [column.name for column in self._all if column.operators]
        if order_by not in sortable:
            raise ModelRetry(f"there is no column {order_by!r} to order by; there are: {', '.join(sortable)}")
        by = next(column for column in self._all if column.name == order_by)
        key = f'julianday("{order_by}")' if by.sort == "moment" else f'"{order_by}"'
        order = f" ORDER BY {key} {'DESC' if descending else 'ASC'}, id LIMIT ?"
        with self._file.reading() as db:
            found = db.execute(f"{self._select}{ends}{order}", [*parameters, -1 if limit is None else limit]).fetchall()
        return [self._row(row) for row in found]

    def update(self, where: Mapping[str, Json], changes: Mapping[str, Json]) -> int:
        """Change fields of all rows that meet the conditions; how many there were.

        Raises:
            ModelRetry: There is no condition, or a changed row would not be one of the model.
        """
        ends, parameters = self._some(where, "update")
        sets = ", ".join(f'"{column.name}" = ?' for column in self._columns)
        with self._file.writing() as db:
            rows = [self._row(row) for row in db.execute(f"{self._select}{ends}", parameters)]
            for row in rows:
                value = validated(self.model, {**row.value.model_dump(mode="json"), **changes})
                db.execute(f'UPDATE "{self.name}" SET {sets} WHERE id = ?', [*self._stored(value), row.id])
        return len(rows)

    def delete(self, where: Mapping[str, Json]) -> int:
        """Delete all rows that meet the conditions; how many there were.

        Raises:
            ModelRetry: There is no condition.
        """
        ends, parameters = self._some(where, "delete")
        with self._file.writing() as db:
            return db.execute(f'DELETE FROM "{self.name}"{ends}', parameters).rowcount

    def __len__(self) -> int:
        with self._file.reading() as db:
            return int(db.execute(f'SELECT count(*) FROM "{self.name}"').fetchone()[0])

    @property
    def _select(self) -> str:
        return 'SELECT {} FROM "{}"'.format(", ".join(f'"{column.name}"' for column in self._all), self.name)

    def _some(self, where: Mapping[str, Json], doing: str) -> tuple[str, list[Any]]:
        if not where:
            raise ModelRetry(f"{doing} needs at least one condition; to mean all rows, say {{'id': {{'ge': 0}}}}")
        return conditions(where, self._all)

    def _stored(self, value: M) -> list[Any]:
        data = value.model_dump(mode="json")
        return [column.stored(data[column.name]) for column in self._columns]

    def _row(self, row: tuple[Any, ...]) -> Row[M]:
        data = {column.name: column.loaded(value) for column, value in zip(self._columns, row[1:], strict=True)}
        return Row(row[0], self.model.model_validate(data))

    # for agents

    def tools(self) -> list[Tool]:
        """``insert_…``, ``query_…``, ``update_…`` and ``delete_…``, with the exact schemas of the model.

        Only queries take operators: what is changed or deleted is named by its values, such as its ``id``.
        """
        name, kind, given = self.name, self.model.__name__, input_schema(self.model)
        row = row_schema(self.model)
        shared = {"$defs": given["$defs"]} if "$defs" in given else {}
        where = where_schema(self._all, operators=True)
        some = {**where_schema(self._all, operators=False), "minProperties": 1, "description": "What a row must have."}
        changes = {
            "type": "object",
            "properties": {key: without_default(part) for key, part in given["properties"].items()},
            "additionalProperties": False,
            "minProperties": 1,
        }
        sortable = [column.name for column in self._all if column.operators]
        listing = {
            "where": {**where, "default": {}, "description": "Conditions that a row must meet; none gives all."},
            "order_by": {"type": "string", "enum": sortable, "default": "id"},
            "descending": {"type": "boolean", "default": False},
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 100},
        }
        number = {"type": "integer", "minimum": 0}

        def make(verb: str, says: str, args: Mapping[str, Json], call: Any, output: Mapping[str, Json]) -> Tool:
            return Tool.from_schema(
                name=f"{verb}_{name}",
                description=says,
                effect="read" if verb == "query" else "write",
                resources=f"table:{name}",
                input_schema=args,
                output_schema=output,
                call=call,
                origin=f"the table {name!r}",
            )

        def rows(args: dict[str, Any]) -> Json:
            return [row.to_json() for row in self.query(**{"limit": 100, **args})]

        def insert(args: dict[str, Any]) -> Json:
            value = validated(self.model, args)
            return Row(self.insert(value), value).to_json()

        both = arguments({"where": some, "changes": changes}, ["where", "changes"], shared)
        only = arguments({"where": some}, ["where"], shared)
        return [
            make("insert", f"Add a {kind}; gives it back with its id.", given, insert, row),
            make("query", f"Find {kind} rows.", arguments(listing, [], shared), rows, listed(row)),
            make("update", f"Change {kind} rows; how many.", both, lambda args: self.update(**args), number),
            make("delete", f"Delete {kind} rows; how many.", only, lambda args: self.delete(**args), number),
        ]


class Queue(Generic[M]):
    """Items of a pydantic model that wait in a SQLite table, first in, first out; each is given to one taker only.

    Args:
        model: What an item is.
        path: The SQLite file; made if it is not there. It may hold several queues and tables.
        name: The queue's name; the model's in snake case by default.

    Raises:
        DefinitionError: The name cannot be one, or the file has something else of this name.
    """

    def __init__(self, model: type[M], path: str | Path, *, name: str | None = None) -> None:
        self.model = model
        self.name = table_name(model, name)
        self._file = File(path)
        self._file.create(self.name, "queue", "item TEXT NOT NULL", model.__name__)

    def push(self, item: M) -> int:
        """Put an item at the end; how many wait now."""
        with self._file.writing() as db:
            db.execute(f'INSERT INTO "{self.name}" (item) VALUES (?)', (item.model_dump_json(),))
            return self._waiting(db)

    def pop(self) -> M | None:
        """Take the first item; None if nothing waits. No two takers, in whatever processes, get the same one."""
        first = f'DELETE FROM "{self.name}" WHERE id = (SELECT min(id) FROM "{self.name}") RETURNING item'
        with self._file.writing() as db:
            found = db.execute(first).fetchall()
        return self.model.model_validate_json(found[0][0]) if found else None

    def peek(self, count: int = 1) -> list[M]:
        """The first items, which stay."""
        with self._file.reading() as db:
            found = db.execute(f'SELECT item FROM "{self.name}" ORDER BY id LIMIT ?', (count,)).fetchall()
        return [self.model.model_validate_json(item) for (item,) in found]

    def __len__(self) -> int:
        with self._file.reading() as db:
            return self._waiting(db)

    def _waiting(self, db: Any) -> int:
        return int(db.execute(f'SELECT count(*) FROM "{self.name}"').fetchone()[0])

    def tools(self) -> list[Tool]:
        """``push_…``, ``pop_…`` and ``peek_…``, with the exact schemas of the model."""
        name, kind = self.name, self.model.__name__
        item = row_schema(self.model, with_id=False)
        shared = {"$defs": item["$defs"]} if "$defs" in item else {}
        alone = {key: part for key, part in item.items() if key != "$defs"}
        count = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 1}
        parts = {"resources": f"queue:{name}", "origin": f"the queue {name!r}"}

        def pop(args: dict[str, Any]) -> Json:
            taken = self.pop()
            return None if taken is None else taken.model_dump(mode="json")

        return [
            Tool.from_schema(
                name=f"push_{name}",
                description=f"Put a {kind} at the end of the queue; how many wait now.",
                effect="write",
                input_schema=input_schema(self.model),
                output_schema={"type": "integer", "minimum": 1},
                call=lambda args: self.push(validated(self.model, args)),
                resources=parts["resources"],
                origin=parts["origin"],
            ),
            Tool.from_schema(
                name=f"pop_{name}",
                description=f"Take the first {kind} from the queue; null if none waits.",
                effect="write",
                input_schema=arguments({}, [], {}),
                output_schema={"anyOf": [alone, {"type": "null"}], **shared},
                call=pop,
                resources=parts["resources"],
                origin=parts["origin"],
            ),
            Tool.from_schema(
                name=f"peek_{name}",
                description=f"Look at the first {kind} items in the queue, which stay.",
                effect="read",
                input_schema=arguments({"count": count}, [], {}),
                output_schema=listed(item),
                call=lambda args: [one.model_dump(mode="json") for one in self.peek(**args)],
                resources=parts["resources"],
                origin=parts["origin"],
            ),
        ]


def input_schema(model: type[BaseModel]) -> dict[str, Json]:
    """The JSON Schema of what makes an instance of the model; closed."""
    return {**model.model_json_schema(mode="validation"), "additionalProperties": False}


def row_schema(model: type[BaseModel], *, with_id: bool = True) -> dict[str, Json]:
    """The JSON Schema of an instance as tools give it, with the number of its row."""
    schema = model.model_json_schema(mode="serialization")
    properties = {**({"id": dict(ID.schema)} if with_id else {}), **schema["properties"]}
    return {**schema, "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The JSON Schema of a list of what `schema` is of."""
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "array", "items": {key: part for key, part in schema.items() if key != "$defs"}, **shared}


def arguments(properties: Mapping[str, Json], required: list[str], shared: Mapping[str, Json]) -> dict[str, Json]:
    """The closed JSON Schema of a tool's arguments."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
        **shared,
    }


def without_default(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A field's schema where nothing said means: leave it."""
    return {key: part for key, part in schema.items() if key != "default"}
