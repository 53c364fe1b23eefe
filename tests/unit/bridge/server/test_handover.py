"""Handing messages over to clients that answer their users themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from bridge.server import handover
from bridge.server.handover import HandoverQueue
from shared.mailbox.call import Call
from shared.mailbox.records import MessageState
from tests.support.fake_mailbox import Conversation, ServerClock
from tests.support.wait import wait_for

MESSAGES = ("m-1", "m-2", "m-3")


class Desk:
    """The mailbox of some messages, which is away for as many calls as there are `faults`."""

    def __init__(self, clock: ServerClock, *faults: Exception) -> None:
        self.talk = Conversation(clock)
        for name in MESSAGES:
            self.talk.accept(name, "bridge")
        self.faults = list(faults)
        self.talk.mailbox.before["hand_over"] = self._fail

    def _fail(self, _call: Call[Any]) -> None:
        if self.faults:
            raise self.faults.pop(0)

    @property
    def answered(self) -> list[object]:
        """The messages of the calls that came through, in their order."""
        return [call.args["id"] for call in self.talk.mailbox.answered]

    @property
    def taken(self) -> list[str]:
        """The messages that were handed over."""
        return [name for name in MESSAGES if self.talk.message(name).state == MessageState.HANDED_OVER]


def handed_over(desk: Desk, *messages: str) -> list[object]:
    async def play() -> list[object]:
        handovers = HandoverQueue(desk.talk.mailbox, 1000)
        running = asyncio.create_task(handovers.run())
        for name in messages:
            handovers.add(name)
        await asyncio.to_thread(wait_for, lambda: not handovers._queued, 5, "the last hand-over")
        running.cancel()
        return desk.answered

    return asyncio.run(play())


def test_a_hand_over_is_tried_until_redis_is_back(clock: ServerClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were asked for; one that is asked for twice is one."""
    monkeypatch.setattr(handover, "RETRY_SECONDS", 0.0)
    desk = Desk(clock, RedisAway(), TimeoutError(), ResponseError("LOADING"))
    assert handed_over(desk, "m-1", "m-2", "m-1") == ["m-1", "m-2"]
    assert desk.taken == ["m-1", "m-2"]


def test_a_hand_over_is_not_tried_for_ever(clock: ServerClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded in time and in number."""
    monkeypatch.setattr(handover, "GIVE_UP_SECONDS", 0.0)
    away = Desk(clock, RedisAway())
    assert handed_over(away, "m-1", "m-2") == ["m-2"]
    assert away.taken == ["m-2"]
    monkeypatch.setattr(handover, "MAX_QUEUED", 2)
    assert handed_over(Desk(clock), "m-1", "m-2", "m-3") == ["m-2", "m-3"]
