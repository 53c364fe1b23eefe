"""Alarms: the reminders that are due, and the message of each in its person's conversation.

    read what is due ─▶ the person's entry as it is now ─▶ the occurrence and the next ─▶ one script puts and sets both
         │                     └── none: held back                     └── stale, again, early: the next look has it
         └── each is looked at again in three seconds, whatever becomes of this process

A reminder belongs to a person and a channel. Where the person cannot be reached there for good, it goes to their other channel. What came
due while they could not be reached at all rings when that ends, of what repeats the newest; what is more than a day late by then is told
as missed, in one message for all. A briefing's text is a question to the model, and its message a turn like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError

from shared.errors import BadInput
from shared.mailbox import calls
from shared.mailbox.calls import ALARMS_AT_ONCE, NO_ROUTE, Alarm, Firing, HeldMessage, release
from shared.mailbox.wake_queue import job
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.events import Received, SmsReceived
from shared.model.outgoing import quiet_spans
from shared.model.recurrence import Occurrence, Recurrence
from shared.model.users import User
from shared.observability import logs
from shared.observability.redaction import error_location
from shared.submit import route_to
from supervisor_worker.assistant import reminder_texts
from supervisor_worker.channels.formats import FORMATS
from supervisor_worker.turns.context import TurnContext

LOG: Final = logs.logger(__name__)
MAX_LOOKS: Final = 10
"""How often one poll reads as many alarms as one look may: then the conversations that are due have their turn."""


class AlarmRinger:
    """Rings what is due, for one worker process."""

    def __init__(self, context: TurnContext) -> None:
        self._context = context
        self._known: tuple[User, ...] | None = None
        self._entries: dict[str, User] = {}

    async def ring_due(self) -> None:
        """Ring all that is due now. Raises RedisError: the next look has the rest."""
        for _ in range(MAX_LOOKS):
            read = await self._context.mailbox.run(calls.alarms())
            for name in read.unreadable:
                LOG.error("A reminder's record cannot be read", action="reminder_unreadable", reminder=name)
            for held in read.held:
                await self._release(held, read.now_ms)
            told: set[str] = set()
            for alarm in read.due:
                if alarm.id not in told:
                    told |= await self._guarded(alarm, read.now_ms)
            if len(read.due) + len(read.held) + len(read.unreadable) < ALARMS_AT_ONCE:
                return

    async def _release(self, held: HeldMessage, now_ms: int) -> None:
        """The quiet hours may be over that hold a message back."""
        user, route = self._entry(held.entry), NO_ROUTE
        quiet: tuple[tuple[int, int], ...] = ()
        if user is not None:
            quiet = quiet_spans(user, datetime.fromtimestamp(now_ms / 1000, UTC))
            route = route_to(self._context.identities, user, held.channel, held.id, subject_of(held), now_ms / 1000)
        await self._context.mailbox.run(
            release(held.id, held.channel, now_ms, route, held.entry, quiet=quiet, retention_ms=self._context.retention_ms)
        )

    async def _guarded(self, alarm: Alarm, now_ms: int) -> set[str]:
        """The reminders of which something was said. One that cannot be computed holds up no other."""
        try:
            return await self._ring(alarm, now_ms)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 - a rule of a newer version, a zone that this host does not know
            LOG.error("A reminder cannot be computed", action="reminder_failed", reminder=alarm.id, **error_location(error))  # noqa: TRY400 - see `error_location`
            return set()

    async def _ring(self, alarm: Alarm, now_ms: int) -> set[str]:
        firings = [firing(alarm, now_ms)]
        user = self._entry(alarm.entry)
        if user is None:
            return await self._hold_back(firings, now_ms, "removed")
        if _missed(firings[0], now_ms) and not alarm.briefing and not alarm.asks_zone:
            others = await self._context.mailbox.run(calls.alarms(alarm.person))
            now_ms = others.now_ms
            late = [firing(other, now_ms) for other in others.due if not other.briefing and not other.asks_zone]
            firings = [each for each in late if _missed(each, now_ms)] or firings
        events = list(self._events(user, firings, now_ms))
        if not events:
            return await self._hold_back(firings, now_ms, "no_channel")
        for event in events:  # until one of the person's channels takes it
            outcomes = await self._fire(firings, event, now_ms)
            if "opted_out" not in outcomes:
                break
        return {each.alarm.id for each in firings}

    async def _fire(self, firings: Sequence[Firing], event: Received, now_ms: int) -> list[str]:
        identities = self._context.identities
        conversation = identities.conversation(event.key())
        call = calls.fire(
            firings,
            now_ms,
            event,
            conversation,
            sender=identities.sender(event.from_),
            pair=identities.pair(event.to, event.from_),
            user=identities.user(event.user),
            kind=CHANNELS[event.channel].kind if firings[0].alarm.briefing else "reminder",
            wake=job(conversation, event.channel),
        )
        return [str(outcome) for outcome in await self._context.mailbox.run(call)]

    async def _hold_back(self, firings: Sequence[Firing], now_ms: int, reason: str) -> set[str]:
        call = calls.hold_back(firings, now_ms, "removed" if reason == "removed" else "no_channel")
        await self._context.mailbox.run(call)
        return {each.alarm.id for each in firings}

    def _events(self, user: User, firings: Sequence[Firing], now_ms: int) -> Iterator[Received]:
        """What the message answers on each of the person's channels, the reminder's own first. Each names both ends."""
        first, missed = firings[0].alarm, _missed(firings[0], now_ms) and not firings[0].alarm.asks_zone
        name = message_id(firings[0])
        about = (
            reminder_texts.missed_subject(user.language)
            if missed
            else reminder_texts.subject(first.text, user.language, marked=first.marked, briefing=first.briefing, asks_zone=first.asks_zone)
        )
        for channel in _channels(first.channel):
            if not user.bridge_only and (ends := user.ends(channel)):
                event = FORMATS[channel].notice_event(ends, name, user.id, about, now_ms / 1000)
                yield _asking(event, first.text) if first.briefing else event

    def _entry(self, name: str) -> User | None:
        """The entry of the users file as it is now, by its id; None where there is none any more."""
        users = self._context.users.all
        if self._known is not users:
            self._entries = {self._context.identities.user(user.id): user for user in users}
            self._known = users
        return self._entries.get(name)


def subject_of(held: HeldMessage) -> str:
    """The subject of a mail; "" for a text, and where it cannot be read."""
    try:
        return str(getattr(codec.decode(held.event), "subject", ""))
    except BadInput:
        return ""


def firing(alarm: Alarm, now_ms: int) -> Firing:
    """The occurrence that rings now, of what repeats the newest that has come, and the first that lies ahead.

    Raises BadInput for a rule that cannot be read, and what ZoneInfo raises for an unknown zone.
    """
    due = Occurrence(alarm.due_ms, alarm.local)
    if not alarm.recurrence:
        return Firing(alarm, due, None)
    rule, zone = Recurrence.parse(alarm.recurrence), ZoneInfo(alarm.zone)
    passed_ms = max(alarm.due_ms, alarm.regular_ms)  # one that was brought forward does not come once more at its own time
    newest = rule.newest(passed_ms, now_ms, zone)
    return Firing(alarm, newest or due, rule.next(max(now_ms, passed_ms), zone))


def _asking(event: Received, question: str) -> Received:
    """The event with a question of the person's in it."""
    return replace(event, briefing=True, **{"message" if isinstance(event, SmsReceived) else "body": question})  # type: ignore[arg-type]


def message_id(first: Firing) -> str:
    """The id of an occurrence's message: the same whoever computes it."""
    alarm = first.alarm
    return "m-" + hashlib.sha256(f"reminder\x1f{alarm.id}\x1f{alarm.revision}\x1f{first.occurrence.due_ms}".encode()).hexdigest()[:24]


def _missed(one: Firing, now_ms: int) -> bool:
    return now_ms - one.occurrence.due_ms > reminder_texts.MISSED_MS


def _channels(first: Channel) -> list[Channel]:
    return [first, *(channel for channel in CHANNELS if channel != first)]
