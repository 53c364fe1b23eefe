"""A connection of the bridge's server: websockets' own, plus writing that never waits and a limit on unread bytes.

`send_nowait` writes at once, as `websockets.broadcast` does. The handler awaits `wait_drained` before it reads the next frame of a
client that does not read its answers. A client that leaves the write buffer full for STALL_SECONDS is disconnected; the timer
runs only while the buffer is full.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection
from websockets.protocol import State
from websockets.server import ServerProtocol

from bridge.protocol.codes import Close
from bridge.server.connection_limits import ConnectionLimiter

STALL_SECONDS: Final = 10.0
MAX_UNREAD: Final = 1_048_576
"""Bytes that one client may leave unread."""


class BridgeConnection(ServerConnection):
    """A connection that the limiter counts from its first moment."""

    def __init__(self, limiter: ConnectionLimiter[BridgeConnection], protocol: ServerProtocol, server: Server, **limits: Any) -> None:
        """`limits` are websockets' own."""
        super().__init__(protocol, server, **limits)
        self._limiter = limiter
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it as soon as TCP is connected: a client that never sends a byte takes a place, too."""
        super().connection_made(transport)
        self._limiter.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It counts no longer against the limit, so that another client can connect."""
        self._limiter.remove(self)
        self._cancel_stall_timer()
        super().connection_lost(exc)

    @property
    def remote_host(self) -> str:
        """The other end's address, '' where it has none."""
        peer = self.remote_address
        return str(peer[0]) if isinstance(peer, tuple) and peer else ""

    def pause_writing(self) -> None:
        """The write buffer is full: the client has STALL_SECONDS to read."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read: it may stay."""
        self._cancel_stall_timer()
        super().resume_writing()

    def send_nowait(self, text: str) -> None:
        """Send a text frame without waiting; on a closing connection nothing is sent."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(text.encode())
            self.send_data()
            # What the operating system does not take stays in this process's memory, so it is bounded.
            if self.paused and self.transport.get_write_buffer_size() > MAX_UNREAD:
                self.transport.abort()

    async def wait_drained(self) -> None:
        """Wait until the client has read most of what was sent, or is disconnected."""
        try:
            await self.drain()
        except OSError:
            return

    def close_nowait(self, code: Close, reason: str) -> None:
        """Close without waiting for the other side's close frame; before the handshake there is no close frame to send."""
        if self.protocol.state is State.OPEN:
            self.protocol.fail(code, reason)
            self.send_data()
            self.transport.close()
        else:
            self.transport.abort()

    def _cancel_stall_timer(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
