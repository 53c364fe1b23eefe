"""A host's clock beside the server's."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from structlog.testing import capture_logs

from shared.storage.clock_skew import MEASURE_SECONDS, WARN_AGAIN_SECONDS, ClockWatch, between, skew
from supervisor_worker.process.clock_watch import watch_clock


class Server:
    """Answers TIME, so many seconds behind this host."""

    def __init__(self, behind: float = 0.0, error: Exception | None = None) -> None:
        self.behind = behind
        self.error = error
        self.asked = 0

    def time(self) -> tuple[int, int]:
        """TIME."""
        self.asked += 1
        if self.error:
            raise self.error
        now = time.time() - self.behind
        return int(now), int(now % 1 * 1_000_000)


class Ticks:
    """A monotonic clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


def test_the_server_s_time_was_read_halfway_through_the_round_trip() -> None:
    """A slow network is no wrong clock."""
    assert between(100.0, (101, 500_000), 103.0) == 0
    assert between(100.0, (100, 0), 100.0) == 0


@pytest.mark.parametrize("behind", [0.0, 3.0, -3.0, 600.0])
def test_the_skew_is_positive_for_a_host_that_is_ahead(behind: float) -> None:
    """And negative for one that is behind."""
    assert skew(Server(behind)) == pytest.approx(behind, abs=0.5)  # type: ignore[arg-type]


def test_the_server_is_asked_once_a_minute_and_a_wrong_clock_said_once_an_hour() -> None:
    """However often somebody looks."""
    ticks, server = Ticks(), Server(5.0)
    watch = ClockWatch(ticks)
    with capture_logs() as logs:
        for _ in range(int(2 * WARN_AGAIN_SECONDS) // 10):
            assert watch.seconds(server) == pytest.approx(5.0, abs=0.5)  # type: ignore[arg-type]
            ticks.now += 10
    assert server.asked == 2 * WARN_AGAIN_SECONDS / MEASURE_SECONDS
    assert [(line["action"], line["seconds"]) for line in logs] == [("clock_skew", 5.0)] * 2


@pytest.mark.parametrize(("behind", "said"), [(1.5, 0), (-1.5, 0), (2.5, 1), (-2.5, 1)])
def test_only_a_wrong_clock_is_said(behind: float, said: int) -> None:
    """In either direction; two seconds are none."""
    with capture_logs() as logs:
        ClockWatch().seconds(Server(behind))  # type: ignore[arg-type]
    assert len(logs) == said


def test_without_the_server_nothing_is_known_and_nothing_raised() -> None:
    """What was measured before says nothing about now."""
    ticks = Ticks()
    watch = ClockWatch(ticks)
    assert watch.seconds(Server()) is not None  # type: ignore[arg-type]
    ticks.now += MEASURE_SECONDS
    assert watch.seconds(Server(error=RedisAway())) is None  # type: ignore[arg-type]


def test_a_worker_looks_again_and_again_also_after_an_outage() -> None:
    """It is said by the worker's own log."""

    class Back(Server):
        """Away twice; then its answer ends the test's loop at the next look."""

        async def time(self) -> tuple[int, int]:  # type: ignore[override]
            """TIME."""
            if self.asked == 2:
                self.error = None
            if self.asked == 3:
                raise KeyboardInterrupt
            return Server.time(self)

    server: Any = Back(5.0, RedisAway())
    with capture_logs() as logs, pytest.raises(KeyboardInterrupt):
        asyncio.run(watch_clock(server, every=0.001))
    assert [line["action"] for line in logs] == ["clock_skew"]
