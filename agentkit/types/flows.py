"""Whether values of one type may be used where another is expected."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from agentkit.types.formats import formats_exclude, has_format, matches
from agentkit.types.kinds import (
    UNKNOWN,
    AnyType,
    ArrayType,
    BooleanType,
    IntegerType,
    LiteralType,
    NeverType,
    NullType,
    NumberType,
    ObjectType,
    RefinedType,
    Scalar,
    StringType,
    Type,
    UnionType,
)


class Flow(Enum):
    """The answer of `flows`."""

    YES = "yes"
    """Every value of the source belongs to the target."""
    MAYBE = "maybe"
    """Some may and some may not, or it cannot be told: check at run time."""
    NO = "no"
    """No value of the source belongs to the target."""


_YES, _MAYBE, _NO = Flow.YES, Flow.MAYBE, Flow.NO


def flows(source: Type, target: Type) -> Flow:
    """Whether values of `source` belong to `target`.

    Args:
        source: The type of the value at hand.
        target: The type that is expected.

    Returns:
        YES if always, NO if never (a checker may refuse), MAYBE if it must be looked at when the value is known.
        Lists whose elements never fit are a NO too, although an empty one would pass.
    """
    if (source is target and source is not UNKNOWN) or isinstance(source, NeverType) or isinstance(target, AnyType):
        return _YES
    if isinstance(target, NeverType):
        return _NO
    if isinstance(target, RefinedType):
        # Two of them may be equal and stand for different conditions: only one and the same,
        # read from one schema, is sure to fit itself.
        return _least(flows(source, target.of), _MAYBE)
    if isinstance(source, RefinedType):
        return flows(source.of, target)
    if isinstance(source, AnyType):
        return _MAYBE
    if isinstance(source, UnionType):
        return _all_alike(flows(member, target) for member in source.members)
    if isinstance(source, LiteralType):
        if len(source.values) == 1:
            return accepts(target, source.values[0])
        return _all_alike(accepts(target, value) for value in source.values)
    if isinstance(target, UnionType):
        return _any_of(flows(source, member) for member in target.members)
    return _flow_of_kinds(source, target)


def accepts(target: Type, value: Scalar) -> Flow:
    """Whether `target` contains this very scalar; MAYBE only where a condition cannot be looked at."""
    match target:
        case AnyType():
            return _YES
        case RefinedType(of):
            return _least(accepts(of, value), _MAYBE)
        case UnionType(members):
            return _any_of(accepts(member, value) for member in members)
        case LiteralType(values):
            return _YES if any(_same(value, other) for other in values) else _NO
        case NullType():
            return _YES if value is None else _NO
        case BooleanType():
            return _YES if isinstance(value, bool) else _NO
        case IntegerType() | NumberType():
            return _YES if _is_number(value) and _holds(target, value) else _NO
        case StringType():
            return _text_belongs(target, value) if isinstance(value, str) else _NO
        case _:
            return _NO


def _flow_of_kinds(source: Type, target: Type) -> Flow:
    if type(source) is type(target) and source == target:
        return _YES
    match source, target:
        case (NullType(), NullType()) | (BooleanType(), BooleanType()):
            return _YES
        case NullType(), LiteralType(values):
            return _YES if None in values else _NO
        case BooleanType(), LiteralType(values):
            found = {value for value in values if isinstance(value, bool)}
            return _YES if len(found) == 2 else _MAYBE if found else _NO
        case (IntegerType() | NumberType(), IntegerType() | NumberType()):
            return _numbers_flow(source, target)
        case (IntegerType() | NumberType(), LiteralType(values)):
            return _MAYBE if any(_is_number(value) and _holds(source, value) for value in values) else _NO
        case StringType(), StringType():
            return _texts_flow(source, target)
        case StringType(), LiteralType(values):
            possible = (isinstance(value, str) and _text_belongs(source, value) is not _NO for value in values)
            return _MAYBE if any(possible) else _NO
        case ArrayType(), ArrayType():
            return _arrays_flow(source, target)
        case ObjectType(), ObjectType():
            return _objects_flow(source, target)
        case _:
            return _NO


def _all_alike(answers: Iterable[Flow]) -> Flow:
    found = set(answers)
    return found.pop() if len(found) == 1 else _MAYBE


def _any_of(answers: Iterable[Flow]) -> Flow:
    best = _NO
    for answer in answers:
        if answer is _YES:
            return _YES
        if answer is _MAYBE:
            best = _MAYBE
    return best


def _least(*answers: Flow) -> Flow:
    if _NO in answers:
        return _NO
    return _MAYBE if _MAYBE in answers else _YES


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _holds(bounds: IntegerType | NumberType, value: Scalar) -> bool:
    if not isinstance(value, int | float):
        return False
    if isinstance(bounds, IntegerType) and isinstance(value, float) and not value.is_integer():
        return False
    low, high = bounds.minimum, bounds.maximum
    open_low, open_high = _openness(bounds)
    return (low is None or value > low or (value == low and not open_low)) and (
        high is None or value < high or (value == high and not open_high)
    )


def _openness(bounds: IntegerType | NumberType) -> tuple[bool, bool]:
    return (bounds.exclusive_minimum, bounds.exclusive_maximum) if isinstance(bounds, NumberType) else (False, False)


def numbers_apart(one: IntegerType | NumberType, other: IntegerType | NumberType) -> bool:
    """Whether the intervals have no number in common."""
    return _below(one, other) or _below(other, one)


def _below(one: IntegerType | NumberType, other: IntegerType | NumberType) -> bool:
    if one.maximum is None or other.minimum is None:
        return False
    touching_excluded = _openness(one)[1] or _openness(other)[0]
    return one.maximum < other.minimum or (one.maximum == other.minimum and touching_excluded)


def _numbers_flow(source: IntegerType | NumberType, target: IntegerType | NumberType) -> Flow:
    if numbers_apart(source, target):
        return _NO
    low_open, high_open = _openness(source)
    target_low_open, target_high_open = _openness(target)
    low, high = source.minimum, source.maximum
    low_inside = target.minimum is None or (
        low is not None and (low > target.minimum or (low == target.minimum and (low_open or not target_low_open)))
    )
    high_inside = target.maximum is None or (
        high is not None and (high < target.maximum or (high == target.maximum and (high_open or not target_high_open)))
    )
    whole = isinstance(source, IntegerType) or isinstance(target, NumberType)
    return _YES if low_inside and high_inside and whole else _MAYBE


def _text_belongs(target: StringType, text: str) -> Flow:
    if len(text) < target.min_length or (target.max_length is not None and len(text) > target.max_length):
        return _NO
    answers = [True]
    for answer in (
        has_format(text, target.format) if target.format is not None else True,
        matches(text, target.pattern) if target.pattern is not None else True,
    ):
        if answer is False:
            return _NO
        answers.append(answer is not None)
    return _YES if all(answers) else _MAYBE


def _texts_flow(source: StringType, target: StringType) -> Flow:
    lengths = _lengths_flow(
        (source.min_length, source.max_length),
        (target.min_length, target.max_length),
    )
    if lengths is _NO:
        return _NO
    if source.format and target.format and formats_exclude(source.format, target.format):
        return _NO
    implied = target.format in (None, source.format) and target.pattern in (None, source.pattern)
    return lengths if implied else _MAYBE


def _lengths_flow(source: tuple[int, int | None], target: tuple[int, int | None]) -> Flow:
    (low, high), (target_low, target_high) = source, target
    if (high is not None and high < target_low) or (target_high is not None and low > target_high):
        return _NO
    fits = low >= target_low and (target_high is None or (high is not None and high <= target_high))
    return _YES if fits else _MAYBE


def element_at(array: ArrayType, index: int) -> Type:
    """The type of the element at a non-negative position, whether or not the list is that long."""
    return array.prefix[index] if index < len(array.prefix) else array.items


def _arrays_flow(source: ArrayType, target: ArrayType) -> Flow:
    answers = [_lengths_flow((source.min_items, source.max_items), (target.min_items, target.max_items))]
    if answers[0] is _NO:
        return _NO
    split = max(len(source.prefix), len(target.prefix))
    # Positions past both prefixes are alike: one look at the first of them stands for all.
    for index in range(split + 1):
        if source.max_items is not None and index >= source.max_items:
            break
        answer = flows(element_at(source, index), element_at(target, index))
        if answer is _NO:
            # Only the empty list would pass, which is not what a plan means by passing this one.
            if source.min_items > index or index == split:
                return _NO
            answer = _MAYBE
        answers.append(answer)
    return _least(*answers)


def _objects_flow(source: ObjectType, target: ObjectType) -> Flow:
    answers = [_field_flow(source, name, kind, required) for name, kind, required in target.fields]
    declared = {name for name, _, _ in target.fields}
    for name, kind, present in source.fields:
        if name not in declared:
            answer = _NO if target.additional is None else flows(kind, target.additional)
            answers.append(_MAYBE if answer is _NO and not present else answer)
        if answers and answers[-1] is _NO:
            return _NO
    if source.additional is not None:
        extra = _NO if target.additional is None else flows(source.additional, target.additional)
        answers.append(_MAYBE if extra is _NO else extra)
    return _least(*answers)


def _field_flow(source: ObjectType, name: str, target: Type, required: bool) -> Flow:
    """How the source's field `name`, which may be absent, flows into a declared field of the target."""
    found = source.find(name)
    if found is None:
        if source.additional is None:
            return _NO if required else _YES
        found = (source.additional, False)
    kind, present = found
    answer = flows(kind, target)
    if present:
        return answer
    if answer is _NO:
        # Absent is missing and present is wrong, unless absence is allowed.
        return _NO if required else _MAYBE
    return _MAYBE if required else answer
