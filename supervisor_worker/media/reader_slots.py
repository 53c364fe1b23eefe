"""How many children read files at once on a host: two, over all of its worker processes.

A place is a file lock, which the kernel gives back whenever its holder ends, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

AT_ONCE: Final = 2
AGAIN_SECONDS: Final = 0.05


class NoPlace(Exception):
    """The directory of the locks cannot be used: it belongs to somebody else, or the disk is full."""


def folder() -> Path:
    """Where the locks are: a directory of this user's own beside other temporary files, the same for all of the host's workers."""
    return Path(tempfile.gettempdir()) / f"bossline-readers-{os.getuid()}"


async def take() -> int:
    """Wait for a place; the caller bounds the time. Returns its descriptor, to be closed. Raises NoPlace."""
    while (found := _free()) is None:  # noqa: ASYNC110 - other processes hold it: nothing in this one knows when it is free
        await asyncio.sleep(AGAIN_SECONDS)
    return found


def _free() -> int | None:
    """A place, or None while both are taken."""
    for number in range(AT_ONCE):
        descriptor = _open(folder(), str(number))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return descriptor
    return None


def _open(directory: Path, name: str) -> int:
    """A lock's file, in a directory that nobody else can write to."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        inside = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(inside).st_uid != os.getuid():
                raise NoPlace
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=inside)
        finally:
            os.close(inside)
    except OSError:
        raise NoPlace from None
