"""The journal: every provider request and every posted webhook, in order. The project's tests count replies here.

`accepted` is exact: true on a `twilio.create` or `sendgrid.send` means that the user would have got that message, false that
they would not, null that the entry is no message (a list, a token count). An entry appears when the outcome is decided
and gets its `status` when the answer goes out; a webhook appears when it is posted and is settled when it is answered.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPACITY: Final = 50_000
KEEP_CONVERSATIONS: Final = 2_000
"""So many Anthropic requests keep their messages; older entries lose them, or a load test would fill the memory."""
WAKE_PAUSE: Final = 0.004
"""Waiters gather changes for so long before they look again."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One line of the journal."""

    seq: int
    at: float
    kind: str
    request: dict[str, Any]
    accepted: bool | None = None
    status: int | None = None
    sid: str | None = None
    fault: str | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "seq": self.seq,
            "at": self.at,
            "kind": self.kind,
            "accepted": self.accepted,
            "status": self.status,
            "sid": self.sid,
            "fault": self.fault,
            "error": self.error,
            "request": self.request,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries a caller means. Kinds match exactly, or by prefix when they end in a dot."""

    kinds: tuple[str, ...] = ()
    accepted: bool | None = None
    since: int = 0
    to: str | None = None
    sender: str | None = None
    contains: str | None = None

    def matches(self, entry: Entry) -> bool:
        """Say whether an entry is meant."""
        if self.kinds and not self.wants(entry.kind):
            return False
        if self.accepted is not None and entry.accepted is not self.accepted:
            return False
        if self.to is not None and entry.request.get("to") != self.to:
            return False
        if self.sender is not None and entry.request.get("from") != self.sender:
            return False
        return self.contains is None or self.contains in json.dumps(entry.request, ensure_ascii=False)

    def wants(self, kind: str) -> bool:
        """Say whether a kind is among those asked for."""
        return any(kind == each or (each.endswith(".") and kind.startswith(each)) for each in self.kinds)

    @property
    def countable(self) -> bool:
        """Whether the running totals can answer, without looking at an entry."""
        return self.since == 0 and self.to is None and self.sender is None and self.contains is None


@dataclass(slots=True)
class Journal:
    """The entries, their totals and whoever waits for more."""

    capacity: int = CAPACITY
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    _entries: list[Entry] = field(default_factory=list)
    _first: int = 1
    _next: int = 1
    _totals: Counter[tuple[str, bool | None]] = field(default_factory=Counter)
    _conversations: deque[Entry] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, kind: str, request: dict[str, Any], *, accepted: bool | None = None, sid: str | None = None) -> Entry:
        """Append an entry; it can still be settled."""
        entry = Entry(seq=self._next, at=time.time(), kind=kind, request=request, accepted=accepted, sid=sid)
        self._next += 1
        self._entries.append(entry)
        self._totals[kind, accepted] += 1
        if "messages" in request:
            self._keep_messages(entry)
        self._forget()
        self._changed.set()
        return entry

    def settle(self, entry: Entry, status: int | None, *, accepted: bool | None = None) -> None:
        """Note the answer of an entry, and of a webhook whether it was taken."""
        entry.status = status
        if accepted is not None and entry.seq >= self._first:
            self._totals[entry.kind, entry.accepted] -= 1
            self._totals[entry.kind, accepted] += 1
        if accepted is not None:
            entry.accepted = accepted
        self._changed.set()

    def clear(self) -> None:
        """Forget all entries. Numbers go on, so that a follower never takes a new entry for an old one."""
        self._entries.clear()
        self._conversations.clear()
        self._totals.clear()
        self._first = self._next
        self._changed.set()

    def find(self, query: Query) -> Iterator[Entry]:
        """Yield the entries meant, oldest first."""
        start = max(query.since + 1 - self._oldest, 0)
        return (entry for entry in self._entries[start:] if query.matches(entry))

    def count(self, query: Query) -> int:
        """Count the entries meant; by kind and acceptance this is exact even for those already forgotten."""
        if not query.countable:
            return sum(1 for _ in self.find(query))
        return sum(
            total
            for (kind, accepted), total in self._totals.items()
            if (not query.kinds or query.wants(kind)) and (query.accepted is None or accepted is query.accepted)
        )

    async def wait(self, query: Query, count: int, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's patience
        """Wait until so many entries are there; False when patience ends first."""
        deadline = time.monotonic() + timeout
        while self.count(query) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await self._change(left)
        return True

    @property
    def last(self) -> int:
        """The newest entry's number."""
        return self._next - 1

    @property
    def _oldest(self) -> int:
        return self._entries[0].seq if self._entries else self._next

    async def _change(self, patience: float) -> None:
        """Wait for anything to happen, then gather what comes with it."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), patience)
            await asyncio.sleep(WAKE_PAUSE)
        except TimeoutError:
            return

    def _keep_messages(self, entry: Entry) -> None:
        """Let an Anthropic request keep its messages until enough newer ones have come."""
        self._conversations.append(entry)
        if len(self._conversations) > KEEP_CONVERSATIONS:
            self._conversations.popleft().request.pop("messages", None)

    def _forget(self) -> None:
        """Drop the oldest tenth, rarely, rather than one entry each time."""
        if len(self._entries) > self.capacity:
            del self._entries[: max(self.capacity // 10, 1)]
