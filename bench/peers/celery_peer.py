"""Celery: its own Redis transport, no result backend, threads."""

from __future__ import annotations

import os
from collections.abc import Iterable

from celery import Celery

from bench.peers import turns

app = Celery("bench", broker=os.environ["REDIS_URL"].replace("unix://", "redis+socket://"))
app.conf.update(task_default_queue="bench", task_ignore_result=True, broker_connection_retry_on_startup=True)
FUNCTIONS = {
    "light": app.task(name="light")(turns.light_in_thread),
    "whole": app.task(name="whole")(turns.whole_in_thread),
    "nothing": app.task(name="nothing")(turns.nothing),
}


def send_all(kind: str, names: Iterable[str]) -> None:
    """Enqueue one job for each name."""
    for name in names:
        FUNCTIONS[kind].delay(name)


def send_text(sid: str, sender: str, recipient: str, text: str) -> None:
    """What the webhook does."""
    FUNCTIONS["nothing"].delay(sid, sender, recipient, text)
