"""What Twilio refuses a text for, by its number: what is tried again, by which way the user hears of it, and what the operator reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from click.testing import CliRunner
from redis import Redis
from structlog.testing import capture_logs

from boss.main import main
from shared.mailbox import calls
from shared.model.delivery_errors import TWILIO, sentence
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant import notices
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

USER: Final = "+15551234567"


@dataclass(frozen=True)
class Refusal:
    """Twilio's answer to every text. `route_dead`: no second text goes out; the user hears of it by mail."""

    name: str
    status: int
    code: int
    route_dead: bool
    words: str


CASES: Final = (
    Refusal("landline", 400, 21635, True, "landline"),
    Refusal("from-not-ours", 400, 21659, True, "not one of the Twilio account's"),
    Refusal("trial-length", 400, 30044, False, "too long for a trial account"),
    Refusal("daily-limit", 429, 63038, False, "limit of a day is used up"),
)


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def refuse(environment: TurnEnvironment, status: int, code: int, *, times: int | None = None) -> None:
    """Every text, or so many."""
    environment.sandbox.faults(twilio={"fail": [{"fault": str(status), "code": code, "times": times}]})


def texts(environment: TurnEnvironment) -> list[dict[str, Any]]:
    """All that were asked for."""
    return list(environment.sandbox.journal("twilio.create"))


def quiet(environment: TurnEnvironment) -> None:
    """Work until there is nothing left to do."""
    environment.drive(lambda: not environment.redis.exists("boss:untold"))
    environment.drive(lambda: not environment.redis.exists("boss:due", "boss:untold"))


def mails(environment: TurnEnvironment) -> list[str]:
    """What the user was told by mail, in one line each."""
    return [" ".join(entry["request"]["text"].split()) for entry in environment.sandbox.journal("sendgrid.send", accepted=True)]


@pytest.mark.parametrize("case", [case for case in CASES if case.status != 429], ids=lambda case: case.name)
def test_a_refused_text_s_user_is_told_once_by_the_route_that_is_left(environment: TurnEnvironment, case: Refusal) -> None:
    """A dead route gets no second text; a refusal of this very text gets an apology, and where that meets the same, a mail."""
    refuse(environment, case.status, case.code)
    event = environment.text("Hello")
    environment.once(event)
    quiet(environment)
    bodies = [entry["request"]["body"] for entry in texts(environment)]
    assert len(bodies) == (1 if case.route_dead else 2)
    assert (said(notices.GENERAL) in bodies) is not case.route_dead
    assert mails(environment) == [said(notices.TEXT_LOST if case.route_dead else notices.TEXT_UNTOLD)]
    assert environment.state(event) == f"parked:twilio_{case.code}"
    assert case.words in sentence(str(case.code))


def test_a_refused_text_without_another_channel_is_told_nowhere(environment: TurnEnvironment) -> None:
    """The operator sees it parked; nothing goes round in circles."""
    refuse(environment, 400, 30044)
    event = environment.text("Hello", "+15553020000")
    environment.once(event)
    quiet(environment)
    assert (len(texts(environment)), mails(environment)) == (2, [])
    assert [line.fields["reason"] for line in environment.ledger("untold")] == ["no_other_channel"]


def test_an_apology_that_sendgrid_refuses_goes_by_text(environment: TurnEnvironment) -> None:
    """The other way round."""
    environment.sandbox.faults(sendgrid={"fail": [{"fault": "400", "times": None}], "events": False})
    event = environment.mail("Hello")
    environment.once(event)
    quiet(environment)
    sent = [entry["request"]["body"] for entry in texts(environment)]
    assert sent == [said(notices.MAIL_UNTOLD)]
    assert environment.state(event) == "parked:sendgrid_http_400"


def test_an_apology_whose_loss_is_reported_later_goes_by_mail(environment: TurnEnvironment) -> None:
    """Twilio took it, and the carrier did not: the same as a refusal."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 30044}]})
    environment.once(environment.text("Hello"))
    environment.drive(lambda: environment.sandbox.count("twilio.create", contains=said(notices.GENERAL)) == 1)
    (told,) = environment.ledger("notice")
    notice = environment.mailbox.message(told.fields["msg"])
    assert notice
    reply = environment.mailbox.reply_of(notice)
    assert reply
    environment.mailbox.run(calls.status(reply.attempts[0].provider_id, "undelivered", code="30006", retention_ms=60_000))
    quiet(environment)
    assert mails(environment) == [said(notices.TEXT_UNTOLD)]


def test_a_day_s_limit_is_an_alarm_and_waited_for_long(environment: TurnEnvironment) -> None:
    """Not tried every few seconds, not counted; when it is over by then, the answer goes out."""
    environment.environment = {"LEASE_SECONDS": 60}
    refuse(environment, 429, 63038)
    events: list[Received] = [environment.text("Hello"), environment.text("Hi", "+15553020001")]
    with capture_logs() as logs:
        for event in events:
            environment.once(event)
    assert [entry["reason"] for entry in logs if entry.get("action") == "alarm"] == ["twilio_63038"]
    assert len(environment.ledger("alarm", reason="twilio_63038")) == 1
    waits = [int(line.fields["delay"]) for line in environment.ledger("backoff", reason="twilio_63038")]
    assert len(waits) == 2
    until_midnight = min(3_600_000, calls.DAY_MS - int(environment.redis.time()[0]) * 1000 % calls.DAY_MS)
    assert all(until_midnight - 60_000 <= wait <= 3_660_000 for wait in waits)
    assert [environment.message(event).errors for event in events] == [0, 0]
    environment.environment = {}
    environment.sandbox.faults(twilio={"fail": []})
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events))


def test_a_day_s_limit_that_lasts_longer_than_a_user_may_wait_is_parked_and_told_by_mail(environment: TurnEnvironment) -> None:
    """A text that says so would wait as well."""
    environment.environment = {"ANSWER_WITHIN_MINUTES": 0.001}
    refuse(environment, 429, 63038)
    event = environment.text("Hello")
    environment.drive(lambda: environment.state(event) == "parked:twilio_63038")
    quiet(environment)
    assert mails(environment) == [said(notices.TEXT_LOST)]
    assert not environment.ledger("notice", code="outage")


def test_a_number_of_ours_that_cannot_send_is_an_alarm_once(environment: TurnEnvironment) -> None:
    """It concerns everybody, and the operator alone can mend it."""
    refuse(environment, 400, 21660)
    with capture_logs() as logs:
        for number in range(3):
            environment.once(environment.text("Hello", f"+1555302{number:04}"))
    assert [entry["reason"] for entry in logs if entry.get("action") == "alarm"] == ["twilio_21660"]
    assert environment.mailbox.paused() == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_operator_reads_the_reason(environment: TurnEnvironment, case: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`boss messages show` says it in a sentence, whether the message is parked or waits."""
    monkeypatch.setenv("REDIS_URL", environment.redis_url)
    refuse(environment, case.status, case.code)
    event = environment.text("Hello")
    environment.once(event)
    shown = CliRunner().invoke(main, ["messages", "show", event.id])
    assert case.words in " ".join(shown.output.split())


@pytest.mark.parametrize("code", sorted(number for number, row in TWILIO.items() if row.kind in ("recipient", "sender")))
def test_no_second_text_goes_to_a_route_that_is_refused(environment: TurnEnvironment, code: int) -> None:
    """For every number of the table."""
    refuse(environment, 400, code)
    environment.once(environment.text("Hello"))
    quiet(environment)
    assert len(texts(environment)) == 1
    assert mails(environment) == [said(notices.TEXT_LOST)]
