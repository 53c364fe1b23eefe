"""Hundreds of turns under way in one process, and then the worst: each text is answered once all the same."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Final, cast

import pytest
from rq.command import send_stop_job_command
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import QUEUE
from tests.chaos.table import FULL
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.installation import Installation, Person, in_threads
from tests.support.users_file import BOSS_PHONE
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
CROWD: Final = 200 if FULL else 100
SECONDS: Final = 60
OK: Final = 200
BURST_SECONDS: Final = 2
WRITERS: Final = 40
"""So many people's texts are posted at once: two cores need five seconds for all of them."""


@pytest.fixture(scope="module")
def people(shared_whole: Installation) -> list[Person]:
    """So many that one process is full of them."""
    return [shared_whole.person() for _ in range(CROWD)]


@pytest.fixture
def worker(installation: Installation, people: list[Person]) -> CrashingWorker:
    """A worker with all their turns under way: Claude has every question and has answered none."""
    installation.sandbox.faults(anthropic={"hold": True}, twilio={"status_callbacks": False})
    (worker,) = installation.fork(1, WORKER_CONCURRENCY=str(CROWD))
    assert set(installation.texts(people, 1)) == {OK}
    installation.sandbox.wait("anthropic.messages", CROWD, SECONDS)
    wait_for(lambda: under_way(installation) == CROWD, 10, f"{CROWD} executions")
    assert installation.sandbox.count("twilio.create") == 0
    return worker


@pytest.fixture
def answering(installation: Installation) -> CrashingWorker:
    """A worker that is full of them as well, and answers at once."""
    installation.sandbox.faults(twilio={"status_callbacks": False})
    (worker,) = installation.fork(1, WORKER_CONCURRENCY=str(CROWD))
    return worker


def under_way(installation: Installation) -> int:
    """How many executions RQ's records show."""
    return sum(int(cast("Any", installation.redis.scard(key))) for key in installation.redis.scan_iter("rq:worker:*:executions"))


def assert_each_answered_once(installation: Installation, people: list[Person]) -> None:
    installation.sandbox.faults(anthropic={"hold": False})
    installation.quiet(SECONDS)
    assert {person.tag: installation.assert_one_copy(person) for person in people} == {person.tag: ["1"] for person in people}


def test_a_kill_loses_nothing_and_doubles_nothing(installation: Installation, worker: CrashingWorker, people: list[Person]) -> None:
    """Kill -9: another worker takes all of them when their leases have ended."""
    worker.kill9()
    installation.fork(1, WORKER_CONCURRENCY=str(CROWD))
    assert_each_answered_once(installation, people)


def test_sigterm_hands_all_of_them_over(installation: Installation, worker: CrashingWorker, people: list[Person]) -> None:
    """The process gives up every turn before it ends, so that nobody waits for a lease."""
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: not worker.alive, 10, "the worker's end")
    conversations = [key for key in installation.redis.scan_iter("boss:conv:*") if installation.redis.hget(key, "token")]
    assert conversations == []
    installation.fork(1, WORKER_CONCURRENCY=str(CROWD))
    assert_each_answered_once(installation, people)


def test_a_stopped_job_is_one_turn_that_begins_again(installation: Installation, worker: CrashingWorker, people: list[Person]) -> None:
    """RQ's stop command reaches one job among them all; its conversation is taken up again, the others go on."""
    started = StartedJobRegistry(QUEUE, connection=installation.redis, serializer=JSONSerializer).get_job_ids(cleanup=False)
    send_stop_job_command(installation.redis, started[0], serializer=JSONSerializer)
    wait_for(lambda: installation.redis.hget(f"rq:job:{started[0]}", "status") == b"stopped", 10, "the stopped job")
    assert worker.alive
    assert_each_answered_once(installation, people)


def test_a_restart_of_redis_ends_nothing(installation: Installation, worker: CrashingWorker, people: list[Person]) -> None:
    """Kill -9 of the server, and its start on the same data: the same process answers them all."""
    installation.server.kill9()
    installation.server.start()
    assert_each_answered_once(installation, people)
    assert worker.alive


def test_a_burst_of_texts_is_a_turn_or_two_and_the_commands_in_it_are_answered(
    installation: Installation, answering: CrashingWorker, people: list[Person]
) -> None:
    """Five texts each within two seconds, and a command among them: nothing unanswered, the order kept, the command answered once."""
    slow = set[str]()

    def burst(person: Person) -> None:
        begun = time.monotonic()
        for number in range(1, 6):
            assert installation.text(person, number)["status"] == OK
            if number == 1 + int(person.tag[1:]) % 5:
                assert installation.sandbox.send_sms("Status", from_=person.phone, to=BOSS_PHONE)["status"] == OK
        if time.monotonic() - begun > BURST_SECONDS:
            slow.add(person.tag)

    in_threads(burst, people, WRITERS)
    installation.quiet(SECONDS)
    assert answering.alive
    for person in people:
        assert installation.assert_one_copy(person) == ["1", "2", "3", "4", "5"]
        # A busy machine posts some bursts over more than two seconds; another turn may begin meanwhile.
        assert len(installation.questions(person)) <= 2 + (person.tag in slow)
        answers = [entry["request"]["body"] for entry in installation.replies(person)]
        assert sum("of your messages wait" in body for body in answers) == 1, answers
