"""Unit conversion on pint's unit definitions; works offline, and knows no currencies.

pint evaluates unit texts as arithmetic (``9**9**9`` keeps it busy for ever), so texts are read here by a grammar of our
own and pint is only asked for single unit names.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from typing import Any

from agentkit.errors import ModelRetry
from agentkit.toolbox import Tool, tool
from agentkit.tools._optional import load

POUND_IN_KILOGRAMS = 0.45359237
"""Exact by definition (international avoirdupois pound, 1959)."""

MAX_CHARACTERS = 60
MAX_FACTORS = 8
MAX_EXPONENT = 9

_FACTOR = re.compile(r"\s*(?P<name>[^\W\d_][\w°%]*|[°%]\w*)\s*(?:(?:\^|\*\*)?\s*(?P<exponent>[-+]?\d+))?")
_OPERATOR = re.compile(r"\s*(?P<divide>/|\bper\b)|\s*(?P<times>[*·×]|(?=[^\W\d_°%]))")
_GLUED = re.compile(r"(?P<name>\D+)(?P<exponent>[2-9])")
_SUPERSCRIPTS = str.maketrans({"²": "^2", "³": "^3", "⁻": "-", "¹": "1"})
_POWER_WORDS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_ALIASES = {
    "celcius": "degC", "fl_oz": "fluid_ounce", "floz": "fluid_ounce", "sqm": "meter^2", "sqft": "foot^2",
    "kph": "km/h", "kmh": "km/h", "mps": "m/s", "cc": "cm^3", "lightyear": "light_year", "lightyears": "light_year",
}  # fmt: skip
_TEMPERATURE_NAME = re.compile(r"(?i)°|deg|kelvin|celsius|fahrenheit|rankine")
_TEMPERATURES = {"C": "degC", "F": "degF", "K": "kelvin", "R": "degR"}

_LOWEST = {"kelvin": 0.0, "degree_Rankine": 0.0, "degree_Celsius": -273.15, "degree_Fahrenheit": -459.67}
_OFFSETS = ("degree_Celsius", "degree_Fahrenheit")

Factors = tuple[tuple[str, int], ...]
"""Unit names with their exponents, e.g. ``(("km", 1), ("h", -1))``."""


@tool(effect="pure", tags=("units",))
def convert_unit(value: float, from_unit: str, to_unit: str) -> float:
    """Convert a quantity from one unit of measurement to another, to twelve significant digits.

    Args:
        value: Amount in the unit that is converted from.
        from_unit: Unit such as 'mile', 'kg', 'degC', 'km/h' or 'm^2'.
        to_unit: Unit of the same kind of quantity.

    Raises:
        ModelRetry: If a unit is unknown, or the two measure different things; the message suggests others.
    """
    from_text, to_text = _disambiguate(from_unit, to_unit)
    source, target = _unit(from_text), _unit(to_text)
    _check_compatible(from_unit, source, to_unit, target)
    registry = _registry()
    _check_temperature(value, source, from_unit)
    try:
        result = float(registry.Quantity(value, source).to(target).magnitude)
    except (_pint_error(), ArithmeticError) as error:
        raise ModelRetry(f"cannot convert {value:g} {from_unit!r} to {to_unit!r}: {error}") from None
    if not math.isfinite(result):
        raise ModelRetry(f"{value:g} {from_unit!r} is too much to be expressed in {to_unit!r}")
    return float(f"{result:.12g}")


@tool(effect="pure", tags=("units",))
def lbs_to_kg(lbs: float) -> float:
    """Convert pounds to kilograms.

    Args:
        lbs: Mass in pounds.
    """
    return float(f"{lbs * POUND_IN_KILOGRAMS:.12g}")


@tool(effect="pure", tags=("units",))
def kg_to_lbs(kg: float) -> float:
    """Convert kilograms to pounds.

    Args:
        kg: Mass in kilograms.
    """
    return float(f"{kg / POUND_IN_KILOGRAMS:.12g}")


@functools.cache
def _registry() -> Any:
    pint = load("pint", "unit conversions")
    return pint.UnitRegistry()


def _pint_error() -> type[Exception]:
    """The base class of what pint raises."""
    error: type[Exception] = load("pint", "unit conversions").errors.PintError
    return error


def _disambiguate(from_unit: str, to_unit: str) -> tuple[str, str]:
    """C and F are coulomb and farad, but degrees when the other unit is a temperature."""
    pair = from_unit.strip(), to_unit.strip()
    if all(text in _TEMPERATURES or _TEMPERATURE_NAME.match(text) for text in pair):
        return _TEMPERATURES.get(pair[0], pair[0]), _TEMPERATURES.get(pair[1], pair[1])
    return pair


def _unit(text: str) -> Any:
    registry = _registry()
    factors = _parse(text)
    powers: dict[str, int] = {}
    for name, exponent in factors:
        canonical = _canonical(name, text)
        powers[canonical] = powers.get(canonical, 0) + exponent
    if any(name in powers and powers != {name: 1} for name in _OFFSETS):
        raise ModelRetry(f"{text!r} mixes a temperature scale into another unit; use kelvin or 'delta_degF' there")
    return registry.Unit(registry.UnitsContainer(powers))


def _parse(text: str) -> Factors:
    """Read ``km/h``, ``kg m^2``, ``square feet``, ``miles per hour``."""
    if not text or len(text) > MAX_CHARACTERS:
        raise ModelRetry(f"a unit is 1 to {MAX_CHARACTERS} characters long, such as 'kg' or 'km/h', not {len(text)}")
    joined = re.sub(r"\s+", "_", text)
    if _known(joined):
        return ((joined, 1),)
    rest = _ALIASES.get(joined.lower(), text).translate(_SUPERSCRIPTS)
    factors: list[tuple[str, int]] = []
    at, sign, power = 0, 1, 1
    divided = False
    while True:
        match = _FACTOR.match(rest, at)
        if match is None:
            raise ModelRetry(f"{text!r} is not a unit; write one such as 'kg', 'km/h' or 'm^2'")
        at = match.end()
        if (word := match["name"].lower()) in _POWER_WORDS and match["exponent"] is None and at < len(rest):
            power = _POWER_WORDS[word]
            continue
        exponent = int(match["exponent"] or 1) * power
        if abs(exponent) > MAX_EXPONENT or len(factors) == MAX_FACTORS:
            raise ModelRetry(
                f"{text!r} is too complex: take {MAX_FACTORS} units at most, exponents up to {MAX_EXPONENT}"
            )
        name, digits = _glued(match["name"]) if match["exponent"] is None else (match["name"], 1)
        exponent *= digits
        if abs(exponent) > MAX_EXPONENT:
            raise ModelRetry(f"{text!r} is too complex: take exponents up to {MAX_EXPONENT}")
        factors.append((name, sign * exponent))
        if not rest[at:].strip():
            return tuple(factors)
        operator = _OPERATOR.match(rest, at)
        if operator is None:
            raise ModelRetry(f"{text!r} is not a unit; write one such as 'kg', 'km/h' or 'm^2'")
        if operator["divide"] is None and divided:
            raise ModelRetry(f"{text!r} is ambiguous: after a division, write each divisor with its own '/'")
        at, power = operator.end(), 1
        divided = operator["divide"] is not None
        sign = -1 if divided else 1


def _glued(name: str) -> tuple[str, int]:
    """A name with its exponent right behind it, as in ``m2``, unless there is a unit of that name."""
    match = _GLUED.fullmatch(name)
    return (match["name"], int(match["exponent"])) if match and not _known(name) else (name, 1)


def _known(name: str) -> bool:
    try:
        return bool(_registry().get_name(name))
    except _pint_error():
        return False


def _canonical(name: str, text: str) -> str:
    registry = _registry()
    # Only case tells m from M, so a short name that starts with one is not read in another case.
    lower = name if len(name) <= 3 and name[0] in "mM" else name.lower()
    for spelling in (name, _ALIASES.get(name.lower(), name), lower):
        if _known(spelling):
            return str(registry.get_name(spelling))
    near = difflib.get_close_matches(name.lower(), sorted(n for n in registry if n.islower() and len(n) > 2), 3, 0.75)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "write its English name, such as 'kilogram'"
    where = "" if name == text else f" in {text!r}"
    raise ModelRetry(f"unknown unit {name!r}{where}; {hint} (currencies are not units)")


def _check_temperature(value: float, unit: Any, text: str) -> None:
    """Refuse a temperature below absolute zero: there is none, so it is a mistake."""
    name = str(unit)
    lowest = _LOWEST.get(name)
    if lowest is not None and value < lowest:
        raise ModelRetry(
            f"{value:g} {text!r} is below absolute zero, which is {lowest:g} {text!r}; "
            "for a difference of temperatures write 'delta_degC' or 'delta_degF'"
        )


def _check_compatible(from_text: str, source: Any, to_text: str, target: Any) -> None:
    registry = _registry()
    # By root units, not dimensions: pint counts bytes, percent and radians as one dimension, and Hz as a turning speed.
    root = registry.get_root_units(source)[1]
    if root == registry.get_root_units(target)[1]:
        return
    common = [name for name in _COMMON if registry.get_root_units(registry.Unit(name))[1] == root]
    hint = f"; {from_text!r} converts to {', '.join(common)}" if common else ""
    raise ModelRetry(
        f"{from_text!r} measures {_measure(source)} and {to_text!r} measures {_measure(target)}, "
        f"which cannot be converted into each other{hint}"
    )


_PLAIN = {"bit": "information", "radian": "an angle", "dimensionless": "a plain ratio"}
_COMMON = (
    "meter", "foot", "mile", "kilogram", "gram", "pound", "ounce", "second", "minute", "hour", "day", "liter", "gallon",
    "cup", "fluid_ounce", "acre", "hectare", "kelvin", "degree_Celsius", "degree_Fahrenheit", "joule", "calorie",
    "watt",
    "horsepower", "pascal", "bar", "atmosphere", "bit", "byte", "knot", "mile_per_hour", "newton", "degree", "radian",
)  # fmt: skip


def _measure(unit: Any) -> str:
    root = str(_registry().get_root_units(unit)[1])
    if root in _PLAIN or "radian" in root:
        return _PLAIN.get(root, root)
    dimensions = str(_registry().get_dimensionality(unit)).replace("[", "").replace("]", "")
    return dimensions.replace(" ** ", "^")


TOOLS: tuple[Tool, ...] = (convert_unit, lbs_to_kg, kg_to_lbs)
"""The tools of this family."""
