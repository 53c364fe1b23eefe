"""`boss send`: the operator has the Boss write, by the same path as a program and within the same bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from shared.model.users import LOCAL_USER, Users
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    found.users = Users([LOCAL_USER])
    yield found
    found.close()


def boss(environment: TurnEnvironment, *words: str, **more: Any) -> Result:
    """One command of the operator."""
    return CliRunner(env={"REDIS_URL": environment.redis_url, "SMS_MAX_SEGMENTS": "2"}).invoke(main, ["send", *words], **more)


def test_what_the_operator_sends_reaches_the_person(environment: TurnEnvironment) -> None:
    """A text, and a mail whose text comes by the standard input."""
    assert boss(environment, "user", "The door is open.").output.startswith("Taken in: m-api-")
    assert boss(environment, "user", "--subject", "Backup", "-", input="All is well.\n").exit_code == 0
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1 and environment.sandbox.count("sendgrid.send") == 1)
    assert environment.sandbox.journal("twilio.create")[0]["request"]["body"] == "The door is open."
    mail = environment.sandbox.journal("sendgrid.send")[0]["request"]
    assert (mail["subject"], mail["text"].strip()) == ("Backup", "All is well.")


@pytest.mark.parametrize(("words", "said"), [
    (("nobody", "x"), "nobody has this name"),
    (("user", "word " * 90), "segments"),
    (("user", " "), "the text is empty"),
    (("user", "--channel", "email", "x"), "a mail needs a subject"),
    (("user", "--subject", "a\nb", "x"), "one line"),
])  # fmt: skip
def test_what_cannot_be_sent_is_refused_by_a_sentence(environment: TurnEnvironment, words: tuple[str, ...], said: str) -> None:
    """And nothing is stored."""
    result = boss(environment, *words)
    assert result.exit_code == 2
    assert said in result.output
    assert environment.redis.keys("boss:msg:*") == []


def test_who_has_opted_out_is_not_written_to(environment: TurnEnvironment) -> None:
    """Their word counts for the operator, too."""
    assert LOCAL_USER.phone
    assert LOCAL_USER.boss_phone
    environment.redis.set(f"boss:optout:{environment.identities.pair(LOCAL_USER.boss_phone, LOCAL_USER.phone)}", "1")
    result = boss(environment, "user", "x")
    assert "STOP" in result.output
    assert environment.redis.keys("boss:msg:*") == []
