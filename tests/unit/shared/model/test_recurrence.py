"""Occurrences by the wall's clock: on both daylight-saving days, where a zone leaves a day out, and against an oracle that only watches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.model.recurrence import EVERY, Every, Recurrence, local_time, moment_ms

ZONES: Final = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC")


def utc(text: str) -> int:
    """A time of UTC, in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def wall(text: str) -> datetime:
    """A local time."""
    return datetime.fromisoformat(text)


def seen(local: datetime, zone: ZoneInfo) -> int:
    """The oracle: watch the clock, minute by minute, until it shows that time or a later one."""
    at = int(local.replace(tzinfo=UTC).timestamp()) - 26 * 3_600
    while datetime.fromtimestamp(at, zone).replace(tzinfo=None) < local:
        at += 60
    return at * 1000


def test_a_time_in_the_gap_is_due_when_the_gap_ends_and_one_that_comes_twice_the_first_time() -> None:
    """Both daylight-saving days of three zones, and a day that one leaves out."""
    table = {
        ("America/New_York", "2027-03-14T01:59"): "2027-03-14T06:59",
        ("America/New_York", "2027-03-14T02:00"): "2027-03-14T07:00",
        ("America/New_York", "2027-03-14T02:30"): "2027-03-14T07:00",
        ("America/New_York", "2027-03-14T03:00"): "2027-03-14T07:00",
        ("America/New_York", "2027-03-14T03:01"): "2027-03-14T07:01",
        ("America/New_York", "2027-11-07T01:30"): "2027-11-07T05:30",
        ("America/New_York", "2027-11-07T02:00"): "2027-11-07T07:00",
        ("Europe/Berlin", "2027-03-28T02:30"): "2027-03-28T01:00",
        ("Europe/Berlin", "2027-10-31T02:30"): "2027-10-31T00:30",
        ("Europe/Berlin", "2027-10-31T03:00"): "2027-10-31T02:00",
        ("Australia/Lord_Howe", "2027-10-03T02:15"): "2027-10-02T15:30",
        ("Australia/Lord_Howe", "2027-10-03T02:31"): "2027-10-02T15:31",
        ("Australia/Lord_Howe", "2027-04-04T01:45"): "2027-04-03T14:45",
        ("Pacific/Apia", "2011-12-30T09:00"): "2011-12-30T10:00",
        ("Pacific/Apia", "2011-12-31T00:00"): "2011-12-30T10:00",
        ("UTC", "2027-03-14T02:30"): "2027-03-14T02:30",
    }
    for (zone, local), due in table.items():
        assert moment_ms(wall(local), ZoneInfo(zone)) == utc(due), (zone, local)


def dues(rule: Recurrence, zone: str, number: int, after: str = "2000-01-01T00:00") -> list[str]:
    """The first occurrences, in UTC."""
    found = islice(rule.occurrences(utc(after), ZoneInfo(zone)), number)
    return [datetime.fromtimestamp(each.due_ms / 1000, UTC).strftime("%m-%d %H:%M") for each in found]


def test_what_repeats_keeps_the_time_of_the_wall_over_daylight_saving_days() -> None:
    """Row 11: the next one is never made of the last one's UTC."""
    daily = Recurrence(wall("2027-03-12T07:30"), "daily")
    assert dues(daily, "America/New_York", 4) == ["03-12 12:30", "03-13 12:30", "03-14 11:30", "03-15 11:30"]
    gap = Recurrence(wall("2027-03-13T02:30"), "daily")
    assert dues(gap, "America/New_York", 3) == ["03-13 07:30", "03-14 07:00", "03-15 06:30"]
    twice = Recurrence(wall("2027-11-06T01:30"), "daily")
    assert dues(twice, "America/New_York", 3) == ["11-06 05:30", "11-07 05:30", "11-08 06:30"]
    skipped = Recurrence(wall("2011-12-29T09:00"), "daily")
    assert dues(skipped, "Pacific/Apia", 3) == ["12-29 19:00", "12-30 10:00", "12-30 19:00"]
    late = Recurrence(wall("2027-01-01T23:00"), "daily")
    assert dues(late, "America/New_York", 1, "2027-01-05T03:00") == ["01-05 04:00"]  # it is the evening of the 4th there


