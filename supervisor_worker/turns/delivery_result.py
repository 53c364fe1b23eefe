"""How the delivery of a reply ends, and what the scripts' answers mean for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.mailbox.calls import NO_MODEL_CALL, AnswerReplies, Outcome, Question, Sending, Settled
from shared.mailbox.records import Reply, Turn
from shared.model.commands import Answered
from supervisor_worker.assistant.generated import GeneratedReply


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How a delivery ended.

    - `sent`: a request was accepted; the turn is still to be finished.
    - `closed`: a script ended the turn; `more` says whether messages remain.
    - `lease_lost`: the lease is another holder's; nothing is to be done.
    - `permit_lost`: no permit was given. The lease may be another holder's, or ours: a permit that is asked for again is given only while
      nothing has changed since the first time. A back-off, which changes nothing for another holder, releases a lease that is ours.
    - `wait`: release the lease for `wait_ms`, uncounted, for `reason`.
    - `no_budget`: likewise, for as long as in an outage.
    - `absent`: every attempt is known not to have been accepted, and no further attempt is allowed.
    - `unknown`: the reply may have been accepted, and is not to be repeated.
    - `too_old`: a message of the turn is too old to be answered.
    - `removed`: the reply's address is not its person's any more.
    - `no_pair`: nobody knows the reply's pair of addresses, so an opt-out could not be seen.
    - `handed_over`: the reply was not stored, because a message of its turn is answered over the bridge.
    """

    outcome: Literal[
        "sent", "closed", "lease_lost", "permit_lost", "wait", "no_budget", "absent", "too_old", "unknown", "removed", "no_pair",
        "handed_over",
    ]  # fmt: skip
    more: bool = False
    wait_ms: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PendingReply:
    """What is stored with a reply that is not stored yet; `answers` is the command that it answers, or "digest".

    `question` waits for a yes, `approval` is the id of the one that the reply asks. `answer` is what is said to an answer to one: which
    reply it is, is decided when it is stored.
    """

    turn: Turn
    figures: dict[str, int | str]
    settled: Settled = NO_MODEL_CALL
    answers: Answered = ""
    question: Question | None = None
    approval: str = ""
    answer: AnswerReplies | None = None

    @classmethod
    def of(cls, turn: Turn, made: GeneratedReply, settled: Settled, answers: Answered) -> PendingReply:
        """Of a generated reply, with what its turn asks for a yes to."""
        return cls(turn, made.figures, settled, answers, made.asked.question, made.asked.approval)


def after_acceptance(outcome: Outcome) -> DeliveryResult:
    """The result once an attempt was accepted and recorded: the turn is finished, unless somebody else holds the lease."""
    if outcome.closed is None or outcome.closed.outcome == "lost":
        return DeliveryResult("sent")
    return DeliveryResult("closed", more=outcome.closed.outcome == "more")


def without_permit(verdict: Sending) -> DeliveryResult:
    """The result of a verdict that permits no request and leaves nothing to do for the delivery."""
    if verdict.outcome == "sent":
        return DeliveryResult("sent")
    if verdict.outcome in ("opted_out", "cancelled", "paused"):
        return DeliveryResult("closed", more=verdict.more and verdict.outcome != "paused")
    if verdict.outcome == "too_old":
        return DeliveryResult("too_old")
    if verdict.outcome in ("unknown", "no_pair"):
        return DeliveryResult(verdict.outcome)
    if verdict.outcome == "short":
        return DeliveryResult("wait", reason="lease_too_short")
    return DeliveryResult("permit_lost")


def was_accepted(reply: Reply) -> bool:
    """Whether the provider is known to have accepted the reply."""
    return any(attempt.outcome == "accepted" for attempt in reply.attempts)
