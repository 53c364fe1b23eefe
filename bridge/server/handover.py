"""A queue of messages to hand over to their clients, tried again while Redis is away.

A client without ids that got a bare acknowledgement answers its user itself and expects nothing more (docs/reference/bridge.md, "Without an
id"), so the mailbox must not answer that message. It is tried for GIVE_UP_SECONDS; after that the message is answered in the mailbox,
where nobody reads the answer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from redis.exceptions import RedisError

from shared.mailbox import AsyncMailbox, calls
from shared.observability import logs

LOG: Final = logs.logger(__name__)
GIVE_UP_SECONDS: Final = 60.0
"""How long a hand-over is tried: a restart of Redis or a change of its master takes less. It bounds what an outage leaves in the queue."""
RETRY_SECONDS: Final = 0.5
"""One hand-over at a time is tried, so this is all that the queue asks of a Redis that is away."""
MAX_QUEUED: Final = 10_000
AWAY: Final = (RedisError, OSError)


class HandoverQueue:
    """The messages that are still to be handed over, in the order in which they were added."""

    def __init__(self, mailbox: AsyncMailbox, retention_ms: int) -> None:
        """`retention_ms` is how long the records of a handed-over message are kept."""
        self._mailbox = mailbox
        self._retention_ms = retention_ms
        self._queued: dict[str, float] = {}
        """Message id to the moment at which to give up, in seconds of the monotonic clock."""
        self._added = asyncio.Event()

    async def hand_over(self, message: str) -> str:
        """Hand over now; the answer is the message's state, `replied`, or '' when it is not known. Raises RedisError or OSError."""
        return await self._mailbox.run(calls.hand_over(message, retention_ms=self._retention_ms))

    def add(self, message: str) -> None:
        """Hand over as soon as Redis answers. With MAX_QUEUED in the queue the oldest is dropped."""
        if len(self._queued) >= MAX_QUEUED:
            del self._queued[next(iter(self._queued))]
        self._queued[message] = time.monotonic() + GIVE_UP_SECONDS
        self._added.set()

    async def run(self) -> None:
        """Work the queue off, for ever."""
        while True:
            await self._added.wait()
            self._added.clear()
            while self._queued:
                await self._try_oldest()

    async def _try_oldest(self) -> None:
        message, give_up_at = next(iter(self._queued.items()))
        try:
            await self.hand_over(message)
        except AWAY:
            if time.monotonic() < give_up_at:
                await asyncio.sleep(RETRY_SECONDS)
                return
            LOG.warning("A message could not be handed over.", action="hand_over_failed", message=message)
        self._queued.pop(message, None)
