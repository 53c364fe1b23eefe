"""The sweep on the real scripts: every lost job is replaced, and no conversation is woken twice at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self, cast

import pytest
from redis import Redis

from shared.mailbox import calls
from shared.mailbox.wake_queue import QUEUE, job
from supervisor_worker.process.resources import WorkerResources
from supervisor_worker.process.sweep import Sweep
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> TurnEnvironment:
    return TurnEnvironment(redis, redis_url, sandbox)


def sweep_once(environment: TurnEnvironment, times: int = 1) -> list[int]:
    """How many conversations each of so many looks woke; all of them are due each time."""

    async def run() -> list[int]:
        async with environment.context() as context:
            redis = context.mailbox.redis
            sweep = Sweep(WorkerResources(context, context.mailbox, redis, redis))
            woken = []
            for _ in range(times):
                await asyncio.to_thread(look_now, environment.redis)
                woken.append(await sweep.once())
            return woken

    return asyncio.run(run())


def look_now(redis: Redis) -> None:
    """The time of every conversation has come."""
    redis.zadd("boss:due", dict.fromkeys(cast("list[bytes]", redis.zrange("boss:due", 0, -1)), 0), xx=True)


def forget_marks(environment: TurnEnvironment) -> None:
    for key in environment.redis.scan_iter("boss:wake:*"):
        environment.redis.delete(key)


def queued(environment: TurnEnvironment) -> list[str]:
    """The conversations of the jobs in the queue, in order."""
    ids = cast("list[bytes]", environment.redis.lrange(f"rq:queue:{QUEUE}", 0, -1))
    jobs = [cast("Any", environment.redis.hget(f"rq:job:{job.decode()}", "description")).decode() for job in ids]
    return [job.partition(" ")[2] for job in jobs]


def test_a_conversation_with_a_queued_wake_up_is_not_woken_again(environment: TurnEnvironment) -> None:
    """The mark that a wake-up sets holds until a claim takes it: five looks at a due conversation write one job."""
    event = environment.text("hello")
    forget_marks(environment)
    assert sweep_once(environment, 5) == [1, 0, 0, 0, 0]
    assert queued(environment) == [environment.conversation(event)]


def test_a_wake_up_that_was_lost_is_replaced(environment: TurnEnvironment) -> None:
    """Without its job and without its mark, the conversation is woken again: text and mail, each on its own function."""
    text, mail = environment.text("hello"), environment.mail("hello")
    forget_marks(environment)
    sweep_once(environment)
    environment.redis.delete(f"rq:queue:{QUEUE}")
    forget_marks(environment)
    assert sweep_once(environment) == [2]
    assert sorted(queued(environment)) == sorted([environment.conversation(text), environment.conversation(mail)])


@pytest.mark.parametrize("slow", [timedelta(minutes=10), timedelta(minutes=-10)], ids=["slow", "fast"])
def test_a_host_whose_clock_is_wrong_makes_no_mark_outlive_its_wake_up(
    environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch, slow: timedelta
) -> None:
    """The queue's wait is measured on the server's clock, so a wake-up that dies with its worker is replaced within seconds."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(datetime.now(tz).timestamp(), tz) - slow

    with monkeypatch.context() as there:
        there.setattr("shared.mailbox.wake_queue.datetime", Wrong)
        event = environment.mail("hello")
        environment.mailbox.run(calls.enqueue([job(environment.conversation(event), "email")]))
    forget_marks(environment)
    sweep_once(environment, 2)
    other = environment.mail("hello")
    for conversation in (environment.conversation(event), environment.conversation(other)):
        assert 0 < environment.redis.pttl(f"boss:wake:{conversation}") < 10_000
