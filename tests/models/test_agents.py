"""Agents over the providers' APIs, on the wire: native tool calls, and a plan that is read while it is written."""

from __future__ import annotations

import asyncio
import json

import pytest

from agentkit import Agent, Limits, tool
from agentkit.events import ModelCalled, StepStarted
from agentkit.models import AnthropicModel, OpenAIModel
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.protocols import Model
from tests.models.servers import Answer, Chat, Dialect, Messages, ProviderServer, Reply, Responses, reply

APIS = pytest.mark.parametrize("api", ["chat", "responses", "messages"])


@tool(effect="read")
async def price_of(name: str) -> float:
    """The price of a product in US dollars.

    Args:
        name: Its name.
    """
    return {"hat": 20.0, "scarf": 15.5}[name]


def provider(api: str, server: ProviderServer) -> tuple[Dialect, Model]:
    """A provider's format, and a model that speaks it."""
    if api == "messages":
        return Messages(), AnthropicModel("m", base_url=server.url)
    url = f"{server.url}/v1"
    return (
        (Chat(), OpenAIModel("m", base_url=url))
        if api == "chat"
        else (
            Responses(),
            OpenAIModel("m", base_url=url, api="responses"),
        )
    )


@APIS
async def test_native_function_calling_shows_the_arguments_of_each_call(server: ProviderServer, api: str) -> None:
    dialect, model = provider(api, server)
    server.replies.append(reply(dialect, Answer("I need its price.", tool=("call_7", "price_of", '{"name": "hat"}'))))
    server.replies.append(reply(dialect, Answer("It costs $20.")))
    result = await Agent(model, tools=[price_of], planner="react").run("What does the hat cost?")
    assert result.output == "It costs $20.", result.error
    assert [(one.action, one.args) for one in result.events if isinstance(one, StepStarted)] == [
        ("price_of", {"name": "hat"})
    ]
    [first, _] = [one for one in result.events if isinstance(one, ModelCalled)]
    assert first.tool_calls == ({"name": "price_of", "args": {"name": "hat"}},)
    offered, answered = (request.body for request in server.received)
    assert '"price_of"' in json.dumps(offered["tools"])
    assert "20.0" in json.dumps(answered.get("messages") or answered["input"])


@APIS
async def test_a_bad_line_stops_the_stream_and_the_plan_goes_on_from_the_good_lines(
    server: ProviderServer, api: str
) -> None:
    """The first answer never ends by itself: the client leaves when it has seen the second line."""
    dialect, model = provider(api, server)
    bad = 'hat = price_of(name="hat")\nscarf = prize_of(name="scarf")\nanswer(hat + scarf)'
    whole = dialect.events(Answer(bad))
    upto = next(at for at, event in enumerate(whole) if b"answer" in event) + 1
    server.replies.append(Reply(events=tuple(whole[:upto]), hang=True))
    server.replies.append(reply(dialect, Answer('scarf = price_of(name="scarf")\nanswer(hat + scarf)')))
    planner = PlanAndExecute(stream=True, spelling="python")
    agent = Agent(model, tools=[price_of], planner=planner, limits=Limits(repairs=1))
    result = await agent.run("What do both cost?")
    assert result.output == 35.5, result.error
    assert [one.error for one in result.events if isinstance(one, ModelCalled)] == ["stopped by the caller", ""]
    assert await asyncio.to_thread(server.closed_by_client.wait, 5)
    assert "'prize_of'" in json.dumps(server.received[1].body)
