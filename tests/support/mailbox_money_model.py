"""The model's books of money: what is used and reserved in each day and month, by call, kept apart from the scripts' own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox.call import Call
from shared.mailbox.calls import DAY_MS, DayBounds
from shared.model.prices import Price, Rates, Tier
from tests.support.mailbox_state import must

FIELDS: Final = ("tokens", "reserved", "turns", "open", "calls", "failed")
PRICE: Final = Price((Tier(0, Rates(700, 1_300, 900, 100, 50)), Tier(70, Rates(800, 1_200, 1_000, 400, 50))))
ZONED: Final = "u-0"
"""The person who has a zone of their own."""


def zones(now: int) -> str:
    """A zone whose clock is ahead of UTC, or behind, by another amount every few hours."""
    return f"Test/Zone={(now // 20_000_000 % 3 - 1) * 14 * 3_600_000} Other/Zone=1"


def offset_of(person: str, known: str) -> int:
    """By how much a person's clock is ahead of UTC, in ms."""
    return int(known.split(maxsplit=1)[0].partition("=")[2]) if person == ZONED else 0


def books_of(now: int, person: str, offset: int) -> tuple[str, str, str, str]:
    """The names of the books of a time: of all and of a person, day and month."""

    def month(ms: int) -> str:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m}"

    own = now + offset
    return str(now // DAY_MS), month(now), f"{person}:{own // DAY_MS}", f"{person}:{month(own)}"


def person_of(redis: Redis, user: str) -> str:
    """The id of an entry's person, which the scripts have made; its own where they have not."""
    found = cast("bytes | None", redis.hget("boss:people", user))
    return found.decode() if found else user


@dataclass
class Asked:
    """One call: `look` is when the sweep looks whether its holder lives.

    `micros` is the most that it may cost, in microdollars, `books` where that stands, `cost` what it did cost.
    """

    conv: str
    token: str
    sender: str
    day: int
    amount: int
    look: int
    state: str = "live"
    used: int = 0
    micros: int = 0
    books: tuple[str, ...] = ()
    cost: int = 0


@dataclass
class Money:
    """All calls, and what they add up to."""

    redis: Redis
    bounds: DayBounds = field(default_factory=DayBounds)
    calls: dict[str, Asked] = field(default_factory=dict)
    turns: Counter[int] = field(default_factory=Counter)
    made: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)

    def reserve(self, name: str, asked: Asked) -> None:
        """A question may be asked; by a claim that is heard once more after its turn was taken away, anew."""
        if before := self.calls.get(name):
            must(before.state != "live", "a call is reserved once")
            self.calls[f"{name}/{len(self.calls)}"] = replace(before, state="settled")
        self.calls[name] = asked

    def settle(self, name: str, used: int, answer: str, cost: int = -1) -> None:
        """By the law: the first true use takes the amount's place, whenever it comes; nothing after that counts."""
        asked = self.calls.get(name)
        if asked is None or asked.state == "settled":
            return
        if asked.state == "live":
            self.made[asked.day] += answer != ""
            self.failed[asked.day] += answer == "bad"
            asked.used, asked.cost = asked.amount, asked.micros
        if used >= 0:
            asked.used, asked.cost = used, cost if cost >= 0 else asked.micros if used else 0
        asked.state = "settled" if used >= 0 else "ended"

    def settled_by(self, call: Call[Any]) -> None:
        """What a script that ends a turn, or stores its reply, says of the turn's last call."""
        if "settled.model_call" in call.args:
            name, used, answer, cost = (call.args[f"settled.{part}"] for part in ("model_call", "used", "answer", "cost"))
            self.settle(str(name), int(used), str(answer), int(cost))

    def end(self, conv: str) -> None:
        """Nobody will say any more what the conversation's call has used."""
        for name, asked in self.calls.items():
            if asked.conv == conv and asked.state == "live":
                self.settle(name, -1, "bad")

    def count_turn(self, name: str) -> None:
        """A turn was answered by this call."""
        if name in self.calls:
            self.turns[self.calls[name].day] += 1

    def refusal(self, sender: str, amount: int, now: int, micros: int, books: tuple[str, ...]) -> str:
        """Why there is no room, by the law."""
        day, bounds = now // DAY_MS, self.bounds
        dollars = self._dollars(books)
        if 0 < bounds.tokens < amount or 0 < bounds.sender < amount or any(0 < bound < micros for bound, _, _ in dollars):
            return "dear"
        used_up = [bound and used + micros > bound for bound, used, _ in dollars]
        if used_up[1] or used_up[3]:
            return "month" if used_up[1] else "own_month"
        if used_up[0]:
            return "spent"
        every, own = self._sums(day), self._sums(day, sender)
        if (bounds.tokens and every["tokens"] + amount > bounds.tokens) or (bounds.turns and every["turns"] >= bounds.turns):
            return "spent"
        if used_up[2] or (bounds.sender and own["tokens"] + amount > bounds.sender):
            return "share"
        full = bounds.tokens and every["tokens"] + every["reserved"] + amount > bounds.tokens
        full = full or (bounds.turns and every["turns"] + every["open"] >= bounds.turns)
        full = full or (bounds.sender and own["tokens"] + own["reserved"] + amount > bounds.sender)
        full = full or any(bound and used + reserved + micros > bound for bound, used, reserved in dollars)
        return "reserved" if full else ""

    def over_share(self, sender: str, amount: int, now: int) -> bool:
        """Whether a sender's tokens of the day are used up."""
        used = self._sums(now // DAY_MS, sender)["tokens"]
        return bool(self.bounds.sender and used + amount > self.bounds.sender)

    def _dollars(self, books: tuple[str, ...]) -> list[tuple[int, int, int]]:
        """Bound, used and reserved of each of the four books."""
        bounds = (self.bounds.day, self.bounds.month, self.bounds.own_day, self.bounds.own_month)
        found = [self._book(name) for name in books]
        return [(bound, book["money"], book["money_reserved"]) for bound, book in zip(bounds, found, strict=True)]

    def _book(self, name: str) -> dict[str, int]:
        mine = [asked for asked in self.calls.values() if name in asked.books]
        live = [asked for asked in mine if asked.state == "live"]
        return {
            "money": sum(asked.cost for asked in mine if asked.state != "live"),
            "money_reserved": sum(asked.micros for asked in live),
            "tokens": sum(asked.used for asked in mine if asked.state != "live"),
            "reserved": sum(asked.amount for asked in live),
        }

    def _check_books(self) -> None:
        """Each book says the same as the calls, of all money and by its groups, and no bound in dollars was passed."""
        names = {(place, name) for asked in self.calls.values() for place, name in enumerate(asked.books)}
        bounds = (self.bounds.day, self.bounds.month, self.bounds.own_day, self.bounds.own_month)
        for place, name in names:
            written = {field.decode(): int(value) for field, value in cast("Any", self.redis.hgetall(f"boss:spent:{name}")).items()}
            book = self._book(name)
            must(book == {field: written.get(field, 0) for field in book}, f"the book {name} says {written}, not {book}")
            groups = {0: ("model:",), 1: ("model:", "day:")}.get(place, ())
            for group in groups:
                parts = sum(value for field, value in written.items() if field.startswith(group) and field.endswith(":money"))
                must(parts == book["money"], f"what is counted by {group} is all of the money of {name}")
            must(not bounds[place] or book["money"] + book["money_reserved"] <= bounds[place], f"the dollars of {name} are never passed")
        must(
            all(asked.cost <= asked.micros and asked.used <= asked.amount for asked in self.calls.values()),
            "no call uses more than its own",
        )

    def _sums(self, day: int, sender: str = "") -> dict[str, int]:
        mine = [asked for asked in self.calls.values() if asked.day == day and sender in ("", asked.sender)]
        live = [asked for asked in mine if asked.state == "live"]
        return {
            "tokens": sum(asked.used for asked in mine if asked.state != "live"),
            "reserved": sum(asked.amount for asked in live),
            "turns": self.turns[day],
            "open": len(live),
            "calls": self.made[day],
            "failed": self.failed[day],
        }

    def check(self) -> None:
        """What holds after every step: the scripts' books say the same, and no bound was passed."""
        for day in {asked.day for asked in self.calls.values()}:
            written = {name.decode(): int(value) for name, value in cast("Any", self.redis.hgetall(f"boss:spent:{day}")).items()}
            every = self._sums(day)
            must(every == {name: written.get(name, 0) for name in FIELDS}, f"the books of a day: {written} is not {every}")
            bounds = self.bounds
            must(not bounds.tokens or every["tokens"] + every["reserved"] <= bounds.tokens, "the day's tokens are never passed")
            must(not bounds.turns or every["turns"] + every["open"] <= bounds.turns, "the day's turns are never passed")
            for sender in {asked.sender for asked in self.calls.values()}:
                own = self._sums(day, sender)
                must(own["tokens"] == written.get(f"tokens:{sender}", 0), "what a sender used is written down")
                must(own["reserved"] == written.get(f"reserved:{sender}", 0), "what a sender reserved is written down")
                must(not bounds.sender or own["tokens"] + own["reserved"] <= bounds.sender, "a sender's share is never passed")
        live = {name for name, asked in self.calls.items() if asked.state == "live"}
        must({raw.decode() for raw in cast("Any", self.redis.zrange("boss:reserved", 0, -1))} == live, "what is reserved is looked after")

        self._check_books()
