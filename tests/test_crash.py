"""A run killed at any instant goes on where it was: what was durable is not done again, what is unclear is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def rounds(count: int, folder: Path, seed: int) -> list[dict[str, Any]]:
    """What `tests.crash` prints for a number of rounds."""
    command = [sys.executable, "-m", "tests.crash", str(count), str(seed), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(results: list[dict[str, Any]]) -> None:
    """Hold every round against the guarantee."""
    for result in results:
        assert result["repeated"] == [], "a step whose result was durable ran again"
        assert all(times == 1 for times in result["puts"].values()), "a write that takes no key happened twice"
        assert all(times == 1 for times in result["sends"].values()), "a key was used for two effects"
        done = set(result["done"])
        assert {step for step in done if step in "abc"} <= set(result["puts"]), "a done write did not happen"
        if result["status"] == "done":
            assert set(result["puts"]) == {"a", "b", "c"}
            assert len(result["sends"]) == 4
        else:
            assert result["in_doubt"], result["error"]
            assert "in doubt" in result["error"]


@pytest.mark.timeout(120)
def test_a_run_killed_at_random_instants_keeps_the_guarantee(tmp_path: Path) -> None:
    results = rounds(12, tmp_path / "rounds", seed=1)
    judge(results)
    assert sum(result["deaths"] for result in results) >= 12


@pytest.mark.slow
def test_hundreds_of_random_instants(tmp_path: Path) -> None:
    results = rounds(150, tmp_path / "rounds", seed=2)
    judge(results)
    assert sum(result["deaths"] for result in results) >= 300
    assert any(result["in_doubt"] for result in results), "no write was ever caught between its start and its end"
    assert any(result["status"] == "done" for result in results)
