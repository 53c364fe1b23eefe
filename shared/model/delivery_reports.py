"""What Twilio says has become of a text, in its callback and in its record of the text: one reading for both."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from shared.model.delivery_errors import OPTED_OUT

State = Literal["", "sent", "delivered", "undelivered", "failed"]
Opt = Literal["", "out", "in"]

TWILIO_STATES: Final[dict[str, State]] = {
    "queued": "sent",
    "accepted": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
"""By Twilio's word for a message's status; any other says nothing yet."""
FINAL: Final = frozenset({"delivered", "undelivered", "failed"})


def report_id(*parts: str) -> str:
    """The id of a report, made of what is the same in every repetition."""
    return "o-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def word_of_the_user(sid: str, code: str) -> tuple[Opt, str]:
    """What the reason for which a text failed says of its user, and the id under which that is heard once; "" for nothing."""
    return ("out", report_id("twilio", sid, code)) if code in OPTED_OUT else ("", "")
