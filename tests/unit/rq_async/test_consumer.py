"""The loop that dequeues, with a queue and jobs that the test plays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway

from rq_async import consumer
from rq_async.consumer import Consumer
from rq_async.resilience import Resilience
from rq_async.run import Run
from rq_async.shutdown import Shutdown

LOG = logging.getLogger("test_consumer")


def jobs(*names: str) -> list[Run]:
    """Runs that are nothing but names."""
    return cast("list[Run]", list(names))


class FakeClient:
    """A queue whose answers the test gives: lists of jobs, or errors. After the last one the end is requested."""

    def __init__(self, setup: Setup) -> None:
        self.backlog, self.suspended, self.unanswered = 0, False, False
        self.answers: list[list[Run] | Exception] = []
        self.calls: list[str] = []
        self.requeued: list[tuple[list[Run], str]] = []
        self.during: Callable[[], None] = lambda: None
        self._setup = setup

    async def wait(self, seconds: float) -> None:
        """Note the wait."""
        self.calls.append(f"wait {seconds:g}")
        await asyncio.sleep(0)

    async def dequeue(self, room: int) -> list[Run]:
        """The next answer."""
        self.calls.append(f"dequeue {room}")
        await asyncio.sleep(0)
        self.during()
        if not self.answers:
            self._setup.shutdown.request()
            return []
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def requeue(self, runs: list[Run], idle_state: str) -> None:
        """Note them."""
        self.requeued.append((runs, idle_state))


class FakeExecutor:
    """Jobs that run until somebody waits for an end."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.launched: list[str] = []
        self.waits = 0
        self.followed = 0

    def launch(self, runs: list[Run]) -> None:
        """They run."""
        self.launched += cast("list[str]", runs)
        self.runs |= {cast("str", run): run for run in runs}

    async def wait_for_end(self) -> None:
        """The first one ends."""
        self.waits += 1
        if self.runs:
            self.runs.pop(next(iter(self.runs)))
        await asyncio.sleep(0)

    async def follow_state(self) -> None:
        """Note it."""
        self.followed += 1


class Setup:
    """A consumer with its fakes, in a running loop."""

    def __init__(self) -> None:
        self.shutdown = Shutdown()
        self.client, self.executor = FakeClient(self), FakeExecutor()
        self.worker = SimpleNamespace(name="one", log=LOG, concurrency=3, poll_seconds=0.5, draining=False, paused=False)
        self.pauses: list[float] = []
        self.now = 0.0
        self.shutdown.sleep = self.sleep  # type: ignore[method-assign]
        self.resilience = Resilience(LOG, "one")
        self.consumer = Consumer(
            cast("Any", self.worker),
            client=cast("Any", self.client),
            executor=cast("Any", self.executor),
            bookkeeping=cast("Any", SimpleNamespace(idle_state="idle")),
            resilience=self.resilience,
            shutdown=self.shutdown,
            clock=lambda: self.now,
        )

    async def sleep(self, seconds: float) -> None:
        """A pause, without its time."""
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def run(self, *, burst: bool = False, max_jobs: int | None = None, max_idle_time: float | None = None) -> None:
        """The loop, to its end."""
        await asyncio.wait_for(self.consumer.run(burst=burst, max_jobs=max_jobs, max_idle_time=max_idle_time), 5)


def run(case: Callable[[Setup], Awaitable[None]]) -> Setup:
    """Run a test's coroutine with a setup of its own."""

    async def main() -> Setup:
        setup = Setup()
        await case(setup)
        return setup

    return asyncio.run(main())


def test_it_waits_only_where_no_job_is_known_to_be_there() -> None:
    """A backlog, or an answer that is missing, is asked for at once."""

    async def case(setup: Setup) -> None:
        def changes() -> None:
            setup.client.backlog = {1: 5, 2: 0, 3: 0}.get(setup.client.calls.count("dequeue 3"), 0)
            setup.client.unanswered = len(setup.client.calls) == 3

        setup.client.during = changes
        setup.client.answers = [[], [], []]
        await setup.run()

    assert run(case).client.calls == ["wait 0.5", "dequeue 3", "dequeue 3", "dequeue 3", "wait 0.5", "dequeue 3"]


def test_it_asks_for_no_more_than_it_has_room_for_and_waits_for_an_end_when_full() -> None:
    """`concurrency` counts jobs at once."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [jobs("a", "b"), jobs("c"), jobs("d")]
        await setup.run()

    setup = run(case)
    assert [call for call in setup.client.calls if call.startswith("dequeue")] == ["dequeue 3", "dequeue 1", "dequeue 1", "dequeue 1"]
    assert (setup.executor.launched, setup.executor.waits) == (["a", "b", "c", "d"], 2)


def test_after_the_request_it_does_not_wait_for_a_job_s_end() -> None:
    """The jobs' grace has begun, and who called the loop counts it."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [jobs("a")]  # and then the request, while "a" runs
        await setup.run(burst=True)

    setup = run(case)
    assert (setup.executor.launched, setup.executor.waits) == (["a"], 0)