def test_a_month_that_lacks_the_day_has_its_last_one() -> None:
    """Nothing is left out, and the day is the 31st again as soon as there is one."""
    monthly = Recurrence(wall("2027-01-31T09:00"), "monthly", day=31)
    assert [day.isoformat() for day in islice(monthly.dates(date(2027, 1, 1)), 5)] == [
        "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31",
    ]  # fmt: skip
    leap = Recurrence(wall("2028-02-29T09:00"), "yearly", day=29)
    assert [day.isoformat() for day in islice(leap.dates(date(2028, 1, 1)), 5)] == [
        "2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29",
    ]  # fmt: skip
    over = Recurrence(wall("2027-11-30T09:00"), "monthly", day=30)
    assert [day.isoformat() for day in islice(over.dates(date(2027, 12, 1)), 3)] == ["2027-12-30", "2028-01-30", "2028-02-29"]


def test_days_of_the_week_and_an_end() -> None:
    """2027-03-01 is a Monday."""
    work = Recurrence(wall("2027-03-05T09:00"), "weekdays")
    assert [day.day for day in islice(work.dates(date(2027, 3, 1)), 3)] == [5, 8, 9]
    some = Recurrence(wall("2027-03-01T09:00"), "weekly", (0, 3), until=date(2027, 3, 11))
    assert [day.day for day in some.dates(date(2020, 1, 1))] == [1, 4, 8, 11]
    zone = ZoneInfo("UTC")
    assert some.next(utc("2027-03-11T09:00"), zone) is None
    assert some.newest(utc("2027-03-01T09:00"), utc("2027-03-09T09:00"), zone) == (utc("2027-03-08T09:00"), wall("2027-03-08T09:00"))
    assert some.newest(utc("2027-03-11T09:00"), utc("2027-04-01T00:00"), zone) is None
    assert list(Recurrence(wall("9999-12-30T09:00"), "daily").dates(date(9999, 12, 1)))[-1] == date(9999, 12, 31)


def test_a_record_s_field_is_read_as_it_was_written_or_refused() -> None:
    """Also of a version that knows more."""
    rule = Recurrence(wall("2027-03-01T09:00"), "weekly", (0, 3), 1, date(2027, 3, 11))
    assert Recurrence.parse(str(rule)) == rule
    good = str(rule)
    for bad in ("", "[]", "{}", good.replace("weekly", "hourly"), good.replace("2027-03-01T", "2027-13-01T"), good.replace("[0,3]", "3")):
        with pytest.raises(BadInput):
            Recurrence.parse(bad)


def falls_on(rule: Recurrence, day: date) -> bool:
    """Whether a rule names a day, said in the plainest words."""
    last = (day + timedelta(days=1)).day == 1
    in_month = day.day == rule.day or (last and day.day < rule.day)
    return {
        "daily": True,
        "weekdays": day.strftime("%a") not in ("Sat", "Sun"),
        "weekly": day.weekday() in rule.days,
        "monthly": in_month,
        "yearly": in_month and day.month == rule.start.month,
    }[rule.every]


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2029, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0)),  # noqa: DTZ001 - local
    every=st.sampled_from(EVERY),
    days=st.sets(st.integers(0, 6), min_size=1),
    day=st.integers(1, 31),
    after=st.integers(-3 * 1440, 800 * 1440),
    length=st.none() | st.integers(0, 500),
)
def test_next_is_what_one_sees_who_watches_the_clock(  # noqa: PLR0917 - what is drawn
    zone: str, start: datetime, every: Every, days: set[int], day: int, after: int, length: int | None
) -> None:
    """Day by day and minute by minute, without a thought of offsets."""
    until = None if length is None else start.date() + timedelta(days=length)
    rule = Recurrence(start, every, tuple(sorted(days)), start.day if every == "yearly" else day, until)
    local, now = ZoneInfo(zone), moment_ms(start + timedelta(minutes=after), ZoneInfo(zone))
    dates = (start.date() + timedelta(days=number) for number in range(max(0, after // 1440 - 3), after // 1440 + 400))
    named = [each for each in dates if each >= start.date() and (until is None or each <= until) and falls_on(rule, each)]
    watched = ((seen(datetime.combine(each, start.time()), local), each) for each in named)
    expected = next(((due, each) for due, each in watched if due > now), None)
    found = rule.next(now, local)
    assert (found and (found.due_ms, found.local.date())) == expected
    if found:
        assert local_time(found.due_ms, local) >= found.local
        assert local_time(found.due_ms - 1000, local) < found.local
