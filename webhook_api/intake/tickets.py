"""The highest ticket of a directory: what the web processes that share it agree on, whatever the clock of each says.

Who puts an entry on disk raises it to the entry's ticket before the entry has its name; who comes while something waits takes a
ticket above it. So a text that comes after another one was acknowledged has the higher ticket of the two, whichever processes took
them, in whichever life. It needs no sync: after a crash of the host every process is a new one, and begins with what is on disk.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared import spool_layout as layout
from webhook_api.intake import durable_files as durable

LOCK_SECONDS: Final = 1.0
"""How long one waits for the file. It is held for some microseconds, or by a process that was frozen in them."""
LOOK_SECONDS: Final = 0.001


class HighestTicket:
    """One process's hand on the file; every method is for any thread. They raise OSError, TimeoutError for a lock that stays held."""

    def __init__(self, root: Path, on_disk: Callable[[], int]) -> None:
        """`on_disk` finds the highest ticket in the directory: where the file is new, or was spoilt."""
        self._path = root / layout.HIGHEST
        self._waiting = root / layout.WAITING
        self._on_disk = on_disk

    def read(self) -> int:
        """The highest ticket of an entry that is or was on disk."""
        with self._locked() as descriptor:
            return self._value(descriptor)

    def raise_to(self, ticket: int) -> None:
        """Let it be `ticket` at least."""
        with self._locked() as descriptor:
            if self._value(descriptor) < ticket:
                self._set(descriptor, ticket)

    def _value(self, descriptor: int) -> int:
        text = os.pread(descriptor, layout.DIGITS, 0)
        if len(text) == layout.DIGITS and text.isdigit() and int(text) <= layout.LAST_TICKET:
            return int(text)
        found = self._on_disk()
        self._set(descriptor, found)
        return found

    def _set(self, descriptor: int, ticket: int) -> None:
        os.pwrite(descriptor, b"%0*d" % (layout.DIGITS, ticket), 0)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = self._opened()
        try:
            end = time.monotonic() + LOCK_SECONDS
            while not durable.locked(descriptor):
                if time.monotonic() > end:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                time.sleep(LOOK_SECONDS)
            yield descriptor
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT
        try:
            return os.open(self._path, flags, durable.FILE)
        except FileNotFoundError:
            durable.make(self._waiting)
            return os.open(self._path, flags, durable.FILE)
