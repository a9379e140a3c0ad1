"""The ports of agentkit: what a model, a planner, a journal or a person must be able to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias

from agentkit.messages import ModelProfile, ModelRequest, ModelResponse, TextDelta

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
