"""What a program, or the operator, has the Boss write to a person; and when a person's quiet hours hold it back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.errors import BadInput
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.sms_segments import size
from shared.model.users import User

OPERATOR: Final = "operator"
"""In the place of a token's id: the message came by `boss send`."""
PREFIX: Final = "m-api-"
"""Before the random part of such a message's id."""
QUIET_DAYS: Final = 2
"""How many days ahead quiet hours are reckoned: who looks again reckons anew."""
MAX_SUBJECT: Final = 200
MAX_MAIL_BYTES: Final = 8_000
"""So many always fit into a mail, as text and as HTML."""
_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Said:
    """What is said, as the message's record keeps it; `source` is who says so, "" for nobody in particular."""

    text: str = field(default="", repr=False)
    source: str = ""

    @property
    def shown(self) -> str:
        """As the person is sent it."""
        return shown(self.text, self.source)

    def record(self) -> str:
        """A line of JSON."""
        return codec.dumps({"text": self.text, "source": self.source})

    @classmethod
    def parse(cls, record: str) -> Said:
        """Read the record's field; one that says nothing where it cannot be read."""
        try:
            value: Any = codec.loads(record)
            return cls(str(value["text"]), str(value["source"]))
        except (BadInput, KeyError, TypeError):
            return NOTHING_SAID


NOTHING_SAID: Final = Said()


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingMessage:
    """A message that is to be written, to the entry `user` by its permanent id.

    `token` is the id of the token that it came with, or OPERATOR, `source` what that token is called, `key` the caller's Idempotency-Key.
    `expires_ms` and `received_at` are of UTC, in ms and in seconds.
    """

    id: str
    user: str
    channel: Channel
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    urgent: bool = False
    expires_ms: int
    token: str = OPERATOR
    source: str = ""
    key: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    """What the caller asked for, in one spelling: the same for a repeat."""
    received_at: float = 0.0


def shown(text: str, source: str) -> str:
    """A text as the person is sent it: with the name of who says it before it, where that has one."""
    return f"[{source}] {text}" if source else text


def fault_of(channel: Channel, text: str, subject: str, max_segments: int, source: str = "") -> str:
    """Why a text cannot be sent as it is, as a sentence; "" where it can. Nothing is ever cut."""
    if not text.strip():
        return "the text is empty"
    if channel == "sms":
        if subject:
            return "a text message has no subject"
        segments = size(shown(text, source)).segments
        return f"it takes {segments} segments, and a text may take {max_segments} (SMS_MAX_SEGMENTS)" if segments > max_segments else ""
    if not subject.strip():
        return "a mail needs a subject"
    if len(subject) > MAX_SUBJECT or not subject.isprintable():
        return f"a subject is one line of at most {MAX_SUBJECT} characters"
    return f"a mail has at most {MAX_MAIL_BYTES} bytes" if len(text.encode("utf-8", "replace")) > MAX_MAIL_BYTES else ""


def quiet_spans(user: User, now: datetime) -> tuple[tuple[int, int], ...]:
    """The spans of a person's quiet hours around `now`, in ms of UTC; none where they have none."""
    if user.quiet_hours is None:
        return ()
    zone = ZoneInfo(user.timezone)
    begins, ends = user.quiet_hours
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=number) for number in range(-1, QUIET_DAYS))
    return tuple((_ms(day, begins, zone), _ms(day + timedelta(days=begins > ends), ends, zone)) for day in days)


def _ms(day: date, minutes: int, zone: ZoneInfo) -> int:
    """A time by the wall's clock; one that does not exist, or exists twice, as Python reads it."""
    at = datetime.combine(day, time(minutes // _MINUTES, minutes % _MINUTES), zone)
    return int(at.timestamp() * 1000)
