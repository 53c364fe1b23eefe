"""The loops of the bridge's process."""

from __future__ import annotations

import asyncio

import pytest

from bridge.server import server
from tests.support.wait import wait_for


def test_a_fault_of_ours_does_not_end_the_following(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge that takes messages and hears nothing of them would be worse than none."""
    monkeypatch.setattr(server, "RESTART_SECONDS", 0.0)
    runs: list[int] = []

    async def loop() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ValueError
        await asyncio.Event().wait()

    async def play() -> None:
        running = asyncio.create_task(server.for_ever(loop))
        await asyncio.to_thread(wait_for, lambda: len(runs) == 3, 5, "the third run")
        running.cancel()

    asyncio.run(play())
