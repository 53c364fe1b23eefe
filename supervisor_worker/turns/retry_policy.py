"""How often and how long a message is tried. Pure: figures in, milliseconds out.

Two kinds of failure are kept apart. An outage (429, 5xx, no connection) is nobody's fault: it counts nothing, waits longer the
older the message is, and ends when the message is `ANSWER_WITHIN_MINUTES` old. An error of this very message counts: five of
them, or six leases whose holder died, and the message is parked.

The waits after errors and outages have full jitter (after a Retry-After: on top of it). All waits shrink with the lease, so that
tests can run at twenty times the speed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from shared.config.settings import Settings
from shared.mailbox.calls import DAY_MS, MAX_LOST, REPEATS, Watch
from shared.mailbox.records import Message

MAX_ERRORS: Final = 5
DEFAULT_LEASE: Final = 60.0  # seconds; the waits below are meant for it
COUNTED_WAITS: Final = (2.0, 5.0, 15.0, 45.0)
OUTAGE_BASE: Final = 2.0
OUTAGE_CAP: Final = 60.0
RETRY_AFTER_CAP: Final = 300.0
PAUSE_WAIT: Final = 30.0
EVENT_STEP: Final = 10.0
LOOK_AGAIN: Final = 10.0
PROOF_WAIT: Final = 120.0
LIMIT_WAIT: Final = 3600.0


def scaled_ms(seconds: float, settings: Settings) -> int:
    """`seconds` at the default lease, in ms at this one."""
    return int(seconds * 1000 * settings.lease_seconds / DEFAULT_LEASE)


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
    return _jitter(scaled_ms(COUNTED_WAITS[min(errors, len(COUNTED_WAITS) - 1)], settings))


def pause_wait_ms(settings: Settings) -> int:
    """The wait of a turn that met a pause, or caused it: spread, so that not all come back at once."""
    wait = scaled_ms(PAUSE_WAIT, settings)
    return wait + _jitter(wait // 2)


def outage_wait_ms(age_ms: int, retry_after: float | None, settings: Settings) -> int:
    """The wait in an outage: it grows with the age, so that no counter is needed. A Retry-After (seconds) is honoured up to a cap."""
    base, cap = scaled_ms(OUTAGE_BASE, settings), scaled_ms(OUTAGE_CAP, settings)
    if retry_after is not None:
        return asked_wait_ms(retry_after, settings) + _jitter(base)
    return _jitter(min(cap, max(base, age_ms // 4)))


def asked_wait_ms(retry_after: float | None, settings: Settings) -> int:
    """What a provider asked us to wait (seconds), up to a cap."""
    return int(min(max(0.0, retry_after or 0.0), RETRY_AFTER_CAP * settings.lease_seconds / DEFAULT_LEASE) * 1000)


def limit_wait_ms(age_ms: int, now_ms: int, settings: Settings) -> int:
    """The wait after an account's limit of a day was met: an hour, but not beyond the day (UTC), nor ANSWER_WITHIN_MINUTES."""
    tomorrow = DAY_MS - now_ms % DAY_MS
    left = max(scaled_ms(OUTAGE_BASE, settings), int(settings.answer_within_minutes * 60_000) - age_ms)
    return min(scaled_ms(LIMIT_WAIT, settings), tomorrow, left) + _jitter(scaled_ms(OUTAGE_CAP, settings))


def watch(settings: Settings) -> Watch:
    """How a 403 is judged and a pause by alarm is tried, at this lease."""
    usual = Watch()
    return Watch(*(scaled_ms(getattr(usual, name) / 1000, settings) for name in usual.__slots__))


def proof_over(attempt_at_ms: int, now_ms: int, settings: Settings) -> bool:
    """Whether a reply of unknown fate has waited long enough for a proof that it was not taken."""
    return now_ms - attempt_at_ms > scaled_ms(PROOF_WAIT, settings)


def outage_over(age_ms: int, settings: Settings) -> bool:
    """Whether an outage has lasted as long as a user may be kept waiting."""
    return age_ms > settings.answer_within_minutes * 60_000


def too_old(age_ms: int, settings: Settings) -> bool:
    """Whether a message is not to be answered any more, whatever delayed it."""
    return age_ms > oldest_ms(settings)


def oldest_ms(settings: Settings) -> int:
    """How old a message may be and still be answered."""
    return int(settings.answer_at_most_hours * 3_600_000)


def repeats(settings: Settings) -> int:
    """How many attempts of unknown fate, which nobody can find, may be followed by another one."""
    return 0 if settings.unknown_outcome == "park" else REPEATS


def _jitter(most_ms: int) -> int:
    return int(random.random() * most_ms)  # noqa: S311 - spreads retries, guards nothing
