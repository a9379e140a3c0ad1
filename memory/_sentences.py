"""Sentences of what a user says, told of the user: "I live in Bern" becomes "The user lives in Bern"."""

from __future__ import annotations

import re

_ABBREVIATIONS = ("Dr.", "Mr.", "Mrs.", "Ms.", "St.", "Prof.", "e.g.", "i.e.", "vs.", "No.")
_SHORT_FORMS = (
    (r"\bI'm\b", "I am"),
    (r"\bcan't\b", "cannot"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\b(I|we|they|you)'ve\b", r"\1 have"),
    (r"\b(I|we|they|you|he|she)'ll\b", r"\1 will"),
    (r"\b(I|we|they|you|he|she)'d\b", r"\1 would"),
    (r"\b([Hh]e|[Ss]he|[Ii]t)'s\b", r"\1 is"),
)
_ADVERBS = (
    "absolutely|actually|already|also|always|currently|definitely|just|mostly|never|no longer|now|often|only|really|"
    "recently|still|sometimes|usually"
)
_I_DO = re.compile(rf"\b[Ii]\b((?: (?:{_ADVERBS}))*) (\w+)")
_OF_ONESELF = re.compile(r"(?:(?:no|well|actually|sorry|yes|ok(?:ay)?|oh)\b,? )*(?:I\b|my )", re.IGNORECASE)
"""How a sentence begins in which a comma before "I" parts two statements; after "When I …" it does not."""
_FIRST_PERSON = re.compile(r"\b(I|my|me|mine|myself)\b", re.IGNORECASE)
_OTHERS = {"i": "the user", "my": "the user's", "me": "the user", "mine": "the user's", "myself": "themselves"}
_AS_IT_IS = re.compile(
    "ate|became|began|bought|came|can|cannot|could|did|drank|drove|felt|found|gave|got|grew|had|kept|knew|left|lost|made|"
    "may|met|might|must|paid|ran|said|saw|sent|should|slept|sold|thought|told|took|was|went|were|will|won|would|wrote"
)
_IRREGULAR = {"am": "is", "are": "is", "have": "has", "do": "does"}


def sentences(text: str) -> list[str]:
    """The sentences of a text, in their order, without the white space around them."""
    found: list[str] = []
    for line in text.splitlines():
        parts = re.split(r"(?<=[.!?])\s+", line.strip())
        whole = ""
        for part in parts:
            whole = f"{whole} {part}".strip()
            if not whole.endswith(_ABBREVIATIONS):
                found += [whole] if whole else []
                whole = ""
        found += [whole] if whole else []
    return found


def clauses(sentence: str) -> list[str]:
    """The parts of a sentence in each of which the user says something of themselves: "I …, and my …", "I …, I …"."""
    parts = re.split(r",? (?:and|but) (?=I\b|my |My )|; (?=I\b|my |My )", sentence)
    return [piece for part in parts for piece in (_spliced(part) if _OF_ONESELF.match(part) else [part])]


def _spliced(part: str) -> list[str]:
    """The statements of a sentence that only commas part; "No, I …" and "…, I think, …" are one."""
    pieces = re.split(r", (?=I (?!think|guess|believe|suppose|know|hope|mean)|I'|my )", part)
    if re.search(r"\b(?:I|my)\b", pieces[0], re.IGNORECASE) is None and len(pieces) > 1:
        pieces[:2] = [f"{pieces[0]}, {pieces[1]}"]
    return pieces


def long_forms(text: str) -> str:
    """The text without contractions such as "don't"."""
    text = text.replace("’", "'")
    for short, long in _SHORT_FORMS:
        text = re.sub(short, long, text)
    return text


def third_person(text: str) -> str:
    """What the user says of themselves, said of the user."""
    text = _I_DO.sub(lambda found: f"the user{found[1]} {_third(found[2])}", long_forms(text))
    text = _FIRST_PERSON.sub(lambda found: _OTHERS[found[1].lower()], text)
    return text[:1].upper() + text[1:]


def _third(verb: str) -> str:
    """The verb after "the user"; a verb in the past stays as it is."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if _AS_IT_IS.fullmatch(verb) or verb.endswith("ed"):
        return verb
    if re.search(r"(s|sh|ch|x|z|o)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"
