"""What the prompt cache holds: the digests of prompts' beginnings, each until its time since its last use is over."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

CAPACITY: Final = 50_000
"""Entries; the longest unused one goes first."""


@dataclass(slots=True)
class _CacheEntry:
    seconds: float
    """How long it lives after a use."""
    expires: float
    """Seconds of the epoch."""


@dataclass(slots=True)
class PromptCache:
    """The entries. Times are seconds of the epoch."""

    _entries: OrderedDict[bytes, _CacheEntry] = field(default_factory=OrderedDict)

    def holds(self, digest: bytes, now: float) -> bool:
        """Whether an entry is there and lives."""
        entry = self._entries.get(digest)
        return entry is not None and now < entry.expires

    def use(self, digest: bytes, now: float) -> None:
        """Let an entry live on from now, as long as it was written for."""
        entry = self._entries[digest]
        entry.expires = now + entry.seconds
        self._entries.move_to_end(digest)

    def write(self, digest: bytes, seconds: float, now: float) -> None:
        """Put an entry."""
        self._entries[digest] = _CacheEntry(seconds, now + seconds)
        self._entries.move_to_end(digest)
        while len(self._entries) > CAPACITY:
            self._entries.popitem(last=False)
