"""The operator's commands when something broke: attempts of unknown outcome, a server that restarts, readers that leave."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss import session
from boss.http import ask
from boss.main import main
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import Mailbox, calls, ledger
from shared.mailbox.wait_for_reply import wait_for_reply
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived
from tests.support.forked_worker import ForkedWorker
from tests.support.processes import BossProcess, clean_environment
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
KEEP_MS = 3_600_000


def boss(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def worker(settings_env: dict[str, str], redis: Redis, sandbox: SandboxProcess) -> Iterator[ForkedWorker]:
    """A worker, which serves the operators' requests; the sandbox reports nothing."""
    sandbox.faults(twilio={"status_callbacks": False})
    with ForkedWorker({**settings_env, "LEASE_SECONDS": "3", "SEND_TIMEOUT_SECONDS": "1", "RECONCILE_MINUTES": "0"}, redis) as running:
        yield running


@pytest.fixture
def mailbox(redis: Redis, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mailbox:
    """The mailbox of the commands' settings."""
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Mailbox(redis)


def parked(mailbox: Mailbox, text: str, *messages: str) -> str:
    """Park a turn of `messages` whose one attempt to send `text` has an unknown outcome; returns the attempt's reply."""
    for name in messages:
        event = SmsReceived(id=name, from_=USER, to=BOSS, message="hello", user="user", provider_id=f"SM{name}")
        mailbox.run(calls.accept(event, kind="text", conversation="c-1", sender="s-1", pair="p-1"))
    token = f"k-{uuid.uuid4().hex}"
    turn = mailbox.run(calls.claim("c-1", token, f"t-{uuid.uuid4().hex}", lease_ms=60_000)).turn
    assert turn is not None
    command = SendSmsResponse(to=USER, from_=BOSS, message=text, user="user")
    limits = calls.SendLimits(1000, 1000, KEEP_MS)
    mailbox.run(calls.store_reply("c-1", token, turn, command, limits=limits))
    attempt = f"a-{uuid.uuid4().hex}"
    verdict = mailbox.run(calls.sending("c-1", token, turn.reply_id, attempt, limits=limits))
    assert verdict.outcome == "ok"
    mailbox.run(calls.park("c-1", token, "gave_up", looked_up=True, retention_ms=KEEP_MS))
    return turn.reply_id


def settle(redis: Redis, reply: str) -> None:
    """Make the reply's attempts a minute older, so that nobody has to wait until they may be looked up."""
    raw: Any = redis.hget(f"boss:reply:{reply}", "attempts")
    attempts = [{**each, "at": each["at"] - 60_000} for each in json.loads(raw)]
    redis.hset(f"boss:reply:{reply}", "attempts", json.dumps(attempts))


def send_behind_our_back(sandbox: SandboxProcess, text: str) -> None:
    """The attempt did reach the provider; only its answer was lost."""
    account, token = SANDBOX_CREDENTIALS["twilio_account_sid"], SANDBOX_CREDENTIALS["twilio_auth_token"]
    headers = {
        "Authorization": "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"To": USER.value, "From": BOSS.value, "Body": text}).encode()
    url = f"{sandbox.url}/2010-04-01/Accounts/{account}/Messages.json"
    assert ask(url, timeout=5, method="POST", headers=headers, body=body).status == 201


@pytest.mark.usefixtures("worker")
def test_a_retry_waits_until_the_attempt_cannot_be_under_way_any_more(mailbox: Mailbox, sandbox: SandboxProcess) -> None:
    """Too early, the provider's list proves nothing: nothing is changed, and the status is 1."""
    parked(mailbox, "reply", "m-aaaaaaaaaaaa")
    result = boss("messages", "retry", "m-aaaa")
    assert (result.exit_code, "try again in" in result.stderr) == (1, True)
    assert [str(record.state) for record in [mailbox.message("m-aaaaaaaaaaaa")] if record] == ["parked"]
    assert sandbox.count("twilio.list", accepted=None) == 0


@pytest.mark.usefixtures("worker")
def test_a_reply_that_arrived_after_all_is_recorded_and_not_repeated(mailbox: Mailbox, redis: Redis, sandbox: SandboxProcess) -> None:
    """The provider is asked once for both messages of the turn; both are answered."""
    settle(redis, parked(mailbox, "it did arrive", "m-aaaaaaaaaaaa", "m-bbbbbbbbbbbb"))
    send_behind_our_back(sandbox, "it did arrive")
    result = boss("messages", "retry", "--all-parked")
    assert (result.exit_code, "answered after all" in result.stdout) == (0, True), result.output
    states = [str(record.state) for name in ("m-aaaaaaaaaaaa", "m-bbbbbbbbbbbb") if (record := mailbox.message(name))]
    assert states == ["answered", "answered"]
    assert (sandbox.count("twilio.list", accepted=None), sandbox.count("anthropic.messages", accepted=None)) == (1, 0)


@pytest.mark.usefixtures("worker")
def test_a_reply_that_never_arrived_is_tried_again_and_marked(mailbox: Mailbox, redis: Redis, sandbox: SandboxProcess) -> None:
    """Looked up twice, not found: the message is answered, and its reply may be a second copy."""
    settle(redis, parked(mailbox, "it never arrived", "m-aaaaaaaaaaaa"))
    result = boss("messages", "retry", "m-a" + "aaa")
    assert (result.exit_code, "to be answered again" in result.stdout) == (0, True), result.output
    assert sandbox.count("twilio.list", accepted=None) == 2
    steps = ("retry_requested", "looked_up", "not_found", "retried", "maybe_duplicate", "answered")
    wait_for(lambda: [line.type for line in ledger.latest(redis, 100) if line.type in steps] == list(steps), 10, "the answer")
    assert sandbox.count("twilio.create") == 1


@pytest.mark.usefixtures("worker")
def test_a_reply_that_was_not_found_before_it_was_parked_is_looked_for_once_more(
    mailbox: Mailbox, redis: Redis, sandbox: SandboxProcess
) -> None:
    """The list was late, and shows it by the time the operator looks: nothing is repeated."""
    name = parked(mailbox, "it came late", "m-aaaaaaaaaaaa")
    settle(redis, name)
    reply = mailbox.reply(name)
    assert reply is not None
    mailbox.run(calls.not_found(name, reply.attempts[0].id, asked_ms=0, again_ms=0, retention_ms=KEEP_MS))
    send_behind_our_back(sandbox, "it came late")
    result = boss("messages", "retry", "m-aaaa")
    assert (result.exit_code, "answered after all" in result.stdout) == (0, True), result.output


@pytest.mark.usefixtures("worker")
def test_a_provider_that_does_not_answer_keeps_the_message_parked(mailbox: Mailbox, redis: Redis, sandbox: SandboxProcess) -> None:
    """No answer from the list is not "not found"; the others are retried all the same."""
    sandbox.faults(twilio={"fail": [{"fault": "503", "on": "list", "times": None}], "status_callbacks": False})
    settle(redis, parked(mailbox, "unknown", "m-aaaaaaaaaaaa"))
    result = boss("messages", "retry", "--all-parked")
    assert (result.exit_code, "could not be asked" in result.stderr, "1 of 1" in result.stderr) == (1, True, True)
    record = mailbox.message("m-aaaaaaaaaaaa")
    assert record is not None
    assert str(record.state) == "parked"


def test_a_beginning_that_several_messages_have_is_refused(mailbox: Mailbox) -> None:
    """Guessing which one was meant could discard the wrong one."""
    parked(mailbox, "reply", "m-abcd00000000", "m-abcd11111111")
    result = boss("messages", "discard", "m-abcd")
    assert (result.exit_code, "several messages" in result.stderr) == (2, True)
    assert boss("messages", "discard", "m-abcd1").exit_code == 0
    record = mailbox.message("m-abcd11111111")
    assert record is not None
    assert (str(record.state), record.reason) == ("ignored", "discarded")


def test_waiting_for_a_reply_outlasts_a_restart_of_the_server() -> None:
    """The message is answered while nobody could follow: the records tell when the server is back."""
    with EmbeddedServer() as server:
        with server.client() as redis:
            mailbox = Mailbox(redis)
            since = ledger.last_seq(redis)
            mailbox.run(calls.ignore("m-1", "sms", "stranger"))
        gone = Redis.from_url(server.url, protocol=2, retry=None)
        server.stop()
        assert wait_for_reply(Mailbox(gone), "m-1", since=since, patience=0.5).outcome == "silence"
        server.start()
        waited = wait_for_reply(Mailbox(gone), "m-1", since=since, patience=5)
        assert (waited.outcome, waited.reason) == ("ignored", "stranger")


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def test_tail_survives_a_restart_of_redis_and_says_so(own_server: EmbeddedServer) -> None:
    """It reconnects, goes on where it was, and ends with 0 on Ctrl-C."""
    with BossProcess("tail", "-n", "5", settings={"REDIS_URL": own_server.url}) as tail:
        with own_server.client() as redis:
            Mailbox(redis).run(calls.refuse("sms", "before", 403))
            tail.wait_for_output("reason=before")
        own_server.stop()
        tail.wait_for_output("Redis does not answer")
        own_server.start()
        with own_server.client() as redis:
            Mailbox(redis).run(calls.refuse("sms", "after", 403))
        assert tail.wait_for_output("reason=after").count("reason=before") == 1
        assert "Redis is back" in tail.output
        tail.signal(signal.SIGINT)
        assert tail.wait() == 0
        assert "Traceback" not in tail.output


@pytest.mark.parametrize("lines", [0, 3])
def test_tail_ends_when_its_reader_has_gone(own_server: EmbeddedServer, lines: int) -> None:
    """`boss tail | head`: also while the ledger is quiet and nothing is written."""
    with own_server.client() as redis:
        for number in range(lines):
            Mailbox(redis).run(calls.refuse("sms", f"r{number}", 403))
    command = [sys.executable, "-m", "boss.main", "tail", "-n", str(lines)]
    environment = clean_environment(REDIS_URL=own_server.url)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        try:
            assert process.wait(15) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_command_without_redis_ends_with_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No traceback, status 2, and what to look at."""
    monkeypatch.setattr(session, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setenv("BOSS_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    for arguments in (["messages", "list"], ["pause", "x"], ["resume"]):
        result = boss(*arguments)
        assert (result.exit_code, "is `boss redis` running" in result.stderr) == (2, True)


def test_waiting_needs_no_polling(mailbox: Mailbox) -> None:
    """What is known already is told at once."""
    mailbox.run(calls.ignore("m-1", "sms", "stranger"))
    waited = wait_for_reply(mailbox, "m-1", since="0-0", patience=60)
    assert (waited.outcome, waited.seconds < 1) == ("ignored", True)
    wait_for(lambda: wait_for_reply(mailbox, "m-2", since="0-0", patience=0.1).outcome == "silence", 5, "patience to end")


@pytest.mark.usefixtures("mailbox")
def test_the_operator_s_hand_looks_for_what_no_webhook_brought(sandbox: SandboxProcess, redis: Redis) -> None:
    """And says what it found; the workers' next look is put off. The doctor shows it."""
    assert "1 numbers are looked at from now on" in boss("messages", "reconcile").stdout
    for name in redis.hkeys("boss:reconcile:since"):
        redis.hset("boss:reconcile:since", name, 0)
    for number in range(2):
        sandbox.send_sms(f"text {number}")
    found = json.loads(boss("messages", "reconcile", "--json").stdout)
    assert (found["numbers"], found["listed"], found["accepted"], found["failure"]) == (1, 2, 0, "")  # too young, both
    assert 0 < int(redis.pttl("boss:reconcile:turn")) <= 300_000
    assert "at 2 texts to 1 numbers, none missed" in boss("doctor").stdout
    sandbox.faults(twilio={"fail": [{"fault": "503", "on": "list"}]})
    failed = boss("messages", "reconcile")
    assert (failed.exit_code, "twilio_20503" in failed.stderr) == (1, True)
    assert "it failed: twilio_20503" in boss("doctor").stdout


@pytest.mark.usefixtures("mailbox")
def test_without_an_account_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, no traceback."""
    monkeypatch.setenv("SANDBOX", "off")
    failed = boss("messages", "reconcile")
    assert (failed.exit_code, "no Twilio account" in failed.stderr) == (1, True)
