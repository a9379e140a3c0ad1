"""Whose request it is, for what is counted by user or by another key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from agentkit.errors import DefinitionError
from agentkit.messages import ModelRequest

By: TypeAlias = Literal["user", "purpose", "all"] | Callable[[ModelRequest], str]
"""What is counted together: requests of one user, of one purpose, all, or those with one result of a function."""


def key_function(by: By) -> Callable[[ModelRequest], str]:
    """The function that gives a request's key.

    Raises:
        DefinitionError: `by` is no such thing.
    """
    match by:
        case "user":
            return lambda request: request.user
        case "purpose":
            return lambda request: request.purpose
        case "all":
            return lambda request: ""
        case _ if callable(by):
            return by
        case _:
            raise DefinitionError(f"by is {by!r}; expected 'user', 'purpose', 'all' or a function of the request.")


def shown(by: By, key: str) -> str:
    """A key in a message."""
    match by:
        case "all":
            return "all requests together"
        case "user":
            return f"the user {key!r}" if key else "requests without a user"
        case "purpose":
            return f"the purpose {key!r}"
        case _:
            return f"the key {key!r}"
