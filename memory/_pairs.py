"""Comparing two sentences by what a small model reads in each: about whom, on which topic, which value.

Asked which of two sentences holds, models of this size guess; asked what each says, they read. The rest is arithmetic.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from agentkit.calling import ModelCaller
from agentkit.lexical import STOP_WORDS, query_words
from agentkit.memory.deciding import Opinion
from agentkit.messages import Json, Message, ModelSettings, assistant, system, user

_INSTRUCTIONS = """\
Say of each of two notes, an earlier and a later one, who or what it is about, the topic in a word or two, and the \
value. If both notes are on one topic, name it alike. Where somebody may have several, the topic is the one that is \
meant and the value is yes. The value of what is over is none."""

_YES, _NONE = "yes", "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says.

    Attributes:
        who: The person or thing that it is about.
        topic: What of it.
        value: ``yes`` for one of several, ``none`` for what is over.
    """

    who: str
    topic: str
    value: str

    @property
    def words(self) -> tuple[str, str, str]:
        """The parts without articles, case and punctuation."""
        return (_plain(self.who), _plain(self.topic), _plain(self.value))

    def is_of(self, text: str) -> bool:
        """Whether a text has the words for whom it is about and for the value: else the reading is made up."""
        said = [word[:4] for word in query_words(text)]
        value = "" if self.value in (_YES, _NONE) else self.value
        return all(word[:4] in said for word in _plain(f"{self.who} {value}").split())


_EXAMPLES = (
    ("Tom Hill has a dog.", Reading("Tom Hill", "dog", _YES)),
    ("Tom Hill adopted a cat.", Reading("Tom Hill", "cat", _YES)),
    ("Tom Hill lives in Rome.", Reading("Tom Hill", "home", "Rome")),
    ("Tom Hill has moved to Oslo.", Reading("Tom Hill", "home", "Oslo")),
    ("Eva Lind lives in Rome.", Reading("Eva Lind", "home", "Rome")),
    ("The son of Eva Lind lives in Oslo.", Reading("the son of Eva Lind", "home", "Oslo")),
    ("Eva Lind works as a cook.", Reading("Eva Lind", "job", "cook")),
    ("Eva Lind earns a living as a cook.", Reading("Eva Lind", "job", "cook")),
    ("The meeting is on Monday.", Reading("the meeting", "day", "Monday")),
    ("The meeting has been put off to Tuesday.", Reading("the meeting", "day", "Tuesday")),
    ("Eva Lind drives a bus.", Reading("Eva Lind", "vehicle", "bus")),
    ("Eva Lind came to dinner on Monday.", Reading("Eva Lind", "dinner", "Monday")),
    ("Tom Hill has climbed the Eiger.", Reading("Tom Hill", "Eiger", _YES)),
    ("Tom Hill has climbed the Ortler.", Reading("Tom Hill", "Ortler", _YES)),
    ("Eva Lind plays chess.", Reading("Eva Lind", "game", "chess")),
    ("Eva Lind has given up chess.", Reading("Eva Lind", "game", _NONE)),
)
"""Sentences and what they say; each two are an earlier and a later one."""

_PART: dict[str, Json] = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "maxLength": 60},
        "topic": {"type": "string", "maxLength": 30},
        "value": {"type": "string", "maxLength": 60},
    },
    "required": ["who", "topic", "value"],
    "additionalProperties": False,
}
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"earlier": _PART, "later": _PART},
    "required": ["earlier", "later"],
    "additionalProperties": False,
}


async def compare(caller: ModelCaller, known: str, said: str) -> tuple[Opinion, str]:
    """What becomes of a known sentence and of one that was said later, and why.

    Raises:
        ModelError: The model failed for good, or its replies cannot be used.
        LimitReached: A budget of the run is used up.
    """
    examples: list[Message] = []
    for (earlier, old), (later, new) in zip(_EXAMPLES[::2], _EXAMPLES[1::2], strict=True):
        rows = {"earlier": asdict(old), "later": asdict(new)}
        examples += [user(_pair(earlier, later)), assistant(json.dumps(rows))]
    messages = (system(_INSTRUCTIONS, cache=True), *examples, user(_pair(known, said)))
    settings = ModelSettings(temperature=0.0, max_tokens=150).for_profile(caller.profile)
    found = await caller.json(messages, _SCHEMA, purpose="memory", settings=settings)
    old, new = Reading(**found["earlier"]), Reading(**found["later"])
    if not old.is_of(known) or not new.is_of(said):
        return "insert", "the model did not read what the sentences say"
    return _compared(old, new)


def _compared(old: Reading, new: Reading) -> tuple[Opinion, str]:
    (whom, topic, before), (other, another, after) = old.words, new.words
    if (whom, topic) != (other, another):
        return "insert", "it is about something else than what is known"
    about = f"both say the {new.topic} of {new.who}"
    if before == after:
        return "ignore", f"{about}, and it is known"
    if after == _NONE:
        return "delete", f"{about}, and it is over"
    return "replace", f"{about}, and the new one says another"


def _pair(known: str, said: str) -> str:
    return f"Earlier: {known}\nLater: {said}"


def _plain(text: str) -> str:
    words = query_words(text)
    return " ".join(word for word in words if word not in STOP_WORDS) or " ".join(words)
