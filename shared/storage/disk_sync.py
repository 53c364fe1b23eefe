"""Syncs the embedded server's files to disk once a second, in the process that owns the server.

The server could do it itself (`appendfsync everysec`). But while its own sync is under way it postpones the *write* too, by up to two
seconds, and answers meanwhile: killed in that time it loses what it acknowledged. With `appendfsync no` every write has reached the kernel
before it is answered, so killing the server loses none. The sync that remains can be done by another process: it concerns the file, whoever
wrote it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SYNC_SECONDS: Final = 1.0
END_SECONDS: Final = 10.0
"""How long to wait at the end for a sync under way; the server itself syncs once more when it stops."""


@contextmanager
def synced(directory: Path, failed: Callable[[OSError], bool]) -> Iterator[None]:
    """Sync a directory's changed files once a second for as long as this is open.

    After a failed sync there is no further one. `failed` is called with its error, and again each second until it returns True: it must
    make the server stop acknowledging what the disk does not hold.
    """
    over = threading.Event()
    thread = threading.Thread(target=_run, args=(directory, failed, over), name="disk-sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(END_SECONDS)


def _run(directory: Path, failed: Callable[[OSError], bool], over: threading.Event) -> None:
    done: dict[Path, tuple[int, int]] = {}
    fault: OSError | None = None
    while not over.wait(SYNC_SECONDS):
        try:
            done = done if fault else sync(directory, done)
        except OSError as error:
            fault = error
        if fault and failed(fault):
            return


def sync(directory: Path, done: dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Sync the files whose size or time differs from `done` (path to size and mtime in ns), and return the new `done`. Raises OSError."""
    found = {}
    for path in sorted(directory.glob("*.aof")):
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # replaced by a rewrite of the server's
            continue
        try:
            seen = os.fstat(file)
            looks = (seen.st_size, seen.st_mtime_ns)
            if done.get(path) != looks:
                os.fsync(file)
            found[path] = looks
        finally:
            os.close(file)
    return found
