"""What is said to a model and what it says back: one vocabulary for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list of Json, dict from str to Json."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that a model wrote with its native tool calling."""

    id: str
    name: str
    args: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks. ``tool`` answers the tool call named by `tool_call_id`.
        content: The text.
        tool_calls: Calls an assistant message makes.
        tool_call_id: For role ``tool``: the call that this answers.
        cache: Mark the end of a stable prefix, for providers whose prompt cache wants marks.
        pinned: It never falls out of a context that short-term memory keeps within a budget.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    cache: bool = False
    pinned: bool = False


def system(content: str, *, cache: bool = False) -> Message:
    """A system message."""
    return Message("system", content, cache=cache)


def user(content: str, *, cache: bool = False) -> Message:
    """A user message."""
    return Message("user", content, cache=cache)


def assistant(content: str) -> Message:
    """An assistant message."""
    return Message("assistant", content)


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool as a model sees it: name, description, JSON Schema (Draft 2020-12) of its arguments."""

    name: str
    description: str
    input_schema: Mapping[str, Json]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """Ask for JSON that satisfies a schema; strict where the provider can enforce it."""

    schema: Mapping[str, Json]
    name: str = "output"
    strict: bool = True


@dataclass(frozen=True, slots=True)
class GrammarOutput:
    """Ask for text of a Lark grammar (llguidance dialect); only models whose profile has `grammar` honour it."""

    lark: str


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Sampling and transport settings of a request; None leaves the provider's default."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    timeout: float | None = None

    def chosen(self) -> frozenset[str]:
        """The names of the settings that are set."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) not in (None, ()))

    def or_else(self, defaults: ModelSettings) -> ModelSettings:
        """These settings, with those of `defaults` where nothing is set."""
        return replace(self, **{name: getattr(defaults, name) for name in defaults.chosen() - self.chosen()})

    def for_profile(self, profile: ModelProfile) -> ModelSettings:
        """These settings without the ones that a model of `profile` does not take, which it would refuse."""
        return replace(self, **{name: getattr(ModelSettings(), name) for name in self.chosen() - profile.settings})


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Everything that one model call depends on.

    Attributes:
        messages: The conversation so far, oldest first.
        tools: Tools offered for native tool calling.
        tool_choice: ``auto``, ``required``, ``none``, or the name of the one tool to call.
        output: A constraint on the text, if any.
        prefix: The beginning of the assistant's reply, to be continued; only models whose profile has `prefix`.
        settings: Sampling and transport settings.
        user: For whom it is asked, empty for nobody in particular. Not sent; budgets, rate limits and caches go by it.
        purpose: Who asks: ``plan``, ``repair``, ``generate`` and so on. Not sent; routers go by it.
        fresh: The answer depends on when it is asked for, so that no cache may keep or give it. Not sent.
        intent: What kind of request the run is about, as the agent's classifier labels it. Not sent; routers go by it.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    tool_choice: str = "auto"
    output: JsonOutput | GrammarOutput | None = None
    prefix: str = ""
    settings: ModelSettings = field(default_factory=ModelSettings)
    user: str = ""
    purpose: str = ""
    fresh: bool = False
    intent: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, calls and money of one or more model calls. Usages add.

    Attributes:
        input_tokens: Prompt tokens, cached ones included.
        cached_tokens: Of those, tokens read from a prompt cache.
        output_tokens: Tokens generated.
        model_calls: Requests made.
        tool_calls: Tool calls executed (attempts included).
        cost: US dollars, where prices are known.
        cache_write_tokens: Of the prompt tokens, those that the provider says it put into a prompt cache.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    cost: float = 0.0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.cost + other.cost,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    @property
    def total_tokens(self) -> int:
        """Prompt and generated tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        input: Prompt tokens.
        output: Generated tokens.
        cached_input: Prompt tokens read from the provider's cache; None: as much as other prompt tokens.
        cache_write: Prompt tokens put into the provider's cache; None: as much as other prompt tokens.
        long: The prices of a whole request whose prompt is longer than `long_over` tokens; None: the same.
        long_over: See `long`.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    long: Price | None = None
    long_over: int = 0

    def cost(self, usage: Usage) -> float:
        """US dollars of one model call that used the tokens of `usage`; `usage.cost` is not looked at."""
        if self.long is not None and usage.input_tokens > self.long_over:
            return self.long.cost(usage)
        cached = self.input if self.cached_input is None else self.cached_input
        write = self.input if self.cache_write is None else self.cache_write
        plain = max(usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, 0)
        parts = (
            plain * self.input,
            usage.cached_tokens * cached,
            usage.cache_write_tokens * write,
            usage.output_tokens * self.output,
        )
        return sum(parts) / 1_000_000


FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "pause"]


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """A model's complete reply.

    Attributes:
        text: The generated text, without the request's `prefix`.
        tool_calls: Native tool calls, if any.
        finish: Why generation ended; ``length`` means truncated.
        usage: What this answer took. `model_calls` is 1, 0 from a cache, and more where a wrapper tried more than once.
        ttft: Seconds to the first token, where measured (streams and local models).
        seconds: Wall-clock seconds of the call.
        model: The model that really answered, as the provider names it.
        cached: It comes from a cache and no model was called; its usage is empty.
        notes: What the wrappers around the model did: which rule chose it, which others failed, and so on.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: FinishReason = "stop"
    usage: Usage = field(default_factory=lambda: Usage(model_calls=1))
    ttft: float | None = None
    seconds: float = 0.0
    model: str = ""
    cached: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of streamed text. A stream yields these and ends with exactly one `ModelResponse`."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model can do, and how it plans best.

    Attributes:
        context_window: Tokens of prompt and reply together.
        json_schema: Enforces `JsonOutput` schemas.
        grammar: Enforces `GrammarOutput`.
        tools: Native tool calling.
        prefix: Continues an unfinished assistant message.
        spelling: The plan spelling to ask for.
        decoding: How plans are constrained: ``free``, ``grammar`` (one grammar for the whole plan) or ``typed``
            (line by line, type-directed).
        repairs: Diagnostics fed back in conversation help this model; small ones do better with resampling.
        primer: Plans better after a few worked plans with other tools, where the agent has no examples of its own.
        kinds: Step kinds to offer; None offers all.
        settings: Names of the `ModelSettings` that the model takes; setting another one is an error.
        price: What the model costs, instead of what `agentkit.models.prices` knows.
    """

    context_window: int = 8192
    json_schema: bool = False
    grammar: bool = False
    tools: bool = False
    prefix: bool = False
    spelling: Literal["python", "json"] = "python"
    decoding: Literal["free", "grammar", "typed"] = "free"
    repairs: bool = True
    primer: bool = False
    kinds: frozenset[str] | None = None
    settings: frozenset[str] = frozenset({"temperature", "top_p", "max_tokens", "seed", "stop", "timeout"})
    price: Price | None = None
