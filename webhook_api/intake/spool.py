"""The spool: what was taken while Redis was away, on disk before anybody is answered. Writing, reading and counting.

How a file outlives a crash is in `durable`, what orders the entries of several processes in `tickets`. The counts are this process's
own, put right by each listing, since another web process may write to and replay from the same directory.
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

from shared import spool_layout as layout
from shared.config.settings import Settings
from shared.errors import StorageUnavailable
from shared.spool_layout import Name, Survey
from webhook_api.intake import durable_files as durable
from webhook_api.intake.tickets import HighestTicket

SETTLED_SECONDS: Final = 3.0
"""How long a directory must have borne the same time of change before it is taken at its word: longer than the coarsest clock of a disk."""
FRESH_SECONDS: Final = 1.0
"""A draft known no longer than this may belong to a writer that has not locked it yet."""
NAMES: Final = 3
"""So many names are tried for an entry; a second one is needed by none that chance did not give another's name."""
NAMES_ASIDE: Final = 1_000


class Spool:
    """One process's view of the directory. It is made when it is first written to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.spool_dir
        self._waiting = self._root / layout.WAITING
        self._path = str(self._waiting)
        self._lock = threading.Lock()
        self._changes = self._reserved = 0
        self._writer = _new_writer()
        self._highest = HighestTicket(self._root, lambda: layout.survey(self._root).newest)
        self._known = 0  # up to here the directory's highest ticket is
        self._drafts: dict[str, float] = {}  # of others; since when this process knows them
        self._empty_since = self._empty_at = -1
        self._empty_first = 0.0
        self.depth = self.bytes = 0
        self.oldest: Name | None = None
        self.insured_bytes = 0
        """What the insurance takes of the room."""

    def empty(self) -> bool:
        """Whether nothing waits, of this process or another; drafts count.

        Every webhook asks: a directory that has not changed since it was found empty is not listed again.
        """
        if self.depth:
            return False
        try:
            changed = os.stat(self._path).st_mtime_ns  # noqa: PTH116 - half of the time of Path's
            return changed == self._empty_since or self._listed_empty(changed)
        except OSError:  # not made yet; or unreadable, and then nothing can be replayed from it either
            return True

    def _listed_empty(self, changed: int) -> bool:
        """List it. A time is remembered when it has stood for a while: what comes right after a change may bear the same one.

        By this process's own clock, which nobody sets: the one that dates files and the host's may differ.
        """
        with os.scandir(self._path) as listing:
            empty = next(listing, None) is None
        if changed != self._empty_at:
            self._empty_at, self._empty_first = changed, time.monotonic()
        elif empty and time.monotonic() - self._empty_first > SETTLED_SECONDS:
            self._empty_since = changed
        return empty

    def begin(self) -> int:
        """The highest ticket on disk, at a process's start: what the last crash of the host has forgotten is put right. 0 for none."""
        with suppress(OSError):
            return self.survey().newest
        return 0

    def highest(self) -> int:
        """The ticket above which who comes now must stand, since something waits. Raises StorageUnavailable."""
        try:
            return self._highest.read()
        except OSError as error:
            raise _refused(error) from None

    def room(self) -> int:
        """The bytes that may still be written."""
        return layout.room(self._settings, self.bytes + self._reserved + self.insured_bytes)

    def set_aside_count(self) -> int:
        """How many entries wait for the operator."""
        return layout.set_aside(self._root)

    def write(self, ticket: int, content: bytes) -> None:
        """Put an entry on disk; when this returns it outlives a crash. Raises StorageUnavailable: no room, or a disk that refuses."""
        room = Name(ticket, len(content)).room
        with self._lock:
            if self.room() < room:
                raise StorageUnavailable("no_room")
            self._reserved += room  # others write at the same time
        try:
            self._highest.raise_to(ticket)
            name = self.store(self._waiting, ticket, content)
        except OSError as error:
            with self._lock:
                self._reserved -= room
            raise _refused(error) from None
        with self._lock:
            self._changes += 1
            self._reserved -= room
            self.bytes += room
            self.oldest = min(self.oldest, name) if self.depth and self.oldest else name
            self.depth += 1

    def store(self, directory: Path, ticket: int, content: bytes) -> Name:
        """Put a file of this writer's into a part of the spool, and return its name. Raises OSError."""
        for _ in range(NAMES):
            name = Name(ticket, len(content), writer=self._writer)
            try:
                durable.store(directory, name, content)
            except FileExistsError:
                self._writer = _new_writer()  # a copy of this process, made by fork, has ours
            else:
                return name
        raise FileExistsError(name.text)

    def survey(self, head: int = 0) -> Survey:
        """List the directory, and put this process's counts right by it unless it writes or removes at that time. Raises OSError."""
        before, writing = self._changes, self._reserved
        found = layout.survey(self._root, head)
        with self._lock:
            if self._changes == before and not (writing or self._reserved):
                self.depth, self.bytes, self.oldest = found.depth, found.bytes, found.oldest
        self._drafts = {draft.text: self._drafts.get(draft.text, time.monotonic()) for draft in found.drafts}
        if found.newest > self._known:  # an entry that the operator moved back, or that an older version wrote
            with suppress(OSError):
                self._highest.raise_to(found.newest)
                self._known = found.newest
        return found

    def read(self, name: Name) -> bytes:
        """An entry's content. Raises OSError."""
        return (self._waiting / name.text).read_bytes()

    def remove(self, names: Sequence[Name], following: Name | None = None) -> None:
        """Forget entries that Redis has; `following` is the next one. No sync: one that comes back is a duplicate then."""
        for name in names:
            with suppress(FileNotFoundError):
                (self._waiting / name.text).unlink()
        self._gone(names, following)

    def insure(self, names: Sequence[Name], following: Name | None = None) -> None:
        """Take entries out of the line that Redis has, and no replica: they are insured. Raises OSError."""
        insured = self._root / layout.INSURED
        insured.mkdir(durable.DIRECTORY, exist_ok=True)
        for name in names:
            other = replace(name, writer=_new_writer())  # an older version gave its names twice
            durable.move(self._waiting / name.text, [insured / name.text, insured / other.text])
        self._gone(names, following)

    def set_aside(self, name: Name, following: Name | None = None) -> None:
        """Move an entry out of the way, for the operator. Raises OSError."""
        self.move_aside(name.text)
        self._gone([name], following)

    def move_aside(self, text: str, part: str = layout.WAITING) -> None:
        """Move a file of the line, or of another part, out of the way. A name that is taken there gets a number. Raises OSError."""
        aside = self._root / layout.ASIDE
        aside.mkdir(durable.DIRECTORY, exist_ok=True)
        numbered = (aside / f"{text}.{number}" for number in range(1, NAMES_ASIDE))
        durable.move(self._root / part / text, chain([aside / text], numbered))

    def _gone(self, names: Sequence[Name], following: Name | None) -> None:
        with self._lock:
            self._changes += 1
            self.depth = max(0, self.depth - len(names))
            self.bytes = max(0, self.bytes - sum(name.room for name in names))
            self.oldest = following if self.depth else None

    def oldest_seconds(self) -> float:
        """How long the first entry has waited, as its file tells."""
        return layout.age_seconds(self._root, self.oldest) if self.depth else 0.0

    def drop_draft(self, name: Name) -> bool:
        """Remove a draft whose writer died; False while it may live. Raises OSError."""
        known = self._drafts.get(name.text)
        return known is not None and time.monotonic() - known >= FRESH_SECONDS and durable.drop_draft(self._waiting / name.text)

    @contextmanager
    def replaying(self) -> Iterator[bool]:
        """Whether this process is the directory's one replayer now; the kernel gives the place up when the process dies."""
        descriptor = os.open(self._root / layout.LOCK, os.O_RDWR | os.O_CREAT, durable.FILE)
        try:
            yield durable.locked(descriptor)
        finally:
            os.close(descriptor)


def _new_writer() -> str:
    """The name of one start of a process: its id and the boot's do not tell apart what runs in two containers."""
    return secrets.token_hex(8)


def _refused(error: OSError) -> StorageUnavailable:
    return StorageUnavailable(f"spool_{errorcode.get(error.errno or 0, 'error')}")
