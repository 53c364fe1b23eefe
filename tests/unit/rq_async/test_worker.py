"""What RQ and the operating system ask of the worker: signals, commands, hooks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway

from rq_async import SAME_SIGNAL_SECONDS, AsyncWorker
from rq_async import worker as module
from rq_async.run import Run
from rq_async.shutdown import Shutdown
from tests.support.rq_offline import offline, started

NOTHING = "tests.support.worker_jobs.nothing"


class FakeExecutor:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stopped: list[str] = []
        self.runs: list[Run] = []

    def wake(self) -> None:
        """Note it."""
        self.told.append("wake")

    def cancel_all(self) -> None:
        """Note it."""
        self.told.append("cancel_all")

    def stop(self, wanted: Any) -> None:
        """Note the ids."""
        self.stopped += [run.job.id for run in self.runs if wanted(run)]


class Setup:
    """A worker as it is while it works, without its loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worker = cast("AsyncWorker", offline(AsyncWorker))
        self.now = 100.0
        self.exits: list[int] = []
        self.executor = FakeExecutor()
        self.worker._stopping = Shutdown(lambda: self.now)
        self.worker._executor = cast("Any", self.executor)
        self.worker._loop = cast("Any", SimpleNamespace(call_soon_threadsafe=lambda call, *args: call(*args)))
        self.outages: list[Exception] = []
        self.worker._resilience = cast("Any", SimpleNamespace(note_outage=self.outages.append))
        self.naps: list[float] = []
        monkeypatch.setattr(os, "_exit", self.exits.append)
        monkeypatch.setattr(time, "sleep", self.naps.append)

    def signal(self) -> None:
        """One SIGTERM."""

        async def arrive() -> None:
            self.worker.request_stop(signal.SIGTERM, None)

        asyncio.run(arrive())


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(monkeypatch)


def test_the_first_signal_ends_the_dequeuing_alone(setup: Setup) -> None:
    """Jobs run on, unless the worker wants them cancelled at once; whoever waits for a job's end is woken."""
    stops: list[bool] = []
    setup.worker.on_stop = lambda: stops.append(setup.worker._stopping.requested())
    setup.signal()
    assert (setup.executor.told, stops, setup.exits) == (["wake"], [True], [])


def test_jobs_may_be_cancelled_with_the_first_signal(setup: Setup) -> None:
    """Their grace is for recording their ends."""
    setup.worker.cancel_at_stop = True
    setup.signal()
    assert setup.executor.told == ["wake", "cancel_all"]


def test_one_ctrl_c_that_arrives_twice_counts_once(setup: Setup) -> None:
    """A terminal and a process manager may both deliver it."""
    setup.signal()
    setup.now += SAME_SIGNAL_SECONDS
    setup.signal()
    assert setup.exits == []


def test_a_later_signal_ends_the_process_at_once(setup: Setup) -> None:
    """With the status that a shell shows for it."""
    setup.signal()
    setup.now += SAME_SIGNAL_SECONDS + 0.01
    setup.signal()
    assert setup.exits == [128 + signal.SIGTERM]


def command(**payload: str) -> dict[str, bytes]:
    return {"data": json.dumps(payload).encode()}


def test_the_stop_commands_end_the_named_job_or_execution_alone(setup: Setup) -> None:
    """RQ's own worker knows one job at a time."""
    setup.executor.runs = [started(setup.worker, NOTHING, job_id=name) for name in ("a", "b", "c")]
    setup.worker.handle_payload(command(command="stop-job", job_id="b"))
    setup.worker.handle_payload(command(command="stop-execution", execution_id=setup.executor.runs[2].execution.id))
    assert setup.executor.stopped == ["b", "c"]


def test_an_error_of_the_subscription_does_not_end_it(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """RQ's thread tries again after it; what is not an outage is a command that was not understood."""
    handle: Any = setup.worker._pubsub_exception_handler
    outage = RedisAway("away")
    handle(outage, None, None)
    handle(ValueError("private"), None, None)
    assert (setup.outages, setup.naps) == ([outage], [module.RESUBSCRIBE_SECONDS])
    assert caplog.messages == ["Worker one: a command was not understood (ValueError)"]


def test_after_the_deregistration_a_closed_connection_is_no_outage(setup: Setup) -> None:
    """The worker closes it itself."""
    setup.worker.register_birth()  # type: ignore[no-untyped-call]
    setup.worker.teardown()
    cast("Any", setup.worker)._pubsub_exception_handler(RedisAway("closed"), None, None)
    assert (setup.outages, setup.naps) == ([], [])


def test_a_worker_that_drains_or_saw_a_suspension_is_paused(setup: Setup) -> None:
    """Also before it works, when it has seen nothing."""
    worker = setup.worker
    seen = [worker.paused]
    for suspended, draining in ((True, False), (False, False), (False, True)):
        worker._client, worker.draining = cast("Any", SimpleNamespace(suspended=suspended)), draining
        seen.append(worker.paused)
    assert seen == [False, True, False, True]


def test_heartbeats_come_twice_in_rq_s_interval_unless_set(setup: Setup) -> None:
    """An execution lives for that interval and a minute."""
    setup.worker.job_monitoring_interval = 30
    assert [seconds for seconds, _ in setup.worker._duties()] == [15.0, setup.worker.maintenance_interval]
    setup.worker.beat_seconds = 2.0
    assert setup.worker._duties()[0][0] == 2.0


def test_a_job_s_exception_is_logged_as_the_worker_formats_it(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """And RQ's exception handlers are called."""
    handled: list[Any] = []
    setup.worker.format_failure = lambda error: f"a {type(error).__name__}"  # type: ignore[method-assign]
    setup.worker.push_exc_handler(lambda _job, _kind, error, _trace: handled.append(error))  # type: ignore[no-untyped-call]
    error = ValueError("private")
    run = started(setup.worker, NOTHING, job_id="a")
    setup.worker.handle_exception(run.job, ValueError, error, None)
    assert caplog.messages == ["Worker one: job a failed\na ValueError"]
    assert handled == [error]


def test_nothing_runs_before_it_works() -> None:
    """A standby asks from the first moment on."""
    assert offline(AsyncWorker).runs == {}
