"""SQLite tools: what they show, what they refuse, and that a query can change nothing."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import DefinitionError, ModelRetry, ToolError, ToolInputError
from agentkit.toolbox import Toolbox
from agentkit.tools.sql import sqlite_tools

SCHEMA = """
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL);
CREATE TABLE sales (product_id INTEGER REFERENCES products (id), units INT, revenue REAL);
CREATE VIEW totals AS SELECT product_id, sum(units) AS units FROM sales GROUP BY product_id;
CREATE TABLE "odd ""name" (a);
INSERT INTO products VALUES (1, 'coat', 12.5), (2, 'hat', 3.0), (3, 'scarf', NULL);
INSERT INTO sales VALUES (1, 2, 25.0), (2, 5, 15.0);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a shop?.db"
    connection = sqlite3.connect(file)
    connection.executescript(SCHEMA)
    connection.close()
    return file


class Shop:
    """The tools as a plan calls them: arguments and results cross the border as JSON."""

    def __init__(self, path: Path, max_rows: int = 200) -> None:
        self.tools = Toolbox(sqlite_tools(path, max_rows=max_rows, timeout=0.5))

    async def __call__(self, name: str, /, **arguments: Any) -> Any:
        one = self.tools[name]
        return await one.invoke(one.bind(arguments))

    async def query(self, sql: str, *parameters: object) -> Any:
        return await self("run_query", sql=sql, parameters=list(parameters))

    async def execute(self, sql: str, *parameters: object) -> Any:
        return await self("execute_sql", sql=sql, parameters=list(parameters))

    async def refusal(self, name: str, sql: str, *parameters: object) -> str:
        with pytest.raises(ModelRetry) as refusal:
            await self(name, sql=sql, parameters=list(parameters))
        return str(refusal.value)


@pytest.fixture
def shop(path: Path) -> Shop:
    return Shop(path)


async def test_tables_are_listed_with_columns_and_counts(shop: Shop) -> None:
    tables = {table["name"]: table for table in await shop("list_tables")}
    assert list(tables) == ['odd "name', "products", "sales", "totals"]
    assert tables["products"] == {
        "name": "products",
        "kind": "table",
        "columns": [
            {"name": "id", "type": "INTEGER", "required": False, "primary_key": True},
            {"name": "name", "type": "TEXT", "required": True, "primary_key": False},
            {"name": "price", "type": "REAL", "required": False, "primary_key": False},
        ],
        "row_count": 3,
    }
    assert (tables["totals"]["kind"], tables["totals"]["row_count"]) == ("view", None)
    assert tables['odd "name']["columns"][0]["type"] == "ANY"


async def test_rows_come_as_objects(shop: Shop) -> None:
    assert await shop.query("SELECT name, price FROM products WHERE id < ? ORDER BY id", 3) == {
        "columns": ["name", "price"],
        "rows": [{"name": "coat", "price": 12.5}, {"name": "hat", "price": 3.0}],
        "row_count": 2,
        "truncated": False,
    }


async def test_columns_of_one_name_are_told_apart(shop: Shop) -> None:
    found = await shop.query("SELECT a.id, b.id FROM products a JOIN products b ON a.id = b.id LIMIT 1")
    assert found["rows"] == [{"id": 1, "id_2": 1}]


async def test_values_that_are_not_json_become_text(shop: Shop) -> None:
    found = await shop.query("SELECT x'00ff' AS blob, 9e999 AS huge, CAST(x'ff61' AS TEXT) AS bad, NULL AS none")
    assert found["rows"] == [{"blob": "<2 bytes>", "huge": "inf", "bad": "\ufffda", "none": None}]


async def test_the_row_limit_is_kept_and_said(path: Path) -> None:
    exact, fewer = Shop(path, max_rows=3), Shop(path, max_rows=2)
    everything = await exact.query("SELECT id FROM products")
    assert (everything["row_count"], everything["truncated"]) == (3, False)
    some = await fewer.query("SELECT id FROM products")
    assert (some["row_count"], some["truncated"]) == (2, True)


