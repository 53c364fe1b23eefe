"""What the queue client sends, and when it leaves an end to RQ's own code; the server's answers are the test's."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from rq import Callback, Repeat, Retry
from rq.defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.job import Job
from rq.rate_limit import RateLimit
from rq.utils import current_timestamp
from rq.worker.base import BaseWorker

from rq_async.queue_client import MAX_DEQUEUED, QueueClient
from rq_async.run import SAVED_ATTRIBUTES, Run
from rq_async.scripts import DEQUEUE, FINISH, REQUEUE
from tests.support.rq_offline import offline, started

T = TypeVar("T")
NOTHING = "tests.support.worker_jobs.nothing"
NO_JOBS = [0, 0, []]


class FakeServer:
    """Answers what the test says, in turn; errors are raised."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.sent: list[tuple[Any, ...]] = []
        self.moved: bytes | None = None

    async def execute_command(self, *args: Any) -> Any:
        """A script."""
        self.sent.append(args)
        answer = self.answers.pop(0) if self.answers else NO_JOBS
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def blmove(self, *args: Any) -> bytes | None:
        """The wait for a job."""
        self.sent.append(("BLMOVE", *args))
        return self.moved


class Setup:
    """A client with its worker and server."""

    def __init__(self, kind: type[BaseWorker] = BaseWorker) -> None:
        self.worker = offline(kind)
        self.server = FakeServer()
        self.client = self.make_client()

    def make_client(self) -> QueueClient:
        """A client of this worker."""
        return QueueClient(self.worker, self.server, cast("Any", self.server))

    def started(self, **options: Any) -> Run:
        """A job that has just returned."""
        run = started(self.worker, NOTHING, **options)
        run.job.ended_at = cast("Any", run.job.started_at) + timedelta(seconds=2.5)
        return run

    def arguments(self, number: int = -1) -> list[Any]:
        """The arguments of a call of a script, without its keys."""
        _, _, keys, *rest = self.server.sent[number]
        return rest[keys:]


@pytest.fixture
def setup() -> Setup:
    return Setup()


