"""The spool's directory: where the web process keeps what it took while Redis was away. Layout and reading only.

::

    BOSS_DATA_DIR/spool/waiting/00001764412345678901-9f86d081884c7d65-512.json    one entry: ticket, writer, size in bytes
    BOSS_DATA_DIR/spool/waiting/00001764412345678901-9f86d081884c7d65-512.part    the same while it is written; nobody was answered for it
    BOSS_DATA_DIR/spool/waiting/00001764412345678901-512.json                     the same of a version that knew one writer only
    BOSS_DATA_DIR/spool/insured/                                                  entries that Redis has, and no replica of its yet
    BOSS_DATA_DIR/spool/aside/                                                    entries that cannot be replayed, for the operator
    BOSS_DATA_DIR/spool/ticket                                                    the highest ticket that an entry was given
    BOSS_DATA_DIR/spool/replay.lock                                               held by the one replayer of the directory

Tickets are the order of arrival. A writer is one start of a web process: two may give out the same ticket, and never the same name.
A listing of names tells all that is counted; how long an entry has lain there its file tells, since a ticket is no time: one may
lie ahead of every clock.
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
INSURED: Final = "insured"
ASIDE: Final = "aside"
LOCK: Final = "replay.lock"
HIGHEST: Final = "ticket"
MIB: Final = 1024 * 1024
BLOCK: Final = 4096
"""What a file takes on disk is counted in whole blocks: a thousand short texts are 4 MiB, not half a one."""
MOST_ASIDE: Final = 10_000
DIGITS: Final = 20
LAST_TICKET: Final = 10**DIGITS - 10**DIGITS // 1000
"""Nanoseconds to beyond the year 5000. A name above it is none of ours: there must be room for the tickets that come after."""

_NAME: Final = re.compile(r"(\d{20})-(?:([0-9a-f]{16})-)?(\d{1,12})\.(json|part)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A file's name, read; they sort by ticket. `writer` is empty in names of before."""

    ticket: int
    size: int
    draft: bool = field(compare=False, default=False)
    writer: str = ""

    @property
    def text(self) -> str:
        """The name in the directory."""
        writer = f"{self.writer}-" if self.writer else ""
        return f"{self.ticket:0{DIGITS}}-{writer}{self.size}.{'part' if self.draft else 'json'}"

    @property
    def room(self) -> int:
        """The bytes that the file takes on disk."""
        return -(-self.size // BLOCK) * BLOCK

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """None for a file that is none of ours."""
        found = _NAME.fullmatch(text)
        if found is None or int(found[1]) > LAST_TICKET:
            return None
        return cls(int(found[1]), int(found[3]), found[4] == "part", found[2] or "")


@dataclass(slots=True)
class Survey:
    """What one listing of a part showed. `newest` is the highest ticket, 0 for none; `head` is in order."""

    depth: int = 0
    bytes: int = 0
    oldest: Name | None = None
    newest: int = 0
    head: list[Name] = field(default_factory=list)
    drafts: list[Name] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def add(self, name: Name) -> None:
        """Count one entry."""
        self.depth += 1
        self.bytes += name.room
        if self.oldest is None or name.ticket < self.oldest.ticket:
            self.oldest = name
        self.newest = max(self.newest, name.ticket)


def survey(directory: Path, head: int = 0, part: str = WAITING) -> Survey:
    """List the waiting entries, or another part's, and name the `head` first ones. A directory not there yet is empty. Raises OSError."""
    found = Survey()
    found.head = heapq.nsmallest(head, _entries(directory / part, found)) if head else []
    if not head:
        for _ in _entries(directory / part, found):
            pass
    return found


def _entries(waiting: Path, found: Survey) -> Iterator[Name]:
    try:
        listing = os.scandir(waiting)
    except FileNotFoundError:
        return
    with listing:
        for entry in listing:
            name = Name.parse(entry.name)
            if name is None:
                found.strange.append(entry.name)
            elif name.draft:
                found.drafts.append(name)
            else:
                found.add(name)
                yield name


def set_aside(directory: Path) -> int:
    """How many entries wait for the operator; counting ends at 10,000."""
    try:
        with os.scandir(directory / ASIDE) as listing:
            return sum(1 for _ in zip(range(MOST_ASIDE), listing, strict=False))
    except OSError:
        return 0


def room(settings: Settings, used: int) -> int:
    """The bytes that may still be written beside `used` ones; 0 where nothing can be."""
    try:
        disk = os.statvfs(_nearest(settings.spool_dir))
    except OSError:
        return 0
    if disk.f_flag & os.ST_RDONLY:
        return 0
    free = disk.f_bavail * disk.f_frsize - settings.spool_min_free_mb * MIB
    return max(0, min(settings.spool_max_mb * MIB - used, free))


def age_seconds(directory: Path, name: Name | None, part: str = WAITING) -> float:
    """How long an entry has lain there, by this host's clock: 0 for one that is gone, and for one that is said to come."""
    try:
        return max(0.0, time.time() - (directory / part / name.text).stat().st_mtime) if name else 0.0
    except OSError:
        return 0.0


def _nearest(path: Path) -> Path:
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
