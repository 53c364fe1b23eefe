"""What is said to the mailbox of money: bounds, prices before a question, use after it; and the call that reserves for one more. No I/O.

What the first question of a turn may use is reserved by its claim, and what the last one used is told by the script that ends the
turn or stores its reply, so that a turn with one question costs no round trip more. `spending.lua` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from shared.mailbox.call import Arguments, Call, nothing

Reserved = Literal["ok", "lost", "opted_out", "paused", "spent", "share", "month", "own_month", "reserved", "dear"]
"""The verdict on a question before it is asked. Only `ok` allows it. `dear`: no day, or month, has room for it; `month`, `own_month`: what
all, or its person, may spend in this month is used up; `spent`, `share` and `reserved` are a `Claim`'s."""


@dataclass(frozen=True, slots=True)
class DayBounds:
    """What a day (UTC, by the server's clock) has room for: tokens and turns of all, tokens of one sender; 0 for no bound.

    `forwarded`: tokens of all that comes by forwarding addresses, together. In microdollars: `day` and `month` for all, `own_day` and
    `own_month` for one person, whose days and months are those of their own clock. All forwarding addresses are one person.
    """

    tokens: int = 0
    turns: int = 0
    sender: int = 0
    forwarded: int = 0
    day: int = 0
    month: int = 0
    own_day: int = 0
    own_month: int = 0

    def arguments(self) -> dict[str, int]:
        """As the scripts read them: the table `bounds`."""
        return {
            "bounds.tokens": self.tokens,
            "bounds.turns": self.turns,
            "bounds.sender": self.sender,
            "bounds.forwarded": self.forwarded,
            "bounds.day": self.day,
            "bounds.month": self.month,
            "bounds.own_day": self.own_day,
            "bounds.own_month": self.own_month,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a question costs, in microdollars, and whose price that is.

    `zones` says by how many ms the clocks of the users file's zones are ahead of UTC (`Europe/Berlin=3600000 Asia/Tokyo=32400000`): the
    script knows whose the question is, and which zone is theirs.
    """

    micros: int = 0
    model: str = ""
    zones: str = ""


@dataclass(frozen=True, slots=True)
class Dearest:
    """By what a claim reckons the most that its turn's first question may use, before anybody has read its messages.

    `fixed` tokens whatever is asked, the longest answer among them; at most `history` bytes of what was said before, `text` bytes of
    one message, `files` bytes of what is read in its files, and `pictures` pictures of `picture` tokens each. Two bytes of text are a
    token. `answer` of the fixed tokens are the answer's; `tiers` are the model's prices (`Price.spelled`) and `zones` as in `Cost`.
    """

    fixed: int = 0
    history: int = 0
    text: int = 0
    files: int = 0
    picture: int = 0
    pictures: int = 0
    answer: int = 0
    tiers: str = ""
    model: str = ""
    zones: str = ""

    def arguments(self) -> dict[str, int | str]:
        """As the scripts read them: the table `question`."""
        return {
            "question.fixed": self.fixed,
            "question.history": self.history,
            "question.text": self.text,
            "question.files": self.files,
            "question.picture": self.picture,
            "question.pictures": self.pictures,
            "question.answer": self.answer,
            "question.tiers": self.tiers,
            "question.model": self.model,
            "question.zones": self.zones,
        }


@dataclass(frozen=True, slots=True)
class Settled:
    """What a turn's last call to the model has used, in tokens, for the script that follows it; `used` is None where nobody knows.

    `answer` is `bad` for one that could not be used, and "" for a call that was not made. `cost` is in microdollars; None where nobody
    knows: then tokens that were used cost what was reserved for them.
    """

    model_call: str = ""
    used: int | None = 0
    answer: Literal["", "good", "bad"] = ""
    cost: int | None = None

    def arguments(self) -> dict[str, str | int]:
        """As the scripts read them: the table `settled`."""
        used, cost = (-1 if value is None else value for value in (self.used, self.cost))
        return {"settled.model_call": self.model_call, "settled.used": used, "settled.answer": self.answer, "settled.cost": cost}


NO_MODEL_CALL: Final = Settled()


@dataclass(frozen=True, slots=True)
class NextCall:
    """A turn's next question, for the script before it to reserve for: its id, which is new, and the most that it may use."""

    model_call: str = ""
    amount: int = 0
    cost: Cost = field(default_factory=Cost)
    bounds: DayBounds = field(default_factory=DayBounds)

    def arguments(self) -> dict[str, str | int]:
        """As the scripts read them: the tables `upcoming`, `price` and `bounds`."""
        return {"upcoming.model_call": self.model_call, "upcoming.amount": self.amount, **_priced(self.cost), **self.bounds.arguments()}


NO_NEXT_CALL: Final = NextCall()


def reserve(
    conversation: str, token: str, model_call: str, amount: int, *, lease_ms: int, bounds: DayBounds, cost: Cost | None = None,
    settled: Settled = NO_MODEL_CALL,
) -> Call[Reserved]:  # fmt: skip
    """Reserve `amount` tokens, and what they may cost, for one more question of the turn, whose id `model_call` is new.

    `settled` is what the one before it used. The lease is extended.
    """
    arguments: Arguments = {
        "conv": conversation, "token": token, "model_call": model_call, "amount": amount, "lease": lease_ms, **_priced(cost or Cost()),
        **bounds.arguments(), **settled.arguments(),
    }  # fmt: skip
    return Call("reserve", arguments, _reserved)


def reserve_job(
    model_call: str, amount: int, *, person: str, offset_ms: int, lasts_ms: int, cost: Cost, bounds: DayBounds
) -> Call[Reserved]:  # fmt: skip
    """Reserve for a question that is no turn's, such as a summary: the script `settle` tells what it used.

    It has no lease: after `lasts_ms` without a word it counts as used, at its amount. `person` pays, by a clock that is `offset_ms` ahead
    of UTC; "" for nobody.
    """
    arguments: Arguments = {
        "model_call": model_call, "amount": amount, "person": person, "offset": offset_ms, "lasts": lasts_ms, "price.micros": cost.micros,
        "price.model": cost.model, **bounds.arguments(),
    }  # fmt: skip
    return Call("reserve_job", arguments, _reserved)


def settle(settled: Settled) -> Call[None]:
    """What a question has used, told by itself: of one that is no turn's, or whose turn has ended."""
    return Call("settle", settled.arguments(), nothing)


def searched(model_call: str, searches: int) -> Call[bool]:
    """How often a question has searched the web, for its books; once, whatever became of its turn. The answer: whether it counts now."""
    return Call("searched", {"model_call": model_call, "searches": searches}, bool)


def _priced(cost: Cost) -> dict[str, str | int]:
    return {"price.micros": cost.micros, "price.model": cost.model, "price.zones": cost.zones}


def _reserved(raw: Any) -> Reserved:
    """The answer to `reserve`."""
    return cast("Reserved", raw)
