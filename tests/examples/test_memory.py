"""The named cases of memory: the joke that is rated twice, and The Three-Body Problem."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from examples.memory import books, joke
from tests.architecture import ROOT


async def test_a_joke_that_is_rated_twice_gets_the_remembered_rating() -> None:
    assert await joke.rate(("anna", "anna", "anna"), remembers=False) == [4, 2, 5]
    assert await joke.rate(("anna", "anna", "anna")) == [4, 4, 4]


async def test_another_user_s_rating_is_not_remembered() -> None:
    assert await joke.rate(("anna", "ben", "anna", "ben")) == [4, 2, 4, 2]


def test_who_loved_the_three_body_problem_is_shown_similar_books_by_the_next_process(tmp_path: Path) -> None:
    def ask(message: str) -> str:
        command = [sys.executable, "-m", "examples.memory.books", message, "--memory", str(tmp_path / "books.db")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert ask("I loved the book The Three-Body Problem.") == "I will remember that.\n"
    assert ask("Which book should I read next?") == "['The Dark Forest', 'Children of Time', 'Blindsight']\n"


async def test_what_is_forgotten_is_not_recommended_by(tmp_path: Path) -> None:
    path = str(tmp_path / "books.db")
    for message in ("I loved the book The Three-Body Problem.", "Forget that I loved the book The Three-Body Problem."):
        await books.ask(message, path=path, user="anna")
    result = await books.ask("Which book should I read next?", path=path, user="anna")
    assert result.output == ["Pride and Prejudice", "The Hobbit"]


async def test_another_reader_is_shown_what_everybody_likes(tmp_path: Path) -> None:
    path = str(tmp_path / "books.db")
    await books.ask("I loved the book The Three-Body Problem.", path=path, user="anna")
    result = await books.ask("Which book should I read next?", path=path, user="ben")
    assert result.output == ["Pride and Prejudice", "The Hobbit"]
