"""Copies for a person's other channel: put there once, by the script that stores the result, and only where the person may be reached."""

from __future__ import annotations

import itertools
import json
from typing import Any, Final, cast

from shared.mailbox import calls
from shared.mailbox.calls import Effect, TurnHolder
from shared.model import codec
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, SEND_LIMITS
from tests.support.mailbox_workers import received

Result = dict[str, Any]
OTHER, PAIR = "c-mail", "p-mail"
NUMBERS: Final = itertools.count(1)
DAY = 86_400_000


def began(driver: MailboxDriver, token: str = "k1", message: str = "m-1") -> TurnHolder:  # noqa: S107 - a lease's
    """Who works on a turn of a message."""
    driver.accept(message)
    turn = driver.claim(token).turn
    assert turn is not None
    return TurnHolder(C, token, turn.id, turn.person, turn.epoch, LEASE)


def copied(driver: MailboxDriver, holder: TurnHolder, text: str = "hello", *, of: str = "", name: str = "", **more: Any) -> Result:
    """What the effect says of a copy, in a call of its own unless it is named."""
    call = name or f"1:tu_{next(NUMBERS)}"
    to = {"message": f"m-copy-{call}", "conv": OTHER, "channel": "email", "pair": PAIR, "sender": "s-mail", "event": EVENT}
    arguments = {"text": text, "of": of, "to": more.pop("to", to)}
    step = driver.run(calls.step(holder, call, {}, effect=Effect("send_copy", call, arguments, channel="sms", **more), figures={}))
    assert step.outcome == "ok"
    found: Result = json.loads(step.entry)["result"]
    return found


EVENT = codec.encode(received("m-copy", "mail"))


def waiting(driver: MailboxDriver) -> list[str]:
    """The messages of the other conversation's priority inbox."""
    return [name.decode() for name in cast("list[bytes]", driver.redis.lrange(f"boss:priority:{OTHER}", 0, -1))]


def answered(driver: MailboxDriver, number: int, text: str, **figures: Any) -> None:
    """A text, m-<number>, with an answer of the model's."""
    driver.accept(f"m-{number}")
    driver.taken(f"k{number}")
    driver.store(f"k{number}", text, figures={"input_tokens": 1, "output_tokens": 1, "ms": 7, "model": "m", **figures})
    driver.redis.hset(f"boss:reply:r-k{number}", "user", "u-1")
    driver.run(calls.finish(C, f"k{number}", retention_ms=DAY))


def test_a_copy_is_a_message_of_ours_in_the_other_conversation_and_is_put_once(driver: MailboxDriver) -> None:
    """However often the script is sent; it says whose it is, and is found by it."""
    holder = began(driver)
    first = copied(driver, holder, name="1:tu_1")
    assert copied(driver, holder, name="1:tu_1") == first == {"ok": True, "channel": "email", "message": "m-copy-1:tu_1"}
    assert waiting(driver) == ["m-copy-1:tu_1"]
    message = driver.box.message("m-copy-1:tu_1")
    assert message is not None
    assert (message.kind, message.conversation, message.copy.text, message.copy.marked) == ("copy", OTHER, "hello", False)
    assert driver.box.listed("u-1", 9)[0] == "m-copy-1:tu_1"
    assert driver.priority_due(OTHER) is not None
    assert [line["channel"] for line in driver.lines("copy_stored")] == ["email"]


def test_a_copy_is_refused_where_the_person_opted_out_or_has_no_channel(driver: MailboxDriver) -> None:
    """And nothing is put."""
    holder = began(driver)
    driver.run_opt_out(PAIR)
    assert copied(driver, holder).get("reason") == "opted_out"
    assert copied(driver, holder, to=None).get("reason") == "no_channel"
    assert waiting(driver) == []


def test_a_day_has_twenty_copies_of_a_person(driver: MailboxDriver) -> None:
    """It is a day from each of them."""
    holder = began(driver)
    for _ in range(20):
        assert copied(driver, holder)["ok"]
        driver.advance(10)
    assert copied(driver, holder) == {"ok": False, "reason": "too_many", "channel": "email", "most": 20}
    driver.advance(DAY - 150)
    driver.redis.hset(f"boss:conv:{C}", "lease_end", driver.now + LEASE)
    assert copied(driver, holder)["ok"]
    assert len(waiting(driver)) == 21


