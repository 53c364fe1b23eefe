"""Times as a person types them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import click
import pytest

from boss.terminal.times import AT_MINUTES, moment, window

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 30, 20, 0, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19:05", datetime(2026, 11, 30, 19, 5, tzinfo=ZONE)),
        ("21:10", datetime(2026, 11, 29, 21, 10, tzinfo=ZONE)),
        ("21:10:07", datetime(2026, 11, 29, 21, 10, 7, tzinfo=ZONE)),
        ("today 21:10", datetime(2026, 11, 30, 21, 10, tzinfo=ZONE)),
        ("yesterday 09:10", datetime(2026, 11, 29, 9, 10, tzinfo=ZONE)),
        ("2026-11-02", datetime(2026, 11, 2, tzinfo=ZONE)),
        ("2026-11-02 21:10", datetime(2026, 11, 2, 21, 10, tzinfo=ZONE)),
        ("2026-11-02T21:10:05", datetime(2026, 11, 2, 21, 10, 5, tzinfo=ZONE)),
        ("2h", NOW - timedelta(hours=2)),
        ("90 min", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
    ],
)
def test_a_time_is_the_last_one_that_is_so_called(text: str, expected: datetime) -> None:
    """In the zone of who asks."""
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["teatime", "25:00", "21", "2026-13-01", "2 weeks", "tomorrow 10:00", "-2h"])
def test_anything_else_is_no_time(text: str) -> None:
    """It is said which forms there are."""
    with pytest.raises(ValueError, match=re.escape(text)):
        moment(text, NOW)
    with pytest.raises(click.BadParameter, match="a time is"):
        window(text, "")


def test_a_window_lies_around_a_time_or_begins_with_it() -> None:
    """Without either it holds everything."""
    around = window("2026-11-02 21:10", "")
    assert around.until_ms is not None
    assert around.until_ms - around.since_ms == 2 * AT_MINUTES * 60_000
    assert around.holds(around.since_ms + 1)
    assert not around.holds(around.until_ms + 1)
    assert window("", "2026-11-02 21:10").until_ms is None
    assert window("", "").holds(0)
