"""One client's subscription to the ledger: its position, and its own reads.

Nothing is queued for a client: the ledger is the queue, and a slow client reads later. When lines are trimmed before a client has read
them, it is told so by `error` `resync_required`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bridge.protocol import frames
from bridge.protocol.codes import ErrorCode
from bridge.protocol.frames import Subscribe
from bridge.server.connection import BridgeConnection
from bridge.server.ledger_follower import LedgerFollower
from shared.mailbox import ledger
from shared.mailbox.ledger import Line, position

START: Final = "0-0"
MAX_BATCH: Final = 100
RETRY_SECONDS: Final = 0.5


class ServerSubscription:
    """One client's subscription, from its `subscribe` on."""

    def __init__(self, follower: LedgerFollower, connection: BridgeConnection, request: Subscribe) -> None:
        """Nothing is read before `run`."""
        self._follower = follower
        self._redis: Redis = follower.mailbox.redis
        self._connection = connection
        self._request = request
        self._position = START
        self._known = False
        """Whether the line at `_position` was seen: if it is missing at the next read, lines were trimmed or lost."""

    async def run(self) -> None:
        """Answer `subscribed`, then send events until cancelled."""
        try:
            await self._begin()
        except (RedisError, OSError):
            self._connection.send_nowait(frames.error(ErrorCode.STORAGE_UNAVAILABLE, self._request.id))
            return
        while True:
            news = self._follower.news  # before the read: a line that comes after it sets this event
            try:
                more = await self._read()
            except (RedisError, OSError):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._connection.wait_drained()
            if not more:
                await news.wait()

    async def _begin(self) -> None:
        newest = await ledger.newest_seq(self._redis)
        self._position = self._request.since or newest
        lost = bool(self._request.since) and not await self._within(newest)
        self._connection.send_nowait(frames.subscribed(self._request.id, self._position))
        if lost:
            self._resync()
        elif not self._request.since:
            self._known = newest != START

    async def _within(self, newest: str) -> bool:
        """Whether every line after `since` is still kept, as far as the oldest and the newest line tell."""
        oldest = await ledger.oldest_seq(self._redis)
        return position(oldest) <= position(self._request.since) <= position(newest)

    async def _read(self) -> bool:
        """Send the next lines; False when there were none."""
        lines = await ledger.from_line(self._redis, self._position, count=MAX_BATCH)
        if lines and lines[0].seq == self._position:
            lines = lines[1:]
        elif self._known or await self._missed_lines(lines):
            self._resync()
            return True
        for line in lines:
            self._send(line)
            self._position, self._known = line.seq, True
        return bool(lines)

    async def _missed_lines(self, lines: list[Line]) -> bool:
        """Whether lines after a `since` that is itself no line were trimmed before they were read."""
        return bool(lines) and self._request.since == self._position != START and not await self._within(lines[-1].seq)

    def _send(self, line: Line) -> None:
        if not self._request.conversation or line.fields.get("conv") == self._request.conversation:
            self._connection.send_nowait(frames.event(line.seq, line.type, line.fields))

    def _resync(self) -> None:
        self._connection.send_nowait(frames.error(ErrorCode.RESYNC_REQUIRED, self._request.id))
        self._position, self._known = START, False
