"""What a worker writes about itself: registration, state and heartbeats, over a Redis in this process."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from rq.worker.base import BaseWorker

from rq_async import bookkeeping
from rq_async.bookkeeping import Bookkeeping
from rq_async.run import Run
from tests.support.rq_offline import STARTED_AT, offline, started

NOTHING = "tests.support.worker_jobs.nothing"


@pytest.fixture
def worker() -> Any:
    made = offline()
    made.subscribe = lambda: None  # a thread
    return made


@pytest.fixture
def paused() -> list[bool]:
    return [False]


@pytest.fixture
def books(worker: BaseWorker, paused: list[bool]) -> Bookkeeping:
    return Bookkeeping(worker, lambda: paused[0])


def recorded(worker: BaseWorker, field: str = "state") -> str:
    value = worker.connection.hget(worker.key, field)
    return value.decode() if isinstance(value, bytes) else ""


def test_a_registered_worker_is_idle(worker: BaseWorker, books: Bookkeeping) -> None:
    """RQ knows it, and that it waits."""
    books.register()
    assert recorded(worker) == "idle"
    assert worker.connection.smembers("rq:workers") == {b"rq:worker:one"}


def test_a_registration_can_be_repeated(worker: Any, books: Bookkeeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try wrote the record and lost the answer: RQ would call that record another worker's."""
    monkeypatch.setattr(worker, "set_state", lambda _state: fail())

    def fail() -> None:
        raise RedisAway("away")

    with pytest.raises(RedisAway):
        books.register()
    monkeypatch.undo()
    worker.subscribe = lambda: None
    books.register()
    assert recorded(worker) == "idle"


def test_another_worker_s_name_is_not_taken(worker: BaseWorker, books: Bookkeeping) -> None:
    """RQ's rule: one living worker a name."""
    worker.connection.hset(worker.key, "pid", 8)
    with pytest.raises(ValueError, match="active worker named 'one'"):
        books.register()


def test_the_state_follows_the_executions(worker: Any, books: Bookkeeping, paused: list[bool]) -> None:
    """Busy while anything runs, and suspended when it takes nothing and nothing runs."""
    books.register()
    runs = [started(worker, NOTHING) for _ in range(2)]
    books.add(runs[0].execution)
    books.add(runs[1].execution)
    assert (books.wanted_state, books.state_changed) == ("busy", False)
    books.remove(runs[0].execution)
    paused[0] = True
    assert books.wanted_state == "busy"
    books.remove(runs[1].execution)
    assert (books.wanted_state, books.state_changed) == ("suspended", True)
    books.follow_state()
    assert (recorded(worker), books.state_changed) == ("suspended", False)


def test_a_state_that_did_not_change_is_not_written(worker: Any, books: Bookkeeping) -> None:
    """The scripts have written it already."""
    books.register()
    worker.connection.hset(worker.key, "state", "as it was")
    books.follow_state()
    assert recorded(worker) == "as it was"


def test_a_state_that_cannot_be_written_is_left_to_the_next_heartbeat(worker: Any, books: Bookkeeping, paused: list[bool]) -> None:
    """An outage is no error here."""
    books.register()
    paused[0] = True
    worker.connection.connection_pool.connection_kwargs["server"].connected = False
    books.follow_state()
    worker.connection.connection_pool.connection_kwargs["server"].connected = True
    books.beat()
    assert recorded(worker) == "suspended"


def test_a_heartbeat_renews_the_worker_and_every_execution(worker: Any, books: Bookkeeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pipelines of a bounded length."""
    monkeypatch.setattr(bookkeeping, "MAX_HEARTBEATS", 2)
    books.register()
    runs = [started(worker, NOTHING) for _ in range(5)]
    for run in runs:
        books.add(run.execution)
        worker.connection.expire(run.execution.key, 3)
    worker.connection.expire(worker.key, 3)
    books.beat()
    assert all(worker.connection.ttl(key) > 50 for key in (worker.key, *(run.execution.key for run in runs)))
    assert recorded(worker) == "busy"


@pytest.mark.parametrize("case", [(3600, 0, 90), (100, 95, 65), (100, 500, 60), (-1, 0, 90)], ids=str)
def test_an_execution_lives_until_its_job_s_end_or_the_next_heartbeat_and_a_minute(
    worker: Any, books: Bookkeeping, monkeypatch: pytest.MonkeyPatch, case: tuple[int, int, int]
) -> None:
    """A job beyond its timeout lives on: its end is under way."""
    timeout, worked, ttl = case  # seconds
    run = started(worker, NOTHING, job_timeout=timeout)
    monkeypatch.setattr(bookkeeping, "now", lambda: STARTED_AT + timedelta(seconds=worked))
    books.add(run.execution)
    books.register()
    books.beat()
    assert abs(worker.connection.ttl(run.execution.key) - ttl) <= 1


def gone(worker: Any, run: Run) -> None:
    """The job has ended and left nothing."""
    worker.connection.delete(run.execution.key, run.job.key)


def test_a_heartbeat_of_what_has_ended_meanwhile_leaves_no_hash(worker: Any, books: Bookkeeping) -> None:
    """It would have one field and live for ever."""
    books.register()
    ended, running = started(worker, NOTHING), started(worker, NOTHING)
    for run in (ended, running):
        books.add(run.execution)
    gone(worker, ended)
    books.beat()
    assert not worker.connection.exists(ended.execution.key, ended.job.key)
    assert worker.connection.exists(running.execution.key, running.job.key) == 2


def test_a_record_that_was_gone_is_written_anew(worker: Any, books: Bookkeeping, caplog: pytest.LogCaptureFixture) -> None:
    """Completely, with its registration; not again while it is there."""
    books.register()
    worker.connection.flushall()
    caplog.clear()
    books.beat()
    books.beat()
    assert recorded(worker, "queues") == "things"
    assert worker.connection.smembers("rq:workers") == {b"rq:worker:one"}
    assert caplog.messages == ["Worker one: its record was gone and is written anew"]


def test_after_the_close_nothing_is_written(worker: Any, books: Bookkeeping, paused: list[bool]) -> None:
    """Neither a heartbeat nor a state brings a deregistered worker back."""
    books.register()
    books.close()
    worker.connection.flushall()
    paused[0] = True
    books.beat()
    books.follow_state()
    assert books.closed
    assert worker.connection.keys() == []


def test_the_close_waits_for_a_heartbeat_under_way(worker: Any, books: Bookkeeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise its pipeline might be sent after the deregistration."""
    books.register()
    inside, go_on, order = threading.Event(), threading.Event(), []
    heartbeat = worker.heartbeat

    def slow(**kwargs: Any) -> None:
        inside.set()
        go_on.wait(5)
        heartbeat(**kwargs)
        order.append("heartbeat")

    monkeypatch.setattr(worker, "heartbeat", slow)
    beating = threading.Thread(target=books.beat)
    beating.start()
    assert inside.wait(5)

    def close() -> None:
        books.close()
        order.append("close")

    closing = threading.Thread(target=close)
    closing.start()
    closing.join(0.05)
    go_on.set()
    beating.join(5)
    closing.join(5)
    assert order == ["heartbeat", "close"]
