"""Text of an HTML page, in one pass over it.

The standard library's parser takes quadratic time on unfinished tags, and a tree of a million nested elements is as
bad. Here every search that fails ends the scan, so the time is linear in the page whatever it holds.
"""

from __future__ import annotations

import html
import re

_TAG_NAME = re.compile(r"/?[A-Za-z][A-Za-z0-9:-]*")
_QUOTE_OR_END = re.compile(r"[\"'>]")
_SKIPPED = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "textarea", "select"})
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "caption",
            "dd",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
        ),
        *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "li", "main", "nav"),
        *("ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "title", "tr", "ul"),
    }
)
_CELLS = frozenset({"td", "th"})
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_BLANK_LINES = re.compile(r"\n(?: ?\n)+")


def html_to_text(page: str) -> str:
    """The visible text of `page`: a line for each block, a space between cells, without scripts and styles."""
    pieces: list[str] = []
    at, is_code = 0, False
    while (start := page.find("<", at)) >= 0:
        pieces.append(_content(page[at:start], is_code))
        is_code = (is_code or page[start : start + 4].lower() == "<pre") and page[start : start + 5].lower() != "</pre"
        at = _skip_markup(page, start, pieces)
        if at < 0:
            break
    else:
        pieces.append(_content(page[at:], is_code))
    lines = _SPACES.sub(" ", "".join(pieces)).replace(" \n", "\n").replace("\n ", "\n")
    return _BLANK_LINES.sub("\n", lines).strip()


def _skip_markup(page: str, start: int, pieces: list[str]) -> int:
    """Where the page goes on after the markup at `start`; -1 if it never does."""
    if page.startswith("<!--", start):
        return _after(page, "-->", start + 4)
    name = _TAG_NAME.match(page, start + 1)
    if name is None:
        if page.startswith(("<!", "<?", "</"), start):
            return _after(page, ">", start + 2)
        pieces.append("<")
        return start + 1
    end = _tag_end(page, name.end())
    word = name[0].lower()
    if word in _SKIPPED and end > 0 and not page.startswith("/>", end - 2):
        return _closing(page, word, end)
    plain = word.removeprefix("/")
    pieces.append("\n" if plain in _BLOCKS else " " if plain in _CELLS else "")
    return end


def _tag_end(page: str, at: int) -> int:
    """After the ``>`` that is not inside quotes."""
    while (found := _QUOTE_OR_END.search(page, at)) is not None:
        if found[0] == ">":
            return found.end()
        at = _after(page, found[0], found.end())
        if at < 0:
            return -1
    return -1


def _closing(page: str, name: str, at: int) -> int:
    """After the end tag of an element whose content is not text; such elements do not nest."""
    match = re.compile(rf"</{name}\b", re.IGNORECASE).search(page, at)
    return -1 if match is None else _tag_end(page, match.end())


def _after(page: str, mark: str, at: int) -> int:
    found = page.find(mark, at)
    return -1 if found < 0 else found + len(mark)


def _content(text: str, is_code: bool) -> str:
    """`text` with its character references resolved; line breaks mean something inside <pre> only."""
    try:
        text = html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return ""
    return text if is_code else text.replace("\n", " ")
