"""Texts that a model's tokenizer may read as one of its special tokens, such as ``<|im_start|>``.

A grammar that demands such a text demands what a model cannot write as text: its engine reads the token, and the
grammar fails. llama.cpp then goes on without the grammar. So grammars spell the text in another way, or do without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from agentkit.messages import Json

_LIKELY: Final = re.compile(
    r"<[|｜][^<>\s]*[|｜]>|</?(?:s|unk|pad|bos|eos|mask|cls|sep|think|tool_call|tool_response|start_of_turn|end_of_turn"
    r"|image|fim_\w+|unused\d+|extra_id_\d+|0x[0-9A-Fa-f]{2})>|\[/?(?:INST|SYS|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]"
)
_BRACKETED: Final = re.compile(r"<[^<>\s]*>|\[/?[A-Z_]+\]")


def find_special(text: str) -> str:
    """The first special token that common models have in `text`; empty if there is none."""
    found = _LIKELY.search(text)
    return found[0] if found else ""


def bracketed(text: str) -> list[str]:
    """The parts of `text` that have the form of special tokens, those of unknown models included."""
    return _BRACKETED.findall(text)


def spelled_out(literal: str) -> str:
    """A Python text literal that means the same and in which no tokenizer finds a special token."""
    return _BRACKETED.sub(lambda found: f"\\x{ord(found[0][0]):02x}{found[0][1:]}", literal)


def demanded(schema: Json) -> Iterator[str]:
    """The texts that values of a JSON Schema must hold: constants, and names of properties."""
    if isinstance(schema, list):
        for part in schema:
            yield from demanded(part)
    if not isinstance(schema, Mapping):
        return
    constants = [schema["const"]] if "const" in schema else schema.get("enum", ())
    for constant in constants if isinstance(constants, list) else ():
        yield from _texts(constant)
    for name, part in schema.items():
        if name == "properties" and isinstance(part, Mapping):
            yield from part
            yield from demanded(list(part.values()))
        elif name not in ("const", "enum", "default", "examples"):
            yield from demanded(list(part.values()) if name == "$defs" and isinstance(part, Mapping) else part)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        yield from (text for part in value.values() for text in _texts(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in _texts(part))


def without_special(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A schema that demands no special token: it takes more where it did."""
    found = dict(schema)
    for name in ("enum", "const"):
        if name in found and any(map(find_special, demanded({name: found[name]}))):
            texts = [found.pop(name)] if name == "const" else found.pop(name)
            found |= {"type": "string"} if all(isinstance(text, str) for text in texts) else {}
    fields = found.get("properties")
    if isinstance(fields, Mapping):
        found["properties"] = {name: without_special(part) for name, part in fields.items() if not find_special(name)}
        if len(found["properties"]) < len(fields):
            found["required"] = [name for name in found.get("required", ()) if name in found["properties"]]
            found["additionalProperties"] = True
    for name in ("items", "additionalProperties"):
        if isinstance(found.get(name), Mapping):
            found[name] = without_special(found[name])
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if isinstance(found.get(name), list):
            found[name] = [without_special(part) for part in found[name]]
    return found
