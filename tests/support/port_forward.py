"""A port that leads to another host's: `python -m tests.support.port_forward 127.0.0.1:8790 10.99.0.1:9000`.

The sandbox listens on loopback only, and refuses a request that names another host; a program on another host of a room
reaches it by a forwarder there and one beside the sandbox. A side that closes is closed on the other, after what it said.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

CHUNK: Final = 65_536
CONNECT_SECONDS: Final = 5


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(listen: str, target: str) -> None:
    """Forward until cancelled; both are HOST:PORT."""
    host, port = listen.split(":")
    far, far_port = target.split(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.wait_for(asyncio.open_connection(far, int(far_port)), CONNECT_SECONDS)
        except (OSError, TimeoutError):
            writer.close()
            return
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(forward, host, int(port))
    print(f"forwarding {listen}", flush=True)  # noqa: T201 - whoever started it waits for this line
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
