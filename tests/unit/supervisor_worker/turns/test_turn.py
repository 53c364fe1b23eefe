"""The edges of a turn that no provider sees."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from shared.config.loading import load_settings
from shared.mailbox import keys
from shared.mailbox.call import Call
from shared.model import users_file
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.support.fake_mailbox import IDENTITIES, LEASE_MS, Conversation, FakeMailbox, ServerClock


def context(mailbox: FakeMailbox) -> TurnContext:
    settings = load_settings(sandbox="on")
    nothing = cast("Any", None)
    return TurnContext(settings, users_file.load_users(None), IDENTITIES, mailbox, nothing, {}, asyncio.Event(), nothing)


def holder(talk: Conversation) -> str:
    """The token of the conversation's lease; "" when nobody has it."""
    found: Any = talk.mailbox.blocking.redis.hget(keys.conversation(talk.id), "token")
    return str(found.decode())


def test_a_turn_cancelled_while_it_claims_leaves_no_lease_behind(clock: ServerClock) -> None:
    """The claim is waited for, and whatever it took is given back."""
    talk = Conversation(clock)
    talk.accept()

    async def scenario() -> None:
        claimed, go = asyncio.Event(), asyncio.Event()

        async def late_answer(_call: Call[Any]) -> None:
            claimed.set()
            await go.wait()

        talk.mailbox.after["claim"] = late_answer
        turn = asyncio.create_task(run_turn(talk.id, "k-1", context(talk.mailbox)))
        await claimed.wait()
        assert holder(talk) == "k-1"
        turn.cancel()
        await asyncio.sleep(0)
        assert talk.mailbox.names() == ["claim"]
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await turn

    asyncio.run(scenario())
    assert [call.name for call in talk.mailbox.answered] == ["claim", "backoff"]
    assert holder(talk) == ""
    talk.claim("k-2")


def test_a_process_that_ends_claims_nothing(clock: ServerClock) -> None:
    """A job that was popped meanwhile leaves its conversation to the agenda."""
    talk = Conversation(clock)
    talk.accept()

    async def scenario() -> None:
        parts = context(talk.mailbox)
        parts.stopping.set()
        assert await run_turn(talk.id, "k-1", parts) is False

    asyncio.run(scenario())
    assert talk.mailbox.names() == []


def test_a_lease_that_is_still_held_does_not_wait_for_its_end_after_a_permit_that_came_too_late(clock: ServerClock) -> None:
    """A repeated request for a permit may answer "lost" to the lease's own holder: it gives the lease up, the attempt is looked up soon."""
    talk = Conversation(clock)
    talk.accept()
    talk.claim("k-1")
    talk.store_reply()
    talk.back_off()
    talk.mailbox.lose_answer("sending", lambda _: clock.advance(LEASE_MS - 15_000))  # what is left is too short for a request

    async def scenario() -> None:
        assert await run_turn(talk.id, "k-2", context(talk.mailbox)) is False

    asyncio.run(scenario())
    assert talk.mailbox.names() == ["claim", "sending", "backoff"]
    assert [attempt.outcome for attempt in talk.attempts] == [""]
    assert holder(talk) == ""
    clock.advance(20_000)
    talk.claim("k-3")
