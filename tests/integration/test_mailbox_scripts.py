"""Each script alone: every row of the mailbox's law, and what a repeated call may do."""

from __future__ import annotations

import pytest
from redis import Redis

from shared.mailbox import Mailbox, calls
from shared.mailbox.box import answer, queue_call, script
from tests.integration.mailbox_desk import PAIR, C, Desk
from tests.integration.mailbox_model import LEASE, RETENTION, SEND, START
from tests.integration.mailbox_world import received


@pytest.fixture
def desk(redis: Redis) -> Desk:
    """An empty desk."""
    return Desk(redis)


# -- accept ------------------------------------------------------------------------------------------------------------


def test_a_first_message_makes_its_conversation_due(desk: Desk) -> None:
    """After the settling time, or, without one, after the second in which its own job should have run."""
    assert desk.accept("m-1", settle=500).outcome == "accepted"
    assert (desk.due(), desk.not_before()) == (500, 500)
    desk.accept("m-2", conv="c-2")
    assert desk.due("c-2") == 1_000
    assert desk.inbox() == ["m-1"]
    assert [line["msg"] for line in desk.lines("sms_received")] == ["m-1", "m-2"]


def test_a_known_id_changes_nothing(desk: Desk) -> None:
    """However often it is delivered: while it waits, in its turn, and after it was answered."""
    desk.accept("m-1", settle=500)
    for act in (lambda: None, lambda: desk.taken("k1"), lambda: desk.finish("k1")):
        desk.advance(600)
        act()
        before = desk.redis.hgetall("boss:msg:m-1"), desk.due(), desk.not_before(), desk.inbox()
        assert desk.accept("m-1", settle=500).outcome == "duplicate"
        assert (desk.redis.hgetall("boss:msg:m-1"), desk.due(), desk.not_before(), desk.inbox()) == before


def test_an_id_is_remembered_longer_than_its_record(desk: Desk) -> None:
    """The record expires with the retention, the dedupe mark after the provider's last retry."""
    desk.accept("m-1")
    desk.redis.delete("boss:msg:m-1")
    assert desk.accept("m-1").outcome == "duplicate"
    desk.redis.delete("boss:seen:m-1")
    assert desk.accept("m-1").outcome == "accepted"


@pytest.mark.parametrize("busy", ["lease", "backoff"])
def test_a_message_behind_others_touches_neither_due_nor_not_before(desk: Desk, busy: str) -> None:
    """Neither a lease nor a backoff is shortened, or lengthened, by whoever keeps writing."""
    desk.accept("m-1")
    desk.taken("k1")
    if busy == "backoff":
        desk.backoff("k1", 45_000)
    before = desk.due(), desk.not_before()
    desk.accept("m-2", settle=500)
    assert (desk.due(), desk.not_before()) == before
    assert desk.inbox() == ["m-1", "m-2"]


def test_an_opted_out_pair_is_recorded_and_not_answered(desk: Desk) -> None:
    """STOP and what follows it until START: with its reason, without its text."""
    assert desk.accept("m-1", keyword="stop").reason == "opt_out"
    assert desk.accept("m-2").reason == "opted_out"
    assert desk.accept("m-3", keyword="start").reason == "opt_in"
    assert desk.accept("m-4").outcome == "accepted"
    assert desk.state("m-2") == "ignored(opted_out)"
    assert desk.inbox() == ["m-4"]
    assert b"hello" not in b"".join(b"".join(desk.redis.hgetall(f"boss:msg:m-{n}").values()) for n in (1, 2, 3))  # type: ignore[union-attr]
    assert [line["reason"] for line in desk.lines("ignored")] == ["opt_out", "opted_out", "opt_in"]


def test_a_yes_opts_in_only_after_a_stop(desk: Desk) -> None:
    """Twilio takes YES for START; to anybody else it is an answer."""
    assert desk.accept("m-1", keyword="yes").outcome == "accepted"
    desk.accept("m-2", keyword="stop")
    assert desk.accept("m-3", keyword="yes").reason == "opt_in"


def test_a_repeated_stop_does_not_undo_a_later_start(desk: Desk) -> None:
    """Words are judged after the deduplication."""
    desk.accept("m-1", keyword="stop")
    desk.accept("m-2", keyword="start")
    assert desk.accept("m-1", keyword="stop").outcome == "duplicate"
    assert desk.accept("m-3").outcome == "accepted"


