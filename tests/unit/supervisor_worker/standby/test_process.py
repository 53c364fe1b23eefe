"""The standby's decisions, with a worker that is only played, over the real script and a clock that the test turns."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import ConnectionError as RedisGone
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox, keys
from shared.mailbox.call import Call
from shared.mailbox.wake_queue import QUEUE, WORKER_PREFIX
from supervisor_worker.standby.child_worker import DRAIN, WORK
from supervisor_worker.standby.process import DRAIN_SECONDS, FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, Standby
from tests.support.fake_mailbox import ServerClock

T = TypeVar("T")
AFTER = 15.0


class FakeChild:
    """A worker that hears, and ends when the test says so."""

    def __init__(self, number: int) -> None:
        self.name = f"standby@host-{number}"
        self.status: int | None = None
        self.heard: list[str] = []

    def send(self, command: str) -> None:
        """Heard."""
        self.heard.append(command)

    def close_pipe(self) -> None:
        """The end of the pipe."""
        self.heard.append("close pipe")

    def stop(self) -> None:
        """Ended and waited for."""
        self.heard.append("stop")


class Stage(Mailbox):
    """A standby among regular workers that beat or do not; and its mailbox, whose Redis may be `away`."""

    def __init__(self, settings: Settings, clock: ServerClock) -> None:
        super().__init__(FakeRedis(server=FakeServer(), protocol=2))
        self.clock = clock
        self.away = False
        self.beating: set[str] = set()
        self.said: list[tuple[str, str]] = []
        self.children: list[FakeChild] = []
        self.no_room = False
        self.standby = Standby(settings, self, self.start_worker, clock.time)

    def start_worker(self, grace: float) -> Any:
        """A new worker."""
        assert grace == 4
        if self.no_room:
            raise BlockingIOError
        self.children.append(FakeChild(len(self.children)))
        return self.children[-1]

    def run(self, call: Call[T]) -> T:
        """The mailbox's one call."""
        if self.away:
            raise RedisGone
        self.said.append((str(call.args["state"]), str(call.args["shift"])))
        return super().run(call)

    def beat(self) -> None:
        """The heartbeats of the regular workers, in RQ's records of them."""
        for name in self.beating:
            self.redis.sadd(WORKERS_BY_QUEUE_KEY % QUEUE, WORKER_PREFIX + name)
            self.redis.hset(WORKER_PREFIX + name, "last_heartbeat", str(self.clock.ms))

    def steps(self, seconds: float) -> None:
        """So much time, a look each half second."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(500)
            self.beat()
            self.standby.step()

    @property
    def book(self) -> list[str]:
        """The states of the standbys that are known."""
        records: Any = self.redis.hvals(keys.STANDBY)
        return [json.loads(record)["state"] for record in records]

    def working(self) -> FakeChild:
        """Everybody has died, and the standby works."""
        self.beating.clear()
        before = len(self.children)
        while len(self.children) == before:
            self.steps(0.5)
        return self.children[-1]


@pytest.fixture
def stage(clock: ServerClock) -> Stage:
    return Stage(load_settings(sandbox="on", standby_after_seconds=AFTER), clock)


def test_it_works_once_nobody_was_heard_of_for_the_full_time(stage: Stage) -> None:
    """Not while somebody beats; then after 15 s, with one worker of its own, and it says so at each look."""
    stage.beating = {"a"}
    stage.steps(60)
    assert not stage.children
    stage.beating.clear()
    stage.steps(AFTER - 0.5)
    assert not stage.children
    stage.steps(1)
    assert (len(stage.children), stage.said[-1]) == (1, ("working", "standby@host-0"))
    stage.steps(60)
    assert (len(stage.children), stage.children[0].heard) == (1, [])


def test_it_retires_when_a_worker_lives_and_watches_when_the_last_turn_has_ended(stage: Stage) -> None:
    """One command; its worker ends by itself, and the full time begins anew."""
    child = stage.working()
    stage.beating = {"a"}
    stage.steps(20)
    assert (child.heard, stage.standby.standing) == ([DRAIN], "retiring")
    child.status = 0
    stage.steps(1)
    assert stage.said[-1] == ("watching", "")
    assert stage.working() is not child


def test_it_works_on_when_the_workers_vanish_while_it_retires(stage: Stage) -> None:
    """By the same rule; the same worker goes on."""
    child = stage.working()
    stage.beating = {"a"}
    stage.steps(2)
    stage.beating = set()
    stage.steps(AFTER + 1)
    assert (child.heard, stage.standby.standing, len(stage.children)) == ([DRAIN, WORK], "working", 1)


def test_turns_that_do_not_end_are_handed_over_and_in_the_end_cut_off(stage: Stage) -> None:
    """A regular worker is there to take them."""
    child = stage.working()
    stage.beating = {"a"}
    stage.steps(DRAIN_SECONDS)
    assert child.heard == [DRAIN]
    stage.steps(2)
    assert set(child.heard[1:]) == {"close pipe"}
    stage.steps(4)
    assert child.heard[-1] == "stop"


def test_while_redis_is_away_nothing_changes_and_afterwards_everybody_has_the_full_time(stage: Stage) -> None:
    """Nobody can be heard of then, and nobody could work."""
    stage.beating = {"a"}
    stage.steps(5)
    stage.away = True
    stage.steps(300)
    stage.away = False
    stage.beating.clear()
    stage.steps(AFTER - 0.5)
    assert not stage.children
    stage.steps(1)
    assert len(stage.children) == 1
    stage.away = True
    stage.steps(300)
    assert stage.children[0].heard == []


def test_a_worker_that_ends_by_itself_is_replaced_with_a_growing_pause(stage: Stage) -> None:
    """A crash, or settings that it refuses: neither ends the standby, and it does not spin."""
    stage.working().status = 1
    for seconds in (
        FIRST_WAIT_SECONDS,
        2 * FIRST_WAIT_SECONDS,
        4 * FIRST_WAIT_SECONDS,
        8 * FIRST_WAIT_SECONDS,
        MAX_WAIT_SECONDS,
        MAX_WAIT_SECONDS,
    ):
        known = len(stage.children)
        stage.steps(seconds)
        assert len(stage.children) == known
        stage.steps(1)
        assert len(stage.children) == known + 1
        stage.children[-1].status = 2
    stage.steps(MAX_WAIT_SECONDS)
    stage.children[-1].status = 0
    stage.steps(1)
    assert stage.children[-1].status is None


def test_no_room_for_a_process_is_waited_out(stage: Stage) -> None:
    """The standby stays and tries again."""
    stage.no_room = True
    stage.steps(AFTER + 1)
    stage.no_room = False
    stage.steps(FIRST_WAIT_SECONDS + 0.5)
    assert len(stage.children) == 1


@pytest.mark.parametrize("away", [False, True])
def test_told_to_end_it_ends_its_worker_and_leaves_the_book_unless_redis_is_away(stage: Stage, away: bool) -> None:
    """Nobody waits for a server that does not answer."""
    child = stage.working()
    stage.away = away
    stage.steps(0.5)
    said = len(stage.said)
    stage.standby.end()
    assert child.heard == ["stop"]
    assert stage.said[said:] == ([] if away else [("gone", "")])
    assert stage.book == (["watching"] if away else [])  # as it said last
