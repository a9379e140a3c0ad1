"""The pure functions of expressions: what they are called, take, give, and do.

The table is fixed: expressions can call these and nothing else. The reference in the documentation is made from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from agentkit.expressions import _collections as collections
from agentkit.expressions import _dates as dates
from agentkit.expressions import _texts as texts
from agentkit.messages import Json
from agentkit.types import (
    ANY,
    ARRAY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    ArrayType,
    Flow,
    Found,
    IntegerType,
    NumberType,
    ObjectType,
    StringType,
    Type,
    field_type,
    flows,
    item_type,
    join,
    list_of,
    members_of,
)
from agentkit.types import LiteralType as _LiteralType

Operand = TypeVar("Operand")
Given: TypeAlias = Mapping[str, Type]
"""The types of the arguments by parameter; several values of a variadic parameter are one tuple type."""
Rule: TypeAlias = Callable[[Given], Type]

COMPARABLE: Final = join([NUMBER, STRING, ARRAY])
"""What can be ordered, among its own kind."""
DATE: Final = StringType(format="date")
MOMENT: Final = join([DATE, StringType(format="date-time")])
"""What the functions on dates take."""
_LISTS: Final = join([ARRAY, OBJECT])
_TEXTS: Final = ArrayType(STRING)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function.

    Attributes:
        name: Its name, for keyword arguments.
        accepts: The type of its values; of each value, if `variadic`.
        required: Whether it must be given.
        variadic: Whether it takes all further positional arguments.
        keyword_only: Whether it must be given by name.
        takes_lambda: Whether it is a ``key=``, which takes ``lambda item: …`` and nothing else.
    """

    name: str
    accepts: Type
    required: bool
    variadic: bool = False
    keyword_only: bool = False
    takes_lambda: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A pure function of expressions.

    Attributes:
        name: Its name.
        signature: How it is called and what it gives, e.g. ``split(text, separator=None) -> list[string]``.
        doc: What it gives, in one line.
        parameters: What it takes.
        result: The typing rule: from the types of the arguments to the type of the result.
        run: The bounded implementation; takes the budget of the evaluation first.
    """

    name: str
    signature: str
    doc: str
    parameters: tuple[Parameter, ...]
    result: Rule
    run: Callable[..., Json]

    def bind(
        self, args: Sequence[Operand], keywords: Sequence[tuple[str, Operand]]
    ) -> dict[str, tuple[Operand, ...]] | str:
        """Arguments by parameter, or what is wrong with them; only a variadic parameter has not exactly one."""
        bound: dict[str, tuple[Operand, ...]] = {}
        rest = list(args)
        for parameter in self.parameters:
            if parameter.variadic:
                bound[parameter.name], rest = tuple(rest), []
            elif rest and not parameter.keyword_only:
                bound[parameter.name] = (rest.pop(0),)
        if rest:
            most = len(args) - len(rest)
            return f"takes at most {most} argument{'' if most == 1 else 's'}, not {len(args)}"
        names = [parameter.name for parameter in self.parameters if not parameter.variadic]
        for name, value in keywords:
            if name not in names:
                return f"has no argument {name!r}"
            if name in bound:
                return f"is given {name!r} twice"
            bound[name] = (value,)
        missing = [one.name for one in self.parameters if one.required and not bound.get(one.name)]
        return f"needs {missing[0]!r}" if missing else bound


def _define(run: Callable[..., Json], result: Type | Rule, returns: str = "", **accepts: Type) -> Function:
    name = run.__name__.rstrip("_")
    parameters, shown = [], []
    for parameter in list(inspect.signature(run).parameters.values())[1:]:
        variadic = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        required = parameter.default is inspect.Parameter.empty
        parameters.append(
            Parameter(
                parameter.name,
                accepts.get(parameter.name, ANY),
                required,
                variadic,
                parameter.kind is inspect.Parameter.KEYWORD_ONLY,
                parameter.name == "key" and not required,
            )
        )
        default = "..." if parameter.default is collections.MISSING else repr(parameter.default)
        shown.append(("*" if variadic else "") + parameter.name + ("" if required else f"={default}"))
    if isinstance(result, Type):
        fixed = result
        result, returns = (lambda given: fixed), str(fixed)
    doc = (run.__doc__ or "").splitlines()[0]
    return Function(name, f"{name}({', '.join(shown)}) -> {returns}", doc, tuple(parameters), result, run)


def items_of(t: Type) -> Type:
    """The type of what loops over `t` see: items of a list, keys of an object; `ANY` if it is neither."""
    if all(isinstance(member, ObjectType) for member in members_of(t)):
        return STRING
    found = item_type(t)
    if not isinstance(found, Found):
        return ANY
    return join([found.type, STRING]) if any(isinstance(member, ObjectType) for member in members_of(t)) else found.type


def _whole(t: Type) -> bool:
    return flows(t, INTEGER) is Flow.YES


def _same_items(least: int | None = None) -> Rule:
    """A list of the same items; `least` bounds what is known of its shortest length."""

    def rule(given: Given) -> Type:
        source = given["items"]
        if not isinstance(source, ArrayType):
            return ArrayType(items_of(source))
        low = source.min_items if least is None else min(source.min_items, least)
        return ArrayType(items_of(source), low, source.max_items)

    return rule


def _sum(given: Given) -> Type:
    return INTEGER if _whole(items_of(given["items"])) and _whole(given.get("start", INTEGER)) else NUMBER


def candidates(given: Given) -> Type:
    """The type of what min and max choose from."""
    values = given["values"]
    if isinstance(values, ArrayType) and len(values.prefix) == 1:
        return items_of(values.prefix[0])
    return items_of(values)


def _extreme(given: Given) -> Type:
    chosen = candidates(given)
    return join([chosen, given["default"]]) if "default" in given else chosen


def _round(given: Given) -> Type:
    digits = given.get("ndigits", NULL)
    return INTEGER if _whole(given["number"]) or digits == _LiteralType((None,)) or digits == NULL else NUMBER


def _abs(given: Given) -> Type:
    return IntegerType(0) if _whole(given["number"]) else NumberType(0)


def _pairs(given: Given) -> Type:
    source = given["items"]
    pair = list_of([INTEGER, items_of(source)])
    return ArrayType(pair, source.min_items, source.max_items) if isinstance(source, ArrayType) else ArrayType(pair)


def _zip(given: Given) -> Type:
    columns = given["lists"]
    known = columns.prefix if isinstance(columns, ArrayType) else ()
    return ArrayType(list_of([items_of(column) for column in known])) if known else ARRAY


def _flat(given: Given) -> Type:
    return ArrayType(items_of(items_of(given["lists"])))


def _get(given: Given) -> Type:
    default, key = given.get("default", NULL), given["key"]
    if not isinstance(key, _LiteralType) or len(key.values) != 1 or not isinstance(key.values[0], str):
        return join([_field_values(given["object"]), default])
    found = field_type(given["object"], key.values[0])
    if not isinstance(found, Found):
        return default
    return found.type if found.presence == "always" else join([found.type, default])


def _field_values(t: Type) -> Type:
    found: list[Type] = []
    for member in members_of(t):
        if not isinstance(member, ObjectType):
            return ANY
        found += [kind for _, kind, _ in member.fields]
        if member.additional is not None:
            found.append(member.additional)
    return join(found)


def _moved(given: Given) -> Type:
    """Moving a date gives a date; moving a date-time, a date-time; of other texts it cannot be told."""
    source = given["date"]
    if flows(source, DATE) is Flow.YES:
        return DATE
    return source if isinstance(source, StringType) and source.format == "date-time" else STRING


_NULLABLE_INTEGER: Final = join([INTEGER, NULL])
_NULLABLE_TEXT: Final = join([STRING, NULL])

_DEFINED: Final = (
    _define(collections.len_, IntegerType(0), value=join([STRING, ARRAY, OBJECT])),
    _define(collections.sum_, _sum, "number", items=ArrayType(NUMBER), start=NUMBER),
    _define(collections.min_, _extreme, "item"),
    _define(collections.max_, _extreme, "item"),
    _define(collections.sorted_, _same_items(), "list", items=_LISTS, reverse=BOOLEAN),
    _define(collections.any_, BOOLEAN, items=ArrayType(BOOLEAN)),
    _define(collections.all_, BOOLEAN, items=ArrayType(BOOLEAN)),
    _define(collections.round_, _round, "number", number=NUMBER, ndigits=_NULLABLE_INTEGER),
    _define(collections.abs_, _abs, "number", number=NUMBER),
    _define(collections.str_, STRING),
    _define(collections.int_, INTEGER, value=join([STRING, NUMBER, BOOLEAN])),
    _define(collections.float_, NUMBER, value=join([STRING, NUMBER, BOOLEAN])),
    _define(collections.bool_, BOOLEAN),
    _define(collections.range_, ArrayType(INTEGER), start=INTEGER, stop=_NULLABLE_INTEGER, step=INTEGER),
    _define(collections.list_, _same_items(), "list", items=_LISTS),
    _define(collections.enumerate_, _pairs, "list[[integer, item]]", items=_LISTS, start=INTEGER),
    _define(collections.zip_, _zip, "list[list]", lists=_LISTS),
    _define(collections.reversed_, _same_items(), "list", items=_LISTS),
    _define(collections.flatten, _flat, "list", lists=_LISTS),
    _define(collections.unique, _same_items(1), "list", items=_LISTS),
    _define(collections.get, _get, "value", object=OBJECT, key=STRING),
    _define(collections.keys, _TEXTS, object=OBJECT),
    _define(collections.values, lambda given: ArrayType(_field_values(given["object"])), "list", object=OBJECT),
    _define(
        collections.items,
        lambda given: ArrayType(list_of([STRING, _field_values(given["object"])])),
        "list[[string, value]]",
        object=OBJECT,
    ),
    _define(collections.contains, BOOLEAN, container=join([STRING, ARRAY, OBJECT])),
    _define(texts.lower, STRING, text=STRING),
    _define(texts.upper, STRING, text=STRING),
    _define(texts.title, STRING, text=STRING),
    _define(texts.strip, STRING, text=STRING, characters=_NULLABLE_TEXT),
    _define(texts.split, _TEXTS, text=STRING, separator=_NULLABLE_TEXT),
    _define(texts.join, STRING, separator=STRING, items=_LISTS),
    _define(texts.replace, STRING, text=STRING, old=STRING, new=STRING),
    _define(texts.startswith, BOOLEAN, text=STRING, prefix=STRING),
    _define(texts.endswith, BOOLEAN, text=STRING, suffix=STRING),
    _define(texts.format_, STRING, spec=STRING),
    _define(dates.date, DATE, value=join([MOMENT, INTEGER]), month=_NULLABLE_INTEGER, day=_NULLABLE_INTEGER),
    _define(dates.add_days, _moved, "string (date)", date=MOMENT, days=INTEGER),
    _define(dates.add_months, _moved, "string (date)", date=MOMENT, months=INTEGER),
    _define(dates.days_between, INTEGER, start=MOMENT, end=MOMENT),
    _define(dates.weekday, IntegerType(0, 6), date=MOMENT),
    _define(dates.year, IntegerType(1, 9999), date=MOMENT),
    _define(dates.month, IntegerType(1, 12), date=MOMENT),
    _define(dates.day, IntegerType(1, 31), date=MOMENT),
    _define(dates.start_of_week, DATE, date=MOMENT),
    _define(dates.start_of_month, DATE, date=MOMENT),
    _define(dates.format_date, STRING, date=MOMENT, pattern=STRING),
)

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType({function.name: function for function in _DEFINED})
"""The functions by name."""

RESERVED: Final = frozenset((*FUNCTIONS, "concat"))
"""The names of functions, also of ``concat``, which parsing turns into a `Template`."""
