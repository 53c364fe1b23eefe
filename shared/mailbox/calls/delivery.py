"""A reply on its way out: stored, sent, looked up, reported, and told of elsewhere when it did not arrive. No I/O.

Times are integer milliseconds. A script that is sent twice changes nothing the second time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

from shared.mailbox.call import DAY_MS, Arguments, Call, Wake, jitter_or_random
from shared.mailbox.calls.acceptance import ANY_VERSION
from shared.mailbox.calls.approvals import AnswerReplies, Question
from shared.mailbox.calls.spending import NO_MODEL_CALL, Settled
from shared.mailbox.calls.turns import Closed, closed_from
from shared.mailbox.records import Attempt, AttemptOutcome, ReplyState, Turn, attempt_from
from shared.model import codec
from shared.model.approvals import Verdict
from shared.model.commands import Answered, CommandName, named_in_questions
from shared.model.events import Received, Response
from shared.model.threads import NO_NAMES, ThreadNames

REPEATS: Final = 1
"""How many attempts of unknown outcome, that no look-up finds, may be followed by another one: a second copy is the last."""
OPT_WORD_KEPT_MS: Final = 30 * DAY_MS
"""How long a report's word about an opt-out is known, so that its repetition is no second word."""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """What a permit to send is judged by, in ms.

    How long a request may take and how much is added to that, how long what ends is kept, and how long a turn that meets a pause
    waits; `jitter` (0 to 1) spreads that. Nothing is sent in answer to a message older than `oldest_ms`, nor after more than
    `repeats` attempts of unknown outcome.
    """

    send_ms: int
    margin_ms: int
    retention_ms: int
    pause_wait_ms: int = 30_000
    jitter: float | None = None
    oldest_ms: int = DAY_MS
    repeats: int = REPEATS

    def arguments(self) -> dict[str, int | float]:
        """As the scripts read them: the table `limits`."""
        return {
            "limits.send": self.send_ms,
            "limits.margin": self.margin_ms,
            "limits.pause_wait": self.pause_wait_ms,
            "limits.jitter": jitter_or_random(self.jitter),
            "limits.retention": self.retention_ms,
            "limits.oldest": self.oldest_ms,
            "limits.repeats": self.repeats,
        }


@dataclass(frozen=True, slots=True)
class Sending:
    """The verdict right before a request to a provider. Only `ok` allows it.

    - `look_up`: `attempt` is pending; ask the provider first.
    - `opted_out`, `paused`, `cancelled` (what it says was taken back): the lease was given up; `more` says whether messages remain.
    - `users`: other people are known by now than those by whom the reply's address was judged; judge anew, and ask again.
    - `short`: too little is left of the lease. Renew it once, and ask again.
    - `sent`: nothing is left to send.
    - `lost`: the lease is another holder's, or this permit is not given a second time.
    - `too_old`, `unknown` (too many attempts of unknown outcome), `no_pair` (nobody knows whose opt-out would count): the holder parks.
    - `not_replicated`: `ok`, but no replica of the server has the attempt: after a failover it would not be known, and the reply would
      be sent again.
    """

    outcome: Literal[
        "ok", "not_replicated", "lost", "look_up", "users", "opted_out", "cancelled", "paused", "short", "sent", "too_old", "unknown",
        "no_pair",
    ]  # fmt: skip
    attempt: Attempt | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `store_reply`. `finished` (bridge messages): stored, answered and the turn closed.

    `permit` is the verdict on the first attempt, when one was asked for with it; `verdict` what an answer to a question comes to, by which
    its reply was chosen. `text`: it answers none, and waits as an ordinary message; the lease was given up.
    """

    outcome: Literal["stored", "lost", "handed_over", "finished", "text"]
    more: bool = False
    permit: Sending | None = None
    verdict: Verdict | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the recorded outcome makes of the reply. `decided`: it was refused, and no attempt may have been accepted.

    `closed` says how the turn ended, when its holder asked to finish it with an accepted attempt.
    """

    state: ReplyState | None
    decided: bool = False
    closed: Closed | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """What a look-up that did not show an attempt makes of it; while it is pending, it is looked up again in `wait_ms`."""

    outcome: AttemptOutcome
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A reply that its provider took, under `provider_id`, and of which no final report has come."""

    reply: str
    attempt: str
    provider_id: str


