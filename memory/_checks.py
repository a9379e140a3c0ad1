"""Checks of what a memory is put together from, so that a mistake is told where it is made."""

from __future__ import annotations

from agentkit.errors import DefinitionError


def check_part(where: str, part: object, does: str, expected: str) -> None:
    """That a part, if it is given, answers its port.

    Args:
        where: The argument, as in ``Manager(decide=…)``.
        part: What was given.
        does: The method that it must have.
        expected: What to give instead.

    Raises:
        DefinitionError: It has no such method.
    """
    if part is not None and not callable(getattr(part, does, None)):
        raise DefinitionError(f"{where}={part!r}): expected {expected}.")


def check_least(where: str, number: object, least: int, what: str) -> None:
    """That a number is a whole one and large enough.

    Raises:
        DefinitionError: It is not.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        raise DefinitionError(f"{where}={number!r}): expected a number of {what}, {least} or more.")