async def test_large_results_are_cut(shop: Shop) -> None:
    found = await shop.query("SELECT hex(zeroblob(300000)) AS x FROM products")
    assert (found["row_count"], found["truncated"]) == (1, True)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT revnue FROM sales",
            "no such column: revnue; columns of sales are product_id, units, revenue; did you mean 'revenue'?",
        ),
        (
            "SELECT s.revnue FROM sales s",
            "no such column: s.revnue; columns of sales are product_id, units, revenue; did you mean 'revenue'?",
        ),
        (
            "SELECT * FROM sale",
            "no such table: sale; tables are odd \"name, products, sales, totals; did you mean 'sales'?",
        ),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT 1; SELECT 2", "give one statement at a time, without anything after its semicolon"),
        ("-- nothing", "this statement returns no rows; write a SELECT"),
        (
            "SELECT ?",
            (
                "Incorrect number of bindings supplied. The current statement uses 1, and there are 0 supplied; "
                "write one '?' for each item of parameters"
            ),
        ),
        ("SELECT '\ud800'", "'utf-8' codec can't encode character '\\ud800' in position 8: surrogates not allowed"),
        ("SELECT " + " " * 20_000, "the SQL has 20007 characters; at most 20000 are taken"),
    ],
)
async def test_a_failing_query_says_what_there_is_instead(shop: Shop, sql: str, message: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        sqlite_run(shop, sql)
    assert str(refusal.value) == message


def sqlite_run(shop: Shop, sql: str) -> Any:
    """Called as a function, since a lone surrogate does not even pass the tool's own border."""
    run: Any = shop.tools["run_query"]
    return run(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE sales",
        "DELETE FROM sales",
        "INSERT INTO sales VALUES (1, 1, 1)",
        "WITH x AS (SELECT 1) DELETE FROM sales RETURNING *",
        "UPDATE products SET price = 0",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "ATTACH '{other}' AS other",
        "VACUUM INTO '{other}'",
        "VACUUM",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = 1",
        "SELECT * FROM pragma_table_info('sales')",
        "SELECT load_extension('evil')",
        "SELECT writefile('{other}', 'x')",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "REINDEX",
        "ANALYZE",
        "SELECT 1; DROP TABLE sales",
        "EXPLAIN DROP TABLE sales",
    ],
)
async def test_a_query_can_change_nothing(shop: Shop, tmp_path: Path, sql: str) -> None:
    before = snapshot(tmp_path)
    other = tmp_path / "other.db"
    await shop.refusal("run_query", sql.replace("{other}", str(other)))
    assert snapshot(tmp_path) == before


def snapshot(folder: Path) -> dict[str, str]:
    """Names and contents of all files."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


async def test_a_query_that_writes_is_told_where_to_go(shop: Shop) -> None:
    assert await shop.refusal("run_query", "DELETE FROM sales") == (
        "this statement is not allowed here (not authorized); write a SELECT; changes need execute_sql()"
    )


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize("sql", [f"{ENDLESS} SELECT max(i) FROM n", f"{ENDLESS} SELECT i FROM n WHERE i < 0"])
async def test_an_endless_query_is_stopped(shop: Shop, sql: str) -> None:
    started = time.monotonic()
    assert await shop.refusal("run_query", sql) == (
        "stopped after 0.5 s; ask for less: add a condition, a LIMIT or an aggregate"
    )
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT randomblob(1000000000)",
        "SELECT replace(hex(zeroblob(2000000)), '0', '00000000')",
        f"{ENDLESS} SELECT group_concat(hex(zeroblob(100000))) FROM (SELECT i FROM n LIMIT 1000)",
    ],
)
async def test_no_value_fills_the_memory(shop: Shop, sql: str) -> None:
    assert await shop.refusal("run_query", sql) == "string or blob too big"


async def test_writing_says_what_it_did(shop: Shop) -> None:
    insert = "INSERT INTO products (name, price) VALUES (?, ?)"
    assert await shop.execute(insert, "glove'); DROP TABLE sales; --", 4) == {"rows_affected": 1, "last_row_id": 4}
    assert await shop.execute("UPDATE products SET price = 1 WHERE id > 1") == {"rows_affected": 3, "last_row_id": None}
    assert await shop.execute("DELETE FROM products WHERE id = 99") == {"rows_affected": 0, "last_row_id": None}
    assert await shop.execute("DROP TABLE sales") == {"rows_affected": 0, "last_row_id": None}
    assert await shop.execute("INSERT INTO products (name) VALUES ('x') RETURNING id") == {
        "rows_affected": 1,
        "last_row_id": 5,
    }
    found = await shop.query("SELECT count(*) AS n, sum(price) AS total FROM products")
    assert found["rows"] == [{"n": 5, "total": 15.5}]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1", "this statement only reads; use run_query()"),
        ("INSERT INTO products (id, name) VALUES (1, 'x')", "UNIQUE constraint failed: products.id"),
        ("INSERT INTO sales VALUES (99, 1, 1)", "FOREIGN KEY constraint failed"),
        (
            "INSERT INTO sales (unit) VALUES (1)",
            (
                "table sales has no column named unit; columns of sales are product_id, units, revenue; "
                "did you mean 'units'?"
            ),
        ),
        (
            "ATTACH 'x.db' AS x",
            "this statement is not allowed here (not authorized); write one statement that changes tables",
        ),
        (
            "PRAGMA writable_schema = 1",
            "this statement is not allowed here (not authorized); write one statement that changes tables",
        ),
        ("COMMIT", "this statement is not allowed here (not authorized); write one statement that changes tables"),
        ("VACUUM INTO 'x.db'", "cannot VACUUM from within a transaction"),
        (
            "DELETE FROM sales; DELETE FROM products",
            "give one statement at a time, without anything after its semicolon",
        ),
    ],
)
async def test_a_refused_write_leaves_everything_as_it_was(shop: Shop, path: Path, sql: str, message: str) -> None:
    assert await shop.refusal("execute_sql", sql) == message
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM products").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM sales").fetchone() == (2,)
    connection.close()


async def test_a_write_that_is_stopped_leaves_nothing_behind(shop: Shop) -> None:
    message = await shop.refusal("execute_sql", f"INSERT INTO sales (units) {ENDLESS} SELECT i FROM n")
    assert message == "stopped after 0.5 s; ask for less: add a condition, a LIMIT or an aggregate"
    assert (await shop.query("SELECT count(*) AS n FROM sales"))["rows"] == [{"n": 2}]


async def test_a_locked_database_is_not_the_model_s_fault(shop: Shop, path: Path) -> None:
    """So it is a failure that can be tried again, not a request for other arguments."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(ToolError) as failure:
            await shop.execute("DELETE FROM sales")
    finally:
        holder.close()
    assert not isinstance(failure.value, ModelRetry)
    assert str(failure.value) == "the database cannot be used now: database is locked"


