"""The replayer: one thread that hands the spool's records to Redis, oldest first, through the same step as a direct call.

A file is removed only after the script's own answer for it, so a crash at any point repeats a record, which Redis then recognises as a
duplicate. A record that Redis has and no replica of it becomes an unreplicated copy. A record that fails for reasons of its own becomes a
dead letter after MAX_TRIES, and is never deleted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from shared.backoff import Backoff
from shared.errors import BadInput, SchemaTooNew, StorageFault, StorageUnavailable
from shared.mailbox.call import Call
from shared.observability import logs
from shared.observability.redaction import error_location
from shared.runtime import Runtime
from shared.spool_layout import SpoolFile
from shared.storage.replication import StorageResult
from webhook_api.intake import records
from webhook_api.intake.availability import Availability
from webhook_api.intake.erasures import ErasureLook
from webhook_api.intake.judging import ArrivedReaders, judged_now, learn
from webhook_api.intake.ordering import Sequencer
from webhook_api.intake.records import ReadyRecord, SpoolRecord, UnjudgedMessage
from webhook_api.intake.spool import Spool
from webhook_api.intake.unreplicated import UnreplicatedCopies

POLL_SECONDS: Final = 1.0
"""How often an idle process looks for what another one left behind."""
BLOCKED_SECONDS: Final = 0.02
"""The wait for a request with an earlier ticket that is under way."""
FIRST_RETRY_SECONDS: Final = 0.1
MAX_RETRY_SECONDS: Final = 1.0
MAX_LISTED: Final = 1024
MAX_TRIES: Final = 5
"""Tries of a record that fails because of the record itself, within about a second: a passing fault makes no dead letter, and the records
behind it do not wait for long."""

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedRecord:
    """A record with the calls that store it. `unjudged`: it is on disk as it came."""

    file: SpoolFile
    record: ReadyRecord
    unjudged: bool
    calls: Sequence[Call[Any]]


class Replayer:
    """The thread, and what it knows."""

    def __init__(
        self, runtime: Runtime, spool: Spool, sequencer: Sequencer, unreplicated: UnreplicatedCopies, availability: Availability,
        *, readers: ArrivedReaders,
    ) -> None:  # fmt: skip
        self._erasures = ErasureLook(runtime)
        self._runtime = runtime
        self._readers = readers
        self._knows = False  # whether it was asked who is known since the records at hand were listed
        self._spool = spool
        self._sequencer = sequencer
        self._unreplicated = unreplicated
        self._availability = availability
        self._stop = threading.Event()
        self._work = threading.Event()
        self._work.set()  # an earlier run may have left something
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._tries: dict[str, int] = {}
        self._backoff = Backoff(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)

    def start(self) -> None:
        """Begin to replay, in a thread: what an earlier run left comes first."""
        self._thread.start()

    def wake(self) -> None:
        """A record was written: it need not wait for the next poll."""
        self._work.set()

    def close(self, seconds: float = 3.0) -> None:
        """Stop after the current call, waiting up to `seconds` for it. What is left is replayed at the next start."""
        self._stop.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._erasures.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.wait(POLL_SECONDS)
            self._work.clear()
            try:
                self._round()
                self._erasures.look()
                self._unreplicated.replay_due()
            except Exception as error:  # noqa: BLE001 - the backlog must not wait for a restart of the process
                log.error("The replay failed and goes on.", action="failed", **error_location(error))  # noqa: TRY400 - see `error_location`
                self._stop.wait(MAX_RETRY_SECONDS)

    def _round(self) -> None:
        if self._spool.is_empty():
            return
        with self._spool.replaying() as mine:
            if mine:
                self._replay_all()
            else:
                self._spool.scan()  # another process replays: our counts must not keep on showing what it has removed

    def _replay_all(self) -> None:
        """Replay until nothing is left."""
        started, count = time.monotonic(), 0
        while not self._stop.is_set():
            files = self._next_files()
            if files is None:
                if count:
                    took = round(time.monotonic() - started, 3)
                    log.info("Nothing waits on disk any more.", action="spool_empty", replayed=count, seconds=took)
                return
            if files:
                count += self._replay(deque(files))
            else:  # a direct call with an earlier ticket is under way, or a file is being written
                self._stop.wait(BLOCKED_SECONDS)

    def _next_files(self) -> list[SpoolFile] | None:
        """The next records in order; [] while they must wait for something before them, None when there are none.

        The limit is read before the directory: a record written later under an earlier ticket may be missing in the listing.
        """
        limit, self._knows = self._sequencer.replay_limit(), False
        found = self._spool.scan(MAX_LISTED)
        for name in found.strange:
            log.error("A file that is no entry lay in the spool.", action="set_aside", reason="no_entry")
            self._spool.move_aside(name)
        for draft in found.drafts:
            if draft.ticket < limit and not self._spool.remove_dead_draft(draft):
                limit = draft.ticket  # its writer may live: what comes after it waits for it
        if not (found.depth or found.drafts):
            return None
        self._sequencer.replay_limit(found.newest)
        return [file for file in found.head if file.ticket < limit]

    def _replay(self, files: deque[SpoolFile]) -> int:
        """Replay these, and return how many Redis has."""
        count = 0
        while files and not self._stop.is_set():
            batch: list[LoadedRecord] = []
            try:
                self._load(files, batch)
                result = records.send(self._runtime, [call for loaded in batch for call in loaded.calls])
            except StorageUnavailable as error:
                files.extendleft(loaded.file for loaded in reversed(batch))
                self._availability.went_away(error.detail, self._spool.depth)
                self._stop.wait(self._backoff.next())
                continue
            if batch:
                self._availability.restored()
                self._backoff.reset()
                count += self._remove_stored(files, batch, result)
                self._erasures.look()
        return count

    def _load(self, files: deque[SpoolFile], batch: list[LoadedRecord]) -> None:
        """Move records from `files` to `batch`: only one while Redis may be away, or when the first has failed before; else what fits."""
        count = 0
        alone = self._availability.away or files[0].name in self._tries
        while files and not (batch and (alone or files[0].name in self._tries)):
            loaded = self._read(files[0], files[1] if len(files) > 1 else None)
            count += len(loaded.calls) if loaded else 0
            if loaded and batch and count > records.MAX_CALLS:
                return
            files.popleft()
            if loaded:
                batch.append(loaded)

    def _read(self, file: SpoolFile, following: SpoolFile | None) -> LoadedRecord | None:
        """A record; None for one that is gone, or has become a dead letter. Raises StorageUnavailable: not yet."""
        try:
            return self._loaded(file, records.decode(self._spool.read(file)))
        except FileNotFoundError:
            self._spool.remove([file], following)
        except (BadInput, SchemaTooNew) as error:
            self._set_aside(file, error.code, following)
        except OSError as error:
            if not self._exhausted(file):
                raise StorageUnavailable(f"spool_{type(error).__name__}") from None
            self._set_aside(file, "unreadable", following)
        return None

    def _loaded(self, file: SpoolFile, found: SpoolRecord) -> LoadedRecord:
        """Raises BadInput, or StorageUnavailable: of a message that was not judged it is asked first who is known by now."""
        unjudged = isinstance(found, UnjudgedMessage)
        if unjudged and not self._knows:
            learn(self._runtime)
            self._knows = True
        record = judged_now(found, self._runtime, self._readers)
        return LoadedRecord(file, record, unjudged, records.to_calls(record, self._runtime, waited=True))

    def _remove_stored(self, files: deque[SpoolFile], batch: list[LoadedRecord], result: StorageResult[list[Any]]) -> int:
        """Remove what Redis has; a record with a fault of its own goes back to the head, or becomes a dead letter. The number removed."""
        rest, done, failed = iter(result.answer), list[LoadedRecord](), list[SpoolFile]()
        for loaded in batch:
            faults = [answer for answer in islice(rest, len(loaded.calls)) if isinstance(answer, StorageFault)]
            if not faults:
                done.append(loaded)
            elif self._exhausted(loaded.file):
                self._set_aside(loaded.file, faults[0].detail)
            else:
                failed.append(loaded.file)
        files.extendleft(reversed(failed))
        self._put_away(done, files[0] if files else None, replicated=result.replicated)
        for loaded in done:
            self._tries.pop(loaded.file.name, None)
        if failed:
            self._stop.wait(FIRST_RETRY_SECONDS * self._tries[failed[0].name])
        return len(done)

    def _put_away(self, done: Sequence[LoadedRecord], following: SpoolFile | None, *, replicated: bool) -> None:
        """Remove what Redis has. Without a replica's confirmation it must stay on disk: the server may die before a replica has read it.

        What was judged now is kept as judged: a mail that is judged otherwise later has another id.
        """
        kept = [] if replicated else [loaded.file for loaded in done if not (loaded.unjudged and self._copied(loaded))]
        if kept:
            self._spool.keep_unreplicated(kept, following)
        self._spool.remove([loaded.file for loaded in done if loaded.file not in kept], following)

    def _copied(self, loaded: LoadedRecord) -> bool:
        """Whether an unreplicated copy of what a message was judged to be is on disk."""
        try:
            self._unreplicated.write(loaded.file.ticket, loaded.record)
        except StorageUnavailable:
            return False
        return True

    def _exhausted(self, file: SpoolFile) -> bool:
        """Count a failed try; whether it was the last one."""
        self._tries[file.name] = self._tries.get(file.name, 0) + 1
        return self._tries[file.name] >= MAX_TRIES

    def _set_aside(self, file: SpoolFile, reason: str, following: SpoolFile | None = None) -> None:
        log.error("An entry of the spool cannot be replayed and was set aside.", action="set_aside", entry=file.name, reason=reason)
        self._spool.set_aside(file, following)
        self._tries.pop(file.name, None)
