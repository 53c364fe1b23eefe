"""taskiq: its list broker, one worker process, one loop (its worker takes uvloop by itself)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from taskiq_redis import ListQueueBroker

from bench.peers import turns

broker = ListQueueBroker(os.environ["REDIS_URL"], queue_name="bench", protocol=2)
FUNCTIONS = {
    "light": broker.register_task(turns.light, task_name="light"),
    "whole": broker.register_task(turns.whole, task_name="whole"),
}


async def _send_all(kind: str, names: Iterable[str]) -> None:
    await broker.startup()
    for name in names:
        await FUNCTIONS[kind].kiq(name)
    await broker.shutdown()


def send_all(kind: str, names: Iterable[str]) -> None:
    """Enqueue one job for each name."""
    asyncio.run(_send_all(kind, names))
