"""Plans simulated in a STRIPS domain: what is impossible, why, and what cannot be known."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.agent import Agent
from agentkit.checker import CheckReport, check
from agentkit.diagnostics import Code
from agentkit.executor import execute
from agentkit.plan import Plan
from agentkit.planners.react import ReAct
from agentkit.planners.simulation import MOST_PROBLEMS, StripsValidator
from agentkit.planners.strips import Action, Condition, Domain, Problem, operation
from agentkit.spelling import read_json, read_python
from agentkit.testing import ScriptedModel
from agentkit.toolbox import Toolbox
from examples.blocksworld.domain import DOMAIN, Table, problem_of
from tests.random_plans import ARGUMENTS
from tests.strategies import plans

START = (("b", "a"), ("c",))
PROBLEM = problem_of(START, (("c", "b", "a"),))
BOX = Toolbox(*Table(START).tools())
FREE_B = 'unstack(block="a", off="b")\nput_down(block="a")\n'
BUILD = """\
pick_up(block="b")
stack(block="b", onto="c")
pick_up(block="a")
stack(block="a", onto="b")
"""


ANYTHING_GOES = Problem(
    Domain(
        "tools",
        {"done": ("object",), "idle": ()},
        {
            tool: Action(
                tool,
                dict.fromkeys(wanted, "object"),
                (Condition(("idle",)),),
                (
                    Condition(("idle",), holds=False),
                    *(Condition(("done", f"?{name}"), holds=position > 0) for position, name in enumerate(wanted)),
                ),
            )
            for tool, wanted in ARGUMENTS.items()
        },
    ),
    {"a": "object", "1": "object"},
    frozenset({("idle",)}),
    (Condition(("done", "a")),),
)
"""A domain whose actions are the tools of random plans."""


def report(text: str, *, answer: str = 'answer("ok")\n', partial: bool = False) -> CheckReport:
    plan = read_python(text + answer, BOX, partial=partial)
    return check(plan, BOX, validators=[StripsValidator(PROBLEM)], partial=partial)


def errors(text: str) -> list[str]:
    return [str(one) for one in report(text).errors]


def warnings(text: str) -> list[str]:
    return [one.message for one in report(text).warnings if one.code is Code.VALIDATOR]


def test_a_plan_that_is_possible_and_reaches_the_goal_passes() -> None:
    assert report(FREE_B + BUILD).diagnostics == ()


def test_an_impossible_call_says_why_and_what_would_make_it_possible() -> None:
    assert errors(BUILD) == [
        (
            "AK702 at line 1, pick_up_1: pick_up(b) is impossible here: clear(b) does not hold "
            "(true instead: on(a, b), on-table(b)). Expected clear(b). Before it, unstack(a, b) would make it so."
        ),
        (
            "AK702 at line 3, pick_up_2: pick_up(a) is impossible here: on-table(a) does not hold "
            "(true instead: clear(a), on(a, b)). Expected on-table(a). It is made so by put_down."
        ),
    ]


def test_what_an_earlier_call_has_changed_is_named_with_its_line() -> None:
    [first, *_] = errors('unstack(block="a", off="b")\n' + BUILD)
    assert first == (
        "AK702 at line 2, pick_up_1: pick_up(b) is impossible here: handempty does not hold since unstack(a, b) at "
        "line 1. Expected handempty. Before it, put_down(a) or stack(a, b) or stack(a, c) would make it so."
    )


def test_a_goal_that_is_not_reached_is_a_diagnostic_of_the_answer() -> None:
    assert errors(FREE_B) == [
        (
            "AK702 at line 3, answer: the goal is not reached at the end of the plan: on(a, b) does not hold since "
            "unstack(a, b) at line 1 (true instead: clear(a), clear(b), on-table(a), on-table(b)); "
            "on(b, c) does not hold (true instead: clear(b), clear(c), on-table(b), on-table(c)). "
            "Expected on(a, b) and on(b, c). It is made so by stack."
        )
    ]


def test_an_object_that_does_not_exist_is_named_with_those_that_do() -> None:
    [first, *_] = report('unstack(block="z", off="b")\n').errors
    assert (first.where, first.message) == ("unstack_1.args.block", "'unstack' needs a block, and 'z' is none.")
    assert first.expected == "one of a, b, c"


def test_loops_over_known_lists_are_unrolled() -> None:
    loop = """\
for move in [["b", "c"], ["a", "b"]]:
    pick_up(block=move[0])
    stack(block=move[0], onto=move[1])
