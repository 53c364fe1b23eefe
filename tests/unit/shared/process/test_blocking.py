"""Blocking code on an event loop: it runs there, lets it go while it waits, and blocks as ever in a thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from shared.process import blocking


async def said_by_loop(event: asyncio.Event, word: str) -> str:
    """A word, when the event has come."""
    await event.wait()
    return word


def test_functions_that_wait_let_each_other_run() -> None:
    """All in the loop's thread: the second one sets what the first one waits for."""

    async def both() -> list[str]:
        event, seen = asyncio.Event(), list[str]()

        def first() -> str:
            seen.append("first")
            return blocking.wait(said_by_loop(event, "word"))

        def second() -> str:
            seen.append("second")
            event.set()
            assert blocking.loop() is asyncio.get_running_loop()
            return threading.current_thread().name

        found = [*await asyncio.gather(blocking.run(first), blocking.run(second))]
        assert seen == ["first", "second"]
        return found

    assert asyncio.run(both()) == ["word", threading.current_thread().name]


def test_what_is_raised_reaches_the_function_and_its_caller() -> None:
    """From what was waited for to the function, and from the function to whoever awaits it."""

    async def fails() -> None:
        raise KeyError("awaited")

    def function() -> None:
        with pytest.raises(KeyError, match="awaited"):
            blocking.wait(fails())
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        asyncio.run(blocking.run(function))


def test_a_cancelled_caller_ends_its_function() -> None:
    """Its `finally` is run; nothing is left that waits."""
    ended = []

    def function() -> None:
        try:
            blocking.wait(asyncio.sleep(3600))
        finally:
            ended.append(True)

    async def cancelled() -> None:
        task = asyncio.create_task(blocking.run(function))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert ended == [True]


def test_what_blocks_is_done_in_a_thread_while_the_loop_goes_on() -> None:
    """And where the caller is a thread itself, there."""
    go = threading.Event()

    def function() -> tuple[bool, str]:
        return blocking.in_thread(go.wait, 10), blocking.in_thread(lambda: threading.current_thread().name)

    async def beside() -> tuple[bool, str]:
        running = asyncio.create_task(blocking.run(function))
        await asyncio.sleep(0)
        go.set()  # by the loop, which the function does not hold
        return await running

    waited, name = asyncio.run(beside())
    assert waited
    assert name != threading.current_thread().name
    assert blocking.loop() is None
    assert function() == (True, threading.current_thread().name)


def test_each_function_has_a_context_of_its_own() -> None:
    """Flask keeps a request in a context variable: two on one thread must not see each other's."""
    mine: contextvars.ContextVar[int] = contextvars.ContextVar("mine")

    def function(number: int) -> tuple[int | None, int]:
        before = mine.get(None)
        mine.set(number)
        blocking.wait(asyncio.sleep(0))
        return before, mine.get()

    async def all_of_them() -> list[tuple[int | None, int]]:
        return await asyncio.gather(*(blocking.run(function, number) for number in range(5)))

    assert asyncio.run(all_of_them()) == [(None, number) for number in range(5)]
