"""The insurance: what Redis took while none of its replicas had it, on disk until one has.

If the server dies before a replica has read a message, the replica that takes its place never heard of it, and nobody would send it
again: its sender got a 2xx. So such an entry lies here, apart from the line of those that wait, and is handed to Redis once more when
a failover would be over: a duplicate where the message survived, an acceptance where it did not. It is removed when a replica has it
(or the server has none, and is on its own). Nobody waits for it, and nothing that came later is held up: a message that really was
lost comes back behind what its sender wrote meanwhile.
"""

from __future__ import annotations

import threading
import time
from errno import errorcode
from typing import Final

from shared import spool_layout as layout
from shared.errors import BadInput, SchemaTooNew, StorageFault, StorageUnavailable
from shared.observability import logs as telemetry
from shared.runtime import Runtime
from shared.spool_layout import Name, Survey
from webhook_api.intake import durable_files as durable
from webhook_api.intake import records as entries
from webhook_api.intake.records import Entry
from webhook_api.intake.spool import FRESH_SECONDS, Spool

MOST: Final = 10_000
"""Entries; with SPOOL_MAX_MB the bound. Beyond it a webhook gets 503, though Redis has its message."""
AT_ONCE: Final = 32
AGAIN_SECONDS: Final = 5.0
log = telemetry.logger(__name__)


class Insurance:
    """One process's view of it. `write` is for the webhooks' threads, `look` for the replayer's."""

    def __init__(self, runtime: Runtime, spool: Spool) -> None:
        self._runtime = runtime
        self._spool = spool
        self._root = runtime.settings.spool_dir
        self._place = self._root / layout.INSURED
        self._hold = runtime.settings.insurance_seconds
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._writing = self._written = 0
        self._seen: dict[str, float] = {}  # the first of them, and since when
        self.count = self._bytes = 0

    def write(self, ticket: int, entry: Entry) -> None:
        """Put an entry on disk. Raises StorageUnavailable: no room, or a disk that refuses."""
        content = entries.encode(entry)
        room = Name(ticket, len(content)).room
        with self._lock:
            if self.count >= MOST or self._spool.room() < room:
                raise StorageUnavailable("no_room")
            if not self.count:
                log.warning("No replica has confirmed a message: it is kept on disk as well.", action="insured")
            self._writing += 1
            self._counts(self.count + 1, self._bytes + room)
        try:
            self._spool.store(self._place, ticket, content)
        except OSError as error:
            with self._lock:
                self._counts(self.count - 1, self._bytes - room)
            raise StorageUnavailable(f"insurance_{errorcode.get(error.errno or 0, 'error')}") from None
        finally:
            with self._lock:
                self._writing -= 1
                self._written += 1

    def look(self) -> None:
        """Hand over what has lain long enough, oldest first. Raises OSError."""
        written = self._written
        found = layout.survey(self._root, AT_ONCE, layout.INSURED)
        with self._lock:
            if self._written == written and not self._writing:  # else the listing may lack what is counted already
                self._counts(found.depth, found.bytes)
        for text in found.strange:
            self._spool.move_aside(text, layout.INSURED)
        due = self._due(found)
        if not due or time.monotonic() < self._not_before:
            return
        with self._spool.replaying() as mine:
            if mine and not self._handed_over(due):
                self._not_before = time.monotonic() + min(AGAIN_SECONDS, self._hold)

    def _due(self, found: Survey) -> list[Name]:
        """Drop dead writers' drafts; those entries that have lain long enough.

        As their files say, or, where these lie ahead of the clock, since this process knows them.
        """
        now = time.monotonic()
        self._seen = {name.text: self._seen.get(name.text, now) for name in (*found.head, *found.drafts)}
        for draft in found.drafts:
            if now - self._seen[draft.text] >= FRESH_SECONDS:
                durable.drop_draft(self._place / draft.text)
        return [name for name in found.head if max(now - self._seen[name.text], self._age(name)) >= self._hold]

    def _age(self, name: Name) -> float:
        return layout.age_seconds(self._root, name, layout.INSURED)

    def _handed_over(self, names: list[Name]) -> bool:
        """Whether Redis has these, on a replica."""
        loaded = [(name, entry) for name in names if (entry := self._read(name)) is not None]
        try:
            steps = [entries.steps(entry, self._runtime) for _, entry in loaded]
            answers = iter(entries.send(self._runtime, [step for group in steps for step in group]))
        except StorageUnavailable:
            return False
        if not self._runtime.replicas.confirmed:
            return False
        for (name, _), group in zip(loaded, steps, strict=True):
            fault = next((answer for answer in [next(answers) for _ in group] if isinstance(answer, StorageFault)), None)
            if fault:
                self._set_aside(name, fault.detail)
            else:
                (self._place / name.text).unlink(missing_ok=True)
        log.info("A replica has what was insured.", action="insurance_over", entries=len(loaded))
        return True

    def _read(self, name: Name) -> Entry | None:
        try:
            return entries.decode((self._place / name.text).read_bytes())
        except FileNotFoundError:
            return None
        except (BadInput, SchemaTooNew) as error:
            self._set_aside(name, error.code)
        return None

    def _set_aside(self, name: Name, reason: str) -> None:
        log.error("An insured entry cannot be handed over and was set aside.", action="set_aside", entry=name.text, reason=reason)
        self._spool.move_aside(name.text, layout.INSURED)

    def _counts(self, count: int, size: int) -> None:
        self.count, self._bytes = count, size
        self._spool.insured_bytes = size
