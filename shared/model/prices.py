"""What a call to a model costs: prices with dates, what a call that was made cost, and the most that one may cost. Pure; integers only.

A rate is in nanodollars a token ($1 per million tokens are 1,000), an amount in microdollars, rounded up: what is reserved and what is
settled are then the same numbers everywhere, in Lua too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Final

NANO_PER_MICRO: Final = 1_000
MICROS_PER_DOLLAR: Final = 1_000_000
_NAME_GOES_ON: Final = r"(?![a-z0-9.])(?!-\d{1,2}(?!\d))"
"""What may not follow a model's name: `claude-opus-5` is not `claude-opus-5-5`, and is `claude-opus-5-20260101`."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a call used: tokens of input outside of the cache, of output, written to the cache for 5 minutes and for an hour, read from it.

    `searches` are web searches, which are paid for beside the tokens.
    """

    input: int = 0
    output: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    searches: int = 0

    @property
    def prompt(self) -> int:
        """All tokens of input, by which the tier is chosen."""
        return self.input + self.write_5m + self.write_1h + self.read


@dataclass(frozen=True, slots=True)
class Rates:
    """Nanodollars a token, by the way in which it is counted."""

    input: int
    output: int
    write_5m: int
    write_1h: int
    read: int

    @property
    def dearest_input(self) -> int:
        """The most that a token of the prompt may cost: whether it is read from the cache or written to it is known with the answer."""
        return max(self.input, self.write_5m, self.write_1h, self.read)

    def nanos(self, usage: TokenUsage) -> int:
        """What the tokens of a call cost."""
        written = self.write_5m * usage.write_5m + self.write_1h * usage.write_1h
        return self.input * usage.input + self.output * usage.output + written + self.read * usage.read


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of every request whose prompt has more than `above` tokens, until the next tier: they hold for the whole request."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """The prices of one model on one day. `tiers` rise, the first one from 0; `search` is in microdollars."""

    tiers: tuple[Tier, ...]
    search: int = 0

    def at(self, prompt: int) -> Rates:
        """The rates of a request whose prompt has so many tokens."""
        return next(tier.rates for tier in reversed(self.tiers) if tier.above < prompt or tier.above == 0)

    def cost(self, usage: TokenUsage) -> int:
        """What a call cost, in microdollars."""
        return _micros(self.at(usage.prompt).nanos(usage)) + self.search * usage.searches

    def most(self, prompt: int, output: int, searches: int = 0) -> int:
        """The most that a request may cost, in microdollars: with at most so many tokens of prompt, and of output, and searches."""
        reached = [tier.rates for tier in self.tiers if tier.above < prompt or tier.above == 0]
        return _micros(max(prompt * rates.dearest_input + output * rates.output for rates in reached)) + self.search * searches

    @property
    def spelled(self) -> str:
        """The same rates for a script: `above input output` of each tier, in nanodollars a token, the input at its dearest."""
        return " ".join(f"{tier.above} {tier.rates.dearest_input} {tier.rates.output}" for tier in self.tiers)


FREE: Final = Price((Tier(0, Rates(0, 0, 0, 0, 0)),))


def dearest_of(prices: Sequence[Price]) -> Price:
    """What no call costs more than by any of these prices: at each size of a prompt, each rate at its highest."""
    borders = sorted({tier.above for price in prices for tier in price.tiers})
    tiers = tuple(Tier(above, _highest([price.at(above + 1) for price in prices])) for above in borders)
    return Price(tiers, max(price.search for price in prices))


def _highest(rates: Sequence[Rates]) -> Rates:
    return Rates(*(max(getattr(each, field.name) for each in rates) for field in fields(Rates)))


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The price of a model from a day on; `source` says where it was read."""

    model: str
    since: date
    price: Price
    source: str


@dataclass(frozen=True)
class PriceTable:
    """All prices; `searches` are those of a web search, in microdollars, by the day from which each holds."""

    rows: tuple[PriceRow, ...]
    searches: Mapping[date, int]

    @cached_property
    def _by_model(self) -> dict[str, list[PriceRow]]:
        found: dict[str, list[PriceRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.since):
            found.setdefault(row.model, []).append(row)
        return found

    def listed(self, model: str) -> str:
        """The table's name of a model, which a gateway may have wrapped in its own words, or a date follows; "" for none."""
        if model in self._by_model:
            return model
        names = [name for name in self._by_model if re.search(rf"(?<![a-z0-9]){re.escape(name)}{_NAME_GOES_ON}", model)]
        return max(names, key=len, default="")

    def price(self, model: str, day: date) -> Price:
        """The price of a model on a day (UTC); the dearest of all for one that is not listed."""
        name = self.listed(model)
        tiers = _at(self._by_model[name], day).price.tiers if name else self._dearest(day)
        return Price(tiers, self.search(day) if any(tier.rates.output for tier in tiers) else 0)

    def search(self, day: date) -> int:
        """The price of a web search, in microdollars."""
        since = max((each for each in self.searches if each <= day), default=min(self.searches, default=day))
        return self.searches.get(since, 0)

    def over(self, other: PriceTable) -> PriceTable:
        """These prices, and those of `other` for what is not listed here."""
        mine = {row.model for row in self.rows}
        return PriceTable((*self.rows, *(row for row in other.rows if row.model not in mine)), self.searches or other.searches)

    def _dearest(self, day: date) -> tuple[Tier, ...]:
        """Of all that holds on a day, each rate at its highest."""
        rates = [tier.rates for rows in self._by_model.values() for tier in _at(rows, day).price.tiers]
        return (Tier(0, _highest(rates)),)


def _at(rows: list[PriceRow], day: date) -> PriceRow:
    """Of one model's rows, in the order of their days, the one that holds; before the first of them, the first."""
    return next((row for row in reversed(rows) if row.since <= day), rows[0])


def _micros(nanos: int) -> int:
    return -(-nanos // NANO_PER_MICRO)
