"""Handing messages over to clients that answer their users themselves."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from bridge.server import handover
from bridge.server.handover import HandoverQueue
from shared.mailbox import AsyncMailbox
from tests.support.wait import wait_for


class Desk:
    """A mailbox that takes hand-overs when it is there."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.taken: list[str] = []

    async def run(self, call: Any) -> str:
        """One call."""
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(call.args["id"])
        return "handed_over"


def handed_over(desk: Desk, *messages: str) -> list[str]:
    async def play() -> list[str]:
        handovers = HandoverQueue(cast("AsyncMailbox", desk), 1000)
        running = asyncio.create_task(handovers.run())
        for name in messages:
            handovers.add(name)
        await asyncio.to_thread(wait_for, lambda: not handovers._queued, 5, "the last hand-over")
        running.cancel()
        return desk.taken

    return asyncio.run(play())


def test_a_hand_over_is_tried_until_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were asked for; one that is asked for twice is one."""
    monkeypatch.setattr(handover, "RETRY_SECONDS", 0.0)
    desk = Desk(RedisAway(), TimeoutError(), ResponseError("LOADING"))
    assert handed_over(desk, "m-1", "m-2", "m-1") == ["m-1", "m-2"]


def test_a_hand_over_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded in time and in number."""
    monkeypatch.setattr(handover, "GIVE_UP_SECONDS", 0.0)
    assert handed_over(Desk(RedisAway()), "m-1", "m-2") == ["m-2"]
    monkeypatch.setattr(handover, "MAX_QUEUED", 2)
    assert handed_over(Desk(), "m-1", "m-2", "m-3") == ["m-2", "m-3"]
