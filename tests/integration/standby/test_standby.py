"""`boss standby` as a real process, among workers that live, die and come back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from rq_async import SAME_SIGNAL_SECONDS
from shared.mailbox.wake_queue import Dispatcher
from tests.support.forked_worker import ForkedWorker
from tests.support.processes import BossProcess
from tests.support.rq_enqueue import wake
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.turn_environment import TurnEnvironment, users_file
from tests.support.wait import wait_for

AFTER = "1"


def fast(redis_url: str, sandbox: SandboxProcess, after: str = AFTER) -> dict[str, str]:
    times = {"LEASE_SECONDS": "3", "SEND_TIMEOUT_SECONDS": "2", "STANDBY_AFTER_SECONDS": after}
    return {"REDIS_URL": redis_url, "BOSS_USERS_FILE": users_file(), "SANDBOX": "on", "SANDBOX_PORT": str(sandbox.port), **times}


@pytest.fixture
def settings(redis_url: str, sandbox: SandboxProcess) -> dict[str, str]:
    return fast(redis_url, sandbox)


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> TurnEnvironment:
    sandbox.faults(twilio={"status_callbacks": False})
    return TurnEnvironment(redis, redis_url, sandbox)


@pytest.fixture
def standby(settings: dict[str, str]) -> Iterator[BossProcess]:
    with BossProcess("standby", settings=settings) as process:
        yield process
    wait_for(lambda: not alive(process.pid), 5, "the end of all that it started")


def alive(group: int) -> list[str]:
    """The processes of a group, without those that only wait to be forgotten."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = place.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(place.parent.name)
    return found


def stands(redis: Redis, standing: str, seconds: float = 15) -> None:
    wanted = f'"state":"{standing}"'.encode()
    wait_for(lambda: [wanted in entry for entry in redis.hvals("boss:standby")] == [True], seconds, f"a standby that is {standing}")


def post(environment: TurnEnvironment, body: str, phone: str) -> str:
    """A text is taken and its conversation woken, as the webhook does; its id."""
    event = environment.text(body, phone)
    wake(Dispatcher(environment.redis), environment.conversation(event), "sms")
    return event.id


def answered(environment: TurnEnvironment, message: str, seconds: float = 15) -> None:
    wait_for(lambda: environment.ledger("answered", msg=message), seconds, "the answer")


def test_switched_off_it_says_so_and_touches_nothing(settings: dict[str, str], redis: Redis) -> None:
    """One line, no connection, no worker; status 0 when told to end."""
    before = len(redis.client_list())
    with BossProcess("standby", settings=settings | {"LOCAL_FALLBACK": "off", "STANDBY_AFTER_SECONDS": "0.3"}) as process:
        said = process.wait_for_output("LOCAL_FALLBACK=off\n")
        assert said == "standby stands aside: LOCAL_FALLBACK=off\n"
        assert len(redis.client_list()) == before
        assert alive(process.pid) == [str(process.pid)]
        assert process.terminate(3) == 0
        assert process.output == said


def test_it_comes_goes_stays_and_ends_as_the_workers_do(
    environment: TurnEnvironment, standby: BossProcess, settings: dict[str, str]
) -> None:
    """A long turn keeps it while it retires; new texts are the regular worker's, and its own again when that one is killed."""
    environment.sandbox.faults(anthropic={"latency_seconds": 0.2})
    with ForkedWorker(settings, environment.redis) as worker:
        stands(environment.redis, "watching")
        assert len(beats(environment.redis, worker.key, 5)) == 5
        answered(environment, post(environment, "to the worker", "+15551230001"))
        assert not environment.ledger("standby_started")
        worker.kill9()
    answered(environment, post(environment, "to the standby", "+15551230002"))
    stands(environment.redis, "working")
    environment.sandbox.faults(anthropic={"latency_seconds": 9})
    long = post(environment, "a long one", "+15551230003")
    environment.sandbox.wait("anthropic.messages", 3)
    environment.sandbox.faults(anthropic={"latency_seconds": 0.2})
    with ForkedWorker(settings, environment.redis) as worker:
        stands(environment.redis, "retiring")
        second = post(environment, "to the worker again", "+15551230004")
        answered(environment, second)
        assert holder(environment, second) == worker.key
        worker.kill9()
    third = post(environment, "to the standby again", "+15551230005")
    answered(environment, third)
    stands(environment.redis, "working")
    with ForkedWorker(settings, environment.redis):
        answered(environment, long)
        stands(environment.redis, "watching")
    begun, over = ([line.fields["worker"] for line in environment.ledger(kind)] for kind in ("standby_started", "standby_ended"))
    assert begun == over
    assert (environment.sandbox.count("twilio.create"), environment.sandbox.count("anthropic.messages")) == (5, 5)
    assert standby.terminate(3) == 0


