"""Calendar files: what, when, where and who of their events and tasks. A time keeps its zone's name, a repetition its rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from supervisor_worker.media.readers.content_lines import MAX_FILE, ContentLine, content_lines, text_of
from supervisor_worker.media.readers.extract import BoundedText

_SHOWN: Final = {"VEVENT": "Event", "VTODO": "Task"}
_WANTED: Final = frozenset(
    {"BEGIN", "END", "METHOD", "SUMMARY", "DTSTART", "DTEND", "DUE", "DURATION", "LOCATION", "ORGANIZER", "ATTENDEE", "DESCRIPTION"}
    | {"STATUS", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "URL"}
)
_METHODS: Final = {"REQUEST": "Invitation", "CANCEL": "Cancellation", "REPLY": "Answer to an invitation", "COUNTER": "Counter-proposal"}
_WHEN: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?")
_FREQUENCY: Final = re.compile(r"FREQ=(\w+)", re.IGNORECASE)
_DURATION: Final = re.compile(r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
_UNITS: Final = ("week", "day", "hour", "minute", "second")
_MAX_DESCRIPTION: Final = 2_000
_MAX_ATTENDEES: Final = 50
_MAX_DAYS: Final = 20
_MAX_LINES: Final = 200
"""Of one event that are looked at."""


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the events, in their order. Alarms, zones and free times within or between them are passed over."""
    inside: list[str] = []
    event: list[ContentLine] = []
    for line in content_lines(content, charset, _WANTED):
        if line.name == "BEGIN":
            inside = [*inside[:8], line.value.upper()]
        elif line.name == "END":
            if inside and inside[-1] in _SHOWN:
                _add(_SHOWN[inside[-1]], event, text)
                event = []
            del inside[-1:]
        elif line.name == "METHOD":
            text.line(_METHODS.get(line.value.upper(), line.value[:40]))
        elif inside and inside[-1] in _SHOWN and len(event) < _MAX_LINES:
            event.append(line)
    if event:  # the file ends within an event
        _add("Event", event, text)
    text.cut = len(content) > MAX_FILE


def _add(kind: str, lines: Sequence[ContentLine], text: BoundedText) -> None:
    first: dict[str, ContentLine] = {}
    for line in lines:
        first.setdefault(line.name, line)
    shown = {name: text_of(line) for name, line in first.items()}
    text.line(f"{kind}: {shown.get('SUMMARY') or '(without a title)'}")
    rule = _FREQUENCY.search(shown.get("RRULE", ""))
    also, skipped = _moments("RDATE", lines), _moments("EXDATE", lines)
    people = [_person(line) for line in lines if line.name == "ATTENDEE"]
    for label, value in (
        ("When", _span(first)),
        ("Due", _moment(first["DUE"]) if "DUE" in first else ""),
        ("Repeats", f"{rule[1].lower()} ({shown['RRULE']})" if rule else ""),
        ("Also on", ", ".join(also[:_MAX_DAYS])),
        ("Not on", ", ".join(skipped[:_MAX_DAYS])),
        ("In place of that on", _moment(first["RECURRENCE-ID"]) if "RECURRENCE-ID" in first else ""),
        ("Where", shown.get("LOCATION", "")),
        ("Organizer", _person(first["ORGANIZER"]) if "ORGANIZER" in first else ""),
        (
            "Attendees",
            ", ".join(people[:_MAX_ATTENDEES]) + (f" and {len(people) - _MAX_ATTENDEES} more" if people[_MAX_ATTENDEES:] else ""),
        ),
        ("Status", shown.get("STATUS", "").lower()),
        ("Link", shown.get("URL", "")),
        ("Description", shown.get("DESCRIPTION", "")[:_MAX_DESCRIPTION]),
    ):
        if value:
            text.line(f"{label}: {value}")
    text.line("")


def _span(first: dict[str, ContentLine]) -> str:
    """From when to when."""
    if "DTSTART" not in first:
        return ""
    start = _moment(first["DTSTART"])
    if "DTEND" in first:
        end = _moment(first["DTEND"], last_day=True)
        return start if end == start else f"{start} to {end}"
    found = _DURATION.fullmatch(first["DURATION"].value.strip().lstrip("+")) if "DURATION" in first else None
    lasting = " ".join(_counted(int(count), unit) for count, unit in zip(found.groups(), _UNITS, strict=True) if count) if found else ""
    return f"{start}, lasting {lasting}" if lasting else start


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _moments(name: str, lines: Sequence[ContentLine]) -> list[str]:
    """The times of the lines of that name, of which each may have several; of a period its beginning."""
    values = [replace(line, value=value.partition("/")[0]) for line in lines if line.name == name for value in line.value.split(",")]
    return [_moment(value) for value in values]


def _moment(line: ContentLine, *, last_day: bool = False) -> str:
    """A day or a time with its zone. The end of an event of whole days is the day after it: `last_day` gives the day itself."""
    found = _WHEN.fullmatch(line.value.strip())
    if found is None:
        return line.value[:100]
    year, month, day, hour, minute, _, utc = found.groups()
    if hour is not None:
        zone = "UTC" if utc else f"({line.parameters.get('TZID', '').strip('/') or 'local time'})"
        return f"{year}-{month}-{day} {hour}:{minute} {zone}"
    try:
        whole = date(int(year), int(month), int(day)) - timedelta(days=int(last_day))
    except (ValueError, OverflowError):
        return line.value[:100]
    return f"{whole.isoformat()} (all day)"


def _person(line: ContentLine) -> str:
    """A name and an address, and whether they come."""
    address = line.value.strip()
    address = address[7:] if address.lower().startswith("mailto:") else address
    name, comes = line.parameters.get("CN", "").strip(), line.parameters.get("PARTSTAT", "").lower()
    who = f"{name} <{address}>" if name and name != address else address
    return f"{who[:200]} ({comes[:20]})" if comes in {"accepted", "declined", "tentative"} else who[:200]
