"""Running jobs and recording their ends: the queue, RQ's own code and Redis are played by the test."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from rq import get_current_job
from rq.timeouts import JobTimeoutException

from rq_async.bookkeeping import Bookkeeping
from rq_async.execution import JobExecutor, WorkerEnded
from rq_async.resilience import Resilience
from rq_async.run import Run
from tests.support.rq_offline import offline, started

HERE: Final = "tests.unit.rq_async.test_execution."
gate: list[asyncio.Event] = []


async def answer() -> str:
    """End at once, with the job's id."""
    job = get_current_job()
    return job.id if job else ""


async def wait() -> str:
    """Run until the test opens the gate."""
    await gate[0].wait()
    return "waited"


async def own_timeout() -> None:
    """Raise what `asyncio.timeout` raises, for a reason of one's own."""
    raise TimeoutError("of the function")


async def leave() -> None:
    """Try to end the whole process."""
    raise SystemExit(7)


def plain() -> tuple[str, str]:
    """A function that is not a coroutine."""
    job = get_current_job()
    return threading.current_thread().name, job.id if job else ""


class FakeClient:
    """Finishes what it is told to, and fails as often as the test says."""

    def __init__(self) -> None:
        self.finished: list[tuple[str, Any]] = []
        self.failures: list[Exception] = []
        self.ordinary = True
        self.running = 0
        self.finishing: Callable[[], None] = lambda: None

    async def finish(self, run: Run, value: Any, idle_state: str) -> int | None:
        """The script's part."""
        assert idle_state == "idle"
        self.finishing()
        if self.failures:
            raise self.failures.pop()
        if not self.ordinary:
            return None
        self.finished.append((run.job.id, value))
        return self.running


class FakeRecorder:
    """RQ's own code: notes what it would record."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, Any]] = []
        self.threads: set[str] = set()
        self.error: Exception | None = None

    def _note(self, what: str, value: Any) -> None:
        self.threads.add(threading.current_thread().name.rpartition("_")[0])
        self.recorded.append((what, value))

    def record_success(self, _run: Run, value: Any) -> None:
        """A success, unless the callback fails."""
        if self.error:
            raise self.error
        self._note("success", value)

    def record_failure(self, _run: Run, error: BaseException) -> None:
        """A failure."""
        self._note("failure", error)

    def record_stop(self, _run: Run) -> None:
        """A stop."""
        self._note("stop", None)


class Setup:
    """An executor with its fakes, in a running loop."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.client, self.recorder = FakeClient(), FakeRecorder()
        self.books = Bookkeeping(worker, lambda: False)
        self.waits: list[float] = []
        self.resilience = Resilience(worker.log, "one", sleep=self.sleep)
        self.executor = JobExecutor(
            worker,
            client=cast("Any", self.client),
            bookkeeping=self.books,
            recorder=cast("Any", self.recorder),
            resilience=self.resilience,
            max_jobs=50,
        )

    async def sleep(self, seconds: float) -> None:
        """A pause between two tries, without its time."""
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def launch(self, name: str, **options: Any) -> Run:
        """A job of this module, running."""
        run = started(self.worker, HERE + name, **options)
        self.executor.launch([run])
        return run

    async def ended(self) -> None:
        """All jobs have ended and are recorded."""
        await asyncio.wait({run.task for run in self.executor.runs.values() if run.task}, timeout=5)
        assert not self.executor.runs


Case = Callable[[Setup], Awaitable[None]]


@pytest.fixture
def run_case() -> Iterator[Callable[[Case], None]]:
    """Run a test's coroutine with a setup of its own."""

    def run(case: Case) -> None:
        async def main() -> None:
            gate[:] = [asyncio.Event()]
            setup = Setup(offline())
            setup.worker.register_birth()
            try:
                await asyncio.wait_for(case(setup), 10)
            finally:
                setup.executor.close()
                setup.resilience.close()

        asyncio.run(main())

    yield run
    gate.clear()


RunCase = Callable[[Case], None]


