"""What model calls cost: prices from a data file of agentkit's and one of your own.

`agentkit/models/prices.toml` has the published prices of OpenAI's and Anthropic's models, with the day on which they
were read. A file of the same form that the environment variable ``AGENTKIT_PRICES`` names goes before it, and
`ModelProfile.price` goes before both. Models in this process and servers on a loopback address cost nothing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from agentkit.errors import DefinitionError
from agentkit.messages import ModelResponse, Price, Usage
from agentkit.models.safety import is_loopback
from agentkit.protocols import Model

PRICES_VARIABLE = "AGENTKIT_PRICES"
"""The environment variable that names a file of prices to look at first."""

BUILT_IN = Path(__file__).with_name("prices.toml")
"""The prices that come with agentkit."""

FREE = Price(0.0, 0.0)
"""What a model costs that runs on this machine."""

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
_FREE_PROVIDERS = ("local:", "test:")


@dataclass(frozen=True, slots=True)
class PriceTable:
    """A file of prices.

    Attributes:
        path: The file.
        read: The day on which the prices were read, as ``2026-11-21``; empty where the file does not say.
        sources: Where they were read.
        prices: By model id, or by a pattern of ids with ``*`` and ``?``.
    """

    path: Path
    read: str
    sources: tuple[str, ...]
    prices: dict[str, Price]

    def find(self, model_id: str) -> Price | None:
        """The price of a model; its exact name goes before a pattern, and a snapshot's own before the model's."""
        return self._find(model_id) or self._find(_SNAPSHOT.sub("", model_id))

    def _find(self, name: str) -> Price | None:
        exact = self.prices.get(name)
        if exact is not None:
            return exact
        return next((price for pattern, price in self.prices.items() if fnmatchcase(name, pattern)), None)


def price_of(model_id: str) -> Price | None:
    """What a model costs, None if nobody says.

    Args:
        model_id: As `resolve_model` takes it. ``openai-chat:`` costs what ``openai:`` does.

    Raises:
        DefinitionError: The file that ``AGENTKIT_PRICES`` names cannot be read or is malformed.
    """
    return _price_of(model_id, os.environ.get(PRICES_VARIABLE) or None)


def cost_of(usage: Usage, model_id: str) -> float:
    """US dollars of one call of a model; 0 where its price is unknown (see `price_of`)."""
    price = price_of(model_id)
    return 0.0 if price is None else price.cost(usage)


def price_of_model(model: Model) -> Price | None:
    """What a model costs: what its profile says, else `price_of` its name."""
    return model.profile.price or price_of(model.name)


def unpriced(model: Model) -> tuple[str, ...]:
    """The names of the models whose calls cannot be priced: of `model`, or of those that it wraps.

    A model that hands requests on to several others has them in an attribute ``models``, a tuple.
    """
    inner = getattr(model, "models", ())
    if inner and isinstance(inner, tuple):
        return tuple(dict.fromkeys(name for one in inner for name in unpriced(one)))
    return () if price_of_model(model) is not None else (model.name,)


def priced(response: ModelResponse, model: Model) -> ModelResponse:
    """A response with its cost, where neither the provider nor a wrapped model gave one and the price is known."""
    usage = response.usage
    if usage.cost or response.cached or not usage.total_tokens:
        return response
    price = price_of_model(model)
    return response if price is None else replace(response, usage=replace(usage, cost=price.cost(usage)))


def most_costly(usage: Usage, model: Model) -> float:
    """What `usage` costs at most, in US dollars, where nobody knows which of several wrapped models it was."""
    inner = getattr(model, "models", ())
    if inner and isinstance(inner, tuple):
        return max(most_costly(usage, one) for one in inner)
    price = price_of_model(model)
    return 0.0 if price is None else price.cost(usage)


def check_priced(model: Model, cost_limit: float) -> None:
    """Refuse a limit on money that could not be held.

    Raises:
        DefinitionError: The price of `model`, or of one that it wraps, is unknown.
    """
    names = unpriced(model)
    if names:
        raise DefinitionError(
            f"the limit cost={cost_limit:g} cannot be held: nobody says what the model {names[0]!r} costs. Name a file "
            f"with its price in {PRICES_VARIABLE}, or give it a ModelProfile with price=Price(…), or limit tokens= "
            "instead of cost="
        )


@lru_cache(maxsize=256)
def _price_of(model_id: str, own: str | None) -> Price | None:
    name = re.sub("^openai-chat:", "openai:", model_id)
    if own is not None:
        price = read_prices(Path(own)).find(name)
        if price is not None:
            return price
    if name.startswith(_FREE_PROVIDERS) or ("://" in name and is_loopback(name)):
        return FREE
    return read_prices(BUILT_IN).find(name)


_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@with_config(ConfigDict(extra="forbid"))
class _Rates(TypedDict):
    input: _Dollars
    output: _Dollars
    cached_input: NotRequired[_Dollars]
    cache_write: NotRequired[_Dollars]


class _Long(_Rates):
    over: Annotated[int, Field(gt=0)]


class _Entry(_Rates):
    models: Annotated[list[str], Field(min_length=1)]
    long: NotRequired[_Long]


@lru_cache(maxsize=8)
def read_prices(path: Path) -> PriceTable:
    """Read a file of prices; once a path.

    Raises:
        DefinitionError: It cannot be read, is not TOML, or has other fields than `prices.toml`.
    """
    try:
        rows = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionError(f"cannot read the prices of {str(path)!r}: {error}") from error
    try:
        entries = TypeAdapter(list[_Entry]).validate_python(rows.get("price", []))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("price", *first["loc"])))
        raise DefinitionError(
            f"the prices of {str(path)!r} are malformed at {place}: {first['msg']}. Expected [[price]] tables like "
            'models = ["openai:NAME"], input = 1.25, output = 10, in US dollars per million tokens'
        ) from None
    unknown = sorted(rows.keys() - {"read", "sources", "price"})
    if unknown:
        raise DefinitionError(
            f"the prices of {str(path)!r} have the unknown key {unknown[0]!r}; expected read, sources and price"
        )
    prices = {name: price for entry in entries for name, price in _named(entry)}
    return PriceTable(path, str(rows.get("read", "")), tuple(rows.get("sources", ())), prices)


def _named(entry: Any) -> Iterator[tuple[str, Price]]:
    long = entry.get("long")
    price = _price(entry)
    if long is not None:
        price = replace(price, long=_price(long), long_over=long["over"])
    for name in entry["models"]:
        yield re.sub("^openai-chat:", "openai:", name), price


def _price(row: Any) -> Price:
    return Price(row["input"], row["output"], row.get("cached_input"), row.get("cache_write"))
