"""The spool's directory, where the web process keeps what it accepted while Redis was away. Layout and reading only.

::

    BOSS_DATA_DIR/spool/waiting/00001764412345678901-9f86d081884c7d65-512.json    one record: ticket, writer, size in bytes
    BOSS_DATA_DIR/spool/waiting/00001764412345678901-9f86d081884c7d65-512.part    a draft: being written, nobody was answered for it
    BOSS_DATA_DIR/spool/waiting/00001764412345678901-512.json                     written by a version that knew one writer only
    BOSS_DATA_DIR/spool/insured/                                                  records that Redis has, and none of its replicas yet
    BOSS_DATA_DIR/spool/aside/                                                    dead letters: they cannot be replayed, for the operator
    BOSS_DATA_DIR/spool/ticket                                                    the highest ticket given to a record so far
    BOSS_DATA_DIR/spool/replay.lock                                               held by the directory's one replayer

Tickets are the order of arrival. A writer is one run of a web process: two writers may give out the same ticket, and never the same name.
Everything that is counted can be read from the names. How long a record has been there is read from its file's time: a ticket is no time,
and may lie ahead of every clock.
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.config.settings import Settings

WAITING: Final = "waiting"
UNREPLICATED: Final = "insured"
ASIDE: Final = "aside"
LOCK: Final = "replay.lock"
HIGHEST: Final = "ticket"
MIB: Final = 1024 * 1024
BLOCK: Final = 4096
"""A file's size on disk is counted in whole blocks: a thousand short texts take 4 MiB, not half a one."""
MAX_COUNTED_ASIDE: Final = 10_000
DIGITS: Final = 20
MAX_TICKET: Final = 10**DIGITS - 10**DIGITS // 1000
"""Nanoseconds to beyond the year 5000. A file with a higher one is not ours: later tickets must fit into the digits too."""

_NAME: Final = re.compile(r"(\d{20})-(?:([0-9a-f]{16})-)?(\d{1,12})\.(json|part)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class SpoolFile:
    """A file of the spool, by its name; files sort by ticket. `writer` is '' in names of the version before."""

    ticket: int
    size: int
    draft: bool = field(compare=False, default=False)
    writer: str = ""

    @property
    def name(self) -> str:
        """The file's name in its directory."""
        writer = f"{self.writer}-" if self.writer else ""
        return f"{self.ticket:0{DIGITS}}-{writer}{self.size}.{'part' if self.draft else 'json'}"

    @property
    def disk_bytes(self) -> int:
        """The bytes that the file takes on disk."""
        return -(-self.size // BLOCK) * BLOCK

    @classmethod
    def parse(cls, name: str) -> SpoolFile | None:
        """None for a file that is not ours."""
        found = _NAME.fullmatch(name)
        if found is None or int(found[1]) > MAX_TICKET:
            return None
        return cls(int(found[1]), int(found[3]), found[4] == "part", found[2] or "")


@dataclass(slots=True)
class SpoolListing:
    """What one of the directories holds.

    `depth` and `bytes` count its records, `oldest` has the lowest ticket, `newest` is the highest one (0 for none), `head` are the
    first records in order. `drafts` are not finished, and `strange` the names of files that are not ours.
    """

    depth: int = 0
    bytes: int = 0
    oldest: SpoolFile | None = None
    newest: int = 0
    head: list[SpoolFile] = field(default_factory=list)
    drafts: list[SpoolFile] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def add(self, file: SpoolFile) -> None:
        """Count one record."""
        self.depth += 1
        self.bytes += file.disk_bytes
        if self.oldest is None or file.ticket < self.oldest.ticket:
            self.oldest = file
        self.newest = max(self.newest, file.ticket)


def scan(root: Path, head: int = 0, directory: str = WAITING) -> SpoolListing:
    """List one of the spool's directories, with its `head` first records in order; a missing directory is empty. Raises OSError."""
    found = SpoolListing()
    found.head = heapq.nsmallest(head, _records(root / directory, found)) if head else []
    if not head:
        for _ in _records(root / directory, found):
            pass
    return found


def _records(directory: Path, found: SpoolListing) -> Iterator[SpoolFile]:
    try:
        listing = os.scandir(directory)
    except FileNotFoundError:
        return
    with listing:
        for entry in listing:
            file = SpoolFile.parse(entry.name)
            if file is None:
                found.strange.append(entry.name)
            elif file.draft:
                found.drafts.append(file)
            else:
                found.add(file)
                yield file


def count_aside(root: Path) -> int:
    """How many dead letters wait for the operator; counting ends at MAX_COUNTED_ASIDE."""
    try:
        with os.scandir(root / ASIDE) as listing:
            return sum(1 for _ in zip(range(MAX_COUNTED_ASIDE), listing, strict=False))
    except OSError:
        return 0


def free_bytes(settings: Settings, used: int) -> int:
    """The bytes that may still be written beside the `used` ones, by SPOOL_MAX_MB and SPOOL_MIN_FREE_MB; 0 for a read-only disk."""
    try:
        disk = os.statvfs(_nearest(settings.spool_dir))
    except OSError:
        return 0
    if disk.f_flag & os.ST_RDONLY:
        return 0
    free = disk.f_bavail * disk.f_frsize - settings.spool_min_free_mb * MIB
    return max(0, min(settings.spool_max_mb * MIB - used, free))


def age_seconds(root: Path, file: SpoolFile | None, directory: str = WAITING) -> float:
    """How long a record has been there, by this host's clock: 0 for one that is gone, or whose time lies in the future."""
    try:
        return max(0.0, time.time() - (root / directory / file.name).stat().st_mtime) if file else 0.0
    except OSError:
        return 0.0


def _nearest(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
