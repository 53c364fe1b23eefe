"""How a turn ends: finished, for later, or set aside."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_books import LEASE, RETENTION
from tests.integration.mailbox_desk import C, Desk


def test_a_finish_removes_exactly_the_turn_s_messages(desk: Desk) -> None:
    """What arrived meanwhile stays, is due soon, and the caller is told to enqueue the next job."""
    desk.accept("m-1")
    desk.accept("m-2")
    desk.taken("k1")
    desk.accept("m-3")
    assert desk.finish("k1").outcome == "more"
    assert (desk.inbox(), desk.due()) == (["m-3"], 1_000)
    assert [desk.state(f"m-{n}") for n in (1, 2, 3)] == ["answered", "answered", "pending"]
    assert desk.taken("k2") == ["m-3"]
    assert desk.finish("k2").outcome == "empty"
    assert (desk.inbox(), desk.due()) == ([], None)


def test_a_finish_is_allowed_after_expiry_while_nobody_took_over(desk: Desk) -> None:
    """The work is done; only somebody else's lease would make it somebody else's."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(10 * LEASE)
    assert desk.finish("k1").outcome == "empty"
    assert desk.counts("m-1") == (0, 0)


def test_a_holder_that_lost_its_lease_ends_nothing(desk: Desk) -> None:
    """Finish, backoff and park are fenced."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE)
    desk.accept("m-2")
    desk.taken("k2")
    for closed in (desk.finish("k1"), desk.backoff("k1", counted=True), desk.park("k1")):
        assert closed.outcome == "lost"
    assert desk.inbox() == ["m-1", "m-2"]
    assert desk.claim("k3").outcome == "held"
    assert desk.counts("m-1") == (0, 1)


@pytest.mark.parametrize("end", ["finish", "backoff", "park"])
def test_a_repeated_end_returns_its_first_result(desk: Desk, end: str) -> None:
    """Also when the conversation has changed meanwhile; it changes nothing itself."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    close = getattr(desk, end)
    assert close("k1").outcome == "more"
    desk.redis.delete(f"boss:inbox:{C}")
    before = desk.due(), desk.counts("m-1")
    assert close("k1").outcome == "more"
    assert (desk.due(), desk.counts("m-1")) == before


def test_a_repeated_finish_is_lost_once_others_finished(desk: Desk) -> None:
    """One last result per conversation is enough memory."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    desk.finish("k1")
    desk.advance(1_000)
    desk.taken("k2")
    desk.finish("k2")
    assert desk.finish("k1").outcome == "lost"


def test_what_is_left_waits_for_its_time(desk: Desk) -> None:
    """Due is the later of not-before and a second from now."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    desk.redis.hset(f"boss:conv:{C}", mapping={"not_before": desk.now + 7_000, "wait": 7_000})
    desk.finish("k1")
    assert desk.due() == 7_000


def test_an_ended_turn_s_records_expire(desk: Desk) -> None:
    """Texts are kept as long as the retention says, and what is open as long as it is open."""
    desk.to_sending()
    keys = ["boss:msg:m-1", "boss:reply:r-k1", "boss:turn:t-k1"]
    assert [desk.redis.pttl(key) for key in keys] == [-1] * 3
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.finish("k1")
    for key in [*keys, "boss:history:" + C]:
        assert 0 < int(desk.redis.pttl(key)) <= RETENTION, key


def test_a_finish_leaves_a_handed_over_message_handed_over(desk: Desk) -> None:
    """Its old client said that it would answer."""
    desk.accept("m-1", kind="bridge")
    desk.taken("k1")
    desk.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert desk.finish("k1").outcome == "empty"
    assert desk.state("m-1") == "handed_over"


def test_a_backoff_gives_up_the_lease_until_its_time(desk: Desk) -> None:
    """Not-before and due are the retry time; only a counted one counts."""
    desk.accept("m-1")
    desk.taken("k1")
    assert desk.backoff("k1", 45_000, counted=True).outcome == "more"
    assert (desk.due(), desk.not_before(), desk.counts("m-1")) == (45_000, 45_000, (1, 0))
    desk.advance(45_000)
    desk.taken("k2")
    desk.backoff("k2", 5_000)
    assert desk.counts("m-1") == (1, 0)


