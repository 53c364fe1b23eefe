"""The edges of a turn that no provider sees."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from shared.config.loading import load_settings
from shared.mailbox.call import Call
from shared.mailbox.calls import Claim, Closed, Sending
from shared.mailbox.records import Message, MessageState, Reply, ReplyState, Turn
from shared.model import users
from shared.model.addresses import Identities, PhoneNumber
from shared.model.events import SendSmsResponse
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn


class Mailbox:
    """A claim that takes its time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.go = asyncio.Event()

    async def run(self, call: Call[Any]) -> Any:
        """Remember when each call was asked and answered."""
        self.asked.append(call.name)
        if call.name == "claim":
            await self.go.wait()
        self.answered.append(call.name)
        return Claim("held") if call.name == "claim" else Closed("more")


def context(mailbox: Mailbox) -> TurnContext:
    settings = load_settings(sandbox="on")
    nothing = cast("Any", None)
    return TurnContext(settings, users.load_users(None), Identities(b"x"), cast("Any", mailbox), nothing, {}, asyncio.Event(), nothing)


def test_a_turn_cancelled_while_it_claims_leaves_no_lease_behind() -> None:
    """The claim is waited for, and whatever it took is given back."""

    async def scenario() -> list[str]:
        mailbox = Mailbox()
        turn = asyncio.create_task(run_turn("c-1", "k-1", context(mailbox)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        turn.cancel()
        await asyncio.sleep(0)
        assert mailbox.asked == ["claim"]
        mailbox.go.set()
        with pytest.raises(asyncio.CancelledError):
            await turn
        return mailbox.answered

    assert asyncio.run(scenario()) == ["claim", "backoff"]


def test_a_process_that_ends_claims_nothing() -> None:
    """A job that was popped meanwhile leaves its conversation to the agenda."""

    async def scenario() -> list[str]:
        mailbox = Mailbox()
        parts = context(mailbox)
        parts.stopping.set()
        assert await run_turn("c-1", "k-1", parts) is False
        return mailbox.asked

    assert asyncio.run(scenario()) == []


def test_a_lease_that_is_still_held_does_not_wait_for_its_end_after_a_leave_that_came_too_late() -> None:
    """A repeated request for leave may answer "lost" to the lease's own holder: it gives the lease up, the attempt is looked up soon."""
    boss, user = PhoneNumber("+15559876543"), PhoneNumber("+15551234567")
    command = SendSmsResponse(to=user, from_=boss, message="hello", user="user")
    message = Message("m-1", "c-1", "text", MessageState.IN_TURN)
    turn = Turn("t-1", (message,), Reply("r-1", "c-1", "t-1", command, ReplyState.STORED))
    answers = {"claim": Claim("taken", 60_000, 0, turn), "sending": Sending("lost"), "backoff": Closed("more")}

    class LateLeave(Mailbox):
        async def run(self, call: Call[Any]) -> Any:
            self.asked.append(call.name)
            return answers[call.name]

    async def scenario() -> list[str]:
        mailbox = LateLeave()
        assert await run_turn("c-1", "k-1", context(mailbox)) is False
        return mailbox.asked

    assert asyncio.run(scenario()) == ["claim", "sending", "backoff"]
