"""People whose time zone has changed: whether they were asked about their reminders, and moving these. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.mailbox.call import Call, nothing
from shared.mailbox.calls.reminders import Alarm, Alarms, read_alarms
from shared.model import codec
from shared.model.recurrence import MINUTE, Occurrence

CHANGED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class ChangedZones:
    """The ids of the users whose zone has changed, and who have not been asked yet; and the server's time."""

    now_ms: int
    users: tuple[str, ...]


def zones(users: Mapping[str, str]) -> Call[None]:
    """The zones of the users, by their ids, in the place of those that were known; those of UTC are left out."""
    return Call("zones", {}, nothing, tuple(word for user, zone in users.items() for word in (user, zone)))


def changed_zones() -> Call[ChangedZones]:
    """Who is to be asked about their reminders."""
    return Call("changed_zones", {"limit": CHANGED_AT_ONCE}, lambda raw: ChangedZones(int(raw[0]), tuple(raw[1:])))


def ask_zone(user: str, zone: str, question: str, now: Occurrence) -> Call[int]:
    """Ask a person, unless they were asked about this zone; the answer is the number of reminders that it is about.

    `question` is the id of what is to ring, `now` the present, by the clock of the zone.
    """
    return Call("ask_zone", {"user": user, "zone": zone, "id": question, "due": str(now.due_ms), "shows": now.local.strftime(MINUTE)}, int)


def waiting_reminders(user: str) -> Call[Alarms]:
    """All reminders of a person that wait, due or not, the next first."""
    return Call("waiting_reminders", {"user": user}, read_alarms)


def move_zone(user: str, zone: str, moved: Sequence[tuple[Alarm, Occurrence, int]]) -> Call[int]:
    """Let reminders go by the clock of another zone; the answer is how many were moved.

    Each with what is due next, and when that is due which a move has put off or brought forward (ms; 0 for none).
    """
    items: list[dict[str, Any]] = [
        {
            "id": alarm.id,
            "revision": alarm.revision,
            "due": str(due.due_ms),
            "local": due.local.strftime(MINUTE),
            "regular": str(regular) if regular else "",
        }
        for alarm, due, regular in moved
    ]
    return Call("move_zone", {"user": user, "zone": zone, "items": codec.dumps(items)}, int)
