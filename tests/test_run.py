"""What a run tells its tools and its model about itself."""

from __future__ import annotations

from pathlib import Path

from agentkit.agent import Agent
from agentkit.context import RunContext
from agentkit.errors import ModelUnavailableError
from agentkit.events import ModelCalled, RunStarted
from agentkit.journal import JournalStore
from agentkit.limits import Limits
from agentkit.messages import ModelRequest, Usage, user
from agentkit.run import Run
from agentkit.testing import ScriptedModel
from agentkit.toolbox import tool


@tool(effect="read")
async def whoami(context: RunContext) -> str:
    """The user's name."""
    return context.user


PLAN = "me = whoami()\nanswer(me)"


async def test_tools_and_models_learn_for_whom_the_run_works() -> None:
    model = ScriptedModel([PLAN])
    result = await Agent(model, tools=[whoami]).run("Who am I?", user="anna")
    assert result.output == "anna"
    assert [(request.user, request.purpose) for request in model.requests] == [("anna", "plan")]


async def test_a_run_for_nobody_in_particular_has_no_user() -> None:
    model = ScriptedModel([PLAN])
    assert (await Agent(model, tools=[whoami]).run("Who am I?")).output == ""
    assert model.requests[0].user == ""


async def test_a_request_that_names_its_user_and_purpose_keeps_them() -> None:
    model = ScriptedModel(["hello"])
    run = Run(model=model, user="anna")
    assert run.model is not None
    await run.model.request(ModelRequest((user("hi"),), user="ben", purpose="greet"), purpose="generate")
    assert (model.requests[0].user, model.requests[0].purpose) == ("ben", "greet")


async def test_a_resumed_run_works_for_the_same_user(tmp_path: Path) -> None:
    journal = JournalStore(tmp_path / "journal.db")
    down = ScriptedModel([ModelUnavailableError("down")])
    agent = Agent(down, tools=[whoami], limits=Limits(transport_retries=0))
    failed = await agent.run("Who am I?", user="anna", journal=journal)
    assert failed.status == "failed"
    resumed = await agent.with_model(ScriptedModel([PLAN])).resume(failed.run_id, journal)
    assert resumed.output == "anna"
    started = journal.events(failed.run_id)[0]
    assert isinstance(started, RunStarted)
    assert started.user == "anna"


async def test_the_calls_behind_a_failure_are_counted_once_each() -> None:
    error = ModelUnavailableError("all 3 are down")
    error.usage = Usage(input_tokens=7, model_calls=3)
    run = Run(model=ScriptedModel([error, "here"]), limits=Limits(transport_retries=0))
    assert run.model is not None
    try:
        await run.model.request(ModelRequest((user("hi"),)), purpose="generate")
    except ModelUnavailableError:
        assert run.meter.usage == Usage(input_tokens=7, model_calls=3)
    (called,) = (event for event in run.events if isinstance(event, ModelCalled))
    assert called.usage == Usage(input_tokens=7, model_calls=3)
