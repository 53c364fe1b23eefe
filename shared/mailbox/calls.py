"""The mailbox's calls: one function a script, plain arguments in, a `Call` out. No I/O in here.

Those of operators stand in `operations`, those of worker processes in `processes`; all are to be had here. Times are
integer milliseconds. Randomness is an argument (`jitter`, 0 to 1): a script has none that would survive being repeated.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Final, Literal

from shared.mailbox import answers
from shared.mailbox.operations import Provider, Watch, alarm, discard, erase, opt_out, pause, resume, retry, warn
from shared.mailbox.processes import STANDBY, STANDBY_KEPT_MS, Standing, ended, enqueue, heartbeat, standby, sweep
from shared.mailbox.records import (
    DAY_MS,
    HOUR_MS,
    Accepted,
    Arguments,
    Call,
    Claim,
    Closed,
    Kind,
    Outcome,
    Sending,
    Stored,
    Turn,
    Unseen,
    Unsettled,
    Wake,
)
from shared.mailbox.spending import NO_CALL, Budget, Dearest, Settled
from shared.model import codec
from shared.model import fingerprint as echo
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.events import Keyword, Received, Response

__all__ = [
    "DAY_MS", "HOUR_MS", "MAX_LOST", "MAX_OPEN", "MAX_TEXTS_PER_TURN", "NOT_ADMITTED_AN_HOUR", "NO_LIMIT",
    "REPEATS", "STANDBY", "STANDBY_KEPT_MS", "Keyword", "Leave", "Provider", "Standing", "Watch", "accept", "alarm", "backoff",
    "claim", "discard", "elsewhere", "ended", "enqueue", "erase", "finish", "hand_over", "heartbeat", "ignore", "opt_out", "outcome",
    "park", "pause", "reconciled", "refuse", "renew", "resume", "retry", "sending", "standby", "status", "store_reply", "sweep",
    "unseen", "unsettled", "untold", "warn",
]  # fmt: skip

OPT_WORD_KEPT_MS: Final = 30 * DAY_MS
"""How long a report's word about an opt-out is known, so that its repetition is no second word."""
MAX_TEXTS_PER_TURN: Final = 100
REPEATS: Final = 1
"""How many attempts of unknown fate, that no look-up finds, may be followed by another one: a second copy is the last."""
MAX_OPEN: Final = 50_000
"""How many messages may wait for their answer before no more are taken."""
NOT_ADMITTED_AN_HOUR: Final = 100
"""How many messages that are not admitted get a record and a ledger line; those beyond are counted alone. 22 MB a month at most."""
NO_LIMIT: Final = 1_000_000_000
MAX_LOST: Final = 6
"""How many leases may be lost with a message before it is set aside; the wait after each and the try before the last were chosen by
simulation (docs/architecture.md, "Who lives")."""
_NOT_ADMITTED: Final[dict[str, str | int]] = {
    "kind": "text", "sender": "", "pair": "", "event": "", "settle": 0, "limit": 0, "keyword": "", "verdict": "", "most": MAX_OPEN,
    "texts": MAX_TEXTS_PER_TURN, "digest": "", "hourly": NO_LIMIT, "pair_hourly": NO_LIMIT, "daily": NO_LIMIT, "copy": 0,
    "flood": NOT_ADMITTED_AN_HOUR, "who": "", "user": "",
}  # fmt: skip
"""What `accept.lua` reads of a message that is recorded with a reason only."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What leave to send is judged by, in ms.

    How long a request may take and how much is added to that, how long what ends is kept, and how long a turn that meets a pause
    waits; `jitter` (0 to 1) spreads that. Nothing is sent in answer to a message older than `oldest_ms`, nor after more than
    `repeats` attempts of unknown fate.
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
            "limits.jitter": _jitter(self.jitter),
            "limits.retention": self.retention_ms,
            "limits.oldest": self.oldest_ms,
            "limits.repeats": self.repeats,
        }


def accept(
    event: Received,
    *,
    kind: Kind,
    conversation: str,
    sender: str,
    pair: str,
    settle_ms: int = 0,
    turns_per_hour: int = 60,
    keyword: Keyword = "",
    max_open: int = MAX_OPEN,
    digest: str = "",
    hourly: int = NO_LIMIT,
    pair_hourly: int = NO_LIMIT,
    daily: int = NO_LIMIT,
    via: str = "",
    maybe_duplicate: bool = False,
    user: str = "",
    wake: Wake = (),
) -> Call[Accepted]:
    """Take a message into its conversation, once; see `accept.lua`.

    `turns_per_hour` is the sender's, `hourly` the conversation's; `pair_hourly` and `daily` are the pair's, over all of its
    conversations. `digest` is that of what the message says (`shared.model.fingerprint`), "" where nobody can echo.
    `via` is the way of one that its webhook did not bring; `maybe_duplicate`: it may have been answered before.
    `user` is the id of the entry of the users file that it comes from.
    """
    arguments: Arguments = {
        **_NOT_ADMITTED,
        "id": event.id,
        "channel": event.channel,
        "kind": kind,
        "conv": conversation,
        "sender": sender,
        "pair": pair,
        "event": codec.encode(event),
        "mark": CHANNELS[event.channel].known_days * DAY_MS,
        "settle": settle_ms,
        "limit": turns_per_hour,
        "keyword": keyword,
        "most": max_open,
        "digest": digest,
        "hourly": hourly,
        "pair_hourly": pair_hourly,
        "daily": daily,
        "kept": CHANNELS[event.channel].kept_days * DAY_MS,
        "via": via,
        "copy": int(maybe_duplicate),
        "user": user,
    }
    return Call("accept", arguments, answers.accepted, wake)


def ignore(
    message_id: str, channel: Channel, reason: str, *, conversation: str = "", via: str = "", who: str = ""
) -> Call[Accepted]:  # fmt: skip
    """Record a message that is not answered, with its reason and without its text; deduplicated like any other.

    `who` is its sender, masked, for the list of the last ones. Beyond `NOT_ADMITTED_AN_HOUR` it is counted alone.
    """
    kept = CHANNELS[channel].kept_days * DAY_MS
    arguments: Arguments = {
        **_NOT_ADMITTED,
        "id": message_id,
        "channel": channel,
        "conv": conversation,
        "mark": kept,
        "verdict": reason,
        "kept": kept,
        "via": via,
        "who": who,
    }
    return Call("accept", arguments, answers.accepted)


def reconciled(
    run: str, failure: str, *, numbers: int, listed: int, accepted: int, ignored: int, marked: int, unread: int
) -> Call[str]:  # fmt: skip
    """Write down what a run of the reconciler found; the answer is the `failure` of the run before. `run` is a new id."""
    arguments: Arguments = {
        "run": run, "failure": failure, "numbers": numbers, "listed": listed, "accepted": accepted, "ignored": ignored, "marked": marked,
        "unread": unread,
    }  # fmt: skip
    return Call("reconciled", arguments, str)


def refuse(channel: str, reason: str, status: int) -> Call[None]:
    """A ledger line for a request that was answered 4xx or 5xx; a flood of them is counted, not written out."""
    return Call("refuse", {"channel": channel, "reason": reason, "status": status}, answers.nothing)


def claim(
    conversation: str, token: str, turn: str, *, lease_ms: int, jitter: float | None = None, share: int = 1_000, memory: int = 0,
    oldest_ms: int = DAY_MS, call: str = "", budget: Budget | None = None, dearest: Dearest | None = None, process: str = "",
    life_ms: int = 0,
) -> Call[Claim]:  # fmt: skip
    """Take the conversation's lease and get its turn. `token` is new for every run of a job, `turn` a new turn id.

    `share` is how many turns its sender may have under way at once; `memory` how many bytes of what was said before to read; messages
    older than `oldest_ms` are in no turn with others. What the first question may use at most, by `dearest`, is reserved for the new
    id `call` where `budget` has room for it. `process` is the one that holds the lease, whose signs of life count for `life_ms`; without
    one the lease goes by its end alone.
    """
    arguments: Arguments = {
        "conv": conversation,
        "token": token,
        "new_turn": turn,
        "lease": lease_ms,
        "lost_wait": lease_ms // 2,
        "jitter": _jitter(jitter),
        "most": MAX_TEXTS_PER_TURN,
        "schema": codec.SCHEMA_VERSION,
        "share": share,
        "memory": memory,
        "oldest": oldest_ms,
        "call": call or "q-" + token.removeprefix("k-"),
        **(budget or Budget()).arguments(),
        **(dearest or Dearest()).arguments(),
        "process": process,
        "life": life_ms,
        "death_wait": lease_ms // 10,
        "last_try": MAX_LOST - 1,
    }
    return Call("claim", arguments, answers.claim)


def renew(conversation: str, token: str, *, lease_ms: int) -> Call[int]:
    """Extend the lease; the answer is its new end in ms, 0 when it is lost."""
    return Call("renew", {"conv": conversation, "token": token, "lease": lease_ms}, int)


def store_reply(
    conversation: str, token: str, turn: Turn, command: Response, *, limits: Leave, attempt: str = "",
    figures: dict[str, int | str] | None = None, settled: Settled = NO_CALL, wake: Wake = (),
) -> Call[Stored]:  # fmt: skip
    """Store the turn's reply before anything is sent, and with `attempt` ask leave for the first request in the same step.

    `figures` (tokens, model, ms) go to the record and the ledger; `settled` is what the turn's last call used.
    """
    flat = [part for item in sorted((figures or {}).items()) for part in item]
    arguments: Arguments = {
        **limits.arguments(),
        "conv": conversation,
        "token": token,
        "turn": turn.id,
        "reply": turn.reply_id,
        "command": codec.encode(command),
        "channel": command.channel,
        "attempt": attempt,
        "digest": echo.digest_of(command),
        **settled.arguments(),
        "figures": json.dumps([str(part) for part in flat]),
    }
    return Call("store_reply", arguments, answers.stored, wake, answers.stored_alone)


def sending(conversation: str, token: str, reply: str, attempt: str, *, limits: Leave, wake: Wake = ()) -> Call[Sending]:
    """Ask leave for one request to the provider, and store the attempt in the same step."""
    arguments: Arguments = {**limits.arguments(), "conv": conversation, "token": token, "reply": reply, "id": attempt}
    return Call("sending", arguments, answers.sending, wake, answers.sending_alone)


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
    return Call("outcome", arguments, answers.outcome, wake)


def unseen(reply: str, attempt: str, *, asked_ms: int, again_ms: int, retention_ms: int) -> Call[Unseen]:
    """Record a look-up, asked at `asked_ms` of Redis TIME, that did not show an attempt: at the second one it is `absent`.

    The second is asked `again_ms` after the first at the earliest; 0 for a provider that has no list, and was waited for.
    """
    arguments: Arguments = {"reply": reply, "id": attempt, "asked": asked_ms, "again": again_ms, "retention": retention_ms}
    return Call("unseen", arguments, answers.unseen)


def status(
    provider_id: str, state: Literal["", "sent", "delivered", "undelivered", "failed"], *, retention_ms: int,
    reply: str = "", attempt: str = "", code: str = "", opt: Literal["", "out", "in"] = "", report: str = "", pair: str = "",
) -> Call[Outcome]:  # fmt: skip
    """Record a delivery report; it also proves that the attempt was accepted. Order and repeats do not matter.

    `opt` is the user's word on the reply's pair, heard once for each `report` id; `pair` is that pair as the report itself names it, for
    a reply whose record is gone. A report that holds no more than that has no state.
    """
    arguments: Arguments = {
        "reply": reply, "id": attempt, "provider_id": provider_id, "state": state, "code": code, "retention": retention_ms, "word": opt,
        "report": report, "heard": OPT_WORD_KEPT_MS, "pair": pair,
    }  # fmt: skip
    return Call("status", arguments, answers.outcome)


def finish(
    conversation: str, token: str, *, retention_ms: int, state: Literal["answered", "ignored"] = "answered", reason: str = "",
    settled: Settled = NO_CALL, wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Close the turn: remove exactly its messages, give up the lease, say whether messages remain, and enqueue `wake` if they do."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "state": state, "reason": reason, "retention": retention_ms, **settled.arguments(),
    }  # fmt: skip
    return Call("finish", arguments, answers.closed, wake)


def backoff(
    conversation: str, token: str, delay_ms: int, reason: str, *, counted: bool, asked: bool = False, settled: Settled = NO_CALL,
    wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Give up the lease until `delay_ms` from now. `counted` adds one error to each message of the turn.

    `asked` notes on them that the model was asked, and failed.
    """
    arguments: Arguments = {
        "conv": conversation, "token": token, "delay": delay_ms, "reason": reason, "counted": int(counted), "asked": int(asked),
        **settled.arguments(),
    }  # fmt: skip
    return Call("backoff", arguments, answers.closed, wake)


