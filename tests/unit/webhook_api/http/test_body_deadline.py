"""The deadline of a body: who brings nothing, or too little, is not waited for; nobody else is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from webhook_api.http import body_deadline
from webhook_api.http.body_deadline import (
    BODY_SECONDS,
    BODY_SECONDS_UNDER_LOAD,
    MAX_BODY_SECONDS,
    MIN_BYTES_PER_SECOND,
    BodyDeadlines,
    BodyProgress,
)


class Clock:
    """`time`, as `body_deadline` knows it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Nobody else's."""
    clock = Clock()
    monkeypatch.setattr(body_deadline, "time", clock)
    return clock


def outcome(clock: Clock, after: float, *, received: int = 0, waited: float = 0.0, many: int = 1, beside: int = 0) -> str:
    """What becomes of a body that is looked at `after` seconds, and comes right after the look; `beside` others are under way."""

    async def story() -> str:
        watch, come, reading = BodyDeadlines(many), asyncio.Event(), BodyProgress()
        reading.received, reading.waited = received, waited
        others = [asyncio.create_task(watch.within(BodyProgress(), asyncio.sleep(3600))) for _ in range(beside)]
        mine = asyncio.create_task(watch.within(reading, come.wait()))
        await asyncio.sleep(0)
        clock.now += after
        watch.check()
        await asyncio.sleep(0.001)
        come.set()
        try:
            return "came" if await mine else ""
        except TimeoutError:
            return "late"
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    return asyncio.run(story())


def test_a_body_has_ten_seconds_and_what_its_bytes_excuse(clock: Clock) -> None:
    """A second for each 64 KiB, up to the longest."""
    assert outcome(clock, BODY_SECONDS - 0.1) == "came"
    assert outcome(clock, BODY_SECONDS + 0.1) == "late"
    assert outcome(clock, BODY_SECONDS + 4.9, received=5 * MIN_BYTES_PER_SECOND) == "came"
    assert outcome(clock, BODY_SECONDS + 5.1, received=5 * MIN_BYTES_PER_SECOND) == "late"
    assert outcome(clock, MAX_BODY_SECONDS + 1, received=10**9) == "late"


def test_with_many_under_way_each_has_less_time(clock: Clock) -> None:
    """So that a flood does not use up the connections."""
    assert outcome(clock, BODY_SECONDS_UNDER_LOAD + 0.1, many=2, beside=1) == "came"
    assert outcome(clock, BODY_SECONDS_UNDER_LOAD + 0.1, many=1, beside=1) == "late"


def test_the_waits_for_all_pieces_count_together_and_what_we_take_between_them_does_not(clock: Clock) -> None:
    """A client may not begin anew with each byte, and does not pay for a disk of ours."""
    assert outcome(clock, 0.2, waited=BODY_SECONDS - 0.1) == "late"

    async def slowly_read() -> float:
        watch, reading = BodyDeadlines(1), BodyProgress()

        def after(seconds: float) -> Callable[[], Awaitable[None]]:
            async def piece() -> None:
                clock.now += seconds

            return piece

        await watch.within(reading, after(2.0)())
        clock.now += 3600
        await watch.within(reading, after(3.0)())
        return reading.waited

    assert asyncio.run(slowly_read()) == pytest.approx(5.0)


def test_a_body_that_has_come_is_forgotten(clock: Clock) -> None:
    """And so is one that broke."""

    async def story() -> tuple[int, int]:
        watch = BodyDeadlines(1)

        async def breaks() -> None:
            raise OSError

        await watch.within(BodyProgress(), asyncio.sleep(0))
        with pytest.raises(OSError):  # noqa: PT011 - ours
            await watch.within(BodyProgress(), breaks())
        clock.now += 3600
        return watch.check(), len(watch._waiting)

    assert asyncio.run(story()) == (0, 0)


def test_the_watch_looks_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, as long as the loop runs."""
    monkeypatch.setattr(body_deadline, "CHECK_SECONDS", 0.001)
    monkeypatch.setattr(body_deadline, "BODY_SECONDS", 0.01)

    async def story() -> None:
        watch = BodyDeadlines(1)
        watching = asyncio.create_task(watch.watch())
        with pytest.raises(TimeoutError):
            await watch.within(BodyProgress(), asyncio.sleep(3600))
        watching.cancel()

    asyncio.run(story())
