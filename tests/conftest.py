"""What all tests share: a closed network, no real models, hypothesis profiles, time limits for slow tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

from agentkit.models.safety import override_allow_model_requests
from agentkit.testing import block_network

SLOW_TIMEOUT = 600
"""Seconds that a slow test may take where it does not say otherwise."""

# The same examples every time: a failure is then of the change at hand. `make fuzz` looks for new ones.
hypothesis.settings.register_profile("same", max_examples=50, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("fuzz", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make tests of local models slow ones, and give slow ones a time limit of their own.

    It runs before pytest leaves out what ``-m`` deselects.
    """
    for item in items:
        if item.get_closest_marker("local_model"):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.fixture(scope="session", autouse=True)
def no_real_providers() -> Iterator[None]:
    """Keep every test on this machine: connections elsewhere and requests to real models are refused."""
    with block_network(), override_allow_model_requests(False):
        yield