def run(call: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await call()

    return asyncio.run(main())


def test_a_call_is_repeated_under_its_nonce_until_it_is_answered(setup: Setup) -> None:
    """The lost answer may name jobs that nobody else would run. The next call has a nonce of its own."""
    setup.server.answers = [RedisAway("lost"), RedisAway("lost"), [0, 3, []]]

    async def dequeue() -> None:
        for unanswered in (True, True, False):
            if unanswered:
                with pytest.raises(RedisAway):
                    await setup.client.dequeue(5)
            else:
                await setup.client.dequeue(5)
            assert setup.client.unanswered == unanswered
        await setup.client.dequeue(5)

    run(dequeue)
    nonces = [setup.arguments(number)[1] for number in range(4)]
    assert nonces[0] == nonces[1] == nonces[2] != nonces[3]


def test_two_clients_have_different_nonces(setup: Setup) -> None:
    """A worker that was restarted under its old name must not be answered with the jobs of its predecessor."""
    run(lambda: setup.client.dequeue(5))
    run(lambda: setup.make_client().dequeue(5))
    assert setup.arguments(0)[1] != setup.arguments(1)[1]


def test_what_a_wait_has_moved_goes_with_the_next_dequeue(setup: Setup) -> None:
    """And with that alone, once it was answered."""
    setup.server.moved = b"a"
    run(lambda: setup.client.wait(1.5))
    assert setup.server.sent == [("BLMOVE", "rq:queue:things", "rq:queue:things:intermediate", 1.5)]
    assert setup.client.unanswered
    setup.server.answers = [RedisAway("lost")]
    with pytest.raises(RedisAway):
        run(lambda: setup.client.dequeue(5))
    run(lambda: setup.client.dequeue(5))
    run(lambda: setup.client.dequeue(5))
    assert [setup.arguments(number)[2] for number in (1, 2, 3)] == [b"a", b"a", ""]
    assert not setup.client.unanswered


@pytest.mark.parametrize(("room", "asked"), [(0, 0), (3, 3), (1000, MAX_DEQUEUED)])
def test_one_call_asks_for_a_bounded_number(setup: Setup, room: int, asked: int) -> None:
    """No script holds the server for long."""
    run(lambda: setup.client.dequeue(room))
    assert setup.server.sent[0][:2] == ("EVALSHA", DEQUEUE.sha)
    assert setup.arguments()[0] == asked


def test_the_answer_tells_the_backlog_and_a_suspension(setup: Setup) -> None:
    """They are known until the next one."""
    setup.server.answers = [[1, 7, []], NO_JOBS]
    run(lambda: setup.client.dequeue(5))
    assert (setup.client.suspended, setup.client.backlog) == (True, 7)
    run(lambda: setup.client.dequeue(5))
    assert (setup.client.suspended, setup.client.backlog) == (False, 0)


def test_jobs_come_in_the_order_of_the_answer(setup: Setup) -> None:
    """Each with the execution that the script recorded, and with the moment of the call."""
    rows = [[b"a", b"x1", [b"data", b"{}"]], [b"b", b"x2", []]]
    setup.server.answers = [[0, 0, rows]]
    runs = run(lambda: setup.client.dequeue(5))
    assert [(one.job.id, one.execution.id) for one in runs] == [("a", "x1"), ("b", "x2")]
    assert {one.job.started_at.timestamp() for one in runs if one.job.started_at} == {setup.arguments()[9]}


def test_jobs_are_requeued_with_the_registries_of_their_own_queues(setup: Setup) -> None:
    """A job may come from another queue."""
    runs = [setup.started(job_id="a"), setup.started(job_id="b")]
    runs[1].job.origin = "other"
    run(lambda: setup.client.requeue(runs, "suspended"))
    assert setup.server.sent[0][:2] == ("EVALSHA", REQUEUE.sha)
    _, _, state, *jobs = setup.arguments()
    assert state == "suspended"
    assert jobs == ["a", runs[0].execution.id, "rq:wip:things", "b", runs[1].execution.id, "rq:wip:other"]


def finish(setup: Setup, ended: Run, value: Any = 7) -> int | None:
    setup.server.answers = [[1, 4]]
    return run(lambda: setup.client.finish(ended, value, "idle"))


@pytest.mark.parametrize(("result_ttl", "kept"), [(0, 0), (-1, -1), (60, 60), (None, 500)])
def test_an_ordinary_end_is_one_script(setup: Setup, result_ttl: int | None, kept: int) -> None:
    """It answers how many executions the worker still has."""
    before = current_timestamp()
    ended = setup.started(result_ttl=result_ttl)
    assert finish(setup, ended) == 4
    assert setup.server.sent[0][:2] == ("EVALSHA", FINISH.sha)
    job_id, execution_id, ttl, _, expires_at, seconds, state, *_ = setup.arguments()
    assert (job_id, execution_id, ttl, seconds, state) == (ended.job.id, ended.execution.id, kept, 2.5, "idle")
    assert expires_at == "+inf" if kept < 0 else before + kept <= expires_at <= current_timestamp() + kept
    assert ended.job.get_status(refresh=False) == "finished"


def test_an_end_that_the_script_leaves_is_for_rq(setup: Setup) -> None:
    """It has seen a dependent."""
    setup.server.answers = [[0, 0]]
    assert run(lambda: setup.client.finish(setup.started(), 7, "idle")) is None


@pytest.mark.parametrize(
    "options",
    [
        {"on_success": Callback("tests.support.worker_jobs.note")},
        {"repeat": Repeat(times=1, interval=60)},
        {"rate_limit": RateLimit("key", 1)},
    ],
    ids=["callback", "repeat", "rate limit"],
)
def test_an_end_that_calls_or_enqueues_somebody_is_for_rq(setup: Setup, options: dict[str, Any]) -> None:
    """Nothing is sent."""
    assert finish(setup, setup.started(**options)) is None
    assert setup.server.sent == []


def test_a_retry_as_a_value_is_for_rq(setup: Setup) -> None:
    """The job is enqueued again."""
    assert finish(setup, setup.started(), Retry(max=1)) is None
    assert setup.server.sent == []


def test_a_job_that_changed_itself_is_for_rq(setup: Setup) -> None:
    """The script does not write its attributes."""
    ended = setup.started()
    ended.job.description = "another"
    assert finish(setup, ended) is None


def test_a_group_s_job_of_which_nothing_is_kept_is_for_rq(setup: Setup) -> None:
    """RQ takes it off the group's list; with a result it stays there."""
    ended = setup.started(result_ttl=0)
    ended.job.group_id = "g"
    ended.saved = SAVED_ATTRIBUTES(ended.job)
    assert finish(setup, ended) is None
    ended.job.result_ttl = 500
    ended.saved = SAVED_ATTRIBUTES(ended.job)
    assert finish(setup, ended) == 4


class OwnEnd(BaseWorker):
    """A worker with an end of its own."""

    def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
        """Something else."""


class OwnSave(Job):
    """A job that is saved in a way of its own."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Something more."""


def test_a_worker_or_job_class_with_an_end_of_its_own_keeps_it(setup: Setup) -> None:
    """The script does what RQ's methods do, and would pass over an override."""
    own = Setup(OwnEnd)
    assert finish(own, own.started()) is None
    setup.worker.job_class = OwnSave
    setup.client = setup.make_client()
    assert finish(setup, setup.started()) is None


def test_a_value_that_cannot_be_serialized_is_replaced_by_rq_s_sentence(setup: Setup) -> None:
    """The job has succeeded all the same."""
    assert finish(setup, setup.started(), object()) == 4
    fields = setup.arguments()[8:]
    result = dict(zip(fields[::2], fields[1::2], strict=True))
    assert result["type"] == 1
    assert json.loads(b64decode(result["return_value"])) == UNSERIALIZABLE_RETURN_VALUE_PAYLOAD


def test_a_result_without_a_value_has_no_field_for_it(setup: Setup) -> None:
    """As RQ writes it."""
    finish(setup, setup.started(), None)
    assert "return_value" not in setup.arguments()


def test_a_missing_time_is_for_rq(setup: Setup) -> None:
    """The time worked could not be told."""
    ended = setup.started()
    ended.job.started_at = None
    ended.saved = SAVED_ATTRIBUTES(ended.job)
    assert finish(setup, ended) is None
