"""Giving up a parked message: it ends as ignored, and is never answered."""

from __future__ import annotations

import uuid

from shared.mailbox import Mailbox, calls
from shared.operations.errors import NotPossible
from shared.operations.messages import GONE
from shared.operations.people import People


def discard(mailbox: Mailbox, people: People, message: str, *, by: str, retention_ms: int) -> None:
    """Give up a parked message; `by` is the operator's name. Raises NotPossible `unknown_message` or `not_parked`."""
    record = mailbox.message(message)
    user = people.identities.user(record.event.user) if record and record.event else ""
    call = calls.discard(message, f"o-{uuid.uuid4().hex}", retention_ms=retention_ms, by=by, user=user)
    outcome = mailbox.run(call).outcome
    if outcome == "unknown":
        raise NotPossible(GONE, "unknown_message")
    if outcome == "not_parked":
        raise NotPossible(f"{message} is not parked; only a parked message can be discarded", "not_parked")
