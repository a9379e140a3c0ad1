"""Whoever approves and answers may do it with plain methods, and nothing but a decision counts as one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agentkit import Agent, Decision, Limits, tool
from agentkit.events import StepFinished
from agentkit.testing import ScriptedModel

sent: list[str] = []


@tool(effect="write", resources="mail")
async def send(to: str) -> str:
    """Send a mail.

    Args:
        to: The address.
    """
    sent.append(to)
    return f"mail to {to}"


class Plain:
    """A person whose methods are not async, and may so wait."""

    def __init__(self, decision: Any = None) -> None:
        self.decision = Decision(True) if decision is None else decision
        self.threads: set[str] = set()

    def approve(self, request: object) -> Any:
        self.threads.add(threading.current_thread().name)
        return self.decision

    def answer(self, question: str, schema: object) -> str:
        self.threads.add(threading.current_thread().name)
        return "anna"


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    sent.clear()


def clerk(plan: str, **options: Any) -> Agent:
    return Agent(ScriptedModel([plan]), tools=[send], limits=Limits(repairs=0, replans=0), **options)


async def test_a_person_may_have_plain_methods_which_do_not_hold_up_the_loop() -> None:
    person = Plain()
    result = await clerk('who = ask("Who?")\nanswer(send(to=who))', human=person).run("Write.")
    assert (result.status, result.output) == ("done", "mail to anna")
    assert threading.main_thread().name not in person.threads


@pytest.mark.parametrize("said", [True, "yes", (True, "")])
async def test_what_is_no_decision_grants_nothing(said: Any) -> None:
    result = await clerk('answer(send(to="anna"))', human=Plain(said)).run("Write.")
    assert result.status == "failed"
    assert f"approve() of 'Plain' has to return a Decision, e.g. Decision(True), got {said!r}" in result.error
    assert sent == []


async def test_a_dry_run_needs_nobody_to_approve_what_it_does_not_do() -> None:
    result = await clerk('answer(send(to="anna"))').run("Write.", dry_run=True)
    assert (result.status, sent) == ("done", [])
    assert result.output is None
    assert [event.status for event in result.events if isinstance(event, StepFinished)] == ["skipped"]
    assert result.usage.model_calls == 1
    assert (await clerk('answer(send(to="anna"))').run("Write.")).error.endswith(
        "'send' needs approval and nobody can be asked. Reach the goal without it, or run with an approver."
    )


async def test_a_plan_that_asks_a_person_is_refused_before_it_runs_where_there_is_none() -> None:
    result = await clerk('who = ask("Who?")\nanswer(who)').run("Write.")
    assert result.error.endswith(
        "AK607 at line 1, who: the plan asks a person and nobody can be asked. "
        "Reach the goal without it, or run with a person."
    )
