"""A client in the bridge's first dialect, written from the protocol page alone: what is in the field, and must keep working.

It is strict where the first clients were simple: no ids, no version; a request's promise is resolved by the first answer of
the right type, whoever's it is; an `error` refuses the oldest promise; after 10 s a promise is given up; a `ping` object goes
out every 30 s; a lost connection is tried again after 1, 2, 4, 8 and 16 s, and then no more.

Every frame is kept, and so is every frame that nobody waited for: a test can tell that none came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

JsonObject = dict[str, Any]
Channel = Literal["sms", "email"]

PATIENCE_SECONDS: Final = 10.0
PING_SECONDS: Final = 30.0
WAITS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
RESPONSES: Final[dict[str, Channel]] = {"send_sms_response": "sms", "send_email_response": "email"}


class OldClientError(Exception):
    """A promise that was not kept; `frame` is the supervisor's `error`, if that was the reason."""

    def __init__(self, message: str, frame: JsonObject | None = None) -> None:
        super().__init__(message)
        self.frame = frame or {}


@dataclass(eq=False, slots=True)
class _Promise:
    channel: Channel
    kept: asyncio.Future[JsonObject] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class OldClient:
    """One connection that comes back by itself. Use it within one event loop; `disconnect` ends it."""

    def __init__(self, url: str, token: str, *, ping_seconds: float = PING_SECONDS, waits: Sequence[float] = WAITS) -> None:
        """`waits` are the seconds before each try to reconnect."""
        self.url = url
        self._token = token
        self._ping_seconds = ping_seconds
        self._waits = tuple(waits)
        self._socket: ClientConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._promises: list[_Promise] = []
        self._pings = 0
        self._leaving = False
        self.frames: list[JsonObject] = []
        """Everything that came, in all connections."""
        self.strays: list[object] = []
        """What nobody had asked for, or what is no frame of the first dialect."""
        self.closes: list[int | None] = []
        """The code of each connection's end."""
        self.tries: list[float] = []
        """How long it waited before each try to come back."""

    async def connect(self) -> None:
        """Connect and authenticate; OldClientError with the supervisor's words when the token is wrong."""
        await self._open()

    def is_ready(self) -> bool:
        """Whether it is connected and authenticated."""
        return self._socket is not None

    async def send_sms_event(self, *, from_: str, to: str, message: str, user: str) -> JsonObject:
        """Tell of a text; the answer is whatever answers a text first."""
        return await self._ask("sms", {"type": "sms_received", "from": from_, "to": to, "message": message, "user": user})

    async def send_email_event(self, *, from_: str, to: str, subject: str, body: str, user: str) -> JsonObject:
        """Tell of a mail; the answer is whatever answers a mail first."""
        request = {"type": "email_received", "from": from_, "to": to, "subject": subject, "body": body, "user": user}
        return await self._ask("email", request)

    async def ping(self) -> None:
        """Send a ping; it promises nothing."""
        self._pings += 1
        await self._connected().send(json.dumps({"type": "ping"}))

    async def disconnect(self) -> None:
        """Leave for good."""
        self._leaving = True
        if self._socket:
            await self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def count(self, kind: str) -> int:
        """How many frames of a type came."""
        return sum(1 for frame in self.frames if frame["type"] == kind)

    # The connection

    async def _open(self) -> None:
        socket = await connect(self.url, proxy=None, ping_interval=None, open_timeout=PATIENCE_SECONDS)
        try:
            await socket.send(json.dumps({"type": "auth", "token": self._token}))
            frame = self._parsed(await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS))
        except BaseException:
            await socket.close()
            raise
        if frame.get("type") != "auth_result" or frame.get("success") is not True:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                self.strays.append(await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS))
            await socket.close()
            self.closes.append(socket.close_code)
            raise OldClientError(str(frame.get("message")), frame)
        self._socket, self._pings = socket, 0
        self._start(self._read(socket))
        self._start(self._keep_alive(socket))

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for raw in socket:
                self._take(self._parsed(raw))
        self._socket = None
        self.closes.append(socket.close_code)
        for promise in self._promises:
            if not promise.kept.done():
                promise.kept.set_exception(OldClientError("the connection was lost"))
        self._promises.clear()
        if not self._leaving:
            await self._come_back()

    async def _come_back(self) -> None:
        for seconds in self._waits:
            self.tries.append(seconds)
            await asyncio.sleep(seconds)
            with contextlib.suppress(OSError, TimeoutError, WebSocketException, OldClientError):
                return await self._open()
        return None

    async def _keep_alive(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed, OldClientError):
            while self._socket is socket:
                await asyncio.sleep(self._ping_seconds)
                await self.ping()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connected(self) -> ClientConnection:
        if self._socket is None:
            raise OldClientError("not connected")
        return self._socket

    # Promises

    async def _ask(self, channel: Channel, request: JsonObject) -> JsonObject:
        promise = _Promise(channel)
        self._promises.append(promise)
        try:
            await self._connected().send(json.dumps(request))
            return await asyncio.wait_for(promise.kept, PATIENCE_SECONDS)
        except TimeoutError:
            raise OldClientError(f"no answer within {PATIENCE_SECONDS:g} s") from None
        finally:
            if promise in self._promises:
                self._promises.remove(promise)

    def _take(self, frame: JsonObject) -> None:
        """Give a frame to the first promise that takes it; one that nobody takes is a stray."""
        kind = frame.get("type")
        if kind == "pong" and self._pings:
            self._pings -= 1
            return
        channel = frame.get("message_type") if kind == "message_acknowledged" else RESPONSES.get(str(kind))
        waiting = [promise for promise in self._promises if kind == "error" or promise.channel == channel]
        if not waiting:
            self.strays.append(frame)
            return
        self._promises.remove(waiting[0])
        if waiting[0].kept.done():  # its 10 s have just passed
            self.strays.append(frame)
        elif kind == "error":
            waiting[0].kept.set_exception(OldClientError(str(frame.get("message")), frame))
        else:
            waiting[0].kept.set_result(frame)

    def _parsed(self, raw: str | bytes) -> JsonObject:
        """A frame as an object; what is none is a stray."""
        frame = json.loads(raw) if isinstance(raw, str) else None
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            self.strays.append(raw)
            return {}
        self.frames.append(frame)
        return frame
