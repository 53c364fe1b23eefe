"""A status report that never came: Twilio's own record of the text is read in its place, and the user told all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from shared.mailbox import AsyncMailbox, calls
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant import notices
from supervisor_worker.channels.twilio.message_list import TwilioMessageList
from supervisor_worker.reconciler.reports import settle
from supervisor_worker.reconciler.result import Bounds
from supervisor_worker.turns.context import TurnContext
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

MINUTE = 60_000


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def answered(environment: TurnEnvironment, final: str, code: int | None = None) -> Received:
    """A text whose answer Twilio took, and brought to this end without a report."""
    environment.sandbox.faults(twilio={"status_callbacks": False, "final_status": final, "error_code": code, "callback_delay_seconds": 0})
    event = environment.text("Hello")
    environment.once(event)
    assert environment.reply(event).state == "sent"
    return event


def look(environment: TurnEnvironment, *, after: float = 0) -> int:
    """One look of the reconciler's at what went out."""

    async def scenario(context: TurnContext) -> int:
        twilio = TwilioMessageList(context.settings, pause=0)
        ends_at = asyncio.get_running_loop().time() + 5
        try:
            return await settle(context.mailbox, twilio, after=after, ends_at=ends_at, retention_ms=context.retention_ms)
        finally:
            await twilio.aclose()

    return environment.run(scenario)


def look_until_settled(environment: TurnEnvironment, event: Received) -> None:
    """The sandbox needs a moment to bring a text to its end; a look in vain is repeated as if its time had come."""

    async def scenario(_: TurnContext) -> None:
        await asyncio.sleep(0.05)

    for _ in range(100):
        look(environment)
        if environment.reply(event).state != "sent":
            return
        environment.redis.zadd("boss:unsettled", {environment.reply(event).id: 0})
        environment.run(scenario)
    pytest.fail(environment.story())


def test_a_lost_report_is_made_up_for_and_the_user_told_on_the_other_channel(environment: TurnEnvironment) -> None:
    """Undelivered, with its code, and one mail."""
    event = answered(environment, "undelivered", 30005)
    look_until_settled(environment, event)
    assert (environment.reply(event).state, environment.reply(event).code) == ("undelivered", "30005")
    environment.drive(lambda: environment.sandbox.count("sendgrid.send") == 1)
    (mail,) = environment.sandbox.journal("sendgrid.send")
    assert " ".join(mail["request"]["text"].split()) == said(notices.TEXT_LOST)
    assert look(environment) == 0


def test_the_first_look_comes_well_within_a_quarter_of_an_hour(environment: TurnEnvironment) -> None:
    """As often as the reconciler looks; a report that comes in time is waited for."""
    bounds = Bounds.of(environment.settings)
    assert bounds.report + environment.settings.reconcile_minutes * 60 + 60 <= 15 * 60
    answered(environment, "delivered")
    assert look(environment, after=bounds.report) == 0


@pytest.mark.parametrize(("final", "state"), [("delivered", "delivered"), ("failed", "failed")])
def test_any_final_state_is_read(environment: TurnEnvironment, final: str, state: str) -> None:
    """And nothing is left to ask."""
    event = answered(environment, final)
    look_until_settled(environment, event)
    assert environment.reply(event).state == state
    assert not environment.redis.exists("boss:unsettled")


def test_a_text_that_is_only_on_its_way_is_asked_about_later(environment: TurnEnvironment) -> None:
    """Some carriers never report."""
    event = answered(environment, "sent")
    assert look(environment) == 0
    assert environment.reply(event).state == "sent"
    assert environment.redis.zcard("boss:unsettled") == 1


def test_an_opt_out_that_only_the_record_tells_is_heard(environment: TurnEnvironment) -> None:
    """21610, as in a report."""
    event = answered(environment, "failed", 21610)
    look_until_settled(environment, event)
    assert environment.ledger("opted_out", pair=environment.identities.pair(event.to, event.from_))


def test_a_text_that_twilio_does_not_have_any_more_harms_nothing(environment: TurnEnvironment) -> None:
    """No alarm for an account that is there; the others are asked about all the same."""
    first, second = answered(environment, "undelivered"), answered(environment, "undelivered")
    reply = environment.reply(first)
    raw: Any = environment.redis.hget(f"boss:reply:{reply.id}", "attempts")
    environment.redis.hset(f"boss:reply:{reply.id}", "attempts", raw.decode().replace(reply.attempts[0].provider_id, "SM" + "0" * 32))
    look_until_settled(environment, second)
    assert environment.reply(first).state == "sent"
    assert environment.mailbox.paused() == ""


def test_a_record_that_cannot_be_read_ends_the_look(environment: TurnEnvironment) -> None:
    """It is asked for again later."""
    event = answered(environment, "undelivered")
    environment.sandbox.faults(twilio={"fail": [{"fault": "503", "on": "fetch"}]})
    assert look(environment) == 0
    assert environment.reply(event).state == "sent"
    assert environment.redis.zcard("boss:unsettled") == 1


def test_the_mailbox_gives_each_text_to_one_look(environment: TurnEnvironment) -> None:
    """Two processes that look at the same time ask about different ones."""
    reply = environment.reply(answered(environment, "sent")).id

    async def twice(context: TurnContext) -> list[int]:
        mailbox: AsyncMailbox = context.mailbox
        call = calls.unsettled(after_ms=MINUTE, most_ms=calls.DAY_MS, limit=10)
        environment.redis.zadd("boss:unsettled", {reply: 0})
        return sorted(len(found) for found in await asyncio.gather(mailbox.run(call), mailbox.run(call)))

    assert environment.run(twice) == [0, 1]
