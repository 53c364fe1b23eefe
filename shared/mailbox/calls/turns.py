"""A turn from its claim to its end: whose conversation it is, and how it is given up. No I/O.

Times are integer milliseconds. A script that is sent twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.mailbox.call import DAY_MS, Arguments, Call, Wake, jitter_or_random
from shared.mailbox.calls.spending import NO_MODEL_CALL, DayBounds, Dearest, Settled
from shared.mailbox.records import Message, Reply, Turn, beginning_from, message_from, reply_from
from shared.model import codec, folds
from shared.model.folds import Fold

MAX_TEXTS_PER_TURN: Final = 100
MAX_LOST: Final = 6
"""How many leases may be lost with a message before it is set aside; the wait after each and the try before the last were chosen by
simulation (docs/explanation/failures.md)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim. `lease_end_ms` and `now_ms` are Redis TIME; `turn` is set when `outcome` is `taken`.

    `busy`: the sender has its share of turns under way. `alone`: another message's last try is under way, and this one's would be its last.
    `spent`, and `spend_stop` for the first to find it so: the day has no room for the turn's question; `share`: its sender's share of the
    day, or their person's dollars of it, have none; `reserved`: what others have reserved leaves none for now. `reserved` is how many
    tokens were reserved for the first question. `alarms` are `month` or `own_month` for a month's dollars that are used up: each once, for
    the operator. `stop` says why nothing may be asked in a turn that ends for a month's dollars: all's or its person's; `told` where its
    sender was told so today.
    """

    outcome: Literal[
        "taken", "held", "early", "empty", "finished", "paused", "busy", "newer", "spent", "spend_stop", "share", "reserved", "alone"
    ]
    lease_end_ms: int = 0
    now_ms: int = 0
    turn: Turn | None = None
    reserved: int = 0
    alarms: tuple[str, ...] = ()
    stop: Literal["", "month", "own_month", "told"] = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a turn ended: `more` asks the caller to enqueue the next job, `lost` says that somebody else holds the lease.

    `look_up` comes from `park` only: an attempt is pending and the provider was not asked.
    """

    outcome: Literal["more", "empty", "lost", "look_up"]


def first_model_call_id(token: str) -> str:
    """The id of the first call to the model that a lease's holder makes."""
    return "q-" + token.removeprefix("k-")


def claim(
    conversation: str, token: str, turn: str, *, lease_ms: int, jitter: float | None = None, share: int = 1_000, history_bytes: int = 0,
    oldest_ms: int = DAY_MS, model_call: str = "", bounds: DayBounds | None = None, dearest: Dearest | None = None, process: str = "",
    life_ms: int = 0,
) -> Call[Claim]:  # fmt: skip
    """Take the conversation's lease and get its turn. `token` is new for every run of a job, `turn` a new turn id.

    `share` is how many turns its sender may have under way at once; `history_bytes` how much of what was said before is read; messages
    older than `oldest_ms` are in no turn with others. What the first question may use at most, by `dearest`, is reserved for the new id
    `model_call` where `bounds` has room for it. `process` is the one that holds the lease, whose signs of life count for `life_ms`; without
    one the lease goes by its end alone.
    """
    arguments: Arguments = {
        "conv": conversation,
        "token": token,
        "new_turn": turn,
        "lease": lease_ms,
        "lost_wait": lease_ms // 2,
        "jitter": jitter_or_random(jitter),
        "most": MAX_TEXTS_PER_TURN,
        "schema": codec.DATA_VERSION,
        "share": share,
        "history_bytes": history_bytes,
        "oldest": oldest_ms,
        "model_call": model_call or first_model_call_id(token),
        **(bounds or DayBounds()).arguments(),
        **(dearest or Dearest()).arguments(),
        "process": process,
        "life": life_ms,
        "death_wait": lease_ms // 10,
        "last_try": MAX_LOST - 1,
    }
    return Call("claim", arguments, _claim)


def renew(conversation: str, token: str, *, lease_ms: int) -> Call[int]:
    """Extend the lease; the answer is its new end in ms, 0 when it is lost."""
    return Call("renew", {"conv": conversation, "token": token, "lease": lease_ms}, int)


def finish(
    conversation: str, token: str, *, retention_ms: int, state: Literal["answered", "ignored"] = "answered", reason: str = "",
    settled: Settled = NO_MODEL_CALL, wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Close the turn: remove exactly its messages, give up the lease, say whether messages remain, and enqueue `wake` if they do."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "state": state, "reason": reason, "retention": retention_ms, **settled.arguments(),
    }  # fmt: skip
    return Call("finish", arguments, closed_from, wake)


def backoff(
    conversation: str, token: str, delay_ms: int, reason: str, *, counted: bool, asked: bool = False, anew: bool = False,
    settled: Settled = NO_MODEL_CALL, wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Give up the lease until `delay_ms` from now. `counted` adds one error to each message of the turn.

    `asked` notes on them that the model was asked, and failed. `anew`: they form another turn, for this one has done nothing and cannot
    go on; else one with a step stays.
    """
    arguments: Arguments = {
        "conv": conversation, "token": token, "delay": delay_ms, "reason": reason, "counted": int(counted), "asked": int(asked),
        "anew": int(anew),
        **settled.arguments(),
    }  # fmt: skip
    return Call("backoff", arguments, closed_from, wake)


def park(
    conversation: str, token: str, reason: str, *, looked_up: bool, retention_ms: int, notice: str = "", settled: Settled = NO_MODEL_CALL,
    wake: Wake = (),
) -> Call[Closed]:  # fmt: skip
    """Set the turn's messages aside, visibly, and free the conversation. `notice` names a sentence to tell the user."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "reason": reason, "looked_up": int(looked_up), "code": notice, "retention": retention_ms,
        **settled.arguments(),
    }  # fmt: skip
    return Call("park", arguments, closed_from, wake)


def store_folds(message: str, found: Sequence[Fold]) -> Call[str]:
    """Keep what of a message is folded, unless that is kept already; the answer is what is kept, or "" for no message."""
    return Call("store_folds", {"id": message, "folds": folds.encode(found)}, str)


def hand_over(message: str, *, retention_ms: int) -> Call[str]:
    """An old bridge client answers this message itself. The answer is the message's state, or `replied`."""
    return Call("hand_over", {"id": message, "retention": retention_ms}, str)


def _claim(raw: Any) -> Claim:
    """The answer to `claim`."""
    if raw[0] != "taken":
        return Claim(raw[0], alarms=tuple(raw[1]) if len(raw) > 1 else ())
    _, turn, now, lease_end, messages, reply, history, *rest = raw
    reserved, alarms, stop, steps, person, epoch, remembers, elsewhere, beginning, whole = rest
    found = Turn(
        turn,
        tuple(message_from(flat_record(flat)) for flat in messages),
        reply_from(flat_record(reply)) if reply else None,
        tuple(said_from(kind, flat) for kind, flat in reversed(history)),
        int(now),
        flat_record(steps),
        person,
        epoch,
        bool(remembers),
        bool(elsewhere),
        beginning_from(flat_record(beginning), whole=bool(whole)),
    )
    return Claim("taken", int(lease_end), int(now), found, int(reserved), tuple(alarms), stop)


def closed_from(raw: Any) -> Closed:
    """The answer to a call that ends a turn."""
    return Closed(raw)


def said_from(kind: str, flat: list[str]) -> Message | Reply:
    """A record of the history, as a script reads it."""
    record = flat_record(flat)
    return message_from(record) if kind == "m" else reply_from(record)


def flat_record(flat: list[str]) -> dict[str, Any]:
    """A record from its fields and values, as a script reads them."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
