"""Domains and problems from PDDL: ``:strips``, ``:typing``, ``:negative-preconditions`` and ``:equality``.

Source: McDermott et al., "PDDL: The Planning Domain Definition Language", 1998. Text is read without regard to case.
Names of actions and parameters get underscores for hyphens, so that they are names of tools and arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from agentkit.errors import DefinitionError
from agentkit.planners.strips import ANYTHING, Action, Condition, Domain, Fact, Problem

Tree: TypeAlias = "str | list[Tree]"

REQUIREMENTS = (":strips", ":typing", ":negative-preconditions", ":equality")
"""What a domain may require."""

MOST_NESTING = 50
"""Parentheses inside each other at most."""

_TOKEN = re.compile(r";[^\n]*|\s+|([()])|([^\s();]+)")


def read_domain(text: str) -> Domain:
    """The domain of a PDDL text.

    Raises:
        DefinitionError: The text is no PDDL of the subset, or the domain contradicts itself; the message says where.
    """
    name, sections = _defined(text, "domain")
    for requirement in sections.get(":requirements", []):
        if requirement not in REQUIREMENTS:
            there_are = ", ".join(REQUIREMENTS)
            raise DefinitionError(f"domain {name!r} requires {_shown(requirement)}; this reader knows {there_are}")
    known = {":requirements", ":types", ":constants", ":predicates", ":action"}
    _only(sections, known, f"domain {name!r}")
    predicates = {}
    for one in sections.get(":predicates", []):
        head, *parameters = _list(one, "a predicate")
        predicates[_word(head, "a predicate")] = tuple(_typed(parameters, "a predicate").values())
    actions = [_action(one) for one in sections.get(":action", [])]
    return Domain(
        name,
        predicates,
        {action.name: action for action in actions},
        {kind: parent for kind, parent in _typed(sections.get(":types", []), "types").items() if kind != ANYTHING},
        _typed(sections.get(":constants", []), "constants"),
    )


def read_problem(text: str, domain: Domain) -> Problem:
    """The problem of a PDDL text, in a domain.

    Raises:
        DefinitionError: The text is no PDDL of the subset, or does not fit the domain; the message says where.
    """
    name, sections = _defined(text, "problem")
    _only(sections, {":domain", ":requirements", ":objects", ":init", ":goal"}, f"problem {name!r}")
    of = [_word(one, ":domain") for one in sections.get(":domain", [domain.name])]
    if of != [domain.name]:
        raise DefinitionError(f"problem {name!r} is of the domain {' '.join(of)!r}, and not of {domain.name!r}")
    init: frozenset[Fact] = frozenset(_fact(one, {}) for one in sections.get(":init", []))
    goals = sections.get(":goal", [])
    if len(goals) != 1:
        raise DefinitionError(f"problem {name!r} has {len(goals)} conditions in :goal; give one, such as (and …)")
    return Problem(domain, _typed(sections.get(":objects", []), "objects"), init, _conditions(goals[0], {}), name)


def _defined(text: str, kind: str) -> tuple[str, dict[str, list[Tree]]]:
    """The name and the sections of ``(define (KIND NAME) (:section …) …)``."""
    tree = _read(text)
    match tree:
        case ["define", [found, str(name)], *rest] if found == kind:
            pass
        case _:
            raise DefinitionError(f"this is no {kind}; it should begin (define ({kind} NAME), and is {_shown(tree)}")
    sections: dict[str, list[Tree]] = {}
    for section in rest:
        where = f"{kind} {name!r}"
        items = list(_list(section, where))
        word = _word(items.pop(0), where) if items else ""
        if not word:
            raise DefinitionError(f"{where} has an empty section: (); it should begin with a keyword, as in (:init …)")
        if word == ":action":
            sections.setdefault(word, []).append(items)
        elif word in sections:
            raise DefinitionError(f"{where} has {word} twice")
        else:
            sections[word] = items
    return name, sections


def _only(sections: Mapping[str, object], known: set[str], where: str) -> None:
    for section in sections:
        if section not in known:
            raise DefinitionError(f"{where} has {section!r}; this reader knows {', '.join(sorted(known))}")


def _action(tree: Tree) -> Action:
    items = _list(tree, "an action")
    name = _word(items[0], "an action") if items else ""
    where = f"action {name!r}"
    if len(items) % 2 == 0:
        raise DefinitionError(f"{where} is to have a name and then pairs of a keyword and a list")
    fields = {_word(key, where): value for key, value in zip(items[1::2], items[2::2], strict=True)}
    _only(fields, {":parameters", ":precondition", ":effect"}, where)
    declared = _typed(_list(fields.get(":parameters", []), where), where)
    terms = {name: f"?{_tool_name(name[1:])}" for name in declared}
    if any(not name.startswith("?") for name in declared):
        raise DefinitionError(f"{where}: a parameter begins with a question mark; there are {', '.join(declared)}")
    return Action(
        _tool_name(name),
        {terms[name][1:]: kind for name, kind in declared.items()},
        _conditions(fields.get(":precondition", []), terms),
        _conditions(fields.get(":effect", []), terms),
    )


def _conditions(tree: Tree, terms: Mapping[str, str]) -> tuple[Condition, ...]:
    """The conditions of a conjunction; parameters get the names in `terms`."""
    match tree:
        case []:
            return ()
        case ["and", *parts]:
            return tuple(condition for part in parts for condition in _conditions(part, terms))
        case ["not", inner]:
            return (Condition(_fact(inner, terms), holds=False),)
        case ["or" | "imply" | "forall" | "exists" | "when" as word, *_]:
            raise DefinitionError(f"{_shown(tree)}: this reader knows 'and' and 'not', and not {word!r}")
        case _:
            return (Condition(_fact(tree, terms)),)


def _fact(tree: Tree, terms: Mapping[str, str]) -> Fact:
    words = [_word(one, _shown(tree)) for one in _list(tree, "a fact")]
    if not words:
        raise DefinitionError("a fact is empty: (); it should be a predicate and its objects")
    return tuple(terms.get(word, word) for word in words)


def _typed(items: Sequence[Tree], where: str) -> dict[str, str]:
    """The types of ``a b - kind c``: what has no type is an object."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    words = iter(items)
    for item in words:
        word = _word(item, where)
        if word == "-":
            kind = _word(next(words, ""), where)
            found.update(dict.fromkeys(waiting, kind))
            waiting = []
        elif word in found or word in waiting:
            raise DefinitionError(f"{where} has {word!r} twice")
        else:
            waiting.append(word)
    return {**found, **dict.fromkeys(waiting, ANYTHING)}


