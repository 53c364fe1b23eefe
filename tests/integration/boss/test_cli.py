"""The operator's commands against real processes: what a person types, and what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.checks import providers, server
from boss.http import ask
from boss.main import main
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import ledger
from tests.support.bridge import BridgeProcess
from tests.support.processes import WebProcess, WorkerProcess, clean_environment, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

Boss = Callable[..., Result]
SECRETS = [value for value in SANDBOX_CREDENTIALS.values() if value != SANDBOX_CREDENTIALS["twilio_account_sid"]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Redis, SandboxProcess]]:
    """Server, sandbox, web, worker and bridge, once for this module: its tests tell their messages apart."""
    port = free_port()
    credentials = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    with EmbeddedServer() as server, SandboxProcess(SANDBOX_WEBHOOK_URL=f"http://127.0.0.1:{port}", **credentials) as sandbox:
        settings = {
            "REDIS_URL": server.url, "BOSS_DATA_DIR": str(tmp_path_factory.mktemp("data")), "PORT": str(port), "SANDBOX": "on",
            "SANDBOX_PORT": str(sandbox.port), "SMS_SETTLE_SECONDS": "0.02", "DASHBOARD_PORT": str(free_port()),
            "SUPERVISOR_PORT": str(free_port()),
        }  # fmt: skip
        with server.client() as redis, WebProcess(settings), WorkerProcess(settings, redis), BridgeProcess(settings):
            yield settings, redis, sandbox


@pytest.fixture
def boss(stack: tuple[dict[str, str], Redis, SandboxProcess], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Boss:
    """`boss ...` in this process: starting a Python for each would take most of the time."""
    for name, value in stack[0].items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "SLOW_MS", 5_000.0)  # the tester's machine may be busy
    stack[2].reset()

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def redis_of(stack: tuple[dict[str, str], Redis, SandboxProcess]) -> Redis:
    return stack[1]


@pytest.fixture
def sandbox_of(stack: tuple[dict[str, str], Redis, SandboxProcess]) -> SandboxProcess:
    return stack[2]


def answer(result: Result) -> dict[str, Any]:
    """The JSON that a command printed to stdout."""
    return cast("dict[str, Any]", json.loads(result.stdout))


def test_a_simulated_text_prints_the_reply_and_nothing_else(boss: Boss) -> None:
    """The reply is stdout, remarks are stderr, so that it can be piped."""
    result = boss("simulate", "sms", "hello from the operator")
    assert "hello from the operator" in result.stdout
    assert "simulated" in result.stdout
    assert "posted 1 x SM" in result.stderr


def test_a_lost_text_is_explained_to_the_operator_and_told_to_the_user_by_mail(boss: Boss, sandbox_of: SandboxProcess) -> None:
    """The carrier's report comes back by a callback: a plain sentence in `show` and `tail`, and one mail with a fixed subject."""
    sandbox_of.faults(twilio={"final_status": "undelivered", "error_code": 30003, "callback_copies": 3})
    message = answer(boss("simulate", "sms", "will not arrive", "--json"))["message"]
    wait_for(lambda: sandbox_of.count("sendgrid.send") == 1, 10, "the mail")
    (mail,) = sandbox_of.journal("sendgrid.send")
    assert (mail["request"]["to"], mail["request"]["subject"]) == ("user@example.com", "A text message did not reach you")
    for shown in (boss("messages", "show", message).stdout, boss("tail", "--no-follow", "-n", "30").stdout):
        assert "The phone cannot be reached" in shown
        assert "told_elsewhere" in shown
        assert "+1555" not in shown
    reply = json.loads(boss("messages", "show", message, "--json").stdout)["reply"]
    assert (reply["state"], reply["code"], "off" in reply["why"]) == ("undelivered", "30003", True)


def test_twenty_copies_of_a_text_get_one_reply(boss: Boss, sandbox_of: SandboxProcess) -> None:
    """Also when it is posted again later: the command then shows the reply that there is, at once."""
    first = answer(boss("simulate", "sms", "only once", "--sid", "SM-twenty", "--duplicate", "20", "--json"))
    again = answer(boss("simulate", "sms", "only once", "--sid", "SM-twenty", "--json"))
    assert (first["outcome"], first["text"]) == (again["outcome"], again["text"]) == ("answered", first["text"])
    assert sandbox_of.count("twilio.create") == 1


