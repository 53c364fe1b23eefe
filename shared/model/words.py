"""What code says to a person, in their language: a sentence by its name (`shared.model.sentences`), and dates and times. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.model.sentences import answers, approvals, commands, copies, dates, forwarding, notices, receipts, reminders
from shared.model.sentences.dates import MONTHS, WEEKDAYS
from shared.model.sentences.languages import DEFAULT, LANGUAGES, Sentence, in_language

__all__ = ["DEFAULT", "LANGUAGES", "MONTHS", "WEEKDAYS", "WORDS", "date", "date_and_time", "from_when", "month", "said", "weekday"]

THEMES: Final = (notices, answers, forwarding, commands, receipts, copies, reminders, approvals, dates)
WORDS: Final[dict[str, Sentence]] = {name: row for theme in THEMES for name, row in theme.SENTENCES.items()}


def said(name: str, language: str = DEFAULT, **values: object) -> str:
    """A sentence in a language, its placeholders filled; in English where the language is none of ours. Raises KeyError for no sentence."""
    return in_language(WORDS[name], language).format_map(values)


def weekday(at: datetime, language: str = DEFAULT) -> str:
    """The name of the day of the week, by `at`'s own zone."""
    return in_language(WEEKDAYS, language)[at.weekday()]


def month(at: datetime, language: str = DEFAULT) -> str:
    """The name of the month, by `at`'s own zone."""
    return in_language(MONTHS, language)[at.month - 1]


def date(at: datetime, language: str = DEFAULT) -> str:
    """Day and month, by `at`'s own zone."""
    return said("date", language, day=at.day, month=month(at, language))


def date_and_time(at: datetime, language: str = DEFAULT) -> str:
    """Day, month and time of day, by `at`'s own zone."""
    return said("date_and_time", language, day=at.day, month=month(at, language), time=f"{at:%H:%M}")


def from_when(at: datetime, language: str = DEFAULT) -> str:
    """The day and time from which something holds, with its zone."""
    return said("from_when", language, weekday=weekday(at, language), time=f"{at:%H:%M}", zone=at.tzinfo)
