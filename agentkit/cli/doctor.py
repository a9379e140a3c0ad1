"""``agentkit doctor``: what is installed, what could be missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.markup import escape

from agentkit.errors import DefinitionError
from agentkit.models.catalogue import CATALOGUE, EMBEDDINGS, is_pulled, weights_path
from agentkit.models.prices import BUILT_IN, PRICES_VARIABLE, read_prices

PACKAGES = {
    "pydantic": "",
    "openai": "",
    "anthropic": "",
    "xllamacpp": "pip install 'agentkit-plans[local]' to run local models",
    "chromadb": "pip install 'agentkit-plans[memory]' for long-term memory",
    "sympy": "pip install 'agentkit-plans[maths]' for symbolic maths",
    "pint": "pip install 'agentkit-plans[units]' for units",
}


def own_version() -> str:
    """The version of agentkit, as it is installed."""
    try:
        return version("agentkit-plans")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"


def report(console: Console) -> int:
    """Print one line a finding; 0 if nothing that everybody needs is missing."""
    console.print(f"agentkit {own_version()}", highlight=False)
    console.print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    missing = 0
    for package, remedy in PACKAGES.items():
        try:
            console.print(f"[green]✓[/] {package} {version(package)}", highlight=False)
        except PackageNotFoundError:
            missing += not remedy
            console.print(f"[yellow]–[/] {package} is not installed: {escape(remedy) or 'reinstall agentkit-plans'}")
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        state = "is set" if os.environ.get(variable) else "is not set (needed for that provider's models only)"
        console.print(
            f"[green]✓[/] {variable} {state}" if os.environ.get(variable) else f"[dim]–[/] {variable} {state}"
        )
    for weights in CATALOGUE:
        if is_pulled(weights):
            console.print(f"[green]✓[/] {weights.id} at {escape(str(weights_path(weights)))}", highlight=False)
        else:
            console.print(f"[dim]–[/] {weights.id} is not here: agentkit models pull {weights.name}", highlight=False)
    for embedding in EMBEDDINGS:
        if all(map(is_pulled, embedding.files)):
            path = escape(str(weights_path(embedding.model)))
            console.print(f"[green]✓[/] {embedding.name} at {path}", highlight=False)
        else:
            console.print(
                f"[dim]–[/] {embedding.name} is not here: agentkit models pull {embedding.name}", highlight=False
            )
    missing += _prices(console)
    missing += _writable(console, Path(platformdirs.user_state_dir("agentkit")))
    free = shutil.disk_usage(Path.home()).free / 1e9
    console.print(f"{'[green]✓[/]' if free > 2 else '[yellow]![/]'} {free:.0f} GB of disk free")
    return 1 if missing else 0


def _prices(console: Console) -> int:
    own = os.environ.get(PRICES_VARIABLE)
    try:
        tables = [read_prices(Path(own))] if own else []
    except DefinitionError as error:
        console.print(f"[red]✗[/] {escape(str(error))}")
        return 1
    for table in (*tables, read_prices(BUILT_IN)):
        told = f", read {table.read}" if table.read else ""
        where = escape(str(table.path)) if table in tables else "agentkit's own"
        console.print(f"[green]✓[/] prices of {len(table.prices)} models ({where}{told})", highlight=False)
    return 0


def _writable(console: Console, folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        console.print(f"[red]✗[/] the journal's folder {escape(str(folder))} cannot be written: {error}")
        return 1
    console.print(f"[green]✓[/] journal in {escape(str(folder))}", highlight=False)
    return 0
