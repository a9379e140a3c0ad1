"""Fixtures of the model tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentkit.models.safety import override_allow_model_requests
from tests.models.servers import ProviderServer


@pytest.fixture(autouse=True)
def no_real_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No request leaves this machine, and no key or URL of the developer's environment is used."""
    for provider in ("OPENAI", "ANTHROPIC"):
        for name in ("API_KEY", "BASE_URL", "ADMIN_KEY", "AUTH_TOKEN", "PROFILE", "CUSTOM_HEADERS", "ORG_ID"):
            monkeypatch.delenv(f"{provider}_{name}", raising=False)
    with override_allow_model_requests(False):
        yield


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    """A scripted provider."""
    with ProviderServer() as running:
        yield running
