"""Reads from a question what day and time it is for the user: the asking program says so in its notes, or in the system prompt."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from sandbox.anthropic.transcript import last_user_text, text_of
from sandbox.engine.json_types import JsonObject

NOTE: Final = re.compile("\u27e6([^\u27e6\u27e7]*)\u27e7")
MONTHS: Final = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
    "m\u00e4r": 3,
    "mai": 5,
    "okt": 10,
    "dez": 12,
}
"""By their first three letters, in English and German."""
ZONE: Final = re.compile(r"\((?:UTC|[A-Z]\w+/[\w/+-]+)\)")
ISO: Final = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?")
WRITTEN: Final = re.compile(r"\b(\d{1,2})\.? ([A-Za-z\u00e4]{3,9}) (\d{4})(?:,?(?: at)? (\d{1,2}):(\d\d))?")


def newest_words(text: str) -> str:
    """What was written last: behind the first note that says when it was received, where there is one. What stands before is background."""
    before, found, behind = text.partition("\u27e6Received on ")
    return found + behind if found else before


def local_now(request: JsonObject, clock: datetime) -> datetime:
    """The user's local time, without an offset: by the newest message's last note that tells a time of day, else the clock's.

    A note that names a time zone goes before others, which may be of what happened earlier. Where only a day is told, the time of day is
    the clock's.
    """
    notes = sorted(NOTE.findall(last_user_text(request["messages"])), key=lambda note: ZONE.search(note) is not None)
    found = [moment for note in reversed(notes) if (moment := _moment_in(note)) is not None]
    timed = next((day for day, has_time in found if has_time), None)
    if timed is not None:
        return timed
    told = next(iter(found), None) or _moment_in(text_of(request.get("system")))
    plain = clock.replace(tzinfo=None, second=0, microsecond=0)
    return plain if told is None else told[0].replace(hour=plain.hour, minute=plain.minute)


def _moment_in(text: str) -> tuple[datetime, bool] | None:
    """The first date of a text, and whether a time of day stands behind it."""
    for found in (*ISO.finditer(text), *WRITTEN.finditer(text)):
        first, month, last, hour, minute = found.groups()
        year, day = (first, last) if found.re is ISO else (last, first)
        number = int(month) if month.isdigit() else MONTHS.get(month[:3].lower(), 0)
        try:
            return datetime(int(year), number, int(day), int(hour or 0), int(minute or 0)), hour is not None  # noqa: DTZ001 - local
        except ValueError:
            continue
    return None
