"""The embedded server is killed while others keep its disk busy: no write that it has answered is lost."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from tests.chaos.table import FULL, Table
from tests.support.server import EmbeddedServer

KILLS = 16
BURNERS = 3
MEGABYTES = 40
WRITES = 300
VALUE = b"x" * 60_000

pytestmark = [
    pytest.mark.timeout(60 + 20 * KILLS),
    pytest.mark.skipif(not FULL, reason="one kill in eight would lose something: make chaos"),
]


class Burner:
    """A thread that writes a file and syncs it, again and again."""

    def __init__(self, path: Path) -> None:
        """It writes to this path until it is closed."""
        self.rounds = 0
        self._path, self._over = path, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the round that is under way."""
        self._over.set()
        self._thread.join(60)
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        block = os.urandom(1 << 20)
        while not self._over.is_set():
            with self._path.open("wb", buffering=0) as file:
                for _ in range(MEGABYTES):
                    file.write(block)
                os.fsync(file.fileno())
            self.rounds += 1


def test_a_kill_of_the_server_loses_nothing_while_its_disk_is_busy(tmp_path: Path, table: Table) -> None:
    """A server that syncs by itself postpones its writes meanwhile: 3 of 16 such kills lost hundreds."""
    lost = []
    for kill in range(KILLS):
        with EmbeddedServer() as server, ExitStack() as stack:
            burners = [stack.enter_context(Burner(tmp_path / f"{kill}-{number}")) for number in range(BURNERS)]
            with server.client() as client:
                answered = 0
                while answered < WRITES or not all(burner.rounds for burner in burners):
                    client.rpush("written", VALUE)
                    answered += 1
            server.kill9()
            server.start()
            with server.client() as client:
                lost.append(answered - client.llen("written"))
    table.add(fault="redis killed, its disk busy", runs=KILLS, lost=sum(lost), details=[f"lost after each kill: {lost}"])
