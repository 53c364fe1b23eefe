"""The one comparison of a secret that somebody shows with ours, and how slowly somebody finds out who does not know it.

Every door has it: SendGrid's webhooks (EMAIL_WEBHOOK_SECRET), /metrics and the dashboard (CONSOLE_PASSWORD), the bridge (SUPERVISOR_TOKEN).
Ten wrong ones of one direction cost nothing, fifty of all together; one of a direction is forgiven a second, five of all. Once either is
used up every attempt from there, right or wrong, is held for a second before it is judged: guessing is slow.

A direction is an address as the door knows it, of IPv6 its network. Somebody else's guesses lock nobody out: a direction that has shown
the right secret lately is judged at once, whatever else comes. Where a thread is held, only few are: of more, each is told to
come again, unjudged.
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

FREE: Final = 10
FREE_IN_ALL: Final = 50
FORGIVEN: Final = 1.0
FORGIVEN_IN_ALL: Final = 5.0
"""Wrong ones a second."""
HOLD_SECONDS: Final = 1.0
MOST_HELD: Final = 8
MOST_HELD_OF_ONE: Final = 4
DIRECTIONS: Final = 1024
"""How many are remembered, of the wrong and of the right; whose is forgotten still counts among all."""


V = TypeVar("V")


class Verdict(StrEnum):
    """What an attempt came to."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"


class Budget:
    """Wrong attempts that cost nobody any time. `now` is of a clock in seconds that never goes back."""

    def __init__(self, free: int, forgiven: float, now: float) -> None:
        self._free, self._forgiven = float(free), forgiven
        self._left, self._now = self._free, now

    def left(self, now: float) -> bool:
        """Whether an attempt may be judged at once."""
        self._left = min(self._free, self._left + (now - self._now) * self._forgiven)
        self._now = now
        return self._left >= 1

    def spend(self, now: float) -> None:
        """One was wrong."""
        self.left(now)
        self._left = max(0.0, self._left - 1)


class Guesses:
    """One secret, and who guessed wrong. An empty secret is known by nobody. Threads may share it."""

    def __init__(self, secret: str, now: float) -> None:
        """`now`, here and below, is of a clock in seconds that never goes back."""
        self._secret = secret.encode("utf-8", "replace")
        self._lock = threading.Lock()
        self._all = Budget(FREE_IN_ALL, FORGIVEN_IN_ALL, now)
        self._each: OrderedDict[str, Budget] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    @property
    def wanted(self) -> bool:
        """Whether there is a secret at all."""
        return bool(self._secret)

    def hold(self, direction: str, now: float) -> float:
        """How long an attempt from there has to wait before it is judged, in seconds."""
        with self._lock:
            mine = self._each.get(direction)
            return 0.0 if self._all.left(now) and (mine is None or mine.left(now)) else HOLD_SECONDS

    def knows(self, direction: str) -> bool:
        """Whether the right secret came from there lately."""
        with self._lock:
            return direction in self._known

    def right(self, given: str | None, direction: str, now: float) -> bool:
        """Judge what was shown (None: something that is no secret): a wrong one is counted, a right one costs nothing."""
        if self.same(given):
            with self._lock:
                _remember(self._known, direction, None)
            return True
        with self._lock:
            self._all.spend(now)
            budget = self._each.get(direction) or Budget(FREE, FORGIVEN, now)
            budget.spend(now)
            _remember(self._each, direction, budget)
        return False

    def same(self, given: str | None) -> bool:
        """Whether it is the secret, found out in a time that does not depend on it."""
        return hmac.compare_digest((given or "").encode("utf-8", "replace"), self._secret) and self.wanted


class Places:
    """The few threads of a process that may be held at once, whatever doors it has."""

    def __init__(self, most: int = MOST_HELD, most_of_one: int = MOST_HELD_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def one(self, direction: str) -> Iterator[bool]:
        """Whether there was a place."""
        with self._lock:
            found = self._held.total() < self._most and self._held[direction] < self._most_of_one
            self._held[direction] += found
        try:
            yield found
        finally:
            with self._lock:
                self._held[direction] -= found
                self._held = +self._held  # without those whose number is 0


class Login:
    """A door whose callers each have a thread."""

    def __init__(
        self,
        secret: str,
        places: Places | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._guesses = Guesses(secret, clock())
        self._places = places or Places()
        self._clock, self._sleep = clock, sleep

    @property
    def wanted(self) -> bool:
        """Whether there is a secret at all."""
        return self._guesses.wanted

    def judge(self, given: str | None, address: str) -> Verdict:
        """Judge what `address` gave (None: something that is no secret); takes a second when too much was wrong lately."""
        direction = direction_of(address)
        if self._guesses.knows(direction) and self._guesses.same(given):
            return Verdict.RIGHT
        seconds = self._guesses.hold(direction, self._clock())
        if not seconds:
            return self._judged(given, direction)
        with self._places.one(direction) as found:
            if not found:
                return Verdict.BUSY
            self._sleep(seconds)
            return self._judged(given, direction)

    def _judged(self, given: str | None, direction: str) -> Verdict:
        return Verdict.RIGHT if self._guesses.right(given, direction, self._clock()) else Verdict.WRONG


def direction_of(address: str) -> str:
    """Where an address belongs: itself, of IPv6 its /64, of which one caller has every address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def _remember(book: OrderedDict[str, V], direction: str, value: V) -> None:
    """Note the newest; the oldest is forgotten."""
    book[direction] = value
    book.move_to_end(direction)
    while len(book) > DIRECTIONS:
        book.popitem(last=False)
