"""Times as the model is told of them: by the records, in the person's zone, and never by a host's clock. Pure.

All times are integer milliseconds since the epoch; 0 is a time that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.mailbox.records import Message, Reply
from shared.model import words
from shared.model.events import Received
from shared.model.users import User
from supervisor_worker.channels.notes import note

MINUTE_MS: Final = 60_000
JUMP_MS: Final = 3_600_000
"""Between two records that lie further apart stands the time of the second."""
LONGEST: Final = 200
"""Bytes of the longest note on a time."""


def received_at(event: Received, accepted_at: int = 0) -> int:
    """When a message was received: before it was accepted, where it waited in a spool; never after it, whatever that host's clock said."""
    received = int(event.received_at * 1000)
    return min(received, accepted_at) if received and accepted_at else received or accepted_at


def time_of(record: Message | Reply) -> int:
    """When a record of the history was received, or stored."""
    if isinstance(record, Reply):
        return record.stored_at
    return received_at(record.event, record.accepted_at) if record.event else record.accepted_at


def moment(at_ms: int, at: tzinfo) -> str:
    """Weekday, date and time, such as `Monday, 23 November 2026, 00:30`; with the offset in the hour that a clock shows twice."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(at)
    offset = f" ({local:%z})" if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset() else ""
    return f"{words.weekday(local)}, {words.date(local)} {local.year}, {local:%H:%M}{offset}"


def day(at_ms: int, at: tzinfo) -> str:
    """Day, month and year."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(at)
    return f"{words.date(local)} {local.year}"


def stamp(at_ms: int, at: tzinfo) -> str:
    """The note before a record that lies more than an hour behind the one before it; '' for a time that is not known."""
    return note(moment(at_ms, at)) if at_ms else ""


def of_new(times: Sequence[int], now_ms: int, at: tzinfo) -> list[str]:
    """What stands before each of the new messages, which were received at `times`: '' for one that came within a minute of the one before.

    The first note also says what time it is now, unless that is within a minute of its own.
    """
    notes: list[str] = []
    noted = None
    for ms in times:
        if noted is not None and (not ms or abs(ms - noted) <= MINUTE_MS):
            notes.append("")
            continue
        said = [f"Received on {moment(ms, at)} ({at})"] if ms else []
        if noted is None and abs(now_ms - ms) > MINUTE_MS:
            said.append(f"It is now {moment(now_ms, at)}" + ("" if ms else f" ({at})"))
        noted = ms
        notes.append(note(". ".join(said)))
    return notes


def zone(user: User | None) -> tzinfo:
    """The user's time zone; UTC for nobody, and where the host does not know it."""
    try:
        return ZoneInfo(user.timezone) if user else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the host's zone data went away after the users file was read
        return UTC
