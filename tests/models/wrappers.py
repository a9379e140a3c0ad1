"""Every way to wrap a model, for the tests that hold for all of them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from agentkit.errors import ModelRefusedError, ModelUnavailableError
from agentkit.models import (
    BudgetedModel,
    CachedModel,
    CassetteModel,
    FallbackModel,
    HedgedModel,
    RateLimitedModel,
    RetryingModel,
    Route,
    RouterModel,
    SemanticCachedModel,
)
from agentkit.protocols import Model
from agentkit.testing import FakeClock, ScriptedModel
from agentkit.testing.models import ABLE

_numbers = count()
_folder = Path(tempfile.mkdtemp(prefix="agentkit-cassettes-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)


class Letters:
    """An embedder for tests: how often each letter occurs."""

    name = "letters"
    dimension = 26

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(text.lower().count(chr(97 + i))) for i in range(26)] for text in texts]


def recorded(model: Model) -> Model:
    return CassetteModel(_folder / f"{next(_numbers)}.jsonl", model, mode="record")


def unused() -> ScriptedModel:
    return ScriptedModel([], name="test:unused", profile=ABLE)


WRAPPERS: Mapping[str, Callable[[Model], Model]] = {
    "fallback": lambda model: FallbackModel(model, on=(ModelUnavailableError, ModelRefusedError)),
    "router": lambda model: RouterModel(Route(unused(), name="never", purposes=("never",)), model),
    "rates": lambda model: RateLimitedModel(model, requests_per_minute=6000, tokens_per_minute=1e6, concurrency=8),
    "budget": lambda model: BudgetedModel(model, tokens=10**6, usd=10.0),
    "cache": CachedModel,
    "semantic": lambda model: SemanticCachedModel(model, Letters(), threshold=1.0),
    "cassette": recorded,
    "hedge": lambda model: HedgedModel(model, after=1000.0),
    "retry": lambda model: RetryingModel(model, attempts=2, sleep=FakeClock().sleep),
}
"""By name: each makes a model around a model, and lets through what a conforming model answers."""
