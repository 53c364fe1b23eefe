"""How a turn ends: finished, for later, or set aside."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION


def test_a_finish_removes_exactly_the_turn_s_messages(driver: MailboxDriver) -> None:
    """What arrived meanwhile stays, is due soon, and the caller is told to enqueue the next job."""
    driver.accept("m-1")
    driver.accept("m-2")
    driver.taken("k1")
    driver.accept("m-3")
    assert driver.finish("k1").outcome == "more"
    assert (driver.inbox(), driver.due()) == (["m-3"], 1_000)
    assert [driver.state(f"m-{n}") for n in (1, 2, 3)] == ["answered", "answered", "pending"]
    assert driver.taken("k2") == ["m-3"]
    assert driver.finish("k2").outcome == "empty"
    assert (driver.inbox(), driver.due()) == ([], None)


def test_a_finish_is_allowed_after_expiry_while_nobody_took_over(driver: MailboxDriver) -> None:
    """The work is done; only somebody else's lease would make it somebody else's."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(10 * LEASE)
    assert driver.finish("k1").outcome == "empty"
    assert driver.counts("m-1") == (0, 0)


def test_a_holder_that_lost_its_lease_ends_nothing(driver: MailboxDriver) -> None:
    """Finish, backoff and park are fenced."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE)
    driver.accept("m-2")
    driver.taken("k2")
    for closed in (driver.finish("k1"), driver.backoff("k1", counted=True), driver.park("k1")):
        assert closed.outcome == "lost"
    assert driver.inbox() == ["m-1", "m-2"]
    assert driver.claim("k3").outcome == "held"
    assert driver.counts("m-1") == (0, 1)


@pytest.mark.parametrize("end", ["finish", "backoff", "park"])
def test_a_repeated_end_returns_its_first_result(driver: MailboxDriver, end: str) -> None:
    """Also when the conversation has changed meanwhile; it changes nothing itself."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    close = getattr(driver, end)
    assert close("k1").outcome == "more"
    driver.redis.delete(f"boss:inbox:{C}")
    before = driver.due(), driver.counts("m-1")
    assert close("k1").outcome == "more"
    assert (driver.due(), driver.counts("m-1")) == before


def test_a_repeated_finish_is_lost_once_others_finished(driver: MailboxDriver) -> None:
    """One last result per conversation is enough memory."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    driver.finish("k1")
    driver.advance(1_000)
    driver.taken("k2")
    driver.finish("k2")
    assert driver.finish("k1").outcome == "lost"


def test_what_is_left_waits_for_its_time(driver: MailboxDriver) -> None:
    """Due is the later of not-before and a second from now."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    driver.redis.hset(f"boss:conv:{C}", mapping={"not_before": driver.now + 7_000, "wait": 7_000})
    driver.finish("k1")
    assert driver.due() == 7_000


def test_an_ended_turn_s_records_expire(driver: MailboxDriver) -> None:
    """Texts are kept as long as the retention says, and what is open as long as it is open."""
    driver.to_sending()
    keys = ["boss:msg:m-1", "boss:reply:r-k1", "boss:turn:t-k1"]
    assert [driver.redis.pttl(key) for key in keys] == [-1] * 3
    driver.outcome("k1", "a1", "accepted", "SM1")
    driver.finish("k1")
    for key in [*keys, "boss:history:" + C]:
        assert 0 < int(driver.redis.pttl(key)) <= RETENTION, key


def test_a_finish_leaves_a_handed_over_message_handed_over(driver: MailboxDriver) -> None:
    """Its old client said that it would answer."""
    driver.accept("m-1", kind="bridge")
    driver.taken("k1")
    driver.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert driver.finish("k1").outcome == "empty"
    assert driver.state("m-1") == "handed_over"


def test_a_backoff_gives_up_the_lease_until_its_time(driver: MailboxDriver) -> None:
    """Not-before and due are the retry time; only a counted one counts."""
    driver.accept("m-1")
    driver.taken("k1")
    assert driver.backoff("k1", 45_000, counted=True).outcome == "more"
    assert (driver.due(), driver.not_before(), driver.counts("m-1")) == (45_000, 45_000, (1, 0))
    driver.advance(45_000)
    driver.taken("k2")
    driver.backoff("k2", 5_000)
    assert driver.counts("m-1") == (1, 0)


