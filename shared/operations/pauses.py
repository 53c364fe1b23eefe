"""Pausing all sending, or one user's; ending a pause; lifting a user's opt-out of mail.

While sending is paused, messages are still accepted and do not age; nothing is claimed and nothing goes out. `by` is the operator's name.
"""

from __future__ import annotations

from typing import Final, TypedDict

from shared.mailbox import Mailbox, calls
from shared.operations.errors import NotPossible
from shared.operations.people import People

MAX_REASON: Final = 200


class PauseView(TypedDict):
    """What is paused, and why."""

    user: str
    """The id of the user whose sending it is; "" for all sending."""
    username: str
    """Their name in the users file; "" for all, and for somebody who has left it."""
    reason: str
    by: str
    """The operator's name, `alarm`, or "" for a pause that an older version made."""
    since_ms: int
    provider: str
    """The provider that refused us, of a pause that an alarm made."""
    probe_ms: int
    """From when on the next turn finds out whether that provider takes something again."""


def paused(mailbox: Mailbox, people: People) -> list[PauseView]:
    """All sending first, then users."""
    return [
        {
            "user": each.user,
            "username": people.name_of(each.user),
            "reason": each.reason,
            "by": each.by,
            "since_ms": each.since_ms,
            "provider": each.provider,
            "probe_ms": each.probe_ms,
        }
        for each in mailbox.pauses()
    ]


def pause(mailbox: Mailbox, people: People, reason: str, *, by: str, username: str = "") -> bool:
    """Pause all sending, or one user's; False when an operator had done so before. Raises NotPossible `unknown_user`."""
    if not username:
        return mailbox.run(calls.pause(reason, by=by))
    pairs = people.pairs(people.named(username))
    return mailbox.run(calls.pause(reason, by=by, user=people.user_id(username), pairs=pairs))


def resume(mailbox: Mailbox, people: People, *, by: str, username: str = "") -> bool:
    """End a pause of all sending, or of one user's, who may have left the users file; False when there was none."""
    return mailbox.run(calls.resume(by=by, user=people.user_id(username) if username else ""))


def opt_in(mailbox: Mailbox, people: People, username: str, *, by: str) -> bool:
    """Send mail to a user again who had opted out of it; False for one who had not. Raises NotPossible `unknown_user`, `no_address`."""
    all_ends = people.named(username).all_ends("email")
    if not all_ends:
        raise NotPossible(f"{username} has no mail address in the users file", "no_address")
    lifted = [mailbox.run(calls.opt_out(people.identities.pair(*ends), out=False, by=by)) for ends in all_ends]
    return any(lifted)
