"""`boss users erase --at-provider`: what Twilio keeps of a person goes, with what came along, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from twilio.rest import Client

from boss.main import main
from boss.provider_deletion import TwilioDeletion
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.model.sms_admission import sms_id
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

OWN, BOSS, OTHER = "+15551234567", "+15559876543", "+15550001111"


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False, "callback_delay_seconds": 0.01})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


@pytest.fixture
def erase(environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command, against the sandbox."""
    for name, value in {
        "REDIS_URL": environment.redis_url,
        "SANDBOX": "on",
        "SANDBOX_PORT": str(environment.sandbox.port),
        "BOSS_DATA_DIR": str(tmp_path / "data"),
        "SEND_TIMEOUT_SECONDS": "1",
        "SEND_MARGIN_SECONDS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TwilioDeletion, "wait", lambda _self, _seconds: None)

    def run(*options: str) -> Result:
        return CliRunner().invoke(main, ["users", "erase", "user", "--yes", *options])

    return run


def kept(environment: TurnEnvironment) -> list[tuple[str, str]]:
    """What Twilio has: from whom, to whom."""
    settings = environment.settings
    client = Client(settings.twilio_account_sid, SANDBOX_CREDENTIALS["twilio_auth_token"])
    client.http_client = _Redirected(client.http_client, environment.sandbox.port)
    return [(str(each.from_), str(each.to)) for each in client.messages.list()]


class _Redirected:
    """The SDK's own transport, to the sandbox."""

    def __init__(self, inner: Any, port: int) -> None:
        self._inner, self._port = inner, port

    def request(self, method: str, uri: str, **more: Any) -> Any:
        """The same request, to another host."""
        return self._inner.request(method, uri.replace("https://api.twilio.com", f"http://127.0.0.1:{self._port}"), **more)


def arrived(environment: TurnEnvironment, body: str, sender: str = OWN, **more: Any) -> str:
    """A text that Twilio has, and that was accepted and answered here; its id."""
    answer = environment.sandbox.send_sms(body, from_=sender, to=BOSS, **more)
    event = environment.text(body, sender)
    record = f"boss:msg:{event.id}"
    content = cast("bytes", environment.redis.hget(record, "event")).decode()
    environment.redis.hset(record, "event", content.replace(event.provider_id, answer["message_sid"]))
    environment.once(event)
    return str(answer["message_sid"])


def test_both_directions_go_with_their_files_and_what_is_another_s_stays(environment: TurnEnvironment, erase: Any) -> None:
    """Also what was kept here no more, which only Twilio's list has."""
    arrived(environment, "hello")
    arrived(environment, "a picture", media=[{"content_type": "image/png"}])
    environment.sandbox.send_sms("of long ago", from_=OWN, to=BOSS)
    arrived(environment, "mine", OTHER)
    assert len(kept(environment)) == 7
    result = erase("--at-provider")
    assert result.exit_code == 0, result.output
    assert "Deleted at Twilio: 5 messages, 1 files." in result.stdout
    assert "what Twilio keeps" not in result.stdout
    assert sorted(kept(environment)) == [(OTHER, BOSS), (BOSS, OTHER)]


def test_a_text_of_somebody_who_had_the_number_stays(environment: TurnEnvironment, erase: Any) -> None:
    """It is another user's here, and in the list of the same number."""
    arrived(environment, "hello")
    former = environment.sandbox.send_sms("mine", from_=OWN, to=BOSS)["message_sid"]
    record = f"boss:msg:{sms_id(environment.settings.twilio_account_sid, str(former))}"
    environment.redis.hset(record, mapping={"id": "m-x", "user": "u-former"})
    assert "Deleted at Twilio: 2 messages" in erase("--at-provider").stdout
    assert kept(environment) == [(OWN, BOSS)]


def test_without_being_asked_nothing_is_deleted_there(environment: TurnEnvironment, erase: Any) -> None:
    """And the command says so."""
    arrived(environment, "hello")
    assert "what Twilio keeps: run it with --at-provider" in erase().stdout
    assert len(kept(environment)) == 2


@pytest.mark.parametrize("fault", ["429", "500", "reset_before", "reset_after_accept"])
def test_a_fault_of_twilio_s_is_tried_again(environment: TurnEnvironment, erase: Any, fault: str) -> None:
    """Whatever it is of: what was deleted before its answer was lost is gone."""
    arrived(environment, "hello", media=[{"content_type": "image/png"}])
    environment.sandbox.faults(twilio={"fail": [{"fault": fault, "on": on, "times": 2} for on in ("delete", "list")]})
    result = erase("--at-provider")
    assert "Deleted at Twilio: 2 messages" in result.stdout, result.output
    assert kept(environment) == []


def test_what_twilio_does_not_delete_is_named(environment: TurnEnvironment, erase: Any) -> None:
    """By its id, for the operator's hand; and that its list could not be read."""
    sid = arrived(environment, "hello")
    environment.sandbox.faults(twilio={"fail": [{"fault": "500", "on": "delete", "times": None, "match": sid}]})
    result = erase("--at-provider")
    assert f"Not deleted at Twilio, to be deleted by hand: {sid}" in result.stdout
    environment.sandbox.faults(twilio={"fail": [{"fault": "503", "on": "list", "times": None}]})
    assert "Twilio's list could not be read (it answers 503): there may be more." in erase("--at-provider").stdout
