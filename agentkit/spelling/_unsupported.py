"""What Python has and plans do not, and what to write instead."""

from __future__ import annotations

import ast

_STATEMENTS: dict[type[ast.AST], tuple[str, str]] = {
    ast.FunctionDef: ("a plan defines no functions.", "Write the steps themselves, at the top level."),
    ast.AsyncFunctionDef: ("a plan defines no functions.", "Write the steps themselves, at the top level."),
    ast.ClassDef: ("a plan defines no classes.", "Write objects: {'name': value}."),
    ast.Try: ("a plan has no try.", "Say at the call what happens if it fails: f(x, _retry=2, _fallback=None)."),
    ast.TryStar: ("a plan has no try.", "Say at the call what happens if it fails: f(x, _retry=2, _fallback=None)."),
    ast.Raise: ("a plan raises nothing.", "Answer what is wrong: answer('…')."),
    ast.Assert: ("a plan asserts nothing.", "Write if condition: … and answer(...) in each case."),
    ast.Global: ("a plan has no global.", "Remove it: names of the plan are seen everywhere below."),
    ast.Nonlocal: ("a plan has no nonlocal.", "Remove it: names of the plan are seen everywhere below."),
    ast.Delete: ("a plan deletes nothing.", "Remove it, or make a new value without the part."),
    ast.AsyncFor: ("a plan has no async for.", "Write for: iterations run at once where they can."),
    ast.AsyncWith: ("a plan has no async with.", "Remove it: independent steps run at once."),
    ast.With: ("a plan has no with, but for parallel().", "Write the steps themselves."),
    ast.Match: ("a plan has no match.", "Write if, elif and else."),
}

_MODULES = {
    "datetime": "dates are texts; write date(text), add_days(date, n), add_months(date, n), days_between(a, b)",
    "dateutil": "dates are texts; write date(text), add_days(date, n), add_months(date, n), days_between(a, b)",
    "time": "nothing waits in a plan; for dates write date(text), add_days(date, n)",
    "calendar": "write weekday(date), start_of_week(date), start_of_month(date)",
    "math": "write round(x), abs(x), x // 1, x ** 0.5",
    "statistics": "write sum(xs) / len(xs), min(xs), max(xs), sorted(xs)",
    "json": "values are JSON already; write str(value) for their text",
    "re": "write split(text, separator), replace(text, old, new), part in text",
    "collections": "write comprehensions, e.g. {k: len([x for x in xs if x.k == k]) for k in keys}",
    "itertools": "write zip(a, b), enumerate(xs), range(n), and for loops",
    "asyncio": "independent steps run at once by themselves",
    "requests": "call a tool that fetches",
    "httpx": "call a tool that fetches",
    "os": "call a tool that does it",
    "random": "plans are deterministic; call a tool that draws",
    "typing": "leave annotations out",
}

_BUILTINS = {
    "exec": "Nothing is executed: write the steps themselves.",
    "eval": "Write the expression itself.",
    "compile": "Nothing is executed: write the steps themselves.",
    "open": "Call a tool that reads or writes files.",
    "getattr": "Write x.name, or get(x, 'name', default).",
    "hasattr": "Write 'name' in x.",
    "setattr": "Values do not change: write a new object.",
    "map": "Write [f(x) for x in xs].",
    "filter": "Write [x for x in xs if condition].",
    "next": "Write xs[0].",
    "iter": "Write the list itself.",
    "set": "Write unique(xs).",
    "frozenset": "Write unique(xs).",
    "tuple": "Write a list: [a, b].",
    "dict": "Write {'name': value}.",
    "isinstance": "Types are checked already: remove it.",
    "issubclass": "Types are checked already: remove it.",
    "type": "Types are checked already: remove it.",
    "repr": "Write str(x).",
    "globals": "Refer to names directly.",
    "locals": "Refer to names directly.",
    "vars": "Refer to names directly.",
    "dir": "Refer to fields by their names.",
    "id": "Compare values with ==.",
    "divmod": "Write a // b and a % b.",
    "pow": "Write a ** b.",
    "breakpoint": "Remove it.",
    "help": "Remove it.",
    "exit": "End with answer(...).",
    "quit": "End with answer(...).",
    "super": "Plans have no classes.",
    "object": "Write {'name': value}.",
    "__import__": "Nothing is imported: call tools and pure functions by their names.",
}
"""Python's functions that plans have not; a tool of the same name is called all the same."""


def no_such_statement(stmt: ast.stmt) -> tuple[str, str]:
    """What is wrong with a statement, and what to write instead."""
    match stmt:
        case ast.Import(names=names):
            return _no_import(names[0].name)
        case ast.ImportFrom(module=module):
            return _no_import(module or "")
        case ast.Break():
            return "break is outside of a loop.", "Remove it."
        case ast.Continue():
            return "continue is outside of a loop.", "Remove it."
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            return "only names can be assigned.", "Give the value a name of its own: x = …"
        case _:
            fallback = (f"a plan has no {type(stmt).__name__.lower()}.", "Write assignments, calls, if, for and while.")
            return _STATEMENTS.get(type(stmt), fallback)


def _no_import(module: str) -> tuple[str, str]:
    instead = _MODULES.get(module.partition(".")[0], "call tools and pure functions by their names")
    return f"a plan imports nothing, so not {module!r} either.", f"Remove the import: {instead}."


def is_refused_builtin(name: str) -> bool:
    """Whether `name` is a function of Python that plans have not."""
    return name in _BUILTINS


def no_such_builtin(name: str) -> tuple[str, str]:
    """What is wrong with a call of a function that Python has, and what to write instead."""
    return f"there is no {name}(...) in a plan.", _BUILTINS[name]
