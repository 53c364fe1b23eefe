"""The model's books of money: what is used and reserved in each day, by call, kept apart from the scripts' own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox.call import Call
from shared.mailbox.calls import DAY_MS, DayBounds
from tests.support.mailbox_state import must

FIELDS: Final = ("tokens", "reserved", "turns", "open", "calls", "failed")


@dataclass
class Asked:
    """One call: `look` is when the sweep looks whether its holder lives."""

    conv: str
    token: str
    sender: str
    day: int
    amount: int
    look: int
    state: str = "live"
    used: int = 0


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

    def settle(self, name: str, used: int, answer: str) -> None:
        """By the law: the first true use takes the amount's place, whenever it comes; nothing after that counts."""
        asked = self.calls.get(name)
        if asked is None or asked.state == "settled":
            return
        if asked.state == "live":
            self.made[asked.day] += answer != ""
            self.failed[asked.day] += answer == "bad"
            asked.used = asked.amount
        if used >= 0:
            asked.used = used
        asked.state = "settled" if used >= 0 else "ended"

    def settled_by(self, call: Call[Any]) -> None:
        """What a script that ends a turn, or stores its reply, says of the turn's last call."""
        if "settled.model_call" in call.args:
            name, used, answer = (call.args[f"settled.{part}"] for part in ("model_call", "used", "answer"))
            self.settle(str(name), int(used), str(answer))

    def end(self, conv: str) -> None:
        """Nobody will say any more what the conversation's call has used."""
        for name, asked in self.calls.items():
            if asked.conv == conv and asked.state == "live":
                self.settle(name, -1, "bad")

    def count_turn(self, name: str) -> None:
        """A turn was answered by this call."""
        if name in self.calls:
            self.turns[self.calls[name].day] += 1

    def refusal(self, sender: str, amount: int, now: int) -> str:
        """Why there is no room, by the law."""
        day, bounds = now // DAY_MS, self.bounds
        if 0 < bounds.tokens < amount or 0 < bounds.sender < amount:
            return "dear"
        every, own = self._sums(day), self._sums(day, sender)
        if (bounds.tokens and every["tokens"] + amount > bounds.tokens) or (bounds.turns and every["turns"] >= bounds.turns):
            return "spent"
        if bounds.sender and own["tokens"] + amount > bounds.sender:
            return "share"
        full = bounds.tokens and every["tokens"] + every["reserved"] + amount > bounds.tokens
        full = full or (bounds.turns and every["turns"] + every["open"] >= bounds.turns)
        full = full or (bounds.sender and own["tokens"] + own["reserved"] + amount > bounds.sender)
        return "reserved" if full else ""

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
