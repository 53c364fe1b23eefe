"""A client's own way through the ledger: its position, and its own reads.

Nothing is queued for a client: the ledger is the queue. A slow one reads later, and what it could not read before it was
trimmed is not passed over in silence.
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
from bridge.server.ledger_follower import Following
from shared.mailbox import ledger
from shared.mailbox.ledger import Line, position

START: Final = "0-0"
BATCH: Final = 100
AGAIN_SECONDS: Final = 0.5


class ServerSubscription:
    """One client's subscription, from its `subscribe` on."""

    def __init__(self, following: Following, connection: BridgeConnection, wish: Subscribe) -> None:
        """Nothing is read before `run`."""
        self._following = following
        self._redis: Redis = following.mailbox.redis
        self._connection = connection
        self._wish = wish
        self._at = START
        self._known = False
        """Whether the line at `_at` was there: it then has to be there at the next read, or lines were lost."""

    async def run(self) -> None:
        """Answer `subscribed`, then send events until cancelled."""
        try:
            await self._begin()
        except (RedisError, OSError):
            self._connection.say(frames.error(ErrorCode.STORAGE_UNAVAILABLE, self._wish.id))
            return
        while True:
            news = self._following.news
            try:
                more = await self._read()
            except (RedisError, OSError):
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            await self._connection.flow()
            if not more:
                await news.wait()

    async def _begin(self) -> None:
        newest = await ledger.newest_seq(self._redis)
        self._at = self._wish.since or newest
        lost = bool(self._wish.since) and not await self._within(newest)
        self._connection.say(frames.subscribed(self._wish.id, self._at))
        if lost:
            self._resync()
        elif not self._wish.since:
            self._known = newest != START

    async def _within(self, newest: str) -> bool:
        """Whether nothing after `since` is missing, as far as anybody can tell."""
        oldest = await ledger.oldest_seq(self._redis)
        return position(oldest) <= position(self._wish.since) <= position(newest)

    async def _read(self) -> bool:
        """Send the next lines; False when there were none."""
        lines = await ledger.from_line(self._redis, self._at, count=BATCH)
        if lines and lines[0].seq == self._at:
            lines = lines[1:]
        elif self._known or await self._passed_over(lines):
            self._resync()
            return True
        for line in lines:
            self._send(line)
            self._at, self._known = line.seq, True
        return bool(lines)

    async def _passed_over(self, lines: list[Line]) -> bool:
        """Whether lines after `since`, which is none itself, went before they were read."""
        return bool(lines) and self._wish.since == self._at != START and not await self._within(lines[-1].seq)

    def _send(self, line: Line) -> None:
        if not self._wish.conversation or line.fields.get("conv") == self._wish.conversation:
            self._connection.say(frames.event(line.seq, line.type, line.fields))

    def _resync(self) -> None:
        self._connection.say(frames.error(ErrorCode.RESYNC_REQUIRED, self._wish.id))
        self._at, self._known = START, False
