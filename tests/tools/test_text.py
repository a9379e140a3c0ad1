"""Text, JSON and CSV tools, and the bounds on patterns and queries."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import MissingDependencyError, ModelRetry
from agentkit.toolbox import Toolbox
from agentkit.tools import text
from agentkit.tools.text import (
    count_text,
    csv_to_json,
    diff_texts,
    extract_between,
    find_pattern,
    hash_text,
    json_to_csv,
    parse_json,
    query_json,
    replace_pattern,
)

PEOPLE = {"people": [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 10}, {"name": "Cy", "age": 50}]}


def refusal_of(use: Any, *arguments: Any) -> str:
    with pytest.raises(ModelRetry) as refusal:
        use(*arguments)
    return str(refusal.value)


def test_counts_characters_words_and_lines() -> None:
    assert count_text("one two\nthree") == {"characters": 13, "words": 3, "lines": 2}
    assert count_text("") == {"characters": 0, "words": 0, "lines": 0}


def test_finds_matches_with_their_places_and_groups() -> None:
    found = find_pattern("id=7\nno\nid=12, id=é", r"id=(\d+)?")
    assert found == {
        "matches": [
            {"text": "id=7", "start": 0, "line": 1, "groups": ["7"]},
            {"text": "id=12", "start": 8, "line": 3, "groups": ["12"]},
            {"text": "id=", "start": 15, "line": 3, "groups": [None]},
        ],
        "count": 3,
        "truncated": False,
    }


def test_a_limit_is_kept_and_said() -> None:
    found = find_pattern("aaa", "a", limit=2)
    assert (found["count"], found["truncated"]) == (2, True)
    assert refusal_of(find_pattern, "a", "a", False, 0) == "limit must be from 1 to 1000, not 0"


def test_replaces_with_groups() -> None:
    assert replace_pattern("a1 b2", r"([a-z])(\d)", r"\2\1") == {"text": "1a 2b", "count": 2}
    assert replace_pattern("x=1", r"(?P<key>\w)=", r"\g<key>: ") == {"text": "x: 1", "count": 1}
    assert replace_pattern("A a", "a", "-", ignore_case=True) == {"text": "- -", "count": 2}
    assert replace_pattern("abc", "x*", "-")["text"] == "-a-b-c-"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "the pattern '(' is invalid: missing ): ("),
        (
            "(?=a)",
            (
                "the pattern '(?=a)' is invalid: invalid perl operator: (?= (there are no look-arounds and back "
                "references; search in several steps)"
            ),
        ),
        ("a" * 1001, "the pattern has 1001 characters; at most 1000 are taken"),
        ("\ud800", "the pattern contains half a character (a lone surrogate); write the whole character"),
    ],
)
def test_bad_patterns_are_explained(pattern: str, message: str) -> None:
    assert refusal_of(find_pattern, "text", pattern) == message


def test_bad_replacements_are_explained() -> None:
    assert refusal_of(replace_pattern, "a", "(a)", r"\2") == (
        r"the replacement '\\2' names group 2, which the pattern lacks"
    )
    assert refusal_of(replace_pattern, "a", "a", r"\q") == (
        r"the replacement '\\q' has '\\q' in it; write \\ for a backslash"
    )


@pytest.mark.parametrize(
    ("pattern", "subject"),
    [
        ("(a+)+$", "a" * 50_000 + "b"),
        ("(x+x+)+y", "x" * 500_000),
        ("(.*)(.*)(.*)(.*)[ab]z", "x" * 100_000),
        ("((a{0,100}){0,100}){0,100}x", "a" * 10_000),
        ("(?:(?:(?:a{1000}){1000}){1000}){1000}", "a"),
        ("a(.*z)?", "a" * 1_000_000),
    ],
)
def test_no_pattern_can_hang_or_fill_the_memory(pattern: str, subject: str) -> None:
    started = time.monotonic()
    try:
        find_pattern(subject, pattern, limit=1000)
    except ModelRetry:
        pass
    finally:
        assert time.monotonic() - started < 5


def test_quadratic_work_is_stopped() -> None:
    assert refusal_of(replace_pattern, "a" * 1_000_000, "a(.*z)?", "b") == (
        "the pattern takes longer than 2 s on this text; make it more specific"
    )


def test_a_replacement_cannot_explode() -> None:
    assert refusal_of(replace_pattern, "a" * 2000, "(a)", r"\1" + "x" * 10_000) == (
        "the replaced text is longer than 1000000 characters; replace less"
    )
    assert refusal_of(find_pattern, "a" * 1_000_001, "a") == (
        "the text has 1000001 characters; at most 1000000 are taken; split it"
    )


def test_extracts_what_stands_between_markers() -> None:
    assert extract_between("<b>one</b> <b>two</b> <b>three", "<b>", "</b>") == ["one", "two"]
    assert extract_between("none", "<", ">") == []
    assert refusal_of(extract_between, "x", "", ">") == "start and end are texts that mark a part; neither may be empty"


def test_compares_texts_line_by_line() -> None:
    assert diff_texts("a\nb\n", "a\nc\nd\n") == {
        "equal": False,
        "added": 2,
        "removed": 1,
        "diff": "--- before\n+++ after\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d",
    }
    assert diff_texts("a", "a") == {"equal": True, "added": 0, "removed": 0, "diff": ""}
    assert refusal_of(diff_texts, "a\n" * 3000, "b\n" * 3000) == (
        "the texts have 6000 lines; at most 4000 can be compared"
    )


def test_hashes_are_those_of_the_standard() -> None:
    assert hash_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_text("abc", "md5") == "900150983cd24fb0d6963f7d28e17f72"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('{"a": [1, 2', "not JSON: Expecting ',' delimiter at line 1, column 12, near '{\"a\": [1, 2'"),
        ("NaN", "not JSON that can be used: NaN is not a JSON number"),
        ("1e999", "not JSON that can be used: '1e999' is too large for a number"),
        ("1" * 5000, f"not JSON that can be used: '{'1' * 77}...' is too large for a number"),
        ("[" * 100_000, "the JSON text is nested more than 100 deep"),
        ("[" * 101 + "]" * 101, "the JSON text is nested more than 100 deep"),
    ],
)
def test_what_is_not_json_is_explained(source: str, message: str) -> None:
    assert refusal_of(parse_json, source) == message


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("people[?age > `20`].name", ["Ann", "Cy"]),
        ("max_by(people, &age).name", "Cy"),
        ("sort_by(people, &age)[*].{who: name, years: age} | [0]", {"who": "Bob", "years": 10}),
        ("sum(people[].age)", 90),
        ("nobody", None),
    ],
)
def test_queries_json(expression: str, result: object) -> None:
    assert query_json(PEOPLE, expression) == result


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "people[",
            (
                "the JMESPath expression 'people[' failed: Invalid jmespath expression: Incomplete expression: "
                '"people[" ^'
            ),
        ),
        ("nope(@)", "the JMESPath expression 'nope(@)' failed: Unknown function: nope()"),
        ("&people", "'&people' has '&' outside a function such as sort_by(); leave it out"),
        ("`NaN`", "the JMESPath expression '`NaN`' failed: Out of range float values are not JSON compliant"),
        ("a" * 501, "the expression has 501 characters; at most 500 are taken"),
    ],
)
def test_bad_queries_are_explained(expression: str, message: str) -> None:
    assert refusal_of(query_json, PEOPLE, expression) == message


@pytest.mark.parametrize(
    "bomb",
    [" | ".join(["[@,@]"] * 60), " | ".join(["[@,@][]"] * 40), "|".join(["join('',[@,@])"] * 30)],
)
def test_queries_cannot_multiply_their_data(bomb: str) -> None:
    assert refusal_of(query_json, ["x"] * 1000, bomb) == (
        f"the expression {bomb[:77] + '...'!r} copies its data too many times; select less, in several steps"
    )


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@given(st.text(alphabet="people[]?*.&@|{}:(),`1'age nm_sortby", max_size=25))
def test_any_query_gives_json_or_a_refusal(expression: str) -> None:
    try:
        json.dumps(query_json(PEOPLE, expression), allow_nan=False)
    except ModelRetry:
        return


def test_reads_csv_by_its_header() -> None:
    assert csv_to_json('name,note\nAnn,"a, b"\n\nBob,\n') == [
        {"name": "Ann", "note": "a, b"},
        {"name": "Bob", "note": ""},
    ]
    assert csv_to_json("a;b\n1;2", ";") == [{"a": "1", "b": "2"}]
    assert csv_to_json("") == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a,b\n1,2\n3", "row 2 has 1 cells and the header has 2 columns"),
        ("a,a\n", "the header 'a', 'a' must name every column differently"),
        ('a\n"x', "not CSV: unexpected end of data"),
    ],
)
def test_crooked_csv_is_explained(source: str, message: str) -> None:
    assert refusal_of(csv_to_json, source) == message


def test_writes_csv_with_every_key_as_a_column() -> None:
    rows: list[dict[str, object]] = [{"a": 1, "b": None}, {"a": "x,y", "c": [1, 2]}]
    assert json_to_csv(rows) == 'a,b,c\n1,,\n"x,y",,"[1, 2]"\n'
    assert json_to_csv([]) == ""


@given(
    st.lists(st.fixed_dictionaries({"a": st.text(alphabet='x,";\n é'), "b": st.text(alphabet='y,";\n')}), min_size=1)
)
def test_csv_there_and_back_is_the_same(rows: list[dict[str, object]]) -> None:
    assert csv_to_json(json_to_csv(rows)) == rows


@pytest.mark.parametrize(
    ("module", "use", "message"),
    [
        (
            "re2",
            lambda: find_pattern("a", "a"),
            ("regular expressions need the package 'google-re2'; install it with: pip install google-re2"),
        ),
        (
            "jmespath",
            lambda: query_json([], "a"),
            ("JSON queries need the package 'jmespath'; install it with: pip install jmespath"),
        ),
    ],
)
def test_a_missing_package_is_named(module: str, use: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError) as refusal:
        use()
    assert str(refusal.value) == message


async def test_the_family_is_a_toolbox_of_pure_tools() -> None:
    toolbox = Toolbox(text.TOOLS)
    toolbox.validate()
    assert len(toolbox) == 10
    assert {one.effect for one in toolbox.values()} == {"pure"}
    assert await parse_json.invoke(parse_json.bind({"text": '{"a": [1, null]}'})) == {"a": [1, None]}
    assert await query_json.invoke(query_json.bind({"data": PEOPLE, "expression": "people[0].name"})) == "Ann"