def test_a_sender_over_its_rate_is_told_once_and_then_ignored(desk: Desk) -> None:
    """One plain sentence an hour; messages that join a waiting turn are free."""
    for number in range(3):
        assert desk.accept(f"m-{number}", kind="mail", limit=3).outcome == "accepted"
    assert desk.accept("m-3", kind="mail", limit=3).reason == "rate_limited"
    assert desk.accept("m-4", kind="mail", limit=3).reason == "rate_limited"
    assert desk.inbox() == ["m-0", "m-1", "m-2", "n-3"]
    notice = desk.box.message("n-3")
    assert notice is not None
    assert (notice.kind, notice.notice) == ("notice", "rate_limited")
    desk.advance(3_600_001)
    assert desk.accept("m-5", kind="mail", limit=3).outcome == "accepted"


def test_texts_that_join_a_waiting_turn_use_up_no_rate(desk: Desk) -> None:
    """Turns are counted, not texts."""
    for number in range(10):
        assert desk.accept(f"m-{number}", limit=1).outcome == "accepted"
    assert len(desk.taken("k1")) == 10
    assert desk.accept("m-10", limit=1).reason == "rate_limited"


def test_a_message_is_accepted_in_a_pause_and_does_not_age(desk: Desk) -> None:
    """A pause is ours, not the user's: nothing is parked for it."""
    desk.accept("m-1")
    desk.advance(1_000)
    desk.run(calls.pause("test"))
    desk.advance(7_200_000)
    assert desk.accept("m-2").outcome == "accepted"
    assert desk.claim("k1").outcome == "paused"
    desk.advance(1_000)
    desk.run(calls.resume())
    desk.advance(100)
    found = desk.claim("k2")
    assert found.turn is not None
    assert [message.age_ms for message in found.turn.messages] == [1_100, 100]


# -- claim -------------------------------------------------------------------------------------------------------------


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
    assert (desk.counts("m-1"), desk.due(), desk.not_before()) == ((0, 2), 30_000, 30_000)
    assert desk.claim("k4", jitter=0.5).outcome == "early"
    assert desk.counts("m-1") == (0, 2)
    desk.advance(30_000)
    desk.taken("k5")
    desk.advance(LEASE)
    assert desk.claim("k6", jitter=1.0).outcome == "early"
    assert (desk.counts("m-1"), desk.due()) == ((0, 3), 90_000)
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
        desk.accept(f"m-{number}", kind=kind)  # type: ignore[arg-type]
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
        desk.advance(30_000)
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
    desk.to_sending("k1")
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
    assert desk.redis.exists(f"boss:wake:{C}")
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


# -- renew -------------------------------------------------------------------------------------------------------------


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


# -- store reply -------------------------------------------------------------------------------------------------------


def test_only_the_holder_stores_a_reply(desk: Desk) -> None:
    """The slower of two thinkers is not heard."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.store("k1", "old", turn="t-k2").outcome == "lost"
    assert desk.store("k1", "old").outcome == "lost"
    assert desk.store("k2", "new").outcome == "stored"
    assert desk.reply("k2").command.message == "new"  # type: ignore[union-attr]


def test_a_repeated_store_keeps_the_first_reply(desk: Desk) -> None:
    """Also when an attempt has begun meanwhile."""
    desk.to_sending("k1")
    assert desk.store("k1", "another").outcome == "stored"
    assert [attempt.id for attempt in desk.reply("k1").attempts] == ["a1"]
    assert desk.reply("k1").command.message == "hello"  # type: ignore[union-attr]
    assert len(desk.lines("reply_stored")) == 1


def test_a_handed_over_message_refuses_its_reply(desk: Desk) -> None:
    """Its old client answers it; what else was in the turn is answered by the next."""
    desk.accept("m-1")
    desk.accept("m-2")
    desk.taken("k1")
    assert desk.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "handed_over"
    assert desk.store("k1").outcome == "handed_over"
    assert desk.backoff("k1", 0).outcome == "more"
    assert desk.taken("k2") == ["m-2"]


def test_a_bridge_message_is_answered_by_its_stored_reply(desk: Desk) -> None:
    """Nothing is sent; the answer is in the ledger. A repeat gets the first result."""
    desk.accept("m-1", kind="bridge")
    desk.accept("m-2")
    desk.taken("k1")
    for _ in range(2):
        stored = desk.store("k1")
        assert (stored.outcome, stored.more) == ("finished", True)
    assert desk.state("m-1") == "answered"
    assert desk.inbox() == ["m-2"]
    assert [line["msg"] for line in desk.lines("answered")] == ["m-1"]


# -- sending -----------------------------------------------------------------------------------------------------------


def test_leave_stores_the_attempt(desk: Desk) -> None:
    """Before the request goes out: what crashes in between is looked up."""
    desk.to_sending()
    reply = desk.reply("k1")
    assert (reply.state, [(attempt.id, attempt.at, attempt.outcome) for attempt in reply.attempts]) == ("sending", [("a1", START, "")])


def test_only_the_holder_gets_leave(desk: Desk) -> None:
    """A holder whose lease was taken over starts nothing, even with the reply's right id."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.sending("k1", "a1").outcome == "lost"
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"
    desk.outcome("k1", "a2", "accepted", "SM1")
    desk.finish("k2")
    desk.accept("m-2")
    desk.taken("k3")
    assert desk.sending("k1", "a3").outcome == "lost"
    assert desk.sending("k3", "a4", turn="k1").outcome == "lost"


