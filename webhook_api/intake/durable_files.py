"""Files that outlive a crash, for the spool and the insurance: written beside their place, synced, linked into it, the directory synced.

A crash at any point leaves either a whole entry or a draft that nobody was answered for. A draft's writer holds a lock on it; one that
nobody holds is a dead process's. No name is ever given to a second file: where one is taken, `link` fails and `rename` would not.
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

from shared.spool_layout import Name

DIRECTORY: Final = 0o700
FILE: Final = 0o600
NO_LINKS: Final = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What `link` says of a directory, and on a file system that has no second names."""


def store(directory: Path, name: Name, content: bytes) -> None:
    """Put an entry on disk, and make the directory if need be. FileExistsError when the name is taken; raises OSError."""
    draft = directory / replace(name, draft=True).text
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
        name_again(draft, directory / name.text)
        draft.unlink(missing_ok=True)
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


def name_again(path: Path, name: Path) -> None:
    """Give a file a second name that no other file has. FileExistsError when one has it; raises OSError.

    A directory, and a file system without links, has one name for each: there it is renamed, after a look.
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
    """Give a file the first of `names` that no other file has, synced, and take its old one away. Nothing for one that is gone.

    A crash in between leaves both names; who moves it again finds its own file there. Raises OSError.
    """
    for name in names:
        try:
            name_again(path, name)
        except FileNotFoundError:
            return
        except FileExistsError:
            if not _same(path, name):
                continue
        sync(name.parent)
        path.unlink(missing_ok=True)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def drop_draft(path: Path) -> bool:
    """Remove a draft whose writer died: nobody was answered for it. False while its writer holds its lock. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if not locked(descriptor):
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


def _same(one: Path, other: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(one.lstat(), other.lstat())
    return False


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
