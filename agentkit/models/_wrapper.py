"""What the classes that wrap models share: names, profiles, streams, and the books of what calls used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from functools import reduce
from operator import add, and_
from typing import Any

from agentkit.errors import DefinitionError, ModelError, ModelOutputError, ModelRefusedError, ModelUnavailableError
from agentkit.messages import ModelProfile, ModelResponse, TextDelta, Usage
from agentkit.models.ids import resolve_model
from agentkit.protocols import Model, ModelStream


class Wrapper:
    """A model around one other model, known by that model's name and profile."""

    def __init__(self, model: Model | str) -> None:
        self.model = resolve_model(model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model.name!r})"

    @property
    def models(self) -> tuple[Model, ...]:
        """The model inside."""
        return (self.model,)

    @property
    def name(self) -> str:
        """The model id of the model inside."""
        return self.model.name

    @property
    def profile(self) -> ModelProfile:
        """What the model inside can do."""
        return self.model.profile


def resolve_all(kind: str, models: Iterable[Model | str]) -> tuple[Model, ...]:
    """The models behind ids and models; at least one."""
    resolved = tuple(resolve_model(model) for model in models)
    if not resolved:
        raise DefinitionError(f"{kind} was given no model; expected at least one, as a model id or a Model.")
    return resolved


def joint_profile(models: Sequence[Model], *, widest: bool = False) -> ModelProfile:
    """What every one of `models` can do; how to plan is the first one's word where all are able to.

    Args:
        models: The models, at least one.
        widest: Take the largest context window rather than the smallest.
    """
    profiles = [model.profile for model in models]
    grammar = all(profile.grammar for profile in profiles)
    prefix = all(profile.prefix for profile in profiles)
    first = profiles[0]
    needs = {"free": True, "grammar": grammar, "typed": grammar and prefix}
    kinds = [profile.kinds for profile in profiles if profile.kinds is not None]
    return replace(
        first,
        context_window=(max if widest else min)(profile.context_window for profile in profiles),
        json_schema=all(profile.json_schema for profile in profiles),
        grammar=grammar,
        tools=all(profile.tools for profile in profiles),
        prefix=prefix,
        decoding=first.decoding if needs[first.decoding] else "free",
        repairs=all(profile.repairs for profile in profiles),
        kinds=reduce(and_, kinds) if kinds else None,
        settings=reduce(and_, (profile.settings for profile in profiles)),
        price=first.price if len(models) == 1 else None,
    )


# the books


def told(response: ModelResponse, *, spent: Usage | None = None, note: str = "") -> ModelResponse:
    """A response that also accounts for `spent`, such as failed attempts before it, and carries one more note."""
    usage = response.usage if spent is None else response.usage + spent
    return replace(response, usage=usage, notes=(note, *response.notes) if note else response.notes)


def charge(error: ModelError, spent: Usage) -> ModelError:
    """The error, accounting for `spent` too; a copy, since whoever made it may raise it again."""
    if spent == Usage():
        return error
    charged = copy(error)
    charged.usage = error.usage + spent
    return charged


def all_failed(what: str, failures: Sequence[tuple[str, ModelError]], *, model: str) -> ModelError:
    """One error for several models that failed: the kind that they agree on, else that they are unavailable.

    Args:
        what: What failed, the beginning of the message.
        failures: The model ids and their errors.
        model: The model id of the wrapper.
    """
    told_each = "; ".join(_named(name, str(error)) for name, error in failures)
    message = f"{what}: {told_each}"
    errors = [error for _, error in failures]
    joint: ModelError
    if all(isinstance(error, ModelOutputError) for error in errors):
        joint = ModelOutputError(message, model=model)
    elif all(isinstance(error, ModelRefusedError) for error in errors):
        joint = ModelRefusedError(message, model=model)
    else:
        waits = [error.retry_after for error in errors if isinstance(error, ModelUnavailableError)]
        known = [wait for wait in waits if wait is not None]
        joint = ModelUnavailableError(message, model=model, retry_after=min(known, default=None))
    joint.usage = reduce(add, (error.usage for error in errors), Usage())
    return joint


def _named(name: str, error: str) -> str:
    """What an error says, with the model that says it, which adapters put in front themselves."""
    return error if error.startswith(repr(name)) else f"{name!r}: {error}"


# streams


async def open_stream(source: ModelStream) -> tuple[TextDelta | ModelResponse, ModelStream]:
    """The first item of a stream and the rest; a stream that fails before it is closed."""
    try:
        return await anext(source), source
    except BaseException:
        await close_stream(source)
        raise


@asynccontextmanager
async def closing(source: ModelStream) -> AsyncIterator[ModelStream]:
    """A stream that is closed at the end of the block."""
    try:
        yield source
    finally:
        await close_stream(source)


async def close_stream(source: Any) -> None:
    """Close a stream, where it can be closed: an async generator can, a bare iterator cannot."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()
