"""One connection to the bridge, from its handshake to its end: authenticate, read, write, and ping."""

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
from bridge.client.requests import Frame, parse
from bridge.protocol.codes import CLIENT_MAX_FRAME, PROTOCOL, ClientFrame, Close, ServerFrame
from shared.model import codec
from shared.net import is_loopback
from shared.rate_limit import TokenBucket

NETWORK_ERRORS: Final = (OSError, WebSocketException, EOFError)  # TimeoutError is an OSError
REFUSED_STATUSES: Final = frozenset({401, 403})
BUSY_STATUSES: Final = frozenset({429, 503})
MAX_OUTGOING: Final = 10_000

Outgoing = Callable[[], str | None]
"""Makes the frame at the moment of sending; None when it is no longer to be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the client waits, in seconds."""

    open: float = 10.0
    """For the handshake, and then for the answer to `auth`."""
    ping: float = 30.0
    """Between two pings."""
    pong: float = 10.0
    """For a pong; without one the connection is given up."""
    first_wait: float = 1.0
    longest_wait: float = 30.0
    close: float = 1.0


class ClientSession:
    """One connection. `run` calls `on_open` once, with the `auth_result` frame, and then `on_frame` with every frame but pongs."""

    def __init__(self, url: str, token: str, name: str, times: Times) -> None:
        """Nothing is connected before `run`."""
        self._url = url
        self._auth_frame = codec.dumps({"type": ClientFrame.AUTH, "token": token, "protocol": PROTOCOL, "client": name})
        self._times = times
        self._outgoing: asyncio.Queue[Outgoing] = asyncio.Queue(MAX_OUTGOING)
        self._pongs: dict[str, asyncio.Future[None]] = {}
        self._socket: ClientConnection | None = None

    async def run(self, on_open: Callable[[Frame], None], on_frame: Callable[[Frame], None]) -> ConnectionEnd:
        """Connect and serve the connection until it ends, in whatever way. Raises BridgeRefused."""
        host = urlsplit(self._url).hostname or ""
        try:
            async with connect(
                self._url, compression=None, proxy=None if is_loopback(host) else True, max_size=CLIENT_MAX_FRAME,
                open_timeout=self._times.open, close_timeout=self._times.close, ping_interval=None,
            ) as socket:  # fmt: skip
                return await self._talk(socket, on_open, on_frame)
        except InvalidStatus as error:
            return _not_upgraded(error.response.status_code)
        except NETWORK_ERRORS as error:
            return ConnectionEnd(_code(error))

    def send(self, outgoing: Outgoing) -> None:
        """Queue one frame. When the queue is full the bridge has stopped reading, and the connection is given up."""
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
                    # Not through the queue: pings have no rate limit.
                    await self._socket.send(codec.dumps({"type": ClientFrame.PING, "id": own}))
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
        """End at once, without the closing handshake, which a dead peer would never answer."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _talk(self, socket: ClientConnection, on_open: Callable[[Frame], None], on_frame: Callable[[Frame], None]) -> ConnectionEnd:
        welcome = await self._authenticate(socket)
        self._socket = socket
        loop = asyncio.get_running_loop()
        begun = loop.time()
        on_open(welcome)
        works = (self._read(socket, on_frame), self._write(socket, token_bucket(welcome.get("limits"), begun)), self._send_pings())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self._end_pings()
        return ConnectionEnd(_reason(ends), seconds_open=loop.time() - begun)

    async def _authenticate(self, socket: ClientConnection) -> Frame:
        async with asyncio.timeout(self._times.open):
            await socket.send(self._auth_frame)
            while True:
                frame = parse(await socket.recv())
                if frame.get("type") == ServerFrame.AUTH_RESULT:
                    break
        if frame.get("success") is not True:
            raise BridgeRefused("the token is refused")
        return frame

    async def _read(self, socket: ClientConnection, on_frame: Callable[[Frame], None]) -> None:
        while True:
            frame = parse(await socket.recv())
            if frame.get("type") == ServerFrame.PONG:
                self._ponged(frame.get("in_reply_to"))
            else:
                on_frame(frame)

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

    async def _send_pings(self) -> None:
        while True:
            await asyncio.sleep(self._times.ping)
            await self.ping()

    def _ponged(self, own: Any) -> None:
        """A pong that names no ping answers the oldest one: a bridge of the first dialect names none."""
        known = own if isinstance(own, str) else next(iter(self._pongs), "")
        waiting = self._pongs.get(known)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _end_pings(self) -> None:
        for waiting in self._pongs.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())


def _not_upgraded(status: int) -> ConnectionEnd:
    """What an HTTP answer instead of a WebSocket means. Raises BridgeRefused."""
    if status in REFUSED_STATUSES:
        raise BridgeRefused(f"the handshake is refused with HTTP {status}: is this the bridge's own address?") from None
    return ConnectionEnd(Close.OVERLOADED if status in BUSY_STATUSES else None)


def _reason(ends: Sequence[BaseException | None]) -> int | None:
    """The bridge's close code. Raises an error that neither the network nor our own cancelling has caused."""
    for error in ends:
        if error is not None and not isinstance(error, (*NETWORK_ERRORS, RequestTimeout, asyncio.CancelledError)):
            raise error
    return next((code for code in map(_code, ends) if code is not None), None)


def _code(error: BaseException | None) -> int | None:
    """The close code that the bridge chose; None for one that repeats ours, and for a connection that broke without one."""
    if not isinstance(error, ConnectionClosed) or error.rcvd is None or error.rcvd_then_sent is False:
        return None
    return error.rcvd.code
