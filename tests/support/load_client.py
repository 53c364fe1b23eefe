"""The client of a load: it sends ids, comes back when its connection is lost, and repeats what is unanswered.

It is not the product's own client, because it counts what that one forgives: a second answer, an answer to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from shared.config.secret_rules import EXAMPLE_TOKEN
from tests.support.installation import JsonObject
from tests.support.load_lanes import Answer, Lane, Sent, request

RECONNECT_SECONDS: Final = 0.2
BUSY_SECONDS: Final = 0.5
"""How long it waits after an error that says `retryable`."""
TURNS: Final = re.compile(r"\(user turns: (\d+)\)")

Clock = Callable[[Lane], Iterator[tuple[int, float]]]
"""The numbers of a lane's messages and when they are due; it ends when no more shall be sent."""


@dataclass(eq=False, slots=True)
class _Asked:
    sent: Sent
    frame: str
    judged: asyncio.Event = field(default_factory=asyncio.Event)


class LoadClient:
    """One connection of a client that sends ids, for a few lanes."""

    def __init__(self, url: str, client: str, chosen: list[Lane]) -> None:
        self._url = url
        self._client = client
        self._lanes = chosen
        self._socket: ClientConnection | None = None
        self._open: dict[str, _Asked] = {}
        self._ended: set[str] = set()
        self.connections = 0
        self.faults: list[str] = []
        """Frames that no client should get: a second answer on one connection, an answer to nothing."""

    async def run(self, clock: Clock) -> None:
        """Keep the connection and the lanes going until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(self._send_all(lane, clock))
            while True:
                with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                    async with connect(self._url, proxy=None, compression=None, open_timeout=2, close_timeout=1) as socket:
                        await self._converse(socket)
                self._socket = None
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _converse(self, socket: ClientConnection) -> None:
        hello = {"type": "auth", "token": EXAMPLE_TOKEN, "protocol": 1, "client": self._client}
        await socket.send(json.dumps(hello))
        result = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert result["success"] is True, result
        self._socket = socket
        self.connections += 1
        self._ended.clear()
        for asked in list(self._open.values()):
            await socket.send(asked.frame)
        async for raw in socket:
            self._take(json.loads(raw))

    async def _send_all(self, lane: Lane, clock: Clock) -> None:
        for number, due in clock(lane):
            if due > time.time():
                await asyncio.sleep(min(0.05, max(0.0, due - time.time())))
                continue
            sent = Sent(lane, number, due)
            lane.sent.append(sent)
            asked = self._open[sent.identity] = _Asked(sent, json.dumps(request(sent)))
            await self._repeat(asked)
            await asked.judged.wait()
        lane.over = True

    async def _repeat(self, asked: _Asked) -> None:
        if self._socket is not None:
            with contextlib.suppress(WebSocketException):
                await self._socket.send(asked.frame)

    def _take(self, frame: JsonObject) -> None:
        identity = str(frame.get("in_reply_to"))
        asked = self._open.get(identity)
        if asked is None:
            self.faults.append(f"{frame['type']} {'again ' if identity in self._ended else ''}for {identity}")
        elif frame["type"] == "message_acknowledged":
            asked.sent.taken_at = asked.sent.taken_at or time.time()
            asked.judged.set()
        elif frame["type"] == "error" and frame["retryable"]:
            asyncio.get_running_loop().call_later(BUSY_SECONDS, self._repeat_soon, asked, self.connections)
        else:
            self._end(identity, asked, frame)

    def _end(self, identity: str, asked: _Asked, frame: JsonObject) -> None:
        self._ended.add(identity)
        del self._open[identity]
        asked.judged.set()
        said = str(frame.get("message") or frame.get("body"))
        if frame["type"] == "error":
            asked.sent.refused = str(frame["code"])
        elif asked.sent.lane.person.words(said) != [str(asked.sent.number)]:
            self.faults.append(f"the answer of another for {identity}")
        else:
            turn = TURNS.search(said)
            asked.sent.answers.append(Answer(time.time(), said, int(turn[1]) if turn else 0))

    def _repeat_soon(self, asked: _Asked, connection: int) -> None:
        """Repeat on the connection that was too busy; a newer one has it already."""
        if connection == self.connections and asked.sent.identity in self._open:
            self._later = asyncio.ensure_future(self._repeat(asked))
