"""A switch that keeps tests and dry runs from reaching a real provider by accident."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from agentkit.errors import DefinitionError

ALLOW_MODEL_REQUESTS = True
"""Set it to False (``agentkit.models.safety.ALLOW_MODEL_REQUESTS = False``) to refuse every request that leaves this
machine. Servers on a loopback address, in-process models and the doubles of `agentkit.testing` stay allowed."""


@contextmanager
def override_allow_model_requests(allow: bool) -> Iterator[None]:
    """Set `ALLOW_MODEL_REQUESTS` to `allow` inside a ``with`` block, for the whole process."""
    global ALLOW_MODEL_REQUESTS  # noqa: PLW0603 - the switch is one a process on purpose
    before = ALLOW_MODEL_REQUESTS
    ALLOW_MODEL_REQUESTS = allow
    try:
        yield
    finally:
        ALLOW_MODEL_REQUESTS = before


def check_requests_allowed(name: str, url: str) -> None:
    """Refuse a request of model `name` to `url` when requests are switched off.

    Raises:
        DefinitionError: Requests are switched off and `url` is not on a loopback address.
    """
    if ALLOW_MODEL_REQUESTS or is_loopback(url):
        return
    raise DefinitionError(
        f"model {name!r} would send a request to {url!r}, but agentkit.models.safety.ALLOW_MODEL_REQUESTS is False. "
        "Use a model of agentkit.testing, or allow it with override_allow_model_requests(True)."
    )


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by a loopback address or ``localhost``."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
