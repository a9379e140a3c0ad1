"""Published ways out of Python sandboxes lead nowhere: each is refused, and nothing is executed."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from agentkit.diagnostics import Diagnostic
from agentkit.errors import ExpressionError
from agentkit.expressions import evaluate, parse_expression, parse_template, type_expression
from agentkit.types import from_schema

ESCAPES = [
    # the object graph
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__.__mro__[1].__subclasses__()[40]('/etc/passwd').read()",
    "[].__class__.__base__.__subclasses__()",
    "{}.__class__.__bases__[0].__subclasses__()[59].__init__.__globals__['sys']",
    "(1).__class__.__base__",
    "True.__class__",
    "None.__class__.__mro__",
    "x.__class__",
    "x.__dict__",
    "x.__init__.__globals__",
    "x['__class__']",
    "x['__cla' + 'ss__']",
    "x[f'__{word}__']",
    "get(x, '__class__').__mro__",
    "x.get('__class__').mro()",
    "f.__code__",
    "f.func_globals",
    "f.__globals__['__builtins__']",
    "len.__self__",
    "len.__self__.__import__('os').system('id')",
    "[].append.__self__.__class__",
    "''.join.__self__",
    "x.__getattribute__('__class__')",
    "x.__reduce_ex__(2)",
    "(lambda: 0).__code__",
    "(lambda: 0).__globals__",
    # calls
    "__import__('os').system('id')",
    "__builtins__['eval']('1')",
    "__builtins__.__dict__['__import__']('os')",
    "eval('1+1')",
    "exec('import os')",
    "compile('1', '', 'eval')",
    "open('/etc/passwd').read()",
    "getattr(x, '__class__')",
    "getattr(x, 'a')",
    "setattr(x, 'a', 1)",
    "vars(x)",
    "dir()",
    "globals()",
    "locals()['x']",
    "type(x)",
    "type('X', (), {'__init__': None})()",
    "object()",
    "super()",
    "memoryview(b'x')",
    "input()",
    "breakpoint()",
    "help()",
    "print('x')",
    "map(eval, ['1'])",
    "filter(None, xs)",
    "next(iter(xs))",
    "id(x)",
    "classmethod(len)",
    "os.system('id')",
    "sys.modules['os'].popen('id').read()",
    "subprocess.run(['id'])",
    "importlib.import_module('os')",
    "(lambda f: f(f))(lambda f: f(f))",
    "[f for f in [eval]][0]('1')",
    "{'a': eval}['a']('1')",
    "(eval if yes else exec)('1')",
    "max([eval], key=lambda f: f('1'))",
    "sorted(xs, key=eval)",
    "sorted(xs, key=__import__)",
    "sorted(xs, key=lambda _: _.__class__)",
    "sorted(xs, key=lambda i, j=eval('1'): j)",
    "min(xs, key=lambda i: (yield))",
    # formatting
    "'{0.__class__}'.format(x)",
    "'{0.__init__.__globals__}'.format(x)",
    "'{x.__class__}'.format_map({'x': x})",
    "str.format('{0.__class__}', x)",
    "'%(x)s' % x",
    "'%s' % (x,)",
    "f'{x.__class__}'",
    "f'{x!r}'",
    "f'{x=}'",
    "f'{x:{x.__class__}}'",
    "f'{().__class__.__bases__[0].__subclasses__()}'",
    'f\'{__import__("os").system("id")}\'',
    "format(x, '{0.__class__}')",
    "format('x', '__class__')",
    "format(1, 'n')",
    "'\\N{LATIN SMALL LETTER A}'.__class__",
    "'a'.translate({97: 'b'})",
    "'x'.encode().decode('unicode_escape')",
    # frames, generators, coroutines
    "(x for x in xs).gi_frame.f_back.f_globals",
    "(i for i in xs).gi_code",
    "[x.gi_frame for x in [(i for i in xs)]]",
    "x.cr_frame.f_builtins",
    "x.f_back",
    "x.tb_frame",
    "(await f()).cr_frame",
    "[i async for i in xs]",
    # syntax
    "(q := 1)",
    "[q := i for i in xs]",
    "[i for i in xs] and i",
    "[_ for _ in xs] and _",
    "[*xs]",
    "{**x}",
    "len(*[xs])",
    "b'abc'",
    "...",
    "1j",
    "{1, 2}",
    "lambda: 0",
    "import os",
    "x = 1",
    "x; y",
    "del x",
    "assert x",
    "yield x",
    "def f(): pass",
    "@f",
    "x\nimport os",
    "x #\nimport os",
    "'''\n''' + __import__('os')",
    # unicode: Python takes other spellings of letters for the same
    "__ｉmport__('os')",
    "x.__ｃlass__",
    "x._＿class__",
    "ｅｖａｌ('1')",
    "𝑒𝑣𝑎𝑙('1')",
    "ｘ.＿＿class＿＿",
    "\u202ex",
    "x\u200b.y",
    "eval\x00('1')",
]


KNOWN_ONLY_WHEN_RUN = {
    "x['__cla' + 'ss__']",
    "x[f'__{word}__']",
    "format(x, '{0.__class__}')",
    "format('x', '__class__')",
    "format(1, 'n')",
}
"""Keys and formats are values: that there is no such key or format shows when they are known."""


class Tripwire(dict[str, Any]):
    """A scope that is looked at by the names of plans only."""

    def __missing__(self, name: str) -> Any:
        raise KeyError(name)


@pytest.fixture
def audit() -> Any:
    """What Python itself reports while expressions are read, typed and evaluated."""
    _EVENTS.clear()
    _WATCHING.append(True)
    yield _EVENTS
    _WATCHING.clear()


_EVENTS: list[str] = []
_WATCHING: list[bool] = []
_DANGEROUS = ("os.", "subprocess.", "import", "exec", "open", "socket.", "ctypes.", "pickle.", "sys._getframe")


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _WATCHING and event.startswith(_DANGEROUS):
        _EVENTS.append(event)


sys.addaudithook(_watch)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_no_escape_gets_anywhere(audit: list[str]) -> None:
    """Every one is diagnosed before it runs or fails when it runs; nothing is imported, opened or executed."""
    scope = Tripwire(x={"a": 1}, xs=[1, 2], word="class", yes=True)
    types = {
        "x": from_schema(SCHEMA),
        "xs": from_schema({"type": "array", "items": {"type": "integer"}}),
        "word": from_schema({"type": "string"}),
        "yes": from_schema({"type": "boolean"}),
    }
    evaluate(parse_expression("len(xs)"), scope)
    audit.clear()
    started = time.process_time()
    undiagnosed = set()
    for text in ESCAPES:
        expr = parse_expression(text)
        found: list[Diagnostic] = []
        type_expression(expr, types, found.append, ("answer",))
        if not found:
            undiagnosed.add(text)
        with pytest.raises(ExpressionError):
            evaluate(expr, scope)
        parse_template("${" + text + "}")
    assert undiagnosed <= KNOWN_ONLY_WHEN_RUN
    assert time.process_time() - started < 1.0
    # Reading Python's syntax is the one thing of the interpreter that is used.
    assert set(audit) <= {"compile"}
    assert len(ESCAPES) >= 60


def test_a_field_named_like_a_python_attribute_is_only_data() -> None:
    assert evaluate(parse_expression("x['__class__']"), {"x": {"__class__": "first"}}) == "first"
    assert evaluate(parse_expression("x.items"), {"x": {"items": 3}}) == 3
    with pytest.raises(ExpressionError, match="a list has no field 'append'"):
        evaluate(parse_expression("xs.append"), {"xs": []})


def test_objects_of_python_in_a_scope_cannot_be_looked_into() -> None:
    class Secret:
        password = "hunter2"

    scope = {"s": Secret(), "f": print}
    for text in (
        "s.password",
        "s['password']",
        "f'{s}'",
        "str(s)",
        "f('x')",
        "s == s and s.password",
        "len(s)",
        "[*s]",
    ):
        with pytest.raises(ExpressionError):
            evaluate(parse_expression(text), scope)