async def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as failure:
        await Shop(tmp_path / "none.db").query("SELECT 1")
    assert str(failure.value) == "there is no database file 'none.db'; create it before its tools are called"
    (tmp_path / "text.db").write_text("not a database, only some text that is long enough" * 50)
    with pytest.raises(ToolError, match=r"^the database cannot be used now: file is not a database$"):
        await Shop(tmp_path / "text.db").query("SELECT * FROM t")


async def test_parameters_are_scalars(shop: Shop) -> None:
    with pytest.raises(ToolInputError):
        await shop.query("SELECT ?", {"a": 1})
    assert (await shop.query("SELECT ? AS a, ? AS b, ? AS c", None, True, "x"))["rows"] == [
        {"a": None, "b": 1, "c": "x"}
    ]


def test_writing_asks_and_reading_does_not(path: Path) -> None:
    tools = Toolbox(sqlite_tools(path))
    tools.validate()
    assert {name: (one.effect, one.approval, one.resources) for name, one in tools.items()} == {
        "list_tables": ("read", None, ("database",)),
        "run_query": ("read", None, ("database",)),
        "execute_sql": ("write", "ask", ("database",)),
    }
    assert list(Toolbox(sqlite_tools(path, read_only=True))) == ["list_tables", "run_query"]


def test_limits_have_to_be_positive(path: Path) -> None:
    with pytest.raises(DefinitionError) as refusal:
        sqlite_tools(path, max_rows=0)
    assert str(refusal.value) == "max_rows and timeout must be positive, not 0 and 5.0"


async def test_queries_read_json_with_sqlites_own_tables(shop: Shop) -> None:
    found = await shop.query("SELECT value FROM json_each('[1, 2]')")
    assert found["rows"] == [{"value": 1}, {"value": 2}]
    found = await shop.query(
        "SELECT p.name, t.value FROM products p, json_tree(json_object('n', p.id)) t WHERE t.key = 'n'"
    )
    assert len(found["rows"]) == 3


async def test_queries_read_full_text_indexes_and_cannot_change_them(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('a warm coat')")
    connection.close()
    shop = Shop(path)
    assert (await shop.query("SELECT text FROM notes WHERE notes MATCH 'coat'"))["rows"] == [{"text": "a warm coat"}]
    for sql in ("INSERT INTO notes VALUES ('x')", "INSERT INTO notes(notes) VALUES ('delete-all')", "DROP TABLE notes"):
        assert "not allowed here" in await shop.refusal("run_query", sql)
    await shop.execute("INSERT INTO notes VALUES ('a hat')")
    assert (await shop.query("SELECT count(*) AS n FROM notes"))["rows"] == [{"n": 2}]


async def test_a_parameter_beyond_64_bits_is_told(shop: Shop) -> None:
    assert await shop.refusal("run_query", "SELECT ?", 10**30) == (
        "a parameter is a whole number beyond 64 bits, which SQLite has not; pass it as text"
    )
