"""Which regular workers live, judged from RQ's heartbeats alone. Pure: times are this process's monotonic seconds.

No host's clock is asked: a worker lives when its last heartbeat has changed, whatever time it holds. Time in which nothing could be
observed proves nothing: after it every worker has the full time again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MAX_GAP_SHARE: Final = 0.5
"""Two observations further apart than this share of the full time: this process, or its machine, stood still in between."""


class WorkerMonitor:
    """What one process has observed of the regular workers."""

    def __init__(self, after: float, now: float) -> None:
        """`after` is how many seconds of silence mean that no worker lives. The first full time begins now."""
        self._after = after
        self._heartbeats: dict[str, str] = {}
        self._observed_at = now
        self._last_sign = now
        self._last_change: float | None = None

    def observe(self, heartbeats: Mapping[str, str], now: float) -> None:
        """One observation: the last heartbeat of each registered regular worker, by name."""
        if now - self._observed_at > MAX_GAP_SHARE * self._after:
            self.interrupted(now)
        changed = {name for name, heartbeat in heartbeats.items() if self._heartbeats.get(name) != heartbeat}
        if changed:
            self._last_sign = now
        if changed & self._heartbeats.keys():  # one seen for the first time may have been left by a worker that is dead
            self._last_change = now
        self._heartbeats = dict(heartbeats)
        self._observed_at = now

    def interrupted(self, now: float) -> None:
        """Nothing can be observed: Redis is away, and no worker can write its heartbeat either."""
        self._observed_at = self._last_sign = now

    def none_alive(self, now: float) -> bool:
        """Whether no regular worker gave a sign for the full, observed time. A clean end, often a restart, does not shorten it."""
        return now - self._last_sign >= self._after

    def any_alive(self, now: float) -> bool:
        """Whether a heartbeat was seen to change within the full time: a worker that only registers and dies does not count."""
        return self._last_change is not None and now - self._last_change < self._after
