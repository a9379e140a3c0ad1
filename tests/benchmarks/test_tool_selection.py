"""The benchmark of tool selection measures what it says, on inventories of the size that it says."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from agentkit.toolbox import Toolbox
from benchmarks.inventories import QUESTIONS, Asked, Inventory, berkeley, generated
from benchmarks.tool_selection import measure, recall_at
from tests.tools.test_selection import ALL


class Blind:
    """An embedder to which everything means the same."""

    name = "blind"
    dimension = 1

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0] for _ in texts]


def test_the_generated_inventory_is_large_enough_and_the_same_every_time() -> None:
    inventory = generated(20)
    assert len(inventory.tools) == 1_728 >= 1_645
    assert generated(20).requests == inventory.requests
    assert [len(requests) for requests in inventory.requests.values()] == [20, 20]
    assert all(asked.tools <= inventory.tools.keys() for asked in inventory.requests["other words"])


def test_the_two_sets_of_requests_ask_for_the_same_tools() -> None:
    requests = generated(50).requests
    pairs = list(zip(requests["other words"], requests["same noun"], strict=True))
    assert all(one.tools == other.tools for one, other in pairs)
    assert sum(one.text == other.text for one, other in pairs) == 0


def test_recall_is_the_share_of_the_needed_tools() -> None:
    asked = Asked("?", frozenset({"a", "b"}))
    assert [recall_at(k, asked, ["x", "a", "b"]) for k in (1, 2, 3)] == [0.0, 0.5, 1.0]


async def test_each_way_of_searching_has_a_row() -> None:
    asked = Asked("what shade is the wall", frozenset({"paint"}))
    rows = await measure(Inventory("small", Toolbox(ALL), {"some": (asked,)}), Blind())
    assert [row.way for row in rows] == ["lexical", "dense", "hybrid"]
    assert rows[0].recall == {5: 1.0, 10: 1.0, 20: 1.0}
    assert [row.way for row in await measure(Inventory("small", ALL, {"some": (asked,)}), None)] == ["lexical"]


def test_the_leaderboard_s_functions_are_read_without_running_anything(tmp_path: Path) -> None:
    row = {
        "id": "x",
        "question": [[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Snow?"}]],
        "function": [
            {
                "name": "sky.snow",
                "description": "Snow.",
                "parameters": {
                    "type": "dict",
                    "properties": {"from": {"type": "tuple"}, "unit": {"type": "string", "enum": ["cm", "cm"]}},
                },
            },
            {"name": "sky_snow", "parameters": {}},
        ],
    }
    kinds = (*QUESTIONS, "irrelevance", "live_irrelevance", "live_relevance", "simple_java", "simple_javascript")
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        for kind in kinds:
            wheel.writestr(f"bfcl_eval/data/BFCL_v4_{kind}.json", json.dumps(row))
            answer = {"id": "x", "ground_truth": [{"sky.snow": {}}]}
            wheel.writestr(f"bfcl_eval/data/possible_answer/BFCL_v4_{kind}.json", json.dumps(answer))
    inventory = berkeley(tmp_path / "x.whl", 1)
    assert list(inventory.tools) == ["sky_snow"]
    assert [one.name for one in inventory.tools["sky_snow"].parameters] == ["from_tool", "unit"]
    assert inventory.requests == {"questions": (Asked("Snow?", frozenset({"sky_snow"})),)}
