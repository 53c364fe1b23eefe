"""Twilio's log of messages in both directions, and its list of opt-outs: the list endpoint and error 21610 answer from them."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, TypedDict

from sandbox.engine.twilio_segments import count_segments

if TYPE_CHECKING:
    from collections.abc import Iterator

API_VERSION: Final = "2010-04-01"
CAPACITY: Final = 50_000
"""Messages."""
STOP_WORDS: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS: Final = frozenset({"START", "YES", "UNSTOP"})
HELP_WORDS: Final = frozenset({"HELP", "INFO"})
HELP_CONFIRMATION: Final = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
STOP_CONFIRMATION: Final = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe."
)
START_CONFIRMATION: Final = (
    "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe."
)


def new_sid(prefix: str) -> str:
    """Return a new id as Twilio forms them: the prefix of its kind, and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


MessageResource = TypedDict(
    "MessageResource",
    {
        "account_sid": str,
        "api_version": str,
        "body": str,
        "date_created": str | None,
        "date_sent": str | None,
        "date_updated": str | None,
        "direction": str,
        "error_code": int | None,
        "error_message": None,
        "from": str,
        "messaging_service_sid": str | None,
        "num_media": str,
        "num_segments": str,
        "price": None,
        "price_unit": str,
        "sid": str,
        "status": str,
        "subresource_uris": dict[str, str],
        "to": str,
        "uri": str,
    },
)
"""The message resource, https://www.twilio.com/docs/messaging/api/message-resource. Dates are RFC 2822."""


@dataclass(slots=True, kw_only=True)
class TwilioMessage:
    """One message as Twilio stores it. Times are seconds of the epoch; `sent` is None until it was sent, `updated` 0 until then."""

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
        """The second that date filters compare: when it was sent, or created if it was not."""
        return int(self.sent if self.sent is not None else self.created)

    def set_status(self, status: str, error_code: int | None = None) -> None:
        """Move on to the next status."""
        self.status, self.error_code, self.updated = status, error_code, time.time()
        if self.sent is None and status in {"sent", "delivered", "undelivered"}:
            self.sent = self.updated

    def to_json(self) -> MessageResource:
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
            "num_segments": str(count_segments(self.body)),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """What a list request asks for. `after` and `before` are whole seconds of the epoch, both included; `lag` is in seconds."""

    to: str | None = None
    sender: str | None = None
    after: float = float("-inf")
    before: float = float("inf")
    lag: float = 0.0

    def matches(self, message: TwilioMessage, now: float) -> bool:
        """Whether a message is in the list at the time `now`."""
        return (
            (self.to is None or message.to == self.to)
            and (self.sender is None or message.sender == self.sender)
            and self.after <= message.when <= self.before
            and now - message.created >= self.lag
        )


@dataclass(slots=True)
class TwilioMessageLog:
    """The newest messages, by sid and by recipient, and who has opted out."""

    capacity: int = CAPACITY
    _by_sid: dict[str, TwilioMessage] = field(default_factory=dict)
    _by_recipient: dict[str, deque[TwilioMessage]] = field(default_factory=dict)
    _opted_out: set[tuple[str, str]] = field(default_factory=set)

    def add(self, message: TwilioMessage) -> None:
        """Store a message. A sid that is already there (a webhook posted again) changes nothing."""
        if message.sid in self._by_sid:
            return
        self._by_sid[message.sid] = message
        self._by_recipient.setdefault(message.to, deque()).append(message)
        if len(self._by_sid) > self.capacity:
            oldest = self._by_sid.pop(next(iter(self._by_sid)))
            self._by_recipient[oldest.to].popleft()

    def delete(self, sid: str) -> None:
        """Forget a message; whoever sent or got it keeps it."""
        if message := self._by_sid.pop(sid, None):
            self._by_recipient[message.to].remove(message)

    def get(self, sid: str) -> TwilioMessage | None:
        """Return the message of a sid."""
        return self._by_sid.get(sid)

    def newest_first(self, criteria: MessageFilter) -> Iterator[TwilioMessage]:
        """Yield the messages that a list request asks for."""
        now = time.time()
        pool = reversed(self._by_sid.values()) if criteria.to is None else reversed(self._by_recipient.get(criteria.to, ()))
        return (message for message in pool if criteria.matches(message, now))

    def apply_keyword(self, user: str, boss: str, body: str, stop_words: Iterable[str] = STOP_WORDS) -> str | None:
        """Record the opt-out of a STOP and the opt-in of a START; return Twilio's own answer to these and to HELP, None for other texts.

        A keyword counts only as a whole text. `stop_words` are those that Advanced Opt-Out has left in force.
        """
        word = body.strip().upper()
        if word in HELP_WORDS and (user, boss) not in self._opted_out:
            return HELP_CONFIRMATION
        if word in stop_words:
            self._opted_out.add((user, boss))
            return STOP_CONFIRMATION
        if word in START_WORDS and (user, boss) in self._opted_out:
            self._opted_out.discard((user, boss))
            return START_CONFIRMATION
        return None

    def opted_out(self, user: str, boss: str) -> bool:
        """Whether this user has opted out of this number's messages."""
        return (user, boss) in self._opted_out


def date_range(text: str) -> tuple[float, float]:
    """Return the first and the last second of a date (`2026-11-22`) or of a datetime (`2026-11-22T10:00:00Z`). Raises ValueError."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    length = timedelta(days=1) if len(text.strip()) == len("2026-11-22") else timedelta(seconds=1)
    return moment.timestamp(), (moment + length).timestamp() - 1


def _rfc2822(moment: float | None) -> str | None:
    return None if moment is None else format_datetime(datetime.fromtimestamp(int(moment), UTC))