def _tool_name(name: str) -> str:
    return name.replace("-", "_")


def _list(tree: Tree, where: str) -> list[Tree]:
    if isinstance(tree, str):
        raise DefinitionError(f"{where}: {tree!r} stands where a list in parentheses should be")
    return tree


def _word(tree: Tree, where: str) -> str:
    if not isinstance(tree, str) or not tree:
        raise DefinitionError(f"{where}: {_shown(tree)} stands where a name should be")
    return tree


def _shown(tree: Tree, most: int = 80) -> str:
    text = tree if isinstance(tree, str) else f"({' '.join(_shown(part) for part in tree[:12])})"
    return text if len(text) <= most else f"{text[:most]}…"


def _read(text: str) -> Tree:
    """The one list of a text."""
    stack: list[list[Tree]] = [[]]
    for line, token in _tokens(text):
        if token == "(":
            stack.append([])
            if len(stack) > MOST_NESTING:
                raise DefinitionError(f"line {line}: more than {MOST_NESTING} parentheses inside each other")
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) == 1:
            raise DefinitionError(f"line {line}: a closing parenthesis too many")
        else:
            done = stack.pop()
            stack[-1].append(done)
    if len(stack) > 1:
        raise DefinitionError(f"{len(stack) - 1} parentheses are not closed at the end of the text")
    return stack[0][0] if len(stack[0]) == 1 else stack[0]


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    line = 1
    for match in _TOKEN.finditer(text.lower()):
        token = match[1] or match[2]
        if token:
            yield line, token
        line += match[0].count("\n")
