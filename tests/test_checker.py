"""The checker: every problem in one pass, each with a stable code, a path, and a way out."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from typing_extensions import TypedDict

from agentkit.certificate import Certificate
from agentkit.checker import CheckedPlan, check
from agentkit.diagnostics import Code, Diagnostic
from agentkit.errors import PlanRejectedError
from agentkit.limits import Limits
from agentkit.plan import Plan
from agentkit.policy import Policy
from agentkit.spelling import read_json, read_python
from agentkit.toolbox import Toolbox, tool
from tests.plans import AUTO, BASIC, World, call, report_of, value


class Sale(TypedDict):
    """A sale."""

    day: str
    tags: list[str]


@tool(effect="read")
async def sales(channel: Literal["web", "shop"], limit: int | None = None) -> list[Sale]:
    """Sales of a channel.

    Args:
        channel: Which channel.
        limit: How many at most.
    """
    return []


TOOLS = Toolbox(BASIC, sales)
BESIDES = "besides at most 1 subgoal, planned when reached"


def found(*steps: Any, **options: Any) -> list[tuple[str, str]]:
    """Code and path of each diagnostic."""
    options.setdefault("toolbox", TOOLS)
    return [(one.code.name, one.where) for one in report_of(*steps, **options).diagnostics]


def only(*steps: Any, **options: Any) -> Diagnostic:
    """The one diagnostic of a plan that has exactly one error."""
    options.setdefault("toolbox", TOOLS)
    errors = report_of(*steps, **options).errors
    assert len(errors) == 1, errors
    return errors[0]


def test_a_good_plan_has_no_diagnostics() -> None:
    report = report_of(call("top", "top_products"), answer="${top[0].name}")
    assert report.ok
    assert report.diagnostics == ()


def test_an_unknown_tool_is_named_with_the_closest_one() -> None:
    problem = only(call("t", "top_product"))
    assert str(problem) == (
        "AK201 at t.tool: there is no tool 'top_product'. "
        "Expected one of: top_products, price_of, double, sales. Did you mean 'top_products'?"
    )


def test_a_missing_argument_says_its_type() -> None:
    assert str(only(call("p", "price_of"))) == (
        "AK202 at p.args: 'price_of' needs the argument 'name'. Expected name: string."
    )


def test_an_unexpected_argument_is_named_with_the_closest_one() -> None:
    problem = only(call("t", "top_products", cont=2))
    assert (problem.code, problem.where, problem.suggestion) == (
        Code.UNEXPECTED_ARGUMENT,
        "t.args.cont",
        "Did you mean 'count'?",
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"channel": "web", "limit": "many"}, Code.MISTYPED_ARGUMENT),
        ({"channel": "mail"}, Code.NOT_IN_ENUM),
        ({"channel": 3}, Code.NOT_IN_ENUM),
        ({"channel": "web", "limit": 1.5}, Code.MISTYPED_ARGUMENT),
    ],
)
def test_a_literal_argument_of_the_wrong_type_is_found(args: dict[str, Any], code: Code) -> None:
    assert only(call("s", "sales", **args)).code in (code, Code.MISTYPED_ARGUMENT)


def test_a_value_that_can_never_fit_is_found_where_it_flows() -> None:
    problem = only(call("top", "top_products"), call("p", "price_of", name="${top}"))
    assert (problem.code, problem.where) == (Code.CANNOT_FLOW, "p.args.name")


def test_what_cannot_be_known_is_left_to_run_time_and_noted() -> None:
    @tool(effect="read")
    async def anything() -> Any:
        """Return whatever."""
        return 1

    report = report_of(call("a", "anything"), call("p", "price_of", name="${a}"), toolbox=Toolbox(TOOLS, anything))
    assert report.checked is not None
    assert report.checked.certificate.runtime_checks == ("p.args.name",)


# references


def test_an_unknown_name_is_found() -> None:
    problem = only(call("top", "top_products"), call("p", "price_of", name="${tpo[0].name}"))
    assert (problem.code, problem.suggestion) == (Code.UNKNOWN_NAME, "Did you mean 'top'?")


def test_a_tool_used_as_a_value_is_explained() -> None:
    assert only(value("x", "${price_of}")).suggestion == "'price_of' is a tool: call it as a step, price_of(...)."


def test_a_reference_to_a_later_step_is_found() -> None:
    problem = only(call("p", "price_of", name="${top[0].name}"), call("top", "top_products"))
    assert (problem.code, problem.message) == (Code.LATER_STEP, "'top' is used before it is defined.")


def test_a_step_cannot_refer_to_itself() -> None:
    assert only(call("x", "double", number="${x}")).code is Code.LATER_STEP


def test_a_reference_into_a_loop_from_outside_is_found() -> None:
    loop = {"id": "each", "kind": "for_each", "item": "i", "in": [1, 2], "do": [call("d", "double", number="${i}")]}
    problem = only(loop, answer="${d}")
    assert (problem.code, problem.suggestion) == (Code.OUT_OF_SCOPE, "Refer to 'each' itself.")


def test_a_reference_into_one_branch_is_found() -> None:
    step = {
        "id": "choice",
        "kind": "if",
        "condition": "${len(top) > 1}",
        "then": [value("a", 1)],
        "else": [value("b", 2)],
    }
    problem = only(call("top", "top_products"), step, answer="${a}")
    assert (problem.code, problem.message) == (Code.WRONG_BRANCH, "'a' is defined in one branch of 'choice' only.")


def test_a_field_that_a_tool_does_not_return_is_found() -> None:
    problem = only(call("top", "top_products"), answer="${top[0].prise}")
    assert problem.code is Code.UNKNOWN_FIELD
    assert "price" in str(problem)


def test_given_values_can_be_referred_to_and_are_typed_precisely() -> None:
    assert report_of(answer="${old[0].price}", given={"old": [{"price": 3}]}).ok
    assert only(answer="${old[1]}", given={"old": [1]}).code is Code.NO_SUCH_INDEX


# control flow


def test_a_condition_that_is_no_boolean_is_found() -> None:
    step = {"id": "c", "kind": "if", "condition": "${top}", "then": [value("a", 1)]}
    problem = only(call("top", "top_products"), step)
    assert (problem.code, problem.where) == (Code.NOT_BOOLEAN, "c.condition")


def test_a_loop_over_something_that_is_no_list_is_found() -> None:
    step = {"id": "each", "kind": "for_each", "item": "i", "in": "${top[0]}", "do": [value("a", "${i}")]}
    assert only(call("top", "top_products"), step).code is Code.NOT_ITERABLE


def test_a_loop_without_condition_and_bound_is_refused() -> None:
    step = {"id": "r", "kind": "repeat", "do": [call("d", "double", number=1)]}
    assert only(step).code is Code.UNBOUNDED_LOOP


def test_a_loop_that_names_no_bound_gets_the_default_and_a_warning() -> None:
    step = {"id": "r", "kind": "repeat", "do": [call("d", "double", number=1)], "until": "${d > 3}"}
    report = report_of(step, answer="${r}")
    assert report.ok
    assert [one.code for one in report.warnings] == [Code.UNBOUNDED_LOOP]
    assert report.checked is not None
    assert report.checked.certificate.tool_calls == Limits().loop_iterations


def test_a_bound_above_the_limit_is_refused() -> None:
    step = {
        "id": "r",
        "kind": "repeat",
        "do": [call("d", "double", number=1)],
        "until": "${d > 3}",
        "max_iterations": 101,
    }
    assert only(step, answer="${r}").expected == "1 to 100"


def test_state_is_typed_over_all_rounds() -> None:
    """The state begins as an integer and becomes a number; the argument must take both."""
    step = {
        "id": "r",
        "kind": "repeat",
        "state": {"n": 1},
        "do": [call("d", "double", number="${n}")],
        "next": {"n": "${d}"},
        "until": "${n > 10}",
        "max_iterations": 9,
    }
    assert report_of(step, answer="${r.n + 1}").ok


def test_unreachable_branches_and_empty_lists_are_warnings() -> None:
    branch = {"id": "c", "kind": "if", "condition": True, "then": [value("a", 1)], "else": [value("b", 2)]}
    loop = {"id": "l", "kind": "for_each", "item": "i", "in": [], "do": [value("x", "${i}")]}
    report = report_of(branch, loop, answer=["${c}", "${l}"])
    assert report.ok
    assert [(one.code, one.where) for one in report.warnings] == [
        (Code.UNREACHABLE, "c.else"),
        (Code.UNREACHABLE, "l.do"),
    ]


def test_a_read_whose_result_nothing_uses_is_a_warning() -> None:
    report = report_of(call("red", "price_of", name="hat"), call("blue", "price_of", name="scarf"), answer="${blue}")
    assert report.ok
    assert [(one.code, one.where) for one in report.warnings] == [(Code.UNUSED, "red")]


def test_a_write_is_of_use_even_if_nothing_uses_its_value() -> None:
    toolbox = Toolbox(*World().tools())
    assert report_of(call("w", "put", name="x"), toolbox=toolbox, policy=AUTO).diagnostics == ()


def test_a_plan_must_say_what_its_answer_is_unless_it_is_a_part() -> None:
    plan = read_json({"steps": [call("top", "top_products")]})
    assert [one.code for one in check(plan, BASIC).errors] == [Code.NO_ANSWER]
    assert check(plan, BASIC, partial=True).ok


def test_an_empty_block_is_found() -> None:
    assert only({"id": "c", "kind": "if", "condition": True, "then": []}).code is Code.EMPTY_BLOCK


# ids


def test_an_id_that_is_used_twice_is_found_across_blocks() -> None:
    step = {"id": "c", "kind": "if", "condition": "${len(top) > 1}", "then": [value("top", 1)]}
    assert only(call("top", "top_products"), step).code is Code.DUPLICATE_ID


@pytest.mark.parametrize("name", ["two words", "class", "_hidden", "null", "1st", ""])
def test_an_id_that_is_no_name_is_found(name: str) -> None:
    assert (Code.INVALID_ID.name, name or "plan") in [
        (code, where.split(".")[0] or "plan") for code, where in found(value(name, 1))
    ] or any(code == "INVALID_ID" for code, _ in found(value(name, 1)))


# policy and limits


def test_a_forbidden_write_is_refused_before_anything_runs() -> None:
    toolbox = Toolbox(*World().tools())
    problem = only(call("w", "put", name="x"), toolbox=toolbox, policy=Policy(tools={"pu*": "never"}))
    assert str(problem) == "AK601 at w: the policy forbids calling 'put'. Reach the goal without it."


def test_a_call_that_needs_approval_is_refused_where_nobody_can_be_asked() -> None:
    toolbox = Toolbox(*World().tools())
    assert only(call("w", "put", name="x"), toolbox=toolbox, approver=False).code is Code.NO_APPROVER


def test_the_most_specific_glob_decides() -> None:
    put = Toolbox(*World().tools())["put"]
    assert Policy(tools={"*": "never", "pu*": "ask", "put": "auto"}).decide(put) == "auto"
    assert Policy(tools={"*": "never", "pu*": "ask"}).decide(put) == "ask"


def test_a_budget_that_cannot_hold_is_refused() -> None:
    dear = Toolbox(top_dear := BASIC["top_products"].replace(cost=1.0, expected_seconds=5.0))
    steps = [call(f"s{i}", top_dear.name) for i in range(4)]
    answer = "${[s0, s1, s2, s3]}"
    limits = Limits(tool_calls=3, cost=3.5, seconds=4)
    codes = [one.code for one in report_of(*steps, answer=answer, toolbox=dear, limits=limits).errors]
    assert codes == [Code.TOO_MANY_CALLS, Code.TOO_COSTLY, Code.TOO_SLOW]


def test_a_loop_multiplies_what_it_may_use() -> None:
    loop = {
        "id": "each",
        "kind": "for_each",
        "item": "i",
        "in": "${range(50)}",
        "do": [call("d", "double", number="${i}")],
    }
    assert only(loop, answer="${each}", limits=Limits(tool_calls=40)).message == (
        "the plan may use up to 50 tool calls."
    )


# the whole


def test_all_problems_are_reported_in_one_pass() -> None:
    report = report_of(
        call("a", "bing_search", q="x"),
        call("b", "price_of", name=3, colour="red"),
        call("b", "double", number="${later}"),
        {"id": "c", "kind": "if", "condition": 1, "then": [value("v", "${nope}")]},
        call("later", "double", number="${a.anything}"),
        answer="${v}",
    )
    codes = {one.code for one in report.errors}
    assert codes == {
        Code.UNKNOWN_TOOL,
        Code.MISTYPED_ARGUMENT,
        Code.UNEXPECTED_ARGUMENT,
        Code.DUPLICATE_ID,
        Code.LATER_STEP,
        Code.NOT_BOOLEAN,
        Code.UNKNOWN_NAME,
        Code.WRONG_BRANCH,
    }


def test_diagnostics_of_source_name_their_lines() -> None:
    plan = read_python("top = top_products()\nx = price_of(nam='hat')\nanswer(x)", TOOLS)
    lines = {one.line for one in check(plan, TOOLS).errors}
    assert lines == {2}


def test_requiring_a_refused_plan_raises_with_every_problem() -> None:
    with pytest.raises(PlanRejectedError) as refusal:
        report_of(call("a", "nope"), call("b", "price_of"), answer=["${a}", "${b}"]).require()
    assert [one.code for one in refusal.value.diagnostics] == [Code.UNKNOWN_TOOL, Code.MISSING_ARGUMENT]
    assert str(refusal.value).startswith("the plan was refused by the checker:\n  AK201 at a.tool")


def test_only_the_checker_makes_checked_plans() -> None:
    with pytest.raises(TypeError, match=r"made by agentkit\.checker\.check only"):
        CheckedPlan(Plan(()), BASIC, Policy(), Limits(), Certificate(), None, {}, None, object())  # type: ignore[arg-type]


def test_validators_judge_plans_that_are_otherwise_right() -> None:
    def no_hats(plan: Plan, certificate: Certificate) -> list[Diagnostic]:
        return [Diagnostic(Code.VALIDATOR, (), "no hats here.")]

    assert only(value("x", 1), answer="${x}", validators=[no_hats]).code is Code.VALIDATOR
    assert Code.VALIDATOR.name not in [code for code, _ in found(call("t", "nope"), validators=[no_hats])]


def test_the_certificate_bounds_calls_and_names_writes_and_approvals() -> None:
    tools = World().tools(retries=2)
    loop = {"id": "l", "kind": "for_each", "item": "i", "in": ["a", "b"], "do": [call("w", "put", name="${i}")]}
    report = report_of(
        call("r", "look", name="r"),
        loop,
        {"id": "g", "kind": "generate", "prompt": "${r}"},
        answer="${g}",
        toolbox=Toolbox(*tools),
    )
    assert report.checked is not None
    certificate = report.checked.certificate
    assert (certificate.tool_calls, certificate.model_calls) == (9, 1)
    assert certificate.writes == {"w": "put"}
    assert certificate.approvals == ("w",)


def test_a_loop_of_unknown_length_is_not_bounded_and_the_certificate_says_so() -> None:
    loop = {"id": "l", "kind": "for_each", "item": "p", "in": "${top}", "do": [call("d", "price_of", name="${p.name}")]}
    report = report_of(call("top", "top_products"), loop, answer="${l}")
    assert report.checked is not None
    assert report.checked.certificate.tool_calls is None
    assert str(report.checked.certificate).startswith("tool calls not bounded statically")


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (Certificate(cost=0.5), "no tool calls; no model calls; at most $0.5; no writes"),
        (
            Certificate(model_calls=1),
            "no tool calls; at most 1 model call; what the model costs is not bounded; no writes",
        ),
        (
            Certificate(cost=0.5, subgoals=1),
            f"no tool calls; no model calls; at most $0.5 besides what the model costs; no writes; {BESIDES}",
        ),
        (Certificate(cost=None), "no tool calls; no model calls; cost not bounded; no writes"),
    ],
)
def test_a_certificate_says_which_cost_it_bounds(certificate: Certificate, text: str) -> None:
    assert str(certificate) == text


def test_a_loop_that_never_runs_bounds_what_nothing_else_bounds() -> None:
    plan = read_python("""
