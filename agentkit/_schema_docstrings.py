"""Reads descriptions out of Google, NumPy and Sphinx docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import docstring_parser
from docstring_parser import DocstringStyle

_STYLES = (
    (
        re.compile(r"^\s*:(param|parameter|arg|argument|key|return|returns|raise|raises)\b.*:", re.MULTILINE),
        DocstringStyle.REST,
    ),
    (re.compile(r"^\s*(Parameters|Returns|Raises|Yields)[ ]*\n\s*-{3,}", re.MULTILINE), DocstringStyle.NUMPYDOC),
    (re.compile(r"^\s*@(param|return|raise)\b.*:", re.MULTILINE), DocstringStyle.EPYDOC),
)
_OPENS_WITH_SECTION = re.compile(r"\s*(Args|Arguments|Parameters|Params|Returns|Raises):\s*\n")
_NO_SUMMARY = "No summary."


@dataclass(frozen=True, slots=True)
class Docs:
    """What a docstring says.

    Attributes:
        description: The text before the sections.
        parameters: Description by parameter name.
    """

    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_docstring(text: str | None) -> Docs:
    """The description and the parameters' descriptions of a docstring; empty where it has none."""
    if not text or not text.strip():
        return Docs()
    # The parser looks for sections below a summary only; where there is none, it gets one to be dropped again.
    lacks_summary = _OPENS_WITH_SECTION.match(text) is not None
    text = inspect.cleandoc(f"{_NO_SUMMARY}\n\n{text.lstrip()}" if lacks_summary else text)
    # The style is told by its marks: trying all of them, as the parser's automatic mode does, costs three times more.
    style = next((style for mark, style in _STYLES if mark.search(text)), DocstringStyle.GOOGLE)
    try:
        parsed = docstring_parser.parse(text, style)
    except docstring_parser.ParseError:
        return Docs(text)
    parts = (parsed.short_description, parsed.long_description)
    between = "\n\n" if parsed.blank_after_short_description else "\n"
    parameters = {
        name.strip().lstrip("*"): " ".join(parameter.description.split())
        for parameter in parsed.params
        if parameter.description and parameter.args[0] != "attribute"
        for name in parameter.arg_name.split(",")  # NumPy's "start, end : date" describes two
    }
    description = between.join(part.strip() for part in parts if part)
    return Docs("" if description == _NO_SUMMARY else description, parameters)
