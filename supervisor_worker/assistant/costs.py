"""What a worker process knows of money: the prices of its models, and how far the clocks of its users are ahead of UTC."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Final

from shared.config.settings import Settings
from shared.mailbox.calls import Cost, Dearest
from shared.model.prices import FREE, Price, PriceTable, dearest_of
from shared.model.users import User, Users
from shared.observability import logs
from supervisor_worker.assistant import price
from supervisor_worker.assistant.model_choice import all_chosen
from supervisor_worker.assistant.time_notes import zone

LOG: Final = logs.logger(__name__)
ZONES_SECONDS: Final = 900
"""Clocks are put forward and back at quarters of an hour."""
_SPENT: Final = {
    "month": (logging.CRITICAL, "The month's dollars are used up"),
    "own_month": (logging.WARNING, "A person's dollars of the month are used up"),
}
HEARING_MICROS: Final = 2
"""A token that a recording counts as (STT_TOKENS_PER_MINUTE) is $2 per million."""


@dataclass
class Costs:
    """The prices in use. A model without one is told of in the log, once."""

    settings: Settings
    users: Users
    prices: PriceTable
    _missing: set[str] = field(init=False, default_factory=set)
    _prices: dict[tuple[str, date], Price] = field(init=False, default_factory=dict)
    _zones: tuple[int, tuple[User, ...], str] = field(init=False, default=(-1, (), ""))
    _dearest: tuple[tuple[date, str, Dearest, tuple[User, ...]], Dearest] | None = field(init=False, default=None)

    def price(self, model: str) -> Price:
        """The price of a model today; nothing where Claude is played."""
        if "anthropic" in self.settings.played:
            return FREE
        day = price.today()
        if (model, day) not in self._prices:
            self._warn_of(model)
            known = {key: each for key, each in self._prices.items() if key[1] == day}
            self._prices = {**known, (model, day): self.prices.price(model, day)}
        return self._prices[model, day]

    def most(self, model: str, tokens: int, answer: int, searches: int = 0) -> Cost:
        """The most that a request of so many tokens costs, `answer` of them the answer's, with so many searches of the web."""
        return Cost(self.price(model).most(tokens - answer, answer, searches), model, self.zones)

    def hearing(self, tokens: int) -> Cost:
        """What hearing a recording that counts as so many tokens costs."""
        return Cost(tokens * HEARING_MICROS, self.settings.stt_model, self.zones)

    def dearest(self, figures: Dearest) -> Dearest:
        """The figures by which a claim reserves, with what they cost today. They are the same for every turn of a quarter of an hour."""
        known_by = price.today(), self.zones, figures, self.users.distinct_models
        if self._dearest is None or self._dearest[0] != known_by:
            prices = [self.price(choice.model) for choice in all_chosen(self.settings, self.users)]
            self._dearest = known_by, replace(figures, tiers=dearest_of(prices).spelled, zones=self.zones)
        return self._dearest[1]

    @property
    def zones(self) -> str:
        """How far the users' zones are ahead of UTC now, in ms: `Europe/Berlin=3600000`, apart by blanks; without those that are not."""
        period, users = int(time.time() // ZONES_SECONDS), self.users.all
        if self._zones[0] != period or self._zones[1] is not users:
            now = datetime.fromtimestamp(period * ZONES_SECONDS, UTC)
            offsets = {user.timezone: offset_ms(user, now) for user in sorted(users, key=lambda user: user.timezone)}
            self._zones = period, users, " ".join(f"{name}={offset}" for name, offset in offsets.items() if offset)
        return self._zones[2]

    def _warn_of(self, model: str) -> None:
        if not self.prices.listed(model) and model not in self._missing:
            self._missing.add(model)
            LOG.warning("A model has no price and counts at the dearest: see PRICES_FILE", action="price_missing", model=model)


def offset_ms(user: User, now: datetime) -> int:
    """By how much a user's clock is ahead of UTC, in ms."""
    offset = now.astimezone(zone(user)).utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0


def tell_operator(alarms: Iterable[str]) -> None:
    """The log's line of each bound that is nearly used up (`Swept.near`), and of a month that is (`Claim.alarms`)."""
    for bound in alarms:
        level, said = _SPENT.get(bound, (logging.WARNING, "Four fifths of a bound are used up"))
        LOG.log(level, said, action="spending_bound", bound=bound)
