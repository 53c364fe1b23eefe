"""A real Valkey for the tests: the product's own embedded server, on a directory of the test's."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from shared.storage.embedded import Server

CONNECTIONS = 1000
"""As many threads as a test may have."""


class EmbeddedServer:
    """One server on its own directory and unix socket, with the append-only file of production.

    It keeps its data when it is killed, stopped and started again, and ends with the process that started it.
    """

    def __init__(self, directory: Path | None = None, *, maxmemory_mb: int = 256) -> None:
        """`directory` is kept by its owner; without one, a temporary one goes with `close`. It is not started yet."""
        self._temporary = directory is None
        # Short, because a socket's path holds about 100 bytes and pytest's own directories come near to that.
        self.directory = directory or Path(tempfile.mkdtemp(prefix="boss-"))
        self._server = Server(self.directory / "redis", self.directory / "redis" / "redis.sock", maxmemory_mb)

    @property
    def url(self) -> str:
        """For REDIS_URL. Setting BOSS_DATA_DIR to `directory` means the same server."""
        return self._server.url

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._server.pid is None:
            raise AssertionError("the server does not run")
        return self._server.pid

    def start(self) -> Self:
        """Start, or start again on the same data; returns when the data is loaded."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop as on Ctrl-C."""
        self._server.stop()

    def kill9(self) -> None:
        """Crash."""
        self._server.kill()
        self._server.stop()

    def freeze(self) -> None:
        """Stop answering without closing a connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        os.kill(self.pid, signal.SIGCONT)

    def client(self) -> Redis:
        """A new client; bytes are not decoded. The caller closes it."""
        return Redis.from_url(self.url, protocol=2, max_connections=CONNECTIONS)

    def close(self) -> None:
        """Stop, and remove a temporary directory."""
        self._server.stop()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop and tidy up."""
        self.close()
