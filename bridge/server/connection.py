"""One connection of the bridge's server: websockets' own, with writing that neither waits nor keeps.

`say` writes at once, as `websockets.broadcast` does; whoever reads on behalf of a client that does not read its answers
waits in `flow`. A client that leaves the buffer full for ten seconds is disconnected, so a timer runs only then.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection
from websockets.protocol import State
from websockets.server import ServerProtocol

from bridge.protocol.codes import Close
from bridge.server.connection_limits import Door

STALL_SECONDS: Final = 10.0
MAX_UNREAD: Final = 1_048_576
"""What may wait to be read by one client, in bytes."""


class BridgeConnection(ServerConnection):
    """A connection that the door knows from its first moment."""

    def __init__(self, door: Door[BridgeConnection], protocol: ServerProtocol, server: Server, **limits: Any) -> None:
        """`limits` are websockets' own."""
        super().__init__(protocol, server, **limits)
        self._door = door
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP has it: it counts, though it may never say a word."""
        super().connection_made(transport)
        self._door.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._door.left(self)
        self._moves_again()
        super().connection_lost(exc)

    @property
    def remote_host(self) -> str:
        """The other end's address, '' where it has none."""
        peer = self.remote_address
        return str(peer[0]) if isinstance(peer, tuple) and peer else ""

    def pause_writing(self) -> None:
        """The client does not read: it has ten seconds."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._moves_again()
        super().resume_writing()

    def say(self, text: str) -> None:
        """Send a text without waiting; nothing happens on a connection that closes."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(text.encode())
            self.send_data()
            if self.paused and self.transport.get_write_buffer_size() > MAX_UNREAD:
                self.transport.abort()

    async def flow(self) -> None:
        """Wait until the client has read most of what was sent, or is gone."""
        try:
            await self.drain()
        except OSError:
            return

    def turn_away(self, code: Close, reason: str) -> None:
        """Close at once: a close frame if the client can understand one, and no waiting for its own."""
        if self.protocol.state is State.OPEN:
            self.protocol.fail(code, reason)
            self.send_data()
            self.transport.close()
        else:
            self.transport.abort()

    def _moves_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
