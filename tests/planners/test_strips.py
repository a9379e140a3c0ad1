"""Domains as data: what they refuse, and what their operations do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agentkit.errors import DefinitionError
from agentkit.planners.strips import Action, Condition, Domain, Problem, operation, written

OPEN = Action(
    "open_door",
    {"door": "door", "with_key": "key"},
    (Condition(("fits", "?with_key", "?door")), Condition(("open", "?door"), holds=False)),
    (Condition(("open", "?door")),),
)
SWAP = Action(
    "swap",
    {"one": "thing", "other": "thing"},
    (Condition(("=", "?one", "?other"), holds=False), Condition(("held", "?one"))),
    (Condition(("held", "?other")), Condition(("held", "?one"), holds=False)),
)
PREDICATES: Mapping[str, tuple[str, ...]] = {"fits": ("key", "door"), "open": ("door",), "held": ("thing",)}
TYPES = {"key": "thing", "thing": "object", "door": "object"}
DOMAIN = Domain("house", PREDICATES, {"open_door": OPEN, "swap": SWAP}, TYPES, {"master": "key"})
PROBLEM = Problem(
    DOMAIN,
    {"k": "key", "front": "door", "back": "door"},
    frozenset({("fits", "k", "front"), ("fits", "master", "back"), ("held", "k")}),
    (Condition(("open", "back")),),
)


def test_only_operations_whose_fixed_facts_and_types_fit_are_there() -> None:
    assert [str(one) for one in PROBLEM.operations()] == [
        "open_door(front, k)",
        "open_door(back, master)",
        "swap(master, k)",
        "swap(k, master)",
    ]


def test_an_operation_adds_and_deletes_facts_and_is_possible_when_its_conditions_hold() -> None:
    swap = operation(SWAP, {"one": "k", "other": "master"})
    after = swap.after(PROBLEM.init)
    assert ("held", "master") in after
    assert ("held", "k") not in after
    assert swap.possible(PROBLEM.init)
    assert not swap.possible(after)


def test_a_negative_precondition_and_inequality_are_kept() -> None:
    opened = operation(OPEN, {"door": "back", "with_key": "master"})
    assert opened.possible(PROBLEM.init)
    assert not opened.possible(opened.after(PROBLEM.init))
    assert not operation(SWAP, {"one": "k", "other": "k"}).possible(PROBLEM.init)


def test_the_goal_is_reached_when_all_of_it_holds() -> None:
    assert not PROBLEM.reached(PROBLEM.init)
    assert PROBLEM.reached(PROBLEM.init | {("open", "back")})


def test_a_fact_that_becomes_true_and_false_is_true() -> None:
    action = Action("touch", {}, (), (Condition(("lit",), holds=False), Condition(("lit",))))
    assert operation(action, {}).after(frozenset()) == {("lit",)}


def test_facts_are_written_as_people_write_them() -> None:
    assert [written(("on", "a", "b")), written(("free",)), written(("=", "a", "b"))] == ["on(a, b)", "free", "a = b"]
    assert str(Condition(("free",), holds=False)) == "not free"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Condition(("opn", "?door")),
            "domain 'house': action 'a' has the unknown predicate 'opn', did you mean 'open'?",
        ),
        (Condition(("open",)), "domain 'house': action 'a' gives 'open' 0 arguments; it takes 1"),
        (
            Condition(("open", "?dor")),
            "domain 'house': action 'a' has the unknown parameter '?dor', did you mean '?door'?",
        ),
        (Condition(("open", "gate")), "domain 'house': action 'a' has the unknown object 'gate'; there are: ?door"),
    ],
)
def test_an_action_that_uses_what_is_not_there_is_refused(condition: Condition, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Domain("house", PREDICATES, {"a": Action("a", {"door": "door"}, (condition,))}, TYPES)
    assert str(caught.value) == message


def test_nothing_can_change_equality() -> None:
    same = Action("a", {"x": "object"}, (), (Condition(("=", "?x", "?x")),))
    with pytest.raises(DefinitionError, match="action 'a' changes '=', which nothing can change"):
        Domain("d", {}, {"a": same})


def test_unknown_types_and_circles_of_types_are_refused() -> None:
    with pytest.raises(DefinitionError, match="predicate 'open' has the unknown type 'dor', did you mean 'door'"):
        Domain("d", {"open": ("dor",)}, {}, {"door": "object"})
    with pytest.raises(DefinitionError, match="type 'a' is its own ancestor"):
        Domain("d", {}, {}, {"a": "b", "b": "a"})


def test_a_state_and_a_goal_of_other_objects_are_refused() -> None:
    with pytest.raises(DefinitionError, match="the initial state has the unknown object 'gate'"):
        Problem(DOMAIN, {}, frozenset({("open", "gate")}), ())
    with pytest.raises(DefinitionError, match="the goal has the unknown object 'gate'"):
        Problem(DOMAIN, {}, frozenset(), (Condition(("open", "gate")),))
