"""The contender of the bridge: a bare `websockets` echo with the bridge's own socket settings."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.harness.processes import raise_file_limit
from tests.support.processes import ROOT, clean_environment, free_port


class EchoServer:
    """The echo in a process of its own. A context manager."""

    def __enter__(self) -> Self:
        self.port = free_port()
        command = [sys.executable, "-m", "bench.harness.websocket_echo", str(self.port)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=clean_environment(PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"
        return self

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)


async def echo(connection: ServerConnection) -> None:
    """Send each frame back as it came."""
    try:
        async for frame in connection:
            await connection.send(frame)
    except ConnectionClosed:
        return


async def run(port: int) -> None:
    """Serve until killed."""
    raise_file_limit()
    async with serve(echo, "127.0.0.1", port, compression=None, max_size=65_536, backlog=1024):
        print("listening", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
