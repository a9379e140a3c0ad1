"""``agentkit doctor``: what it says about prices."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from agentkit.cli import doctor


def _report() -> str:
    console = Console(file=io.StringIO(), width=500)
    doctor.report(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_prices_in_use_are_counted_and_dated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[price]]\nmodels = ["openai:ours"]\ninput = 1\noutput = 2\n')
    monkeypatch.setenv("AGENTKIT_PRICES", str(own))
    told = _report()
    assert f"✓ prices of 1 models ({own})\n" in told
    assert "models (agentkit's own, read 2026-" in told


def test_a_broken_file_of_prices_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTKIT_PRICES", str(tmp_path / "none.toml"))
    assert f"✗ cannot read the prices of '{tmp_path / 'none.toml'}'" in _report()
