"""What the operator has the Boss write to a person: the same path as a program's, and the same bounds."""

from __future__ import annotations

import secrets
import time
from typing import Final

from shared import submit
from shared.config.settings import Settings
from shared.mailbox import Mailbox
from shared.mailbox.calls import DAY_MS, Outgoing
from shared.model.addresses import Channel
from shared.model.outgoing import PREFIX, OutgoingMessage, fault_of
from shared.model.text import clean
from shared.operations.errors import NotPossible
from shared.operations.people import People

WHY: Final = {
    "opted_out": "they want nothing more on this channel (they said STOP)",
    "expired": "its time is over, or is more than 31 days ahead",
    "token_limited": "they were written to 20 times within a day; with --urgent it is sent all the same",
    "full": "too many messages wait (MAX_OPEN_MESSAGES)",
}
"""Why a message was not taken in, by the script's word."""


def send(
    settings: Settings, mailbox: Mailbox, people: People, username: str, text: str, *, channel: Channel = "", subject: str = "",
    urgent: bool = False, hours: float = 24.0,
) -> OutgoingMessage:  # fmt: skip
    """Have a text or a mail written; what was taken in. Without a `channel`: a mail where there is a subject, else a text.

    Raises NotPossible where it is not possible, RedisError.
    """
    user, channel = people.named(username), channel or ("email" if subject else "sms")
    if user.bridge_only or user.ends(channel) is None:
        raise NotPossible(f"they have no {'phone' if channel == 'sms' else 'mail address'} that the Boss writes to", "no_address")
    body = clean(text).strip()
    if fault := fault_of(channel, body, subject, settings.sms_max_segments):
        raise NotPossible(fault, "not_valid")
    expires_ms = int(time.time() * 1000 + hours * DAY_MS / 24)
    message = OutgoingMessage(
        id=PREFIX + secrets.token_hex(12), user=user.id, channel=channel, text=body, subject=subject, urgent=urgent, expires_ms=expires_ms
    )
    outcome: Outgoing = mailbox.run(submit.outgoing(submit.Writers(settings, people.all_users, people.identities), message))
    if outcome.outcome not in ("accepted", "duplicate"):
        raise NotPossible(WHY.get(outcome.reason or outcome.outcome, outcome.reason), "not_valid")
    return message
