"""Who lives, judged from heartbeats alone. Pure: times are this process's monotonic seconds, and no host's clock is asked.

A worker lives when what it last wrote has changed; what the value says does not matter. Time in which nothing could be seen is no
proof of anything: after it every worker has the full time again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BLIND_SHARE: Final = 0.5
"""A longer pause between two looks, as a share of the full time, and we were blind: frozen, or the machine was."""


class Watcher:
    """What one process has seen of the regular workers."""

    def __init__(self, after: float, now: float) -> None:
        """`after` is how many seconds of silence mean that nobody lives. The first full time begins now."""
        self._after = after
        self._beats: dict[str, str] = {}
        self._looked = now
        self._sign = now
        self._proof: float | None = None

    def see(self, beats: Mapping[str, str], now: float) -> None:
        """One look: the last heartbeat of each regular worker that is registered, by name."""
        if now - self._looked > BLIND_SHARE * self._after:
            self.blind(now)
        changed = {name for name, beat in beats.items() if self._beats.get(name) != beat}
        if changed:
            self._sign = now
        if changed & self._beats.keys():  # a first sight may be what a dead one has left
            self._proof = now
        self._beats = dict(beats)
        self._looked = now

    def blind(self, now: float) -> None:
        """Nothing can be seen: Redis is away, where no worker can write either."""
        self._looked = self._sign = now

    def alone(self, now: float) -> bool:
        """Whether no regular worker has given a sign for the full time, all of it seen. A clean end shortens nothing: most are restarts."""
        return now - self._sign >= self._after

    def regular_lives(self, now: float) -> bool:
        """Whether a regular worker's heartbeat was seen to change within the full time: it does more than register and die."""
        return self._proof is not None and now - self._proof < self._after