def test_an_ordinary_success_is_recorded_by_the_script(run_case: RunCase) -> None:
    """The job knew itself; while it ran it was in RQ's sight, and afterwards it is not."""

    async def case(setup: Setup) -> None:
        run = setup.launch("answer")
        assert setup.worker.executions == {run.execution.id: run.execution}
        assert setup.worker.get_state() == "busy"
        await setup.ended()
        assert setup.client.finished == [(run.job.id, run.job.id)]
        assert run.job.ended_at is not None
        assert (setup.worker.executions, setup.recorder.recorded, setup.executor.completed) == ({}, [], 1)
        assert setup.worker.get_state() == "idle"  # as the script has written

    run_case(case)


def test_the_state_is_written_when_the_script_did_not_write_it(run_case: RunCase) -> None:
    """The server counted one execution more, which ended otherwise."""

    async def case(setup: Setup) -> None:
        setup.client.running = 1
        setup.launch("answer")
        await setup.ended()
        assert setup.worker.connection.hget(setup.worker.key, "state") == b"idle"

    run_case(case)


def test_another_success_is_recorded_by_rq_in_a_thread(run_case: RunCase) -> None:
    """Its code blocks."""

    async def case(setup: Setup) -> None:
        setup.client.ordinary = False
        run = setup.launch("answer")
        await setup.ended()
        assert setup.recorder.recorded == [("success", run.job.id)]
        assert setup.recorder.threads == {"rq-records"}

    run_case(case)


def test_a_success_whose_callback_fails_is_a_failure(run_case: RunCase) -> None:
    """RQ's rule."""

    async def case(setup: Setup) -> None:
        setup.client.ordinary, setup.recorder.error = False, LookupError("of the callback")
        setup.launch("answer")
        await setup.ended()
        assert setup.recorder.recorded == [("failure", setup.recorder.error)]

    run_case(case)


def test_a_job_that_raises_fails_alone(run_case: RunCase) -> None:
    """Also with SystemExit, which would end a whole worker of RQ's."""

    async def case(setup: Setup) -> None:
        setup.launch("leave")
        good = setup.launch("answer")
        await setup.ended()
        ((what, error),) = setup.recorder.recorded
        assert (what, type(error), setup.client.finished) == ("failure", SystemExit, [(good.job.id, good.job.id)])

    run_case(case)


def test_a_record_that_cannot_be_read_fails_its_job(run_case: RunCase) -> None:
    """The function is not called."""

    async def case(setup: Setup) -> None:
        run = started(setup.worker, HERE + "answer")
        run.load_error = KeyError("data")
        setup.executor.launch([run])
        await setup.ended()
        assert setup.recorder.recorded == [("failure", run.load_error)]

    run_case(case)


def test_a_job_ends_at_its_timeout(run_case: RunCase) -> None:
    """With RQ's own exception."""

    async def case(setup: Setup) -> None:
        run = started(setup.worker, HERE + "wait")
        run.job.timeout = 0.01
        setup.executor.launch([run])
        await setup.ended()
        ((_, error),) = setup.recorder.recorded
        assert isinstance(error, JobTimeoutException)
        assert str(error) == "Task exceeded maximum timeout value (0.01 seconds)"

    run_case(case)


def test_a_timeout_of_the_function_s_own_is_an_ordinary_error(run_case: RunCase) -> None:
    """The job's timeout was not reached."""

    async def case(setup: Setup) -> None:
        setup.launch("own_timeout")
        await setup.ended()
        ((_, error),) = setup.recorder.recorded
        assert (type(error), str(error)) == (TimeoutError, "of the function")

    run_case(case)


def test_a_plain_function_runs_in_a_thread_and_knows_its_job(run_case: RunCase) -> None:
    """It would block the loop."""

    async def case(setup: Setup) -> None:
        run = setup.launch("plain")
        await setup.ended()
        ((_, (thread, job_id)),) = setup.client.finished
        assert (thread.rpartition("_")[0], job_id) == ("rq-plain", run.job.id)

    run_case(case)


def test_an_end_in_an_outage_is_recorded_later_and_the_job_is_not_run_again(run_case: RunCase) -> None:
    """Until then its heartbeats go on, and it counts as running."""

    async def case(setup: Setup) -> None:
        seen: list[tuple[int, int]] = []
        setup.client.failures = [RedisAway("away"), RedisAway("away")]
        setup.client.finishing = lambda: seen.append((len(setup.worker.executions), len(setup.executor.runs)))
        setup.launch("answer")
        await setup.ended()
        assert (len(setup.client.finished), len(setup.waits), seen) == (1, 2, [(1, 1)] * 3)

    run_case(case)