def test_an_unresolved_attempt_is_looked_up_before_the_next(desk: Desk) -> None:
    """Also by the next holder; "not found" allows another attempt, which may be a second copy, and is marked."""
    desk.to_sending()
    found = desk.sending("k1", "a2")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.id == "a1"
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.sending("k2", "a3", turn="k1").outcome == "look_up"
    assert not desk.reply("k1").maybe_duplicate
    desk.outcome("k1", "a1", "absent")
    assert desk.sending("k2", "a4", turn="k1").outcome == "ok"
    assert desk.reply("k1").maybe_duplicate


def test_a_refusal_and_another_try_is_no_duplicate(desk: Desk) -> None:
    """The provider said that it did not take it."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    assert desk.sending("k1", "a2").outcome == "ok"
    assert not desk.reply("k1").maybe_duplicate


def test_what_was_taken_is_not_sent_again(desk: Desk) -> None:
    """A callback, or a predecessor's answer, came first."""
    desk.to_sending()
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.sending("k1", "a2").outcome == "sent"


def test_an_opted_out_pair_gets_nothing_more(desk: Desk) -> None:
    """The turn ends as ignored, in the step that would have allowed the request."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.accept("m-2")
    desk.run(calls.opt_out(PAIR, out=True))
    found = desk.sending("k1", "a1")
    assert (found.outcome, found.more) == ("opted_out", True)
    assert desk.state("m-1") == "ignored(opted_out)"
    assert desk.inbox() == ["m-2"]
    assert desk.reply("k1").attempts == ()


def test_a_pause_gives_up_the_lease_and_counts_nothing(desk: Desk) -> None:
    """30 s with jitter, then somebody asks again."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    assert desk.run(calls.pause("test"))
    assert not desk.run(calls.pause("again"))
    assert desk.sending("k1", "a1").outcome == "paused"
    assert 30_000 <= desk.not_before() <= 60_000
    assert desk.due() == desk.not_before()
    assert desk.counts("m-1") == (0, 0)
    assert desk.run(calls.resume())
    assert not desk.run(calls.resume())
    desk.advance(60_000)
    assert desk.taken("k2") == ["m-1"]
    assert desk.counts("m-1") == (0, 0)
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"


