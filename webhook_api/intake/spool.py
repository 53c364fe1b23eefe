"""The spool: what was accepted while Redis was away, on disk before anybody is answered. Writing, reading and counting.

How a file survives a crash is in `durable_files`, what orders the records of several processes in `tickets`. The counts are this process's
own and are corrected by each scan, since another web process may write to the same directory and replay from it.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from errno import errorcode
from itertools import chain
from pathlib import Path
from typing import Final

from shared import durable_files, spool_layout
from shared.config.settings import Settings
from shared.errors import StorageUnavailable
from shared.spool_layout import SpoolFile, SpoolListing
from webhook_api.intake.tickets import HighestTicket

SETTLED_SECONDS: Final = 3.0
"""How long a directory's modification time must stay the same to prove that nothing changed: longer than the coarsest clock of a disk."""
NEW_DRAFT_SECONDS: Final = 1.0
"""A draft known for less than this may belong to a writer that has not locked it yet."""
MAX_NAMES: Final = 3
"""Names tried for one record. A second one is needed only where a fork copied the writer's name, or chance made it twice."""
MAX_NAMES_ASIDE: Final = 1_000


class Spool:
    """One process's view of the directory, which is made when it is first written to. Threads may share it.

    `depth`, `bytes` and `oldest` describe the waiting records.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.spool_dir
        self._waiting = self._root / spool_layout.WAITING
        self._path = str(self._waiting)
        self._lock = threading.Lock()
        self._changes = self._reserved = 0
        self._writer = _new_writer()
        self._highest = HighestTicket(self._root, lambda: spool_layout.scan(self._root).newest)
        self._known_ticket = 0  # the directory's highest ticket is at least this
        self._drafts: dict[str, float] = {}  # other writers' drafts, and since when this process knows them
        self._empty_since = self._empty_at = -1
        self._empty_first = 0.0
        self.depth = self.bytes = 0
        self.oldest: SpoolFile | None = None
        self.unreplicated_bytes = 0
        """What the unreplicated copies take of the room."""

    def is_empty(self) -> bool:
        """Whether nothing waits, of this process or of another one; drafts count as waiting.

        Every webhook asks: a directory that has not changed since it was found empty is not listed again.
        """
        if self.depth:
            return False
        try:
            changed = os.stat(self._path).st_mtime_ns  # noqa: PTH116 - takes half the time of Path's
            return changed == self._empty_since or self._listed_empty(changed)
        except OSError:  # not made yet; or unreadable, and then nothing can be replayed from it either
            return True

    def _listed_empty(self, changed: int) -> bool:
        """List the directory. Its modification time is remembered once it has been the same for SETTLED_SECONDS.

        Before that, a change right after another one may have the same time. Measured by this process's monotonic clock: the clock that
        dates files may be another one than the host's.
        """
        with os.scandir(self._path) as listing:
            empty = next(listing, None) is None
        if changed != self._empty_at:
            self._empty_at, self._empty_first = changed, time.monotonic()
        elif empty and time.monotonic() - self._empty_first > SETTLED_SECONDS:
            self._empty_since = changed
        return empty

    def highest_on_disk(self) -> int:
        """The highest ticket of a record on disk, 0 for none. A process asks at its start, and corrects what a crash of the host lost."""
        with suppress(OSError):
            return self.scan().newest
        return 0

    def highest(self) -> int:
        """The ticket above which a request must stand that arrives while something waits. Raises StorageUnavailable."""
        try:
            return self._highest.read()
        except OSError as error:
            raise _unavailable(error) from None

    def free_bytes(self) -> int:
        """The bytes that may still be written."""
        return spool_layout.free_bytes(self._settings, self.bytes + self._reserved + self.unreplicated_bytes)

    def has_room_for_strangers(self) -> bool:
        """Whether more than half of the room is free: what may be nobody's leaves the rest to the messages of people who are known."""
        return self.free_bytes() > self._settings.spool_max_mb * spool_layout.MIB // 2

    def count_aside(self) -> int:
        """How many dead letters wait for the operator."""
        return spool_layout.count_aside(self._root)

    def write(self, ticket: int, content: bytes) -> None:
        """Write a record; when this returns it survives a crash. Raises StorageUnavailable: no room, or a disk error."""
        size = SpoolFile(ticket, len(content)).disk_bytes
        with self._lock:
            if self.free_bytes() < size:
                raise StorageUnavailable("no_room")
            self._reserved += size  # counted before it is written: other threads write at the same time
        try:
            # Before the record has its name: whoever sees the record must take a ticket above it.
            self._highest.raise_to(ticket)
            file = self.write_to(self._waiting, ticket, content)
        except OSError as error:
            with self._lock:
                self._reserved -= size
            raise _unavailable(error) from None
        with self._lock:
            self._changes += 1
            self._reserved -= size
            self.bytes += size
            self.oldest = min(self.oldest, file) if self.depth and self.oldest else file
            self.depth += 1

    def write_to(self, directory: Path, ticket: int, content: bytes) -> SpoolFile:
        """Write a record of this writer into one of the spool's directories. Raises OSError."""
        for _ in range(MAX_NAMES):
            file = SpoolFile(ticket, len(content), writer=self._writer)
            try:
                durable_files.atomic_write(directory, file, content)
            except FileExistsError:
                self._writer = _new_writer()  # a fork of this process has the same name
            else:
                return file
        raise FileExistsError(file.name)

    def scan(self, head: int = 0) -> SpoolListing:
        """List the directory, and correct this process's counts by it unless it wrote or removed meanwhile. Raises OSError."""
        before, writing = self._changes, self._reserved
        found = spool_layout.scan(self._root, head)
        with self._lock:
            if self._changes == before and not (writing or self._reserved):
                self.depth, self.bytes, self.oldest = found.depth, found.bytes, found.oldest
        self._drafts = {draft.name: self._drafts.get(draft.name, time.monotonic()) for draft in found.drafts}
        if found.newest > self._known_ticket:  # a record that the operator moved back, or that an older version wrote
            with suppress(OSError):
                self._highest.raise_to(found.newest)
                self._known_ticket = found.newest
        return found

    def read(self, file: SpoolFile) -> bytes:
        """A record's content. Raises OSError."""
        return (self._waiting / file.name).read_bytes()

    def remove(self, files: Sequence[SpoolFile], following: SpoolFile | None = None) -> None:
        """Remove records that Redis has; `following` is the next one. Not synced: a record that comes back is a duplicate to Redis."""
        for file in files:
            with suppress(FileNotFoundError):
                (self._waiting / file.name).unlink()
        self._removed(files, following)

    def keep_unreplicated(self, files: Sequence[SpoolFile], following: SpoolFile | None = None) -> None:
        """Move records that Redis has, and none of its replicas, to the unreplicated copies. Raises OSError."""
        target = self._root / spool_layout.UNREPLICATED
        target.mkdir(durable_files.DIRECTORY_MODE, exist_ok=True)
        for file in files:
            other = replace(file, writer=_new_writer())  # an older version gave the same name twice
            durable_files.move(self._waiting / file.name, [target / file.name, target / other.name])
        self._removed(files, following)

    def set_aside(self, file: SpoolFile, following: SpoolFile | None = None) -> None:
        """Make a waiting record a dead letter. Raises OSError."""
        self.move_aside(file.name)
        self._removed([file], following)

    def move_aside(self, name: str, directory: str = spool_layout.WAITING) -> None:
        """Move a file from one of the spool's directories to the dead letters, numbered where its name is taken. Raises OSError."""
        aside = self._root / spool_layout.ASIDE
        aside.mkdir(durable_files.DIRECTORY_MODE, exist_ok=True)
        numbered = (aside / f"{name}.{number}" for number in range(1, MAX_NAMES_ASIDE))
        durable_files.move(self._root / directory / name, chain([aside / name], numbered))

    def _removed(self, files: Sequence[SpoolFile], following: SpoolFile | None) -> None:
        with self._lock:
            self._changes += 1
            self.depth = max(0, self.depth - len(files))
            self.bytes = max(0, self.bytes - sum(file.disk_bytes for file in files))
            self.oldest = following if self.depth else None

    def oldest_seconds(self) -> float:
        """How long the first record has waited, by its file's time."""
        return spool_layout.age_seconds(self._root, self.oldest) if self.depth else 0.0

    def remove_dead_draft(self, draft: SpoolFile) -> bool:
        """Remove a draft whose writer has died; False while it may live. Raises OSError."""
        known = self._drafts.get(draft.name)
        if known is None or time.monotonic() - known < NEW_DRAFT_SECONDS:
            return False
        return durable_files.remove_dead_draft(self._waiting / draft.name)

    @contextmanager
    def replaying(self) -> Iterator[bool]:
        """Whether this process is the directory's one replayer now; the kernel releases the lock when the process dies."""
        descriptor = os.open(self._root / spool_layout.LOCK, os.O_RDWR | os.O_CREAT, durable_files.FILE_MODE)
        try:
            yield durable_files.try_lock(descriptor)
        finally:
            os.close(descriptor)


def _new_writer() -> str:
    """The name of one run of a process. Process id and boot id would not do: two containers may have both the same."""
    return secrets.token_hex(8)


def _unavailable(error: OSError) -> StorageUnavailable:
    return StorageUnavailable(f"spool_{errorcode.get(error.errno or 0, 'error')}")
