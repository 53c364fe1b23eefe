"""`boss worker` as a whole: real process, real server, the sandbox for all three providers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq.cli.cli import main as rq_command
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import QUEUE, BosslineJob, Dispatcher
from shared.model.codec import DATA_VERSION
from shared.model.events import Received, SmsReceived
from tests.support.forked_worker import ForkedWorker
from tests.support.processes import free_port
from tests.support.rq_enqueue import wake
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.turn_environment import TurnEnvironment, users_file
from tests.support.wait import wait_for

QUEUE_KEY = f"rq:queue:{QUEUE}"


@pytest.fixture(scope="module")
def house() -> Iterator[EmbeddedServer]:
    """A server for the worker that lives through this module."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(scope="module")
def _lasting(house: EmbeddedServer, _sandbox_process: SandboxProcess) -> Iterator[ForkedWorker]:
    with house.client() as redis, ForkedWorker(fast(house.url, _sandbox_process), redis) as running:
        yield running


@pytest.fixture
def settings(redis_url: str, sandbox: SandboxProcess) -> dict[str, str]:
    return fast(redis_url, sandbox)


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> TurnEnvironment:
    """An installation for a test with workers of its own."""
    sandbox.faults(twilio={"status_callbacks": False})
    return TurnEnvironment(redis, redis_url, sandbox)


