"""A retry is a request that a worker serves once: without a worker it waits, and one that dies in the midst of it leaves it to the next."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.commands.parked import NOT_SERVED
from boss.main import main
from shared.mailbox import Mailbox, calls, keys, ledger
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived
from shared.operations import retries
from shared.process.tasks import CANCEL_AGAIN_SECONDS
from supervisor_worker.process.sweep import Sweep
from tests.support.forked_worker import ForkedWorker, boss_worker
from tests.support.sandbox import SandboxProcess
from tests.support.wait import wait_for

USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
LIMITS = calls.SendLimits(1000, 1000, 3_600_000)
MESSAGE = "m-aaaaaaaaaaaa"


class Office:
    """The command, a mailbox with a parked message, and workers when they are wanted."""

    def __init__(self, redis: Redis, settings: dict[str, str], sandbox: SandboxProcess) -> None:
        self.redis = redis
        self.mailbox = Mailbox(redis)
        self.sandbox = sandbox
        self.settings = {**settings, "LEASE_SECONDS": "3", "SEND_TIMEOUT_SECONDS": "1", "RECONCILE_MINUTES": "0"}

    @contextmanager
    def worker(self, main: Callable[[], int] = boss_worker, **more: str) -> Iterator[ForkedWorker]:
        """A worker."""
        with ForkedWorker({**self.settings, **more}, self.redis, main) as running:
            yield running

    def park(self, *, attempted: bool) -> None:
        """A parked message, whose reply may have an attempt of unknown outcome, a minute old."""
        event = SmsReceived(id=MESSAGE, from_=USER, to=BOSS, message="hello", user="user", provider_id="SM1")
        self.mailbox.run(calls.accept(event, kind="text", conversation="c-1", sender="s-1", pair="p-1"))
        turn = self.mailbox.run(calls.claim("c-1", "k-1", f"t-{uuid.uuid4().hex}", lease_ms=60_000)).turn
        assert turn is not None
        if attempted:
            command = SendSmsResponse(to=USER, from_=BOSS, message="lost", user="user")
            self.mailbox.run(calls.store_reply("c-1", "k-1", turn, command, limits=LIMITS))
            assert self.mailbox.run(calls.sending("c-1", "k-1", turn.reply_id, "a-1", limits=LIMITS)).outcome == "ok"
            raw: Any = self.redis.hget(keys.reply(turn.reply_id), "attempts")
            older = [{**each, "at": each["at"] - 60_000} for each in json.loads(raw)]
            self.redis.hset(keys.reply(turn.reply_id), "attempts", json.dumps(older))
        self.mailbox.run(calls.park("c-1", "k-1", "outage", looked_up=True, retention_ms=3_600_000))

    def taken(self) -> bool:
        """Whether a worker has begun to serve a request."""
        (operation,) = self.operations()
        return self.mailbox.retry_result(operation).taken

    def operations(self) -> list[str]:
        """The requests that are not served yet."""
        found: Any = self.redis.zrange(keys.RETRIES, 0, -1)
        return [name.decode() for name in found]

    def lines(self, *kinds: str) -> list[str]:
        """The ledger's lines of these types, by type."""
        return [line.type for line in ledger.of_types(self.redis, kinds, 1_000)]

    def state(self) -> str:
        """Of the message."""
        record = self.mailbox.message(MESSAGE)
        return record.state.value if record else ""


def boss_worker_that_ends_slowly() -> int:
    """One whose giving back takes longer than a task has between two cancellations."""
    give_back = Sweep._give_back

    async def slowly(sweep: Sweep) -> None:
        await asyncio.sleep(3 * CANCEL_AGAIN_SECONDS)
        await give_back(sweep)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sweep, "_give_back", slowly)
        return boss_worker()


@pytest.fixture
def office(redis: Redis, settings_env: dict[str, str], sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Office:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 1.0)
    sandbox.faults(twilio={"status_callbacks": False})
    return Office(redis, settings_env, sandbox)


