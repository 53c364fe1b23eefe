"""Handing messages over to clients that answer their users themselves, also when Redis is away at that moment.

A client without ids that has heard a bare acknowledgement expects nothing more, so the message must not be answered by
anybody else. Tried again for a minute; later than that it is answered in the mailbox, where nobody reads it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from redis.exceptions import RedisError

from shared.mailbox import AsyncMailbox, calls
from shared.observability import logs as telemetry

LOG: Final = telemetry.logger(__name__)
KEEP_TRYING_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 0.5
MOST: Final = 10_000
AWAY: Final = (RedisError, OSError)


class HandOvers:
    """Those that are still to be handed over."""

    def __init__(self, mailbox: AsyncMailbox, retention_ms: int) -> None:
        """`retention_ms` is how long the records are kept then."""
        self._mailbox = mailbox
        self._retention_ms = retention_ms
        self._left: dict[str, float] = {}
        self._asked = asyncio.Event()

    async def now(self, message: str) -> str:
        """Hand over; the answer is the message's state, `replied`, or '' when it is not known. Raises RedisError or OSError."""
        return await self._mailbox.run(calls.hand_over(message, retention_ms=self._retention_ms))

    def later(self, message: str) -> None:
        """Hand over as soon as Redis answers."""
        if len(self._left) >= MOST:
            del self._left[next(iter(self._left))]
        self._left[message] = time.monotonic() + KEEP_TRYING_SECONDS
        self._asked.set()

    async def run(self) -> None:
        """Work them off for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._left:
                await self._one()

    async def _one(self) -> None:
        message, end = next(iter(self._left.items()))
        try:
            await self.now(message)
        except AWAY:
            if time.monotonic() < end:
                await asyncio.sleep(AGAIN_SECONDS)
                return
            LOG.warning("A message could not be handed over.", action="hand_over_failed", message=message)
        self._left.pop(message, None)
