"""Twilio's message log, both directions, and who has opted out: what the list endpoint and error 21610 are answered from."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from sandbox.engine import twilio_segments as segments

if TYPE_CHECKING:
    from collections.abc import Iterator

API_VERSION: Final = "2010-04-01"
CAPACITY: Final = 50_000
STOP_WORDS: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS: Final = frozenset({"START", "YES", "UNSTOP"})
HELP_WORDS: Final = frozenset({"HELP", "INFO"})
HELPED: Final = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
STOPPED: Final = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe."
)
STARTED: Final = "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe."


def new_sid(prefix: str) -> str:
    """Return a fresh id of Twilio's shape."""
    return prefix + secrets.token_hex(16)


@dataclass(slots=True, kw_only=True)
class Message:
    """One message as Twilio keeps it."""

    sid: str
    account_sid: str
    to: str
    sender: str
    body: str
    direction: str
    status: str
    created: float
    sent: float | None = None
    updated: float = 0.0
    num_media: int = 0
    error_code: int | None = None
    messaging_service_sid: str | None = None

    @property
    def when(self) -> int:
        """The second by which date filters judge: sent, or created while it is not."""
        return int(self.sent if self.sent is not None else self.created)

    def move(self, status: str, error_code: int | None = None) -> None:
        """Take the next status."""
        self.status, self.error_code, self.updated = status, error_code, time.time()
        if self.sent is None and status in {"sent", "delivered", "undelivered"}:
            self.sent = self.updated

    def to_json(self) -> dict[str, Any]:
        """Return the message resource."""
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{self.sid}"
        return {
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": _rfc2822(self.created),
            "date_sent": _rfc2822(self.sent),
            "date_updated": _rfc2822(self.updated or self.created),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": self.messaging_service_sid,
            "num_media": str(self.num_media),
            "num_segments": str(segments.count(self.body)),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list request asks for; times are whole seconds, both ends included."""

    to: str | None = None
    sender: str | None = None
    after: float = float("-inf")
    before: float = float("inf")
    lag: float = 0.0

    def matches(self, message: Message, now: float) -> bool:
        """Say whether a message belongs in the list, now."""
        return (
            (self.to is None or message.to == self.to)
            and (self.sender is None or message.sender == self.sender)
            and self.after <= message.when <= self.before
            and now - message.created >= self.lag
        )


@dataclass(slots=True)
class MessageStore:
    """The newest messages, by sid and by recipient."""

    capacity: int = CAPACITY
    _by_sid: dict[str, Message] = field(default_factory=dict)
    _by_recipient: dict[str, deque[Message]] = field(default_factory=dict)
    _opted_out: set[tuple[str, str]] = field(default_factory=set)

    def add(self, message: Message) -> None:
        """Keep a message; a sid that is already there (a duplicate delivery) changes nothing."""
        if message.sid in self._by_sid:
            return
        self._by_sid[message.sid] = message
        self._by_recipient.setdefault(message.to, deque()).append(message)
        if len(self._by_sid) > self.capacity:
            oldest = self._by_sid.pop(next(iter(self._by_sid)))
            self._by_recipient[oldest.to].popleft()

    def get(self, sid: str) -> Message | None:
        """Return a message by its sid."""
        return self._by_sid.get(sid)

    def newest_first(self, wanted: Filter) -> Iterator[Message]:
        """Yield the messages a list request asks for."""
        now = time.time()
        pool = reversed(self._by_sid.values()) if wanted.to is None else reversed(self._by_recipient.get(wanted.to, ()))
        return (message for message in pool if wanted.matches(message, now))

    def heed(self, user: str, boss: str, body: str, kept: Iterable[str] = STOP_WORDS) -> str | None:
        """Take note of STOP and START from a user; return what Twilio itself texts back to them and to HELP.

        `kept` are the words to opt out by that Advanced Opt-Out has left.
        """
        word = body.strip().upper()
        if word in HELP_WORDS and (user, boss) not in self._opted_out:
            return HELPED
        if word in kept:
            self._opted_out.add((user, boss))
            return STOPPED
        if word in START_WORDS and (user, boss) in self._opted_out:
            self._opted_out.discard((user, boss))
            return STARTED
        return None

    def opted_out(self, user: str, boss: str) -> bool:
        """Say whether this user has told this number to stop."""
        return (user, boss) in self._opted_out


def date_range(text: str) -> tuple[float, float]:
    """Return the first and the last second of a date (`2026-11-22`) or of a datetime (`2026-11-22T10:00:00Z`)."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    length = timedelta(days=1) if len(text.strip()) == len("2026-11-22") else timedelta(seconds=1)
    return moment.timestamp(), (moment + length).timestamp() - 1


def _rfc2822(moment: float | None) -> str | None:
    return None if moment is None else format_datetime(datetime.fromtimestamp(int(moment), UTC))
