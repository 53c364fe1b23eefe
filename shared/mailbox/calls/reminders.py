"""Reminders that are due: reading them, and putting their messages into inboxes. No I/O.

What a turn does to reminders is no call of its own: those are effects (`lua/reminders.lua`), which `step` runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from shared.mailbox.call import Arguments, Call, Wake
from shared.mailbox.records import Kind
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.events import Received
from shared.model.recurrence import MINUTE, Occurrence

ALARMS_AT_ONCE: Final = 100
"""Reminders that one look reads: it keeps the script short, because Redis serves nobody else meanwhile."""
MOST_OF_PERSON: Final = 200
HELD_BACK: Final = ("opted_out", "paused", "waits", "removed", "no_channel")
Fired = Literal["rings", "gone", "stale", "again", "early", "opted_out", "paused", "waits", "removed", "no_channel"]
"""What came of an occurrence. `stale`: the reminder has changed since it was read. `again`, `early`: the server's clock has stepped.

`waits` (the one before has not been sent) and what follows from its person: it is looked at again later. `no_channel`: they are reached
over the bridge alone.
"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A reminder that is due. `entry` is the id of its person's entry of the users file, `recurrence` its rule, '' for what is due once.

    `briefing`: its text is a question to the model. `asks_zone`: it asks about a zone (`lua/ask_zone.lua`). `regular_ms` is when the
    occurrence was due that a move has put off or brought forward, 0 for one that was not moved.
    """

    id: str
    person: str
    entry: str
    revision: str
    channel: Channel
    due_ms: int
    local: datetime
    zone: str
    recurrence: str = ""
    regular_ms: int = 0
    text: str = field(repr=False, default="")
    marked: bool = False
    briefing: bool = False
    asks_zone: bool = False


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that a program has the Boss write, when the quiet hours that held it back are over; `entry` is as an alarm's."""

    id: str
    entry: str
    channel: Channel
    event: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Alarms:
    """What one look has read, at `now_ms` of the server's clock; `unreadable` are the ids of records that it could make nothing of."""

    now_ms: int
    due: tuple[Alarm, ...]
    unreadable: tuple[str, ...] = ()
    held: tuple[HeldMessage, ...] = ()
    """Messages that quiet hours held back, whose time has come."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One occurrence that is to ring, and the one after it; None for the last."""

    alarm: Alarm
    occurrence: Occurrence
    next: Occurrence | None

    def item(self) -> dict[str, str]:
        """As the script reads it."""
        return {
            "id": self.alarm.id,
            "revision": self.alarm.revision,
            "due": str(self.alarm.due_ms),
            "occurrence": str(self.occurrence.due_ms),
            "occurrence_local": self.occurrence.local.strftime(MINUTE),
            "next": str(self.next.due_ms) if self.next else "",
            "next_local": self.next.local.strftime(MINUTE) if self.next else "",
        }


def alarms(person: str = "") -> Call[Alarms]:
    """The reminders that are due, the longest due first; or all of one person's. Nobody else reads them for some seconds."""
    return Call("alarms", {"limit": MOST_OF_PERSON if person else ALARMS_AT_ONCE, "person": person}, read_alarms)


def fire(
    firings: Sequence[Firing],
    read_ms: int,
    event: Received,
    conversation: str,
    *,
    sender: str,
    pair: str,
    user: str,
    kind: Kind = "reminder",
    wake: Wake = (),
) -> Call[list[Fired]]:
    """Put the message of these occurrences into a conversation; the answer is what came of each. All are of one person.

    `event` names both ends, and its id is the message's, whose `kind` is "reminder", or that of its channel's for a briefing; `user` is
    the id of their entry. `read_ms` is when the alarms were read.
    """
    arguments: Arguments = {
        "items": codec.dumps([firing.item() for firing in firings]), "read_at": read_ms, "reason": "", "message": event.id, "kind": kind,
        "conv": conversation, "channel": event.channel, "sender": sender, "pair": pair, "user": user, "event": codec.encode(event),
    }  # fmt: skip
    return Call("fire", arguments, list, wake)


def hold_back(firings: Sequence[Firing], read_ms: int, reason: Literal["removed", "no_channel"]) -> Call[list[Fired]]:
    """Nobody can be reached with these for now: they are looked at again later."""
    nowhere = dict.fromkeys(("message", "kind", "conv", "channel", "sender", "pair", "user", "event"), "")
    items = codec.dumps([firing.item() for firing in firings])
    return Call("fire", {**nowhere, "items": items, "read_at": read_ms, "reason": reason}, list)


def read_alarms(raw: Any) -> Alarms:
    """The answer of a script: the time, and records."""
    now, records = raw
    found, held, unreadable = [], [], []
    for flat in records:
        record = dict(zip(flat[::2], flat[1::2], strict=True))
        try:
            if record.get("kind") == "outgoing":
                held.append(HeldMessage(record["id"], record["entry"], record["channel"], record["event"]))
            else:
                found.append(_alarm(record))
        except (KeyError, ValueError):
            unreadable.append(str(record.get("id", "")))
    return Alarms(int(now), tuple(found), tuple(unreadable), tuple(held))


def _alarm(record: Mapping[str, str]) -> Alarm:
    return Alarm(
        id=record["id"],
        person=record["person"],
        entry=record["entry"],
        revision=record["revision"],
        channel=record["channel"],
        due_ms=int(record["due"]),
        local=datetime.strptime(record["local"], MINUTE),  # noqa: DTZ007 - by the wall's clock
        zone=record["zone"],
        recurrence=record.get("recurrence", ""),
        regular_ms=int(record.get("regular") or 0),
        text=record.get("text", ""),
        marked=record.get("marked") == "1",
        briefing=record.get("kind") == "briefing",
        asks_zone=record.get("kind") == "zone",
    )