def test_the_last_answer_is_the_models_own_and_of_this_chat(driver: MailboxDriver) -> None:
    """What code said is none, nor what stands before a new chat."""
    answered(driver, 1, "the train leaves at noon")
    answered(driver, 2, "None of your messages waits.", by_code=1)
    holder = began(driver, "k3", "m-3")
    message = driver.box.message(copied(driver, holder, "")["message"])
    assert message is not None
    assert (message.copy.text, message.copy.reply) == ("", "r-k1")
    driver.redis.rpush(f"boss:history:{C}", "b:r-new")
    driver.redis.hset(f"boss:conv:{C}", "begins", "r-new")
    assert copied(driver, holder, "").get("reason") == "nothing"


def test_an_answer_is_named_by_its_message_and_another_persons_leads_nowhere(driver: MailboxDriver) -> None:
    """Ids are looked up under the turn's person."""
    answered(driver, 1, "at noon")
    answered(driver, 2, "something else")
    holder = began(driver, "k3", "m-3")
    message = driver.box.message(copied(driver, holder, "", of="m-1")["message"])
    assert message is not None
    assert message.copy.reply == "r-k1"
    driver.redis.hset("boss:msg:m-1", "user", "u-2")
    assert copied(driver, holder, "", of="m-1").get("reason") == "nothing"
    driver.redis.hset("boss:msg:m-1", "user", "u-1")
    driver.redis.hset("boss:reply:r-k1", "user", "u-2")
    assert copied(driver, holder, "", of="m-1").get("reason") == "nothing"
    assert copied(driver, holder, "", of="m-9").get("reason") == "nothing"


def test_a_copy_of_what_was_made_of_others_words_is_marked(driver: MailboxDriver) -> None:
    """Also where the turn that asks shows none."""
    answered(driver, 1, "it asks for money", mixed=1)
    holder = began(driver, "k2", "m-2")
    for found in (copied(driver, holder, "", of="m-1"), copied(driver, holder, "x", marked=True)):
        message = driver.box.message(found["message"])
        assert message is not None
        assert message.copy.marked


def sent_copy(driver: MailboxDriver) -> str:
    """A copy whose reply is stored, by its conversation's holder; its reply's id."""
    copied(driver, began(driver))
    driver.advance(2_000)
    found = driver.claim("k8", conv=OTHER)
    assert found.turn is not None, found.outcome
    assert [message.kind for message in found.turn.messages] == ["copy"]
    command = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="hello", user="user")
    stored = calls.store_reply(OTHER, "k8", found.turn, command, limits=SEND_LIMITS, attempt="a8", figures={}, answers="copy")
    assert driver.run(stored).outcome == "stored"
    return found.turn.reply_id


def test_a_copy_that_cannot_be_sent_is_told_where_it_was_asked_for(driver: MailboxDriver) -> None:
    """The sweep has it on its list."""
    reply = sent_copy(driver)
    driver.run(calls.outcome(reply, "a8", "refused", code="550", retention_ms=DAY))
    driver.run(calls.park(OTHER, "k8", "sendgrid_550", looked_up=True, retention_ms=DAY))
    assert driver.redis.zrange("boss:untold", 0, -1) == [reply.encode()]


def test_a_copy_that_was_sent_is_known_by_its_reply_alone(driver: MailboxDriver) -> None:
    """Nobody wrote its message."""
    reply = sent_copy(driver)
    driver.run(calls.outcome(reply, "a8", "accepted", provider_id="x", retention_ms=DAY))
    driver.run(calls.finish(OTHER, "k8", retention_ms=DAY))
    assert driver.redis.lrange(f"boss:history:{OTHER}", 0, -1) == [f"r:{reply}".encode()]


def test_an_erased_person_s_copies_are_counted_no_more(driver: MailboxDriver) -> None:
    """Their messages go as all of theirs do."""
    copied(driver, began(driver))
    assert driver.redis.keys("boss:copies:*")
    driver.run(calls.erase_begin("u-1"))
    assert driver.redis.keys("boss:copies:*") == []
