"""Planners by word, with options that are plain data: for YAML, the command line, and a choice at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, cast

from agentkit.errors import DefinitionError
from agentkit.judges import ModelJudge as Scores
from agentkit.messages import ModelSettings
from agentkit.options import check_options, did_you_mean
from agentkit.planners.candidates import Candidates
from agentkit.planners.fixed import FixedPlan
from agentkit.planners.hierarchical import Hierarchical
from agentkit.planners.judge import ModelJudge
from agentkit.planners.matching import MatchTranslator
from agentkit.planners.natural_language import NaturalLanguage
from agentkit.planners.outline import Outline
from agentkit.planners.plan_execute import PlanAndExecute
from agentkit.planners.react import ReAct
from agentkit.planners.reflexion import Reflexion
from agentkit.planners.strips_world import DISCOUNT
from agentkit.planners.translation import ModelTranslator
from agentkit.planners.tree_search import TreeSearch
from agentkit.planners.world import ModelWorld
from agentkit.planning import Planner


def planner(name: str, /, **options: Any) -> Planner:
    """The planner of this name.

    Options that are planners themselves (``planner``, ``below``) are given in the same way: a name, or an object with
    ``name`` and options. ``settings`` is an object of the settings of `ModelSettings`.

    Args:
        name: One of `PLANNERS`.
        options: The arguments of the planner's class.

    Raises:
        DefinitionError: The name or an option is unknown, or a value is wrong; the message says what there is.
    """
    make = PLANNERS.get(name)
    if make is None:
        raise DefinitionError(
            f"there is no planner {name!r}{did_you_mean(name, PLANNERS)}; there are: {', '.join(PLANNERS)}"
        )
    check_options(make, options, f"the planner {name!r}")
    return make(**{option: _value(option, value) for option, value in options.items()})


def from_data(said: object) -> Planner:
    """The planner that data describes: a name, or an object with ``name`` and its options; a planner is itself.

    Raises:
        DefinitionError: It describes none.
    """
    if callable(getattr(said, "propose", None)):
        return cast("Planner", said)
    if isinstance(said, str):
        return planner(said)
    if not isinstance(said, Mapping) or not isinstance(said.get("name"), str):
        raise DefinitionError(f"{said!r} is no planner; give a name such as 'react', or an object with 'name'")
    return planner(said["name"], **{str(key): value for key, value in said.items() if key != "name"})


def _candidates(
    count: int = 5,
    *,
    by: Any = "vote",
    judge: bool = False,
    judged: int = 3,
    fallbacks: int = 2,
) -> Candidates:
    return Candidates(count, by=by, judge=ModelJudge() if judge else None, judged=judged, fallbacks=fallbacks)


def _natural_language(
    *, translator: str = "model", translator_model: str | None = None, steps: Any = None, settings: Any = None
) -> NaturalLanguage:
    if translator not in ("model", "match"):
        raise DefinitionError(f"translator is {translator!r}; give 'model' or 'match'")
    made = MatchTranslator() if translator == "match" else ModelTranslator(translator_model)
    return NaturalLanguage(made, steps=steps, settings=settings)


def _tree_search(
    *,
    branching: int = 3,
    simulations: int = 200,
    depth: int = 30,
    exploration: float = 0.1,
    discount: float = DISCOUNT,
    enough: int = 3,
    backup: Any = "max",
    judge: bool = False,
    fallbacks: int = 2,
    seed: int = 0,
    settings: Any = None,
) -> TreeSearch:
    return TreeSearch(
        ModelWorld(branching, settings=settings),
        simulations=simulations,
        depth=depth,
        exploration=exploration,
        discount=discount,
        enough=enough,
        backup=backup,
        value=Scores(at_least=0.5) if judge else None,
        fallbacks=fallbacks,
        seed=seed,
    )


def _fixed(file: str) -> FixedPlan:
    return FixedPlan.from_file(file)


PLANNERS: Mapping[str, Callable[..., Planner]] = MappingProxyType(
    {
        "plan_execute": PlanAndExecute,
        "react": ReAct,
        "reflexion": Reflexion,
        "candidates": _candidates,
        "hierarchical": Hierarchical,
        "natural_language": _natural_language,
        "outline": Outline,
        "tree_search": _tree_search,
        "fixed": _fixed,
    }
)
"""How each planner is made."""


def _value(option: str, value: Any) -> Any:
    """An option's value as the planner's class wants it."""
    if option in ("planner", "below") and isinstance(value, str | Mapping):
        return from_data(value)
    if option == "settings" and isinstance(value, Mapping):
        known = [one.name for one in fields(ModelSettings)]
        unknown = [name for name in value if name not in known]
        if unknown:
            hint = did_you_mean(str(unknown[0]), known)
            raise DefinitionError(f"there is no model setting {unknown[0]!r}{hint}; there are: {', '.join(known)}")
        check_options(ModelSettings, value, "the model settings")
        return ModelSettings(**value)
    return value
