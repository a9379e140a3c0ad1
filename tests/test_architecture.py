"""The rules that keep the house in order, checked over the syntax trees of the sources."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from typing import TypeAlias

import pytest

from tests.architecture import ROOMS, ROOT, Module, Tree, loads, own_imports, read_folder, read_library

Rule: TypeAlias = Callable[[Tree], Iterator[str]]

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"cache", "clock", "diagnostics", "errors", "expressions", "lexical", "messages", "types"}),
    frozenset({"plan", "events", "options", "sqlite_schema", "eventlog", "limits", "transcript"}),
    frozenset({"toolbox", "context", "policy", "protocols", "schedule", "spelling"}),
    frozenset({"models", "certificate", "embeddings", "ledger", "tokens"}),
    frozenset({"calling", "checker", "executor", "journal", "planning", "reflection", "results", "run", "streaming"})
    | {"composite", "constraints", "facts", "judges", "remembering", "resuming", "task", "validators"},
    frozenset({"tools", "planners", "memory", "testing"}),
    frozenset({"agent"}),
    frozenset({"definition"}),
    frozenset({""}),
    frozenset({"evals"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""From the ground up; imports point downward or stay on their floor. "" is the package agentkit itself."""

MAY_IMPORT_ROOMS = frozenset({"agent", "definition", "_definition_words", "cli"})
"""Where things are wired together."""

HEAVY = frozenset(
    {
        *(
            "anthropic",
            "bpe_openai",
            "chromadb",
            "httpx2",
            "jsonschema",
            "matplotlib",
            "mcp",
            "numpy",
            "onnxruntime",
            "openai",
        ),
        *("pint", "referencing", "rich", "sympy", "tenacity", "tokenizers", "typer", "xllamacpp", "yaml"),
    }
)
"""Third-party packages that cost a user who does not need them nothing: they are imported when first used."""

HEAVY_ALLOWED = {
    "agentkit.cli": frozenset({"rich", "typer"}),
    "agentkit.tools._symbolic_worker": frozenset({"sympy"}),
}
"""Heavy packages at module level, by where they may be: the command line, and a script that is a process of its own."""

LATE_ALLOWED: dict[str, str] = {}
"""Own modules that a function may import, as ``importer -> target``, each with the reason."""

BY_NAME_ALLOWED = {
    "agentkit": "its public names load their modules on first use",
    "agentkit.cli.loading": "loads the agent or the tools that the user names on the command line",
    "agentkit.tools._optional": "loads the third-party package that a tool family needs, or says how to install it",
}
"""Modules that may import by a computed name, each with the reason."""

BROUGHT_ALONG = frozenset({"pydantic_core"})
"""Packages of which a declared dependency pins the exact version."""

MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60


def no_cycles(tree: Tree) -> Iterator[str]:
    """Modules import each other without cycles, imports inside functions and for typing included."""
    try:
        TopologicalSorter({name: loads(module, tree) for name, module in tree.items()}).prepare()
    except CycleError as error:
        yield "import cycle: " + " -> ".join(reversed(error.args[1]))


def imports_point_downward(tree: Tree) -> Iterator[str]:
    """A module imports only from its own floor and from those below."""
    known: dict[str, int] = {}
    for module in tree.values():
        for target, found in own_imports(module, tree):
            if _floor(target, tree, known) > _floor(module.name, tree, known):
                yield f"{module.name}:{found.line} imports {target}, which is on a higher floor"


def _floor(name: str, tree: Tree, known: dict[str, int]) -> int:
    """The floor of a module; a private one of the core stands as high as the highest that it imports."""
    if name not in known:
        noun = _noun(name)
        if noun.startswith("_") and noun != "__main__":
            known[name] = 0  # while it is looked for: cycles are another rule's business
            targets = {target for target, _ in own_imports(tree[name], tree)}
            known[name] = max((_floor(target, tree, known) for target in targets), default=0)
        else:
            level = next((level for level, floor in enumerate(FLOORS) if noun in floor), None)
            assert level is not None, f"{name} is on no floor: add {noun!r} to FLOORS in tests/test_architecture.py"
            known[name] = level
    return known[name]


def _noun(name: str) -> str:
    """The name right below agentkit: ``tools`` of ``agentkit.tools.dates``."""
    return name.partition(".")[2].partition(".")[0]


def rooms_keep_to_themselves(tree: Tree) -> Iterator[str]:
    """Only agent, definition and the command line import rooms; a room sees only another's public names."""
    for module in tree.values():
        room = _room(module.name)
        for target, found in own_imports(module, tree):
            other = _room(target)
            if other in {None, room} or _noun(module.name) in MAY_IMPORT_ROOMS:
                continue
            if room is None:
                yield f"{module.name}:{found.line} imports the room {target}; only agent, definition and cli may"
            elif target != f"agentkit.{other}":
                yield f"{module.name}:{found.line} imports {target}, the inside of another room"


