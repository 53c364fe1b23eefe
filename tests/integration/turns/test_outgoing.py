"""What a program has the Boss write is sent by code, as it was taken in, and is told to the model as words of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from shared import submit
from shared.model.outgoing import OutgoingMessage
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


def write(environment: TurnEnvironment, text: str = "The door is open.", **more: Any) -> str:
    """Have it written; its id."""
    name = f"m-api-{time.time_ns()}"
    given: dict[str, Any] = {"channel": "sms", "expires_ms": int(time.time() * 1000) + 60_000, "token": "t-1", "source": "door"} | more
    outcome = environment.mailbox.run(submit.outgoing(environment, OutgoingMessage(id=name, user="user", text=text, **given)))
    assert outcome.outcome == "accepted"
    return name


def ended(environment: TurnEnvironment, name: str, seconds: float = 10) -> str:
    """How it ended."""

    def state() -> str:
        found = environment.mailbox.message(name)
        assert found is not None
        return f"{found.state}:{found.reason}" if found.reason else str(found.state)

    environment.drive(lambda: state() not in ("pending", "in_turn"), seconds)
    return state()


def test_it_is_sent_while_claude_is_away_and_the_model_knows_it_as_words_of_others(environment: TurnEnvironment) -> None:
    """With the name of who says so. In the next turn nothing is remembered without a yes."""
    environment.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    event = environment.text("Hello")
    environment.once(event)
    assert ended(environment, write(environment)) == "answered"
    assert [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create")] == ["[door] The door is open."]
    environment.sandbox.faults(anthropic={"fail": []})
    environment.drive(lambda: environment.state(event) == "answered")
    later = environment.text("Remember that")
    environment.answer_to(later, {"calls": [{"name": "remember", "input": {"text": "the door"}}]}, {"text": "No."})
    question = str(environment.questions()[-1]["messages"])
    assert "A program of the operator's, and not you, had this sent to the person" in question
    assert "[door] The door is open." in question
    assert environment.redis.keys("boss:facts:*") == []


def test_a_mail_is_a_thread_of_its_own_with_its_subject_and_no_letter_of_it_is_markdown(environment: TurnEnvironment) -> None:
    """An answer to it finds its conversation."""
    name = write(environment, "*Not* bold\n# no head", channel="email", subject="The door", source="")
    assert ended(environment, name) == "answered"
    (mail,) = environment.sandbox.journal("sendgrid.send", accepted=True)
    assert (mail["request"]["to"], mail["request"]["subject"]) == ("user@example.com", "The door")
    assert mail["request"]["text"].split() == ["*Not*", "bold", "#", "no", "head"]


def test_it_is_sent_whole_though_a_text_may_take_less_by_now(environment: TurnEnvironment) -> None:
    """Its length was judged when it was taken in."""
    environment.environment["SMS_MAX_SEGMENTS"] = 1
    text = "word " * 60
    assert ended(environment, write(environment, text.strip(), source="")) == "answered"
    assert environment.sandbox.journal("twilio.create")[0]["request"]["body"] == text.strip()


def test_it_waits_out_an_outage_until_its_own_end_and_nobody_gets_an_apology(environment: TurnEnvironment) -> None:
    """Beyond ANSWER_WITHIN_MINUTES, which are for answers."""
    environment.environment["ANSWER_WITHIN_MINUTES"] = 0.001
    environment.sandbox.faults(twilio={"fail": [{"fault": "503", "times": 3}]})
    assert ended(environment, write(environment), 20) == "answered"
    environment.sandbox.faults(twilio={"fail": [{"fault": "503", "times": None}]})
    name = write(environment, "again", expires_ms=int(time.time() * 1000) + 2_500)
    assert ended(environment, name, 20) == "ignored:expired"
    assert environment.ledger("notice") == environment.ledger("told_elsewhere") == []


def test_a_final_refusal_parks_it_and_tells_nobody_else(environment: TurnEnvironment) -> None:
    """The program finds out."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 21614}]})
    assert ended(environment, write(environment)).startswith("parked:twilio_21614")
    assert environment.ledger("told_elsewhere") == environment.ledger("notice") == []


def test_whose_address_has_changed_gets_nothing(environment: TurnEnvironment) -> None:
    """It ends as theirs."""
    name = write(environment)
    environment.users.replace([])
    assert ended(environment, name) == "ignored:address_removed"
    assert environment.sandbox.journal("twilio.create") == []


def test_quiet_hours_hold_it_until_they_end(environment: TurnEnvironment) -> None:
    """Then the next look puts it into the inbox of the person's entry as it is then."""
    minute = datetime.now(UTC).hour * 60 + datetime.now(UTC).minute
    environment.users.replace([replace(LOCAL_USER, quiet_hours=((minute - 60) % 1440, (minute + 60) % 1440))])
    name = write(environment)
    urgent = write(environment, "fire", urgent=True)
    assert ended(environment, urgent) == "answered"
    assert environment.redis.zscore("boss:alarms", name) is not None
    environment.users.replace([LOCAL_USER])
    past = int(time.time() * 1000) - 1
    environment.redis.hset(f"boss:msg:{name}", "due", past)
    environment.redis.zadd("boss:alarms", {name: past})
    assert ended(environment, name) == "answered"
