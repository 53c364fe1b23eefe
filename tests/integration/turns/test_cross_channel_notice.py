"""A reply that did not reach its user, told on their other channel: real scripts, real SDKs, counted at the sandbox's journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from redis import Redis

from shared.mailbox import calls
from shared.model.addresses import EmailAddress
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant import notices
from supervisor_worker.process.resources import WorkerResources
from supervisor_worker.process.sweep import Sweep
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.cross_channel_notice import send_notices
from tests.support.mail_html import MailHtml
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import BOSS_MAIL, TurnEnvironment

SECRET = "the secret words"


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def report(environment: TurnEnvironment, event: Received, state: Literal["delivered", "undelivered", "failed"] = "undelivered") -> None:
    """The provider's word on the reply to an event."""
    reply = environment.reply(event)
    environment.mailbox.run(calls.status(reply.attempts[0].provider_id, state, retention_ms=60_000, code="30003"))


def lost(environment: TurnEnvironment, event: Received) -> str:
    """Answer an event, and lose the answer; the reply's id."""
    environment.once(event)
    report(environment, event)
    return environment.reply(event).id


def work(environment: TurnEnvironment, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """Work until so many were sent, and nothing is left to do; what was sent."""
    environment.drive(lambda: not environment.redis.exists("boss:untold"))
    environment.drive(lambda: environment.sandbox.count(kind) >= count and not environment.redis.exists("boss:due", "boss:untold"))
    return list(environment.sandbox.journal(kind))


def test_a_text_that_did_not_arrive_is_told_by_mail_in_a_thread_of_its_own(environment: TurnEnvironment) -> None:
    """One mail, however often the report comes, with a fixed subject and nothing of what was said."""
    event = environment.text(SECRET)
    lost(environment, event)
    (mail,) = work(environment, "sendgrid.send")
    for _ in range(3):
        report(environment, event)
    environment.drive(lambda: not environment.redis.exists("boss:due", "boss:untold"))
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 1
    request = mail["request"]
    assert (request["to"], request["from"]) == ("user@example.com", "boss@example.com")
    told = said(notices.TEXT_LOST)
    assert (request["subject"], " ".join(request["text"].split())) == (said("text_lost_subject"), told)
    assert " ".join(MailHtml(request["html"]).text.split()) == told
    headers = {name.lower() for name in request["headers"]}
    assert headers & {"in-reply-to", "references"} == set()
    assert SECRET not in str(request)


def test_an_answer_to_that_mail_joins_its_conversation(environment: TurnEnvironment) -> None:
    """The thread's root is the notice's own Message-ID."""
    lost(environment, environment.text())
    (mail,) = work(environment, "sendgrid.send")
    (told,) = environment.ledger("notice", code=notices.TEXT_LOST)
    root = mail["request"]["headers"]["Message-ID"]
    answer = environment.mail("What did you say?", in_reply_to=root, references=(root,), subject=f"Re: {said('text_lost_subject')}")
    assert environment.conversation(answer) == told.fields["conv"]
    environment.drive(lambda: environment.state(answer) == "answered")


def test_a_mail_that_did_not_arrive_is_told_by_one_text(environment: TurnEnvironment) -> None:
    """Behind what the user texted before, and without a word of the mail."""
    event = environment.mail(SECRET, subject=SECRET)
    lost(environment, event)
    (text,) = work(environment, "twilio.create")
    request = text["request"]
    assert (request["to"], request["from"]) == ("+15551234567", "+15559876543")
    assert request["body"] == said(notices.MAIL_LOST)
    assert len(request["body"]) <= 160  # one segment


def test_a_number_that_twilio_refuses_for_good_is_told_by_mail(environment: TurnEnvironment) -> None:
    """The message is parked for the operator all the same."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 21614}], "status_callbacks": False})
    event = environment.text(SECRET)
    environment.once(event)
    (mail,) = work(environment, "sendgrid.send")
    assert mail["request"]["subject"] == said("text_lost_subject")
    assert environment.state(event) == "parked:twilio_21614"
    assert environment.sandbox.count("twilio.create", accepted=None) == 1


def test_two_dead_channels_do_not_tell_of_each_other(environment: TurnEnvironment) -> None:
    """The notice's own loss ends it."""
    lost(environment, environment.text())
    work(environment, "sendgrid.send")
    (told,) = environment.ledger("notice", code=notices.TEXT_LOST)
    notice = environment.mailbox.message(told.fields["msg"])
    assert notice
    reply = environment.mailbox.reply_of(notice)
    assert reply
    environment.mailbox.run(calls.status(reply.attempts[0].provider_id, "undelivered", retention_ms=60_000))
    assert environment.mailbox.reply(reply.id).state == "undelivered"  # type: ignore[union-attr]
    environment.drive(lambda: not environment.redis.exists("boss:due", "boss:untold"))
    assert environment.sandbox.count("twilio.create", accepted=None) == 1
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 1


def test_a_number_that_is_nobody_s_today_is_told_nowhere(environment: TurnEnvironment) -> None:
    """The users file may have changed since the message came: who has the number now is a stranger to its old conversation."""
    reply = lost(environment, environment.text(phone="+15553010000"))
    environment.drive(lambda: not environment.redis.exists("boss:due", "boss:untold"))
    assert [line.fields["reason"] for line in environment.ledger("untold", reply=reply)] == ["no_other_channel"]
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 0


def test_a_paused_user_is_told_when_the_pause_ends(environment: TurnEnvironment) -> None:
    """The notice is a message like any other."""
    lost(environment, environment.text())
    pair = environment.identities.pair(BOSS_MAIL, EmailAddress("user@example.com"))
    environment.mailbox.run(calls.pause("test", user="u-1", pairs=[pair]))
    environment.drive(lambda: bool(environment.ledger("told_elsewhere")))
    environment.drive(lambda: not environment.redis.zcount("boss:due", 0, 1))
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 0
    environment.mailbox.run(calls.resume(user="u-1"))
    environment.drive(lambda: environment.sandbox.count("sendgrid.send") == 1)


def test_several_processes_tell_once_and_one_that_died_costs_only_time(environment: TurnEnvironment) -> None:
    """Two read the same reply at the same time; a third had taken it from the list and was killed."""
    reply = lost(environment, environment.text())
    assert environment.mailbox.run(calls.sweep(recheck_ms=1)).untold == (reply,)  # and killed here

    async def both(context: TurnContext) -> None:
        await asyncio.gather(*(send_notices([reply], context) for _ in range(5)))

    environment.run(both)
    assert len(environment.ledger("told_elsewhere", reply=reply)) == 1
    assert len(work(environment, "sendgrid.send")) == 1


def test_a_record_that_cannot_be_read_keeps_nobody_waiting(environment: TurnEnvironment) -> None:
    """It is written down, and the next one is told."""
    first = lost(environment, environment.text(phone="+15553010000"))
    second = lost(environment, environment.text())
    environment.redis.hset(f"boss:reply:{first}", "command", "{not json")
    work(environment, "sendgrid.send")
    assert [line.fields["reason"] for line in environment.ledger("untold", reply=first)] == ["unreadable"]
    assert len(environment.ledger("told_elsewhere", reply=second)) == 1


def test_every_worker_s_sweep_tells(environment: TurnEnvironment) -> None:
    """Within one look."""
    reply = lost(environment, environment.text())

    async def look(context: TurnContext) -> None:
        redis = context.mailbox.redis
        await Sweep(WorkerResources(context, context.mailbox, redis, redis, redis)).once()

    environment.run(look)
    assert len(environment.ledger("told_elsewhere", reply=reply)) == 1