def _room(name: str) -> str | None:
    return _noun(name) if _noun(name) in ROOMS else None


def private_modules_stay_in_their_folder(tree: Tree) -> Iterator[str]:
    """A module ``_name.py`` is imported only by its neighbours."""
    for module in tree.values():
        for target, found in own_imports(module, tree):
            folder, _, name = target.rpartition(".")
            if name.startswith("_") and module.folder != folder:
                yield f"{module.name}:{found.line} imports {target}, which is private to {folder}"


def heavy_packages_load_late(tree: Tree) -> Iterator[str]:
    """Packages that are slow to import are imported inside functions, or for typing only."""
    for module in tree.values():
        heavy = HEAVY.difference(*(names for top, names in HEAVY_ALLOWED.items() if _inside(module.name, top)))
        for found in module.imports():
            package = found.target.partition(".")[0]
            if package in heavy and not found.late and not found.typing:
                yield f"{module.name}:{found.line} imports {package} at module level"


def _inside(name: str, top: str) -> bool:
    return f"{name}.".startswith(f"{top}.")


def own_modules_load_early(tree: Tree) -> Iterator[str]:
    """A function imports no module of agentkit, by statement or by name, but for the documented exceptions."""
    for module in tree.values():
        for target, found in own_imports(module, tree):
            if found.late and f"{module.name} -> {target}" not in LATE_ALLOWED:
                yield f"{module.name}:{found.line} imports {target} inside a function"
        if module.name in BY_NAME_ALLOWED:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"(importlib\.)?import_module|__import__", ast.unparse(node.func)
            ):
                yield f"{module.name}:{node.lineno} imports by a computed name"


def modules_say_what_they_are(tree: Tree) -> Iterator[str]:
    """Every module has a docstring."""
    for module in tree.values():
        if not ast.get_docstring(module.tree):
            yield f"{module.name} has no docstring"


def rooms_are_small(tree: Tree) -> Iterator[str]:
    """No file and no function outgrows what can be read at one sitting."""
    for module in tree.values():
        if module.lines > MAX_FILE_LINES:
            yield f"{module.name} has {module.lines} lines; split it by idea below {MAX_FILE_LINES}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    yield f"{module.name}:{node.lineno} {node.name} has {length} lines; keep below {MAX_FUNCTION_LINES}"


def no_bare_rooms(tree: Tree) -> Iterator[str]:
    """Nobody imports ``tools`` for ``agentkit.tools``: with the repository on the path, that is a second module."""
    for module in tree.values():
        for found in module.imports():
            if found.target.partition(".")[0] in ROOMS:
                yield f"{module.name}:{found.line} imports {found.target}; write agentkit.{found.target}"


LIBRARY_RULES: tuple[Rule, ...] = (
    no_cycles,
    imports_point_downward,
    rooms_keep_to_themselves,
    private_modules_stay_in_their_folder,
    heavy_packages_load_late,
    own_modules_load_early,
    modules_say_what_they_are,
    rooms_are_small,
    no_bare_rooms,
)


@pytest.fixture(scope="module")
def library() -> Tree:
    """The sources of agentkit, parsed once."""
    return read_library()


@pytest.mark.parametrize("rule", LIBRARY_RULES, ids=lambda rule: rule.__name__)
def test_the_sources_keep_the_rule(rule: Rule, library: Tree) -> None:
    """Each rule of the list holds over every module of agentkit."""
    assert list(rule(library)) == []


@pytest.mark.parametrize("folder", ["tests", "examples", "benchmarks"])
def test_nobody_outside_imports_a_bare_room(folder: str) -> None:
    """Tests, examples and benchmarks import agentkit.tools, never tools."""
    assert list(no_bare_rooms(read_folder(ROOT / folder, folder))) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_bare_room_refuses_to_be_imported(room: str) -> None:
    """With the repository on the path a bare name is found, and says which name to use."""
    with pytest.raises(ImportError, match=f"^import agentkit.{room}, not {room}$"):
        importlib.import_module(room)


