"""The time that the model asks for, checked and made into the one that is stored. Pure.

It names a local time without an offset (`at`), or minutes (`in_minutes`), or with `at` what repeats. It does no arithmetic with zones, and
is believed no date that does not exist. All times count from when the message was received that asks for them: a person who wrote "in ten
minutes" meant those that began then, however long the message waited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from shared.errors import BadInput
from shared.model.recurrence import EVERY, MINUTE, Every, Recurrence, local_time, moment_ms

MAX_AHEAD: Final = timedelta(days=731)
"""How far ahead the first time may lie: two years, whichever they are."""
MAX_COUNT: Final = 1_000
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE_MS: Final = 60_000
_AHEAD_MS: Final = int(MAX_AHEAD.total_seconds() * 1000)
_AT: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d)(?::\d\d)?", re.ASCII)
_OFFSET: Final = re.compile(r".*\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """When something is first due: in ms of UTC, and by the wall's clock of `zone`; None for `recurrence` of what is due once."""

    due_ms: int
    local: datetime
    zone: str
    recurrence: Recurrence | None = None


def plan(asked: Mapping[str, Any], *, received_ms: int, zone: str) -> PlannedTime:
    """What `at`, `in_minutes` and `repeat` ask for. `received_ms` is when the message came, in ms of UTC; `zone` is the person's.

    Raises BadInput with one of these codes:

    - `no_time`, `two_times`: neither `at` nor `in_minutes`, or both, or minutes that repeat
    - `bad_time`, `has_offset`, `no_such_time`: `at` is none, is not local, does not exist in the calendar
    - `bad_minutes`: not a whole number of at least 1
    - `past`, `too_far`: before the message, or more than two years after it
    - `bad_repeat`, `bad_days`, `bad_day`, `bad_until`, `bad_count`, `two_ends`, `never`: what repeats is none of the known, or never is due
    """
    at, minutes, repeat = asked.get("at"), asked.get("in_minutes"), asked.get("repeat")
    if at is None and minutes is None:
        raise BadInput(code="no_time")
    if minutes is not None and (at is not None or repeat is not None):
        raise BadInput(code="two_times")
    if minutes is not None:
        return _relative(minutes, received_ms, zone)
    wall, named_day = _local(at, local_time(received_ms, ZoneInfo(zone)).date(), repeats=repeat is not None)
    planned = _once(wall, zone) if repeat is None else _repeated(wall, repeat, received_ms, zone, named_day=named_day)
    if planned.due_ms < received_ms - received_ms % _MINUTE_MS:
        raise BadInput(code="past")
    if planned.due_ms > received_ms + _AHEAD_MS:
        raise BadInput(code="too_far")
    return planned


def _relative(minutes: object, received_ms: int, zone: str) -> PlannedTime:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes != minutes // 1 or minutes < 1:
        raise BadInput(code="bad_minutes")
    if minutes * _MINUTE_MS > _AHEAD_MS:
        raise BadInput(code="too_far")
    due_ms = received_ms + int(minutes) * _MINUTE_MS
    return PlannedTime(due_ms, local_time(due_ms, ZoneInfo(zone)).replace(second=0), zone)


def _local(at: object, today: date, *, repeats: bool) -> tuple[datetime, bool]:
    """The local time, and whether its day was named; what repeats may leave it out."""
    if not isinstance(at, str):
        raise BadInput(code="bad_time")
    if _OFFSET.fullmatch(at):
        raise BadInput(code="has_offset")
    found = _AT.fullmatch(at.strip())
    if found is None or not (found[1] or repeats):
        raise BadInput(code="bad_time")
    try:
        return datetime.strptime(f"{found[1] or today.isoformat()}T{found[2]}", MINUTE), bool(found[1])  # noqa: DTZ007 - local
    except ValueError:
        raise BadInput(code="no_such_time") from None


def _once(wall: datetime, zone: str) -> PlannedTime:
    return PlannedTime(_moment(wall, zone), wall, zone)


def _moment(wall: datetime, zone: str) -> int:
    try:
        return moment_ms(wall, ZoneInfo(zone))
    except (OverflowError, ValueError):  # at the end of the calendar
        raise BadInput(code="too_far") from None


def _repeated(wall: datetime, repeat: object, received_ms: int, zone: str, *, named_day: bool) -> PlannedTime:
    """The first occurrence from `wall` on that does not lie before the message. What has a `count` counts from that one."""
    if not isinstance(repeat, Mapping) or repeat.get("every") not in EVERY:
        raise BadInput(code="bad_repeat")
    _moment(wall, zone)
    every = cast("Every", repeat["every"])
    days = _days(repeat.get("days"), wall) if every == "weekly" else ()
    day = _day(repeat.get("day"), wall) if every == "monthly" else wall.day
    until, count = repeat.get("until"), repeat.get("count")
    if until is not None and count is not None:
        raise BadInput(code="two_ends")
    since = max(received_ms - received_ms % _MINUTE_MS, moment_ms(wall, ZoneInfo(zone)) if named_day else 0)
    last = _until(until)
    first = Recurrence(wall, every, days, day, last).next(since - 1, ZoneInfo(zone))
    if first is None:
        raise BadInput(code="never")
    counted = Recurrence(first.local, every, days, day)
    if count is not None:
        last = list(islice(counted.dates(first.local.date()), _count(count)))[-1]
    return PlannedTime(first.due_ms, first.local, zone, Recurrence(first.local, every, days, day, last))


def _days(days: object, wall: datetime) -> tuple[int, ...]:
    """The days of a week; that of the time itself where none is named."""
    if days is None:
        return (wall.weekday(),)
    if not isinstance(days, list) or not days or not all(isinstance(day, str) and day in WEEKDAYS for day in days):
        raise BadInput(code="bad_days")
    return tuple(sorted({WEEKDAYS.index(day) for day in days}))


def _day(day: object, wall: datetime) -> int:
    """The day of a month; that of the time itself where none is named."""
    if day is None:
        return wall.day
    if isinstance(day, bool) or not isinstance(day, int) or not 1 <= day <= 31:  # noqa: PLR2004 - no month has more
        raise BadInput(code="bad_day")
    return day


def _until(until: object) -> date | None:
    if until is None:
        return None
    try:
        return date.fromisoformat(until) if isinstance(until, str) else _bad_until()
    except ValueError:
        return _bad_until()


def _bad_until() -> date:
    raise BadInput(code="bad_until")


def _count(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
        raise BadInput(code="bad_count")
    return count
