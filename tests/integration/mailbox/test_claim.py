"""Who gets a conversation, when, and with which messages; and how a lease is kept."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, START


def test_a_claim_takes_the_lease_and_forms_the_turn(driver: MailboxDriver) -> None:
    """Due is the lease's end; each message is acknowledged once, however often its turn is formed."""
    driver.accept("m-1")
    driver.accept("m-2")
    found = driver.claim("k1")
    assert (found.outcome, found.lease_end_ms, found.now_ms) == ("taken", START + LEASE, START)
    assert driver.due() == LEASE
    assert [driver.state("m-1"), driver.state("m-2")] == ["in_turn", "in_turn"]
    driver.backoff("k1", 0)
    assert [driver.state("m-1"), driver.state("m-2")] == ["pending", "pending"]
    assert driver.taken("k2") == ["m-1", "m-2"]
    assert [line["msg"] for line in driver.lines("message_acknowledged")] == ["m-1", "m-2"]


def test_a_live_lease_refuses_every_other_token(driver: MailboxDriver) -> None:
    """At most one live turn; the agenda looks again at the lease's end, also when a wake-up came before."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE - 1)
    driver.redis.zadd("boss:due", {C: START})
    assert driver.claim("k2").outcome == "held"
    assert driver.due() == 1
    driver.advance(1)
    assert driver.taken("k2") == ["m-1"]


def test_nothing_is_claimed_before_its_time(driver: MailboxDriver) -> None:
    """A settling time, a backoff."""
    driver.accept("m-1", settle=500)
    assert driver.claim("k1").outcome == "early"
    assert driver.due() == 500
    driver.advance(500)
    driver.taken("k2")
    driver.backoff("k2", 45_000)
    driver.advance(44_999)
    assert driver.claim("k3").outcome == "early"
    driver.advance(1)
    driver.taken("k4")


def test_an_empty_conversation_leaves_the_agenda_and_takes_no_lease(driver: MailboxDriver) -> None:
    """A job that comes too late for anything."""
    driver.redis.zadd("boss:due", {C: START})
    assert driver.claim("k1").outcome == "empty"
    assert driver.due() is None
    driver.accept("m-1")
    driver.taken("k2")


def test_a_handed_over_turn_whose_holder_died_leaves_the_agenda(driver: MailboxDriver) -> None:
    """The lease of an emptied conversation ends, and with it the interest in it."""
    driver.accept("m-1", kind="bridge")
    driver.taken("k1")
    driver.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert driver.due() == LEASE
    driver.advance(LEASE)
    assert driver.claim("k2").outcome == "empty"
    assert driver.due() is None
    driver.accept("m-2")
    assert driver.taken("k3") == ["m-2"]
    assert driver.counts("m-2") == (0, 0)


def test_each_expired_lease_counts_and_from_the_second_on_it_waits(driver: MailboxDriver) -> None:
    """One crash costs nobody a wait; a message that kills its process leaves the others time to get out of its way."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE)
    assert driver.taken("k2") == ["m-1"]
    assert driver.counts("m-1") == (0, 1)
    driver.advance(LEASE)
    assert driver.claim("k3", jitter=0.5).outcome == "early"
    assert (driver.counts("m-1"), driver.due(), driver.not_before()) == ((0, 2), 6_000, 6_000)
    assert driver.claim("k4", jitter=0.5).outcome == "early"
    assert driver.counts("m-1") == (0, 2)
    driver.advance(6_000)
    driver.taken("k5")
    driver.advance(LEASE)
    assert driver.claim("k6", jitter=1.0).outcome == "early"
    assert (driver.counts("m-1"), driver.due()) == ((0, 3), 24_000)
    assert [line["lost"] for line in driver.lines("lease_lost")] == ["1", "2", "3"]


def test_a_wait_of_nothing_is_no_wait(driver: MailboxDriver) -> None:
    """The wait is random from zero."""
    driver.accept("m-1")
    for number in range(3):
        assert driver.claim(f"k{number}", jitter=0.0).outcome == "taken"
        driver.advance(LEASE)
    assert driver.counts("m-1") == (0, 2)


def test_a_turn_with_a_stored_reply_is_resumed_as_it_is(driver: MailboxDriver) -> None:
    """Nothing that arrives later slips into it."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1", "the reply")
    driver.accept("m-2")
    driver.advance(LEASE)
    found = driver.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert (found.turn.id, found.turn.reply.id) == ("t-k1", "r-k1")
    assert [message.id for message in found.turn.messages] == ["m-1"]
    driver.finish("k2")
    driver.advance(1_000)
    assert driver.taken("k3") == ["m-2"]


def test_a_turn_without_a_reply_is_formed_anew(driver: MailboxDriver) -> None:
    """The text that came meanwhile joins it."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    driver.advance(LEASE)
    assert driver.taken("k2") == ["m-1", "m-2"]


def test_texts_coalesce_and_everything_else_is_a_turn_of_its_own(driver: MailboxDriver) -> None:
    """In the order in which they came."""
    for number, kind in enumerate(("text", "text", "mail", "mail", "bridge", "text", "bridge", "text")):
        driver.accept(f"m-{number}", kind=kind)
    turns = []
    for number in range(7):
        turns.append(driver.taken(f"k{number}"))
        driver.finish(f"k{number}")
        driver.advance(1_000)
    assert turns == [["m-0", "m-1"], ["m-2"], ["m-3"], ["m-4"], ["m-5"], ["m-6"], ["m-7"]]


