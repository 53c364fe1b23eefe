"""arq: one process, one loop (uvloop, which is faster than what it takes by itself)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import uvloop
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func, run_worker
from redis.asyncio import ConnectionPool

from bench.peers import turns

SETTINGS = RedisSettings(unix_socket_path=os.environ["REDIS_URL"].removeprefix("unix://"))


async def light(_context: object, name: str) -> None:
    """See `turns`."""
    await turns.light(name)


async def whole(_context: object, name: str) -> None:
    """See `turns`."""
    await turns.whole(name)


class Worker:
    """arq's settings of a worker."""

    redis_settings = SETTINGS
    functions = (func(light, name="light"), func(whole, name="whole"))
    max_jobs = 500
    max_tries = 1
    queue_name = "bench"


async def connect(*, stock: bool) -> Any:
    """A client: arq's own, or one with our protocol."""
    if stock:
        from arq import create_pool  # noqa: PLC0415 - only the webhook with stock parts needs it

        return await create_pool(SETTINGS, default_queue_name="bench")
    return ArqRedis(ConnectionPool.from_url(os.environ["REDIS_URL"], protocol=2), default_queue_name="bench")


async def _send_all(kind: str, names: Iterable[str]) -> None:
    client = await connect(stock=False)
    for name in names:
        await client.enqueue_job(kind, name)
    await client.aclose()


def send_all(kind: str, names: Iterable[str]) -> None:
    """Enqueue one job for each name."""
    asyncio.run(_send_all(kind, names))


if __name__ == "__main__":
    uvloop.install()
    run_worker(Worker)
