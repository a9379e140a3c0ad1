"""Loading of packages that only some tools need."""

from __future__ import annotations

import importlib
from types import ModuleType

from agentkit.errors import MissingDependencyError


def load(package: str, purpose: str, *, install: str = "") -> ModuleType:
    """Import `package`, or say which tools need it and how to get it.

    Args:
        package: Import name.
        purpose: What needs it, in the plural, e.g. ``"unit conversions"``.
        install: Name to install it by, if it differs.

    Raises:
        MissingDependencyError: If the package is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        name = install or package
        raise MissingDependencyError(
            f"{purpose} need the package {name!r}; install it with: pip install {name}"
        ) from None
