"""Times as a person types them, in this machine's zone: a time of day, a date, or how long ago."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from shared.operations.find import Window

F = TypeVar("F", bound=Callable[..., Any])
AT_MINUTES: Final = 15
"""A person says when something happened give or take so much."""
FORMS: Final = '"21:10", "yesterday 21:10", "2026-11-30 21:10", "2026-11-30", or "2h" for two hours ago (units: s, min, h, d)'
_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3_600, "d": 86_400}
_AGO: Final = re.compile(r"(\d{1,6}) ?(s|min|m|h|d)")
_DATES: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_TIMES: Final = ("%H:%M:%S", "%H:%M")
_DAY: Final = timedelta(days=1)


def moment(text: str, now: datetime) -> datetime:
    """The moment that a text names, seen from `now` (with a zone). A time of day is its last one. Raises ValueError for anything else."""
    text = " ".join(text.split())
    if found := _AGO.fullmatch(text):
        return now - timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    day, _, clock = text.rpartition(" ")
    if day in ("today", "yesterday"):
        return _at(clock, now if day == "today" else now - _DAY)
    if parsed := _parsed(text, _DATES):
        return parsed.replace(tzinfo=now.tzinfo)
    last = _at(text, now)
    return last if last <= now else last - _DAY


def _at(clock: str, day: datetime) -> datetime:
    parsed = _parsed(clock, _TIMES)
    if parsed is None:
        raise ValueError(clock)
    return day.replace(hour=parsed.hour, minute=parsed.minute, second=parsed.second, microsecond=0)


def _parsed(text: str, forms: tuple[str, ...]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - its zone is the caller's
        except ValueError:
            continue
    return None


def time_options(function: F) -> F:
    """The options that choose a time; `window` reads them."""
    at = click.option("--at", metavar="TIME", default="", help=f"Those that came within {AT_MINUTES} minutes of TIME; not with --since.")
    since = click.option("--since", metavar="TIME", default="", help=f"Those that came since TIME; not with --at. A TIME is {FORMS}.")
    return at(since(function))


def window(at: str, since: str) -> Window:
    """The time in which messages came that is asked for. Raises click's errors."""
    if at and since:
        raise click.UsageError("give --at or --since, not both")
    if at:
        middle, around = _ms(at, "--at"), AT_MINUTES * 60_000
        return Window(middle - around, middle + around)
    return Window(_ms(since, "--since")) if since else Window()


def _ms(text: str, option: str) -> int:
    try:
        return int(moment(text, datetime.now().astimezone()).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"a time is {FORMS}", param_hint=option) from None
