"""What a sentence says, as far as patterns tell: of whom, in which relation, which value, and whether it denies it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from agentkit.errors import DefinitionError
from agentkit.memory._sentences import long_forms


@dataclass(frozen=True)
class Relation:
    """A way of saying something about somebody.

    Attributes:
        name: What it is called, such as ``home``.
        words: A regular expression, without regard to case, of what stands between the subject and the value.
        single: It has one value at a time: a second one contradicts the first, or replaces it.
        whole: The value goes to the end of the sentence; otherwise to the first "with", "since", comma and so on.

    Raises:
        DefinitionError: `words` is no regular expression.
    """

    name: str
    words: str
    single: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        try:
            _ = self.pattern
        except re.error as error:
            raise DefinitionError(
                f"Relation({self.name!r}, {self.words!r}): no regular expression, {error.msg}."
            ) from None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression for a whole sentence."""
        return re.compile(rf"^(?P<subject>.+?) (?:{_ADVERBS} )*(?:{self.words}) (?P<value>.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a sentence says.

    Attributes:
        subject: Of whom or what, in lower case.
        relation: In which relation.
        value: Which value, in lower case, without its article.
        more: What the sentence says besides, such as "since May".
        negated: It says that this is not so.
        single: The relation has one value at a time.
        changes: It says that something has changed, such as "now" or "no longer".
    """

    subject: str
    relation: str
    value: str
    more: str = ""
    negated: bool = False
    single: bool = False
    changes: bool = False


MOST_CHARACTERS = 1_000
"""Longer sentences are not read."""

_ADVERBS = "(?:also|always|currently|just|mostly|now|only|really|recently|still|usually|actually|then|too)"
_IS_A = Relation("is a", r"is an?")
RELATIONS: tuple[Relation, ...] = (
    Relation(
        "home",
        r"(?:lives?|lived|is living|resides?) in|(?:has |have )?(?:just )?(?:moved|relocated) to|is based in"
        r"|(?:now )?rents? an? \w+ in",
        single=True,
    ),
    Relation(
        "job",
        r"(?:works?|worked|is working|is employed) as|(?:has )?(?:started|began|got|found) a new job as|became"
        r"|earns? (?:a|his|her|their) living as",
        single=True,
    ),
    Relation(
        "employer",
        r"(?:works?|working|is working) (?:at|for)|(?:has )?joined|is employed (?:at|by)|moved to work for",
        single=True,
    ),
    Relation("called", r"is (?:called|named)", single=True),
    Relation("wants to be called", r"(?:wants|would like|likes) to be called|goes by", single=True),
    Relation(
        "contact",
        r"(?:wants|prefers|likes|would like) to be (?:reached|contacted) (?:by|on|via|through|at)|answers on"
        r"|is (?:best )?reached (?:by|on|via|through)",
        single=True,
    ),
    Relation("spouse", r"is married to|(?:has )?married", single=True),
    Relation("vehicle", r"drives?|sold the old car and (?:got|bought)", single=True),
    Relation("diet", r"is(?: an?)?(?= (?:vegan|vegetarian|pescatarian)\b)", single=True),
    Relation("cannot eat", r"is allergic to|cannot eat|must not eat|has to avoid|avoids|does not tolerate"),
    Relation("plays", r"plays|takes (?:\w+ )?lessons on|(?:has )?taken up|(?:has )?started to play"),
    Relation("studies", r"is (?:learning|studying)|studies|learns|practises|practices|has signed up for a course in"),
    Relation("pet", r"has a pet|(?:has )?adopted"),
    Relation("has", r"has|owns|(?:has )?bought|(?:has )?got"),
    Relation("speaks", r"speaks"),
    _IS_A,
)
"""The relations that are known by default."""

_OPINION = re.compile(
    r"^(?P<subject>.+?) (?:(?:really|absolutely|also|still|always) )*"
    r"(?:(?P<good>loves?|loved|likes?|liked|enjoys?|enjoyed|adores?|is (?:a |an? \w+ )?fan of)"
    r"|(?P<bad>hates?|hated|dislikes?|disliked|cannot stand|detests?)) (?P<value>.+)$",
    re.IGNORECASE,
)
_RATING = re.compile(
    r"^(?P<subject>.+?) (?:rated|rates?|gave|gives?) (?P<value>.+?) (?:an? )?(?P<score>\d+(?:\.\d+)?)"
    r"(?: ?/ ?\d+| out of \d+| stars?)?$",
    re.IGNORECASE,
)
_PREFERS = re.compile(
    r"^(?P<subject>.+?) (?:(?:now|really|still|always) )?prefers? (?P<value>.+?) "
    r"(?:to|over|rather than|instead of) (?P<other>.+)$",
    re.IGNORECASE,
)
_PREFERS_ONE = re.compile(r"^(?P<subject>.+?) (?:(?:now|really|still|always) )?prefers? (?P<value>.+)$", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"^(?:(?P<subject>.+?)'s (?P<name>[\w -]+?)|the (?P<name2>[\w -]+?) of (?P<subject2>.+?)) (?:is|are|was|will be) "
    r"(?:now |in fact |actually )?(?P<value>(?!called |named ).+)$",
    re.IGNORECASE,
)
_AGE = re.compile(r"^(?P<subject>.+?) is (?P<value>\d+)(?: years old)?$", re.IGNORECASE)
_COUNT = re.compile(
    r"^(?P<subject>.+?) (?:(?:now|also) )?has (?P<value>no|one|two|three|four|five|six|seven|eight|nine|ten|\d+) "
    r"(?P<name>[\w -]+?)(?P<more>(?:,|:| called| named| and| in| at| on).*)?$",
    re.IGNORECASE,
)
_THING = re.compile(
    r"^the (?P<subject>[\w' -]+?) (?:is|are) (?:now |in fact |actually )?(?P<value>(?!not\b).+)$", re.IGNORECASE
)
_CONTACT = re.compile(
    r"^(?:contact|reach|write to|message) (?P<subject>.+?) (?:by|on|via|through) (?P<value>.+)$", re.IGNORECASE
)
_ANSWER = re.compile(r"^asked (?P<subject>.+), you answered (?P<value>.+)$", re.IGNORECASE | re.DOTALL)

_OPENING = re.compile(
    r"^(?:(?:well|actually|no|nope|ok(?:ay)?|yes|by the way|btw|in fact|correction|sorry|now|these days|currently|and"
    r"|but|so|please|from now on|(?:please )?(?:remember|note|keep in mind|do not forget)(?: that)?:?)[,:;]? )+",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(now|no longer|any ?more|instead|moved|relocated|changed|switched|started|began|became|new|from now on"
    r"|these days|recently|just|quit|stopped|gave up|actually|correction|sold|no,|nope|in fact|taken up|got)\b|^no\b",
    re.IGNORECASE,
)
_OVER = re.compile(r"\b(no longer|any ?more|stopped|quit|gave up)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r" (?:does not|do not|did not|has not|is no longer|no longer|never|(?:has )?(?:stopped|quit)|gave up)(?= )"
    r"|(?<= is) not(?= )|(?<= are) not(?= )|(?<= was) not(?= )",
    re.IGNORECASE,
)
_DETAIL = re.compile(
    r"(?:,| (?:with|near|since|because|until|till|for|from|on|at|by|in|and|but|which|who|where|when|as|after|before"
    r"|every|each)\b).*$",
    re.IGNORECASE | re.DOTALL,
)
_CLOSING = re.compile(r"(?:,? (?:now|any ?more|these days|too|instead|again|at the moment|though))+$", re.IGNORECASE)
_SAID_ON = re.compile(r" \(said on \d{4}-\d\d-\d\d\)$")


class Grammar:
    """Reads sentences as statements.

    Args:
        relations: Those to be known, the first that fits counts.
    """

    def __init__(self, relations: Sequence[Relation] = RELATIONS) -> None:
        self.relations = tuple(relations)

    def read(self, text: str) -> Statement | None:
        """What a sentence says; None if no pattern fits, or it is too long."""
        said = long_forms(text.strip())
        if said.endswith("?") or len(said) > MOST_CHARACTERS:
            return None
        changes, over = bool(_CHANGE.search(said)), bool(_OVER.search(said))
        plain = _CLOSING.sub("", _SAID_ON.sub("", _OPENING.sub("", said)).rstrip(".!;, "))
        found, negated = self._special(plain, denied=False), False
        if found is None:
            found = self._plain(plain)
        if found is None or _NEGATION.search(plain):
            positive = _third(_NEGATION.sub("", plain, count=1))
            negated = positive != _third(plain)
            again = (self._special(positive, denied=negated) or self._plain(positive)) if negated else None
            found, negated = (again, True) if again is not None else (found, False)
        if found is None or _UNREAL.search(found[0]) or _INDEFINITE.match(found[0]):
            return None
        subject, relation, value, more, single = found
        opinion = relation.startswith("opinion of ")
        return Statement(
            _name(subject), relation, _name(value), more, negated and not opinion, single, changes or (negated and over)
        )

    def _special(self, text: str, *, denied: bool) -> tuple[str, str, str, str, bool] | None:
        found = self._related(text, attribute=True) if _ATTRIBUTE.match(text) else None  # "Ada's son is learning Welsh"
        return found or _special(text, denied=denied)

    def _related(self, text: str, *, attribute: bool = False) -> tuple[str, str, str, str, bool] | None:
        """What it says in the words of a relation.

        Of an attribute, "is a" says which one it is ("Ada's car is a Fiat"), but of a person what they are, besides
        whatever else they are ("Ada's son is a nurse").
        """
        for relation in self.relations:
            found = relation.pattern.match(text)
            if found is None or _asks(found["subject"]):
                continue
            of_a_person = relation is not _IS_A or _PERSON.search(found["subject"])
            if attribute and (not of_a_person or _IS.search(found["subject"])):
                continue
            value, more = (found["value"], "") if relation.whole else _parted(found["value"])
            return found["subject"], relation.name, value, more, relation.single
        return None

    def _plain(self, text: str) -> tuple[str, str, str, str, bool] | None:
        if found := self._related(text):
            return found
        if (thing := _THING.match(text)) and not thing["subject"].lower().startswith("user"):
            return thing["subject"], "is", *_parted(thing["value"]), True
        return None


def without_opening(text: str) -> str:
    """A sentence without "No, ", "By the way, " and so on at its beginning."""
    plain = _OPENING.sub("", text)
    return plain[:1].upper() + plain[1:]


def is_over(text: str) -> bool:
    """Whether a sentence says that something has ended, such as "no longer"."""
    return bool(_OVER.search(long_forms(text)))


def _special(text: str, *, denied: bool) -> tuple[str, str, str, str, bool] | None:
    """Relations whose name depends on what is said: answers, opinions, ratings, preferences, attributes."""
    if found := _ANSWER.match(text):
        return "assistant", f"answer to {_name(found['subject'])}", found["value"], "", True
    if _asks(text):
        return None
    if found := _CONTACT.match(text):
        return found["subject"], "contact", *_parted(found["value"]), True
    if (found := _COUNT.match(text)) and not denied:
        return (
            found["subject"],
            f"number of {found['name'].lower()}",
            found["value"],
            (found["more"] or "").strip(),
            True,
        )
    if found := _RATING.match(text):
        return found["subject"], f"rating of {_name(found['value'])}", found["score"], "", True
    if found := _OPINION.match(text):
        good = bool(found["good"]) != denied
        return found["subject"], f"opinion of {_name(found['value'])}", "good" if good else "bad", "", True
    if found := _PREFERS.match(text):
        pair = " or ".join(sorted((_name(found["value"]), _name(found["other"]))))
        return found["subject"], f"choice of {pair}", found["value"], "", True
    if " to be " not in text and (found := _PREFERS_ONE.match(text)):
        return found["subject"], "prefers", *_parted(found["value"]), False
    if found := _ATTRIBUTE.match(text):
        name = (found["name"] or found["name2"]).lower()
        for spelt, usual in _SPELLINGS:
            name = re.sub(spelt, usual, name)
        relation = "called" if name in ("name", "first name") else name
        return found["subject"] or found["subject2"], relation, *_parted(found["value"]), True
    if found := _AGE.match(text):
        return found["subject"], "age", found["value"], "", True
    return None


def _third(text: str) -> str:
    """``The user live in`` after "does not" was taken out: the verb with its ending again."""
    return re.sub(
        r"\b(live|work|play|speak|drive|study|own|prefer|like|love|enjoy|hate|eat|learn|reside)\b(?= )",
        lambda verb: f"{verb[1][:-1]}ies" if verb[1] == "study" else f"{verb[1]}s",
        text,
        count=1,
    )


_QUESTION = re.compile(r"(?:who|what|which|where|when|why|how|do|does|is|can|could|if|would|tell)\b", re.IGNORECASE)
_PERSON = re.compile(
    r"\b(?:(?:grand|step)?(?:mother|father|son|daughter)|mum|mom|dad|parent|child|brother|sister|sibling|twin|wife|husband"
    r"|spouse|partner|(?:girl|boy)?friend|fiancée?|cousin|uncle|aunt|nephew|niece|boss|colleague|neighbou?r|(?:room|flat)mate)"
    r"(?: of .+)?$",
    re.IGNORECASE,
)
_SPELLINGS = ((r"\be-?mail(?: address)?\b", "email"), (r"\bfavorite\b", "favourite"), (r"\bcolor\b", "colour"))
_IS = re.compile(r" (?:is|are|was|were) ")
_INDEFINITE = re.compile(r"(?:an?|another|some|someone|somebody)\b", re.IGNORECASE)
_UNREAL = re.compile(r"\b(?:would|could|should|can|will|might|must|to|not|thinks|think|that)$", re.IGNORECASE)


def _asks(subject: str) -> bool:
    """Whether a sentence that begins so asks."""
    return bool(_QUESTION.match(subject))


def _parted(value: str) -> tuple[str, str]:
    """A value, and what is said besides."""
    short = _DETAIL.sub("", value).strip()
    return (short, value[len(short) :].strip(" ,")) if short else (value, "")


def _name(text: str) -> str:
    """How things are compared: lower case, no article, no punctuation around."""
    return re.sub(r"^(?:the|an?|my|some) ", "", text.lower().strip(" .,;:!?\"'“”")).strip()
