"""Lines of stdin, read in a thread, so that the event loop keeps its connection alive while a person thinks."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Final

CHUNK: Final = 65_536
MAX_LINE_BYTES: Final = 1_048_576
"""A longer line is cut; the bridge's own limit is far lower."""


class Lines:
    """Reads one line at a time, and only on request: input that is typed ahead, or piped in, is not read before.

    The reading thread is a daemon that holds no lock: one that is still blocked does not keep the process from ending.
    """

    def __init__(self) -> None:
        """`typed`: whether stdin is a terminal."""
        self.typed = sys.stdin.isatty()
        self._rest = b""

    async def next(self) -> str | None:
        """The next line without its end; None at the end of the input."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[str | None] = loop.create_future()
        threading.Thread(target=self._hand_over, args=(loop, found), daemon=True).start()
        return await found

    def _hand_over(self, loop: asyncio.AbstractEventLoop, found: asyncio.Future[str | None]) -> None:
        line = self._read()

        def hand_over() -> None:
            if not found.done():
                found.set_result(line)

        try:
            loop.call_soon_threadsafe(hand_over)
        except RuntimeError:  # the loop has ended meanwhile
            return

    def _read(self) -> str | None:
        try:
            descriptor = sys.stdin.fileno()
        except (OSError, ValueError):  # a stdin that is no file
            line = sys.stdin.readline()
            return line.rstrip("\r\n") if line else None
        while b"\n" not in self._rest and len(self._rest) < MAX_LINE_BYTES:
            chunk = _chunk(descriptor)
            if not chunk:
                break
            self._rest += chunk
        found, end, self._rest = self._rest.partition(b"\n")
        return found.decode(errors="replace").rstrip("\r") if found or end else None


def _chunk(descriptor: int) -> bytes:
    """The next bytes of stdin; none when the terminal is gone."""
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""