@pytest.fixture
def kept(house: EmbeddedServer, _lasting: ForkedWorker, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    """An installation with a worker that is not ended; other tests' conversations are in it too."""
    assert _lasting.returncode is None, _lasting.output
    sandbox.faults(twilio={"status_callbacks": False})
    with house.client() as redis:
        yield TurnEnvironment(redis, house.url, sandbox)
    assert _lasting.returncode is None, _lasting.output


@pytest.fixture
def worker(settings: dict[str, str], redis: Redis) -> Iterator[ForkedWorker]:
    """A worker for a test that ends it."""
    with ForkedWorker(settings, redis) as process:
        yield process


def fast(redis_url: str, sandbox: SandboxProcess) -> dict[str, str]:
    short = {"LEASE_SECONDS": "3", "SEND_TIMEOUT_SECONDS": "2"}
    return {"REDIS_URL": redis_url, "BOSS_USERS_FILE": users_file(), "SANDBOX": "on", "SANDBOX_PORT": str(sandbox.port), **short}


def redis_ms(redis: Redis) -> int:
    """Redis TIME."""
    seconds, micros = redis.time()
    return seconds * 1000 + micros // 1000


def post(environment: TurnEnvironment, body: str = "Hello", phone: str = "+15551234567") -> SmsReceived:
    """What the webhook does with a text: accept it and wake its conversation."""
    event = environment.text(body, phone)
    wake(Dispatcher(environment.redis), environment.conversation(event), "sms")
    return event


def answered(environment: TurnEnvironment, *events: Received, seconds: float = 10) -> None:
    wait_for(lambda: all(environment.state(event) == "answered" for event in events), seconds, f"{len(events)} answers")


def test_a_text_during_a_turn_starts_its_own_within_200_ms_of_the_firsts_end(kept: TurnEnvironment) -> None:
    """From the ledger, in Redis TIME: the first turn's answer and the second turn's start are less than 200 ms apart."""
    kept.sandbox.faults(anthropic={"latency_seconds": 1.5})
    first = post(kept, "one", "+15551230001")
    conversation = kept.conversation(first)
    wait_for(lambda: kept.ledger("turn_started", conv=conversation), 5, "the first turn")
    second = post(kept, "two", "+15551230001")
    answered(kept, first, second)
    (end,), (_, begin) = kept.ledger("answered", msg=first.id), kept.ledger("turn_started", conv=conversation)
    assert 0 <= begin.at_ms - end.at_ms < 200


def test_one_process_holds_twenty_five_turns_at_once(kept: TurnEnvironment) -> None:
    """Twenty-five conversations are all begun before the first of them is answered."""
    kept.sandbox.faults(anthropic={"latency_seconds": 2})
    events = [post(kept, "hi", f"+155512340{number:02}") for number in range(25)]
    answered(kept, *events, seconds=20)
    started = [line.at_ms for event in events for line in kept.ledger("turn_started", conv=kept.conversation(event))]
    ended = [line.at_ms for event in events for line in kept.ledger("answered", msg=event.id)]
    assert len(started) == len(ended) == 25
    assert max(started) < min(ended)


def test_one_user_s_flood_keeps_nobody_else_waiting(kept: TurnEnvironment) -> None:
    """Of twenty mails of one user no more than their share is under way at once, and another's mail begins before the ninth."""
    kept.sandbox.faults(anthropic={"latency_seconds": 0.5})
    flood = [kept.mail("me again", "flood@example.com") for _ in range(20)]
    patient = kept.mail("hello", "patient@example.com")
    for event in (*flood, patient):
        wake(Dispatcher(kept.redis), kept.conversation(event), "email")
    answered(kept, *flood, patient, seconds=30)
    began = sorted(line.at_ms for event in flood for line in kept.ledger("turn_started", conv=kept.conversation(event)))
    ended = sorted(line.at_ms for event in flood for line in kept.ledger("answered", msg=event.id))
    share = kept.settings.sender_turns_at_once
    assert len(began) == len(ended) == 20
    assert all(next_begin >= end for next_begin, end in zip(began[share:], ended, strict=False))
    (own,) = kept.ledger("turn_started", conv=kept.conversation(patient))
    assert own.at_ms <= began[share]


def test_a_conversation_whose_job_was_lost_is_woken_by_the_sweep(kept: TurnEnvironment) -> None:
    """A text whose job never reached the queue is answered all the same, by one turn."""
    event = kept.text("lost", "+15551230002")
    answered(kept, event)
    assert len(kept.ledger("turn_started", conv=kept.conversation(event))) == 1


def test_a_foreign_function_is_never_run(kept: TurnEnvironment, tmp_path: Path) -> None:
    """A job that names os.system fails visibly; nothing of it is imported or executed, and the worker works on."""
    trap = tmp_path / "trap"
    job = Job.create("os.system", args=(f"touch {trap}",), connection=kept.redis, serializer=JSONSerializer)
    job.origin = QUEUE
    job.save()
    kept.redis.rpush(QUEUE_KEY, job.id)
    answered(kept, post(kept, "hello", "+15551230003"))
    failed = wait_for(lambda: BosslineJob.fetch(job.id, kept.redis, JSONSerializer).latest_result(), 5, "the failed job")
    assert "foreign_job" in str(failed.exc_string)
    assert not trap.exists()


def test_redis_killed_under_the_worker_costs_nothing_but_time(kept: TurnEnvironment, house: EmbeddedServer) -> None:
    """The server dies during a turn and comes back: that text and a later one are answered, each once."""
    kept.sandbox.faults(anthropic={"latency_seconds": 0.5})
    first = post(kept, "before", "+15551230004")
    kept.sandbox.wait("anthropic.messages", 1)
    house.kill9()
    house.start()
    answered(kept, first, seconds=20)
    answered(kept, post(kept, "after", "+15551230004"), seconds=20)
    assert kept.sandbox.count("twilio.create") == 2


def test_sigterm_releases_a_thinking_turn_at_once(environment: TurnEnvironment, worker: ForkedWorker, settings: dict[str, str]) -> None:
    """Released within a second, status 0, no failed job; the next worker answers without waiting for the lease."""
    environment.sandbox.faults(anthropic={"latency_seconds": 8})
    event = post(environment)
    environment.sandbox.wait("anthropic.messages", 1)
    told = redis_ms(environment.redis)
    assert worker.terminate(5) == 0
    (released,) = environment.ledger("backoff", conv=environment.conversation(event))
    assert released.at_ms - told < 1000
    assert (released.fields["reason"], environment.state(event)) == ("shutdown", "pending")
    assert not environment.redis.smembers("rq:workers")
    assert not FailedJobRegistry(queue=Dispatcher(environment.redis).queue).get_job_ids(cleanup=False)
    environment.sandbox.faults(anthropic={"latency_seconds": 0})
    with ForkedWorker(settings, environment.redis):
        answered(environment, event)
    assert environment.sandbox.count("twilio.create") == 1


def test_sigterm_waits_for_a_request_in_flight_as_long_as_the_grace(environment: TurnEnvironment, worker: ForkedWorker) -> None:
    """A request that left before the signal gets its answer, the answer is recorded, and the process ends before honcho's kill."""
    environment.sandbox.faults(twilio={"latency_seconds": 1.5})
    event = post(environment)
    wait_for(lambda: environment.ledger("sending"), 5, "the attempt")
    assert worker.terminate(5) == 0
    assert environment.state(event) == "answered"
    assert environment.reply(event).state == "sent"
    assert environment.sandbox.count("twilio.create") == 1


def test_a_request_that_outlasts_the_grace_stays_sending(environment: TurnEnvironment, settings: dict[str, str]) -> None:
    """The process ends with status 0 when its grace is over; the attempt is left unresolved for the next holder."""
    environment.sandbox.faults(twilio={"latency_seconds": 6})
    slow = {"LEASE_SECONDS": "20", "SEND_TIMEOUT_SECONDS": "10", "SHUTDOWN_GRACE_SECONDS": "0.5"}
    with ForkedWorker({**settings, **slow}, environment.redis) as worker:
        event = post(environment)
        wait_for(lambda: environment.ledger("sending"), 5, "the attempt")
        assert worker.terminate(4) == 0
    assert environment.reply(event).state == "sending"
    assert len(environment.reply(event).pending) == 1


def test_a_second_signal_ends_the_worker_at_once(environment: TurnEnvironment, worker: ForkedWorker) -> None:
    """Twice Ctrl-C does not wait for a request in flight; nothing is lost with it."""
    environment.sandbox.faults(twilio={"latency_seconds": 1.9})
    event = post(environment)
    wait_for(lambda: environment.ledger("sending"), 5, "the attempt")
    key = worker.key
    worker.send(signal.SIGINT)
    wait_for(lambda: environment.redis.hexists(key, "shutdown_requested_date"), 5, "the first signal's effect")
    assert worker.insist(signal.SIGINT, 1) == 128 + signal.SIGINT
    assert environment.reply(event).state == "sending"


def test_a_stuck_redis_does_not_keep_a_worker_that_was_told_to_end(sandbox: SandboxProcess, settings: dict[str, str]) -> None:
    """A server that neither answers nor closes its connections: status 0 all the same, a moment after the grace."""
    with EmbeddedServer() as server, server.client() as redis:
        environment = TurnEnvironment(redis, server.url, sandbox)
        sandbox.faults(anthropic={"latency_seconds": 8})
        with ForkedWorker({**settings, "REDIS_URL": server.url, "SHUTDOWN_GRACE_SECONDS": "1"}, redis) as worker:
            post(environment)
            sandbox.wait("anthropic.messages", 1)
            server.freeze()
            try:
                assert worker.terminate(3) == 0
            finally:
                server.thaw()


def test_a_killed_workers_text_is_answered_by_the_next_one(
    environment: TurnEnvironment, worker: ForkedWorker, settings: dict[str, str]
) -> None:
    """A kill -9 while Claude thinks: after the lease somebody else answers, once."""
    environment.sandbox.faults(anthropic={"latency_seconds": 8})
    event = post(environment)
    environment.sandbox.wait("anthropic.messages", 1)
    worker.kill9()
    environment.sandbox.faults(anthropic={"latency_seconds": 0})
    with ForkedWorker(settings, environment.redis):
        answered(environment, event)
    assert environment.sandbox.count("twilio.create") == 1


def ended(settings: dict[str, str], redis: Redis) -> tuple[int, str]:
    worker = ForkedWorker(settings, redis)
    status = worker.run(10)
    return status, worker.output


def test_a_worker_that_must_not_start_says_why(settings: dict[str, str], redis: Redis) -> None:
    """Data of a newer schema: status 2. A Redis that is not there: status 1 after the limit. One sentence each."""
    nowhere = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}", "STARTUP_WAIT_SECONDS": "0.2"}
    status, said = ended({**settings, **nowhere}, redis)
    assert status == 1
    assert "waiting up to 0.2 s for Redis" in said
    assert "is REDIS_URL right?" in said
    redis.set("boss:schema", DATA_VERSION + 1)
    status, said = ended(settings, redis)
    assert status == 2
    assert "run the newer version" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("worker_class", ["rq.Worker", "rq_async.AsyncWorker"])
def test_rqs_own_command_can_run_the_jobs(environment: TurnEnvironment, settings: dict[str, str], worker_class: str) -> None:
    """`rq worker -j shared.mailbox.wake_queue.BosslineJob --serializer json boss`, stock or asynchronous: slower, and the same answer."""
    event = post(environment)
    options = [
        "-w",
        worker_class,
        "-j",
        "shared.mailbox.wake_queue.BosslineJob",
        "--serializer",
        "json",
        "--burst",
        "--url",
        environment.redis_url,
    ]
    stock = ForkedWorker(settings, environment.redis, lambda: int(rq_command(["worker", *options, QUEUE], standalone_mode=False) or 0))
    assert stock.run(20) == 0, stock.output
    assert environment.state(event) == "answered"
    (job,) = environment.redis.scan_iter("rq:job:*")
    assert environment.redis.hget(job, "status") == b"finished"