def test_it_ends_after_so_many_jobs() -> None:
    """And asks for no more than these."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [jobs("a"), jobs("b")]
        await setup.run(max_jobs=2)

    setup = run(case)
    assert [call for call in setup.client.calls if call.startswith("dequeue")] == ["dequeue 2", "dequeue 1"]
    assert not setup.shutdown.requested()


def test_a_burst_ends_with_the_queue_and_never_waits_for_a_job() -> None:
    """When nothing runs any more: what runs may enqueue itself again."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [jobs("a"), [], []]
        await setup.run(burst=True)

    setup = run(case)
    assert setup.client.calls == ["dequeue 3", "dequeue 2", "dequeue 3"]
    assert setup.executor.waits == 1
    assert not setup.shutdown.requested()


def test_a_burst_looks_again_when_a_job_ended_while_it_looked() -> None:
    """The queue was empty as it looked; the job that ended meanwhile may be in it again."""

    async def case(setup: Setup) -> None:
        def end() -> None:
            if len(setup.client.calls) == 2:
                setup.executor.runs.clear()

        setup.client.during = end
        setup.client.answers = [jobs("a"), [], jobs("a"), [], []]
        await setup.run(burst=True)

    assert run(case).executor.launched == ["a", "a"]


def test_a_burst_does_not_wait_for_the_end_of_a_suspension() -> None:
    """It ends, as RQ's own does."""

    async def case(setup: Setup) -> None:
        setup.client.suspended, setup.client.backlog = True, 9
        setup.client.answers = [[], []]
        await setup.run(burst=True)

    assert run(case).client.calls == ["dequeue 3"]


def test_it_ends_after_an_idle_time() -> None:
    """Which begins anew with each job, and while one runs."""

    async def case(setup: Setup) -> None:
        def pass_time() -> None:
            setup.now += 10
            if len(setup.client.answers) == 2:  # the job has run until now
                setup.executor.runs.clear()

        setup.client.during = pass_time
        setup.client.answers = [[], jobs("a"), [], [], [], []]
        await setup.run(max_idle_time=15)

    setup = run(case)
    assert (setup.executor.launched, setup.now, setup.shutdown.requested()) == (["a"], 60.0, False)


def test_an_outage_is_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    """A short pause after each error; one line for all of them, and one for the return."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [RedisAway("away"), OSError("away"), jobs("a")]
        await setup.run()

    setup = run(case)
    assert (setup.executor.launched, setup.pauses) == (["a"], [consumer.OUTAGE_SECONDS] * 2)
    assert caplog.messages == ["Worker one: Redis is away (ConnectionError), trying again", "Worker one: Redis is back"]


def test_any_other_error_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that a server may answer ends the worker."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [ValueError("wrong"), jobs("a")]
        await setup.run()

    setup = run(case)
    assert (setup.executor.launched, setup.pauses) == (["a"], [consumer.ERROR_SECONDS])
    assert caplog.messages == ["Worker one: could not take jobs"]


def test_a_draining_worker_has_no_room_and_pauses() -> None:
    """The script puts back what a wait has moved; there is no wait while it drains."""

    async def case(setup: Setup) -> None:
        setup.worker.draining = setup.worker.paused = True
        setup.client.answers = [[]]
        await setup.run()

    setup = run(case)
    assert setup.client.calls == ["dequeue 0", "dequeue 0"]
    assert setup.pauses == [0.5, 0.5]
    assert setup.executor.followed == 1


def test_jobs_that_are_answered_after_the_request_do_not_begin_and_are_requeued() -> None:
    """They are recorded as started; another worker shall begin them."""

    async def case(setup: Setup) -> None:
        setup.client.answers = [jobs("a", "b")]
        setup.client.during = setup.shutdown.request
        await setup.run()
        await setup.consumer.requeue()

    setup = run(case)
    assert (setup.executor.launched, setup.client.requeued) == ([], [(jobs("a", "b"), "idle")])


def test_a_missing_answer_is_asked_for_once_more_at_the_end() -> None:
    """Without room: what it names is requeued."""

    async def case(setup: Setup) -> None:
        setup.client.unanswered = True
        setup.client.answers = [jobs("a")]
        await setup.consumer.requeue()

    setup = run(case)
    assert setup.client.calls == ["dequeue 0"]
    assert setup.client.requeued == [(jobs("a"), "idle")]


def test_without_anything_to_put_back_nothing_is_sent() -> None:
    """The ordinary end."""

    async def case(setup: Setup) -> None:
        await setup.consumer.requeue()

    setup = run(case)
    assert (setup.client.calls, setup.client.requeued) == ([], [])


def test_a_job_that_the_wait_moved_after_the_request_is_left_to_the_requeuing() -> None:
    """The script is not asked for more."""

    async def case(setup: Setup) -> None:
        async def move(_seconds: float) -> None:
            setup.client.calls.append("wait")
            setup.shutdown.request()

        setup.client.wait = move  # type: ignore[method-assign,assignment]
        await setup.run()

    assert run(case).client.calls == ["wait"]