def park(
    conversation: str, token: str, reason: str, *, looked_up: bool, retention_ms: int, notice: str = "", settled: Settled = NO_CALL,
    wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Set the turn's messages aside, visibly, and free the conversation. `notice` names a sentence to tell the user."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "reason": reason, "looked_up": int(looked_up), "code": notice, "retention": retention_ms,
        **settled.arguments(),
    }  # fmt: skip
    return Call("park", arguments, answers.closed, wake)


def hand_over(message: str, *, retention_ms: int) -> Call[str]:
    """An old bridge client answers this message itself. The answer is the message's state, or `replied`."""
    return Call("hand_over", {"id": message, "retention": retention_ms}, str)


def unsettled(*, after_ms: int, most_ms: int, limit: int) -> Call[tuple[Unsettled, ...]]:
    """Texts that were taken `after_ms` ago or earlier and have no final report, to be asked about; none older than `most_ms`."""
    return Call("unsettled", {"after": after_ms, "most": most_ms, "limit": limit}, answers.unsettled)


def elsewhere(
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
    return Call("elsewhere", arguments, str, wake)


def untold(reply: str, reason: str) -> Call[str]:
    """Nobody can be told that a reply did not reach its user: recorded, once."""
    nobody = dict.fromkeys(("conv", "channel", "sender", "pair", "user", "code", "event"), "")
    return Call("elsewhere", {**nobody, "reply": reply, "reason": reason}, str)


def _jitter(value: float | None) -> float:
    return random.random() if value is None else value  # noqa: S311 - spreads retries, guards nothing