def boss(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_without_a_worker_a_retry_says_so_and_is_served_once_when_one_comes(office: Office) -> None:
    """The command ends with a status of its own; asked for twice, the message is answered once."""
    office.park(attempted=False)
    for _ in range(2):
        said = boss("messages", "retry", MESSAGE[:8], code=NOT_SERVED).stderr
        assert [word for word in ("no worker lives", "no worker has begun to serve it", "1 of 1 requested") if word not in said] == []
    assert (office.state(), len(office.operations())) == ("parked", 2)
    with office.worker():
        wait_for(lambda: office.state() == "answered" and not office.operations(), 10, "the answer")
    assert office.lines("retry_requested", "retried") == ["retry_requested", "retry_requested", "retried"]
    assert office.sandbox.count("twilio.create") == 1


def test_a_worker_that_is_killed_in_the_midst_of_it_leaves_it_to_the_next(office: Office) -> None:
    """It was asking the provider. The next one asks again, and the reply goes out once."""
    office.park(attempted=True)
    office.sandbox.faults(twilio={"fail": [{"fault": "hang", "on": "list", "times": None}]})
    with office.worker(SEND_TIMEOUT_SECONDS="5", LEASE_SECONDS="8") as first:
        retries.request(office.mailbox, [MESSAGE], by="ada")
        wait_for(office.taken, 5, "a worker to take it")
        first.kill9()
    assert (office.state(), len(office.operations())) == ("parked", 1)
    office.sandbox.faults(twilio={"fail": []})
    with office.worker():
        wait_for(lambda: office.state() == "answered" and not office.operations(), 20, "the answer")
    assert office.lines("retried") == ["retried"]
    assert office.sandbox.count("twilio.create") == 1


def test_a_worker_that_is_told_to_end_leaves_it_at_once(office: Office) -> None:
    """Nobody waits for its time to pass, also when the giving back is slow: a cancellation would break it off."""
    office.park(attempted=True)
    office.sandbox.faults(twilio={"fail": [{"fault": "hang", "on": "list", "times": None}]})
    with office.worker(boss_worker_that_ends_slowly, SEND_TIMEOUT_SECONDS="20", LEASE_SECONDS="60") as first:
        retries.request(office.mailbox, [MESSAGE], by="ada")
        wait_for(office.taken, 5, "a worker to take it")
        assert first.terminate() == 0
        office.sandbox.faults(twilio={"fail": []})
    (operation,) = office.operations()
    score: Any = office.redis.zscore(keys.RETRIES, operation)
    now: Any = office.redis.time()
    assert score <= now[0] * 1000 + now[1] / 1000
    assert first.returncode == 0


def test_a_request_of_somebody_who_does_not_wait_has_its_result_for_a_day(office: Office) -> None:
    """A console asks, and looks later."""
    office.park(attempted=False)
    (operation,) = retries.request(office.mailbox, [MESSAGE], by="ada")
    with office.worker():
        wait_for(lambda: office.mailbox.retry_result(operation).result == "retried", 10, "the result")
    (line,) = ledger.of_types(office.redis, ["retried"], 1)
    assert line.fields["by"] == "ada"
    assert 0 < int(office.redis.pttl(keys.retry_request(operation))) <= calls.DAY_MS


def test_what_cannot_be_read_is_refused_and_served_no_more(office: Office) -> None:
    """A worker is not killed by it, and whoever waits is told."""
    office.park(attempted=True)
    record = office.mailbox.message(MESSAGE)
    assert record is not None
    office.redis.hset(keys.reply("r-" + record.turn[2:]), "command", "{")
    with office.worker() as worker:
        said = boss("messages", "retry", MESSAGE, code=1).stderr
        assert worker.returncode is None
    assert "not retried" in said
    assert (office.state(), office.operations()) == ("parked", [])


def test_an_end_of_a_message_that_was_retried_twice_is_one_answer(office: Office) -> None:
    """SIGKILL between two requests, with a worker for each."""
    office.park(attempted=False)
    retries.request(office.mailbox, [MESSAGE, MESSAGE], by="ada")
    with office.worker() as first, office.worker():
        first.send(signal.SIGKILL)
        wait_for(lambda: office.state() == "answered" and not office.operations(), 20, "the answer")
    assert office.sandbox.count("twilio.create") == 1