def test_a_short_lease_is_renewed_first(desk: Desk) -> None:
    """The request must end before somebody else may take over."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.advance(LEASE - 20_000 + 1)
    assert desk.sending("k1", "a1").outcome == "short"
    desk.renew("k1")
    assert desk.sending("k1", "a1").outcome == "ok"


@pytest.mark.parametrize("verdict", ["opted out", "paused", "short"])
def test_an_unresolved_attempt_is_looked_up_before_any_other_verdict(desk: Desk, verdict: str) -> None:
    """A message that was sent is not recorded as ignored, and a pause does not delay the knowledge."""
    desk.to_sending()
    if verdict == "short":
        desk.advance(LEASE - 10_000)
    else:
        desk.run(calls.opt_out(PAIR, out=True) if verdict == "opted out" else calls.pause("test"))
    assert desk.sending("k1", "a2").outcome == "look_up"
    assert desk.state("m-1") == "in_turn"


def test_a_repeated_leave_is_judged_again(desk: Desk) -> None:
    """All well: the same attempt, at its first time."""
    desk.to_sending()
    desk.advance(5_000)
    found = desk.sending("k1", "a1")
    assert found.outcome == "ok"
    assert found.attempt is not None
    assert found.attempt.at == START
    assert len(desk.reply("k1").attempts) == 1
    assert len(desk.lines("sending")) == 1


@pytest.mark.parametrize("change", ["opted out", "paused", "short", "taken over", "refused", "accepted", "absent", "another"])
def test_a_repeated_leave_is_lost_when_anything_changed(desk: Desk, change: str) -> None:
    """The repeat may come seconds later, and its request with it."""
    desk.to_sending()
    token = "k1"
    if change == "opted out":
        desk.run(calls.opt_out(PAIR, out=True))
    elif change == "paused":
        desk.run(calls.pause("test"))
    elif change == "short":
        desk.advance(LEASE - 20_000 + 1)
    elif change == "taken over":
        desk.advance(LEASE)
        desk.taken("k2")
    elif change == "another":
        desk.outcome("k1", "a1", "absent")
        assert desk.sending("k1", "a2").outcome == "ok"
    else:
        desk.outcome("k1", "a1", change)  # type: ignore[arg-type]
    assert desk.sending(token, "a1").outcome == "lost"


# -- outcome and status ------------------------------------------------------------------------------------------------


def test_an_outcome_is_recorded_after_the_lease_was_lost(desk: Desk) -> None:
    """What a provider answered is never thrown away: the next holder finishes and sends nothing."""
    desk.to_sending()
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert desk.sending("k2", "a2", turn="k1").outcome == "sent"


def test_an_outcome_is_recorded_after_the_conversation_went_on(desk: Desk) -> None:
    """The turn was parked, another one runs."""
    desk.to_sending()
    desk.park("k1", looked_up=True)
    desk.accept("m-2")
    desk.taken("k2")
    desk.store("k2")
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert desk.state("m-1") == "answered"
    assert desk.state("m-2") == "in_turn"


def test_one_accepted_attempt_makes_a_reply_sent_for_good(desk: Desk) -> None:
    """Whatever is said of it, or of others, before and after."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "accepted", "SM2")
    for attempt, result in (("a1", "refused"), ("a2", "refused"), ("a2", "absent"), ("a9", "refused")):
        found = desk.outcome("k1", attempt, result)  # type: ignore[arg-type]
        assert (found.state, found.decided) == ("sent", False)
    assert [attempt.outcome for attempt in desk.reply("k1").attempts] == ["refused", "accepted"]
    assert desk.redis.get("boss:provider:SM2") == b"r-k1"


def test_a_refusal_decides_only_when_every_attempt_was_refused(desk: Desk) -> None:
    """One whose fate is unknown, or that was not found, may still arrive."""
    desk.to_sending()
    desk.outcome("k1", "a1", "absent")
    desk.sending("k1", "a2")
    assert not desk.outcome("k1", "a2", "refused", "").decided
    assert desk.outcome("k1", "a1", "refused").decided


def test_a_repeated_outcome_changes_nothing(desk: Desk) -> None:
    """Neither the record nor the ledger."""
    desk.to_sending()
    first = desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.outcome("k1", "a1", "accepted", "SM1") == first
    assert len(desk.lines("sent")) == 1
    assert not desk.reply("k1").maybe_duplicate


def test_two_accepted_attempts_are_a_duplicate(desk: Desk) -> None:
    """Known after the fact, and said so."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "accepted", "SM2")
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.reply("k1").maybe_duplicate


def test_a_report_proves_that_the_attempt_was_taken(desk: Desk) -> None:
    """It may overtake the provider's own answer; it may come for an attempt that was not found."""
    desk.to_sending()
    desk.outcome("k1", "a1", "absent")
    assert desk.status("SM1", "delivered", "k1", "a1").state == "delivered"
    assert desk.reply("k1").attempts[0].outcome == "accepted"
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "delivered"


