"""Who gets a conversation, when, and with which messages; and how a lease is kept."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_books import LEASE, RETENTION, START
from tests.integration.mailbox_desk import C, Desk


def test_a_claim_takes_the_lease_and_forms_the_turn(desk: Desk) -> None:
    """Due is the lease's end; each message is acknowledged once, however often its turn is formed."""
    desk.accept("m-1")
    desk.accept("m-2")
    found = desk.claim("k1")
    assert (found.outcome, found.lease_end_ms, found.now_ms) == ("taken", START + LEASE, START)
    assert desk.due() == LEASE
    assert [desk.state("m-1"), desk.state("m-2")] == ["in_turn", "in_turn"]
    desk.backoff("k1", 0)
    assert [desk.state("m-1"), desk.state("m-2")] == ["pending", "pending"]
    assert desk.taken("k2") == ["m-1", "m-2"]
    assert [line["msg"] for line in desk.lines("message_acknowledged")] == ["m-1", "m-2"]


def test_a_live_lease_refuses_every_other_token(desk: Desk) -> None:
    """At most one live turn; the agenda looks again at the lease's end, also when a wake-up came before."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE - 1)
    desk.redis.zadd("boss:due", {C: START})
    assert desk.claim("k2").outcome == "held"
    assert desk.due() == 1
    desk.advance(1)
    assert desk.taken("k2") == ["m-1"]


def test_nothing_is_claimed_before_its_time(desk: Desk) -> None:
    """A settling time, a backoff."""
    desk.accept("m-1", settle=500)
    assert desk.claim("k1").outcome == "early"
    assert desk.due() == 500
    desk.advance(500)
    desk.taken("k2")
    desk.backoff("k2", 45_000)
    desk.advance(44_999)
    assert desk.claim("k3").outcome == "early"
    desk.advance(1)
    desk.taken("k4")


def test_an_empty_conversation_leaves_the_agenda_and_takes_no_lease(desk: Desk) -> None:
    """A job that comes too late for anything."""
    desk.redis.zadd("boss:due", {C: START})
    assert desk.claim("k1").outcome == "empty"
    assert desk.due() is None
    desk.accept("m-1")
    desk.taken("k2")


def test_a_handed_over_turn_whose_holder_died_leaves_the_agenda(desk: Desk) -> None:
    """The lease of an emptied conversation ends, and with it the interest in it."""
    desk.accept("m-1", kind="bridge")
    desk.taken("k1")
    desk.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert desk.due() == LEASE
    desk.advance(LEASE)
    assert desk.claim("k2").outcome == "empty"
    assert desk.due() is None
    desk.accept("m-2")
    assert desk.taken("k3") == ["m-2"]
    assert desk.counts("m-2") == (0, 0)


def test_each_expired_lease_counts_and_from_the_second_on_it_waits(desk: Desk) -> None:
    """One crash costs nobody a wait; a message that kills its process leaves the others time to get out of its way."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE)
    assert desk.taken("k2") == ["m-1"]
    assert desk.counts("m-1") == (0, 1)
    desk.advance(LEASE)
    assert desk.claim("k3", jitter=0.5).outcome == "early"
    assert (desk.counts("m-1"), desk.due(), desk.not_before()) == ((0, 2), 6_000, 6_000)
    assert desk.claim("k4", jitter=0.5).outcome == "early"
    assert desk.counts("m-1") == (0, 2)
    desk.advance(6_000)
    desk.taken("k5")
    desk.advance(LEASE)
    assert desk.claim("k6", jitter=1.0).outcome == "early"
    assert (desk.counts("m-1"), desk.due()) == ((0, 3), 24_000)
    assert [line["lost"] for line in desk.lines("lease_lost")] == ["1", "2", "3"]


def test_a_wait_of_nothing_is_no_wait(desk: Desk) -> None:
    """The wait is random from zero."""
    desk.accept("m-1")
    for number in range(3):
        assert desk.claim(f"k{number}", jitter=0.0).outcome == "taken"
        desk.advance(LEASE)
    assert desk.counts("m-1") == (0, 2)


def test_a_turn_with_a_stored_reply_is_resumed_as_it_is(desk: Desk) -> None:
    """Nothing that arrives later slips into it."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1", "the reply")
    desk.accept("m-2")
    desk.advance(LEASE)
    found = desk.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert (found.turn.id, found.turn.reply.id) == ("t-k1", "r-k1")
    assert [message.id for message in found.turn.messages] == ["m-1"]
    desk.finish("k2")
    desk.advance(1_000)
    assert desk.taken("k3") == ["m-2"]


def test_a_turn_without_a_reply_is_formed_anew(desk: Desk) -> None:
    """The text that came meanwhile joins it."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    desk.advance(LEASE)
    assert desk.taken("k2") == ["m-1", "m-2"]


def test_texts_coalesce_and_everything_else_is_a_turn_of_its_own(desk: Desk) -> None:
    """In the order in which they came."""
    for number, kind in enumerate(("text", "text", "mail", "mail", "bridge", "text", "bridge", "text")):
        desk.accept(f"m-{number}", kind=kind)
    turns = []
    for number in range(7):
        turns.append(desk.taken(f"k{number}"))
        desk.finish(f"k{number}")
        desk.advance(1_000)
    assert turns == [["m-0", "m-1"], ["m-2"], ["m-3"], ["m-4"], ["m-5"], ["m-6"], ["m-7"]]


