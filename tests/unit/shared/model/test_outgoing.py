"""Quiet hours by the person's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.model.outgoing import Said, quiet_spans
from shared.model.users import LOCAL_USER

BERLIN = replace(LOCAL_USER, timezone="Europe/Berlin")


@pytest.mark.parametrize(("hours", "at", "until"), [
    ("22:00-07:00", "2026-12-01T23:30+00:00", "2026-12-02T06:00+00:00"),
    ("22:00-07:00", "2026-12-01T21:00+00:00", "2026-12-02T06:00+00:00"),
    ("22:00-07:00", "2026-12-01T20:59+00:00", ""),
    ("22:00-07:00", "2026-12-01T06:00+00:00", ""),
    ("12:00-14:00", "2026-12-01T12:30+00:00", "2026-12-01T13:00+00:00"),
    ("00:00-06:00", "2026-12-01T23:30+00:00", "2026-12-02T05:00+00:00"),
    ("22:00-07:00", "2026-03-28T22:00+00:00", "2026-03-29T05:00+00:00"),  # the night in which the clocks go forward
    ("22:00-07:00", "2026-10-24T22:00+00:00", "2026-10-25T06:00+00:00"),  # and back
])  # fmt: skip
def test_quiet_hours_end_by_the_persons_clock(hours: str, at: str, until: str) -> None:
    """Over midnight, on both days of daylight saving."""
    begins, ends = (int(time[:2]) * 60 + int(time[3:]) for time in hours.split("-"))
    now = datetime.fromisoformat(at)
    ms = int(now.timestamp() * 1000)
    found = [end for begin, end in quiet_spans(replace(BERLIN, quiet_hours=(begins, ends)), now) if begin <= ms < end]
    assert found == ([int(datetime.fromisoformat(until).timestamp() * 1000)] if until else [])


def test_who_has_none_has_no_spans() -> None:
    """Whatever the time."""
    assert quiet_spans(BERLIN, datetime.now(UTC)) == ()


def test_what_is_said_is_read_back_and_names_its_source() -> None:
    """A record that cannot be read says nothing."""
    said = Said("The door is open", "door")
    assert Said.parse(said.record()) == said
    assert said.shown == "[door] The door is open"
    assert Said("x").shown == "x"
    assert Said.parse("[") == Said.parse("{}") == Said()
