"""RQ: stock `rq worker`, stock `rq worker-pool`, and Bossline's worker class on a queue of plain jobs.

A whole turn under stock RQ is the product's own job on the product's own queue, as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import QUEUE, Dispatcher
from shared.observability import logs
from tests.support.rq_enqueue import wake

URL = os.environ["REDIS_URL"]
OURS = ("--serializer", "json", "--job-class", "shared.mailbox.wake_queue.BosslineJob")


def queue() -> Queue:
    """The queue of the plain jobs."""
    return Queue("bench", connection=Redis.from_url(URL, protocol=2), serializer=JSONSerializer)


def send_all(kind: str, names: Iterable[str], function: str = "bench.peers.turns.light_in_thread") -> None:
    """Enqueue one job for each name; a whole turn's name is its conversation."""
    if kind == "whole":
        dispatcher = Dispatcher(Redis.from_url(URL, protocol=2))
        for name in names:
            wake(dispatcher, name, "sms")
        return
    jobs = [Queue.prepare_data(function, (name,)) for name in names]
    queue().enqueue_many(jobs)


_QUEUE = Queue("bench", connection=Redis.from_url(URL) if os.environ.get("BENCH_STOCK") else Redis.from_url(URL, protocol=2))


def send_text(sid: str, sender: str, recipient: str, text: str) -> None:
    """What the webhook does: RQ's enqueue with its defaults; with BENCH_WORK a light turn, once for each text, is to be run."""
    if os.environ.get("BENCH_WORK"):
        _QUEUE.enqueue("bench.peers.turns.light_in_thread", sid, job_id=sid, unique=True)
    else:
        _QUEUE.enqueue("bench.peers.turns.nothing", sid, sender, recipient, text)


def work() -> None:
    """Bossline's class with plain jobs."""
    import uvloop  # noqa: PLC0415 - stock RQ does without

    from rq_async import AsyncWorker  # noqa: PLC0415

    worker = AsyncWorker([queue()], connection=Redis.from_url(URL, protocol=2), serializer=JSONSerializer)
    worker.concurrency = 500
    uvloop.run(worker.work_async())


def stock(command: str, kind: str, *more: str) -> None:
    """`rq worker` or `rq worker-pool`, after the imports that a fork then shares."""
    from rq.cli.cli import main  # noqa: PLC0415 - the sender does without

    import bench.peers.turns  # noqa: F401, PLC0415

    logs.configure("worker", "json")
    where = {"whole": [QUEUE, *OURS], "light": ["bench", "--serializer", "json"], "text": ["bench"]}
    main([command, *where[kind], "--url", URL, "--quiet", *more])


if __name__ == "__main__":
    if sys.argv[1] == "async":
        work()
    else:
        stock(*sys.argv[1:])
