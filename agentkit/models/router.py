"""A choice of models: rules over the request say which one answers, and why."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from agentkit.errors import DefinitionError, ModelError, ModelRefusedError
from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta, Usage
from agentkit.models._requests import estimated_tokens
from agentkit.models._wrapper import closing, joint_profile, resolve_all, told
from agentkit.models.capabilities import check_request
from agentkit.models.prices import price_of_model, priced
from agentkit.protocols import Model

Prefer: TypeAlias = Literal["first", "cheapest"]
"""Which of the routes that take a request gets it."""

USUAL_REPLY = 500
"""Tokens of a reply that are assumed, for its cost, where a request sets no `max_tokens`."""


@dataclass(frozen=True, slots=True)
class Route:
    """A model and the requests that it may answer: those that fit everything that is said here.

    Attributes:
        model: The model or its id.
        name: What the rule is called in explanations; the model's id where empty.
        purposes: Purposes of requests, with ``*`` and ``?``; empty takes every purpose.
        intents: Kinds of requests, as the agent's intent classifier labels them, with ``*`` and ``?``; empty takes
            every kind, and runs without one.
        up_to: The longest prompt, in estimated tokens; None for as long as the model's context window allows.
        when: Any other condition.
    """

    model: Model | str
    name: str = ""
    purposes: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    up_to: int | None = None
    when: Callable[[ModelRequest], bool] | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """What a router decides about a request.

    Attributes:
        model: The model that answers.
        rule: The name of the route that chose it.
        tokens: The estimated tokens of the prompt.
        passed_over: The routes that did not take the request or were dearer, each with the reason.
    """

    model: Model
    rule: str
    tokens: int
    passed_over: tuple[str, ...]

    def __str__(self) -> str:
        reasons = "".join(f"; {reason}" for reason in self.passed_over)
        return f"the rule {self.rule!r} chose {self.model.name!r} for about {self.tokens} tokens{reasons}"


class RouterModel:
    """Asks the model whose route takes the request.

    A route whose model's context window is too small for a request never takes it. The router can do what every one of
    its models can do; its context window is the largest of theirs.

    Args:
        routes: Routes, or models that take everything they have room for.
        prefer: Among routes that take a request, the ``first`` or the ``cheapest``; a model without a known price is
            the dearest.

    Raises:
        DefinitionError: There is no route, two have the same name, or `prefer` is neither word.
    """

    def __init__(self, *routes: Route | Model | str, prefer: Prefer = "first") -> None:
        if prefer not in ("first", "cheapest"):
            raise DefinitionError(f"prefer is {prefer!r}; expected 'first' or 'cheapest'.")
        self._prefer = prefer
        given = [route if isinstance(route, Route) else Route(route) for route in routes]
        self._models = resolve_all("RouterModel", [route.model for route in given])
        self._routes = [
            _Rule(route.name or model.name, model, route) for route, model in zip(given, self._models, strict=True)
        ]
        names = [rule.name for rule in self._routes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DefinitionError(f"two routes are named {twice!r}; give them names: Route(model, name=…).")

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of the routes."""
        return self._models

    @property
    def name(self) -> str:
        """``router(first, second, …)``."""
        return f"router({', '.join(model.name for model in self._models)})"

    @property
    def profile(self) -> ModelProfile:
        """What every one of the models can do, with the largest context window."""
        return joint_profile(self._models, widest=True)

    def explain(self, request: ModelRequest) -> Routing:
        """Which model would answer `request`, and why, without asking it.

        Raises:
            ModelRefusedError: No route takes it; the message has the reason of each.
        """
        tokens = estimated_tokens(request)
        passed_over: list[str] = []
        taken: list[_Rule] = []
        for rule in self._routes:
            reason = rule.against(request, tokens)
            if reason:
                passed_over.append(f"{rule.name!r} did not: {reason}")
            else:
                taken.append(rule)
        if not taken:
            raise self._refused(passed_over)
        chosen = taken[0] if self._prefer == "first" else min(taken, key=lambda rule: rule.cost(request, tokens))
        if self._prefer == "cheapest":
            passed_over += [
                f"{rule.name!r} would cost {_dollars(rule.cost(request, tokens))} and not "
                f"{_dollars(chosen.cost(request, tokens))}"
                for rule in taken
                if rule is not chosen
            ]
        return Routing(chosen.model, chosen.name, tokens, tuple(passed_over))

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` by the model of the route that takes it; the response's notes say which and why."""
        routing = self._route(request)
        return _noted(await routing.model.request(request), routing)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ModelResponse, None]:
        """Answer `request` piece by piece, by the model of the route that takes it."""
        routing = self._route(request)
        async with closing(routing.model.stream(request)) as source:
            async for piece in source:
                yield _noted(piece, routing) if isinstance(piece, ModelResponse) else piece

    def _route(self, request: ModelRequest) -> Routing:
        check_request(request, self.profile, self.name)
        return self.explain(request)

    def _refused(self, reasons: list[str]) -> ModelError:
        error = ModelRefusedError(f"no route takes this request: {'; '.join(reasons)}", model=self.name)
        error.usage = Usage()
        return error


@dataclass(frozen=True, slots=True)
class _Rule:
    """A route with its model."""

    name: str
    model: Model
    route: Route

    def against(self, request: ModelRequest, tokens: int) -> str:
        """Why the route does not take a request; empty if it does."""
        route, window = self.route, self.model.profile.context_window
        if route.purposes and not any(fnmatchcase(request.purpose, purpose) for purpose in route.purposes):
            return f"it is for {' and '.join(map(repr, route.purposes))}, and the purpose is {request.purpose!r}"
        if route.intents and not any(fnmatchcase(request.intent, intent) for intent in route.intents):
            what = f"the intent is {request.intent!r}" if request.intent else "the request has none"
            return f"it is for the intents {' and '.join(map(repr, route.intents))}, and {what}"
        if route.up_to is not None and tokens > route.up_to:
            return f"it takes up to {route.up_to} tokens, and the prompt has about {tokens}"
        if tokens + (request.settings.max_tokens or 0) > window:
            return f"its context window has {window} tokens, and prompt and reply need about {_needed(request, tokens)}"
        if route.when is not None and not route.when(request):
            return "its condition does not hold"
        return ""

    def cost(self, request: ModelRequest, tokens: int) -> float:
        """About what the answer would cost, in US dollars; infinite where the price is unknown."""
        price = price_of_model(self.model)
        usage = Usage(input_tokens=tokens, output_tokens=request.settings.max_tokens or USUAL_REPLY)
        return float("inf") if price is None else price.cost(usage)


def _needed(request: ModelRequest, tokens: int) -> int:
    return tokens + (request.settings.max_tokens or 0)


def _noted(response: ModelResponse, routing: Routing) -> ModelResponse:
    return told(priced(response, routing.model), note=f"router: {routing}")


def _dollars(cost: float) -> str:
    return "nobody knows what" if cost == float("inf") else f"${cost:.6f}"
