"""The deadline of a body: ten seconds and the least rate, beyond which its connection is closed.

A read of `wsgi.input` cannot be ended by us, and the server tells neither its sockets nor its clients' ports. So while any body is
overdue, the kernel is asked of each connection to our port: how long it is since anything was sent to it, an answer that is, and how
many bytes came. One that had no answer for longer than its bytes excuse is closed, whatever trickles in; its read then ends, short.
Linux only: elsewhere slow bodies hold their threads, up to their bound.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shared import telemetry

SECONDS: Final = 10.0
PRESSED_SECONDS: Final = 2.0
"""The same while many wait."""
LEAST_RATE: Final = 65_536
"""Bytes a second that a larger body must bring: 30 MB have eight minutes."""
LONGEST: Final = 900.0
LOOK_SECONDS: Final = 1.0
LAST_SENT: Final = struct.Struct("=I")
LAST_SENT_AT: Final = 44
RECEIVED: Final = struct.Struct("=Q")
RECEIVED_AT: Final = 128
"""Where `struct tcp_info` of <linux/tcp.h> has tcpi_last_data_sent (ms) and tcpi_bytes_received."""
log = telemetry.logger(__name__)


class Deadline:
    """The bodies that are being read, and the thread that looks after them. Each method is for any thread."""

    def __init__(self, many: int) -> None:
        """With more than `many` under way they have less time."""
        self._many = many
        self._reads: dict[int, tuple[float, int]] = {}  # since when, by the monotonic clock, and at which port it came
        if sys.platform.startswith("linux"):
            threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def over(self, environ: dict[str, Any]) -> Reading:
        """Within it a body is read."""
        return Reading(self._reads, int(environ["SERVER_PORT"]))

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.look()
            except OSError as error:
                log.error("The watch over slow bodies failed and goes on.", action="failed", error=type(error).__name__)  # noqa: TRY400

    def look(self) -> int:
        """Close what is overdue, and return how many connections that were. Raises OSError."""
        seconds = PRESSED_SECONDS if len(self._reads) > self._many else SECONDS
        now = time.monotonic()
        ports = {port for since, port in list(self._reads.values()) if now - since > seconds}
        closed = sum(_closed(connection, seconds) for connection in _connections(ports)) if ports else 0
        if closed:
            log.warning("Connections were closed whose bodies came too slowly.", action="slow_bodies", closed=closed)
        return closed


class Reading:
    """A body that is being read, for `with`. A class of its own, since each webhook has one."""

    __slots__ = ("_port", "_reads")

    def __init__(self, reads: dict[int, tuple[float, int]], port: int) -> None:
        self._reads, self._port = reads, port

    def __enter__(self) -> None:
        self._reads[id(self)] = (time.monotonic(), self._port)

    def __exit__(self, *_: object) -> None:
        del self._reads[id(self)]


def _connections(ports: set[int]) -> Iterator[socket.socket]:
    """Those of this process's TCP connections whose own end has one of these ports; each is a copy, closed when the next is asked for."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError), _copy(int(entry.name)) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getsockname()[1] in ports and connection.getpeername():
                yield connection


def _copy(descriptor: int) -> socket.socket:
    """The socket that a descriptor of the server's is. Raises OSError for what is none, or is gone."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _closed(connection: socket.socket, seconds: float) -> bool:
    """Whether a connection had to be closed."""
    about = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RECEIVED_AT + RECEIVED.size)
    if len(about) < RECEIVED_AT + RECEIVED.size:  # an older kernel
        return False
    silent_ms, received = LAST_SENT.unpack_from(about, LAST_SENT_AT)[0], RECEIVED.unpack_from(about, RECEIVED_AT)[0]
    if silent_ms / 1000 < min(LONGEST, seconds + received / LEAST_RATE):
        return False
    connection.shutdown(socket.SHUT_RDWR)
    return True