@pytest.mark.parametrize("counted", [True, False])
def test_a_message_in_trouble_is_alone_from_its_second_time_on(desk: Desk, counted: bool) -> None:
    """Errors or lost leases: it must not take its neighbours with it, and ends the coalescing of those before it."""
    desk.accept("m-1")
    desk.accept("m-2")
    for number in range(2):
        assert desk.taken(f"k{number}") == ["m-1", "m-2"]
        if counted:
            desk.backoff(f"k{number}", 0, counted=True)
        else:
            desk.advance(LEASE)
    if not counted:
        assert desk.claim("k-wait").outcome == "early"
        desk.advance(6_000)
    assert desk.taken("k8") == ["m-1"]
    desk.finish("k8")
    desk.accept("m-3")
    desk.advance(1_000)
    assert desk.taken("k9") == ["m-2"]


def test_a_healthy_text_does_not_take_one_in_trouble_along(desk: Desk) -> None:
    """It ends the coalescing of those before it."""
    desk.accept("m-1")
    for number in range(2):
        desk.taken(f"k{number}")
        desk.backoff(f"k{number}", 0, counted=True)
    desk.taken("k2")
    desk.park("k2")
    desk.accept("m-2")
    desk.run(calls.retry("m-1", "o-1"))
    desk.redis.hset("boss:msg:m-1", "errors", 2)
    assert desk.taken("k3") == ["m-2"]


def test_a_repeated_claim_gets_the_same_turn_and_the_stored_lease_end(desk: Desk) -> None:
    """As redis-py repeats it after a timeout; it must not think that it got more time than it did."""
    desk.accept("m-1")
    first = desk.claim("k1")
    desk.accept("m-2")
    desk.advance(10_000)
    again = desk.claim("k1")
    assert again.lease_end_ms == first.lease_end_ms
    assert again.turn == first.turn or (again.turn and first.turn and again.turn.id == first.turn.id)
    assert again.turn is not None
    assert [message.id for message in again.turn.messages] == ["m-1"]


def test_a_token_that_has_finished_never_claims_again(desk: Desk) -> None:
    """A repeat that arrives after the end would hold a lease that nobody works on."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    desk.finish("k1")
    desk.advance(1_000)
    assert desk.claim("k1").outcome == "finished"
    assert desk.taken("k2") == ["m-2"]


@pytest.mark.parametrize("end", ["backoff", "park", "paused"])
def test_a_token_whose_turn_ended_otherwise_never_claims_again(desk: Desk, end: str) -> None:
    """A backoff, a park and a pause are ends, too."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    if end == "paused":
        desk.store("k1")
        desk.run(calls.pause("test"))
        assert desk.sending("k1", "a1").outcome == "paused"
        desk.run(calls.resume())
    else:
        (desk.backoff if end == "backoff" else desk.park)("k1")
    desk.advance(60_000)
    assert desk.claim("k1").outcome == "finished"


def test_a_repeat_that_comes_after_other_turns_forms_no_turn_under_an_old_reply(desk: Desk) -> None:
    """Its turn has a reply that was sent long ago: the new message would count as answered by it."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.finish("k1")
    desk.accept("m-2")
    desk.taken("k2")
    desk.finish("k2")
    desk.accept("m-3")
    assert desk.claim("k1").outcome == "finished"
    assert desk.taken("k3") == ["m-3"]


def test_a_claim_clears_the_wake_up_s_mark(desk: Desk) -> None:
    """Whatever its answer: the job has run."""
    desk.accept("m-1", settle=500)
    desk.redis.set(f"boss:wake:{C}", 1)
    assert desk.claim("k1").outcome == "early"
    assert not desk.redis.exists(f"boss:wake:{C}")


def test_data_of_a_newer_schema_is_not_claimed(desk: Desk) -> None:
    """An old worker that still runs in an upgrade leaves it to the new ones."""
    desk.accept("m-1")
    desk.redis.set("boss:schema", 2)
    assert desk.claim("k1").outcome == "newer"
    assert desk.inbox() == ["m-1"]


def test_a_turn_holds_at_most_a_hundred_texts(desk: Desk) -> None:
    """The rest is the next turn's."""
    for number in range(103):
        desk.accept(f"m-{number}")
    assert len(desk.taken("k1")) == 100
    desk.finish("k1")
    desk.advance(1_000)
    assert desk.taken("k2") == ["m-100", "m-101", "m-102"]


def test_the_holder_renews_also_after_expiry(desk: Desk) -> None:
    """While nobody else took it; the agenda follows."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE + 5_000)
    assert desk.renew("k1") == desk.now + LEASE
    assert desk.due() == LEASE
    assert desk.claim("k2").outcome == "held"
    assert desk.counts("m-1") == (0, 0)


def test_nobody_else_renews(desk: Desk) -> None:
    """Neither a stranger nor one whose lease was taken over, nor one that has finished."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.renew("k1") == 0
    assert desk.renew("k9") == 0
    desk.finish("k2")
    assert desk.renew("k2") == 0
    assert desk.due() is None


def test_what_is_too_old_is_in_no_turn_with_what_is_not(desk: Desk) -> None:
    """It is set aside alone, and takes nobody's answer with it."""
    desk.accept("m-1")
    desk.accept("m-2")
    desk.advance(10_000)
    desk.accept("m-3")
    old = desk.claim("k1", oldest=5_000).turn
    assert old is not None
    assert [message.id for message in old.messages] == ["m-1", "m-2"]
    desk.park("k1")
    desk.advance(1_000)
    rest = desk.claim("k2", oldest=5_000).turn
    assert rest is not None
    assert [message.id for message in rest.messages] == ["m-3"]