"""
    assert report(FREE_B + loop).diagnostics == ()
    [found] = report(FREE_B + loop.replace('["a", "b"]', '["a", "c"]')).errors[:1]
    assert (found.where, found.line) == ("for_1.1.stack_1", 5)
    assert found.message.startswith(
        "stack(a, c) is impossible here: clear(c) does not hold since stack(b, c) at line 5"
    )


def test_names_with_known_values_are_followed() -> None:
    text = 'top = "a"\nunstack(block=top, off="b")\nput_down(block=top)\n'
    assert report(text + BUILD).diagnostics == ()


def test_a_known_condition_takes_its_branch_and_an_unknown_one_both() -> None:
    known = 'if 1 < 2:\n    unstack(block="a", off="b")\nelse:\n    pick_up(block="b")\nput_down(block="a")\n'
    assert report(known + BUILD).errors == ()
    unknown = (
        'x = unstack(block="a", off="b")\n'
        'if "a" in x:\n    put_down(block="a")\nelse:\n    stack(block="a", onto="c")\n'
    )
    assert report(unknown + BUILD).errors == ()
    assert warnings(unknown + BUILD) == [
        "whether clear(c) holds before stack(b, c) is known only when it runs.",
        "whether on-table(a) holds before pick_up(a) is known only when it runs.",
    ]


def test_an_impossible_call_in_a_branch_is_an_error() -> None:
    text = 'x = unstack(block="a", off="b")\nif "a" in x:\n    pick_up(block="c")\n'
    assert errors(text)[0].startswith("AK702 at line 3, if_1.pick_up_1: pick_up(c) is impossible here: handempty")


def test_an_argument_that_only_running_can_tell_makes_what_it_may_change_unknown() -> None:
    text = 'x = unstack(block="a", off="b")\nput_down(block=x)\n'
    assert report(text + BUILD).errors == ()
    assert warnings(text + BUILD)[0] == (
        "'block' of 'put_down' is known only when it runs, so that from here on these facts are not known: "
        "clear, handempty, holding, on-table."
    )


def test_rounds_that_are_not_known_are_taken_as_any_number() -> None:
    loop = 'n = 0\nwhile n < 3:\n    x = unstack(block="a", off="b")\n    put_down(block="a")\n    n = n + len(x)\n'
    assert warnings(loop + BUILD) == [
        "whether on(a, b) holds before unstack(a, b) is known only when it runs.",
        "whether clear(b) holds before pick_up(b) is known only when it runs.",
        "whether on-table(a) holds before pick_up(a) is known only when it runs.",
    ]
    assert report(loop + BUILD).errors == ()


def test_a_subgoal_and_branches_at_once_leave_the_state_unknown() -> None:
    subgoal = 'x = subgoal("free b")\n' + BUILD
    assert report(subgoal).errors == ()
    assert warnings(subgoal)[0].startswith("what a subgoal does is known only when it runs")
    at_once = {
        "steps": [
            {
                "id": "both",
                "kind": "parallel",
                "branches": {
                    "one": [{"id": "x", "kind": "call", "tool": "pick_up", "args": {"block": "c"}}],
                    "two": [{"id": "y", "kind": "call", "tool": "unstack", "args": {"block": "a", "off": "b"}}],
                },
            }
        ],
        "answer": "ok",
    }
    found = check(read_json(at_once), BOX, validators=[StripsValidator(PROBLEM)])
    assert found.ok
    assert found.warnings[0].message.startswith("the order of pick_up and unstack is known only when it runs")


def test_a_call_that_may_fail_is_a_warning_and_changes_nothing() -> None:
    text = 'pick_up(block="b", _on_error="skip")\n'
    assert warnings(text + FREE_B + BUILD) == [
        "pick_up(b) is impossible here: clear(b) does not hold (true instead: on(a, b), on-table(b))."
    ]
    assert report(text + FREE_B + BUILD).errors == ()


def test_one_turn_of_a_longer_run_need_not_reach_the_goal() -> None:
    assert report('unstack(block="a", off="b")\n', answer="", partial=True).errors == ()


def test_at_most_so_many_problems_are_reported() -> None:
    assert len(errors(BUILD * 10)) == MOST_PROBLEMS


async def test_each_turn_is_judged_from_the_state_that_is_really_there() -> None:
    table = Table(START)
    turns = [f"Thought: On.\nAction: {line}" for line in (FREE_B + BUILD).splitlines()]
    model = ScriptedModel([*turns[:1], "Thought: No.\nAction: pick_up(block='c')", *turns[1:], "Action: answer('ok')"])
    validators = [StripsValidator(PROBLEM, state=table.facts)]
    agent = Agent(model, tools=table.tools(), planner=ReAct(protocol="text"), validators=validators)
    result = await agent.run("Build it.")
    assert (result.status, table.facts() >= {("on", "a", "b"), ("on", "b", "c")}) == ("done", True), result.error
    assert "handempty does not hold (true instead" not in model.requests[2].messages[-1].content
    assert "pick_up(c) is impossible here: handempty does not hold" in model.requests[2].messages[-1].content


@given(
    st.lists(
        st.tuples(st.sampled_from(list(DOMAIN.actions)), st.sampled_from("abc"), st.sampled_from("abc")), max_size=6
    )
)
@settings(max_examples=60, deadline=None)
async def test_the_validator_and_the_table_agree_on_every_sequence(moves: list[tuple[str, str, str]]) -> None:
    """A sequence of calls passes if and only if the table lets all of them be done."""
    table = Table(START)
    lines = []
    state = PROBLEM.init
    possible = True
    for name, block, other in moves:
        args = dict(zip(DOMAIN.actions[name].parameters, (block, other), strict=False))
        lines.append(f"{name}({', '.join(f'{key}={value!r}' for key, value in args.items())})")
        one = operation(DOMAIN.actions[name], args)
        possible = possible and one.possible(state)
        state = one.after(state)
    box = Toolbox(*table.tools())
    plan = read_python("\n".join(lines) + "\n", box, partial=True)
    found = check(plan, box, validators=[StripsValidator(PROBLEM)], partial=True)
    assert found.ok == possible
    unchecked = check(plan, box, partial=True).require()
    outcome = await execute(unchecked)
    assert (outcome.status == "done") == possible
    if possible:
        assert table.facts() == state


@given(plans(most=8))
@settings(max_examples=60, deadline=None)
def test_no_plan_crashes_the_simulation(plan: Plan) -> None:
    """Whatever a plan is made of, the validator says something about it or nothing."""
    checked = check(read_python('answer("x")', BOX), BOX).require()
    for found in StripsValidator(ANYTHING_GOES)(plan, checked.certificate):
        assert found.code is Code.VALIDATOR
        assert str(found)
