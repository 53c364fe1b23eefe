"""A worker compares its host's clock with the server's, once a minute."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, cast

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from shared.storage.clock_skew import MEASURE_SECONDS, ClockWatch, between


async def watch_clock(redis: AsyncRedis, watch: ClockWatch | None = None, *, every: float = MEASURE_SECONDS) -> None:
    """Measure until cancelled. When the server is away the next measurement is a minute later."""
    watch = watch or ClockWatch()
    while True:
        with contextlib.suppress(RedisError, OSError):
            before = time.time()
            answer = cast("Any", await redis.time())
            watch.note(between(before, answer, time.time()))
        await asyncio.sleep(every)
