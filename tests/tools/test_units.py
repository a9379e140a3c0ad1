"""Unit conversion: right factors, helpful refusals, no evaluation of hostile unit texts."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import MissingDependencyError, ModelRetry
from agentkit.toolbox import Toolbox
from agentkit.tools import units
from agentkit.tools.units import convert_unit, kg_to_lbs, lbs_to_kg


def test_pounds_and_kilograms_are_exact() -> None:
    """The question that the whole is shown with: how many kilograms are 40 pounds?"""
    assert lbs_to_kg(40) == 18.1436948
    assert kg_to_lbs(18.1436948) == 40


@given(st.floats(0, 1e9))
def test_there_and_back_is_the_same_weight(kilograms: float) -> None:
    assert lbs_to_kg(kg_to_lbs(kilograms)) == pytest.approx(kilograms)


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (40, "lbs", "kg", 18.1436948),
        (5, "feet", "inches", 60),
        (60, "miles per hour", "km/h", 96.56064),
        (60, "mph", "kph", 96.56064),
        (100, "C", "F", 212),
        (20, "Celsius", "Fahrenheit", 68),
        (0, "°C", "K", 273.15),
        (1, "C", "mC", 1000),
        (1, "square feet", "m²", 0.09290304),
        (1, "m*m*m", "liter", 1000),
        (1, "kg m^2 / s^2", "joule", 1),
        (1, "m s^-1", "km/h", 3.6),
        (2, "fl oz", "ml", 59.147059125),
        (1, "nautical mile", "km", 1.852),
        (1, "GiB", "MB", 1073.741824),
        (25, "%", "percent", 25),
        (1, "Kilograms", "g", 1000),
        (1, "KM", "m", 1000),
        (-3, "km", "m", -3000),
        (2, "m2", "cm2", 20_000),
        (1, "kg/m3", "g/cm3", 0.001),
        (-40, "degC", "degF", -40),
        (-5, "delta_degC", "kelvin", -5),
    ],
)
def test_converts(value: float, source: str, target: str, result: float) -> None:
    assert convert_unit(value, source, target) == pytest.approx(result, rel=1e-11)


@pytest.mark.parametrize(
    ("value", "unit", "lowest"), [(-300, "degC", "-273.15"), (-500, "F", "-459.67"), (-1, "K", "0")]
)
def test_a_temperature_below_absolute_zero_is_refused(value: float, unit: str, lowest: str) -> None:
    with pytest.raises(ModelRetry) as caught:
        convert_unit(value, unit, "kelvin")
    assert str(caught.value) == (
        f"{value} {unit!r} is below absolute zero, which is {lowest} {unit!r}; "
        "for a difference of temperatures write 'delta_degC' or 'delta_degF'"
    )


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("furlog", "m", "unknown unit 'furlog'; did you mean 'furlong'? (currencies are not units)"),
        ("km/furlog", "m", "unknown unit 'furlog' in 'km/furlog'; did you mean 'furlong'? (currencies are not units)"),
        ("USD", "EUR", "unknown unit 'USD'; write its English name, such as 'kilogram' (currencies are not units)"),
        (
            "kg",
            "m",
            (
                "'kg' measures mass and 'm' measures length, which cannot be converted into each other; 'kg' converts "
                "to kilogram, gram, pound, ounce"
            ),
        ),
        (
            "MB",
            "%",
            (
                "'MB' measures information and '%' measures a plain ratio, which cannot be converted into each other; "
                "'MB' converts to bit, byte"
            ),
        ),
        (
            "Hz",
            "rpm",
            ("'Hz' measures 1 / time and 'rpm' measures radian / second, which cannot be converted into each other"),
        ),
        ("J/kg K", "J/kg/K", "'J/kg K' is ambiguous: after a division, write each divisor with its own '/'"),
        ("degC/m", "K/m", "'degC/m' mixes a temperature scale into another unit; use kelvin or 'delta_degF' there"),
        ("", "m", "a unit is 1 to 60 characters long, such as 'kg' or 'km/h', not 0"),
        ("m^99", "m", "'m^99' is too complex: take 8 units at most, exponents up to 9"),
        ("9**9**9", "m", "'9**9**9' is not a unit; write one such as 'kg', 'km/h' or 'm^2'"),
        ("kg.__class__", "g", "'kg.__class__' is not a unit; write one such as 'kg', 'km/h' or 'm^2'"),
    ],
)
def test_refusals_say_what_to_write(source: str, target: str, message: str) -> None:
    with pytest.raises(ModelRetry) as refusal:
        convert_unit(1, source, target)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "hostile",
    [
        "9**9**9",
        "m**9**9**9",
        "m^-9999999999",
        "__import__('os')",
        "(" * 60,
        "m" * 10_000,
        "m*" * 29,
        "10**10**10 m",
        "\0",
    ],
)
def test_hostile_units_are_refused_at_once(hostile: str) -> None:
    """pint's own parser computes 9**9**9 for ever."""
    convert_unit(1, "m", "km")
    started = time.process_time()
    with pytest.raises(ModelRetry):
        convert_unit(1, hostile, "m")
    assert time.process_time() - started < 1


def test_too_large_results_are_refused() -> None:
    with pytest.raises(ModelRetry, match="is too much to be expressed in 'angstrom'"):
        convert_unit(1e308, "km", "angstrom")


@given(st.text(max_size=20))
def test_any_unit_text_gives_a_number_or_a_refusal(text: str) -> None:
    try:
        assert isinstance(convert_unit(1, text, "m"), float)
    except ModelRetry:
        return


def test_without_pint_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    units._registry.cache_clear()
    monkeypatch.setitem(sys.modules, "pint", None)
    with pytest.raises(MissingDependencyError) as refusal:
        convert_unit(1, "kg", "g")
    assert str(refusal.value) == "unit conversions need the package 'pint'; install it with: pip install pint"


async def test_the_family_is_a_toolbox_of_pure_tools() -> None:
    toolbox = Toolbox(units.TOOLS)
    toolbox.validate()
    assert list(toolbox) == ["convert_unit", "lbs_to_kg", "kg_to_lbs"]
    assert {one.effect for one in toolbox.values()} == {"pure"}
    assert await lbs_to_kg.invoke(lbs_to_kg.bind({"lbs": 40})) == 18.1436948
