"""Values are held against JSON Schemas that anybody may have written: nothing is fetched, nothing is tried for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from agentkit.checker import check
from agentkit.diagnostics import Code
from agentkit.executor import execute
from agentkit.protocols import ApprovalRequest, Decision
from agentkit.run import Run
from agentkit.spelling import read_json, read_python
from agentkit.toolbox import Tool, Toolbox
from agentkit.types.validation import misfits
from tests.plans import BASIC

ENDLESS = "^(a+)+b$"
TEXT = "a" * 60


@pytest.fixture
def visited() -> Iterator[list[str]]:
    """A server, and what it was asked for; the last entry before anything was is its address."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, *said: Any) -> None:
            """Be quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    paths.append(f"http://127.0.0.1:{server.server_port}/schema")
    yield paths
    server.shutdown()
    thread.join()
    server.server_close()


class Typist:
    """A person who always answers the same."""

    async def approve(self, request: ApprovalRequest) -> Decision:
        return Decision(True)

    async def answer(self, question: str, schema: Mapping[str, Any] | None) -> str:
        return TEXT


def test_a_reference_out_of_a_schema_is_an_error_and_is_not_followed(visited: list[str]) -> None:
    (address,) = visited
    assert list(misfits({"$ref": address}, "x")) == [f"the schema refers to {address!r}, which it does not hold"]
    assert visited == [address]


def test_a_schema_that_refers_to_itself_without_end_is_an_error() -> None:
    assert list(misfits({"$ref": "#"}, 1)) == [
        "the schema refers to itself without end, or the value is nested too deeply"
    ]


def test_problems_come_with_their_places() -> None:
    schema = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    assert list(misfits(schema, [{"n": 1}, {"n": "x"}])) == ["1.n: 'x' is not of type 'integer'"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-11-21", "2026-13-01"),
        ("date-time", "2026-11-21T10:00:00Z", "soon"),
        ("time", "10:00:00", "noon"),
        ("duration", "P3D", "three days"),
    ],
)
def test_formats_that_types_count_on_are_checked(name: str, good: str, bad: str) -> None:
    schema = {"type": "string", "format": name}
    assert list(misfits(schema, good)) == []
    assert list(misfits(schema, bad)) == [f"{bad!r} is not a {name!r}"]


def test_a_pattern_of_a_tool_that_backtracks_without_end_is_matched_in_time() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": ENDLESS}}}
    started = time.perf_counter()
    assert list(misfits(schema, {"a": TEXT})) == [f"a: {TEXT!r} does not match {ENDLESS!r}"]
    assert list(misfits(schema, {"a": TEXT + "b"})) == []
    tool = Tool.from_schema(name="remote", description="Far away.", input_schema=schema, call=dict)
    assert tool.bind({"a": TEXT + "b"}) == {"a": TEXT + "b"}
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            {"type": "text"},
            "at type: 'text' is not a type; there are: string, number, integer, boolean, object, array, null",
        ),
        ({"pattern": "("}, "at pattern: '(' is not a 'regex'"),
        ({"$ref": "#/$defs/gone"}, "the reference '#/$defs/gone' leads nowhere"),
        (
            {"$ref": "http://127.0.0.1/x"},
            "the reference 'http://127.0.0.1/x' leads outside; put the schema that it means under '$defs'",
        ),
        (
            {"patternProperties": {ENDLESS: {}}},
            f"the pattern {ENDLESS!r} cannot be tried in bounded time; write it without repeated groups",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["generate", "ask", "subgoal"])
def test_a_plan_with_a_schema_that_cannot_be_used_is_refused(kind: str, schema: dict[str, Any], said: str) -> None:
    text = {"generate": "prompt", "ask": "question", "subgoal": "goal"}[kind]
    plan = read_json({"steps": [{"id": "x", "kind": kind, text: "What?", "schema": schema}], "answer": "${x}"})
    (problem,) = check(plan, BASIC).errors
    assert str(problem) == (
        f"AK103 at x.schema: the schema cannot be used: {said}. "
        "Write a JSON Schema (Draft 2020-12) that stands on its own, or leave it out."
    )


def test_an_input_whose_schema_cannot_be_used_is_refused() -> None:
    (problem,) = check(read_python('name = input({"type": "text"})\nanswer(name)'), BASIC).errors
    assert (problem.code, problem.where) == (Code.SHAPE, "inputs.name")


async def test_an_answer_of_a_person_is_held_against_its_pattern() -> None:
    plan = read_python('x = ask("What?", schema={"type": "string", "pattern": "^b"})\nanswer(x)')
    outcome = await execute(check(plan, Toolbox()).require(), run=Run(human=Typist()))
    assert outcome.status == "failed"
    assert f"{TEXT!r} does not match '^b'" in outcome.error
