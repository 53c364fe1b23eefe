"""Unreplicated copies: messages that Redis has accepted and none of its replicas has confirmed, on disk until one has.

If the server dies before a replica has read a message, the replica that takes its place has never seen it, and nobody would send it
again: its sender got a 2xx. So the record lies here, apart from the spool's waiting records, and is handed to Redis once more when a
failover would be over: as a duplicate where the message survived, as a new message where it did not. It is removed when a replica has it
(or the server has none, and is on its own). No sender waits for it, and no later message is held up: a message that really was lost comes
back behind what its sender wrote meanwhile.

The directory on disk is called `insured`, and so is the word in the log.
"""

from __future__ import annotations

import threading
import time
from errno import errorcode
from typing import Final

from shared import durable_files, spool_layout
from shared.errors import BadInput, SchemaTooNew, StorageFault, StorageUnavailable
from shared.observability import logs
from shared.runtime import Runtime
from shared.spool_layout import SpoolFile, SpoolListing
from webhook_api.intake import records
from webhook_api.intake.judging import ArrivedReaders, judged_now
from webhook_api.intake.records import ReadyRecord
from webhook_api.intake.spool import NEW_DRAFT_SECONDS, Spool

MAX_COPIES: Final = 10_000
"""With SPOOL_MAX_MB the bound; beyond it a webhook gets 503, though Redis has its message."""
MAX_BATCH: Final = 32
RETRY_SECONDS: Final = 5.0
log = logs.logger(__name__)


class UnreplicatedCopies:
    """One process's view of the copies. `write` is called in the webhooks' threads, `replay_due` in the replayer's."""

    def __init__(self, runtime: Runtime, spool: Spool, readers: ArrivedReaders) -> None:
        self._runtime = runtime
        self._readers = readers
        self._spool = spool
        self._root = runtime.settings.spool_dir
        self._directory = self._root / spool_layout.UNREPLICATED
        self._hold_seconds = runtime.settings.insurance_seconds
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._writing = self._written = 0
        self._seen: dict[str, float] = {}  # the first copies and the drafts, and since when this process knows them
        self.count = self._bytes = 0

    def write(self, ticket: int, record: ReadyRecord) -> None:
        """Put a record on disk. Raises StorageUnavailable: no room, or a disk error."""
        content = records.encode(record)
        size = SpoolFile(ticket, len(content)).disk_bytes
        with self._lock:
            if self.count >= MAX_COPIES or self._spool.free_bytes() < size:
                raise StorageUnavailable("no_room")
            if not self.count:
                log.warning("No replica has confirmed a message: it is kept on disk as well.", action="insured")
            self._writing += 1
            self._set_counts(self.count + 1, self._bytes + size)
        try:
            self._spool.write_to(self._directory, ticket, content)
        except OSError as error:
            with self._lock:
                self._set_counts(self.count - 1, self._bytes - size)
            raise StorageUnavailable(f"insurance_{errorcode.get(error.errno or 0, 'error')}") from None
        finally:
            with self._lock:
                self._writing -= 1
                self._written += 1

    def replay_due(self) -> None:
        """Hand over what has been here for INSURANCE_SECONDS, oldest first. Raises OSError."""
        written = self._written
        found = spool_layout.scan(self._root, MAX_BATCH, spool_layout.UNREPLICATED)
        with self._lock:
            if self._written == written and not self._writing:  # else the listing may lack what is counted already
                self._set_counts(found.depth, found.bytes)
        for name in found.strange:
            self._spool.move_aside(name, spool_layout.UNREPLICATED)
        due = self._due(found)
        if not due or time.monotonic() < self._not_before:
            return
        with self._spool.replaying() as mine:
            if mine and not self._handed_over(due):
                self._not_before = time.monotonic() + min(RETRY_SECONDS, self._hold_seconds)

    def _due(self, found: SpoolListing) -> list[SpoolFile]:
        """Remove dead writers' drafts; the records that have been here long enough.

        Measured by their files' times, or, where these are ahead of the clock, since this process first saw them.
        """
        now = time.monotonic()
        self._seen = {file.name: self._seen.get(file.name, now) for file in (*found.head, *found.drafts)}
        for draft in found.drafts:
            if now - self._seen[draft.name] >= NEW_DRAFT_SECONDS:
                durable_files.remove_dead_draft(self._directory / draft.name)
        return [file for file in found.head if max(now - self._seen[file.name], self._age(file)) >= self._hold_seconds]

    def _age(self, file: SpoolFile) -> float:
        return spool_layout.age_seconds(self._root, file, spool_layout.UNREPLICATED)

    def _handed_over(self, files: list[SpoolFile]) -> bool:
        """Whether Redis has these, on a replica; then they are removed."""
        loaded = [(file, record) for file in files if (record := self._read(file)) is not None]
        try:
            batches = [records.to_calls(record, self._runtime, waited=True) for _, record in loaded]
            result = records.send(self._runtime, [call for batch in batches for call in batch])
        except StorageUnavailable:
            return False
        if not result.replicated:
            return False
        answers = iter(result.answer)
        for (file, _), batch in zip(loaded, batches, strict=True):
            fault = next((answer for answer in [next(answers) for _ in batch] if isinstance(answer, StorageFault)), None)
            if fault:
                self._set_aside(file, fault.detail)
            else:
                (self._directory / file.name).unlink(missing_ok=True)
        log.info("A replica has what was insured.", action="insurance_over", entries=len(loaded))
        return True

    def _read(self, file: SpoolFile) -> ReadyRecord | None:
        try:
            return judged_now(records.decode((self._directory / file.name).read_bytes()), self._runtime, self._readers)
        except FileNotFoundError:
            return None
        except (BadInput, SchemaTooNew) as error:
            self._set_aside(file, error.code)
        return None

    def _set_aside(self, file: SpoolFile, reason: str) -> None:
        log.error("An insured entry cannot be handed over and was set aside.", action="set_aside", entry=file.name, reason=reason)
        self._spool.move_aside(file.name, spool_layout.UNREPLICATED)

    def _set_counts(self, count: int, size: int) -> None:
        self.count, self._bytes = count, size
        self._spool.unreplicated_bytes = size