def test_a_report_finds_its_reply_by_the_provider_s_id(desk: Desk) -> None:
    """Where it carries no ids of ours."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.status("SM1", "delivered").state == "delivered"
    assert desk.status("SM9", "delivered").state is None


@pytest.mark.parametrize("last", ["delivered", "undelivered", "failed"])
def test_a_terminal_state_is_never_left(desk: Desk, last: str) -> None:
    """Reports come in any order, and repeatedly."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.status("SM1", last)  # type: ignore[arg-type]
    for state in ("sent", "delivered", "undelivered", "failed"):
        assert desk.status("SM1", state).state == last  # type: ignore[arg-type]
    desk.finish("k1")
    assert desk.state("m-1") == "answered"
    assert len(desk.lines(last)) == 1


# -- finish ------------------------------------------------------------------------------------------------------------


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
    desk.redis.hset(f"boss:conv:{C}", "not_before", desk.now + 7_000)
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
        assert 0 < int(desk.redis.pttl(key)) <= RETENTION, key  # type: ignore[arg-type]


def test_a_finish_leaves_a_handed_over_message_handed_over(desk: Desk) -> None:
    """Its old client said that it would answer."""
    desk.accept("m-1", kind="bridge")
    desk.taken("k1")
    desk.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert desk.finish("k1").outcome == "empty"
    assert desk.state("m-1") == "handed_over"


# -- backoff and park --------------------------------------------------------------------------------------------------


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
    assert 0 < int(desk.redis.pttl("boss:msg:m-1")) <= RETENTION  # type: ignore[arg-type]


def test_a_reply_that_was_taken_meanwhile_is_answered_not_parked(desk: Desk) -> None:
    """The callback came between the look-up and the park; a retry would send it twice."""
    desk.to_sending()
    desk.outcome("k1", "a1", "absent")
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.park("k1", looked_up=True, notice="error").outcome == "empty"
    assert desk.state("m-1") == "answered"
    assert desk.inbox() == []


# -- the operator ------------------------------------------------------------------------------------------------------


def test_a_retry_appends_at_the_tail_and_resets_age_and_counts(desk: Desk) -> None:
    """Others wrote meanwhile: they are first."""
    desk.accept("m-1", kind="mail")
    desk.taken("k1")
    desk.backoff("k1", 0, counted=True)
    desk.taken("k2")
    desk.park("k2")
    desk.advance(3_600_000)
    desk.accept("m-2", kind="mail")
    done = desk.run(calls.retry("m-1", "o-1"))
    assert (done.outcome, done.conversation, done.channel) == ("done", C, "email")
    assert desk.inbox() == ["m-2", "m-1"]
    assert desk.counts("m-1") == (0, 0)
    assert desk.box.recent(10, parked=True) == []
    desk.taken("k3")
    desk.finish("k3")
    desk.advance(1_000)
    found = desk.claim("k4")
    assert found.turn is not None
    assert [(message.id, message.age_ms) for message in found.turn.messages] == [("m-1", 1_000)]


def test_a_retry_into_an_empty_inbox_is_due_at_once(desk: Desk) -> None:
    """The parking frees the conversation."""
    desk.to_parked()
    desk.run(calls.retry("m-1", "o-1"))
    assert (desk.due(), desk.not_before()) == (1_000, 0)
    assert desk.taken("k2") == ["m-1"]


def test_a_repeated_retry_appends_once(desk: Desk) -> None:
    """Also after the message was parked again; another retry is another operation."""
    desk.to_parked()
    assert desk.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert desk.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert desk.inbox() == ["m-1"]
    assert desk.run(calls.retry("m-1", "o-2")).outcome == "not_parked"
    desk.taken("k2")
    desk.park("k2")
    assert desk.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert desk.inbox() == []
    assert desk.run(calls.retry("m-1", "o-3")).outcome == "done"
    assert desk.inbox() == ["m-1"]
    assert desk.run(calls.retry("m-9", "o-4")).outcome == "unknown"