def test_a_backoff_that_asked_nobody_is_no_failed_question(driver: MailboxDriver) -> None:
    """A process that ends, a pause or a full budget says nothing about the model."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.backoff("k1", 0)
    record = driver.box.message("m-1")
    assert record is not None
    assert not record.asked


def test_a_failed_question_is_noted_until_an_operator_retries(driver: MailboxDriver) -> None:
    """The next one is a repetition, also in another process."""
    driver.accept("m-1")
    for token, asked in (("k2", True), ("k3", False)):
        driver.taken(token)
        driver.backoff(token, 0, asked=asked)
    turn = driver.claim("k4").turn
    assert turn is not None
    assert [message.asked for message in turn.messages] == [True]
    driver.park("k4")
    driver.run(calls.retry("m-1", "o-1"))
    record = driver.box.message("m-1")
    assert record is not None
    assert not record.asked


def test_a_backoff_keeps_the_stored_reply(driver: MailboxDriver) -> None:
    """It is not thought again."""
    driver.to_sending()
    driver.backoff("k1", 20_000)
    driver.advance(20_000)
    found = driver.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert found.turn.reply.id == "r-k1"


def test_a_park_frees_the_conversation(driver: MailboxDriver) -> None:
    """The next message is answered; the parked one waits, visibly and without an end."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    assert driver.park("k1").outcome == "more"
    assert driver.state("m-1") == "parked(test)"
    assert driver.box.recent(10, parked=True) == ["m-1"]
    assert driver.redis.pttl("boss:msg:m-1") == -1
    driver.advance(1_000)
    assert driver.taken("k2") == ["m-2"]


def test_the_user_is_told_once_by_a_turn_of_its_own(driver: MailboxDriver) -> None:
    """A notice stands at the tail; while one waits there is no second, and a parked notice is gone."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2", kind="mail")
    driver.park("k1", notice="outage")
    assert driver.inbox() == ["m-2", "n-1"]
    driver.advance(1_000)
    driver.taken("k2")
    assert driver.park("k2", notice="outage").outcome == "more"
    assert driver.inbox() == ["n-1"]
    driver.advance(1_000)
    assert driver.taken("k3") == ["n-1"]
    assert driver.park("k3", notice="outage").outcome == "empty"
    assert driver.state("n-1") == "ignored(test)"


def test_a_parked_bridge_message_causes_no_text_to_anybody(driver: MailboxDriver) -> None:
    """Who waits for it over the bridge is told there."""
    driver.accept("m-1", kind="bridge")
    driver.taken("k1")
    assert driver.park("k1", notice="outage").outcome == "empty"
    assert driver.state("m-1") == "parked(test)"
    assert driver.inbox() == []


def test_an_unresolved_attempt_is_looked_up_before_its_turn_is_parked(driver: MailboxDriver) -> None:
    """And if it stays unresolved the reply is marked, and a later yes makes it answered."""
    driver.to_sending()
    assert driver.park("k1").outcome == "look_up"
    assert driver.state("m-1") == "in_turn"
    assert driver.park("k1", looked_up=True, notice="error").outcome == "empty"
    assert driver.state("m-1") == "parked(test)"
    assert driver.reply("k1").maybe_sent
    assert driver.inbox() == []
    driver.outcome("k1", "a1", "accepted", "SM1")
    assert driver.state("m-1") == "answered"
    assert not driver.reply("k1").maybe_sent
    assert driver.box.recent(10, parked=True) == []
    assert 0 < int(driver.redis.pttl("boss:msg:m-1")) <= RETENTION


def test_a_reply_that_was_taken_meanwhile_is_answered_not_parked(driver: MailboxDriver) -> None:
    """The callback came between the look-up and the park; a retry would send it twice."""
    driver.to_sending()
    driver.absent("k1", "a1")
    driver.status("SM1", "sent", "k1", "a1")
    assert driver.park("k1", looked_up=True, notice="error").outcome == "empty"
    assert driver.state("m-1") == "answered"
    assert driver.inbox() == []
