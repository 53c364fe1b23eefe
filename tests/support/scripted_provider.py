"""A provider that misbehaves as scripted: a socket and what it does with each request, below any HTTP library."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class ScriptedProvider:
    """`script` has one act a request, over all connections; the last one is repeated."""

    def __init__(self, *script: Act) -> None:
        self._script = list(script)
        self._handlers: set[asyncio.Task[None] | None] = set()
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def open(self, context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedProvider]:
        """Listen."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for handler in self._handlers:
                if handler is not None:
                    handler.cancel()

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            self._news.clear()
            await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._handlers.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                self.requests.append(await _one_request(reader))
                self._news.set()
                act = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                await act(writer)
        writer.close()


async def _one_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def answer(body: bytes, status: str = "200 OK", headers: str = "", *, claimed: int | None = None) -> Act:
    """Answer; `claimed` is another Content-Length than the true one."""
    length = len(body) if claimed is None else claimed

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return act


def then_close(first: Act) -> Act:
    """Do the first thing, and close the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        await first(writer)
        writer.close()

    return act


async def close(writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection."""
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Say nothing."""
    del writer
    await asyncio.Event().wait()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A body that grows by one byte at a time, and never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()
