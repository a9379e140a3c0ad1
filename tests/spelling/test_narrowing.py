"""One narrowing for the grammar of a plan, of a line, and the schema: what is left out cannot be written in any."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llguidance import LLMatcher, LLTokenizer

from agentkit.errors import DefinitionError
from agentkit.plan import KINDS, Unreadable, walk
from agentkit.spelling import LineOption, line_grammar, plan_grammar, plan_schema, read_python, write_json
from agentkit.spelling.special_tokens import bracketed, demanded, find_special
from agentkit.toolbox import Tool, Toolbox
from agentkit.types import from_schema
from tests.random_plans import OUTPUTS, TOOLBOX, schema_of

TOKENIZER = LLTokenizer("byte")
EVERY = set(KINDS.values()) - {KINDS[Unreadable]}
PRODUCTS = from_schema(schema_of(OUTPUTS["search"]))
"""The type of a list of records."""

WRITTEN = {
    "call": "x = double(number=3)\nanswer(x)\n",
    "value": "x = 3\nanswer(x)\n",
    "if": "if 3 > 2:\n    x = double(number=3)\nanswer(1)\n",
    "for_each": 'products = search(query="a")\nx = [double(number=p.units) for p in products]\nanswer(x)\n',
    "repeat": "while 3 > 2:\n    x = double(number=3)\nanswer(1)\n",
    "generate": 'x = generate("Say.")\nanswer(x)\n',
    "ask": 'x = ask("What?")\nanswer(x)\n',
    "subgoal": 'x = subgoal("Do.")\nanswer(x)\n',
}
"""For each kind that Python grammars offer, a plan that needs it."""

LOOPS = {
    "for_each": "for p in products:",
    "repeat": "while len(products) > 2:",
    "if": "if len(products) > 2:",
}


def matches(lark: str, text: str) -> bool:
    """Whether a grammar admits exactly `text`."""
    grammar = LLMatcher.grammar_from_lark(lark)
    assert not LLMatcher.validate_grammar(grammar), lark
    matcher = LLMatcher(TOKENIZER, grammar)
    tokens = TOKENIZER.tokenize_str(text)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def whole(text: str, kinds: Collection[str] | None = None, toolbox: Toolbox = TOOLBOX) -> bool:
    return matches(plan_grammar(toolbox, kinds), text.removesuffix("\n"))


def line(text: str, kinds: Collection[str] | None = None, toolbox: Toolbox = TOOLBOX, **option: Any) -> bool:
    scope = {"products": PRODUCTS}
    return matches(line_grammar(toolbox, [LineOption(0, scope, **option)], kinds), f"{text}\n")


def in_schema(text: str, kinds: Collection[str] | None = None, toolbox: Toolbox = TOOLBOX) -> bool:
    validator = Draft202012Validator(plan_schema(toolbox, kinds))
    return validator.is_valid(json.loads(json.dumps(write_json(read_python(text, TOOLBOX)))))


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_kind_that_is_offered_can_be_written_and_one_that_is_left_out_cannot(kind: str) -> None:
    text = WRITTEN[kind]
    assert kind in {KINDS[type(step)] for step in walk(read_python(text, TOOLBOX).steps)}
    for writable in (whole, in_schema):
        assert writable(text)
        assert writable(text, EVERY)
        assert not writable(text, EVERY - {kind})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("call", "x = double(number=3)"),
        ("value", "x = 3"),
        ("if", "if len(products) > 2:"),
        ("for_each", "for p in products:"),
        ("for_each", "x = [double(number=p.units) for p in products]"),
        ("repeat", "while len(products) > 2:"),
        ("repeat", "for _ in range(3):"),
        ("generate", 'x = generate("Say.")'),
        ("ask", 'x = ask("What?")'),
    ],
)
def test_a_line_of_a_kind_that_is_left_out_cannot_be_written(kind: str, text: str) -> None:
    assert line(text)
    assert line(text, EVERY)
    assert not line(text, EVERY - {kind})


def test_without_repeat_no_round_can_depend_on_another() -> None:
    kinds = EVERY - {"repeat"}
    inside: dict[str, Any] = {"in_loop": True, "lists": ("products",), "answer": False}
    assert line("break", **inside)
    assert not line("break", kinds, **inside)
    assert line("products.append(len(products))", **inside)
    assert not line("products.append(len(products))", kinds, **inside)
    assert line("products.append(3)", kinds, **inside)
    carried = "x = 3\nfor p in products:\n    x = double(number=x)\nanswer(x)\n"
    assert whole(carried)
    assert not whole(carried, kinds)
    assert whole("x = 3\nfor p in products:\n    double(number=x)\nanswer(x)\n", kinds)


def test_only_the_selected_tools_can_be_called() -> None:
    few = TOOLBOX.select("search")
    assert line('x = search(query="a")', None, few)
    assert not line("x = double(number=3)", None, few)
    assert whole('x = search(query="a")\nanswer(x)\n', None, few)
    assert not whole(WRITTEN["call"], None, few)
    assert in_schema('x = search(query="a")\nanswer(x)\n', None, few)
    assert not in_schema(WRITTEN["call"], None, few)


@pytest.mark.parametrize("kinds", [[], ["if", "repeat", "for_each"], ["parallel"], ["value"], ["generate"]])
@pytest.mark.parametrize("toolbox", [TOOLBOX, Toolbox()])
def test_every_narrowing_makes_grammars_that_can_be_used(kinds: list[str], toolbox: Toolbox) -> None:
    assert whole("answer(1)\n", kinds, toolbox) is (not set(kinds) & {"value", "generate"})
    assert line("answer(1)", kinds, toolbox)
    assert line("pass", [], toolbox, answer=None)
    assert LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(plan_grammar(toolbox, kinds))) == ""


@pytest.mark.parametrize("narrowed", [plan_grammar, plan_schema, lambda box, kinds: line_grammar(box, [], kinds)])
def test_an_unknown_kind_is_an_error(narrowed: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        narrowed(TOOLBOX, ["call", "for_eech"])
    assert str(caught.value) == (
        "there is no step kind 'for_eech'; the kinds are ask, call, for_each, generate, if, parallel, repeat, subgoal, "
        "value. Did you mean 'for_each'?"
    )


SPECIAL = ["<|im_start|>", "a<|endoftext|>b", "</s>", "[INST]", "<｜begin▁of▁sentence｜>", "<unknown_token>"]
ODD = Tool.from_schema(
    name="odd",
    description="Do it.",
    effect="write",
    input_schema={
        "type": "object",
        "properties": {
            "kind": {"enum": [*SPECIAL, "plain", 'a"\n\\']},
            "<|im_end|>": {"type": "string"},
            "a-b": {"type": "integer"},
            "from": {"type": "integer"},
        },
        "required": ["kind", "<|im_end|>"],
    },
    output_schema={
        "type": "object",
        "properties": {"<|x|>": {"type": "integer"}, "class": {"type": "integer"}, "_a": {"type": "integer"}},
    },
    call=lambda args: args,
)
ODDBOX = Toolbox(ODD)


@pytest.mark.parametrize("value", [*SPECIAL, "plain", 'a"\n\\'])
def test_a_special_token_in_a_value_is_spelled_otherwise_and_reads_back(value: str) -> None:
    literal = _spelled(value)
    text = f'odd(kind={literal}, **{{"\\x3c|im_end|>": "x"}}, **{{"a-b": 1}})'
    assert line(text, None, ODDBOX)
    grammar = plan_grammar(ODDBOX) + line_grammar(ODDBOX, [LineOption(0, {"o": ODD.output_type})])
    assert not find_special(grammar)
    (step,) = read_python(f"x = {text}\n", ODDBOX).steps
    assert write_json_args(step) == {"kind": value, "<|im_end|>": "x", "a-b": 1}


def _spelled(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for token in bracketed(text):
        text = text.replace(token, f"\\x{ord(token[0]):02x}{token[1:]}")
    return text


def write_json_args(step: Any) -> Any:
    return {name: expr.value for name, expr in step.args.items()}


def test_arguments_that_are_no_keywords_can_be_written_in_a_whole_plan() -> None:
    text = 'x = odd(kind="plain", **{"\\x3c|im_end|>": "x"}, **{"from": 1})\nanswer(x["class"])\n'
    assert whole(text, None, ODDBOX)
    assert read_python(text, ODDBOX).problems == ()


@pytest.mark.parametrize("reference", ['o["\\x3c|x|>"]', 'o["class"]', 'o["_a"]'])
def test_fields_that_are_no_attributes_can_be_referred_to(reference: str) -> None:
    grammar = line_grammar(ODDBOX, [LineOption(0, {"o": ODD.output_type})])
    assert matches(grammar, f"answer({reference})\n")


def test_a_schema_for_llama_cpp_demands_no_special_token() -> None:
    schema = plan_schema(ODDBOX)
    assert not any(map(find_special, demanded(schema)))
    plan = read_python('x = odd(kind="<|im_start|>", **{"<|im_end|>": "x"})\nanswer(1)\n', ODDBOX)
    Draft202012Validator(schema).validate(json.loads(json.dumps(write_json(plan))))
