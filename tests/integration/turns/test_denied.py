"""A 403 to one message is that message's own; a key that is refused pauses all, and a turn that is let through ends the pause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from click.testing import CliRunner
from redis import Redis

from boss.main import main
from shared.mailbox import calls
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant import notices
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

POISON: Final = "poison"
USERS: Final = 50
USUAL_SECONDS: Final = 2.0
"""How much later than usual anybody else may be answered."""


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def forbid(environment: TurnEnvironment, provider: str, match: str | None = POISON) -> None:
    """The provider, or a filter before it, answers 403 to what has these words, or to everything."""
    environment.sandbox.faults(**{provider: {"fail": [{"fault": "403", "times": None, "match": match}]}})


def write(environment: TurnEnvironment, provider: str, number: int, words: str = "Hello") -> Received:
    """A message of one user that goes by way of this provider."""
    if provider == "sendgrid":
        return environment.mail(words, f"u{number}@example.com")
    return environment.text(words, f"+1555501{number:04}")


def answer_all(environment: TurnEnvironment, events: list[Received]) -> float:
    """Work until all are answered; how many seconds that took."""
    began = time.monotonic()
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events), 30)
    return time.monotonic() - began


def end_wait(environment: TurnEnvironment) -> None:
    """The wait until the provider may be tried again is over."""
    environment.redis.hset("boss:pause", "probe_at", 0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("provider", ["anthropic", "twilio", "sendgrid"])
def test_a_403_to_one_message_delays_nobody_else(environment: TurnEnvironment, provider: str) -> None:
    """Fifty others are answered as ever; that one is tried five times and parked with its reason."""
    usual = answer_all(environment, [write(environment, provider, number) for number in range(USERS)])
    forbid(environment, provider)
    bad = write(environment, provider, 9999, POISON)
    environment.once(bad)
    first = answer_all(environment, [write(environment, provider, number) for number in range(USERS)])
    environment.drive(lambda: environment.state(bad).startswith("parked:"), 30)
    again = answer_all(environment, [write(environment, provider, number) for number in range(USERS)])
    name = "claude" if provider == "anthropic" else provider
    assert environment.state(bad) == f"parked:{name}_denied"
    assert max(first, again) <= usual + USUAL_SECONDS
    assert not environment.ledger("paused")
    kind = {"anthropic": "anthropic.messages", "twilio": "twilio.create", "sendgrid": "sendgrid.send"}[provider]
    matching = environment.sandbox.journal(kind, contains=POISON)
    assert len([entry for entry in matching if entry["status"] == 403]) == 5


@pytest.mark.parametrize("provider", ["anthropic", "twilio", "sendgrid"])
def test_a_403_to_everybody_pauses_and_what_waits_is_answered_when_it_ends(environment: TurnEnvironment, provider: str) -> None:
    """Nothing is parked, and no operator has to resume: a turn that is let through finds out."""
    forbid(environment, provider, None)
    events = [write(environment, provider, number) for number in range(3)]
    environment.drive(lambda: bool(environment.ledger("paused")), 20)
    for tries in (1, 2):
        assert environment.mailbox.paused()
        end_wait(environment)
        environment.drive(lambda tries=tries: len(environment.ledger("probe")) >= tries, 40)  # type: ignore[misc]
    assert environment.mailbox.paused()
    environment.sandbox.faults(**{provider: {"fail": []}})
    end_wait(environment)
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events), 60)
    assert [line.fields["by"] for line in environment.ledger("resumed")] == ["probe"]
    assert not environment.ledger("parked")


@pytest.mark.parametrize(("provider", "status"), [("anthropic", "401"), ("anthropic", "402"), ("twilio", "401"), ("sendgrid", "401")])
def test_a_refused_key_is_tried_and_the_pause_ends_by_itself(environment: TurnEnvironment, provider: str, status: str) -> None:
    """One request at a time, more and more rarely; what waits goes out when one is taken, once."""
    fault: dict[str, Any] = {"fault": status, "times": None}
    environment.sandbox.faults(**{provider: {"fail": [fault]}})
    events = [write(environment, provider, number) for number in range(4)]
    environment.drive(lambda: bool(environment.ledger("paused")), 20)
    environment.drive(lambda: len(environment.ledger("probe")) == 1, 20)
    assert len(environment.ledger("paused")) == 1
    kind = {"anthropic": "anthropic.messages", "twilio": "twilio.create", "sendgrid": "sendgrid.send"}[provider]
    end_wait(environment)
    environment.drive(lambda: len(environment.ledger("probe")) == 2, 30)
    assert environment.sandbox.count(kind, accepted=None) <= len(events) + 2
    environment.sandbox.faults(**{provider: {"fail": []}})
    end_wait(environment)
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events), 60)
    assert environment.sandbox.count("sendgrid.send" if provider == "sendgrid" else "twilio.create") == len(events)
    assert all(environment.message(event).errors == 0 for event in events)


def test_the_operator_sees_that_it_is_tried_and_may_take_over(environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """`boss pause` and `boss doctor` say when; a pause of their own is not tried."""
    monkeypatch.setenv("REDIS_URL", environment.redis_url)
    environment.sandbox.faults(twilio={"fail": [{"fault": "401", "times": None}]})
    environment.once(environment.text())

    def said(*arguments: str) -> str:
        return " ".join(CliRunner().invoke(main, list(arguments)).output.split())

    assert "Twilio is tried again in" in said("pause")
    assert "goes on by itself" in said("doctor")
    assert "Sending is paused: audit" in said("pause", "audit")
    assert "tried again" not in said("pause")
    end_wait(environment)
    environment.due_now()
    environment.drive(lambda: bool(environment.redis.zcount("boss:due", 1, "+inf")))
    assert not environment.ledger("probe")
    assert environment.mailbox.run(calls.resume(by="ada"))


def test_a_user_whose_text_is_denied_five_times_is_told_by_text(environment: TurnEnvironment) -> None:
    """The sentence is ours, and no filter minds it."""
    forbid(environment, "anthropic")
    event = environment.text(POISON)
    environment.drive(lambda: environment.sandbox.count("twilio.create", contains=said(notices.GENERAL)) == 1, 30)
    assert environment.state(event) == "parked:claude_denied"
