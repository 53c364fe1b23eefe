"""A bridge that does what a test wants: answers late, twice, out of order or not at all, hangs up, never pongs.

async def hangs_up(talk: Talk) -> None:
    await talk.welcome()
    await talk.close(1012)

async with ScriptedBridge(hangs_up, answers) as bridge:  # the last act is played for all later connections
    client = SupervisorClient(bridge.url, TOKEN, times=QUICK)
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bridge.client.connection import Times
from tests.support.processes import free_port

TOKEN: Final = "dev-token-12345"
QUICK: Final = Times(open=3, first_wait=0.01, longest_wait=0.05, close=0.2)
"""The client's waits made short; the pings stay away."""
Frame = dict[str, Any]


class Talk:
    """One connection, from the bridge's side."""

    def __init__(self, socket: ServerConnection, heard: list[Frame]) -> None:
        self._socket = socket
        self._heard = heard

    async def read(self) -> Frame:
        """The next frame; every one is kept in the bridge's `heard`."""
        frame: Frame = json.loads(await self._socket.recv())
        self._heard.append(frame)
        return frame

    async def say(self, type_: str, **fields: object) -> None:
        """One frame."""
        await self._socket.send(json.dumps({"type": type_, **fields}))

    async def raw(self, message: str | bytes) -> None:
        """What is no frame."""
        await self._socket.send(message)

    async def welcome(self, **limits: object) -> Frame:
        """Take the token, whatever it is."""
        hello = await self.read()
        await self.say("auth_result", success=True, message="Authenticated", protocol=1, server="scripted", limits=limits)
        return hello

    async def reply(self, request: Frame, text: str = "") -> None:
        """The final answer to a text."""
        await self.say(
            "send_sms_response", to=request["from"], message=text or f"re: {request['message']}", user="u", in_reply_to=request["id"]
        )

    async def acknowledge(self, request: Frame) -> None:
        """The first answer to a text."""
        await self.say("message_acknowledged", message_type="sms", user="u", timestamp="2026-01-01T00:00:00Z", in_reply_to=request["id"])

    async def error(self, code: str, *, retryable: bool = False, **more: object) -> None:
        """An `error`."""
        await self.say("error", message="No.", code=code, retryable=retryable, **more)

    async def close(self, code: int = 1001) -> None:
        """Hang up, with the closing handshake."""
        await self._socket.close(code)

    def drop(self) -> None:
        """Hang up as a broken network does."""
        self._socket.transport.abort()

    async def until_closed(self) -> None:
        """Say nothing any more."""
        await self._socket.wait_closed()


Act = Callable[[Talk], Awaitable[None]]


async def answers(talk: Talk) -> None:
    """Answer everything at once."""
    await talk.welcome()
    while True:
        request = await talk.read()
        if request["type"] == "ping":
            await talk.say("pong", in_reply_to=request["id"])
        elif request["type"] == "sms_received":
            await talk.acknowledge(request)
            await talk.reply(request)


class ScriptedBridge:
    """Serves one act per connection, the last one for all that follow."""

    def __init__(self, *acts: Act) -> None:
        """Nothing listens yet; the port is known already."""
        self._acts = acts
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self.heard: list[Frame] = []
        self.connections = 0
        self._server: Server | None = None
        self._fault: AssertionError | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await serve(self._play, "127.0.0.1", self.port, compression=None, ping_interval=None, close_timeout=0.2)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Hang up on all; what an act found wrong is the test's failure."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._fault is not None:
            raise self._fault

    def requests(self, type_: str = "sms_received") -> list[Frame]:
        """What was asked of that type, over all connections."""
        return [frame for frame in self.heard if frame["type"] == type_]

    async def _play(self, socket: ServerConnection) -> None:
        act = self._acts[min(self.connections, len(self._acts) - 1)]
        self.connections += 1
        try:
            await act(Talk(socket, self.heard))
        except ConnectionClosed:
            return
        except AssertionError as fault:
            self._fault = fault


@contextmanager
def served(*acts: Act) -> Iterator[ScriptedBridge]:
    """Such a bridge beside a test that does not run on a loop of its own."""
    bridge = ScriptedBridge(*acts)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(bridge.__aenter__(), loop).result(5)
    try:
        yield bridge
    finally:
        asyncio.run_coroutine_threadsafe(bridge.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
