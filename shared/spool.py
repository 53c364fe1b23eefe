"""The spool's directory: where the web process keeps what it took while Redis was away. Layout and reading only.

::

    BOSS_DATA_DIR/spool/waiting/00001764412345678901-512.json    one entry: its ticket, its size in bytes
    BOSS_DATA_DIR/spool/waiting/00001764412345678901-512.part    the same while it is written; nobody was answered for it
    BOSS_DATA_DIR/spool/insured/                                 entries that Redis has, and no replica of its yet
    BOSS_DATA_DIR/spool/aside/                                   entries that cannot be replayed, for the operator
    BOSS_DATA_DIR/spool/replay.lock                              held by the one replayer of the directory

Tickets are the order of arrival, and about the time of it in nanoseconds since 1970. A listing of names tells all that
`/readyz` and `boss doctor` show; no file is opened for it.
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

from shared.settings import Settings

WAITING: Final = "waiting"
INSURED: Final = "insured"
ASIDE: Final = "aside"
LOCK: Final = "replay.lock"
MIB: Final = 1024 * 1024
BLOCK: Final = 4096
"""What a file takes on disk is counted in whole blocks: a thousand short texts are 4 MiB, not half a one."""
MOST_ASIDE: Final = 10_000

_NAME: Final = re.compile(r"(\d{20})-(\d{1,12})\.(json|part)")


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A file's name, read; they sort by ticket."""

    ticket: int
    size: int = field(compare=False)
    draft: bool = field(compare=False, default=False)

    @property
    def text(self) -> str:
        """The name in the directory."""
        return f"{self.ticket:020}-{self.size}.{'part' if self.draft else 'json'}"

    @property
    def room(self) -> int:
        """The bytes that the file takes on disk."""
        return -(-self.size // BLOCK) * BLOCK

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """None for a file that is none of ours."""
        found = _NAME.fullmatch(text)
        return cls(int(found[1]), int(found[2]), found[3] == "part") if found else None


@dataclass(slots=True)
class Survey:
    """What one listing of a part showed. `oldest` and `newest` are tickets, 0 for none; `head` is in order."""

    depth: int = 0
    bytes: int = 0
    oldest: int = 0
    newest: int = 0
    head: list[Name] = field(default_factory=list)
    drafts: list[Name] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def add(self, name: Name) -> None:
        """Count one entry."""
        self.depth += 1
        self.bytes += name.room
        self.oldest = min(self.oldest or name.ticket, name.ticket)
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


def age_seconds(ticket: int) -> float:
    """How long ago a ticket was taken, by this host's clock."""
    return max(0.0, (time.time_ns() - ticket) / 1e9)


def _nearest(path: Path) -> Path:
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
