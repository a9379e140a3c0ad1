"""How far an ingest is, for people: a bar at a terminal, a line a document elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""``progress(done, total, source)``: documents that are done, of how many, and the one that is next."""


@contextmanager
def progress_told(progress: bool | Progress) -> Iterator[Progress]:
    """What is to be told how far it is: a function, or for True whoever reads stderr."""
    if callable(progress):
        yield progress
    elif progress:
        with _on_stderr() as shown:
            yield shown
    else:
        yield _nobody


@contextmanager
def _on_stderr() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line
        return
    columns = (SpinnerColumn(finished_text=" "), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    rest = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True))
    with Bars(*columns, rest, console=console, expand=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total, source: bars.update(task, completed=done, total=total, description=source)


def _line(done: int, total: int, source: str) -> None:
    if source:
        sys.stderr.write(f"{done + 1} of {total}: {source}\n")
        sys.stderr.flush()


def _nobody(done: int, total: int, source: str) -> None:
    """Nobody wants to know."""
