"""The embedded server's files on the disk, once a second, by the process that owns the server.

The server could do it itself (`appendfsync everysec`). But while its own sync is under way it also postpones the *write*, by up to two
seconds, and has answered by then: killed in that time it loses what it acknowledged. With `appendfsync no` every write is the kernel's
before it is answered, so no kill of the server loses one. What is left to do is the sync, and that can be done from outside: it belongs
to the file, not to who wrote it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

EVERY_SECONDS: Final = 1.0
END_SECONDS: Final = 10.0
"""How long a sync under way is waited for at the end; the server itself syncs once more when it stops."""


@contextmanager
def synced(directory: Path, failed: Callable[[OSError], bool]) -> Iterator[None]:
    """Sync a directory's changed files once a second for as long as this is open.

    A sync that fails is the last. `failed` is called with its error, and again each second until it returns true: it must see to it
    that the server acknowledges nothing more which the disk does not hold.
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
    while not over.wait(EVERY_SECONDS):
        try:
            done = done if fault else sync(directory, done)
        except OSError as error:
            fault = error
        if fault and failed(fault):
            return


def sync(directory: Path, done: dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Sync the files whose size or time is not what `done` says; returns what `done` is now. Raises OSError when the disk refuses."""
    found = {}
    for path in sorted(directory.glob("*.aof")):
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # the server has rewritten it meanwhile
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
