"""Repeating calls while Redis is away: waits by a clock of the test, and an outage in the log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ConnectionError as RedisAway

from rq_async import resilience
from rq_async.resilience import LATE_ERROR_SECONDS, MAX_WAIT_SECONDS, TRY_SECONDS, RedisOutage, Resilience

LOG = logging.getLogger("test_resilience")
AWAY = "Worker one: Redis is away (ConnectionError), trying again"
BACK = "Worker one: Redis is back"


class Clock:
    """Time that passes only in `sleep`, which notes how long each was."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        """Now, in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and others run."""
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resilient(clock: Clock) -> Resilience:
    return Resilience(LOG, "one", clock=clock, sleep=clock.sleep)


def failing(times: int, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
    """A call that fails so often and then succeeds."""
    left = [times]

    async def call() -> None:
        if left[0]:
            left[0] -= 1
            raise error or RedisAway("away")

    return call


def test_an_outage_has_one_begin_and_one_end(clock: Clock) -> None:
    """However many errors and successes there are."""
    outage = RedisOutage(clock)
    assert [outage.ends(), outage.begins(), outage.begins(), outage.ends(), outage.ends()] == [False, True, False, True, False]


def test_an_error_soon_after_the_end_is_of_the_same_outage(clock: Clock) -> None:
    """A slower thread may meet it when another one has seen Redis again already; a later error begins the next outage."""
    outage = RedisOutage(clock)
    outage.begins()
    outage.ends()
    clock.now = LATE_ERROR_SECONDS
    assert not outage.begins()
    clock.now += 0.1
    assert outage.begins()


def test_of_many_threads_one_is_told_of_the_begin() -> None:
    """All meet the outage at the same moment."""
    outage, told = RedisOutage(), []
    barrier = threading.Barrier(8)

    def meet() -> None:
        barrier.wait()
        told.append(outage.begins())

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(told) == 1


def test_a_call_is_repeated_with_growing_waits_until_it_succeeds(
    resilient: Resilience, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wait is twice the one before, up to a bound; jitter shortens it by half at most."""
    monkeypatch.setattr(resilience.random, "uniform", lambda _low, high: high)  # type: ignore[attr-defined]
    asyncio.run(resilient.retry(failing(8), float("inf")))
    assert clock.sleeps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, MAX_WAIT_SECONDS, MAX_WAIT_SECONDS])


def test_waits_are_spread(resilient: Resilience, clock: Clock) -> None:
    """Many jobs may end in one outage, and shall not all call at the same moment after it."""
    asyncio.run(resilient.retry(failing(50), float("inf")))
    assert len(set(clock.sleeps)) == 50
    assert all(MAX_WAIT_SECONDS / 2 <= wait <= MAX_WAIT_SECONDS for wait in clock.sleeps[10:])


def test_after_its_time_the_last_error_is_raised(resilient: Resilience, clock: Clock) -> None:
    """And not before."""
    with pytest.raises(RedisAway):
        asyncio.run(resilient.retry(failing(1000), 120.0))
    assert 120 <= clock.now <= 120 + MAX_WAIT_SECONDS


def test_an_error_that_is_not_redis_s_is_raised_at_once(resilient: Resilience, clock: Clock) -> None:
    """Repeating it would not help."""
    with pytest.raises(ValueError, match="wrong"):
        asyncio.run(resilient.retry(failing(1, ValueError("wrong")), 120.0))
    assert clock.sleeps == []


def test_an_outage_is_logged_once_and_its_end_once(resilient: Resilience, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Many calls meet it; an error that comes late is not another outage."""

    async def outage() -> None:
        await asyncio.gather(*(resilient.retry(failing(3), float("inf")) for _ in range(10)))
        resilient.note_return()
        resilient.note_return()
        resilient.note_outage(RedisAway("of a slower thread"))

    asyncio.run(outage())
    assert caplog.messages == [AWAY, BACK]
    clock.now += LATE_ERROR_SECONDS + 1
    resilient.note_outage(RedisAway("the next one"))
    assert caplog.messages == [AWAY, BACK, AWAY]


def test_what_need_not_succeed_is_tried_once(resilient: Resilience, caplog: pytest.LogCaptureFixture) -> None:
    """An outage ends the try, and is logged."""
    asyncio.run(resilient.try_once(failing(1)()))
    assert caplog.messages == [AWAY]


def test_what_need_not_succeed_is_not_waited_for(
    resilient: Resilience, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that hangs does not hold up the end."""
    monkeypatch.setattr(resilience, "TRY_SECONDS", TRY_SECONDS / 100)

    async def hang() -> None:
        await asyncio.Event().wait()

    asyncio.run(asyncio.wait_for(resilient.try_once(hang()), 5))
    assert caplog.messages == ["Worker one: Redis is away (TimeoutError), trying again"]


def test_a_duty_is_called_again_whatever_it_raises(resilient: Resilience, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """In a thread, with the same pause each time; what is not an outage is logged with its traceback."""
    threads: list[str] = []
    end: list[Callable[[], object]] = []
    errors: list[Exception | None] = [RedisAway("away"), ValueError("wrong"), None]

    def duty() -> None:
        threads.append(threading.current_thread().name)
        if (error := errors[len(threads) - 1]) is not None:
            raise error
        if len(threads) == len(errors):
            end[0]()

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        task = loop.create_task(resilient.every(7.0, duty))
        end.append(lambda: loop.call_soon_threadsafe(task.cancel))
        await asyncio.wait({task}, timeout=5)
        return task.cancelled()

    assert asyncio.run(main())
    assert [name.startswith("rq-records") for name in threads] == [True] * 3
    assert set(clock.sleeps) == {7.0}
    assert caplog.messages == [AWAY, "Worker one: duty failed"]


def test_after_the_close_nothing_more_begins(resilient: Resilience) -> None:
    """What waits for a thread is dropped."""

    async def late() -> None:
        resilient.close()
        await resilient.in_thread(lambda: None)

    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(late())
