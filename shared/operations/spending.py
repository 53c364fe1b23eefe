"""What answering has cost, and what it may: by person, model, day and month."""

from __future__ import annotations

from typing import Final, TypedDict

from redis import Redis

from shared.config.settings import Settings
from shared.mailbox.books import FORWARDED, NOBODY, Used, read_books
from shared.model.prices import MICROS_PER_DOLLAR
from shared.operations.people import People

NAMES: Final = {FORWARDED: "(forwarding addresses)", NOBODY: "(nobody's)"}
GONE: Final = "(no longer in the users file)"


class Amount(TypedDict):
    """Dollars and tokens, used and reserved for questions under way, and searches of the web; these not by model, nor by day of a month."""

    dollars: float
    dollars_reserved: float
    tokens: int
    tokens_reserved: int
    searches: int


class PersonSpending(TypedDict):
    """One person's day and month, by their own clock; `user` is their id, `username` a name in brackets for who is no user."""

    username: str
    user: str
    today: Amount
    month: Amount


class SpendingBounds(TypedDict):
    """Of all, and of each person; None for no bound."""

    daily_dollars: float | None
    monthly_dollars: float | None
    person_daily_dollars: float | None
    person_monthly_dollars: float | None
    daily_tokens: int | None
    daily_turns: int | None


class Spending(TypedDict):
    """All together. Days and months of all are UTC's; `days` are those of this month (`2026-11-30`)."""

    day: str
    bounds: SpendingBounds
    today: Amount
    month: Amount
    last_month: Amount
    models_today: dict[str, Amount]
    models_month: dict[str, Amount]
    days: dict[str, Amount]
    persons: list[PersonSpending]


def spending_report(redis: Redis, people: People, settings: Settings) -> Spending:
    """What the books say, who spent most in this month first. Raises RedisError."""
    books = read_books(redis)
    persons = sorted(books.persons, key=lambda each: (-each.month.money, -each.month.tokens, each.person))
    return {
        "day": f"{books.now:%Y-%m-%d}",
        "bounds": bounds(settings),
        "today": _amount(books.day),
        "month": _amount(books.month),
        "last_month": _amount(books.last_month),
        "models_today": {name: _amount(used) for name, used in books.models_today.items()},
        "models_month": {name: _amount(used) for name, used in books.models.items()},
        "days": {f"{books.now:%Y-%m}-{number:02}": _amount(used) for number, used in sorted(books.days.items())},
        "persons": [
            {
                "username": NAMES.get(each.person) or people.name_of(each.user) or GONE,
                "user": each.user,
                "today": _amount(each.day),
                "month": _amount(each.month),
            }
            for each in persons
        ],
    }


def bounds(settings: Settings) -> SpendingBounds:
    """The bounds in force."""
    day, month, own_day, own_month = (bound / MICROS_PER_DOLLAR or None for bound in settings.dollar_bounds)
    tokens, turns = (bound or None for bound in settings.spending_bounds)
    return {
        "daily_dollars": day,
        "monthly_dollars": month,
        "person_daily_dollars": own_day,
        "person_monthly_dollars": own_month,
        "daily_tokens": tokens,
        "daily_turns": turns,
    }


def near(found: Spending, share: float) -> list[tuple[str, float]]:
    """The persons who have used at least `share` of a bound of theirs, with the most that they have used of one."""
    day, month = found["bounds"]["person_daily_dollars"], found["bounds"]["person_monthly_dollars"]
    used = []
    for each in found["persons"]:
        parts = ((each["today"]["dollars"], day), (each["month"]["dollars"], month))
        most = max((dollars / bound for dollars, bound in parts if bound), default=0.0)
        if most >= share and each["user"] != NOBODY:
            used.append((each["username"], most))
    return used


def _amount(used: Used) -> Amount:
    return {
        "dollars": used.money / MICROS_PER_DOLLAR,
        "dollars_reserved": used.money_reserved / MICROS_PER_DOLLAR,
        "tokens": used.tokens,
        "tokens_reserved": used.reserved,
        "searches": used.searches,
    }
