"""The journal: every provider request and every posted webhook, in order. The project's tests count replies here.

`accepted` is exact: true on a `twilio.create` or `sendgrid.send` means that the user would have got that message, false that
they would not, null that the entry is no message (a list, a token count). A request's entry appears when its outcome is decided, and
gets its `status` when the answer goes out. A webhook's entry appears when it is posted, and is completed when it is answered.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypedDict

from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPACITY: Final = 50_000
"""Entries."""
MAX_CONVERSATIONS: Final = 2_000
"""How many Anthropic requests keep their messages and tools. Older entries lose them, or a load test would fill the memory."""
BATCH_SECONDS: Final = 0.004
"""How long a waiter collects further changes before it looks again."""


class JournalEntryDocument(TypedDict):
    """An entry as the control API shows it."""

    seq: int
    """Its number; numbers go on after the journal was cleared."""
    at: float
    """Seconds of the epoch."""
    kind: str
    """The provider and the operation, such as `twilio.create`, or `webhook.` and what was posted."""
    accepted: bool | None
    status: int | None
    """The HTTP status; null until there is one."""
    sid: str | None
    """The provider's id of the message."""
    fault: str | None
    """The fault that took the place of the answer."""
    error: str | None
    """Why a webhook was not answered."""
    request: JsonObject
    """What was asked: `to`, `from` and the text first, then the provider's own fields. The keys depend on the kind."""
    answer: JsonObject | None
    """What the model answered: content, stop reason and usage; and where the request had breakpoints of the cache."""


@dataclass(slots=True, kw_only=True)
class JournalEntry:
    """One line of the journal. The fields are those of `JournalEntryDocument`."""

    seq: int
    at: float
    kind: str
    request: JsonObject
    accepted: bool | None = None
    status: int | None = None
    sid: str | None = None
    fault: str | None = None
    error: str | None = None
    answer: JsonObject | None = None

    def to_json(self) -> JournalEntryDocument:
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
            "answer": self.answer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalQuery:
    """Selects entries. A kind that ends in a dot is a prefix, any other must be equal."""

    kinds: tuple[str, ...] = ()
    accepted: bool | None = None
    since: int = 0
    """Only entries with a higher number."""
    to: str | None = None
    sender: str | None = None
    contains: str | None = None
    """Only entries whose request contains this text."""

    def matches(self, entry: JournalEntry) -> bool:
        """Whether an entry is selected; `since` is not looked at."""
        if self.kinds and not self.includes(entry.kind):
            return False
        if self.accepted is not None and entry.accepted is not self.accepted:
            return False
        if self.to is not None and entry.request.get("to") != self.to:
            return False
        if self.sender is not None and entry.request.get("from") != self.sender:
            return False
        return self.contains is None or self.contains in json.dumps(entry.request, ensure_ascii=False)

    def includes(self, kind: str) -> bool:
        """Whether a kind is among those selected."""
        return any(kind == each or (each.endswith(".") and kind.startswith(each)) for each in self.kinds)

    @property
    def answered_by_totals(self) -> bool:
        """Whether the running totals can answer, without a look at any entry."""
        return self.since == 0 and self.to is None and self.sender is None and self.contains is None


@dataclass(slots=True)
class Journal:
    """The newest entries, the totals of all, and an event for those who wait for more."""

    capacity: int = CAPACITY
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """Differs for each process: a reader sees that the numbers have begun anew."""
    _entries: list[JournalEntry] = field(default_factory=list)
    _first: int = 1
    """The number of the first entry since the journal was cleared: what is older is in no total."""
    _next: int = 1
    _totals: Counter[tuple[str, bool | None]] = field(default_factory=Counter)
    """Entries by kind and acceptance, including those that are no longer kept."""
    _conversations: deque[JournalEntry] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(
        self, kind: str, request: JsonObject, *, accepted: bool | None = None, sid: str | None = None, answer: JsonObject | None = None
    ) -> JournalEntry:
        """Append an entry; `complete` may still change it."""
        entry = JournalEntry(seq=self._next, at=time.time(), kind=kind, request=request, accepted=accepted, sid=sid, answer=answer)
        self._next += 1
        self._entries.append(entry)
        self._totals[kind, accepted] += 1
        if "messages" in request:
            self._keep_messages(entry)
        self._drop_oldest()
        self._changed.set()
        return entry

    def complete(self, entry: JournalEntry, status: int | None, *, accepted: bool | None = None) -> None:
        """Record the status of an entry's answer; of a webhook also whether it was accepted."""
        entry.status = status
        # An entry from before the journal was cleared is in no total: no total may be reduced.
        if accepted is not None and entry.seq >= self._first:
            self._totals[entry.kind, entry.accepted] -= 1
            self._totals[entry.kind, accepted] += 1
        if accepted is not None:
            entry.accepted = accepted
        self._changed.set()

    def clear(self) -> None:
        """Forget all entries. Numbers go on, so that a reader that follows never mistakes a new entry for an old one."""
        self._entries.clear()
        self._conversations.clear()
        self._totals.clear()
        self._first = self._next
        self._changed.set()

    def find(self, query: JournalQuery) -> Iterator[JournalEntry]:
        """Yield the selected entries, oldest first."""
        start = max(query.since + 1 - self._oldest, 0)
        return (entry for entry in self._entries[start:] if query.matches(entry))

    def count(self, query: JournalQuery) -> int:
        """Count the selected entries; by kind and acceptance alone this is exact even for those no longer kept."""
        if not query.answered_by_totals:
            return sum(1 for _ in self.find(query))
        return sum(
            total
            for (kind, accepted), total in self._totals.items()
            if (not query.kinds or query.includes(kind)) and (query.accepted is None or accepted is query.accepted)
        )

    async def wait(self, query: JournalQuery, count: int, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's, and no error
        """Wait until `count` entries are there; False when `timeout` seconds have passed first."""
        deadline = time.monotonic() + timeout
        while self.count(query) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await self._wait_for_change(left)
        return True

    @property
    def last(self) -> int:
        """The newest entry's number."""
        return self._next - 1

    @property
    def _oldest(self) -> int:
        return self._entries[0].seq if self._entries else self._next

    async def _wait_for_change(self, timeout: float) -> None:  # noqa: ASYNC109 - the caller's, and no error
        """Wait for any change, then collect those that come with it: counting for each one would cost a load test its speed."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
            await asyncio.sleep(BATCH_SECONDS)
        except TimeoutError:
            return

    def _keep_messages(self, entry: JournalEntry) -> None:
        """Let an Anthropic request keep its messages, its tools and its answer until enough newer ones have come."""
        self._conversations.append(entry)
        if len(self._conversations) > MAX_CONVERSATIONS:
            oldest = self._conversations.popleft()
            oldest.answer = None
            for name in ("messages", "tools"):
                oldest.request.pop(name, None)

    def _drop_oldest(self) -> None:
        """Drop the oldest tenth at once: dropping one entry each time would move the whole list each time."""
        if len(self._entries) > self.capacity:
            del self._entries[: max(self.capacity // 10, 1)]