names = input({"type": "array", "items": {"type": "string"}})
found = []
for count in []:
    for name in names:
        found.append(price_of(name=name))
answer(found)
""")
    assert check(plan, BASIC).require().certificate.tool_calls == 0


def test_a_problem_of_the_answer_has_the_line_of_the_answer() -> None:
    plan = read_python("\ntop = top_products(count=1)\n\nanswer(\n    tops[0].name\n)", BASIC)
    [problem] = check(plan, BASIC).errors
    assert str(problem) == (
        "AK301 at line 4, answer: nothing defines 'tops'. Expected one of: top. Did you mean 'top'?"
    )


def test_a_plan_without_an_answer_has_no_line_for_it() -> None:
    [problem] = check(read_python("hats = double(number=1.5)", BASIC), BASIC).errors
    assert (problem.code, problem.line) == (Code.NO_ANSWER, None)


@pytest.mark.parametrize("around", [[], ["outer"]])
def test_a_block_cannot_refer_to_the_step_that_it_is_in(around: list[str]) -> None:
    step: dict[str, Any] = {"id": "v", "kind": "if", "condition": True, "then": [value("y", "${v}")]}
    for id in around:
        step = {"id": id, "kind": "if", "condition": True, "then": [step]}
    (problem,) = check(read_json({"steps": [step], "answer": 1}), BASIC).errors
    assert problem.code is Code.LATER_STEP
    assert str(problem).endswith(
        "'v' is used inside itself, before it has a value. Refer to a step of the block, or to an earlier step."
    )


def test_what_is_given_to_a_subgoal_needs_a_name_that_its_plan_can_use() -> None:
    found = check(read_python('a = subgoal("find", _after=1)\nanswer(a)', BASIC), BASIC)
    assert [(problem.code, problem.path) for problem in found.errors] == [(Code.INVALID_ID, ("a", "inputs", "_after"))]


def test_a_certificate_in_words_tells_of_what_it_does_not_bound() -> None:
    """A subgoal is planned by the model when it is reached: its calls are in no bound yet."""
    step = {"id": "s", "kind": "subgoal", "goal": "Choose a hat."}
    report = report_of(step, answer="${s}")
    assert str(report.require().certificate) == (
        f"no tool calls; no model calls; what the model costs is not bounded; no writes; {BESIDES}"
    )


def test_a_call_where_there_are_no_tools_is_told_so() -> None:
    [problem] = check(read_python('answer(price_of(name="hat"))', BASIC), Toolbox()).errors
    assert problem.expected == "no tool calls, since there are no tools"
