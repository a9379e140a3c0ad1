"""The JSON spelling: every kind of step is read and written, and everything wrong is reported at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.diagnostics import Code
from agentkit.expressions.nodes import Compare, Field, Literal, Name, Template
from agentkit.plan import Ask, Call, ForEach, Generate, If, Parallel, Plan, Repeat, Subgoal, Unreadable, Value
from agentkit.spelling import read_json, write_json

EVERY_KIND: dict[str, Any] = {
    "goal": "Try everything.",
    "inputs": {"city": {"type": "string"}},
    "steps": [
        {
            "id": "found",
            "kind": "call",
            "tool": "search",
            "args": {"query": "cats in ${city}", "limit": 3},
            "retry": 2,
            "timeout": 1.5,
            "on_error": {"value": []},
        },
        {"id": "first", "kind": "value", "value": "${found[0]}"},
        {
            "id": "both",
            "kind": "parallel",
            "branches": {"left": [{"id": "a", "kind": "value", "value": 1}], "right side": []},
        },
        {
            "id": "choice",
            "kind": "if",
            "condition": "${first.price > 3}",
            "then": [{"id": "b", "kind": "call", "tool": "buy", "args": {}, "on_error": "skip"}],
            "else": [{"id": "c", "kind": "value", "value": None}],
        },
        {
            "id": "each",
            "kind": "for_each",
            "item": "p",
            "in": "${found}",
            "do": [{"id": "d", "kind": "value", "value": "${p.name}"}],
            "concurrency": 4,
        },
        {
            "id": "loop",
            "kind": "repeat",
            "do": [{"id": "e", "kind": "value", "value": "${n + 1}"}],
            "until": "${e > 3}",
            "while": "${n < 9}",
            "max_iterations": 5,
            "state": {"n": 0},
            "next": {"n": "${e}"},
        },
        {"id": "text", "kind": "generate", "prompt": "Say ${first.name}", "schema": {"type": "object"}},
        {"id": "reply", "kind": "ask", "question": "Which?", "schema": {"type": "string"}},
        {"id": "sub", "kind": "subgoal", "goal": "Buy it", "schema": {"type": "object"}, "inputs": {"p": "${first}"}},
    ],
    "answer": {"text": "${text}", "cost": "$${5}"},
}


def problems(data: Any) -> list[tuple[str, str]]:
    return [(problem.code.value, problem.message) for problem in read_json(data).problems]


def test_every_kind_of_step_is_read() -> None:
    plan = read_json(EVERY_KIND)
    assert plan.problems == ()
    kinds = [Call, Value, Parallel, If, ForEach, Repeat, Generate, Ask, Subgoal]
    assert [type(step) for step in plan.steps] == kinds
    found, choice, loop = plan.steps[0], plan.steps[3], plan.steps[5]
    assert isinstance(found, Call)
    assert found.args["query"] == Template(("cats in ", Name("city")))
    assert (found.retry, found.timeout, found.on_error) == (2, 1.5, "value")
    assert isinstance(choice, If)
    assert choice.condition == Compare(Field(Name("first"), "price"), (">",), (Literal(3),))
    assert isinstance(loop, Repeat)
    assert loop.state == {"n": Literal(0)}


def test_what_is_written_is_what_was_read() -> None:
    assert write_json(read_json(EVERY_KIND)) == EVERY_KIND


def test_json_text_reads_like_the_object_it_stands_for() -> None:
    assert read_json(json.dumps(EVERY_KIND)) == read_json(EVERY_KIND)


def test_a_code_block_around_the_json_is_taken_off() -> None:
    text = f"Here is the plan:\n```json\n{json.dumps(EVERY_KIND)}\n```\nIt should work."
    assert read_json(text) == read_json(EVERY_KIND)


def test_lists_of_names_and_values_stand_for_objects_and_null_for_an_absent_field() -> None:
    strict = {
        "steps": [
            {
                "id": "a",
                "kind": "call",
                "tool": "t",
                "args": [{"name": "x", "value": 1}],
                "retry": None,
                "timeout": None,
                "on_error": None,
            }
        ],
        "goal": None,
        "inputs": None,
        "answer": "${a}",
    }
    assert read_json(strict) == Plan((Call("a", "t", {"x": Literal(1)}),), Name("a"))


def test_a_literal_null_survives_where_null_means_absent() -> None:
    plan = Plan((Repeat("r", (), until=Literal(None)),), answer=Literal(None))
    assert read_json(write_json(plan)) == plan


def test_text_that_is_not_json_names_the_line() -> None:
    plan = read_json('{"steps": [\n  {"id": "a",}\n]}')
    assert [(p.code, p.line) for p in plan.problems] == [(Code.SYNTAX, 2)]
    assert plan.problems[0].message.startswith("the plan is not JSON: ")


@pytest.mark.parametrize("text", ["", "null", "[1]", "NaN", '{"steps": NaN}', "[" * 100_000])
def test_what_is_no_plan_at_all_is_one_problem(text: str) -> None:
    assert len(read_json(text).problems) == 1


def test_all_problems_are_reported_at_once() -> None:
    data = {
        "gaol": "x",
        "steps": [
            {"id": "a", "kind": "cal", "tool": "t"},
            {"id": "b", "kind": "call"},
            {"kind": "value", "value": 1},
            7,
            {"id": "c", "kind": "if", "condition": True, "then": {}, "els": []},
            {"id": "d", "kind": "call", "tool": "t", "retry": -1, "on_error": "explode"},
        ],
    }
    assert problems(data) == [
        ("AK103", "the plan has no field 'gaol'."),
        ("AK104", "the step has the unknown kind 'cal'."),
        ("AK103", "the call step has no 'tool'."),
        ("AK103", "the step has no 'id'."),
        ("AK103", "the step is a number."),
        ("AK103", "the if step has no field 'els'."),
        ("AK103", "'then' is an object."),
        ("AK103", "'on_error' is 'explode'."),
        ("AK103", "'retry' is -1."),
    ]
    plan = read_json(data)
    assert [problem.suggestion for problem in plan.problems[:2]] == ["Did you mean 'goal'?", "Did you mean 'call'?"]
    assert [type(step) for step in plan.steps[:4]] == [Unreadable, Unreadable, Value, Unreadable]


def test_a_step_that_cannot_be_read_keeps_its_id() -> None:
    (step,) = read_json({"steps": [{"id": "a", "kind": "?"}]}).steps
    assert isinstance(step, Unreadable)
    assert step.id == "a"


def test_too_many_steps_are_one_problem() -> None:
    plan = read_json({"steps": [{"id": f"s{n}", "kind": "value", "value": 1} for n in range(10_050)]})
    assert [p.code for p in plan.problems] == [Code.TOO_LARGE]
    assert len(plan.steps) == 10_000


def test_blocks_nested_too_deeply_are_one_problem() -> None:
    step: dict[str, Any] = {"id": "inner", "kind": "value", "value": 1}
    for depth in range(40):
        step = {"id": f"if_{depth}", "kind": "if", "condition": True, "then": [step]}
    assert [p.code for p in read_json({"steps": [step]}).problems] == [Code.TOO_LARGE]


def test_a_text_beyond_the_bound_is_not_parsed() -> None:
    assert problems(" " * 1_000_001) == [("AK108", "the plan has 1,000,001 characters.")]
