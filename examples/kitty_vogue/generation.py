"""The two steps of the assistant that are a model's work: writing a query, and wording an answer.

In a plan they are `generate` steps with `SQL_PROMPT` and `RESPONSE_PROMPT`. As tools they ask the run's model, within
the run's limits; ``generate_query`` then also makes sure that the query only reads and fits the schema before anybody
runs it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from agentkit.context import RunContext
from agentkit.errors import DefinitionError, ModelOutputError, ModelRetry
from agentkit.messages import JsonOutput, ModelRequest, ModelSettings, system, user
from agentkit.protocols import RunModel
from agentkit.toolbox import Tool, tool
from examples.kitty_vogue.shop import SCHEMA

SQL_PROMPT = f"""\
Write one SQLite SELECT statement that answers the question about the shop. Tables:
{SCHEMA}
A row of weekly_sales is the week that starts on that Monday. Dates are text, YYYY-MM-DD. Today is {{today}}.
Question: {{question}}"""
"""Prompt of a query; fields ``today`` and ``question``."""

RESPONSE_PROMPT = """\
Answer the question in one or two sentences, from the data and nothing else. Say so if the data does not answer it.
Question: {question}
Data: {data}"""
"""Prompt of an answer; fields ``question`` and ``data``."""

_SQL_OUTPUT = JsonOutput(
    {
        "type": "object",
        "properties": {"sql": {"type": "string"}},
        "required": ["sql"],
        "additionalProperties": False,
    },
    name="query",
)
_FENCED = re.compile(r"```(?:\w+)?\s*(.*?)```", re.DOTALL)
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def query_problem(sql: str, db_path: str | Path) -> str | None:
    """Why `sql` may not run, or None if it is one statement that only reads and fits the database's schema.

    The database itself compiles the statement, under an authorizer that permits nothing but reading; it is not run.
    """
    if not re.match(r"\s*(?:SELECT|WITH)\b", sql, re.IGNORECASE):
        return "it is not a SELECT statement"
    uri = f"{Path(db_path).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.set_authorizer(_only_reading)
        try:
            connection.execute(f"EXPLAIN {sql}").close()
        except (sqlite3.Error, sqlite3.Warning) as error:
            return str(error)
    return None


def make_generate_query(db_path: str | Path, today: str) -> Tool:
    """The tool ``generate_query``: a question to one checked SELECT statement, written by the run's model.

    Args:
        db_path: The shop's database.
        today: The day on which the question is asked, YYYY-MM-DD.
    """

    @tool(effect="read", resources="model")
    async def generate_query(ctx: RunContext, question: str) -> str:
        """Write a SQL query (one SELECT) that answers a question about the shop's database.

        Args:
            ctx: The run, for its model.
            question: The question, complete in itself.
        """

        def parse(reply: str) -> str:
            sql = _sql_in(reply)
            problem = query_problem(sql, db_path)
            if problem is not None:
                raise ModelOutputError(problem)
            return sql

        model = _model_of(ctx)
        output = _SQL_OUTPUT if model.profile.json_schema else None
        prompt = user(SQL_PROMPT.format(today=today, question=question))
        try:
            request = ModelRequest((prompt,), output=output, settings=_steady(model))
            return await model.parsed(request, parse, purpose="query")
        except ModelOutputError as error:
            raise ModelRetry(f"No usable query for {question!r}: {error}. Ask in other words, or in parts.") from error

    return generate_query


def make_generate_response() -> Tool:
    """The tool ``generate_response``: a question and data to an answer in words, by the run's model."""

    @tool(effect="read", resources="model")
    async def generate_response(ctx: RunContext, question: str, data: Any) -> str:
        """Answer a question in words, from data that was fetched.

        Args:
            ctx: The run, for its model.
            question: The question.
            data: Whatever was fetched to answer it.
        """
        model = _model_of(ctx)
        prompt = RESPONSE_PROMPT.format(question=question, data=json.dumps(data, ensure_ascii=False))
        messages = (system("You are the assistant of the shop Kitty Vogue."), user(prompt))
        try:
            return await model.text(messages, purpose="response", settings=_steady(model))
        except ModelOutputError as error:
            raise ModelRetry(f"The model gave no answer to {question!r}: {error}. Ask in other words.") from error

    return generate_response


def _model_of(ctx: RunContext) -> RunModel:
    if ctx.model is None:
        raise DefinitionError("this tool asks the run's model and the run has none; give the agent a model")
    return ctx.model


def _steady(model: RunModel) -> ModelSettings:
    return ModelSettings(temperature=0.0).for_profile(model.profile)


def _only_reading(action: int, *names: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and "load_extension" in names):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _sql_in(reply: str) -> str:
    """The statement in a reply: the JSON field asked for, a fenced block, or the whole text."""
    fenced = _FENCED.search(reply)
    text = (fenced.group(1) if fenced else reply).strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        return text.rstrip("; \n")
    sql = parsed.get("sql", "") if isinstance(parsed, dict) else ""
    return str(sql).strip().rstrip("; \n")