def store_reply(
    conversation: str, token: str, turn: Turn, command: Response, *, limits: SendLimits, attempt: str = "", users: int = ANY_VERSION,
    figures: dict[str, int | str] | None = None, settled: Settled = NO_MODEL_CALL, answers: Answered = "",
    thread: ThreadNames = NO_NAMES, question: Question | None = None, approval: str = "", answer: AnswerReplies | None = None,
    wake: Wake = (),
) -> Call[Stored]:  # fmt: skip
    """Store the turn's reply before anything is sent, and with `attempt` ask a permit for the first request in the same step.

    By the version `users` of the registry of people its address is its person's.

    `figures` (tokens, model, ms) go to the record and the ledger; `settled` is what the turn's last call used. By `thread` an answer to a
    mail finds the conversation. `answers` is the command that the reply answers; what it does is done in the same step; a
    "digest" does nothing. `question` waits for a yes: its record is made in the same step; `approval` is the id of the one that this reply
    asks. `answer` is of a turn that answers one: what is said to it is chosen there, in the place of `command` and its figures.
    """
    flat = [part for item in sorted((figures or {}).items()) for part in item]
    arguments: Arguments = {
        **limits.arguments(),
        "conv": conversation,
        "token": token,
        "turn": turn.id,
        "person": turn.person,
        "epoch": turn.epoch,
        "reply": turn.reply_id,
        "command": codec.encode(command),
        "channel": command.channel,
        "attempt": attempt,
        "users": users,
        "digest": command.fingerprint(),
        "answers": answers,
        "asks": " ".join(sorted(_asked(command))),
        "rest": int(bool(command.rest)),
        **settled.arguments(),
        "figures": json.dumps([str(part) for part in flat]),
        "thread": thread.argument(limits.retention_ms),
        "question": question.argument() if question else "",
        "approval": approval,
        "answer": answer.argument() if answer else "",
    }
    return Call("store_reply", arguments, _stored, wake, _stored_not_replicated)


def _asked(command: Response) -> set[CommandName]:
    """The commands that a reply's questions name. Whatever the part of a cut one asks, its last line offers "more"."""
    return named_in_questions(command.text) - ({"more"} if command.rest else set())


def sending(
    conversation: str, token: str, reply: str, attempt: str, *, limits: SendLimits, users: int = ANY_VERSION, wake: Wake = ()
) -> Call[Sending]:
    """Ask a permit for one request to the provider, and store the attempt in the same step; `users` as above."""
    arguments: Arguments = {**limits.arguments(), "conv": conversation, "token": token, "reply": reply, "id": attempt, "users": users}
    return Call("sending", arguments, _sending, wake, _sending_not_replicated)


def outcome(
    reply: str, attempt: str, result: Literal["accepted", "refused", "unknown"], *, retention_ms: int,
    provider_id: str = "", code: str = "", conversation: str = "", token: str = "", wake: Wake = (),
) -> Call[Outcome]:  # fmt: skip
    """Record what the provider answered to an attempt, or (`unknown`) why it did not; never fenced, never thrown away.

    With `conversation` and `token` an accepted attempt also finishes the holder's turn, in the same step.
    """
    arguments: Arguments = {
        "reply": reply, "id": attempt, "result": result, "provider_id": provider_id, "code": code, "retention": retention_ms,
        "conv": conversation, "token": token,
    }  # fmt: skip
    return Call("outcome", arguments, _outcome, wake)


def not_found(reply: str, attempt: str, *, asked_ms: int, again_ms: int, retention_ms: int) -> Call[NotFound]:
    """Record a look-up, asked at `asked_ms` of Redis TIME, that did not show an attempt: at the second one it is `absent`.

    The second is asked `again_ms` after the first at the earliest; 0 for a provider that has no list, and was waited for.
    """
    arguments: Arguments = {"reply": reply, "id": attempt, "asked": asked_ms, "again": again_ms, "retention": retention_ms}
    return Call("not_found", arguments, _not_found)


