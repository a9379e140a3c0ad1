"""What the rules understand: sentences in the third person, statements, dates."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.memory import Grammar, Relation, Statement
from agentkit.memory._dates import begins, dated, ends
from agentkit.memory._sentences import clauses, sentences, third_person

SATURDAY = datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I live in Bern.", "The user lives in Bern."),
        ("I'm a nurse and my son is 3", "The user is a nurse and the user's son is 3"),
        ("I’ve moved to Porto", "The user has moved to Porto"),
        ("I don't eat meat", "The user does not eat meat"),
        ("I really love it; give it to me", "The user really loves it; give it to the user"),
        ("I study law", "The user studies law"),
        ("I went there", "The user went there"),
        ("Ada lives in Ghent.", "Ada lives in Ghent."),
    ],
)
def test_what_users_say_of_themselves_is_told_of_the_user(said: str, told: str) -> None:
    assert third_person(said) == told


def test_what_the_user_says_of_two_things_is_taken_apart() -> None:
    assert clauses("I live in Bern, and my son is 3 but I love jazz and tea.") == [
        "I live in Bern",
        "my son is 3",
        "I love jazz and tea.",
    ]


def test_sentences_end_at_their_marks_and_at_lines() -> None:
    text = "I saw Dr. Moreau. She is kind!\nWill it rain? e.g. today"
    assert sentences(text) == ["I saw Dr. Moreau.", "She is kind!", "Will it rain?", "e.g. today"]


@pytest.mark.parametrize(
    ("sentence", "statement"),
    [
        ("The user lives in Bern.", Statement("user", "home", "bern", single=True)),
        (
            "Actually, the user works as a nurse in a clinic",
            Statement("user", "job", "nurse", "in a clinic", single=True, changes=True),
        ),
        (
            "The user does not live in Bern any more",
            Statement("user", "home", "bern", negated=True, single=True, changes=True),
        ),
        ("The user no longer has a dog.", Statement("user", "has", "dog", negated=True, changes=True)),
        ("The user does not like tea", Statement("user", "opinion of tea", "bad", single=True)),
        ("The user prefers tea to coffee.", Statement("user", "choice of coffee or tea", "tea", single=True)),
        ("Ada's favourite colour is blue", Statement("ada", "favourite colour", "blue", single=True)),
        ("The capital of France is Paris", Statement("france", "capital", "paris", single=True)),
        ("Contact Ada by e-mail.", Statement("ada", "contact", "e-mail", single=True)),
        ("The user is 34.", Statement("user", "age", "34", single=True)),
        ("The user rated the film 4 out of 5", Statement("user", "rating of film", "4", single=True)),
        ("The brother of Ada drives a Fiat", Statement("brother of ada", "vehicle", "fiat", single=True)),
    ],
)
def test_a_sentence_is_read_as_a_statement(sentence: str, statement: Statement) -> None:
    assert Grammar().read(sentence) == statement


@pytest.mark.parametrize(
    ("sentence", "subject", "relation", "value", "negated"),
    [
        ("The cousin of Ada is learning Welsh.", "cousin of ada", "studies", "welsh", False),
        ("The user's brother is allergic to nuts.", "user's brother", "cannot eat", "nuts", False),
        ("The user's brother is not allergic to nuts.", "user's brother", "cannot eat", "nuts", True),
        ("Ada's son is 3.", "ada", "son", "3", False),
        ("Ada's son is a keen cyclist.", "ada's son", "is a", "keen cyclist", False),
        ("The sister of Ada is a nurse.", "sister of ada", "is a", "nurse", False),
        ("Ada's car is a Fiat.", "ada", "car", "fiat", False),
        ("The user's e-mail address is ada@example.org.", "user", "email", "ada@example.org", False),
        ("The user's favorite color is blue.", "user", "favourite colour", "blue", False),
        ("The user's job is a mess.", "user", "job", "mess", False),
        ("The capital of France is Paris.", "france", "capital", "paris", False),
    ],
)
def test_what_somebody_of_somebody_does_is_said_of_them_and_who_they_are_of_the_other(
    sentence: str, subject: str, relation: str, value: str, negated: bool
) -> None:
    said = Grammar().read(sentence)
    assert said is not None
    assert (said.subject, said.relation, said.value, said.negated) == (subject, relation, value, negated)


@pytest.mark.parametrize("sentence", ["A rabbit has come to live with Ada.", "Some friends of Ada love jazz."])
def test_something_that_is_not_named_is_spoken_of_by_nobody_else(sentence: str) -> None:
    assert Grammar().read(sentence) is None


@pytest.mark.parametrize("sentence", ["Who lives in Bern?", "What is the capital of France?", "Sum these numbers", ""])
def test_what_states_nothing_is_no_statement(sentence: str) -> None:
    assert Grammar().read(sentence) is None


def test_relations_of_one_s_own_are_understood_first() -> None:
    grammar = Grammar([Relation("team", "plays for", single=True), *Grammar().relations])
    assert grammar.read("Ada plays for Ghent.") == Statement("ada", "team", "ghent", single=True)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("The user is away until 2026-12-01", "2026-12-02"),
        ("on leave till 5 December", "2026-12-06"),
        ("valid through January 3, 2027", "2027-01-04"),
        ("in Oslo until Monday", "2026-11-24"),
        ("until tomorrow", "2026-11-23"),
        ("busy today", "2026-11-22"),
        ("works from home this week", "2026-11-23"),
        ("works from home this month", "2026-12-01"),
    ],
)
def test_a_fact_with_an_end_says_when_it_ends(text: str, day: str) -> None:
    found = ends(text, SATURDAY)
    assert found is not None
    assert f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d}" == day


def test_a_length_counts_from_now_and_no_end_is_none() -> None:
    assert ends("away for the next two weeks", SATURDAY) == SATURDAY + 14 * 86_400
    assert ends("worked there for two weeks", SATURDAY) is None
    assert ends("until 2026-02-31", SATURDAY) is None


def test_a_beginning_is_never_later_than_now() -> None:
    since = begins("has lived there since 2024-05-01", SATURDAY)
    assert since == datetime(2024, 5, 1, tzinfo=UTC).timestamp()
    assert begins("starting 2027-01-01", SATURDAY) == SATURDAY
    assert begins("moved yesterday", SATURDAY) == datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    assert begins("lives in Bern", SATURDAY) is None


def test_words_that_mean_another_day_tomorrow_are_dated() -> None:
    assert dated("The user flies tomorrow.", SATURDAY) == "The user flies tomorrow. (said on 2026-11-21)"
    assert dated("The user flies.", SATURDAY) == "The user flies."


_WORDS = st.sampled_from(
    [
        "I",
        "my",
        "the user",
        "Ada",
        "lives in",
        "has moved to",
        "does not",
        "no longer",
        "likes",
        "prefers",
        "to",
        "is",
        "3",
        "two",
        "Bern",
        "dogs",
        "and",
        "until",
        "Friday",
        "Contact",
        "through",
        "Asked",
        '"',
        ",",
        ".",
        "?",
        "'s",
        "ß",
        "\n",
    ]
)


@given(st.lists(_WORDS, max_size=12).map(" ".join) | st.text(max_size=80))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    for sentence in sentences(text):
        for part in clauses(sentence):
            told = third_person(part)
            said = Grammar().read(told)
            assert said is None or said.relation
            ends(told, SATURDAY)
            begins(told, SATURDAY)


def test_a_long_text_is_not_searched_for_hours() -> None:
    started = time.process_time()
    for word in ("I like ", "not ", "no, ", "the a ", "I prefer ", "has two "):
        assert Grammar().read(word * 2_000) is None
        Grammar().read((word * 500)[:999])
    assert time.process_time() - started < 2
