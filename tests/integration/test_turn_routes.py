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
from supervisor_worker.assistant import notices
from tests.integration.turn_world import World
from tests.support.sandbox import SandboxProcess

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
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = World(redis, redis_url, sandbox)
    yield found
    found.close()


def refuse(world: World, status: int, code: int, *, times: int | None = None) -> None:
    """Every text, or so many."""
    world.sandbox.faults(twilio={"fail": [{"fault": str(status), "code": code, "times": times}]})


def texts(world: World) -> list[dict[str, Any]]:
    """All that were asked for."""
    return list(world.sandbox.journal("twilio.create"))


def quiet(world: World) -> None:
    """Work until there is nothing left to do."""
    world.drive(lambda: not world.redis.exists("boss:untold"))
    world.drive(lambda: not world.redis.exists("boss:due", "boss:untold"))


def mails(world: World) -> list[str]:
    """What the user was told by mail."""
    return [entry["request"]["text"] for entry in world.sandbox.journal("sendgrid.send", accepted=True)]


@pytest.mark.parametrize("case", [case for case in CASES if case.status != 429], ids=lambda case: case.name)
def test_a_refused_text_s_user_is_told_once_by_the_route_that_is_left(world: World, case: Refusal) -> None:
    """A dead route gets no second text; a refusal of this very text gets an apology, and where that meets the same, a mail."""
    refuse(world, case.status, case.code)
    event = world.text("Hello")
    world.once(event)
    quiet(world)
    bodies = [entry["request"]["body"] for entry in texts(world)]
    assert len(bodies) == (1 if case.route_dead else 2)
    assert (notices.GENERAL in bodies) is not case.route_dead
    assert mails(world) == [notices.NOTICES[notices.TEXT_LOST if case.route_dead else notices.TEXT_UNTOLD]]
    assert world.state(event) == f"parked:twilio_{case.code}"
    assert case.words in sentence(str(case.code))


def test_a_refused_text_without_another_channel_is_told_nowhere(world: World) -> None:
    """The operator sees it parked; nothing goes round in circles."""
    refuse(world, 400, 30044)
    event = world.text("Hello", "+15553020000")
    world.once(event)
    quiet(world)
    assert (len(texts(world)), mails(world)) == (2, [])
    assert [line.fields["reason"] for line in world.ledger("untold")] == ["no_other_channel"]


def test_an_apology_that_sendgrid_refuses_goes_by_text(world: World) -> None:
    """The other way round."""
    world.sandbox.faults(sendgrid={"fail": [{"fault": "400", "times": None}], "events": False})
    event = world.mail("Hello")
    world.once(event)
    quiet(world)
    sent = [entry["request"]["body"] for entry in texts(world)]
    assert sent == [notices.NOTICES[notices.MAIL_UNTOLD]]
    assert world.state(event) == "parked:sendgrid_http_400"


def test_an_apology_whose_loss_is_reported_later_goes_by_mail(world: World) -> None:
    """Twilio took it, and the carrier did not: the same as a refusal."""
    world.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 30044}]})
    world.once(world.text("Hello"))
    world.drive(lambda: world.sandbox.count("twilio.create", contains=notices.GENERAL) == 1)
    (told,) = world.ledger("notice")
    notice = world.mailbox.message(told.fields["msg"])
    assert notice
    reply = world.mailbox.reply_of(notice)
    assert reply
    world.mailbox.run(calls.status(reply.attempts[0].provider_id, "undelivered", code="30006", retention_ms=60_000))
    quiet(world)
    assert mails(world) == [notices.NOTICES[notices.TEXT_UNTOLD]]


def test_a_day_s_limit_is_an_alarm_and_waited_for_long(world: World) -> None:
    """Not tried every few seconds, not counted; when it is over by then, the answer goes out."""
    world.environment = {"LEASE_SECONDS": 60}
    refuse(world, 429, 63038)
    events: list[Received] = [world.text("Hello"), world.text("Hi", "+15553020001")]
    with capture_logs() as logs:
        for event in events:
            world.once(event)
    assert [entry["reason"] for entry in logs if entry.get("action") == "alarm"] == ["twilio_63038"]
    assert len(world.ledger("alarm", reason="twilio_63038")) == 1
    waits = [int(line.fields["delay"]) for line in world.ledger("backoff", reason="twilio_63038")]
    assert len(waits) == 2
    until_midnight = min(3_600_000, calls.DAY_MS - int(world.redis.time()[0]) * 1000 % calls.DAY_MS)
    assert all(until_midnight - 60_000 <= wait <= 3_660_000 for wait in waits)
    assert [world.message(event).errors for event in events] == [0, 0]
    world.environment = {}
    world.sandbox.faults(twilio={"fail": []})
    world.drive(lambda: all(world.state(event) == "answered" for event in events))


def test_a_day_s_limit_that_lasts_longer_than_a_user_may_wait_is_parked_and_told_by_mail(world: World) -> None:
    """A text that says so would wait as well."""
    world.environment = {"ANSWER_WITHIN_MINUTES": 0.001}
    refuse(world, 429, 63038)
    event = world.text("Hello")
    world.drive(lambda: world.state(event) == "parked:twilio_63038")
    quiet(world)
    assert mails(world) == [notices.NOTICES[notices.TEXT_LOST]]
    assert not world.ledger("notice", code="outage")


def test_a_number_of_ours_that_cannot_send_is_an_alarm_once(world: World) -> None:
    """It concerns everybody, and the operator alone can mend it."""
    refuse(world, 400, 21660)
    with capture_logs() as logs:
        for number in range(3):
            world.once(world.text("Hello", f"+1555302{number:04}"))
    assert [entry["reason"] for entry in logs if entry.get("action") == "alarm"] == ["twilio_21660"]
    assert world.mailbox.paused() == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_operator_reads_the_reason(world: World, case: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`boss messages show` says it in a sentence, whether the message is parked or waits."""
    monkeypatch.setenv("REDIS_URL", world.redis_url)
    refuse(world, case.status, case.code)
    event = world.text("Hello")
    world.once(event)
    shown = CliRunner().invoke(main, ["messages", "show", event.id])
    assert case.words in " ".join(shown.output.split())


@pytest.mark.parametrize("code", sorted(number for number, row in TWILIO.items() if row.kind in ("recipient", "sender")))
def test_no_second_text_goes_to_a_route_that_is_refused(world: World, code: int) -> None:
    """For every number of the table."""
    refuse(world, 400, code)
    world.once(world.text("Hello"))
    quiet(world)
    assert len(texts(world)) == 1
    assert mails(world) == [notices.NOTICES[notices.TEXT_LOST]]