def test_a_redis_that_was_away_brings_nobody_in(sandbox: SandboxProcess) -> None:
    """Away for longer than the full time: nobody could be heard of, and the workers are there when it is back."""
    with EmbeddedServer() as server, server.client() as redis:
        settings = fast(server.url, sandbox, "4")
        with ForkedWorker(settings, redis) as worker, BossProcess("standby", settings=settings) as standby:
            stands(redis, "watching")
            beat = redis.hget(worker.key, "last_heartbeat")
            server.kill9()
            standby.wait_for_output("standby_blind")
            time.sleep(4.3)  # the outage has to be longer than the full time, and nothing can be waited for in it
            server.start()
            wait_for(lambda: standby.output.count("standby_watches") == 2, 10, "the first look after the outage")
            wait_for(lambda: worker.key and redis.hget(worker.key, "last_heartbeat") not in (beat, None), 10, "the worker's return")
            stands(redis, "watching")
            assert "standby_started" not in standby.output
            assert standby.terminate(3) == 0


def test_told_to_end_while_it_watches_or_begins_it_ends_at_once(redis: Redis, settings: dict[str, str]) -> None:
    """Status 0, nothing of it left: no process, no entry."""
    # A child hears of it once it has imported what it reads the pipe by: a second, three on a busy machine. It is killed after 4.85.
    for word, seconds in (("standby_watches", 3), ("standby_started", 4.5)):
        with BossProcess("standby", settings=settings) as standby:
            standby.wait_for_output(word)
            assert standby.terminate(seconds) == 0, standby.output
            assert not alive(standby.pid)
            assert not redis.exists("boss:standby")
            assert not redis.smembers("rq:workers")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_when_it_ends_in_the_middle_of_a_turn_the_turn_is_given_up_at_once(
    environment: TurnEnvironment, standby: BossProcess, number: signal.Signals
) -> None:
    """Told to end, or killed itself: its worker goes as any other does, and no lease has to run out."""
    environment.sandbox.faults(anthropic={"latency_seconds": 8})
    event = environment.text()
    environment.sandbox.wait("anthropic.messages", 1, 40)
    os.kill(standby.pid, number)
    assert standby.wait(5) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    (released,) = wait_for(lambda: environment.ledger("backoff", conv=environment.conversation(event)), 3, "the release")
    assert (released.fields["reason"], environment.state(event)) == ("shutdown", "pending")
    wait_for(lambda: not alive(standby.pid), 5, "the end of its worker")
    assert not environment.redis.smembers("rq:workers")
    assert len(environment.ledger("standby_ended")) == (1 if number == signal.SIGTERM else 0)


def test_honchos_signal_to_the_whole_group_leaves_a_send_its_grace(environment: TurnEnvironment, standby: BossProcess) -> None:
    """It reaches the worker, and a moment later by way of the standby once more: one order to end, not a second that ends the grace."""
    environment.sandbox.faults(twilio={"latency_seconds": 1.9})
    event = environment.text()
    wait_for(lambda: environment.ledger("sending"), 15, "the attempt")
    (worker,) = (int(pid) for pid in alive(standby.pid) if int(pid) != standby.pid)
    os.kill(worker, signal.SIGTERM)
    time.sleep(SAME_SIGNAL_SECONDS + 0.05)  # the least at which a second signal would be another one
    assert standby.terminate(5) == 0
    assert (environment.state(event), environment.reply(event).state) == ("answered", "sent")
    assert not alive(standby.pid)


def beats(redis: Redis, key: str, count: int) -> set[bytes]:
    """Different heartbeats of a worker, in less time than two of the default's intervals."""
    seen: set[bytes] = set()

    def enough() -> bool:
        seen.add(cast("bytes", redis.hget(key, "last_heartbeat")))
        return len(seen) >= count

    wait_for(enough, 8, f"{count} heartbeats")
    return seen


def holder(environment: TurnEnvironment, message: str) -> str:
    """The key of the worker whose job answered a message: by RQ's record of that job."""
    conversation = next(line.fields["conv"] for line in environment.ledger("answered", msg=message))
    for key in environment.redis.scan_iter("rq:job:*"):
        record = cast("dict[bytes, bytes]", environment.redis.hgetall(key))
        if conversation.encode() in record[b"description"] and record.get(b"worker_name"):
            return "rq:worker:" + record[b"worker_name"].decode()
    return ""
