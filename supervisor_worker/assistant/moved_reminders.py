"""When a reminder is due by the clock of another zone. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from shared.mailbox.calls import Alarm
from shared.model.recurrence import Occurrence, Recurrence, local_time, moment_ms


def moved(alarm: Alarm, to: ZoneInfo, now_ms: int) -> tuple[Alarm, Occurrence, int]:
    """At the same time of day, by the clock of `to`: what is due next, and when that is due which a move has put off (ms; 0 for none).

    Where that has passed there already, what repeats goes on with the first that lies ahead, and what does not is due at once.
    Raises BadInput for a rule that cannot be read, and what ZoneInfo raises for an unknown zone.
    """
    due = Occurrence(moment_ms(alarm.local, to), alarm.local)
    if not alarm.recurrence:
        return alarm, due, 0
    if alarm.regular_ms:
        return alarm, due, moment_ms(local_time(alarm.regular_ms, ZoneInfo(alarm.zone)), to)
    ahead = Recurrence.parse(alarm.recurrence).next(now_ms, to) if due.due_ms <= now_ms else None
    return alarm, ahead or due, 0
