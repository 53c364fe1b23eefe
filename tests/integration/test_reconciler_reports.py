"""A status report that never came: Twilio's own record of the text is read in its place, and the user told all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from shared.mailbox import AsyncMailbox, calls
from shared.model.events import Received
from supervisor_worker.assistant import notices
from supervisor_worker.channels.twilio.message_list import TwilioMessageList
from supervisor_worker.reconciler.reports import settle
from supervisor_worker.reconciler.result import Bounds
from supervisor_worker.turns.context import TurnContext
from tests.integration.turn_world import World
from tests.support.sandbox import SandboxProcess

MINUTE = 60_000


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = World(redis, redis_url, sandbox)
    yield found
    found.close()


def answered(world: World, final: str, code: int | None = None) -> Received:
    """A text whose answer Twilio took, and brought to this end without a report."""
    world.sandbox.faults(twilio={"status_callbacks": False, "final_status": final, "error_code": code, "callback_delay_seconds": 0})
    event = world.text("Hello")
    world.once(event)
    assert world.reply(event).state == "sent"
    return event


def look(world: World, *, after: float = 0) -> int:
    """One look of the reconciler's at what went out."""

    async def scenario(context: TurnContext) -> int:
        twilio = TwilioMessageList(context.settings, pause=0)
        ends_at = asyncio.get_running_loop().time() + 5
        try:
            return await settle(context.mailbox, twilio, after=after, ends_at=ends_at, retention_ms=context.retention_ms)
        finally:
            await twilio.aclose()

    return world.run(scenario)


def look_until_settled(world: World, event: Received) -> None:
    """The sandbox needs a moment to bring a text to its end; a look in vain is repeated as if its time had come."""

    async def scenario(_: TurnContext) -> None:
        await asyncio.sleep(0.05)

    for _ in range(100):
        look(world)
        if world.reply(event).state != "sent":
            return
        world.redis.zadd("boss:unsettled", {world.reply(event).id: 0})
        world.run(scenario)
    pytest.fail(world.story())


def test_a_lost_report_is_made_up_for_and_the_user_told_on_the_other_channel(world: World) -> None:
    """Undelivered, with its code, and one mail."""
    event = answered(world, "undelivered", 30005)
    look_until_settled(world, event)
    assert (world.reply(event).state, world.reply(event).code) == ("undelivered", "30005")
    world.drive(lambda: world.sandbox.count("sendgrid.send") == 1)
    (mail,) = world.sandbox.journal("sendgrid.send")
    assert mail["request"]["text"] == notices.NOTICES[notices.TEXT_LOST]
    assert look(world) == 0


def test_the_first_look_comes_well_within_a_quarter_of_an_hour(world: World) -> None:
    """As often as the reconciler looks; a report that comes in time is waited for."""
    bounds = Bounds.of(world.settings)
    assert bounds.report + world.settings.reconcile_minutes * 60 + 60 <= 15 * 60
    answered(world, "delivered")
    assert look(world, after=bounds.report) == 0


@pytest.mark.parametrize(("final", "state"), [("delivered", "delivered"), ("failed", "failed")])
def test_any_final_state_is_read(world: World, final: str, state: str) -> None:
    """And nothing is left to ask."""
    event = answered(world, final)
    look_until_settled(world, event)
    assert world.reply(event).state == state
    assert not world.redis.exists("boss:unsettled")


def test_a_text_that_is_only_on_its_way_is_asked_about_later(world: World) -> None:
    """Some carriers never report."""
    event = answered(world, "sent")
    assert look(world) == 0
    assert world.reply(event).state == "sent"
    assert world.redis.zcard("boss:unsettled") == 1


def test_an_opt_out_that_only_the_record_tells_is_heard(world: World) -> None:
    """21610, as in a report."""
    event = answered(world, "failed", 21610)
    look_until_settled(world, event)
    assert world.ledger("opted_out", pair=world.identities.pair(event.to, event.from_))


def test_a_text_that_twilio_does_not_have_any_more_harms_nothing(world: World) -> None:
    """No alarm for an account that is there; the others are asked about all the same."""
    first, second = answered(world, "undelivered"), answered(world, "undelivered")
    reply = world.reply(first)
    raw: Any = world.redis.hget(f"boss:reply:{reply.id}", "attempts")
    world.redis.hset(f"boss:reply:{reply.id}", "attempts", raw.decode().replace(reply.attempts[0].provider_id, "SM" + "0" * 32))
    look_until_settled(world, second)
    assert world.reply(first).state == "sent"
    assert world.mailbox.paused() == ""


def test_a_record_that_cannot_be_read_ends_the_look(world: World) -> None:
    """It is asked for again later."""
    event = answered(world, "undelivered")
    world.sandbox.faults(twilio={"fail": [{"fault": "503", "on": "fetch"}]})
    assert look(world) == 0
    assert world.reply(event).state == "sent"
    assert world.redis.zcard("boss:unsettled") == 1


def test_the_mailbox_gives_each_text_to_one_look(world: World) -> None:
    """Two processes that look at the same time ask about different ones."""
    reply = world.reply(answered(world, "sent")).id

    async def twice(context: TurnContext) -> list[int]:
        mailbox: AsyncMailbox = context.mailbox
        call = calls.unsettled(after_ms=MINUTE, most_ms=calls.DAY_MS, limit=10)
        world.redis.zadd("boss:unsettled", {reply: 0})
        return sorted(len(found) for found in await asyncio.gather(mailbox.run(call), mailbox.run(call)))

    assert world.run(twice) == [0, 1]
