"""What runs for ever ends when it is told to, also when it did not hear it the first time."""

from __future__ import annotations

import asyncio

import pytest

from shared.process import tasks
from shared.process.tasks import cancel_and_wait, run_until


async def deaf(times: int) -> None:
    """Loses that many cancellations, as asyncio.wait_for can."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            times -= 1
            if times < 0:
                raise


def test_a_cancellation_that_got_lost_is_said_again() -> None:
    """However often, within reason."""

    async def play() -> list[bool]:
        tasks = [asyncio.create_task(deaf(times)) for times in (0, 1, 3)]
        await asyncio.sleep(0)
        await cancel_and_wait(tasks)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(play()) == [True, True, True]


def test_a_task_that_never_hears_keeps_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is to end all the same."""

    async def play() -> bool:
        task = asyncio.create_task(deaf(tasks.MAX_CANCELS))
        await asyncio.sleep(0)
        await cancel_and_wait([task])
        done = task.done()
        task.cancel()
        return done

    monkeypatch.setattr(tasks, "CANCEL_AGAIN_SECONDS", 0.001)
    assert not asyncio.run(play())


def test_what_is_done_already_is_left_alone() -> None:
    """Its result is its owner's."""

    async def play() -> int:
        task = asyncio.create_task(asyncio.sleep(0, 7))
        await task
        await cancel_and_wait([task])
        return task.result()

    assert asyncio.run(play()) == 7


def test_who_is_cancelled_while_it_cancels_ends_after_its_tasks() -> None:
    """A cancellation of the one who cancels would else leave a task behind that did not hear its own."""

    async def play() -> tuple[bool, bool]:
        task = asyncio.create_task(deaf(2))
        await asyncio.sleep(0)
        cancelling = asyncio.create_task(cancel_and_wait([task]))
        await asyncio.sleep(0)
        cancelling.cancel()
        await asyncio.wait({cancelling})
        return task.cancelled(), cancelling.cancelled()

    assert asyncio.run(play()) == (True, True)


@pytest.mark.parametrize(("grace", "finished"), [(0.0, False), (10.0, True)])
def test_work_under_way_has_its_grace_and_no_more(grace: float, *, finished: bool) -> None:
    """It ends by itself in that time, or is broken off."""

    async def play() -> bool:
        stopping, steps = asyncio.Event(), []

        async def work() -> None:
            await stopping.wait()
            for _ in range(5):
                await asyncio.sleep(0.001)
            steps.append("the last")

        asyncio.get_running_loop().call_soon(stopping.set)
        await run_until(stopping, work(), grace)
        return bool(steps)

    assert asyncio.run(play()) is finished


def test_the_error_of_what_runs_is_raised() -> None:
    """It is not lost with its task."""

    async def play() -> None:
        async def work() -> None:
            raise ZeroDivisionError

        await run_until(asyncio.Event(), work())

    with pytest.raises(ZeroDivisionError):
        asyncio.run(play())
