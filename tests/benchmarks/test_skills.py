"""The benchmark of skills says what docs/skills.md says."""

from __future__ import annotations

import pytest

from benchmarks.skills import FIRST, LIBRARY, NONE, PLANNERS, measure
from tests.architecture import ROOT


@pytest.mark.parametrize("name", PLANNERS)
async def test_the_second_task_takes_what_the_page_says(name: str) -> None:
    rows = {way: await measure(name, way, None) for way in (NONE, LIBRARY, FIRST)}
    assert all(row.done for both in rows.values() for row in both)
    page = (ROOT / "docs" / "skills.md").read_text("utf-8")
    for way, (first, second) in rows.items():
        assert second.used_a_skill == (way != NONE)
        assert f"{first.model_calls} → {second.model_calls} | {first.tokens:,} → {second.tokens:,} |" in page
    assert rows[FIRST][1].tokens < rows[NONE][1].tokens
