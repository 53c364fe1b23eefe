"""The highest ticket of a spool directory: the web processes that share a directory agree on it, whatever their clocks say.

A writer raises it to its record's ticket before the record gets its name; a request that arrives while something waits takes a ticket
above it. So a text that comes after another one was acknowledged has the higher ticket of the two, whichever processes accepted them, and
after any restart. The file needs no sync: after a crash of the host every process is new, and begins with what is on disk.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared import durable_files, spool_layout

LOCK_SECONDS: Final = 1.0
"""How long to wait for the file's lock. It is held for microseconds, or by a process that was frozen in them."""
POLL_SECONDS: Final = 0.001


class HighestTicket:
    """One process's access to the file. Threads may share it. The methods raise OSError, TimeoutError when the lock stays held."""

    def __init__(self, root: Path, on_disk: Callable[[], int]) -> None:
        """`on_disk` finds the highest ticket among the records: for a file that is new or damaged."""
        self._path = root / spool_layout.HIGHEST
        self._waiting = root / spool_layout.WAITING
        self._on_disk = on_disk

    def read(self) -> int:
        """The highest ticket of any record that is or was on disk."""
        with self._locked() as descriptor:
            return self._value(descriptor)

    def raise_to(self, ticket: int) -> None:
        """Make it at least `ticket`."""
        with self._locked() as descriptor:
            if self._value(descriptor) < ticket:
                self._set(descriptor, ticket)

    def _value(self, descriptor: int) -> int:
        text = os.pread(descriptor, spool_layout.DIGITS, 0)
        if len(text) == spool_layout.DIGITS and text.isdigit() and int(text) <= spool_layout.MAX_TICKET:
            return int(text)
        found = self._on_disk()
        self._set(descriptor, found)
        return found

    def _set(self, descriptor: int, ticket: int) -> None:
        os.pwrite(descriptor, b"%0*d" % (spool_layout.DIGITS, ticket), 0)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = self._open()
        try:
            end = time.monotonic() + LOCK_SECONDS
            # Polled: a flock that blocks cannot be given up, and a frozen process would then hold every webhook.
            while not durable_files.try_lock(descriptor):
                if time.monotonic() > end:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                time.sleep(POLL_SECONDS)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT
        try:
            return os.open(self._path, flags, durable_files.FILE_MODE)
        except FileNotFoundError:
            durable_files.make_directory(self._waiting)
            return os.open(self._path, flags, durable_files.FILE_MODE)
