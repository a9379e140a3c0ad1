"""The pure functions on lists, objects and numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cmp_to_key
from typing import Any, Final, TypeAlias

from agentkit.expressions._bounds import (
    Budget,
    Refusal,
    charge,
    charge_text,
    check_list,
    kind_of,
    mistyped,
    too_large,
)
from agentkit.expressions._operations import as_integer, finite, is_number, member, ordered, settle, to_text
from agentkit.messages import Json

Key: TypeAlias = Callable[[Json], Json]

MISSING: Final = object()
"""Stands for an argument that was not given, where null would be a value."""

_MOST_DIGITS = 1_300
_MOST_PLACES = 100


def need_list(value: Json, what: str = "it") -> list[Json]:
    """`value` as a list; the keys of an object."""
    if type(value) is list:
        return value
    if type(value) is dict:
        check_list(len(value))
        return list(value)
    raise mistyped(f"{what} must be a list, not {kind_of(value)}")


def len_(budget: Budget, value: Json) -> Json:
    """The number of items of a list, fields of an object, or characters of a text."""
    if type(value) in (list, dict, str):
        return len(value)
    raise mistyped(f"{kind_of(value)} has no length; expected a list, an object or a text")


def sum_(budget: Budget, items: Json, start: Json = 0) -> Json:
    """The sum of a list of numbers."""
    numbers = need_list(items)
    charge(budget, len(numbers))
    if not is_number(start):
        raise mistyped(f"cannot start a sum with {kind_of(start)}")
    total = start
    for number in numbers:
        if not is_number(number):
            raise mistyped(f"cannot sum {kind_of(number)}")
        total = settle(total + number, budget)
    return total


def min_(budget: Budget, *values: Json, key: Key | None = None, default: Json = MISSING) -> Json:
    """The least item of a list, or the least of several values; by `key` if given."""
    return _extreme(budget, values, key, default, -1)


def max_(budget: Budget, *values: Json, key: Key | None = None, default: Json = MISSING) -> Json:
    """The greatest item of a list, or the greatest of several values; by `key` if given."""
    return _extreme(budget, values, key, default, 1)


def _extreme(budget: Budget, values: tuple[Json, ...], key: Key | None, default: Json, sign: int) -> Json:
    candidates = need_list(values[0]) if len(values) == 1 else list(values)
    if not candidates:
        if default is MISSING:
            raise Refusal("the list is empty; give default=")
        return default
    charge(budget, len(candidates))
    best = candidates[0]
    best_rank = best if key is None else key(best)
    if not is_number(best_rank) and type(best_rank) not in (str, list):
        raise mistyped(f"cannot compare {kind_of(best_rank)} with others")
    for candidate in candidates[1:]:
        rank = candidate if key is None else key(candidate)
        if ordered(rank, best_rank, budget) * sign > 0:
            best, best_rank = candidate, rank
    return best


def sorted_(budget: Budget, items: Json, key: Key | None = None, reverse: Json = False) -> Json:
    """The items of a list in ascending order; by `key` if given; descending with ``reverse=True``."""
    values = need_list(items)
    check_list(len(values))
    if type(reverse) is not bool:
        raise mistyped(f"reverse must be true or false, not {kind_of(reverse)}")
    charge(budget, len(values) * len(values).bit_length())
    ranks = values if key is None else [key(value) for value in values]
    order = sorted(range(len(values)), key=_rank(ranks, budget), reverse=reverse)
    return [values[index] for index in order]


def _rank(ranks: list[Json], budget: Budget) -> Callable[[int], Any]:
    """What Python sorts positions by, so that it compares only what `ordered` would."""
    if all(map(is_number, ranks)):
        return ranks.__getitem__
    if all(type(rank) is str for rank in ranks):
        charge_text(budget, sum(map(len, ranks)) * len(ranks).bit_length())
        return ranks.__getitem__

    def compare(one: int, other: int) -> int:
        charge(budget, 1)
        return ordered(ranks[one], ranks[other], budget)

    return cmp_to_key(compare)


def any_(budget: Budget, items: Json) -> Json:
    """Whether any item of a list of booleans is true."""
    return any(_booleans(budget, items))


def all_(budget: Budget, items: Json) -> Json:
    """Whether all items of a list of booleans are true."""
    return all(_booleans(budget, items))


def _booleans(budget: Budget, items: Json) -> list[bool]:
    values = need_list(items)
    charge(budget, len(values))
    for value in values:
        if type(value) is not bool:
            raise mistyped(f"expected booleans, not {kind_of(value)}; compare explicitly")
    return values


def round_(budget: Budget, number: Json, ndigits: Json = None) -> Json:
    """A number rounded to whole, or to `ndigits` decimal places; halves go to the even neighbour."""
    if not is_number(number):
        raise mistyped(f"cannot round {kind_of(number)}")
    if ndigits is None:
        return settle(round(number), budget)
    places = as_integer(ndigits, "ndigits")
    if abs(places) > _MOST_PLACES:
        raise Refusal(f"ndigits must be -{_MOST_PLACES} to {_MOST_PLACES}, not {places}")
    return settle(round(number, places), budget)


def abs_(budget: Budget, number: Json) -> Json:
    """A number without its sign."""
    if not is_number(number):
        raise mistyped(f"{kind_of(number)} has no absolute value")
    return abs(number)


def str_(budget: Budget, value: Json) -> Json:
    """A value as text: a text as it is, anything else as JSON."""
    return to_text(value, budget)


def int_(budget: Budget, value: Json) -> Json:
    """A number without its decimal places, or the whole number that a text spells."""
    if type(value) is str:
        _check_digits(value)
        try:
            return settle(int(value), budget)
        except ValueError:
            raise Refusal(f"{_shown(value)} is not a whole number") from None
    if type(value) is bool or is_number(value):
        return settle(int(value), budget)
    raise mistyped(f"cannot make a number of {kind_of(value)}")


def float_(budget: Budget, value: Json) -> Json:
    """A number with decimal places, or the number that a text spells."""
    if type(value) is str:
        _check_digits(value)
        try:
            return finite(float(value))
        except ValueError:
            raise Refusal(f"{_shown(value)} is not a number") from None
    if type(value) is bool or is_number(value):
        return finite(float(value))
    raise mistyped(f"cannot make a number of {kind_of(value)}")


def _check_digits(text: str) -> None:
    if len(text) > _MOST_DIGITS:
        raise too_large(f"a number of {len(text):,} digits is too long; at most {_MOST_DIGITS:,} are allowed")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def bool_(budget: Budget, value: Json) -> Json:
    """False for null, false, zero, and an empty text, list or object; true for anything else."""
    return bool(value)


def range_(budget: Budget, start: Json, stop: Json = None, step: Json = 1) -> Json:
    """The whole numbers from `start` (or 0) up to and without `stop`."""
    low, high = (
        (0, as_integer(start, "stop")) if stop is None else (as_integer(start, "start"), as_integer(stop, "stop"))
    )
    by = as_integer(step, "step")
    if by == 0:
        raise Refusal("step must not be 0")
    length = max(0, (high - low + by - (1 if by > 0 else -1)) // by)
    check_list(length)
    charge(budget, 1 + length // 8)
    return list(range(low, high, by))


def list_(budget: Budget, items: Json) -> Json:
    """The items of a list, or the keys of an object."""
    values = need_list(items)
    check_list(len(values))
    charge(budget, 1 + len(values) // 8)
    return list(values)


def enumerate_(budget: Budget, items: Json, start: Json = 0) -> Json:
    """Pairs of position and item."""
    values, first = need_list(items), as_integer(start, "start")
    check_list(len(values))
    charge(budget, 2 * len(values))
    return [[index, value] for index, value in enumerate(values, first)]


def zip_(budget: Budget, *lists: Json) -> Json:
    """Lists of the first items, the second items, and so on, as long as the shortest list."""
    columns = [need_list(values) for values in lists]
    length = min(map(len, columns), default=0)
    check_list(length)
    charge(budget, length * (len(columns) + 1))
    return [list(row) for row in zip(*columns, strict=False)]


def reversed_(budget: Budget, items: Json) -> Json:
    """The items of a list from last to first."""
    values = need_list(items)
    check_list(len(values))
    charge(budget, 1 + len(values) // 8)
    return values[::-1]


def flatten(budget: Budget, lists: Json) -> Json:
    """The items of all lists of a list, one after the other."""
    parts = [need_list(part, "each item") for part in need_list(lists)]
    length = sum(map(len, parts))
    check_list(length)
    charge(budget, 1 + len(parts) + length // 8)
    return [item for part in parts for item in part]


def unique(budget: Budget, items: Json) -> Json:
    """The items of a list without repetitions, in the order of their first appearance."""
    values = need_list(items)
    check_list(len(values))
    charge(budget, len(values))
    distinct: dict[Hashable, Json] = {}
    for value in values:
        distinct.setdefault(_frozen(value, budget), value)
    return list(distinct.values())


def _frozen(value: Json, budget: Budget) -> Hashable:
    if type(value) is list:
        charge(budget, len(value))
        return ("list", *(_frozen(part, budget) for part in value))
    if type(value) is dict:
        charge(budget, len(value))
        return ("object", frozenset((name, _frozen(part, budget)) for name, part in value.items()))
    if type(value) is str:
        charge_text(budget, len(value))
    return (type(value) is bool, value)


def get(budget: Budget, object: Json, key: Json, default: Json = None) -> Json:  # noqa: A002
    """The field `key` of an object, or `default` if it has none."""
    if type(object) is not dict:
        raise mistyped(f"{kind_of(object)} has no fields")
    if type(key) is not str:
        raise mistyped(f"the key must be a text, not {kind_of(key)}")
    return object.get(key, default)


def keys(budget: Budget, object: Json) -> Json:  # noqa: A002
    """The names of an object's fields."""
    return list(_fields(budget, object))


def values(budget: Budget, object: Json) -> Json:  # noqa: A002
    """The values of an object's fields."""
    return list(_fields(budget, object).values())


def items(budget: Budget, object: Json) -> Json:  # noqa: A002
    """Pairs of name and value of an object's fields."""
    return [[name, value] for name, value in _fields(budget, object).items()]


def _fields(budget: Budget, value: Json) -> dict[str, Json]:
    if type(value) is not dict:
        raise mistyped(f"{kind_of(value)} has no fields")
    check_list(len(value))
    charge(budget, len(value))
    return value


def contains(budget: Budget, container: Json, item: Json) -> Json:
    """Whether a list has an item, an object a field, or a text a part."""
    return member(item, container, budget)
