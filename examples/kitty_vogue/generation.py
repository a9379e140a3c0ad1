"""The two steps of the assistant that are a model's work: writing a query, and wording an answer.

In a plan they are `generate` steps with `SQL_PROMPT` and `RESPONSE_PROMPT`. As tools they are made for one model;
`make_generate_query` then also makes sure that the query only reads and fits the schema before anybody runs it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from agentkit.errors import ModelRetry
from agentkit.messages import JsonOutput, Message, ModelRequest, ModelSettings, assistant, system, user
from agentkit.protocols import Model
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

ATTEMPTS = 3
"""Queries that a model may write before the tool gives up."""

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


def make_generate_query(model: Model, db_path: str | Path, today: str) -> Tool:
    """The tool ``generate_query``: a question to one checked SELECT statement.

    Args:
        model: Who writes the query; called up to `ATTEMPTS` times.
        db_path: The shop's database.
        today: The day on which the question is asked, YYYY-MM-DD.
    """

    @tool(effect="read", resources="model")
    async def generate_query(question: str) -> str:
        """Write a SQL query (one SELECT) that answers a question about the shop's database.

        Args:
            question: The question, complete in itself.
        """
        output = _SQL_OUTPUT if model.profile.json_schema else None
        messages: list[Message] = [user(SQL_PROMPT.format(today=today, question=question))]
        problem = ""
        for _ in range(ATTEMPTS):
            request = ModelRequest(tuple(messages), output=output, settings=_steady(model))
            reply = (await model.request(request)).text
            sql = _sql_in(reply)
            found = query_problem(sql, db_path)
            if found is None:
                return sql
            problem = found
            messages += [assistant(reply), user(f"That query cannot be used: {problem}. Write a better one.")]
        raise ModelRetry(f"No usable query came out for {question!r}: {problem}. Ask in other words, or in parts.")

    return generate_query


def make_generate_response(model: Model) -> Tool:
    """The tool ``generate_response``: a question and data to an answer in words.

    Args:
        model: Who words the answer; called once.
    """

    @tool(effect="read", resources="model")
    async def generate_response(question: str, data: Any) -> str:
        """Answer a question in words, from data that was fetched.

        Args:
            question: The question.
            data: Whatever was fetched to answer it.
        """
        prompt = RESPONSE_PROMPT.format(question=question, data=json.dumps(data, ensure_ascii=False))
        request = ModelRequest(
            (system("You are the assistant of the shop Kitty Vogue."), user(prompt)),
            settings=_steady(model),
        )
        answer = (await model.request(request)).text.strip()
        if not answer:
            raise ModelRetry(f"The model gave no answer to {question!r}; ask in other words.")
        return answer

    return generate_response


def _steady(model: Model) -> ModelSettings:
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
