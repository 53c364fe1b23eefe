"""Compares a secret that a caller shows with ours, and slows down those who guess.

Everything with a secret uses it: SendGrid's webhooks (EMAIL_WEBHOOK_SECRET), /metrics and the dashboard (CONSOLE_PASSWORD), the
bridge (SUPERVISOR_TOKEN).

Each source may be wrong FREE_GUESSES times, and once more a second; all sources together FREE_GUESSES_OF_ALL times, and five a second.
Beyond either bound every attempt, right or wrong, is delayed by DELAY_SECONDS before it is compared: guessing is slow, and the time
tells nothing.

A source is an IPv4 address or an IPv6 network (`source_of`). Guesses of others lock nobody out: a source that has shown the
right secret lately is compared at once, whatever else arrives. Where a delay blocks a thread, only few attempts are delayed at a time;
any further one is told to come again, and is not compared.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final, TypeVar

from shared.rate_limit import TokenBucket

FREE_GUESSES: Final = 10
FREE_GUESSES_OF_ALL: Final = 50
GUESSES_PER_SECOND: Final = 1.0
GUESSES_PER_SECOND_OF_ALL: Final = 5.0
DELAY_SECONDS: Final = 1.0
MAX_DELAYED: Final = 8
MAX_DELAYED_PER_SOURCE: Final = 4
MAX_SOURCES: Final = 1024
"""How many sources are remembered, of wrong and of right secrets each; one that is forgotten still counts among all."""


V = TypeVar("V")


class Verdict(StrEnum):
    """The result of an attempt; BUSY means that it was not compared."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"


class ThrottledSecret:
    """One secret, with the guesses at it. An unset (empty) secret matches nothing. Threads may share it.

    It never sleeps: a caller on an event loop asks `delay`, waits by itself, and then calls `verify`. `now`, here and below, is of a
    clock in seconds that never goes back.
    """

    def __init__(self, secret: str, now: float) -> None:
        self._secret = secret.encode("utf-8", "replace")
        self._lock = threading.Lock()
        self._all = TokenBucket(GUESSES_PER_SECOND_OF_ALL, FREE_GUESSES_OF_ALL, now)
        self._wrong: OrderedDict[str, TokenBucket] = OrderedDict()
        self._right: OrderedDict[str, None] = OrderedDict()

    @property
    def is_set(self) -> bool:
        """Whether there is a secret at all."""
        return bool(self._secret)

    def delay(self, source: str, now: float) -> float:
        """How many seconds an attempt of this source must wait before it is verified."""
        with self._lock:
            bucket = self._wrong.get(source)
            free = self._all.available(now) and (bucket is None or bucket.available(now))
        return 0.0 if free else DELAY_SECONDS

    def was_right(self, source: str) -> bool:
        """Whether the right secret came from this source lately."""
        with self._lock:
            return source in self._right

    def verify(self, given: str | None, source: str, now: float) -> bool:
        """Whether `given` is the secret (None: the caller sent something that is no secret). A wrong one counts as a guess."""
        if self.matches(given):
            with self._lock:
                _remember(self._right, source, None)
            return True
        with self._lock:
            self._all.take_any(now)
            bucket = self._wrong.get(source) or TokenBucket(GUESSES_PER_SECOND, FREE_GUESSES, now)
            bucket.take_any(now)
            _remember(self._wrong, source, bucket)
        return False

    def matches(self, given: str | None) -> bool:
        """Whether `given` is the secret, in a time that does not depend on it; nothing is counted."""
        return hmac.compare_digest((given or "").encode("utf-8", "replace"), self._secret) and self.is_set


class DelaySlots:
    """Bounds how many threads of a process sleep in a delay at once, over all of its verifiers."""

    def __init__(self, limit: int = MAX_DELAYED, limit_per_source: int = MAX_DELAYED_PER_SOURCE) -> None:
        self._limit, self._limit_per_source = limit, limit_per_source
        self._lock = threading.Lock()
        self._used: Counter[str] = Counter()

    @contextmanager
    def slot(self, source: str) -> Iterator[bool]:
        """Hold a slot for the length of the `with`; False when none is free."""
        with self._lock:
            free = self._used.total() < self._limit and self._used[source] < self._limit_per_source
            self._used[source] += free
        try:
            yield free
        finally:
            with self._lock:
                self._used[source] -= free
                self._used = +self._used  # drops the sources without a slot, which would otherwise pile up


class PasswordVerifier:
    """Verifies a secret for callers that have a thread each: a delay is a sleep."""

    def __init__(
        self,
        secret: str,
        slots: DelaySlots | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        throttled: ThrottledSecret | None = None,
    ) -> None:
        """`throttled` stands for several secrets, in the place of `secret`."""
        self._secret = throttled or ThrottledSecret(secret, clock())
        self._slots = slots or DelaySlots()
        self._clock, self._sleep = clock, sleep

    @property
    def is_set(self) -> bool:
        """Whether there is a secret at all."""
        return self._secret.is_set

    def verify(self, given: str | None, address: str) -> Verdict:
        """Verify what `address` gave (None: something that is no secret); takes DELAY_SECONDS after too many wrong guesses."""
        source = source_of(address)
        # A flood of guesses must not delay a caller who knows the secret: that one is compared first, and only a wrong secret goes on.
        if self._secret.was_right(source) and self._secret.matches(given):
            return Verdict.RIGHT
        seconds = self._secret.delay(source, self._clock())
        if not seconds:
            return self._verdict(given, source)
        with self._slots.slot(source) as free:
            if not free:
                return Verdict.BUSY
            self._sleep(seconds)
            return self._verdict(given, source)

    def _verdict(self, given: str | None, source: str) -> Verdict:
        return Verdict.RIGHT if self._secret.verify(given, source, self._clock()) else Verdict.WRONG


def source_of(address: str) -> str:
    """What one caller controls: an IPv4 address, or the /64 network of an IPv6 address. Any other text is returned unchanged."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def _remember(sources: OrderedDict[str, V], source: str, value: V) -> None:
    """Note a source as the newest; forget the oldest beyond MAX_SOURCES."""
    sources[source] = value
    sources.move_to_end(source)
    while len(sources) > MAX_SOURCES:
        sources.popitem(last=False)
