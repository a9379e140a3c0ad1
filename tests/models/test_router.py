"""Rules that choose a model, and say why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentkit import Agent
from agentkit.errors import DefinitionError, ModelRefusedError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, ModelSettings, Price, Usage, user
from agentkit.models import CachedModel, Route, RouterModel
from agentkit.planners.intent import Rule, RuleIntent
from agentkit.planning import Intent
from agentkit.testing import ScriptedModel
from tests.conformance.model import collect

ASK = ModelRequest((user("hello"),))


def named(name: str, *, window: int = 8192, price: Price | None = None, replies: int = 3) -> ScriptedModel:
    return ScriptedModel([name] * replies, name=name, profile=ModelProfile(context_window=window, price=price))


async def test_the_first_route_whose_purpose_fits_answers() -> None:
    router = RouterModel(Route(named("strong"), purposes=("plan", "re*")), Route(named("cheap")))
    for purpose, name in [("plan", "strong"), ("repair", "strong"), ("generate", "cheap"), ("", "cheap")]:
        assert (await router.request(replace(ASK, purpose=purpose))).text == name


async def test_a_long_prompt_goes_to_the_model_that_has_room_for_it() -> None:
    router = RouterModel(named("small", window=100), named("large", window=10_000))
    assert router.profile.context_window == 10_000
    assert (await router.request(ASK)).text == "small"
    assert (await router.request(ModelRequest((user("word " * 500),)))).text == "large"
    assert (await router.request(replace(ASK, settings=ModelSettings(max_tokens=100)))).text == "large"


async def test_a_route_may_take_short_prompts_only() -> None:
    router = RouterModel(Route(named("small"), up_to=50), named("large"))
    assert (await router.request(ModelRequest((user("word " * 100),)))).text == "large"


async def test_the_cheapest_that_takes_a_request_answers_it() -> None:
    router = RouterModel(
        named("dear", price=Price(10, 10)), named("unknown"), named("cheap", price=Price(1, 1)), prefer="cheapest"
    )
    response = await router.request(replace(ASK, settings=ModelSettings(max_tokens=1000)))
    assert response.text == "cheap"
    assert response.usage.cost == pytest.approx((response.usage.input_tokens + 1) / 1e6)


async def test_a_function_of_the_user_s_decides() -> None:
    router = RouterModel(Route(named("vip"), when=lambda request: request.user == "anna"), named("rest"))
    assert (await router.request(replace(ASK, user="anna"))).text == "vip"
    assert (await router.request(replace(ASK, user="ben"))).text == "rest"


def test_a_choice_can_be_explained_without_asking_a_model() -> None:
    router = RouterModel(
        Route(named("a"), name="plans", purposes=("plan",)),
        Route(named("b"), name="short", up_to=2),
        Route(named("c"), name="mine", when=lambda request: False),
        Route(named("d", window=5), name="tiny"),
        Route(named("e", price=Price(2, 2)), name="fair"),
        Route(named("f", price=Price(9, 9)), name="dear"),
        prefer="cheapest",
    )
    routing = router.explain(replace(ASK, purpose="generate"))
    assert (routing.model.name, routing.rule, routing.tokens) == ("e", "fair", 9)
    assert str(routing) == (
        "the rule 'fair' chose 'e' for about 9 tokens; "
        "'plans' did not: it is for 'plan', and the purpose is 'generate'; "
        "'short' did not: it takes up to 2 tokens, and the prompt has about 9; "
        "'mine' did not: its condition does not hold; "
        "'tiny' did not: its context window has 5 tokens, and prompt and reply need about 9; "
        "'dear' would cost $0.004581 and not $0.001018"
    )


async def test_the_response_says_which_rule_chose_its_model() -> None:
    router = RouterModel(Route(named("a"), name="all"))
    said = "router: the rule 'all' chose 'a' for about 9 tokens"
    assert (await router.request(ASK)).notes == (said,)
    response = (await collect(router, ASK))[-1]
    assert isinstance(response, ModelResponse)
    assert response.notes == (said,)


async def test_a_request_that_no_route_takes_is_refused_with_every_reason() -> None:
    router = RouterModel(Route(named("a"), purposes=("plan",)), Route(named("b"), up_to=2))
    with pytest.raises(ModelRefusedError) as caught:
        await router.request(replace(ASK, purpose="generate"))
    assert str(caught.value) == (
        "no route takes this request: 'a' did not: it is for 'plan', and the purpose is 'generate'; "
        "'b' did not: it takes up to 2 tokens, and the prompt has about 9"
    )
    assert caught.value.usage == Usage()


def test_two_rules_of_one_name_are_a_mistake() -> None:
    with pytest.raises(DefinitionError) as caught:
        RouterModel(named("a"), Route(named("a"), purposes=("plan",)))
    assert str(caught.value) == "two routes are named 'a'; give them names: Route(model, name=…)."


def test_an_unknown_preference_is_a_mistake() -> None:
    with pytest.raises(DefinitionError, match="prefer is 'best'; expected 'first' or 'cheapest'"):
        RouterModel(named("a"), prefer="best")  # type: ignore[arg-type]


async def test_the_route_of_the_runs_intent_answers() -> None:
    router = RouterModel(
        Route(named("strong"), "strong", intents=("refund", "legal_*")), Route(named("cheap"), "cheap")
    )
    for intent, name in [("refund", "strong"), ("legal_notice", "strong"), ("hours", "cheap"), ("", "cheap")]:
        assert (await router.request(replace(ASK, intent=intent))).text == name
    only = RouterModel(Route(named("strong"), "strong", intents=("refund",)))
    with pytest.raises(ModelRefusedError, match="it is for the intents 'refund', and the intent is 'x'"):
        only.explain(replace(ASK, intent="x"))
    with pytest.raises(ModelRefusedError, match="it is for the intents 'refund', and the request has none"):
        only.explain(ASK)


async def test_every_model_call_of_a_run_is_of_the_intent_that_its_classifier_found() -> None:
    model = ScriptedModel(
        ['a = subgoal("How much?")\nanswer(a)', 'b = generate("A price.")\nanswer(b)', "20", 'answer("hello")']
    )
    rules = RuleIntent((Rule.words("refund", intent=Intent(True, label="refund")),))
    agent = Agent(model, intent=rules)
    assert (await agent.run("A refund?")).output == "20"
    assert (await agent.run("Hello?")).output == "hello"
    assert [request.intent for request in model.requests] == ["refund"] * 3 + [""]


async def test_the_intent_is_not_part_of_what_a_cache_finds_a_request_by() -> None:
    cached = CachedModel(named("m"))
    for intent in ("a", "b"):
        await cached.request(replace(ASK, intent=intent))
    assert (cached.stats.hits, cached.stats.misses) == (1, 1)
