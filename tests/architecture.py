"""Reads the sources' syntax trees: which module imports what, where, and how it is laid out."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parent.parent
ROOMS = ("evals", "memory", "planners", "tools")

Tree: TypeAlias = Mapping[str, "Module"]
"""Modules by dotted name, e.g. ``agentkit.tools.dates``."""


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes:
        target: The dotted name as written; ``from a import b`` is ``a.b``.
        line: 1-based source line.
        late: It runs inside a function.
        typing: It stands under ``if TYPE_CHECKING`` and never runs.
    """

    target: str
    line: int
    late: bool = False
    typing: bool = False


@dataclass(frozen=True)
class Module:
    """A parsed source file."""

    name: str
    tree: ast.Module
    package: bool = False
    path: Path = Path("<text>")
    lines: int = 0

    @classmethod
    def parse(cls, name: str, source: str, *, package: bool = False, path: Path = Path("<text>")) -> Module:
        return cls(name, ast.parse(source, str(path)), package, path, source.count("\n"))

    @property
    def folder(self) -> str:
        """The dotted name of the folder that the file lies in."""
        return self.name if self.package else self.name.rpartition(".")[0]

    def imports(self) -> Iterator[Import]:
        """Every absolute import, nested ones included (the linter bans relative ones)."""
        yield from _imports(self.tree.body, late=False, typing=False)


def _imports(nodes: Iterable[ast.AST], *, late: bool, typing: bool) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, late, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, late, typing) for alias in node.names)
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _imports(node.body, late=late, typing=True)
            yield from _imports(node.orelse, late=late, typing=typing)
        else:
            inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(ast.iter_child_nodes(node), late=inside, typing=typing)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def read_library() -> dict[str, Module]:
    """Every module of agentkit, the rooms under the names that they are imported by."""
    tree = read_folder(ROOT / "agentkit", "agentkit")
    for room in ROOMS:
        tree |= read_folder(ROOT / room, f"agentkit.{room}")
    return tree


def read_folder(folder: Path, name: str) -> dict[str, Module]:
    """The modules below `folder`, which is imported as `name`; links are not followed."""
    found: dict[str, Module] = {}
    for parent, _, files in os.walk(folder):
        for path in (Path(parent, file) for file in files if file.endswith(".py")):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            package = parts[-1] == "__init__"
            dotted = ".".join(parts[:-1] if package else parts)
            found[dotted] = Module.parse(dotted, path.read_text("utf-8"), package=package, path=path)
    return found


def own_target(target: str, tree: Tree) -> str | None:
    """The module of `tree` that importing `target` loads, or None if it is somebody else's."""
    if target in tree:
        return target
    parent = target.rpartition(".")[0]
    return parent if parent in tree else None


def own_imports(module: Module, tree: Tree) -> Iterator[tuple[str, Import]]:
    """The imports of `module` that load modules of `tree`, each with the module loaded."""
    for found in module.imports():
        target = own_target(found.target, tree)
        if target is not None:
            yield target, found


def loads(module: Module, tree: Tree) -> set[str]:
    """The modules that importing `module` loads directly.

    Importing ``a.b.c`` also runs ``a.b``, unless `module` lies inside ``a.b`` and so is loaded by then.
    """
    loaded: set[str] = set()
    for target, _ in own_imports(module, tree):
        parts = target.split(".")
        ancestors = {".".join(parts[:end]) for end in range(1, len(parts))}
        loaded |= {target} | {
            name for name in ancestors if name in tree and not f"{module.name}.".startswith(f"{name}.")
        }
    return loaded