@pytest.mark.parametrize("fate", ["", "absent"])
def test_a_retry_after_an_attempt_of_unknown_fate_is_marked(desk: Desk, fate: str) -> None:
    """The provider may have taken the first: the new reply may be a second copy."""
    desk.to_sending()
    if fate:
        desk.outcome("k1", "a1", "absent")
    desk.park("k1", looked_up=True)
    desk.run(calls.retry("m-1", "o-1"))
    desk.taken("k2")
    desk.store("k2")
    assert desk.reply("k2").maybe_duplicate


def test_a_retry_after_a_refusal_is_not_marked(desk: Desk) -> None:
    """Nothing was taken."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.park("k1")
    desk.run(calls.retry("m-1", "o-1"))
    desk.taken("k2")
    desk.store("k2")
    assert not desk.reply("k2").maybe_duplicate


def test_a_late_yes_for_an_old_reply_does_not_touch_a_retried_message(desk: Desk) -> None:
    """It waits for its new answer, which is marked already."""
    desk.to_sending()
    desk.park("k1", looked_up=True)
    desk.run(calls.retry("m-1", "o-1"))
    desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.state("m-1") == "pending"
    assert desk.inbox() == ["m-1"]


def test_a_discarded_message_ends_as_ignored(desk: Desk) -> None:
    """Only a parked one, once; and its reply's text goes with it."""
    desk.to_sending()
    assert desk.run(calls.discard("m-1", "o-1", retention_ms=RETENTION)).outcome == "not_parked"
    desk.park("k1", looked_up=True)
    assert desk.redis.pttl("boss:reply:r-k1") == -1
    for _ in range(2):
        assert desk.run(calls.discard("m-1", "o-2", retention_ms=RETENTION)).outcome == "done"
    assert desk.state("m-1") == "ignored(discarded)"
    assert desk.box.recent(10, parked=True) == []
    assert 0 < int(desk.redis.pttl("boss:reply:r-k1")) <= RETENTION  # type: ignore[arg-type]
    assert len(desk.lines("ignored")) == 1


# -- hand over ---------------------------------------------------------------------------------------------------------


def test_a_handed_over_message_leaves_the_inbox_and_the_agenda(desk: Desk) -> None:
    """An emptied conversation without a lease is nobody's business; a repeat says the same."""
    desk.accept("m-1", kind="bridge", settle=500)
    for _ in range(2):
        assert desk.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "handed_over"
    assert (desk.inbox(), desk.due()) == ([], None)
    assert desk.redis.hget(f"boss:conv:{C}", "not_before") == b"0"
    assert 0 < int(desk.redis.pttl("boss:msg:m-1")) <= RETENTION  # type: ignore[arg-type]
    assert len(desk.lines("handed_over")) == 1


def test_a_message_whose_reply_is_stored_is_not_handed_over(desk: Desk) -> None:
    """The reply goes out."""
    desk.to_sending()
    assert desk.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "replied"
    assert desk.inbox() == ["m-1"]
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.finish("k1")
    assert desk.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "answered"


def test_a_hand_over_leaves_what_others_wait_for(desk: Desk) -> None:
    """One of two; the agenda stays."""
    desk.accept("m-1", kind="bridge")
    desk.accept("m-2")
    desk.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert (desk.inbox(), desk.due()) == (["m-2"], 1_000)


# -- sweep -------------------------------------------------------------------------------------------------------------


def test_the_sweep_takes_a_hundred_oldest_first_and_looks_again_later(desk: Desk) -> None:
    """In one step, so that two sweepers share the work."""
    for number in range(120):
        desk.redis.zadd("boss:due", {f"c-{number}": START + 1_000 - number})
    desk.redis.zadd("boss:due", {"c-later": START + 5_000})
    desk.advance(1_000)
    sweep = calls.sweep(recheck_ms=10_000)
    first, second = desk.run(sweep), desk.run(sweep)
    assert [due.conversation for due in first] == [f"c-{number}" for number in range(119, 19, -1)]
    assert [due.conversation for due in second] == [f"c-{number}" for number in range(19, -1, -1)]
    assert desk.run(sweep) == ()
    assert (desk.due("c-119"), desk.due("c-later")) == (10_000, 4_000)


