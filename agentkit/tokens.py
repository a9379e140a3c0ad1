"""How many tokens a text or a conversation costs a model.

Three ways, the first that is there: the model's own tokenizer (`CountsTokens`: local models have one), OpenAI's public
encodings for OpenAI's models (package `bpe-openai`, which carries them), and an estimate.

The estimate errs on the side of too many, so that a prompt that was measured with it still fits. Against OpenAI's
encodings it gives 1 to 1.4 times the true number for English, source code and JSON, and 0.85 to 4 times for other
languages, most where an encoding packs a script tightly, as `o200k_base` does Devanagari; `tests/test_tokens.py` holds
it to that. It gives too few where a text has no structure: two thirds for base64, down to a half for pictographs.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Any

from agentkit.messages import Message
from agentkit.protocols import CountsTokens, Model

MESSAGE_OVERHEAD = 5
"""Tokens around one message: its role and the marks of the chat template (ChatML has five)."""

CALL_OVERHEAD = 8
"""Tokens around one tool call in a message, besides its name, its id and its arguments."""

REPLY_OVERHEAD = 3
"""Tokens that open the reply."""

_REMEMBERED = 20_000
_LONGEST_PIECE = 100_000
_OLD_ENCODING = ("gpt-3.5", "gpt-4-", "gpt-4:")

_PIECE = re.compile(
    r"(?P<word>[A-Z]?[a-z]+)|(?P<caps>[A-Z]+)|(?P<digit>\d)|(?P<gap>[ \t]+(?=\d)|\s{2,}|[^\S ])"
    r"|(?P<mark>[!-/:-@\[-`{-~\x00-\x08\x0e-\x1b\x7f]+)|(?P<other>[^\x00-\x7f]+)"
)

Count = Callable[[Sequence[str]], Awaitable[list[int]]]


class TokenCounter:
    """Counts tokens the way of one model, and remembers the texts that it has counted.

    Attributes:
        name: Whose count it is: the model's id, ``o200k_base``, ``cl100k_base`` or ``estimate``.
        exact: The text's tokens are the model's own. What stands around messages is always an allowance.
    """

    def __init__(self, name: str, count: Count, *, exact: bool) -> None:
        self.name = name
        self.exact = exact
        self._count = count
        self._known: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"TokenCounter({self.name!r}, exact={self.exact})"

    async def texts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            if len(self._known) + len(new) > _REMEMBERED:
                self._known = {text: self._known[text] for text in texts if text in self._known}
            self._known.update(zip(new, await self._count(new), strict=True))
        return [self._known[text] for text in texts]

    async def each(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of each message: its text, its tool calls, and what stands around them."""
        parts = [_parts(message) for message in messages]
        counted = iter(await self.texts([text for texts, _ in parts for text in texts]))
        return [overhead + sum(next(counted) for _ in texts) for texts, overhead in parts]

    async def count(self, messages: Sequence[Message]) -> int:
        """The tokens of a conversation that is about to be answered."""
        return sum(await self.each(messages)) + REPLY_OVERHEAD


def counter_for(model: Model) -> TokenCounter:
    """The best counter for `model`; see the module for which that is."""
    if isinstance(model, CountsTokens):
        return TokenCounter(model.name, model.count_tokens, exact=True)
    inner = getattr(model, "model", None)
    if inner is not None and hasattr(inner, "profile"):
        return counter_for(inner)
    provider, _, name = model.name.partition(":")
    encoding = _openai_encoding(name) if provider == "openai" else None
    if encoding is not None:
        return TokenCounter(encoding.name, _counting(encoding.encode_ordinary), exact=True)
    return ESTIMATE


async def count_tokens(messages: Sequence[Message], model: Model) -> int:
    """The tokens that `model` would read of `messages`, as well as can be known here."""
    return await counter_for(model).count(messages)


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is, rather too many than too few; see the module for how far off it may be."""
    total = 0
    for match in _PIECE.finditer(text):
        length = match.end() - match.start()
        match match.lastgroup:
            case "word":
                total += 1 if length <= 7 else (length + 2) // 5
            case "caps":
                total += (length + 2) // 3
            case "mark":
                total += (length + 1) // 2 if length < 8 else 2 + length // 4
            case "gap":
                total += 1 + length // 16
            case "digit":
                total += 1
            case _:
                total += math.ceil(len(match.group().encode("utf-8", "surrogatepass")) * 0.4)
    return total


def _parts(message: Message) -> tuple[list[str], int]:
    """The texts of a message and the allowance for what stands around them."""
    texts = [message.content]
    for call in message.tool_calls:
        texts += [call.name, call.id, json.dumps(dict(call.args), ensure_ascii=False, default=str)]
    if message.tool_call_id is not None:
        texts.append(message.tool_call_id)
    return [text for text in texts if text], MESSAGE_OVERHEAD + CALL_OVERHEAD * len(message.tool_calls)


def _openai_encoding(name: str) -> Any:
    """The public encoding of one of OpenAI's models; None if the package that carries it is not installed."""
    old = name == "gpt-4" or name.startswith(_OLD_ENCODING)
    return _encoding("cl100k_base" if old else "o200k_base")


@cache
def _encoding(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how the package reads its own files
        try:
            import bpe_openai
        except ImportError:
            return None
        return bpe_openai.get_encoding(name)


def _counting(encode: Callable[[str], Sequence[Any]]) -> Count:
    """Counts with an encoder that does not take texts of any length: a cut costs a token at most."""

    async def count(texts: Sequence[str]) -> list[int]:
        return [sum(len(encode(piece)) for piece in _pieces(text)) for text in texts]

    return count


def _pieces(text: str) -> Iterable[str]:
    return (text[start : start + _LONGEST_PIECE] for start in range(0, len(text), _LONGEST_PIECE))


async def _estimates(texts: Sequence[str]) -> list[int]:
    return [estimate_tokens(text) for text in texts]


ESTIMATE = TokenCounter("estimate", _estimates, exact=False)
"""Counts when nothing better is there."""