@pytest.mark.parametrize("counted", [True, False])
def test_a_message_in_trouble_is_alone_from_its_second_time_on(driver: MailboxDriver, counted: bool) -> None:
    """Errors or lost leases: it must not take its neighbours with it, and ends the coalescing of those before it."""
    driver.accept("m-1")
    driver.accept("m-2")
    for number in range(2):
        assert driver.taken(f"k{number}") == ["m-1", "m-2"]
        if counted:
            driver.backoff(f"k{number}", 0, counted=True)
        else:
            driver.advance(LEASE)
    if not counted:
        assert driver.claim("k-wait").outcome == "early"
        driver.advance(6_000)
    assert driver.taken("k8") == ["m-1"]
    driver.finish("k8")
    driver.accept("m-3")
    driver.advance(1_000)
    assert driver.taken("k9") == ["m-2"]


def test_a_healthy_text_does_not_take_one_in_trouble_along(driver: MailboxDriver) -> None:
    """It ends the coalescing of those before it."""
    driver.accept("m-1")
    for number in range(2):
        driver.taken(f"k{number}")
        driver.backoff(f"k{number}", 0, counted=True)
    driver.taken("k2")
    driver.park("k2")
    driver.accept("m-2")
    driver.run(calls.retry("m-1", "o-1"))
    driver.redis.hset("boss:msg:m-1", "errors", 2)
    assert driver.taken("k3") == ["m-2"]


def test_a_repeated_claim_gets_the_same_turn_and_the_stored_lease_end(driver: MailboxDriver) -> None:
    """As redis-py repeats it after a timeout; it must not think that it got more time than it did."""
    driver.accept("m-1")
    first = driver.claim("k1")
    driver.accept("m-2")
    driver.advance(10_000)
    again = driver.claim("k1")
    assert again.lease_end_ms == first.lease_end_ms
    assert again.turn == first.turn or (again.turn and first.turn and again.turn.id == first.turn.id)
    assert again.turn is not None
    assert [message.id for message in again.turn.messages] == ["m-1"]


def test_a_token_that_has_finished_never_claims_again(driver: MailboxDriver) -> None:
    """A repeat that arrives after the end would hold a lease that nobody works on."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    driver.finish("k1")
    driver.advance(1_000)
    assert driver.claim("k1").outcome == "finished"
    assert driver.taken("k2") == ["m-2"]


@pytest.mark.parametrize("end", ["backoff", "park", "paused"])
def test_a_token_whose_turn_ended_otherwise_never_claims_again(driver: MailboxDriver, end: str) -> None:
    """A backoff, a park and a pause are ends, too."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    if end == "paused":
        driver.store("k1")
        driver.run(calls.pause("test"))
        assert driver.sending("k1", "a1").outcome == "paused"
        driver.run(calls.resume())
    else:
        (driver.backoff if end == "backoff" else driver.park)("k1")
    driver.advance(60_000)
    assert driver.claim("k1").outcome == "finished"


def test_a_repeat_that_comes_after_other_turns_forms_no_turn_under_an_old_reply(driver: MailboxDriver) -> None:
    """Its turn has a reply that was sent long ago: the new message would count as answered by it."""
    driver.to_sending()
    driver.outcome("k1", "a1", "accepted", "SM1")
    driver.finish("k1")
    driver.accept("m-2")
    driver.taken("k2")
    driver.finish("k2")
    driver.accept("m-3")
    assert driver.claim("k1").outcome == "finished"
    assert driver.taken("k3") == ["m-3"]


def test_a_claim_clears_the_wake_up_s_mark(driver: MailboxDriver) -> None:
    """Whatever its answer: the job has run."""
    driver.accept("m-1", settle=500)
    driver.redis.set(f"boss:wake:{C}", 1)
    assert driver.claim("k1").outcome == "early"
    assert not driver.redis.exists(f"boss:wake:{C}")


def test_data_of_a_newer_schema_is_not_claimed(driver: MailboxDriver) -> None:
    """An old worker that still runs in an upgrade leaves it to the new ones."""
    driver.accept("m-1")
    driver.redis.set("boss:schema", 3)
    assert driver.claim("k1").outcome == "newer"
    assert driver.inbox() == ["m-1"]


def test_a_turn_holds_at_most_a_hundred_texts(driver: MailboxDriver) -> None:
    """The rest is the next turn's."""
    for number in range(103):
        driver.accept(f"m-{number}")
    assert len(driver.taken("k1")) == 100
    driver.finish("k1")
    driver.advance(1_000)
    assert driver.taken("k2") == ["m-100", "m-101", "m-102"]


def test_the_holder_renews_also_after_expiry(driver: MailboxDriver) -> None:
    """While nobody else took it; the agenda follows."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE + 5_000)
    assert driver.renew("k1") == driver.now + LEASE
    assert driver.due() == LEASE
    assert driver.claim("k2").outcome == "held"
    assert driver.counts("m-1") == (0, 0)


def test_nobody_else_renews(driver: MailboxDriver) -> None:
    """Neither a stranger nor one whose lease was taken over, nor one that has finished."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE)
    driver.taken("k2")
    assert driver.renew("k1") == 0
    assert driver.renew("k9") == 0
    driver.finish("k2")
    assert driver.renew("k2") == 0
    assert driver.due() is None


def test_what_is_too_old_is_in_no_turn_with_what_is_not(driver: MailboxDriver) -> None:
    """It is set aside alone, and takes nobody's answer with it."""
    driver.accept("m-1")
    driver.accept("m-2")
    driver.advance(10_000)
    driver.accept("m-3")
    old = driver.claim("k1", oldest=5_000).turn
    assert old is not None
    assert [message.id for message in old.messages] == ["m-1", "m-2"]
    driver.park("k1")
    driver.advance(1_000)
    rest = driver.claim("k2", oldest=5_000).turn
    assert rest is not None
    assert [message.id for message in rest.messages] == ["m-3"]
