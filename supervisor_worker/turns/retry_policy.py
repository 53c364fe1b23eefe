"""The retry policy: how often a message is tried, and how long is waited in between. Pure: figures in, milliseconds out.

Two kinds of failure are told apart. An outage (429, 5xx, no connection) is not the message's fault: it counts nothing, its waits grow with
the message's age, and it ends when the message is `ANSWER_WITHIN_MINUTES` old. An error of this very message counts: after five of them,
or six leases whose holder died, the message is parked.

The waits after errors and outages have full jitter; after a Retry-After it is added. All waits shrink with the lease, so that tests can
run at twenty times the speed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from shared.config.settings import Settings
from shared.mailbox.calls import DAY_MS, MAX_LOST, REPEATS, DenialPolicy
from shared.mailbox.records import Message

MAX_ERRORS: Final = 5
DEFAULT_LEASE_SECONDS: Final = 60.0
"""The seconds below are for this lease; `scaled_ms` converts them."""
COUNTED_WAIT_SECONDS: Final = (2.0, 5.0, 15.0, 45.0)
"""After the first to the fourth error of a message."""
MIN_OUTAGE_WAIT_SECONDS: Final = 2.0
MAX_OUTAGE_WAIT_SECONDS: Final = 60.0
MAX_RETRY_AFTER_SECONDS: Final = 300.0
PAUSE_WAIT_SECONDS: Final = 30.0
EVENT_POLL_SECONDS: Final = 10.0
LOOKUP_AGAIN_SECONDS: Final = 10.0
PROOF_SECONDS: Final = 120.0
"""How long a reply of unknown outcome waits for a proof that it was not accepted."""
DAILY_LIMIT_WAIT_SECONDS: Final = 3600.0


def scaled_ms(seconds: float, settings: Settings) -> int:
    """`seconds` at the default lease, in ms at this one."""
    return int(seconds * 1000 * settings.lease_seconds / DEFAULT_LEASE_SECONDS)


def exhausted(messages: Sequence[Message]) -> str:
    """Why these messages must not be tried again, or ''."""
    if any(message.errors >= MAX_ERRORS for message in messages):
        return "too_many_errors"
    return "too_many_lost_leases" if any(message.lost >= MAX_LOST for message in messages) else ""


def last_error(messages: Sequence[Message]) -> bool:
    """Whether one more error is the last."""
    return any(message.errors + 1 >= MAX_ERRORS for message in messages)


def counted_wait_ms(messages: Sequence[Message], settings: Settings) -> int:
    """The wait after one more error of these messages."""
    errors = max((message.errors for message in messages), default=0)
    return _jitter(scaled_ms(COUNTED_WAIT_SECONDS[min(errors, len(COUNTED_WAIT_SECONDS) - 1)], settings))


def pause_wait_ms(settings: Settings) -> int:
    """The wait of a turn that met a pause, or caused it; spread, so that not all turns come back at once."""
    wait = scaled_ms(PAUSE_WAIT_SECONDS, settings)
    return wait + _jitter(wait // 2)


def outage_wait_ms(age_ms: int, retry_after: float | None, settings: Settings) -> int:
    """The wait in an outage: it grows with the age, so that no counter is stored. A Retry-After (seconds) is honoured up to a cap."""
    base, cap = scaled_ms(MIN_OUTAGE_WAIT_SECONDS, settings), scaled_ms(MAX_OUTAGE_WAIT_SECONDS, settings)
    if retry_after is not None:
        return asked_wait_ms(retry_after, settings) + _jitter(base)
    return _jitter(min(cap, max(base, age_ms // 4)))


def asked_wait_ms(retry_after: float | None, settings: Settings) -> int:
    """A provider's Retry-After (seconds) in ms, up to a cap."""
    return int(min(max(0.0, retry_after or 0.0), MAX_RETRY_AFTER_SECONDS * settings.lease_seconds / DEFAULT_LEASE_SECONDS) * 1000)


def limit_wait_ms(age_ms: int, now_ms: int, settings: Settings) -> int:
    """The wait after the account's limit of a day: an hour, but not beyond that day (UTC), nor beyond ANSWER_WITHIN_MINUTES."""
    tomorrow = DAY_MS - now_ms % DAY_MS
    left = max(scaled_ms(MIN_OUTAGE_WAIT_SECONDS, settings), int(settings.answer_within_minutes * 60_000) - age_ms)
    return min(scaled_ms(DAILY_LIMIT_WAIT_SECONDS, settings), tomorrow, left) + _jitter(scaled_ms(MAX_OUTAGE_WAIT_SECONDS, settings))


def watch(settings: Settings) -> DenialPolicy:
    """At this lease: when a 403 is taken for the key's, and how a pause by alarm is probed."""
    usual = DenialPolicy()
    return DenialPolicy(*(scaled_ms(getattr(usual, name) / 1000, settings) for name in usual.__slots__))


def proof_over(attempt_at_ms: int, now_ms: int, settings: Settings) -> bool:
    """Whether a reply of unknown outcome has waited long enough for a proof that it was not accepted."""
    return now_ms - attempt_at_ms > scaled_ms(PROOF_SECONDS, settings)


def outage_over(age_ms: int, settings: Settings) -> bool:
    """Whether an outage has lasted as long as a user may be kept waiting."""
    return age_ms > settings.answer_within_minutes * 60_000


def too_old(age_ms: int, settings: Settings) -> bool:
    """Whether a message is not to be answered any more, whatever delayed it."""
    return age_ms > oldest_ms(settings)


def ended(message: Message, age_ms: int, now_ms: int, settings: Settings) -> bool:
    """Whether a message is not to be sent any more: a program's has an end of its own, and a reminder says that it is late."""
    if message.kind == "outgoing":
        return now_ms >= message.expires_at
    return message.kind != "reminder" and too_old(age_ms, settings)


def too_late(message: Message, age_ms: int, now_ms: int, settings: Settings, *, elsewhere: bool) -> bool:
    """Whether it is too late for another attempt. A reminder that can be told nowhere else is sent when its provider is back."""
    if message.kind == "outgoing" or (message.kind == "reminder" and not elsewhere):
        return ended(message, age_ms, now_ms, settings)
    return outage_over(age_ms, settings) or too_old(age_ms, settings)


def oldest_ms(settings: Settings) -> int:
    """How old a message may be and still be answered."""
    return int(settings.answer_at_most_hours * 3_600_000)


def repeats(settings: Settings) -> int:
    """How many attempts of unknown outcome that no look-up finds may be followed by another attempt."""
    return 0 if settings.unknown_outcome == "park" else REPEATS


def _jitter(most_ms: int) -> int:
    return int(random.random() * most_ms)  # noqa: S311 - spreads retries, guards nothing
