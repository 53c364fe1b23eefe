"""The request to end, and the waits that it cuts short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from rq_async.shutdown import Shutdown

T = TypeVar("T")
FOR_EVER = 3600.0


def run(case: Callable[[Shutdown], Awaitable[T]]) -> T:
    """Run a test's coroutine with a new object; it may take five seconds."""

    async def main() -> T:
        return await asyncio.wait_for(case(Shutdown()), 5)

    return asyncio.run(main())


async def never() -> None:
    """An answer that does not come."""
    await asyncio.Event().wait()


def soon(shutdown: Shutdown) -> None:
    """Request the end when everybody waits."""
    asyncio.get_running_loop().call_later(0.01, shutdown.request)


def test_the_age_counts_from_the_request() -> None:
    """By the clock that it was given."""
    now = 5.0

    async def request() -> Shutdown:
        shutdown = Shutdown(lambda: now)
        assert not shutdown.requested()
        shutdown.request()
        return shutdown

    shutdown = asyncio.run(request())
    now = 7.5
    assert shutdown.requested()
    assert shutdown.age == 2.5


def test_a_call_has_all_the_time_it_needs_before_the_request() -> None:
    """Only the request bounds it."""

    async def case(shutdown: Shutdown) -> str:
        return await shutdown.bounded(asyncio.sleep(0.05, "answer"), 0.0)

    assert run(case) == "answer"


def test_after_the_request_a_call_has_its_last_seconds() -> None:
    """What does not answer within them is given up."""

    async def case(shutdown: Shutdown) -> str:
        soon(shutdown)
        with pytest.raises(TimeoutError):
            await shutdown.bounded(never(), 0.01)
        return "given up"

    assert run(case) == "given up"


def test_an_answer_within_the_last_seconds_counts() -> None:
    """It may name jobs that the server has handed out."""

    async def case(shutdown: Shutdown) -> str:
        asyncio.get_running_loop().call_soon(shutdown.request)
        return await shutdown.bounded(asyncio.sleep(0.02, "answer"), FOR_EVER)

    assert run(case) == "answer"


def test_a_call_that_is_over_is_not_bounded_later() -> None:
    """A request between two calls finds none to cut short."""

    async def case(shutdown: Shutdown) -> bool:
        await shutdown.bounded(asyncio.sleep(0), 0.0)
        shutdown.request()
        await asyncio.sleep(0.01)
        return shutdown.requested()

    assert run(case)


def test_work_that_is_done_first_is_not_preceded() -> None:
    """Nor work that was done before anybody asked."""

    async def case(shutdown: Shutdown) -> list[bool]:
        work = asyncio.ensure_future(asyncio.sleep(0.01))
        return [await shutdown.precedes(work), await shutdown.precedes(work)]

    assert run(case) == [False, False]


def test_work_that_is_done_counts_also_after_the_request() -> None:
    """What it has achieved shall not be thrown away."""

    async def case(shutdown: Shutdown) -> bool:
        work = asyncio.ensure_future(asyncio.sleep(0))
        shutdown.request()
        await work
        return await shutdown.precedes(work)

    assert not run(case)


def test_a_request_precedes_work_that_is_not_done() -> None:
    """The work goes on: what becomes of it is its owner's to say."""

    async def case(shutdown: Shutdown) -> tuple[bool, bool]:
        work = asyncio.ensure_future(never())
        soon(shutdown)
        preceded = await shutdown.precedes(work)
        return preceded, work.done()

    assert run(case) == (True, False)


def test_a_sleep_ends_with_the_request() -> None:
    """And one that begins after it ends at once."""

    async def case(shutdown: Shutdown) -> None:
        soon(shutdown)
        await shutdown.sleep(FOR_EVER)
        await shutdown.sleep(FOR_EVER)
        assert shutdown.requested()

    run(case)


def test_a_sleep_ends_by_itself() -> None:
    """Without a request it is an ordinary sleep."""

    async def case(shutdown: Shutdown) -> bool:
        await shutdown.sleep(0.01)
        return shutdown.requested()

    assert not run(case)