def test_a_queued_wake_up_is_not_queued_again(desk: Desk) -> None:
    """Until its claim, or for twice the queue's oldest wait: a lost job costs time only."""
    desk.accept("m-1")
    desk.redis.delete(f"boss:wake:{C}")
    desk.advance(1_000)
    assert len(desk.run(calls.sweep(recheck_ms=10_000, oldest_wait_ms=20_000))) == 1
    assert 39_000 < int(desk.redis.pttl(f"boss:wake:{C}")) <= 40_000  # type: ignore[arg-type]
    desk.advance(10_000)
    assert desk.run(calls.sweep(recheck_ms=10_000)) == ()
    assert 0 < (desk.due() or 0) <= 10_000
    desk.redis.delete(f"boss:wake:{C}")
    desk.advance(10_000)
    assert len(desk.run(calls.sweep(recheck_ms=10_000))) == 1


def test_a_wake_up_s_mark_lives_at_least_a_second(desk: Desk) -> None:
    """On an idle server a lost job is made good after about that time."""
    desk.accept("m-1")
    assert 0 < int(desk.redis.pttl(f"boss:wake:{C}")) <= 1_000  # type: ignore[arg-type]
    desk.redis.delete(f"boss:wake:{C}")
    desk.advance(1_000)
    assert desk.run(calls.sweep(recheck_ms=10_000))
    assert 0 < int(desk.redis.pttl(f"boss:wake:{C}")) <= 1_000  # type: ignore[arg-type]


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_an_opt_out_learnt_from_the_provider_is_said_once(desk: Desk) -> None:
    """Error 21610 may come for many messages."""
    for _ in range(2):
        desk.run(calls.opt_out(PAIR, out=True))
    assert desk.accept("m-1").reason == "opted_out"
    for _ in range(2):
        desk.run(calls.opt_out(PAIR, out=False))
    assert (len(desk.lines("opted_out")), len(desk.lines("opted_in"))) == (1, 1)


def test_a_message_that_is_not_admitted_is_recorded_with_its_reason(desk: Desk) -> None:
    """Once, and without a text."""
    for outcome in ("ignored", "duplicate"):
        assert desk.run(calls.ignore("m-1", "email", "auto_submitted", conversation=C)).outcome == outcome
    assert desk.state("m-1") == "ignored(auto_submitted)"
    assert (desk.inbox(), desk.due()) == ([], None)
    assert 0 < int(desk.redis.pttl("boss:msg:m-1")) <= calls.DEDUPE_MS["email"]  # type: ignore[arg-type]


def test_a_flood_of_forged_requests_does_not_wash_out_the_ledger(desk: Desk) -> None:
    """At most 30 lines a minute of one kind."""
    for _ in range(100):
        desk.run(calls.refuse("sms", "bad_signature", 403))
    assert len(desk.lines("refused")) == 30


def test_the_ledger_holds_no_text(desk: Desk) -> None:
    """Ids and figures only, over a whole life."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.status("SM1", "delivered")
    desk.finish("k1")
    desk.accept("m-2")
    desk.taken("k2")
    desk.park("k2", notice="error")
    raw = repr(desk.redis.xrange("boss:ledger"))
    assert "hello" not in raw
    assert "+1555" not in raw
    assert [line["reply"] for line in desk.lines("answered")] == ["r-k1"]


def test_the_scripts_tell_the_time_by_the_server_s_clock(redis: Redis) -> None:
    """The product's own `now()`, sent by EVALSHA, by EVAL when the server forgot them, and within a MULTI."""
    box = Mailbox(redis)
    call = calls.accept(received("m-1", "text"), kind="text", conversation=C, sender="s-1", pair=PAIR)
    assert "redis.call('TIME')" in script("accept")[0]
    with redis.pipeline() as pipe:
        queue_call(pipe, call)
        assert answer(call, pipe.execute()[0]).outcome == "accepted"
    redis.script_flush()
    for _ in range(2):
        assert box.run(call).outcome == "duplicate"
    found = box.run(calls.claim(C, "k1", "t-1", lease_ms=LEASE))
    seconds, micros = redis.time()  # type: ignore[misc]
    assert 0 <= seconds * 1000 + micros // 1000 - found.now_ms < 5_000
    assert found.lease_end_ms == found.now_ms + LEASE


@pytest.mark.parametrize("name", ["accept", "claim", "sending", "finish", "sweep"])
def test_no_script_mentions_a_test(name: str) -> None:
    """The clock can be replaced by the tests alone, in the text."""
    assert "test" not in script(name)[0]
    assert SEND < LEASE
