"""From what is typed to what is meant: agents, toolboxes and plans by name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from agentkit import definition
from agentkit.agent import Agent
from agentkit.errors import DefinitionError
from agentkit.plan import Plan
from agentkit.spelling import read_json, read_python
from agentkit.toolbox import Tool, Toolbox


def load_agent(spec: str, tools: Iterable[str] = ()) -> Agent:
    """The agent that `spec` names: ``package.module:name``, ``path/to/file.py:name``, or a YAML file.

    The name may be an agent, an `Agent` subclass, or a function that makes an agent without arguments.

    Args:
        spec: Where it is.
        tools: Tools that a YAML file uses by name, each as ``name=package.module:NAME``.

    Raises:
        DefinitionError: There is no such module, name or file, or it is not an agent.
    """
    named = dict(map(_named_tools, tools))
    if spec.endswith((".yaml", ".yml")):
        return definition.load_agent(spec, tools=named)
    if named:
        raise DefinitionError(f"--tools hands tools to an agent of a YAML file, and {spec!r} is none")
    found = _load(spec, lambda value: isinstance(value, Agent) or _is_agent_class(value), "an agent")
    made = found() if callable(found) and not isinstance(found, Agent) else found
    if not isinstance(made, Agent):
        raise DefinitionError(f"{spec!r} is {type(made).__name__!r}, expected an Agent or something that makes one")
    return made


def load_toolbox(spec: str) -> Toolbox:
    """The tools that `spec` names: a toolbox, tools, an agent (its tools), or a function that makes one of these.

    Raises:
        DefinitionError: There is no such module or name, or it holds no tools.
    """
    found = _load(spec, lambda value: isinstance(value, Toolbox | Agent), "a toolbox")
    if callable(found) and not isinstance(found, Tool | Toolbox | Agent):
        found = found()
    if isinstance(found, Agent):
        return found.toolbox
    if isinstance(found, Toolbox | Tool):
        return Toolbox(found)
    if isinstance(found, list | tuple) and all(isinstance(one, Tool | Toolbox) for one in found):
        return Toolbox(*found)
    raise DefinitionError(f"{spec!r} is {type(found).__name__!r}, expected a Toolbox, tools, or an Agent")


def _named_tools(said: str) -> tuple[str, Toolbox]:
    name, equals, spec = said.partition("=")
    if not equals:
        raise DefinitionError(f"--tools {said!r}: expected name=package.module:NAME")
    return name, load_toolbox(spec)


def load_plan(path: str, toolbox: Toolbox) -> Plan:
    """The plan in a file, ``-`` for standard input: JSON if it begins with a brace, restricted Python otherwise.

    Raises:
        DefinitionError: The file cannot be read.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"cannot read the plan {path!r}: {error}") from error
    return read_json(text) if text.lstrip().startswith("{") else read_python(text, toolbox)


def _is_agent_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Agent) and value is not Agent


def _load(spec: str, fits: Callable[[object], bool], what: str) -> object:
    """The object that `spec` names; without a name, the only one in the module that fits."""
    place, _, name = spec.partition(":") if not spec.endswith(".py") else (spec, "", "")
    module = _module(place)
    if name:
        if not hasattr(module, name):
            names = ", ".join(sorted(key for key, value in vars(module).items() if fits(value))) or "none"
            raise DefinitionError(f"{place!r} has no {name!r}; names there that hold {what}: {names}")
        found: object = getattr(module, name)
        return found
    fitting = {key: value for key, value in vars(module).items() if fits(value) and not key.startswith("_")}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    names = ", ".join(sorted(fitting)) or "none"
    raise DefinitionError(f"say which name of {place!r} holds {what}, as {place}:NAME; candidates: {names}")


def _module(place: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not place.startswith(error.name):
                raise
            raise DefinitionError(
                f"there is no module {place!r}; expected package.module:NAME or path/to/file.py:NAME"
            ) from error
    path = Path(place)
    if not path.is_file():
        raise DefinitionError(f"there is no file {place!r}; expected package.module:NAME or path/to/file.py:NAME")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"{place!r} is not a Python file that can be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
