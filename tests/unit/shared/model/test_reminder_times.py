"""The time that the model asks for: what is taken, from when it counts, and what is refused with which word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from shared.errors import BadInput
from shared.model.reminder_times import PlannedTime, plan

RECEIVED: Final = "2027-03-01T08:00:30"
"""A Monday, 09:00:30 in Berlin."""


def planned(asked: dict[str, Any], zone: str = "Europe/Berlin", received: str = RECEIVED) -> PlannedTime:
    """What is made of it."""
    return plan(asked, received_ms=int(datetime.fromisoformat(received).replace(tzinfo=UTC).timestamp() * 1000), zone=zone)


def due(found: PlannedTime) -> str:
    """When it is due, in UTC."""
    return datetime.fromtimestamp(found.due_ms / 1000, UTC).isoformat()[:19]


def test_a_local_time_is_read_in_the_person_s_zone() -> None:
    """Row 12: never in the host's. What is asked for within the message's own minute is due at once."""
    assert due(planned({"at": "2027-03-02T09:00"})) == "2027-03-02T08:00:00"
    assert due(planned({"at": "2027-03-02 09:00:00"}, "America/New_York")) == "2027-03-02T14:00:00"
    assert due(planned({"at": "2027-03-01T09:00"})) == "2027-03-01T08:00:00"
    gap = planned({"at": "2027-03-28T02:30"})
    assert (due(gap), gap.local.isoformat()) == ("2027-03-28T01:00:00", "2027-03-28T02:30:00")


def test_minutes_count_from_when_the_message_was_received() -> None:
    """Row 13: to the second, and without arithmetic of the model's; over a daylight-saving day they are minutes still."""
    found = planned({"in_minutes": 10})
    assert (due(found), found.local.isoformat(), found.recurrence) == ("2027-03-01T08:10:30", "2027-03-01T09:10:00", None)
    assert due(planned({"in_minutes": 120.0}, received="2027-03-28T00:30:00")) == "2027-03-28T02:30:00"


def test_what_repeats_begins_with_its_first_occurrence() -> None:
    """A time of day alone is today's, or the next day's that fits; a count counts from the first one."""
    table: list[tuple[dict[str, Any], str, str]] = [
        ({"at": "09:30", "repeat": {"every": "daily"}}, "2027-03-01T08:30:00", ""),
        ({"at": "08:30", "repeat": {"every": "daily", "count": 3}}, "2027-03-02T07:30:00", "2027-03-04"),
        ({"at": "2027-03-01T08:00", "repeat": {"every": "daily"}}, "2027-03-02T07:00:00", ""),
        ({"at": "2027-03-06T09:00", "repeat": {"every": "weekdays"}}, "2027-03-08T08:00:00", ""),
        ({"at": "07:00", "repeat": {"every": "weekly", "days": ["wed", "mon"], "count": 2}}, "2027-03-03T06:00:00", "2027-03-08"),
        ({"at": "10:00", "repeat": {"every": "weekly"}}, "2027-03-01T09:00:00", ""),
        ({"at": "10:00", "repeat": {"every": "monthly", "day": 31, "until": "2027-05-31"}}, "2027-03-31T08:00:00", "2027-05-31"),
        ({"at": "2028-02-29T10:00", "repeat": {"every": "yearly", "count": 2}}, "2028-02-29T09:00:00", "2029-02-28"),
    ]
    for asked, first, last in table:
        found = planned(asked)
        assert found.recurrence is not None
        assert (due(found), found.recurrence.start) == (first, found.local), asked
        assert (found.recurrence.until.isoformat() if found.recurrence.until else "") == last, asked


def test_what_cannot_be_is_refused_with_its_word() -> None:
    """Each has a sentence elsewhere; nothing is guessed."""
    daily = {"every": "daily"}
    table: dict[str, list[dict[str, Any]]] = {
        "no_time": [{}],
        "two_times": [{"at": "2027-03-02T09:00", "in_minutes": 5}, {"in_minutes": 5, "repeat": daily}],
        "bad_time": [{"at": at} for at in ("", "tomorrow", "09:30", "2027-3-2T9:00", 5, "2027-03-02", "2027-W10-1T09:00")],
        "has_offset": [{"at": f"2027-03-02T09:00{offset}"} for offset in ("Z", "+01:00", "-0500", ":00Z", ":00.5+01:00")],
        "no_such_time": [{"at": at} for at in ("2027-02-30T09:00", "2027-03-02T24:30", "2027-02-29T09:00", "2027-13-01T09:00")],
        "bad_minutes": [{"in_minutes": minutes} for minutes in (0, -5, 2.5, "5", True, float("nan"), float("inf"))],
        "past": [{"at": "2027-03-01T08:59"}, {"at": "0001-01-02T09:00"}],
        "too_far": [
            {"at": "2029-03-03T09:00"}, {"in_minutes": 731 * 1440 + 1}, {"at": "9999-12-31T23:59"},
            {"at": "2030-01-01T09:00", "repeat": daily},
        ],
        "bad_repeat": [{"at": "09:30", "repeat": repeat} for repeat in ("daily", {"every": "hourly"}, {"every": 1}, 5)],
        "bad_days": [{"at": "09:30", "repeat": {"every": "weekly", "days": days}} for days in ([], ["monday"], [1], "mon", [None])],
        "bad_day": [{"at": "09:30", "repeat": {"every": "monthly", "day": day}} for day in (0, 32, "5", True, 1.0)],
        "bad_until": [{"at": "09:30", "repeat": {**daily, "until": until}} for until in ("", "soon", 5, "2027-02-30")],
        "bad_count": [{"at": "09:30", "repeat": {**daily, "count": count}} for count in (0, -1, 1001, "5", True)],
        "two_ends": [{"at": "09:30", "repeat": {**daily, "until": "2027-04-01", "count": 3}}],
        "never": [
            {"at": "09:30", "repeat": {**daily, "until": "2027-02-28"}},
            {"at": "2027-05-01T09:30", "repeat": {**daily, "until": "2027-04-30"}},
        ],
    }  # fmt: skip
    for code, asks in table.items():
        for asked in asks:
            with pytest.raises(BadInput) as refused:
                planned(asked)
            assert refused.value.code == code, asked
