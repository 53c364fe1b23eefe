"""How delivering a reply ends, and what the scripts' answers mean for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.mailbox.calls import NO_CALL, Outcome, Sending, Settled
from shared.mailbox.records import Reply, Turn


@dataclass(frozen=True, slots=True)
class Delivered:
    """How delivering ended.

    `sent`: finish the turn. `closed`: a script ended it, `more` says whether messages remain. `lost`: end silently.
    `wait`: give the lease up for `wait_ms`, uncounted. `no_budget`: likewise, for as long as in an outage. `absent`: everything is
    resolved, nothing was found to be taken, and it is too late, or not wanted, to try again. `too_old`: a message is too old to be
    answered. `unknown`: the reply may have been taken, and is not to be repeated. `handed_over`: the reply was not stored, a message of
    its turn is answered elsewhere.
    """

    outcome: Literal["sent", "closed", "lost", "wait", "no_budget", "absent", "too_old", "unknown", "no_pair", "handed_over"]
    more: bool = False
    wait_ms: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """What is stored with a reply that is not stored yet."""

    turn: Turn
    figures: dict[str, int | str]
    settled: Settled = NO_CALL


def closed(outcome: Outcome) -> Delivered:
    """An attempt was taken: the turn is finished, unless somebody else holds the lease."""
    if outcome.closed is None or outcome.closed.outcome == "lost":
        return Delivered("sent")
    return Delivered("closed", more=outcome.closed.outcome == "more")


def after(verdict: Sending) -> Delivered:
    """What follows from a verdict that allows no request, and after which nothing can be done here."""
    if verdict.outcome == "sent":
        return Delivered("sent")
    if verdict.outcome in ("opted_out", "paused"):
        return Delivered("closed", more=verdict.more and verdict.outcome == "opted_out")
    if verdict.outcome == "too_old":
        return Delivered("too_old")
    if verdict.outcome in ("unknown", "no_pair"):
        return Delivered(verdict.outcome)
    if verdict.outcome == "short":
        return Delivered("wait", reason="lease_too_short")
    return Delivered("lost")


def was_taken(reply: Reply) -> bool:
    """Whether the provider is known to have taken the reply."""
    return any(attempt.outcome == "accepted" for attempt in reply.attempts)