def test_a_backoff_that_asked_nobody_is_no_failed_question(desk: Desk) -> None:
    """A process that ends, a pause or a full budget says nothing about the model."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.backoff("k1", 0)
    record = desk.box.message("m-1")
    assert record is not None
    assert not record.asked


def test_a_failed_question_is_noted_until_an_operator_retries(desk: Desk) -> None:
    """The next one is a repetition, also in another process."""
    desk.accept("m-1")
    for token, asked in (("k2", True), ("k3", False)):
        desk.taken(token)
        desk.backoff(token, 0, asked=asked)
    turn = desk.claim("k4").turn
    assert turn is not None
    assert [message.asked for message in turn.messages] == [True]
    desk.park("k4")
    desk.run(calls.retry("m-1", "o-1"))
    record = desk.box.message("m-1")
    assert record is not None
    assert not record.asked


def test_a_backoff_keeps_the_stored_reply(desk: Desk) -> None:
    """It is not thought again."""
    desk.to_sending()
    desk.backoff("k1", 20_000)
    desk.advance(20_000)
    found = desk.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert found.turn.reply.id == "r-k1"


def test_a_park_frees_the_conversation(desk: Desk) -> None:
    """The next message is answered; the parked one waits, visibly and without an end."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    assert desk.park("k1").outcome == "more"
    assert desk.state("m-1") == "parked(test)"
    assert desk.box.recent(10, parked=True) == ["m-1"]
    assert desk.redis.pttl("boss:msg:m-1") == -1
    desk.advance(1_000)
    assert desk.taken("k2") == ["m-2"]


def test_the_user_is_told_once_by_a_turn_of_its_own(desk: Desk) -> None:
    """A notice stands at the tail; while one waits there is no second, and a parked notice is gone."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2", kind="mail")
    desk.park("k1", notice="outage")
    assert desk.inbox() == ["m-2", "n-1"]
    desk.advance(1_000)
    desk.taken("k2")
    assert desk.park("k2", notice="outage").outcome == "more"
    assert desk.inbox() == ["n-1"]
    desk.advance(1_000)
    assert desk.taken("k3") == ["n-1"]
    assert desk.park("k3", notice="outage").outcome == "empty"
    assert desk.state("n-1") == "ignored(test)"


def test_a_parked_bridge_message_causes_no_text_to_anybody(desk: Desk) -> None:
    """Who waits for it over the bridge is told there."""
    desk.accept("m-1", kind="bridge")
    desk.taken("k1")
    assert desk.park("k1", notice="outage").outcome == "empty"
    assert desk.state("m-1") == "parked(test)"
    assert desk.inbox() == []


def test_an_unresolved_attempt_is_looked_up_before_its_turn_is_parked(desk: Desk) -> None:
    """And if it stays unresolved the reply is marked, and a later yes makes it answered."""
    desk.to_sending()
    assert desk.park("k1").outcome == "look_up"
    assert desk.state("m-1") == "in_turn"
    assert desk.park("k1", looked_up=True, notice="error").outcome == "empty"
    assert desk.state("m-1") == "parked(test)"
    assert desk.reply("k1").maybe_sent
    assert desk.inbox() == []
    desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.state("m-1") == "answered"
    assert not desk.reply("k1").maybe_sent
    assert desk.box.recent(10, parked=True) == []
    assert 0 < int(desk.redis.pttl("boss:msg:m-1")) <= RETENTION


def test_a_reply_that_was_taken_meanwhile_is_answered_not_parked(desk: Desk) -> None:
    """The callback came between the look-up and the park; a retry would send it twice."""
    desk.to_sending()
    desk.absent("k1", "a1")
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.park("k1", looked_up=True, notice="error").outcome == "empty"
    assert desk.state("m-1") == "answered"
    assert desk.inbox() == []
