"""What code says to a person, in their language: a sentence by its name (`shared.model.sentences`), and dates and times. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.model.sentences import answers, approvals, commands, copies, dates, forwarding, notices, receipts, reminders
from shared.model.sentences.dates import MONTHS, WEEKDAYS
from shared.model.sentences.languages import DEFAULT, LANGUAGES, Sentence, in_language

__all__ = [
    "DEFAULT", "LANGUAGES", "MONTHS", "WEEKDAYS", "WORDS", "counted", "date", "date_and_time", "date_in_year", "day_of_month", "from_when",
    "month", "said", "weekday",
]  # fmt: skip

THEMES: Final = (notices, answers, forwarding, commands, receipts, copies, reminders, approvals, dates)
WORDS: Final[dict[str, Sentence]] = {name: row for theme in THEMES for name, row in theme.SENTENCES.items()}


def said(name: str, language: str = DEFAULT, **values: object) -> str:
    """A sentence in a language, its placeholders filled; in English where the language is none of ours. Raises KeyError for no sentence."""
    return in_language(WORDS[name], language).format_map(values)


def counted(name: str, count: int, language: str = DEFAULT, **values: object) -> str:
    """A sentence that has a form for one, `<name>_one`, and one for all other numbers, `<name>_many`."""
    return said(f"{name}_one" if count == 1 else f"{name}_many", language, count=count, **values)


def weekday(at: datetime, language: str = DEFAULT) -> str:
    """The name of the day of the week, by `at`'s own zone."""
    return in_language(WEEKDAYS, language)[at.weekday()]


def month(at: datetime, language: str = DEFAULT) -> str:
    """The name of the month, by `at`'s own zone."""
    return in_language(MONTHS, language)[at.month - 1]


def day_of_month(day: int, language: str = DEFAULT) -> str:
    """Its number; some languages write the first as 1er."""
    return said("first_of_month", language) if day == 1 else str(day)


def date(at: datetime, language: str = DEFAULT) -> str:
    """Day and month, by `at`'s own zone."""
    return said("date", language, day=day_of_month(at.day, language), month=month(at, language))


def date_in_year(at: datetime, language: str = DEFAULT) -> str:
    """Day, month and year, by `at`'s own zone."""
    return said("date_in_year", language, date=date(at, language), year=at.year)


def date_and_time(at: datetime, language: str = DEFAULT, *, with_year: bool = False) -> str:
    """Day, month and time of day, by `at`'s own zone."""
    day = date_in_year(at, language) if with_year else date(at, language)
    return said("date_and_time", language, date=day, time=f"{at:%H:%M}")


def from_when(at: datetime, language: str = DEFAULT) -> str:
    """The day and time from which something holds, with its zone."""
    name = "from_when_at_one" if at.hour == 1 else "from_when"
    return said(name, language, weekday=weekday(at, language), time=f"{at:%H:%M}", zone=at.tzinfo)
