"""Tools are found by the words and the meaning of what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.cache import CacheStore
from agentkit.errors import DefinitionError
from agentkit.toolbox import Tool, Toolbox
from agentkit.tools.selection import ToolIndex, ToolRetrieval, described, split


def made(name: str, description: str, **parameters: dict[str, Any]) -> Tool:
    schema = {"type": "object", "properties": parameters, "required": list(parameters)}
    return Tool.from_schema(
        name=name, description=description, effect="read", input_schema=schema, call=lambda args: name, origin="a test"
    )


CITY = {"type": "string", "description": "The city."}
FORECAST = made("getWeatherForecast", "The weather of the coming days.", city=CITY)
FLIGHT = made("flight_search", "Search connections by plane.", origin=CITY, destination=CITY)
MAIL = made("send_mail", "Write to somebody.", recipient={"type": "string", "description": "An address."})
PAINT = made("paint", "Colour a wall.", shade={"type": "string", "enum": ["crimson", "teal"]})
ALL = Toolbox(FORECAST, FLIGHT, MAIL, PAINT)


class Topics:
    """An embedder that knows two topics: money, and everything else."""

    name = "topics"
    dimension = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += texts
        return [[1.0, 0.1] if "pay" in text or "invoice" in text else [0.1, 1.0] for text in texts]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getWeatherForecast", "get Weather Forecast"),
        ("get_weather_forecast", "get weather forecast"),
        ("HTTPServer2Status", "HTTP Server 2 Status"),
        ("list-files.recursive", "list files recursive"),
        ("Größe_ändern", "Größe ändern"),
    ],
)
def test_names_are_split_into_words(name: str, words: str) -> None:
    assert split(name) == words


def test_a_tool_is_described_by_its_name_its_description_and_its_parameters() -> None:
    assert described(PAINT) == "paint. Colour a wall. shade crimson teal."
    assert described(FORECAST) == "get Weather Forecast. The weather of the coming days. city The city.."


async def test_words_of_a_camel_case_name_find_a_tool() -> None:
    assert [one.tool for one in await ToolIndex(ALL).rank("forecast for Oslo", 1)] == ["getWeatherForecast"]


@pytest.mark.parametrize(
    ("task", "tool"),
    [
        ("planes to Hanoi", "flight_search"),
        ("what addresses are there", "send_mail"),
        ("which destination", "flight_search"),
        ("something in teal", "paint"),
    ],
)
async def test_descriptions_parameters_and_their_values_find_a_tool(task: str, tool: str) -> None:
    assert (await ToolIndex(ALL).rank(task, 1))[0].tool == tool


async def test_a_selection_is_a_toolbox_with_what_is_always_there() -> None:
    selected = await ToolIndex(ALL).select("planes to Hanoi", 1, always=["send_*"])
    assert list(selected) == ["flight_search", "send_mail"]


async def test_a_name_that_is_always_to_be_there_and_is_not_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"^there is no tool 'send_mial' to select; did you mean 'send_mail'\?$"):
        await ToolIndex(ALL).select("?", always=["send_mial"])


async def test_meaning_finds_what_words_do_not_and_both_say_why() -> None:
    bill = made("settle_bill", "To pay what is owed.", amount={"type": "number"})
    index = ToolIndex([*ALL.values(), bill], Topics())
    [best, *_] = await index.rank("the invoice of the painter", 2)
    assert (best.tool, best.why) == ("settle_bill", "meaning 1")
    [both, *_] = await index.rank("invoice: pay the bill", 2)
    assert (both.tool, both.why) == ("settle_bill", "words 1, meaning 1")
    assert both.score == round(3 / 11, 5)


async def test_only_the_tools_named_are_looked_at() -> None:
    index = ToolIndex(ALL, Topics())
    found = await index.rank("weather in the city", 5, among=["flight_search", "paint"])
    assert {one.tool for one in found} == {"flight_search", "paint"}


async def test_a_tool_that_says_something_else_of_itself_replaces_the_earlier_one() -> None:
    topics = Topics()
    index = ToolIndex(ALL, topics)
    await index.build()
    index.add([made("paint", "Brew tea.")])
    await index.build()
    assert len(index) == len(ALL)
    assert topics.asked[-1] == "paint. Brew tea."
    assert len(topics.asked) == len(ALL) + 1
    assert (await index.rank("brew", 1))[0].tool == "paint"


async def test_vectors_are_kept_between_processes_in_a_cache() -> None:
    cache, topics = CacheStore(), Topics()
    await ToolIndex(ALL, topics, cache=cache).build()
    await ToolIndex(ALL, topics, cache=cache).build()
    assert len(topics.asked) == len(ALL)


async def test_words_that_say_nothing_find_nothing_unless_there_are_no_others() -> None:
    assert [one.tool for one in await ToolIndex(ALL).rank("to the somebody", 4)] == ["send_mail"]
    assert await ToolIndex(ALL).rank("what to do", 4)


@given(st.text(max_size=60))
async def test_any_text_is_a_task(task: str) -> None:
    assert len(await ToolIndex(ALL).rank(task, 2)) <= 2


@pytest.mark.parametrize("wrong", [{"k": 0}, {"neighbours": -1}])
def test_a_selection_of_no_tools_is_a_mistake(wrong: dict[str, Any]) -> None:
    [(name, value)] = wrong.items()
    with pytest.raises(DefinitionError, match=rf"^{name} is {value}; expected a number of tools, 1 or more\.$"):
        ToolRetrieval(**wrong)