def status(
    provider_id: str, state: Literal["", "sent", "delivered", "undelivered", "failed"], *, retention_ms: int,
    reply: str = "", attempt: str = "", code: str = "", opt: Literal["", "out", "in"] = "", report: str = "", pair: str = "",
    thread: ThreadNames = NO_NAMES,
) -> Call[Outcome]:  # fmt: skip
    """Record a delivery report; it also proves that the attempt was accepted. Order and repeats do not matter.

    `opt` is the user's word on the reply's pair, heard once for each `report` id; `pair` is that pair as the report itself names it, for
    a reply whose record is gone. A report that holds no more than that has no state. `thread` holds the Message-ID under which its
    user has the mail, where that is not the one that we gave it.
    """
    arguments: Arguments = {
        "reply": reply, "id": attempt, "provider_id": provider_id, "state": state, "code": code, "retention": retention_ms, "word": opt,
        "report": report, "heard": OPT_WORD_KEPT_MS, "pair": pair, "thread": thread.argument(retention_ms),
    }  # fmt: skip
    return Call("status", arguments, _outcome)


def unsettled(*, after_ms: int, most_ms: int, limit: int) -> Call[tuple[Unsettled, ...]]:
    """Texts that were accepted `after_ms` ago or earlier and have no final report, to be asked about; none older than `most_ms`."""
    return Call("unsettled", {"after": after_ms, "most": most_ms, "limit": limit}, _unsettled)


def cross_channel_notice(
    reply: str, conversation: str, event: Received, *, sender: str, pair: str, code: str, user: str = "", wake: Wake = ()
) -> Call[str]:
    """Tell a user, by a notice at the tail of another conversation, that a reply did not reach them; at most once a reply.

    `event` is what the notice answers: it names both ends; `user` is its user's id.
    The answer is `told`, `gone` (somebody else took it), or why not.
    """
    arguments: Arguments = {
        "reply": reply, "reason": "", "conv": conversation, "channel": event.channel, "sender": sender, "pair": pair, "code": code,
        "event": codec.encode(event), "user": user,
    }  # fmt: skip
    return Call("cross_channel_notice", arguments, str, wake)


def no_cross_channel_notice(reply: str, reason: str) -> Call[str]:
    """Nobody can be told that a reply did not reach its user: recorded, once."""
    nobody = dict.fromkeys(("conv", "channel", "sender", "pair", "user", "code", "event"), "")
    return Call("cross_channel_notice", {**nobody, "reply": reply, "reason": reason}, str)


def _sending(raw: Any) -> Sending:
    """The answer to `sending`."""
    attempt = attempt_from(codec.loads(raw[1])) if raw[1] else None
    return Sending(raw[0], attempt, more=raw[2] == "more")


def _sending_not_replicated(verdict: Sending) -> Sending:
    """A permit whose attempt no replica has."""
    return replace(verdict, outcome="not_replicated") if verdict.outcome == "ok" else verdict


def _stored(raw: Any) -> Stored:
    """The answer to `store_reply`."""
    outcome, more, *rest = raw
    permit, verdict = cast("tuple[Any, Verdict]", tuple(rest) or ("", ""))
    return Stored(outcome, more=more == "more", permit=_sending(permit) if permit else None, verdict=verdict)


def _stored_not_replicated(answer: Stored) -> Stored:
    """The same for a reply that was stored with its first attempt."""
    return replace(answer, permit=_sending_not_replicated(answer.permit)) if answer.permit else answer


def _outcome(raw: Any) -> Outcome:
    """The answer to `outcome` and `status`."""
    state, decided, *end = raw
    return Outcome(ReplyState(state) if state else None, decided=decided == "1", closed=closed_from(end[0]) if end and end[0] else None)


def _not_found(raw: Any) -> NotFound:
    """The answer to `not_found`."""
    return NotFound(raw[0], int(raw[1]))


def _unsettled(raw: Any) -> tuple[Unsettled, ...]:
    """The answer to `unsettled`."""
    return tuple(Unsettled(*found) for found in raw)
