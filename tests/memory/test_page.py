"""The quickstart of docs/memory.md does what the page shows, with the real embedding model."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from agentkit.models.catalogue import MINILM, is_pulled
from tests.architecture import ROOT
from tests.documents import blocks_of


@pytest.mark.skipif(
    not all(map(is_pulled, MINILM.files)),
    reason="the weights are not here; fetch them with: agentkit models pull minilm",
)
def test_the_quickstart_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(ROOT / "docs" / "memory.md")
    places = [index for index, block in enumerate(blocks) if block.info == ("python", "minilm")]
    assert places
    for index in places:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(blocks[index].text, "memory.md", "exec"), {})
        assert printed.getvalue() == blocks[index + 1].text
