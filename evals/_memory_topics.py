"""What the evaluation set of memories is made of: names, topics, and small talk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST = [
    "Ada",
    "Bruno",
    "Clara",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Lars",
    "Mona",
    "Nils",
    "Olga",
    "Pablo",
    "Rosa",
    "Sven",
    "Tara",
    "Umar",
    "Vera",
    "Wim",
    "Yara",
    "Zeno",
    "Alma",
    "Boris",
    "Carla",
    "Dario",
    "Emil",
    "Fiona",
]
LAST = [
    "Keller",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quist",
    "Rossi",
    "Silva",
    "Tanaka",
    "Ulrich",
    "Varga",
    "Weiss",
    "Yilmaz",
    "Zhou",
    "Abbas",
    "Berg",
    "Costa",
    "Duarte",
    "Eklund",
    "Fischer",
]


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of fact: how it is told, how it is asked for now and for a month, and its values.

    `several` says that people may have several at once, as everybody knows: two pets are no contradiction.
    """

    told: Sequence[str]
    asked: Sequence[str]
    then: str
    values: Sequence[str]
    several: bool = False


TOPICS = (
    Topic(
        ("{p} lives in {v}.", "{p} has moved to {v}.", "{p} now rents a flat in {v}."),
        ("Which town does {p} call home?", "Where should I send a parcel for {p}?"),
        "In which town was {p} at home in {t}?",
        ["Bern", "Porto", "Ghent", "Krakow", "Lyon", "Turin", "Malmo", "Graz", "Bilbao", "Leeds", "Tartu", "Split"],
    ),
    Topic(
        ("{p} works as a {v}.", "{p} started a new job as a {v}.", "{p} earns a living as a {v}."),
        ("What is the profession of {p}?", "What does {p} do at the office all day?"),
        "What was the profession of {p} in {t}?",
        [
            "nurse",
            "baker",
            "lawyer",
            "welder",
            "pilot",
            "gardener",
            "dentist",
            "tailor",
            "teacher",
            "plumber",
            "chemist",
            "farmer",
        ],
    ),
    Topic(
        ("{p} cannot eat {v}.", "{p} is allergic to {v}.", "The doctor told {p} to avoid {v}."),
        ("What must not be in the dinner I cook for {p}?", "Which food makes {p} ill?"),
        "Which food did {p} have to leave out in {t}?",
        [
            "peanuts",
            "shellfish",
            "gluten",
            "eggs",
            "sesame",
            "celery",
            "mustard",
            "soy",
            "lupin",
            "strawberries",
            "milk",
            "almonds",
        ],
        several=True,
    ),
    Topic(
        ("{p} drives a {v}.", "{p} bought a {v}.", "{p} sold the old car and got a {v}."),
        ("Which vehicle belongs to {p}?", "What should I look for in the car park to find {p}?"),
        "Which vehicle did {p} have in {t}?",
        ["Fiat", "Volvo", "Skoda", "Toyota", "Mazda", "Renault", "Tesla", "Honda", "Peugeot", "Saab", "Kia", "Subaru"],
    ),
    Topic(
        ("{p} plays the {v}.", "{p} takes lessons on the {v}.", "{p} has taken up the {v}."),
        ("Which instrument would {p} bring to a concert?", "What kind of music lesson does {p} go to?"),
        "Which instrument did {p} practise in {t}?",
        [
            "cello",
            "flute",
            "trumpet",
            "harp",
            "banjo",
            "oboe",
            "drums",
            "organ",
            "violin",
            "tuba",
            "zither",
            "clarinet",
        ],
        several=True,
    ),
    Topic(
        ("{p} is learning {v}.", "{p} has signed up for a course in {v}.", "{p} practises {v} every evening."),
        ("Which language does {p} study?", "In what tongue is {p} trying to become fluent?"),
        "Which language was {p} studying in {t}?",
        [
            "Finnish",
            "Korean",
            "Arabic",
            "Welsh",
            "Hindi",
            "Basque",
            "Swahili",
            "Czech",
            "Greek",
            "Thai",
            "Maltese",
            "Danish",
        ],
        several=True,
    ),
    Topic(
        ("{p} has a pet {v}.", "{p} adopted a {v}.", "A {v} has come to live with {p}."),
        ("What animal waits at home for {p}?", "Which creature does {p} feed every morning?"),
        "What animal did {p} keep in {t}?",
        [
            "parrot",
            "ferret",
            "tortoise",
            "hamster",
            "spaniel",
            "gecko",
            "rabbit",
            "goldfish",
            "beagle",
            "canary",
            "hedgehog",
            "poodle",
        ],
        several=True,
    ),
    Topic(
        ("{p} wants to be reached by {v}.", "Contact {p} through {v}.", "{p} only answers on {v}."),
        ("How do I get a message to {p}?", "What is the best channel to write to {p}?"),
        "How did one get a message to {p} in {t}?",
        [
            "e-mail",
            "Signal",
            "Telegram",
            "fax",
            "post",
            "Matrix",
            "WhatsApp",
            "Threema",
            "Skype",
            "Slack",
            "pager",
            "Discord",
        ],
    ),
)
RELATIVES = ("brother", "sister", "neighbour", "cousin")
CHATTER = (
    "We talked about {p} and the weather on {d}.",
    "{p} was late for lunch on {d}.",
    "Reminded the user to call {p} back about the photos.",
    "{p} sent a postcard and hopes to visit soon.",
    "The user laughed about a story that {p} told at the party.",
)
THINGS = ("lamp", "desk", "kettle", "tent", "camera", "coat", "clock", "vase")
STATES = ("came late", "was sent back", "never arrived", "came broken", "was cancelled", "came twice")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
