"""One connection to the bridge, from its handshake to its end: authenticate, read, write, and ask whether it still lives."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bridge.client.errors import BridgeRefused, RequestTimeout
from bridge.client.rate_limit import token_bucket
from bridge.client.reconnect import ConnectionEnd
from bridge.client.requests import Frame, read
from bridge.protocol.codes import CLIENT_MAX_FRAME, PROTOCOL, ClientFrame, Close, ServerFrame
from shared.model import codec
from shared.net import is_loopback
from shared.rate_limit import TokenBucket

NETWORK: Final = (OSError, WebSocketException, EOFError)  # TimeoutError is an OSError
REFUSALS: Final = frozenset({401, 403})
BUSY: Final = frozenset({429, 503})
MAX_OUTGOING: Final = 10_000

Outgoing = Callable[[], str | None]
"""Asked at the moment of sending: None when there is nothing to say any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the client waits for what, in seconds."""

    open: float = 10.0
    """For the handshake, and then for the answer to `auth`."""
    ping: float = 30.0
    """Between two pings."""
    pong: float = 10.0
    """For a pong; then the connection is broken."""
    first_wait: float = 1.0
    longest_wait: float = 30.0
    close: float = 1.0


class ClientSession:
    """One connection. `run` calls `up` once with what `auth_result` said, and `take` with every frame but pongs after it."""

    def __init__(self, url: str, token: str, name: str, times: Times) -> None:
        """Nothing happens before `run`."""
        self._url = url
        self._hello = codec.dumps({"type": ClientFrame.AUTH, "token": token, "protocol": PROTOCOL, "client": name})
        self._times = times
        self._outgoing: asyncio.Queue[Outgoing] = asyncio.Queue(MAX_OUTGOING)
        self._pongs: dict[str, asyncio.Future[None]] = {}
        self._socket: ClientConnection | None = None

    async def run(self, up: Callable[[Frame], None], take: Callable[[Frame], None]) -> ConnectionEnd:
        """Connect and talk until the connection ends, in whatever way. Raises BridgeRefused."""
        host = urlsplit(self._url).hostname or ""
        try:
            async with connect(
                self._url, compression=None, proxy=None if is_loopback(host) else True, max_size=CLIENT_MAX_FRAME,
                open_timeout=self._times.open, close_timeout=self._times.close, ping_interval=None,
            ) as socket:  # fmt: skip
                return await self._talk(socket, up, take)
        except InvalidStatus as error:
            return _not_upgraded(error.response.status_code)
        except NETWORK as error:
            return ConnectionEnd(_code(error))

    def send(self, outgoing: Outgoing) -> None:
        """Queue one frame, behind those that wait already. A full queue is a bridge that reads nothing any more."""
        try:
            self._outgoing.put_nowait(outgoing)
        except asyncio.QueueFull:
            self.abort()

    async def ping(self) -> float:
        """The seconds that a pong took. Raises RequestTimeout, after which the connection is given up."""
        loop = asyncio.get_running_loop()
        own, begun = f"ping-{uuid.uuid4()}", loop.time()
        pong = self._pongs[own] = loop.create_future()
        try:
            async with asyncio.timeout(self._times.pong):
                if self._socket is not None:
                    await self._socket.send(codec.dumps({"type": ClientFrame.PING, "id": own}))  # past the queue: pings are not counted
                await pong
        except TimeoutError:
            self.abort()
            raise RequestTimeout("no pong") from None
        except WebSocketException:
            raise ConnectionResetError from None
        finally:
            self._pongs.pop(own, None)
        return loop.time() - begun

    def abort(self) -> None:
        """End at once, without the closing handshake that a dead peer would never answer."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _talk(self, socket: ClientConnection, up: Callable[[Frame], None], take: Callable[[Frame], None]) -> ConnectionEnd:
        welcome = await self._authenticate(socket)
        self._socket = socket
        loop = asyncio.get_running_loop()
        begun = loop.time()
        up(welcome)
        works = (self._read(socket, take), self._write(socket, token_bucket(welcome.get("limits"), begun)), self._beat())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self._end_pings()
        return ConnectionEnd(_reason(ends), stood=loop.time() - begun)

    async def _authenticate(self, socket: ClientConnection) -> Frame:
        async with asyncio.timeout(self._times.open):
            await socket.send(self._hello)
            while True:
                frame = read(await socket.recv())
                if frame.get("type") == ServerFrame.AUTH_RESULT:
                    break
        if frame.get("success") is not True:
            raise BridgeRefused("the token is refused")
        return frame

    async def _read(self, socket: ClientConnection, take: Callable[[Frame], None]) -> None:
        while True:
            frame = read(await socket.recv())
            if frame.get("type") == ServerFrame.PONG:
                self._ponged(frame.get("in_reply_to"))
            else:
                take(frame)

    async def _write(self, socket: ClientConnection, rate: TokenBucket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            outgoing = await self._outgoing.get()
            if outgoing() is None:
                continue
            await asyncio.sleep(rate.reserve(loop.time()))
            text = outgoing()
            if text is not None:
                await socket.send(text)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._times.ping)
            await self.ping()

    def _ponged(self, own: Any) -> None:
        """A pong that names no ping is the oldest one's: a bridge of the first dialect sends none else."""
        known = own if isinstance(own, str) else next(iter(self._pongs), "")
        waiting = self._pongs.get(known)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _end_pings(self) -> None:
        for waiting in self._pongs.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())


def _not_upgraded(status: int) -> ConnectionEnd:
    """What an HTTP status instead of a WebSocket means."""
    if status in REFUSALS:
        raise BridgeRefused(f"the handshake is refused with HTTP {status}: is this the bridge's own address?") from None
    return ConnectionEnd(Close.OVERLOADED if status in BUSY else None)


def _reason(ends: Sequence[BaseException | None]) -> int | None:
    """The bridge's close code; whatever is not the network's doing, nor our own cancelling, is raised."""
    for error in ends:
        if error is not None and not isinstance(error, (*NETWORK, RequestTimeout, asyncio.CancelledError)):
            raise error
    return next((code for code in map(_code, ends) if code is not None), None)


def _code(error: BaseException | None) -> int | None:
    """The close code that the bridge chose; None for one that only echoes ours, and for a connection that just broke."""
    if not isinstance(error, ConnectionClosed) or error.rcvd is None or error.rcvd_then_sent is False:
        return None
    return error.rcvd.code
