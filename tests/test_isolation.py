"""The tests themselves: none of them can leave this machine, and markers mean what pyproject.toml says."""

from __future__ import annotations

import socket

import pytest

from agentkit.errors import DefinitionError
from agentkit.models.safety import check_requests_allowed
from tests.conftest import pytest_collection_modifyitems


def test_a_connection_to_another_machine_is_refused() -> None:
    """A forgotten double fails at once instead of calling somebody."""
    with pytest.raises(ConnectionRefusedError, match="the network is closed"):
        socket.create_connection(("192.0.2.1", 443), timeout=1)


def test_a_name_of_another_machine_is_not_looked_up() -> None:
    """Not even the name of a host leaves this machine."""
    with pytest.raises(ConnectionRefusedError, match="the network is closed"):
        socket.getaddrinfo("api.example.com", 443)


def test_a_real_model_is_refused() -> None:
    """Requests to models beyond this machine are switched off for every test."""
    with pytest.raises(DefinitionError, match="ALLOW_MODEL_REQUESTS is False"):
        check_requests_allowed("openai:gpt-5", "https://api.openai.com/v1")


@pytest.mark.parametrize(
    ("marks", "limit"),
    [
        ([pytest.mark.slow], 600),
        ([pytest.mark.local_model], 600),
        ([pytest.mark.slow, pytest.mark.timeout(5)], 5),
        ([], None),
    ],
)
def test_slow_tests_have_their_own_time_limit(
    marks: list[pytest.MarkDecorator], limit: int | None, request: pytest.FixtureRequest
) -> None:
    """Slow tests may take ten minutes unless they say otherwise; tests of local models are slow ones."""
    item = pytest.Function.from_parent(request.node.parent, name="example", callobj=lambda: None)
    for mark in marks:
        item.add_marker(mark)
    pytest_collection_modifyitems([item])
    timeout = item.get_closest_marker("timeout")
    assert (timeout.args[0] if timeout else None) == limit
    assert bool(item.get_closest_marker("slow")) is bool(marks)