@pytest.mark.parametrize("mode", [[], ["--raw"]])
def test_a_simulated_mail_shows_its_reply_and_can_be_continued(
    boss: Boss, sandbox_of: SandboxProcess, mode: list[str], tmp_path: Path
) -> None:
    """The answer's Message-ID is what the next mail of the thread names. A file that comes with it is shown to the model."""
    (tmp_path / "notes.txt").write_text("buy milk")
    file = ["--attach", str(tmp_path / "notes.txt")]
    first = answer(boss("simulate", "email", "--subject", "Plan", "--body", "one", "--json", *file, *mode))
    assert "buy milk" in sandbox_of.journal("anthropic.messages")[-1]["request"]["text"]
    assert (first["outcome"], first["subject"], "one" in first["text"]) == ("answered", "Re: Plan", True)
    thread = ["--in-reply-to", first["message_id"], "--references", f"{first['provider_id']} {first['message_id']}"]
    second = answer(boss("simulate", "email", "--subject", "Re: Plan", "--body", "two", "--json", *thread, *mode))
    assert (second["subject"], "user turns: 2" in second["text"]) == ("Re: Plan", True)


def test_what_is_not_answered_says_why_and_has_its_exit_status(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 for a refusal and for nobody there, 3 for what is ignored."""
    assert "HTTP 403" in boss("simulate", "sms", "x", "--bad-signature", code=2).stderr
    assert "HTTP 403" in boss("simulate", "email", "--body", "x", "--bad-signature", code=2).stderr
    assert "stranger" in boss("simulate", "sms", "x", "--from", "+15550001111", code=3).stderr
    assert answer(boss("simulate", "email", "--body", "x", "--forged", "--json", code=3))["outcome"] == "ignored"
    assert answer(boss("simulate", "sms", "x", "--unsigned", "--wait", "0", "--json"))["outcome"] == "posted"
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("BOSS_DATA_DIR", "elsewhere")
    assert "nothing listens there" in boss("simulate", "sms", "x", code=2).stderr


def test_a_pause_holds_messages_until_resume_and_the_doctor_says_so(boss: Boss, redis_of: Redis, sandbox_of: SandboxProcess) -> None:
    """Paused: accepted, not answered; the wait ends with 1. Resumed: answered."""
    boss("pause", "budget", "of", "+15551234567")
    assert "budget of +***" in boss("pause", "again").stdout
    waited = answer(boss("simulate", "sms", "held back", "--wait", "1", "--json", "--sid", "SM-held", code=1))
    assert waited["outcome"] == "silence"
    assert "PAUSED: budget" in boss("doctor", code=1).stdout
    assert "resumed" in boss("resume").stdout
    assert "not paused" in boss("resume").stdout
    for conversation in cast("list[bytes]", redis_of.zrange("boss:due", 0, -1)):
        redis_of.zadd("boss:due", {conversation: 0})  # the half minute until it is looked at again is over
    sandbox_of.wait("twilio.create", 1, 30, contains="held back")


def test_the_doctor_finds_nothing_wrong_with_a_good_installation(boss: Boss) -> None:
    """Every line is ok, in JSON as well, and no secret or number is in either."""
    text, report = boss("doctor").stdout, boss("doctor", "--json").stdout
    assert [check for check in json.loads(report)["checks"] if check["status"] != "ok"] == []
    assert [secret for secret in [*SECRETS, "+15551234567", "+15559876543", "user@example.com"] if secret in text + report] == []
    for name in ("twilio", "sendgrid", "claude", "webhook", "workers", "durability", "clock", "mode", "sandbox"):
        assert name in text


def test_the_doctor_names_wrong_credentials_and_goes_on(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each provider's 401 is its own line with what to do, and a signature that the web process refuses is another."""
    for name, value in {"TWILIO_AUTH_TOKEN": "wrong-token", "SENDGRID_API_KEY": "SG.wrong", "ANTHROPIC_API_KEY": "sk-wrong-key"}.items():
        monkeypatch.setenv(name, value)
    report = boss("doctor", "--json", code=1).stdout
    checks = {check["check"]: check for check in json.loads(report)["checks"]}
    assert [checks[name]["status"] for name in ("twilio", "sendgrid", "claude", "webhook")] == ["fail"] * 4
    assert all(check["todo"] for check in checks.values() if check["status"] == "fail")
    assert "wrong" not in report
    assert checks["redis"]["status"] == "ok"


def test_the_doctor_ends_soon_when_a_provider_hangs(boss: Boss, sandbox_of: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout is a finding like any other; the rest is checked all the same."""
    monkeypatch.setattr(providers, "REMOTE_SECONDS", 1.0)
    sandbox_of.faults(anthropic={"fail": [{"fault": "hang", "on": "model"}]})
    checks = {check["check"]: check for check in json.loads(boss("doctor", "--json", code=1).stdout)["checks"]}
    assert (checks["claude"]["status"], checks["twilio"]["status"]) == ("fail", "ok")


def test_messages_are_listed_shown_and_found_by_a_beginning(boss: Boss) -> None:
    """Covered without --body; unknown ids, and beginnings that many have, are errors with status 2."""
    message = answer(boss("simulate", "sms", "secret plan", "--json"))["message"]
    rows = json.loads(boss("messages", "list", "--json").stdout)
    assert (rows[0]["id"], rows[0]["state"]) == (message, "answered")
    assert message in boss("messages", "list", "--limit", "1").stdout
    covered = boss("messages", "show", message[:10]).stdout
    assert [word for word in ("secret plan", "+15551234567") if word in covered] == []
    assert [word for word in ("message_acknowledged", "accepted SM", "answered") if word not in covered] == []
    assert "secret plan" in boss("messages", "show", message, "--body").stdout
    facts = json.loads(boss("messages", "show", message[2:12], "--json").stdout)
    assert [facts["timeline"][0]["type"], facts["reply"]["attempts"][0]["outcome"]] == ["sms_received", "accepted"]
    assert "no such message" in boss("messages", "show", "m-000000", code=2).stderr
    assert "at least" in boss("messages", "show", "m-", code=2).stderr
    assert "not parked" in boss("messages", "discard", message, code=1).stderr
    assert "only a parked message can be retried" in boss("messages", "retry", message, code=1).stderr


def test_parked_messages_are_retried_or_discarded(boss: Boss, sandbox_of: SandboxProcess) -> None:
    """A provider that refuses for good parks a message; after the cause is mended a retry answers it."""
    sandbox_of.faults(twilio={"fail": [{"fault": "400", "code": 21606, "times": None}]})
    first, second = (answer(boss("simulate", "sms", text, "--json", code=3))["message"] for text in ("alpha", "omega"))
    parked = boss("messages", "list", "--parked").stdout
    assert (first in parked, second in parked) == (True, True)
    assert "2 messages wait for you" in boss("doctor").stdout
    assert "discarded" in boss("messages", "discard", second).stdout
    sandbox_of.faults(twilio={"fail": []})
    boss("messages", "retry", "--all-parked")
    wait_for(lambda: json.loads(boss("messages", "show", first, "--json").stdout)["state"] == "answered", 10, "the answer")
    assert json.loads(boss("messages", "show", second, "--json").stdout)["reason"] == "discarded"
    assert "no message is parked" in boss("messages", "retry", "--all-parked").stderr
    boss("messages", "retry", code=2)


def test_tail_shows_ids_and_figures_and_no_text(boss: Boss, redis_of: Redis) -> None:
    """By number of lines, from a place, by type, and as JSON with whole ids."""
    since = ledger.last_seq(redis_of)
    message = answer(boss("simulate", "sms", "unspeakable", "--json"))["message"]
    wait_for(lambda: any(line.type == "answered" for line in ledger.latest(redis_of, 3)), 5, "the turn's end")
    shown = boss("tail", "--since", since, "--no-follow").stdout
    assert (message[:10] in shown, "unspeakable" in shown, "+1555" in shown) == (True, False, False)
    printed = boss("tail", "--since", since, "--no-follow", "--json", "--type", "sms_received").stdout
    rows = [json.loads(row) for row in printed.splitlines()]
    assert [(row["type"], row["msg"]) for row in rows] == [("sms_received", message)]
    assert len(boss("tail", "-n", "2", "--no-follow").stdout.splitlines()) == 2
    assert len(boss("tail", "-n", "0", "--no-follow").stdout.splitlines()) == 0
    boss("tail", "--since", "yesterday", code=2)


@pytest.mark.parametrize("command", ["", "doctor", "simulate sms", "simulate email", "tail", "messages", "messages list", "messages show",
                                     "messages retry", "messages discard", "dashboard", "pause", "resume"])  # fmt: skip
def test_every_help_says_what_the_command_does(boss: Boss, command: str) -> None:
    """Also when nothing runs and nothing is configured."""
    text = boss(*command.split(), "--help").stdout
    assert len(text.splitlines()) > 4
    assert "Usage: " in text


def test_the_dashboard_serves_on_loopback_over_the_unix_socket(stack: tuple[dict[str, str], Redis, SandboxProcess], boss: Boss) -> None:
    """The real process: it shows the worker, and the doctor finds it unreachable from outside."""
    del boss
    command = [sys.executable, "-m", "boss.main", "dashboard", "--port", "0"]
    with subprocess.Popen(command, env=clean_environment(**stack[0]), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            workers = ask(f"{url}0/data/workers.json", timeout=5).json()["workers"]
            assert (len(workers), workers[0]["queues"]) == (1, ["boss"])
            assert ask(url, timeout=5, headers={"Host": "evil.example"}).status == 421
        finally:
            process.terminate()