def test_an_end_that_cannot_be_recorded_is_given_up_and_logged(run_case: RunCase, caplog: pytest.LogCaptureFixture) -> None:
    """After its time; RQ's clean-up deals with it. The worker goes on."""

    async def case(setup: Setup) -> None:
        setup.client.failures = [RedisAway("away")] * 1000
        setup.resilience._clock = lambda: 50.0 * len(setup.waits)
        run = setup.launch("answer")
        await setup.ended()
        assert len(setup.waits) == 3  # of 50 seconds each: the time is 120
        assert f"Worker one: the end of job {run.job.id} could not be recorded" in caplog.messages
        assert (setup.executor.completed, setup.worker.executions) == (1, {})

    run_case(case)


def test_a_stopped_job_is_recorded_as_stopped_and_no_other_ends(run_case: RunCase) -> None:
    """The stop command names one job."""

    async def case(setup: Setup) -> None:
        stopped, other = setup.launch("wait"), setup.launch("wait")
        await asyncio.sleep(0)
        setup.executor.stop(lambda run: run is stopped)
        await asyncio.wait({stopped.task}, timeout=5)  # type: ignore[type-var]
        assert setup.recorder.recorded == [("stop", None)]
        assert list(setup.executor.runs.values()) == [other]
        gate[0].set()
        await setup.ended()
        assert setup.client.finished == [(other.job.id, "waited")]

    run_case(case)


def test_jobs_that_outlast_the_worker_fail_visibly(run_case: RunCase) -> None:
    """Nobody asked for their end in particular: they are not stopped."""

    async def case(setup: Setup) -> None:
        runs = [setup.launch("wait") for _ in range(2)]
        await asyncio.sleep(0)
        setup.executor.cancel_all()
        await setup.ended()
        assert [run.task and run.task.cancelling() for run in runs] == [0, 0]  # the task went on, to record the end
        assert [(what, type(error)) for what, error in setup.recorder.recorded] == [("failure", WorkerEnded)] * 2

    run_case(case)


@pytest.mark.parametrize("how", ["stop", "cancel_all"])
def test_a_job_whose_end_is_being_recorded_is_not_cancelled(run_case: RunCase, how: str) -> None:
    """It returned: the record would be lost, and the job called abandoned."""

    async def case(setup: Setup) -> None:
        def interfere() -> None:
            if how == "stop":
                setup.executor.stop(lambda _run: True)
            else:
                setup.executor.cancel_all()

        setup.client.finishing = interfere
        setup.client.failures = [RedisAway("away")]  # so that the record has to wait after it
        run = setup.launch("answer")
        await setup.ended()
        assert (setup.client.finished, setup.recorder.recorded, run.stopped) == ([(run.job.id, run.job.id)], [], False)

    run_case(case)


def test_who_waits_for_an_end_is_told(run_case: RunCase) -> None:
    """Of a job's end, of a wake, and at once when nothing runs."""

    async def case(setup: Setup) -> None:
        await setup.executor.wait_for_end()
        setup.launch("wait")
        for end in (gate[0].set, setup.executor.wake):
            setup.launch("wait")
            waiting = asyncio.ensure_future(setup.executor.wait_for_end())
            await asyncio.sleep(0)
            assert not waiting.done()
            end()
            await waiting
            gate[0].clear()
        gate[0].set()
        await setup.ended()

    run_case(case)


@pytest.mark.parametrize(("described", "shown"), [(True, "words (a)"), (False, "a")])
def test_the_log_names_a_job_s_begin_and_end(run_case: RunCase, caplog: pytest.LogCaptureFixture, described: bool, shown: str) -> None:
    """A description may quote private data: RQ's own setting leaves it out."""

    async def case(setup: Setup) -> None:
        setup.worker.log_job_description = described
        setup.launch("answer", job_id="a", description="words")
        await setup.ended()

    with caplog.at_level(logging.INFO):
        run_case(case)
    assert caplog.messages == [f"Worker one: things: {shown}", "Worker one: things: Job OK (a)"]
