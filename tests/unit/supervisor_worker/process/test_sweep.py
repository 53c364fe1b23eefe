"""The sweep: cheap when idle, patient when Redis is away, ended when told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisGone
from rq.job import Job
from structlog.testing import capture_logs

from shared.mailbox import calls, keys, wake_queue
from shared.mailbox.call import Call
from shared.operations import retries
from supervisor_worker.process import sweep
from supervisor_worker.process.resources import WorkerResources
from supervisor_worker.process.sweep import Sweep
from supervisor_worker.turns.retry_request import RetryServer
from tests.support.fake_mailbox import Conversation, FakeMailbox, ServerClock

SWEEP_SECONDS = 0.001
IDLE_MARK_MS = 1000


class Resources(WorkerResources):
    """A worker's, which note when somebody asks how long the queue's first job has waited."""

    async def oldest_wait_ms(self) -> int:
        """As a worker's own."""
        cast("Any", self.context).asked.append("wait")
        return await super().oldest_wait_ms()


class Polls:
    """A sweep of some polls; before each one happens what the test says, an error for one that does not reach Redis.

    `asked` holds the polls, each by the ms for which it lets a wake-up count, and the questions for the queue's wait.
    """

    def __init__(self, mailbox: FakeMailbox, *happenings: object) -> None:
        self.mailbox = mailbox
        self.lines: Sequence[Any] = ()
        self.asked: list[object] = []
        self._happenings = list(happenings)
        self._stopping = asyncio.Event()
        mailbox.before["sweep"] = self._poll

    def run(self) -> Polls:
        """Sweep until the last poll."""
        settings = SimpleNamespace(
            sweep_seconds=SWEEP_SECONDS, sweep_recheck_seconds=10.0, history_summaries=True, claude_timeout_seconds=90.0
        )  # fmt: skip
        context = SimpleNamespace(
            settings=settings, stopping=self._stopping, life_ms=4_000, lease_ms=60_000, quiet_ms=calls.QUIET_MS, asked=self.asked
        )  # fmt: skip
        resources = Resources(cast("Any", context), self.mailbox, self.mailbox.redis, self.mailbox.redis)

        async def sweeping() -> None:
            await asyncio.wait_for(Sweep(resources).run(), 10)

        with capture_logs() as self.lines:
            asyncio.run(sweeping())
        return self

    def _poll(self, call: Call[Any]) -> None:
        self.asked.append(call.args["mark"])
        happening = self._happenings.pop(0)
        if not self._happenings:
            self._stopping.set()
        if isinstance(happening, Exception):
            raise happening
        if callable(happening):
            happening()

    @property
    def queued(self) -> list[str]:
        """What the queue's jobs are about, the first one first."""
        redis: Any = self.mailbox.blocking.redis
        names = [name.decode() for name in redis.lrange(wake_queue.QUEUE_KEY, 0, -1)]
        return [redis.hget(Job.key_for(name), "description").decode().split()[-1] for name in names]


def due(clock: ServerClock) -> FakeMailbox:
    """A mailbox with two conversations whose wake-ups were lost, and whose time has come."""
    mailbox = FakeMailbox()
    for number in (1, 2):
        Conversation(clock, mailbox, f"c-{number}").accept(f"m-{number}")
        clock.advance(1)
    clock.advance(5_000)
    return mailbox


def test_an_idle_sweep_asks_one_question(clock: ServerClock) -> None:
    """Nothing due: no job is written, and nobody asks how long the queue has waited."""
    del clock
    mailbox = FakeMailbox()
    polls = Polls(mailbox, None, None, None).run()
    assert [(call.name, call.args["recheck"]) for call in mailbox.asked] == [("sweep", 10_000)] * 3
    assert (polls.asked, polls.queued) == ([IDLE_MARK_MS] * 3, [])


def test_what_is_due_is_woken_and_a_slow_queue_prolongs_its_marks(clock: ServerClock) -> None:
    """The queue's oldest wait is asked while there is work, and given to the next look, twice over, until it is over."""
    mailbox = due(clock)
    mailbox.blocking.run(calls.enqueue([wake_queue.job("c-0", "sms")]))
    clock.advance(7_000)

    def work_off() -> None:
        mailbox.blocking.redis.delete(wake_queue.QUEUE_KEY)

    polls = Polls(mailbox, None, None, work_off, None)
    mailbox.after["enqueue"] = lambda _: polls.asked.extend(polls.queued)
    polls.run()
    assert polls.asked == [IDLE_MARK_MS, "c-0", "c-1", "c-2", "wait", 14_000, "wait", 14_000, "wait", IDLE_MARK_MS]


def test_an_outage_is_logged_once_and_ends_nothing(clock: ServerClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of error is survived; one line at the begin of the trouble, one at its end."""
    monkeypatch.setattr(sweep, "MAX_WAIT_SECONDS", 0.002)
    polls = Polls(due(clock), RedisGone("gone"), OSError(), ValueError("a bug"), None).run()
    assert polls.queued == ["c-1", "c-2"]
    assert [line["action"] for line in polls.lines] == ["sweep_failed", "sweep_recovered"]
    assert "bug" not in str(polls.lines)


@pytest.mark.parametrize("grace", [0.0, sweep.LAST_POLL_SECONDS])
def test_what_a_poll_took_is_given_back_by_a_process_that_ends_at_that_moment(
    clock: ServerClock, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """An operator's request is free for the next worker at once, with its number of tries, also when the answer was not read yet."""
    mailbox = FakeMailbox()
    parked = Conversation(clock, mailbox)
    parked.accept()
    parked.claim("k-1")
    parked.run(calls.park("c-1", "k-1", "outage", looked_up=False, retention_ms=60_000))
    (operation,) = retries.request(mailbox.blocking, ["m-1"], by="ada")
    settings = SimpleNamespace(
        sweep_seconds=SWEEP_SECONDS, sweep_recheck_seconds=10.0, history_summaries=True, claude_timeout_seconds=90.0
    )  # fmt: skip
    context = SimpleNamespace(
        settings=settings, stopping=asyncio.Event(), life_ms=4_000, lease_ms=60_000, quiet_ms=calls.QUIET_MS, mailbox=mailbox
    )  # fmt: skip
    run = mailbox.run

    async def run_slowly(call: Call[Any]) -> Any:
        answer = await run(call)
        await asyncio.sleep(0.02 if call.name == "sweep" and not grace else 0)  # broken off before the answer comes
        return answer

    monkeypatch.setattr(mailbox, "run", run_slowly)
    sweeper = Sweep(WorkerResources(cast("Any", context), mailbox, mailbox.redis, mailbox.redis))

    monkeypatch.setattr(sweep, "LAST_POLL_SECONDS", grace)
    monkeypatch.setattr(RetryServer, "serve", lambda *_: asyncio.Event().wait())  # it asks a provider that does not answer
    mailbox.after["sweep"] = lambda _: context.stopping.set()
    asyncio.run(asyncio.wait_for(sweeper.run(), 10))
    redis: Any = mailbox.blocking.redis
    assert redis.zscore(keys.RETRIES, operation) <= clock.time() * 1000
    assert int(redis.hget(keys.retry_request(operation), "tries")) == 0
    assert mailbox.names() == ["sweep", "serve_retry"]
