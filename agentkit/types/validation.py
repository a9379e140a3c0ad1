"""Values against JSON Schemas (Draft 2020-12) at run time: nothing is fetched, and no pattern is tried without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from agentkit.messages import Json
from agentkit.types.formats import FORMATS, matches

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_OUR_FORMATS = ("date-time", "time", "duration")
"""Formats that jsonschema leaves to packages of their own; the checker's types count on them."""


def validator_of(schema: Mapping[str, Json]) -> Draft202012Validator:
    """What checks values against `schema`, which may come from anybody.

    References out of the schema are errors: they are not fetched. A pattern that might backtrack without end is tried
    by RE2, where that is installed, and otherwise passes.
    """
    from referencing import Registry

    registry: Registry[Any] = Registry()
    made: Draft202012Validator = _bounded_class()(schema, registry=registry, format_checker=_format_checker())
    return made


def misfits(schema: Mapping[str, Json], value: Json) -> Iterator[str]:
    """What is wrong with `value`, each problem with its place, in the order of the places."""
    from referencing.exceptions import Unresolvable

    try:
        errors = list(validator_of(schema).iter_errors(value))
    except RecursionError:
        yield "the schema refers to itself without end, or the value is nested too deeply"
        return
    except Unresolvable as error:
        yield f"the schema refers to {error.ref!r}, which it does not hold"
        return
    for place, message in sorted((".".join(map(str, error.absolute_path)), error.message) for error in errors):
        yield f"{place}: {message}" if place else message


@lru_cache(maxsize=1)
def _bounded_class() -> Any:
    from jsonschema import Draft202012Validator, validators

    extend: Any = validators.extend  # it has no type hints
    return extend(Draft202012Validator, {"pattern": _pattern})


@lru_cache(maxsize=1)
def _format_checker() -> Any:
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    checker.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)
    for name in _OUR_FORMATS:
        checker.checkers[name] = (partial(_fits_format, FORMATS[name]), ())
    return checker


def _fits_format(fits: Callable[[str], bool], value: object) -> bool:
    return not isinstance(value, str) or fits(value)


def _pattern(validator: Any, pattern: str, value: Json, schema: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not _may_match(value, pattern):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _may_match(text: str, pattern: str) -> bool:
    found = matches(text, pattern)
    if found is not None:
        return found
    try:
        expression = _linear(pattern)
        return expression is None or expression.search(text) is not None
    except UnicodeEncodeError:  # RE2 knows no half characters
        return True


@lru_cache(maxsize=512)
def _linear(pattern: str) -> Any:
    """The pattern compiled by RE2; None where RE2 is missing or does not know what the pattern uses."""
    try:
        import re2  # type: ignore[import-untyped]
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None
