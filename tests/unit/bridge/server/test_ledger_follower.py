"""What the records of a message say to the client that waits for it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.server.ledger_follower import LedgerFollower, outcome_of
from shared.mailbox import calls, keys
from shared.mailbox.records import Message, MessageState, Reply, ReplyState
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from tests.support.fake_mailbox import RETENTION_MS, Conversation, FakeMailbox, ServerClock


def message(state: MessageState, reason: str = "") -> Message:
    return Message(id="m-1", conversation="c-1", kind="bridge", state=state, reason=reason, turn="t-1")


PHONE, BOSS = "+15551234567", "+15559876543"
REPLY = Reply(
    "r-1", "c-1", "t-1", SendSmsResponse(to=PhoneNumber(PHONE), from_=PhoneNumber(BOSS), message="Hi", user="u"), ReplyState.STORED
)


@pytest.mark.parametrize(
    ("record", "reply", "code"),
    [
        (None, None, "expired"),
        (message(MessageState.ANSWERED), None, "expired"),
        (message(MessageState.IGNORED, "rate_limited"), None, "rate_limited"),
        (message(MessageState.IGNORED), None, "ignored"),
        (message(MessageState.PARKED, "attempts"), REPLY, "parked"),
        (message(MessageState.HANDED_OVER), None, "handed_over"),
    ],
)
def test_an_end_without_a_reply_has_a_code(record: Message | None, reply: Reply | None, code: str) -> None:
    """Also one of which nothing is kept."""
    ended = outcome_of(record, reply)
    assert ended is not None
    assert (ended.code, ended.reply) == (code, None)


def test_an_answer_is_the_reply_and_an_open_message_has_none() -> None:
    """A stored reply alone is no end: the message says when it is answered."""
    ended = outcome_of(message(MessageState.ANSWERED), REPLY)
    assert ended is not None
    assert ended.reply == REPLY.command
    assert outcome_of(message(MessageState.PENDING), None) is outcome_of(message(MessageState.IN_TURN), REPLY) is None


def test_a_record_that_cannot_be_read_keeps_no_other_back(clock: ServerClock) -> None:
    """A newer version's, or a broken one: its own client hears of it."""
    mailbox, names = FakeMailbox(), ["a", "broken", "b"]
    for name in names:
        talk = Conversation(clock, mailbox, f"c-{name}")
        talk.accept(name, "bridge")
        talk.claim(f"k-{name}")
        talk.run(calls.park(talk.id, talk.token, "too_many_errors", looked_up=False, retention_ms=RETENTION_MS))
    mailbox.blocking.redis.hset(keys.message("broken"), "event", '{"v": 2, "type": "of a newer version"}')

    async def play() -> dict[str, str]:
        found = await LedgerFollower(mailbox).outcomes(names)
        return {name: ended.code for name, ended in found.items() if ended}

    assert asyncio.run(play()) == {"a": "parked", "broken": "unreadable", "b": "parked"}
