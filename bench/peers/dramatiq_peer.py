"""dramatiq: its Redis broker, one process of many threads. `stock`: its own way to connect instead of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from bench.peers import turns

URL = os.environ["REDIS_URL"]
broker = RedisBroker(url=URL) if os.environ.get("BENCH_STOCK") else RedisBroker(client=Redis.from_url(URL, protocol=2))
dramatiq.set_broker(broker)
FUNCTIONS = {
    "light": dramatiq.actor(turns.light_in_thread, actor_name="light", queue_name="bench", max_retries=0),
    "whole": dramatiq.actor(turns.whole_in_thread, actor_name="whole", queue_name="bench", max_retries=0),
    "nothing": dramatiq.actor(turns.nothing, actor_name="nothing", queue_name="bench", max_retries=0),
}


def send_all(kind: str, names: Iterable[str]) -> None:
    """Enqueue one job for each name."""
    for name in names:
        FUNCTIONS[kind].send(name)


def send_text(sid: str, sender: str, recipient: str, text: str) -> None:
    """What the webhook does."""
    FUNCTIONS["nothing"].send(sid, sender, recipient, text)