def test_every_third_party_import_is_declared(library: Tree) -> None:
    """Each package that agentkit imports is a dependency of it or of one of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    declared = {_normal(re.split(r"[\[<>=~! ;]", requirement, maxsplit=1)[0]) for requirement in wanted}
    installed = packages_distributions()
    used = {found.target.partition(".")[0] for module in library.values() for found in module.imports()}
    third_party = used - set(sys.stdlib_module_names) - BROUGHT_ALONG - {"agentkit"}
    assert {
        name for name in third_party if not declared & {_normal(dist) for dist in installed.get(name, [name])}
    } == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages() -> list[str]:
    return sorted(name for name, module in read_library().items() if module.package)


@pytest.mark.parametrize("name", _packages())
def test_a_package_exports_what_it_shows(name: str) -> None:
    """``__all__`` of every package equals the names that a user sees in it; the linter keeps it sorted."""
    package = importlib.import_module(name)
    visible = [item for item in dir(package) if not item.startswith("_") and _is_export(getattr(package, item))]
    assert sorted(getattr(package, "__all__", [])) == sorted(visible)


def _is_export(value: object) -> bool:
    return not inspect.ismodule(value) and value is not annotations


def _tree(**sources: str) -> Tree:
    """Modules of agentkit by the names of the arguments; ``__`` stands for a dot, packages are those with children."""
    names = {"agentkit": "", **{f"agentkit.{key.replace('__', '.')}": source for key, source in sources.items()}}
    parents = {name.rpartition(".")[0] for name in names}
    return {name: Module.parse(name, source, package=name in parents) for name, source in names.items()}


OFFENCES: tuple[tuple[Rule, Tree, str], ...] = (
    (
        no_cycles,
        _tree(plan="from agentkit.events import Event", events="def f():\n    import agentkit.plan"),
        "import cycle: agentkit.",
    ),
    (
        no_cycles,
        _tree(
            plan="import agentkit.types.kinds",
            types="import agentkit.types.text",
            types__kinds="",
            types__text="import agentkit.plan",
        ),
        "import cycle: agentkit.",
    ),
    (
        imports_point_downward,
        _tree(plan="def f():\n    from agentkit.checker import check", checker=""),
        "agentkit.plan:2 imports agentkit.checker, which is on a higher floor",
    ),
    (
        imports_point_downward,
        _tree(events="import agentkit._walk", _walk="import agentkit.checker", checker=""),
        "agentkit.events:1 imports agentkit._walk, which is on a higher floor",
    ),
    (
        imports_point_downward,
        _tree(tools="from agentkit import Agent"),
        "agentkit.tools:1 imports agentkit, which is on a higher floor",
    ),
    (
        rooms_keep_to_themselves,
        _tree(testing="import agentkit.tools", tools=""),
        "agentkit.testing:1 imports the room agentkit.tools; only agent, definition and cli may",
    ),
    (
        rooms_keep_to_themselves,
        _tree(planners="from agentkit.tools.dates import today", tools="", tools__dates=""),
        "agentkit.planners:1 imports agentkit.tools.dates, the inside of another room",
    ),
    (
        private_modules_stay_in_their_folder,
        _tree(checker="from agentkit.types._formats import known", types="", types___formats=""),
        "agentkit.checker:1 imports agentkit.types._formats, which is private to agentkit.types",
    ),
    (
        heavy_packages_load_late,
        _tree(checker="import jsonschema"),
        "agentkit.checker:1 imports jsonschema at module level",
    ),
    (
        heavy_packages_load_late,
        _tree(cli="import typer\nimport openai"),
        "agentkit.cli:2 imports openai at module level",
    ),
    (
        own_modules_load_early,
        _tree(checker="def f():\n    import agentkit.plan", plan=""),
        "agentkit.checker:2 imports agentkit.plan inside a function",
    ),
    (
        own_modules_load_early,
        _tree(checker="import importlib\nimportlib.import_module('agentkit.plan')"),
        "agentkit.checker:2 imports by a computed name",
    ),
    (modules_say_what_they_are, _tree(checker="x = 1"), "agentkit.checker has no docstring"),
    (
        rooms_are_small,
        _tree(checker="def f():\n" + "    x = 1\n" * 60),
        "agentkit.checker:1 f has 61 lines; keep below 60",
    ),
    (rooms_are_small, _tree(checker="x = 1\n" * 451), "agentkit.checker has 451 lines; split it by idea below 450"),
    (
        no_bare_rooms,
        _tree(checker="from tools import calculator"),
        "agentkit.checker:1 imports tools.calculator; write agentkit.",
    ),
)


@pytest.mark.parametrize(("rule", "tree", "message"), OFFENCES, ids=[rule.__name__ for rule, _, _ in OFFENCES])
def test_an_offence_is_reported(rule: Rule, tree: Tree, message: str) -> None:
    """A rule names the module, the line and the offence, so that none of them holds because it sees nothing."""
    assert any(found.startswith(message) for found in rule(tree))


def test_a_type_checking_import_may_be_heavy_and_a_late_one_too() -> None:
    """What never runs, or runs on first use, costs an import of agentkit nothing."""
    tree = _tree(checker="if TYPE_CHECKING:\n    import openai\ndef f():\n    import sympy")
    assert list(heavy_packages_load_late(tree)) == []


def test_a_module_on_no_floor_is_named() -> None:
    """A new module of the core must be given its place."""
    with pytest.raises(AssertionError, match=r"agentkit\.attic is on no floor: add 'attic' to FLOORS"):
        list(imports_point_downward(_tree(attic="import agentkit.plan", plan="")))
