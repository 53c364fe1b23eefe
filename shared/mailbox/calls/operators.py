"""What an operator says to the mailbox, and an alarm in an operator's place: about parked messages, opt-outs and pauses. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from shared.mailbox.call import DAY_MS, HOUR_MS, Arguments, Call, Wake

Provider = Literal["twilio", "sendgrid", "claude"]


@dataclass(frozen=True, slots=True)
class DenialPolicy:
    """How a 403 is judged, and how a pause by alarm is tried, in ms.

    A second 403 of a provider that has taken nothing since the first is no message's own: another sender's after `apart_ms`, another
    message's after `quiet_ms`; the first is remembered for `window_ms`. The provider is tried again after `probe_ms`, then after twice
    that, up to `longest_ms`.
    """

    apart_ms: int = 2_000
    quiet_ms: int = 60_000
    window_ms: int = 900_000
    probe_ms: int = 60_000
    longest_ms: int = 900_000


Alarmed = Literal["paused", "held", "counted"]
"""What a provider's refusal of our key came to; see `calls.alarm`."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The answer to an operator's retry or discard. `over`: the request for it has ended in another way."""

    outcome: Literal["done", "not_parked", "unknown", "over"]
    conversation: str = ""
    channel: str = ""


def retry(
    message: str, operation: str, *, by: str = "", user: str = "", pair: str = "", sender: str = "", retention_ms: int = 90 * DAY_MS,
    wake: Wake = (),
) -> Call[Retried]:  # fmt: skip
    """Append a parked message at the tail again; `operation` is a new id, so that the call can be repeated.

    `retention_ms` is for its old reply, which nobody sends any more. `by` (the operator's name) and `user` (an id) go to the ledger.
    `user`, `pair` and `sender` are those of its event, for a record of an older version that does not hold them.
    """
    arguments: Arguments = {
        "id": message, "operation": operation, "retention": retention_ms, "by": by, "user": user, "pair": pair, "sender": sender,
    }  # fmt: skip
    return Call("retry", arguments, _retried, wake)


def discard(message: str, operation: str, *, retention_ms: int, by: str = "", user: str = "") -> Call[Retried]:
    """End a parked message as `ignored(discarded)`."""
    arguments: Arguments = {"id": message, "operation": operation, "retention": retention_ms, "by": by, "user": user}
    return Call("discard", arguments, _retried)


def opt_out(pair: str, *, out: bool, by: str = "") -> Call[bool]:
    """Record that a user does, or does not, want messages from a Boss; `by` is an operator's name. True when that is new."""
    return Call("opt_out", {"pair": pair, "out": int(out), "by": by}, bool)


def pause(reason: str, *, by: str = "", user: str = "", pairs: Iterable[str] = ()) -> Call[bool]:
    """Pause all sending, or one user's (an id, and their pairs), by an operator; True when it was not, or by an alarm, before."""
    return Call("pause", {"reason": reason, "by": by, "user": user}, bool, tuple(pairs))


def alarm(conversation: str, provider: Provider, reason: str, *, sure: bool, watch: DenialPolicy) -> Call[Alarmed]:
    """A provider refused us: for certain (`sure`), or by a 403, which may be this very message's.

    The answer is `paused` for the caller who stopped all sending by it, `held` where it is stopped already, and `counted` for a 403
    that is the message's own, as far as anybody can tell.
    """
    arguments: Arguments = {
        "conv": conversation, "provider": provider, "reason": reason, "sure": int(sure), "apart": watch.apart_ms, "quiet": watch.quiet_ms,
        "window": watch.window_ms, "probe": watch.probe_ms, "longest": watch.longest_ms,
    }  # fmt: skip
    return Call("alarm", arguments, _alarmed)


def warn(reason: str, *, window_ms: int = HOUR_MS) -> Call[bool]:
    """Tell the operator of something, once in `window_ms`; True when this call does."""
    return Call("warn", {"reason": reason, "window": window_ms}, bool)


def resume(*, by: str = "", user: str = "") -> Call[bool]:
    """End the pause of all, or of one user; True when there was one."""
    return Call("resume", {"by": by, "user": user}, bool)


def _retried(raw: Any) -> Retried:
    """The answer to `retry` and `discard`."""
    return Retried(raw[0], raw[1], raw[2])


def _alarmed(raw: Any) -> Alarmed:
    """The answer to `alarm`."""
    return cast("Alarmed", raw)
