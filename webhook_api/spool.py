"""The spool: what was taken while Redis was away, on disk before anybody is answered. Writing, reading and counting.

How a file outlives a crash is in `durable`. The counts are this process's own, put right by each listing, since another web process
may write to and replay from the same directory.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import errorcode
from typing import Final

from shared import spool as layout
from shared.errors import StorageUnavailable
from shared.settings import Settings
from shared.spool import Name, Survey
from webhook_api import durable

SETTLED_NS: Final = 3_000_000_000
"""How old a directory's last change must be before it is taken at its time's word: longer than the coarsest clock of a disk."""


class Spool:
    """One process's view of the directory. It is made when it is first written to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.spool_dir
        self._waiting = self._root / layout.WAITING
        self._path = str(self._waiting)
        self._lock = threading.Lock()
        self._changes = self._reserved = 0
        self._empty_since = -1
        self.depth = self.bytes = self.oldest = 0
        self.insured_bytes = 0
        """What the insurance takes of the room."""

    def empty(self) -> bool:
        """Whether nothing waits, of this process or another; drafts count.

        Every webhook asks: a directory that has not changed since it was found empty is not listed again.
        """
        if self.depth:
            return False
        try:
            changed = self._waiting.stat().st_mtime_ns
            return changed == self._empty_since or self._listed_empty(changed)
        except OSError:  # not made yet; or unreadable, and then nothing can be replayed from it either
            return True

    def _listed_empty(self, changed: int) -> bool:
        """List it. A time is remembered when it is old: what comes right after a change may bear the same one."""
        with os.scandir(self._path) as listing:
            empty = next(listing, None) is None
        if empty and time.time_ns() - changed > SETTLED_NS:
            self._empty_since = changed
        return empty

    def room(self) -> int:
        """The bytes that may still be written."""
        return layout.room(self._settings, self.bytes + self._reserved + self.insured_bytes)

    def set_aside_count(self) -> int:
        """How many entries wait for the operator."""
        return layout.set_aside(self._root)

    def write(self, ticket: int, content: bytes) -> None:
        """Put an entry on disk; when this returns it outlives a crash. Raises StorageUnavailable: no room, or a disk that refuses."""
        name = Name(ticket, len(content))
        with self._lock:
            if self.room() < name.room:
                raise StorageUnavailable("no_room")
            self._reserved += name.room  # others write at the same time
        try:
            durable.store(self._waiting, name, content)
        except OSError as error:
            with self._lock:
                self._reserved -= name.room
            raise StorageUnavailable(f"spool_{errorcode.get(error.errno or 0, 'error')}") from None
        with self._lock:
            self._changes += 1
            self._reserved -= name.room
            self.bytes += name.room
            self.oldest = min(self.oldest, ticket) if self.depth else ticket
            self.depth += 1

    def survey(self, head: int = 0) -> Survey:
        """List the directory, and put this process's counts right by it unless it writes or removes at that time. Raises OSError."""
        before, writing = self._changes, self._reserved
        found = layout.survey(self._root, head)
        with self._lock:
            if self._changes == before and not (writing or self._reserved):
                self.depth, self.bytes, self.oldest = found.depth, found.bytes, found.oldest
        return found

    def read(self, name: Name) -> bytes:
        """An entry's content. Raises OSError."""
        return (self._waiting / name.text).read_bytes()

    def remove(self, names: Sequence[Name], following: int = 0) -> None:
        """Forget entries that Redis has; `following` is the next ticket. No sync: one that comes back is a duplicate then."""
        for name in names:
            with suppress(FileNotFoundError):
                (self._waiting / name.text).unlink()
        self._gone(names, following)

    def insure(self, names: Sequence[Name], following: int = 0) -> None:
        """Take entries out of the line that Redis has, and no replica: they are insured. Raises OSError."""
        insured = self._root / layout.INSURED
        insured.mkdir(durable.DIRECTORY, exist_ok=True)
        for name in names:
            with suppress(FileNotFoundError):
                (self._waiting / name.text).rename(insured / name.text)
        self._gone(names, following)

    def set_aside(self, name: Name, following: int = 0) -> None:
        """Move an entry out of the way, for the operator. Raises OSError."""
        self.move_aside(name.text)
        self._gone([name], following)

    def move_aside(self, text: str, part: str = layout.WAITING) -> None:
        """Move a file of the line, or of another part, out of the way, whatever it is. Raises OSError."""
        aside = self._root / layout.ASIDE
        aside.mkdir(durable.DIRECTORY, exist_ok=True)
        with suppress(FileNotFoundError):
            (self._root / part / text).rename(aside / text)

    def _gone(self, names: Sequence[Name], following: int) -> None:
        with self._lock:
            self._changes += 1
            self.depth = max(0, self.depth - len(names))
            self.bytes = max(0, self.bytes - sum(name.room for name in names))
            self.oldest = following if self.depth else 0

    def drop_draft(self, name: Name) -> bool:
        """Remove a draft whose writer died; False while it may live. Raises OSError."""
        return durable.drop_draft(self._waiting / name.text)

    @contextmanager
    def replaying(self) -> Iterator[bool]:
        """Whether this process is the directory's one replayer now; the kernel gives the place up when the process dies."""
        descriptor = os.open(self._root / layout.LOCK, os.O_RDWR | os.O_CREAT, durable.FILE)
        try:
            yield durable.locked(descriptor)
        finally:
            os.close(descriptor)
