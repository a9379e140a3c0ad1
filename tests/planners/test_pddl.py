"""The subset of PDDL: what is read, and what is refused with the place named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import DefinitionError
from agentkit.planners.pddl import MOST_NESTING, read_domain, read_problem
from agentkit.planners.strips import Action, Condition, Domain
from examples.blocksworld.domain import DOMAIN, PDDL

DOORS = """
; a comment
(define (domain Doors)
  (:requirements :strips :typing :negative-preconditions :equality)
  (:types front back - door door key - object)
  (:constants master - key)
  (:predicates (open ?d - door) (fits ?k - key ?d - door) (dark))
  (:action Open-Door
    :parameters (?the-door - door ?k - key)
    :precondition (and (fits ?k ?the-door) (not (open ?the-door)) (not (= ?k master)))
    :effect (and (open ?the-door) (not (dark))))
  (:action wait))
"""


def test_types_constants_predicates_and_actions_are_read() -> None:
    domain = read_domain(DOORS)
    opened = Action(
        "open_door",
        {"the_door": "door", "k": "key"},
        (
            Condition(("fits", "?k", "?the_door")),
            Condition(("open", "?the_door"), holds=False),
            Condition(("=", "?k", "master"), holds=False),
        ),
        (Condition(("open", "?the_door")), Condition(("dark",), holds=False)),
    )
    assert domain == Domain(
        "doors",
        {"open": ("door",), "fits": ("key", "door"), "dark": ()},
        {"open_door": opened, "wait": Action("wait")},
        {"front": "door", "back": "door", "door": "object", "key": "object"},
        {"master": "key"},
    )
    assert domain.is_a("front", "door")
    assert not domain.is_a("key", "door")


def test_a_problem_is_read_in_its_domain() -> None:
    text = """
    (define (problem sussman) (:domain blocksworld) (:objects a b c - block)
      (:init (on c a) (on-table a) (on-table b) (clear c) (clear b) (handempty))
      (:goal (and (on a b) (on b c) (not (holding a)))))
    """
    problem = read_problem(text, DOMAIN)
    assert problem.objects == {"a": "block", "b": "block", "c": "block"}
    assert ("on", "c", "a") in problem.init
    assert [str(one) for one in problem.goal] == ["on(a, b)", "on(b, c)", "not holding(a)"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(define (domain", "(define (problem", "this is no domain; it should begin (define (domain NAME), and is"),
        (":typing", ":adl", "domain 'blocksworld' requires :adl; this reader knows :strips, :typing"),
        ("(:types block)", "(:functions (x))", "domain 'blocksworld' has ':functions'; this reader knows"),
        ("(:types block)", "(:types block block)", "types has 'block' twice"),
        (
            "(and (holding ?block) (clear ?onto))",
            "(or (holding ?block))",
            "(or (holding ?block)): this reader knows 'and' and 'not', and not 'or'",
        ),
        (":precondition (holding ?block)", ":precondition", "is to have a name and then pairs of a keyword and a list"),
        (":precondition (holding ?block)", ":when (holding ?block)", "action 'put-down' has ':when'"),
        ("(?block - block)", "(block - block)", "action 'pick-up': a parameter begins with a question mark"),
        ("(handempty) (holding", "handempty (holding", "a predicate: 'handempty' stands where a list"),
        ("(handempty) (holding", "((handempty)) (holding", "a predicate: (handempty) stands where a name should be"),
        ("(:types block)", "(:types block))", "line 20: a closing parenthesis too many"),
        ("(not (handempty)))))", "(not (handempty))))", "1 parentheses are not closed at the end of the text"),
    ],
)
def test_what_is_not_of_the_subset_is_named(old: str, new: str, message: str) -> None:
    assert old in PDDL
    with pytest.raises(DefinitionError) as caught:
        read_domain(PDDL.replace(old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(define (problem p) (:domain other) (:goal (a)))", "problem 'p' is of the domain 'other', and not of"),
        ("(define (problem p) (:domain blocksworld))", "problem 'p' has 0 conditions in :goal; give one"),
        ("(define (problem p) (:goal (on a b)))", "the goal has the unknown object 'a'"),
    ],
)
def test_a_problem_that_does_not_fit_is_named(text: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_problem(text, DOMAIN)
    assert message in str(caught.value)


def test_text_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(DefinitionError, match=f"line 1: more than {MOST_NESTING} parentheses inside each other"):
        read_domain("(" * 100_000)


@given(
    st.lists(st.sampled_from(["(", ")", "define", "domain", "d", ":action", "and", "not", "?x", "-", ":types", " "]))
)
def test_no_text_crashes_the_reader(words: list[str]) -> None:
    """It is read, or refused with a reason."""
    for text in (" ".join(words), f"(define (domain d) {' '.join(words)})", f"(define (domain d) (:action {words}))"):
        with contextlib.suppress(DefinitionError):
            assert read_domain(text).name == "d"


def test_an_empty_section_is_refused_with_what_it_should_be() -> None:
    with pytest.raises(DefinitionError) as caught:
        read_domain("(define (domain d) ())")
    assert str(caught.value) == ("domain 'd' has an empty section: (); it should begin with a keyword, as in (:init …)")
