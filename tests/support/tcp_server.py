"""The embedded server's binary as an operator's own: on a host of a room, by TCP, with the same append-only file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from redis import Redis
from redis.exceptions import RedisError

from shared.storage.embedded import CONFIGURATION, find_binary
from tests.support.fork_server import die_with_parent
from tests.support.network_namespaces import Host
from tests.support.wait import wait_for

PORT: Final = 6379
SECONDS: Final = 15


class TcpServer:
    """Speaks as `EmbeddedServer` does. It keeps its data when it is killed and started again."""

    def __init__(self, host: Host, *, maxmemory_mb: int = 256) -> None:
        """Nothing runs yet."""
        self.directory = Path(tempfile.mkdtemp(prefix="boss-tcp-"))
        self.url = f"redis://{host.address}:{PORT}"
        self._host = host
        self._maxmemory_mb = maxmemory_mb
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise AssertionError("the server does not run")
        return self._process.pid

    def start(self) -> Self:
        """Start, or start again on the same data; returns when the data is loaded."""
        process = subprocess.Popen([*self._host.prefix, str(find_binary()), "-"], stdin=subprocess.PIPE, preexec_fn=die_with_parent)
        assert process.stdin is not None
        process.stdin.write(self._configuration().encode())
        process.stdin.close()
        self._process = process
        wait_for(self._answers, SECONDS, f"the server at {self.url}")
        return self

    def kill9(self) -> None:
        """Crash."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop as on Ctrl-C."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop answering without closing a connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        os.kill(self.pid, signal.SIGCONT)

    def client(self) -> Redis:
        """A new client; the caller closes it."""
        return Redis.from_url(self.url, protocol=2, socket_timeout=SECONDS)

    def close(self) -> None:
        """End it, and remove its data."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _configuration(self) -> str:
        text = CONFIGURATION.format(
            directory=self.directory, socket=self.directory / "redis.sock", log=self.directory / "log", maxmemory_mb=self._maxmemory_mb
        )
        reached = f"port {PORT}\nprotected-mode no\n"  # the room has no other guests
        return text.replace("port 0\n", reached, 1).replace("protected-mode yes\n", "", 1)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended with {self._process.returncode}"
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(SECONDS)
