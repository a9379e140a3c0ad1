"""The ports of agentkit: what a model, a planner, a journal or a person must be able to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from agentkit.events import Event
from agentkit.messages import Json, Message, ModelProfile, ModelRequest, ModelResponse, TextDelta

Parsed = TypeVar("Parsed")

ModelStream: TypeAlias = AsyncIterator[TextDelta | ModelResponse]


class Model(Protocol):
    """A language model behind any provider.

    Implementations make exactly one attempt a call: retrying is the agent's business, so that budgets do not multiply.
    They raise `ModelUnavailableError`, `ModelRefusedError` or `ModelOutputError`, never a provider's own exception.
    """

    @property
    def name(self) -> str:
        """The model id that selects this model, e.g. ``openai:gpt-5``."""
        ...

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        ...

    async def request(self, request: ModelRequest) -> ModelResponse:
        """Answer `request` completely."""
        ...

    def stream(self, request: ModelRequest) -> ModelStream:
        """Answer `request` piece by piece: `TextDelta` items, then exactly one `ModelResponse`."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A model that can say how many tokens a text is, because its tokenizer is at hand."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text by itself, without any chat template."""
        ...

    @property
    def name(self) -> str:
        """The model id."""
        ...


class RunModel(Protocol):
    """The model of a run, as tools find it in `RunContext.model`; it is a `Model` too.

    Its calls are the run's: counted and bounded by its limits, priced, tried again when the provider is not there, and
    recorded as events. It belongs to the run's event loop, so only asynchronous tools can use it.

    Every call may raise `ModelError`, or `LimitReached` when the run's model calls, tokens or money are used up; a tool
    that lets the latter pass ends the run as its limits want it. `purpose` says in the events what a call was for.
    """

    @property
    def name(self) -> str:
        """The model id."""
        ...

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        ...

    async def request(self, request: ModelRequest, *, purpose: str = ...) -> ModelResponse:
        """One complete answer."""
        ...

    def stream(self, request: ModelRequest, *, purpose: str = ...) -> ModelStream:
        """One answer piece by piece."""
        ...

    async def parsed(self, request: ModelRequest, parse: Callable[[str], Parsed], *, purpose: str = ...) -> Parsed:
        """What `parse` makes of an answer; when it raises `ModelOutputError`, the model is told and asked again."""
        ...

    async def text(self, messages: tuple[Message, ...], *, purpose: str = ..., **options: Any) -> str:
        """A text that is not empty; `options` are those of `ModelRequest`."""
        ...

    async def json(
        self, messages: tuple[Message, ...], schema: dict[str, Json], *, purpose: str = ..., **options: Any
    ) -> Json:
        """A JSON value of `schema`."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors. Vectors of embedders with different names do not go together."""

    @property
    def name(self) -> str:
        """What is kept beside the vectors, to know them again: provider and model."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text."""
        ...


class Clock(Protocol):
    """Time, so that tests can own it."""

    def time(self) -> float:
        """Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Journal(Protocol):
    """Where the events of one run are kept."""

    def append(self, event: Event) -> None:
        """Queue an event; returns at once and keeps the order."""
        ...

    async def flush(self) -> None:
        """Return when everything appended so far would survive a crash of the process and of the machine."""
        ...


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A call that waits for permission: the step's instance, the tool, its arguments, and what it may change."""

    step: str
    tool: str
    args: Mapping[str, Json]
    effect: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said about a call."""

    granted: bool
    reason: str = ""


class Human(Protocol):
    """The person in the loop."""

    async def approve(self, request: ApprovalRequest) -> Decision:
        """Grant or deny a call."""
        ...

    async def answer(self, question: str, schema: Mapping[str, Json] | None) -> Json:
        """Answer a plan's question, with a value of `schema` where one is given."""
        ...


class SubgoalRunner(Protocol):
    """Plans and runs a subgoal when its step is reached."""

    async def __call__(
        self, goal: str, inputs: Mapping[str, Json], schema: Mapping[str, Json] | None, step: str
    ) -> Json:
        """The subgoal's answer.

        Raises:
            AgentKitError: It could not be reached; the message says why.
        """
        ...
