"""What code says when reminders are due: no model is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Final

from shared.mailbox.records import Message
from shared.model import words
from shared.model.addresses import Channel
from shared.model.events import Received, Response
from shared.model.recurrence import Recurrence
from shared.model.rings import Ring
from shared.model.sentences.dates import EACH_WEEK
from shared.model.sentences.languages import in_language
from shared.model.text import one_line
from shared.model.words import said
from supervisor_worker.channels.formats import MessageFormat
from supervisor_worker.channels.notes import theirs

LATE_MS: Final = 120_000
"""From when on a reminder is said to be late."""
MISSED_MS: Final = 86_400_000
"""From when on it is not rung but told as missed, together with all others that are so late."""
MAX_SUBJECT: Final = 60
MAX_SOURCE: Final = 100


def reply(
    message: Message, event: Received, reply_id: str, forms: Mapping[Channel, MessageFormat], *, now_ms: int, language: str
) -> tuple[Response, dict[str, int | str]] | None:
    """The reply that tells of what is due, ready to be stored, with its figures; None where nothing can be read of it."""
    said_now = text(message.rings, now_ms, language)
    if not said_now:
        return None
    form = forms[event.channel]
    command = form.announced(event, said_now, reply_id)
    others = {"names_others": 1} if any(ring.marked for ring in message.rings) else {}
    return command, {"by_code": 1, **others, **form.figures(command)}


def text(rings: Sequence[Ring], now_ms: int, language: str) -> str:
    """What one message tells of these occurrences, as plain text; '' for none. `now_ms` is the time of its sending."""
    missed = sorted((ring for ring in rings if now_ms - ring.due_ms > MISSED_MS and not ring.asks_zone), key=lambda ring: ring.due_ms)
    parts = [_rings(ring, now_ms, language) for ring in rings if ring not in missed]
    if missed:
        before = words.counted("reminders_missed", len(missed), language)
        lines = [f"- {when(ring.local, language)}: {words_of(ring, language)}" for ring in missed]
        parts.append("\n".join([before, "", *lines]))
    return "\n\n".join(parts)


def _rings(ring: Ring, now_ms: int, language: str) -> str:
    if ring.asks_zone:
        return said("zone_asked", language, old=place_of(ring.text), new=place_of(ring.zone), count=ring.source)
    if now_ms - ring.due_ms > LATE_MS:
        return said("reminder_late", language, when=when(ring.local, language), text=words_of(ring, language))
    return said("reminder", language, text=words_of(ring, language))


def words_of(ring: Ring, language: str) -> str:
    """A reminder's own words; of those that others wrote it is said that they did."""
    own = theirs(ring.text)
    if not ring.marked:
        return own
    source = one_line(theirs(ring.source), MAX_SOURCE)
    return said("reminder_of_mail" if source else "reminder_of_others", language, source=source, text=own)


def when(local: datetime, language: str, this_year: int | None = None) -> str:
    """Weekday, date and time, by the wall's clock that it was asked for by; with the year where that is not `this_year`."""
    at = words.date_and_time(local, language, with_year=this_year is not None and local.year != this_year)
    return said("weekday_and_date", language, weekday=words.weekday(local, language), date=at)


def rule(recurrence: Recurrence, language: str) -> str:
    """What repeats, in words."""
    days = [in_language(EACH_WEEK, language)[day] for day in recurrence.days]
    names = ", ".join(days[:-1])
    listed = said("and", language, first=names, last=days[-1]) if names else "".join(days)
    found = said(f"every_{recurrence.every}", language, days=listed, day=words.day_of_month(recurrence.day, language))
    if recurrence.until is None:
        return found
    return said("until", language, rule=found, date=words.date_in_year(datetime.combine(recurrence.until, time()), language))


def place_of(zone: str) -> str:
    """By what a person knows a time zone: New York for America/New_York."""
    return zone.rpartition("/")[2].replace("_", " ")


def subject(reminder: str, language: str, *, marked: bool, briefing: bool = False, asks_zone: bool = False) -> str:
    """The subject of a mail that rings; a stranger's words do not stand in it."""
    if asks_zone:
        return said("zone_subject", language)
    if marked:
        return said("reminder_subject", language)
    return said("briefing_subject" if briefing else "reminder", language, text=one_line(theirs(reminder), MAX_SUBJECT))


def missed_subject(language: str) -> str:
    """The subject of a mail that tells of what was missed."""
    return said("reminders_missed_subject", language)
