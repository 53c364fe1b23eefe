"""The sweep: cheap when idle, patient when Redis is away, ended when told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone
from structlog.testing import capture_logs

from shared.mailbox.call import Call
from shared.mailbox.calls import Due, Swept
from supervisor_worker.process import sweep
from supervisor_worker.process.sweep import Sweep

DUE = (Due("c-1", "sms"), Due("c-2", "email"))


class FakeResources:
    """Answers each look with the next of `looks`, and tells the sweep to stop after the last."""

    def __init__(self, *looks: tuple[Due, ...] | Exception) -> None:
        self.asked: list[Any] = []
        self.woken: list[tuple[Due, ...]] = []
        self._looks: Iterator[tuple[Due, ...] | Exception] = iter(looks)
        self._left = len(looks)
        settings = SimpleNamespace(sweep_seconds=0.001, sweep_recheck_seconds=10.0)
        self.mailbox = self
        self.context = SimpleNamespace(settings=settings, stopping=asyncio.Event(), life_ms=4_000, lease_ms=60_000)

    async def run(self, call: Call[Any]) -> Any:
        """The mailbox's next answer."""
        self.asked.append((call.args["recheck"], call.args["mark"]))
        look = next(self._looks)
        self._left -= 1
        if not self._left:
            self.context.stopping.set()
        if isinstance(look, Exception):
            raise look
        return Swept(look)

    async def wake_all(self, due: tuple[Due, ...]) -> None:
        """What `WorkerResources.wake_all` promises."""
        self.woken.append(due)

    async def oldest_wait_ms(self) -> int:
        """A slow queue, until the last look but one."""
        self.asked.append("wait")
        return 7000 if self._left > 1 else 0


def swept(*looks: tuple[Due, ...] | Exception) -> tuple[FakeResources, list[Any]]:
    """A resources after its sweep, and what was logged."""

    async def run() -> FakeResources:
        resources = FakeResources(*looks)
        await asyncio.wait_for(Sweep(resources).run(), 10)  # type: ignore[arg-type]
        return resources

    with capture_logs() as lines:
        return asyncio.run(run()), lines


def test_an_idle_sweep_asks_one_question() -> None:
    """Nothing due: no job is written, and nobody asks how long the queue has waited."""
    resources, _ = swept((), (), ())
    assert resources.asked == [(10_000, 1000)] * 3
    assert resources.woken == []


def test_what_is_due_is_woken_and_a_slow_queue_prolongs_its_marks() -> None:
    """The queue's oldest wait is asked while there is work, and given to the next look, twice over, until it is over."""
    resources, _ = swept(DUE, (), (), ())
    assert resources.woken == [DUE]
    assert resources.asked == [(10_000, 1000), "wait", (10_000, 14_000), "wait", (10_000, 14_000), "wait", (10_000, 1000)]


def test_an_outage_is_logged_once_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of error is survived; one line at the begin of the trouble, one at its end."""
    monkeypatch.setattr(sweep, "MAX_WAIT_SECONDS", 0.002)
    resources, lines = swept(RedisGone("gone"), OSError(), ValueError("a bug"), DUE)
    assert resources.woken == [DUE]
    assert [line["action"] for line in lines] == ["sweep_failed", "sweep_recovered"]
    assert "bug" not in str(lines)
