"""Large inventories of tools with requests for them: one generated, one of the Berkeley leaderboard."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.messages import Json
from agentkit.toolbox import RESERVED_NAMES, Tool, Toolbox


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the tools that it needs."""

    text: str
    tools: frozenset[str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Tools, and sets of requests for some of them, by name."""

    name: str
    tools: Toolbox
    requests: Mapping[str, tuple[Asked, ...]]


# generated: services × objects × actions; requests use the words on the right, tools those on the left

_SERVICES = """
calendar=diary: event=appointment attendee=guest room=meeting_place reminder=alert slot=free_time holiday=day_off
mail=inbox: message=letter draft=unsent_text folder=directory label=sticker attachment=enclosed_file filter=rule
crm=sales_system: lead=prospect account=client opportunity=possible_sale quote=price_offer call=phone_talk
    territory=area
billing=accounting: invoice=bill payment=money_transfer refund=money_back subscription=recurring_plan tax=duty
    coupon=discount_code
shop=online_store: product=article order=purchase cart=basket review=customer_opinion supplier=vendor stock=supply
warehouse=depot: pallet=wooden_platform shipment=delivery bin=shelf_place carrier=haulier return=sent_back_parcel
    count=tally
hr=personnel: employee=worker vacancy=open_job applicant=candidate absence=time_away salary=wage contract=agreement
tracker=bug_database: issue=defect sprint=two_week_iteration milestone=target_date comment=remark
    epic=big_piece_of_work worklog=hours_spent
repository=code_host: branch=line_of_development commit=change_set release=published_version tag=version_mark
    pull_request=proposed_change hook=callback
cloud=hosting: instance=virtual_machine bucket=storage_container network=subnet snapshot=disk_backup
    certificate=tls_credential function=serverless_code
monitoring=observability: metric=measured_value alarm=warning dashboard=overview_page trace=request_path
    log=recorded_line probe=health_check
files=drive: document=paper spreadsheet=table presentation=slide_deck folder=directory version=earlier_state
    link=web_address
chat=messenger: channel=discussion_room thread=conversation member=participant poll=vote emoji=smiley bot=robot
video=streaming: clip=short_film playlist=series caption=subtitle livestream=broadcast comment=remark
    thumbnail=preview_picture
music=audio_library: track=song album=record artist=performer playlist=mix lyric=text_of_a_song genre=style
travel=trips: flight=plane_connection hotel=accommodation car=rental_vehicle itinerary=route visa=entry_permit
    luggage=suitcase
maps=navigation: route=way_between_places place=location area=region marker=pin traffic=congestion elevation=height
weather=meteorology: forecast=outlook station=measuring_site storm=hurricane radar=rain_picture pollen=allergy_index
    tide=sea_level
bank=financial_institution: account=deposit card=plastic_money transfer=remittance loan=credit
    statement=list_of_transactions beneficiary=payee
health=medical: patient=sick_person appointment=consultation prescription=medicine_order vaccine=jab
    allergy=intolerance result=lab_finding
school=education: course=class student=pupil exam=test grade=mark lesson=teaching_hour homework=assignment
home=house_automation: light=lamp thermostat=heating_control lock=door_bolt camera=surveillance_lens
    scene=mood_setting sensor=detector
news=press: article=story headline=title source=publisher topic=subject correction=erratum newsletter=bulletin
restaurant=dining: menu=list_of_dishes table=seat booking=reservation dish=meal recipe=cooking_instruction
    allergen=intolerance_note
"""
SERVICES = dict(line.split(": ") for line in _SERVICES.replace("\n    ", " ").strip().splitlines())
"""Services, each with its objects; after ``=`` what people call it who have not read the descriptions."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done with an object, as its tool says it and as people say it."""

    name: str
    says: str
    asked: tuple[str, str]
    parameters: tuple[str, ...]


ACTIONS = (
    Action(
        "create",
        "Create a new {o}.",
        (
            "Set up one more {o}",
            "I want to add another {o}",
        ),
        ("name", "details"),
    ),
    Action(
        "list",
        "List every {o}, page by page.",
        (
            "Show me all I have: each {o}",
            "Go through the whole set of {o} entries",
        ),
        ("page", "page_size"),
    ),
    Action(
        "get",
        "Retrieve one {o} by its identifier.",
        (
            "Pull up the {o} with number 7",
            "What does {o} 4711 look like?",
        ),
        ("id",),
    ),
    Action(
        "update",
        "Update fields of an existing {o}.",
        (
            "Correct a mistake in the {o}",
            "Edit the {o}: it has changed",
        ),
        ("id", "fields"),
    ),
    Action(
        "delete",
        "Delete a {o} permanently.",
        (
            "Get rid of the {o} for good",
            "Erase that {o}",
        ),
        ("id", "confirm"),
    ),
    Action(
        "search",
        "Search {o} records by keyword.",
        (
            "Look for a {o} that mentions Oslo",
            "Which {o} has the word red in it?",
        ),
        ("query", "limit"),
    ),
    Action(
        "count",
        "Count {o} records that match a condition.",
        (
            "How many of them are there, by {o}?",
            "Give me the number of {o} entries",
        ),
        ("condition",),
    ),
    Action(
        "export",
        "Export {o} records to a CSV file.",
        (
            "Download the {o} data as a spreadsheet",
            "Save each {o} so that Excel can open it",
        ),
        ("path", "columns"),
    ),
    Action(
        "share",
        "Share a {o} with another user.",
        (
            "Let my colleague see the {o}",
            "Give Ann access to this {o}",
        ),
        ("id", "user", "role"),
    ),
    Action(
        "archive",
        "Archive a {o}.",
        (
            "Put the old {o} away but keep it",
            "Take that {o} out of sight without losing it",
        ),
        ("id",),
    ),
    Action(
        "duplicate",
        "Duplicate a {o}.",
        (
            "Make a copy of the {o}",
            "I need a second {o} just like the first",
        ),
        ("id", "new_name"),
    ),
    Action(
        "watch",
        "Watch a {o} for changes.",
        (
            "Tell me whenever the {o} is modified",
            "Notify us as soon as something happens to the {o}",
        ),
        ("id", "callback_url"),
    ),
)
_SAYS = """
name: What it is called.
details: Further fields.
page: Which page, from 1.
page_size: Rows a page.
id: The identifier.
fields: New values by field.
confirm: Must be true.
query: Keywords.
limit: Rows at most.
condition: An expression.
path: Where to write.
columns: Names of columns.
user: Whom to share with.
role: reader or editor.
new_name: What the copy is called.
callback_url: Called at each change.
"""
SAYS = dict(line.split(": ") for line in _SAYS.strip().splitlines())


def generated(requests: int = 500, seed: int = 20_231_101) -> Inventory:
    """The generated inventory: 24 services with 6 objects and 12 actions each, 1,728 tools.

    Every tool has 71 neighbours of its service and 11 of its own object. A request says service and action in other
    words than the tool; in the set ``other words`` the object too, in the set ``same noun`` it has the tool's word.
    """
    chance = random.Random(seed)
    tools: dict[str, Tool] = {}
    askable: list[tuple[Asked, Asked]] = []
    for service, objects in SERVICES.items():
        left, right = _sides(service)
        for one in objects.split():
            thing, spoken = _sides(one)
            for action in ACTIONS:
                name = _styled(chance, left, thing, action.name)
                says = f"{action.says.format(o=thing)} Part of the {left} service."
                tools[name] = _tool(name, says, action.parameters)
                frame, phrase = chance.choice(("{0} ({1})", "In our {1}: {0}")), chance.choice(action.asked)
                other, same = (frame.format(phrase.format(o=word), right) for word in (spoken, thing))
                askable.append((Asked(other, frozenset({name})), Asked(same, frozenset({name}))))
    chance.shuffle(askable)
    others, sames = zip(*askable[:requests], strict=True)
    return Inventory("generated", Toolbox(tools.values()), {"other words": others, "same noun": sames})


def _sides(pair: str) -> tuple[str, str]:
    left, _, right = pair.partition("=")
    return left.replace("_", " "), right.replace("_", " ")


def _styled(chance: random.Random, service: str, thing: str, action: str) -> str:
    """A name in one of the styles that interfaces use."""
    words = f"{service} {action} {thing}".split()
    if chance.random() < 0.5:
        return "_".join(words)
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _tool(name: str, description: str, parameters: tuple[str, ...]) -> Tool:
    properties: dict[str, Json] = {one: {"type": "string", "description": SAYS[one]} for one in parameters}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return Tool.from_schema(name=name, description=description, effect="write", input_schema=schema, call=dict)


# the Berkeley Function Calling Leaderboard (Apache 2.0), read from the files of its package; nothing of it is executed

QUESTIONS = ("simple_python", "multiple", "parallel", "parallel_multiple", "live_simple", "live_multiple")
"""Kinds of questions that have an answer in tools."""

MORE_FUNCTIONS = ("irrelevance", "live_irrelevance", "live_relevance", "simple_java", "simple_javascript")
_TYPES = {"string", "integer", "number", "boolean", "array", "object"}
_RENAMED = {"dict": "object", "float": "number", "tuple": "array"}


def berkeley(wheel: str | Path, requests: int = 500, seed: int = 20_231_101) -> Inventory:
    """The functions of the leaderboard, each name once, and a sample of its questions.

    Args:
        wheel: The wheel of ``bfcl-eval``, as ``pip download --no-deps`` leaves it.
        requests: How many questions.
        seed: Of the sample.
    """
    found: dict[str, dict[str, Any]] = {}
    askable: list[Asked] = []
    with zipfile.ZipFile(wheel) as package:
        for kind in (*QUESTIONS, *MORE_FUNCTIONS):
            for row in _rows(package, f"bfcl_eval/data/BFCL_v4_{kind}.json"):
                for one in row["function"]:
                    found.setdefault(_identifier(one["name"]), one)
        for kind in QUESTIONS:
            answers = {row["id"]: row for row in _rows(package, f"bfcl_eval/data/possible_answer/BFCL_v4_{kind}.json")}
            for row in _rows(package, f"bfcl_eval/data/BFCL_v4_{kind}.json"):
                said = [message["content"] for turn in row["question"] for message in turn if message["role"] == "user"]
                called = [name for call in answers[row["id"]]["ground_truth"] for name in call]
                askable.append(Asked("\n".join(said), frozenset(map(_identifier, called))))
    random.Random(seed).shuffle(askable)
    tools = Toolbox(_foreign(name, one) for name, one in found.items())
    return Inventory("BFCL v4", tools, {"questions": tuple(askable[:requests])})


def _rows(package: zipfile.ZipFile, member: str) -> Iterator[dict[str, Any]]:
    return map(json.loads, package.read(member).decode().splitlines())


def _identifier(name: str) -> str:
    plain = re.sub(r"\W", "_", name)
    return f"{plain}_tool" if plain in RESERVED_NAMES or not plain.isidentifier() else plain


def _foreign(name: str, said: Mapping[str, Any]) -> Tool:
    properties = said["parameters"].get("properties", {})
    schema = {"type": "object", "properties": {_identifier(one): _schema(field) for one, field in properties.items()}}
    description = said.get("description") or name
    return Tool.from_schema(name=name, description=description, effect="write", input_schema=schema, call=dict)


def _schema(field: Mapping[str, Any]) -> dict[str, Json]:
    """What a parameter says of itself, in JSON Schema; types of other languages are left open."""
    kind = str(field.get("type", ""))
    kind = _RENAMED.get(kind, kind)
    schema: dict[str, Json] = {"type": kind} if kind in _TYPES else {}
    if isinstance(field.get("description"), str):
        schema["description"] = field["description"]
    values = field.get("enum")
    if kind == "string" and isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        schema["enum"] = list(dict.fromkeys(values))
    return schema
