"""Files that survive a crash, for the spool and for unreplicated copies.

A record is written as a draft beside its final name, synced, linked to that name, and its directory synced. A crash at any point leaves
either a complete record or a draft for which nobody was answered. A draft's writer holds a lock on it; a draft that nobody has locked
belongs to a dead process. No name is ever given to a second file: where a name is taken `link` fails, and `rename` would not.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.spool_layout import SpoolFile

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
NO_LINKS: Final = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP})
"""The errors of `link` for a directory, and on a file system without hard links."""


def atomic_write(directory: Path, file: SpoolFile, content: bytes) -> None:
    """Write a record; its directory is made if it is missing. Raises FileExistsError when the name is taken, and OSError."""
    draft = directory / replace(file, draft=True).name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(draft, flags, FILE_MODE)
    except FileNotFoundError:
        make_directory(directory)
        descriptor = os.open(draft, flags, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(descriptor, content)
        os.fsync(descriptor)  # before the link: the final name must never show an incomplete record
        link(draft, directory / file.name)
        draft.unlink(missing_ok=True)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    finally:
        os.close(descriptor)
    sync_directory(directory)


def make_directory(directory: Path) -> None:
    """Make one of the spool's directories, the spool's root and BOSS_DATA_DIR, for this user alone. Raises OSError."""
    for path in (directory.parent.parent, directory.parent, directory):
        path.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        sync_directory(path.parent)


def link(path: Path, name: Path) -> None:
    """Give a file a second name. Raises FileExistsError when that name is taken, and OSError.

    A directory, and a file on a file system without hard links, is renamed instead, after a check of the new name.
    """
    try:
        os.link(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        path.rename(name)


def move(path: Path, names: Iterable[Path]) -> None:
    """Move a file to the first of `names` that is free, synced; nothing when the file is gone. Raises OSError.

    A crash in between leaves both names; when the move is repeated, it recognises its own file under the new one.
    """
    for name in names:
        try:
            link(path, name)
        except FileNotFoundError:
            return
        except FileExistsError:
            if not _is_same_file(path, name):
                continue
        sync_directory(name.parent)
        path.unlink(missing_ok=True)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def remove_dead_draft(path: Path) -> bool:
    """Remove a draft whose writer has died; False while the writer holds its lock. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if not try_lock(descriptor):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file; False when another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_directory(directory: Path) -> None:
    """Force a directory's names to disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_same_file(one: Path, other: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(one.lstat(), other.lstat())
    return False


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
