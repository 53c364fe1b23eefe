"""When something that repeats is due: by the clock on the wall of a time zone, whatever that clock does.

A time of the wall is due at the first moment at which a clock there shows it, or a later one. So what falls into the gap of a
daylight-saving day, or into a day that a zone leaves out, is due when the gap ends, and what is shown twice is due the first time. Local
time and zone are what is kept; no time is ever made into UTC and back.

A month that lacks a day has its last one instead: the 31st is 30 April and the last of February, and 29 February is 28 February in the
years between. So nothing is left out.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from shared.errors import BadInput
from shared.model import codec

Every = Literal["daily", "weekdays", "weekly", "monthly", "yearly"]
EVERY: Final = get_args(Every)
SATURDAY: Final = 5
MINUTE: Final = "%Y-%m-%dT%H:%M"
"""How a local time is written: without offset and seconds."""
_ZONES_APART: Final = timedelta(days=2)
"""More than a zone's clock can ever be from UTC, and more than any gap."""
_LONGEST: Final = timedelta(days=370)
"""More than from one occurrence to the next."""


class Occurrence(NamedTuple):
    """One time at which something is due: in ms of UTC, and as the wall's clock was asked for."""

    due_ms: int
    local: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What repeats, from its first occurrence on. `start` is that one's local time, without a zone.

    `days` are those of a week, Monday is 0. `day` is that of a month, which `start` has only if its own month does. The last
    occurrence is on `until` at the latest; None for one without an end.
    """

    start: datetime
    every: Every
    days: tuple[int, ...] = ()
    day: int = 0
    until: date | None = None

    @classmethod
    def parse(cls, text: str) -> Recurrence:
        """Read a record's field; raises BadInput `bad_recurrence`."""
        try:
            value = codec.loads(text)
            every, until = value["every"], value["until"]
            found = cls(
                datetime.strptime(value["start"], MINUTE),  # noqa: DTZ007 - local, by the wall's clock
                cast("Every", every),
                tuple(int(day) for day in value["days"]),
                int(value["day"]),
                date.fromisoformat(until) if until else None,
            )
        except (BadInput, KeyError, TypeError, ValueError):
            raise BadInput(code="bad_recurrence") from None
        if every not in EVERY:
            raise BadInput(code="bad_recurrence")
        return found

    def __str__(self) -> str:
        fields: dict[str, Any] = {"start": self.start.strftime(MINUTE), "every": self.every, "days": list(self.days), "day": self.day}
        return codec.dumps({**fields, "until": self.until.isoformat() if self.until else ""})

    def dates(self, since: date) -> Iterator[date]:
        """Its dates from `since` on, in order."""
        day = max(since, self.start.date())
        while True:
            try:
                day = self._first_date(day)
                if self.until and day > self.until:
                    return
                yield day
                day += timedelta(days=1)
            except (OverflowError, ValueError):  # the calendar ends with the year 9999
                return

    def _first_date(self, day: date) -> date:
        """The first date that it is on, from a day on."""
        if self.every in ("monthly", "yearly"):
            months = 1 if self.every == "monthly" else 12
            month = day.year * 12 + (day.month if months == 1 else self.start.month) - 1
            found = _in_month(month, self.day)
            return found if found >= day else _in_month(month + months, self.day)
        while not self._is_day(day):
            day += timedelta(days=1)
        return day

    def _is_day(self, day: date) -> bool:
        if self.every == "weekdays":
            return day.weekday() < SATURDAY
        return self.every == "daily" or day.weekday() in self.days

    def occurrences(self, after_ms: int, zone: tzinfo) -> Iterator[Occurrence]:
        """Those that are due after a time, in order."""
        wall = datetime.fromtimestamp(after_ms / 1000, UTC) - _ZONES_APART
        for day in self.dates(wall.date()):
            local = datetime.combine(day, self.start.time())
            due_ms = moment_ms(local, zone)
            if due_ms > after_ms:
                yield Occurrence(due_ms, local)

    def next(self, after_ms: int, zone: tzinfo) -> Occurrence | None:
        """The first one that is due after a time; None when there is none any more."""
        return next(self.occurrences(after_ms, zone), None)

    def newest(self, due_ms: int, now_ms: int, zone: tzinfo) -> Occurrence | None:
        """The last one that has become due by now, if that is after `due_ms`."""
        after_ms = max(due_ms, now_ms - int(_LONGEST.total_seconds() * 1000))
        found = list(takewhile(lambda each: each.due_ms <= now_ms, self.occurrences(after_ms, zone)))
        return found[-1] if found else None


def _in_month(month: int, day: int) -> date:
    """That day of a month, or its last one; `month` counts from the year 0."""
    year, number = month // 12, month % 12 + 1
    return date(year, number, min(day, monthrange(year, number)[1]))


def moment_ms(local: datetime, zone: tzinfo) -> int:
    """The first moment at which a clock in a zone shows a time or a later one, in ms of UTC."""
    seconds = _seconds(local, zone, fold=0)
    if _wall(seconds, zone) == local:
        return seconds * 1000
    # In a gap: read by the offset before it, the time lies behind its end, and by the offset after it, before its beginning.
    before, behind = _seconds(local, zone, fold=1), seconds
    while behind - before > 1:
        middle = (before + behind) // 2
        if _wall(middle, zone) >= local:
            behind = middle
        else:
            before = middle
    return behind * 1000


def local_time(at_ms: int, zone: tzinfo) -> datetime:
    """What the wall's clock shows, without its zone."""
    return _wall(at_ms // 1000, zone)


def _seconds(local: datetime, zone: tzinfo, *, fold: int) -> int:
    return int(local.replace(tzinfo=zone, fold=fold).timestamp())


def _wall(seconds: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0)
