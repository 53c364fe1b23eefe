"""Files that outlive a crash, for the spool and the insurance: written beside their place, synced, renamed into it, the directory synced.

A crash at any point leaves either a whole entry or a draft that nobody was answered for. A draft's writer holds a lock on it; one that
nobody holds is a dead process's.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.spool import Name

DIRECTORY: Final = 0o700
FILE: Final = 0o600
FRESH_SECONDS: Final = 1.0
"""A draft this young may belong to a writer that has not locked it yet."""


def store(directory: Path, name: Name, content: bytes) -> None:
    """Put an entry on disk, and make the directory if need be. Raises OSError."""
    draft = directory / Name(name.ticket, name.size, draft=True).text
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(draft, flags, FILE)
    except FileNotFoundError:
        make(directory)
        descriptor = os.open(draft, flags, FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(descriptor, content)
        os.fsync(descriptor)
        draft.rename(directory / name.text)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    finally:
        os.close(descriptor)
    sync(directory)


def make(directory: Path) -> None:
    """Make a directory of the spool, the spool's own, and BOSS_DATA_DIR around it: for this user alone. Raises OSError."""
    for path in (directory.parent.parent, directory.parent, directory):
        path.mkdir(DIRECTORY, parents=True, exist_ok=True)
        sync(path.parent)


def drop_draft(path: Path) -> bool:
    """Remove a draft whose writer died: nobody was answered for it. False while its writer may live. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if time.time() - os.fstat(descriptor).st_mtime < FRESH_SECONDS or not locked(descriptor):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Take the lock of an open file; False when another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync(directory: Path) -> None:
    """Force a directory's names to disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
