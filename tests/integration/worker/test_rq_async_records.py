"""The records of the asynchronous worker against those of RQ's own SimpleWorker, key by key and field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from redis import Redis
from rq import Callback, Queue, Repeat, Retry, SimpleWorker
from rq.group import Group
from rq.rate_limit import RateLimit
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker

from rq_async import AsyncWorker
from rq_async.completion import CompletionRecorder
from shared.storage.clients import for_worker
from tests.support import worker_jobs
from tests.support.rq_records import records

JOBS: Final = "tests.support.worker_jobs."
Enqueue = Callable[[Queue], object]
Records = dict[str, tuple[Any, Any]]


class StockWorker(SimpleWorker):
    """RQ's own, without the signals that a test's process needs for itself."""

    death_penalty_class = AsyncWorker.death_penalty_class
    get_heartbeat_ttl = BaseWorker.get_heartbeat_ttl  # SimpleWorker's own is longer, because it cannot beat while a job runs

    def _install_signal_handlers(self) -> None:
        """None."""

    def run_maintenance_tasks(self) -> None:
        """None: it removes what has ended, whenever it comes to it."""


class OurWorker(AsyncWorker):
    """Ours, without maintenance either."""

    def run_maintenance_tasks(self) -> None:
        """None."""


@pytest.fixture
def connection(redis_url: str) -> Iterator[Redis]:
    with for_worker(redis_url) as client:
        yield client


def outcome(connection: Redis, worker_class: type[BaseWorker], enqueue: Enqueue) -> Records:
    """What the jobs that `enqueue` makes leave when a worker has run them."""
    connection.flushall()
    worker_jobs.looked.clear()
    queue = Queue("things", connection=connection, serializer=JSONSerializer)
    enqueue(queue)
    worker = worker_class([queue], name="one", connection=connection, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    return records(connection)


def one(name: str = "answer", *args: Any, **options: Any) -> Enqueue:
    return lambda queue: queue.enqueue(JOBS + name, *args, job_id="a", **options)


def two(queue: Queue) -> None:
    first = queue.enqueue(JOBS + "answer", job_id="a")
    queue.enqueue(JOBS + "answer", job_id="b", depends_on=first)


def in_a_group(result_ttl: int) -> Enqueue:
    def enqueue(queue: Queue) -> None:
        job = Queue.prepare_data(JOBS + "answer", job_id="a", result_ttl=result_ttl)
        Group.create(connection=queue.connection, name="g").enqueue_many(queue, [job])

    return enqueue


ORDINARY: Final[dict[str, Enqueue]] = {
    "a value": one(),
    "no value": one("answer", None),
    "a value that JSON cannot say": one("unserializable"),
    "a plain function": one("plain_answer"),
    "kept for ever": one(result_ttl=-1),
    "not kept": one(result_ttl=0),
    "a time to live in the queue": one(ttl=77),
    "a timeout in minutes": one(job_timeout="30m"),
    "no timeout": one(job_timeout=-1),
    "retries that are not needed": one(retry=Retry(max=3, interval=[1, 2])),
    "meta and description": one(meta={"a": 1}, description="words"),
    "in a group": in_a_group(500),
}
OTHERS: Final[dict[str, Enqueue]] = {
    "a dependent": two,
    "a success callback": one(on_success=Callback(JOBS + "note")),
    "a repeat": one(repeat=Repeat(times=1, interval=60)),
    "a rate limit": one(rate_limit=RateLimit("key", 1)),
    "in a group and not kept": in_a_group(0),
    "changed by itself": one("rename"),
    "deleted while it runs": one("vanish"),
    "a retry as its value": one("again"),
    "a failure": one("leave"),
    "a failure with its callback": one("leave", on_failure=Callback(JOBS + "note")),
}


def without_traces(found: Records) -> Records:
    return {
        key: ([{**entry, "exc_string": "*"} for entry in value] if "results" in key else value, ttl) for key, (value, ttl) in found.items()
    }


@pytest.mark.parametrize("case", [*ORDINARY, *OTHERS])
def test_it_leaves_the_records_that_rqs_own_worker_leaves(connection: Redis, case: str) -> None:
    """Status, times, results, registries, counters and times to live: the same keys with the same content."""
    enqueue = {**ORDINARY, **OTHERS}[case]
    stock, ours = (without_traces(outcome(connection, kind, enqueue)) for kind in (StockWorker, OurWorker))
    assert ours == stock


@pytest.mark.parametrize("options", [{}, {"job_timeout": 20}, {"job_timeout": "2h"}, {"job_timeout": -1}, {"ttl": 77}])
def test_while_a_job_runs_the_records_are_those_of_rqs_own_worker(connection: Redis, options: dict[str, Any]) -> None:
    """The execution, its registries, the worker's index and state, the job's status: what `rq info` and dashboards read."""
    seen = []
    for kind in (StockWorker, OurWorker):
        outcome(connection, kind, one("look", **options))
        (looked,) = worker_jobs.looked
        seen.append({key: (value, ttl if "worker" not in key else "the heart's") for key, (value, ttl) in looked.items()})
    stock, ours = seen
    assert ours == stock


@pytest.mark.parametrize("case", ORDINARY)
def test_an_ordinary_job_ends_by_the_script(connection: Redis, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """RQ's own way, of several round trips in a thread, is for the others."""
    monkeypatch.setattr(CompletionRecorder, "record_success", None)
    outcome(connection, OurWorker, ORDINARY[case])
    assert connection.hget("rq:worker:one", "successful_job_count") == b"1"
