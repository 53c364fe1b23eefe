"""Whose process lives keeps its lease, whose does not loses it at once; and a Redis that was away proves nothing about anybody."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_books import LEASE, LIFE, RETENTION, START
from tests.integration.mailbox_desk import C, Desk

OTHER = "c-2"
TRUSTED = 2 * LIFE
"""From the first look on: nobody is called dead before."""
SHARE = 1


def watched(desk: Desk, *processes: str) -> None:
    """Somebody has looked for so long that silence counts, and these processes have given their signs meanwhile."""
    desk.watch(TRUSTED + LIFE // 4, *processes)


def claim(desk: Desk, token: str, conv: str = C, **options: object) -> str:
    """What a living process's claim is answered."""
    return desk.claim(token, conv=conv, process="p-b", life=LIFE, **options).outcome  # type: ignore[arg-type]


def test_a_lease_ends_with_its_holder_s_process_and_counts_as_one_lost(desk: Desk) -> None:
    """A life after its last sign, long before the lease's own end."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LIFE - 1_000)
    assert claim(desk, "k2") == "held"
    assert desk.due() == LEASE - LIFE + 1_000
    desk.watch(1_000)
    assert claim(desk, "k3") == "taken"
    assert desk.counts("m-1") == (0, 1)
    assert [line["cause"] for line in desk.lines("lease_lost")] == ["silent"]


def test_a_process_that_gives_its_signs_keeps_its_lease(desk: Desk) -> None:
    """However long its loop is busy, up to the lease's end."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LEASE - 1_000, "p-a")
    assert claim(desk, "k2") == "held"
    desk.watch(1_000, "p-a")
    assert claim(desk, "k3") == "taken"
    assert [line["cause"] for line in desk.lines("lease_lost")] == ["expired"]


def test_a_lease_of_an_older_version_goes_by_its_end_alone(desk: Desk) -> None:
    """It names no process."""
    watched(desk, "p-b")
    desk.accept("m-1")
    desk.taken("k1")
    desk.watch(TRUSTED, "p-b")
    assert claim(desk, "k2") == "held"
    desk.watch(LEASE, "p-b")
    assert claim(desk, "k3") == "taken"


def test_a_claim_is_a_sign_of_life(desk: Desk) -> None:
    """Its process's first one may come later."""
    watched(desk, "p-b")
    desk.held_by("p-a")
    assert claim(desk, "k2") == "held"


def test_the_sweep_finds_what_a_silent_process_held(desk: Desk) -> None:
    """And nothing of those who live; a conversation that its holder closed is nobody's."""
    watched(desk, "p-a", "p-b")
    desk.held_by("p-a")
    desk.held_by("p-b", "k2", OTHER)
    desk.watch(LIFE - 1_000, "p-b")
    assert desk.look() == []
    desk.advance(1_000)
    desk.beat("p-b")
    assert desk.look() == [C]
    assert desk.lines("process_silent")[0]["conversations"] == "1"
    assert claim(desk, "k3") == "taken"
    desk.finish("k3")
    desk.watch(TRUSTED)
    assert desk.look() == []


def test_what_a_process_has_finished_is_not_looked_for_at_its_death(desk: Desk) -> None:
    """Its list of conversations holds those that it holds."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.finish("k1")
    assert desk.redis.zcard("boss:held:p-a") == 0


def test_a_gap_between_two_looks_proves_nobody_dead_until_two_lives_later(desk: Desk) -> None:
    """Redis stood still, was started again, or is another one: nobody could give a sign."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.advance(LIFE // 2 + 1 + LIFE)
    assert desk.look() == []
    assert claim(desk, "k2") == "held"
    desk.watch(TRUSTED - 1_000)
    assert claim(desk, "k3") == "held"
    desk.watch(1_000)
    assert claim(desk, "k4") == "taken"


def test_pauses_of_half_a_life_are_no_gap(desk: Desk) -> None:
    """A living process gives its signs through them."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.advance(LIFE // 2)
    desk.look()
    desk.advance(LIFE // 2)
    desk.look()
    assert claim(desk, "k2") == "taken"


def test_another_server_is_a_gap_whatever_its_clock_says(desk: Desk) -> None:
    """A failover takes seconds, and the next master's clock may be behind by just as many."""
    watched(desk, "p-a", "p-b")
    desk.held_by("p-a")
    desk.redis.hset("boss:looked", "server", "0123456789abcdef")
    desk.watch(TRUSTED, "p-b")
    assert claim(desk, "k2") == "held"
    desk.watch(LIFE // 4, "p-b")
    assert claim(desk, "k3") == "taken"


def test_the_first_look_of_all_is_behind_a_gap(desk: Desk) -> None:
    """All workers were away: nothing is known of anybody."""
    desk.held_by("p-a")
    desk.redis.delete("boss:processes")
    desk.advance(TRUSTED - 1)
    desk.redis.hset("boss:looked", "at", desk.now)
    assert claim(desk, "k2") == "held"
    desk.advance(1)
    assert claim(desk, "k3") == "taken"


def test_a_lease_that_ended_in_a_gap_is_its_living_holder_s_still(desk: Desk) -> None:
    """Nobody could renew: who lives has half a lease to do so, beyond the two lives."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.advance(LEASE + 60_000)
    desk.beat("p-a")
    assert claim(desk, "k2") == "held"
    assert desk.due() == TRUSTED + LEASE // 2
    desk.watch(TRUSTED + LEASE // 2 - 1_000, "p-a")
    assert claim(desk, "k3") == "held"
    assert desk.renew("k1") == desk.now + LEASE
    desk.watch(1_000, "p-a")
    assert claim(desk, "k4") == "held"
    assert desk.counts("m-1") == (0, 0)


@pytest.mark.parametrize("lives", [True, False])
def test_nobody_waits_for_a_lease_that_ended_in_a_gap_for_ever(desk: Desk, lives: bool) -> None:
    """The holder's process is silent after the two lives, or it lives and does not renew."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.advance(LEASE)
    desk.look()
    desk.watch(TRUSTED + (LEASE // 2 if lives else 0), *(["p-a"] if lives else []))
    assert claim(desk, "k2") == "taken"
    assert [line["cause"] for line in desk.lines("lease_lost")] == ["expired" if lives else "silent"]


def test_a_lease_that_had_ended_before_the_gap_is_over(desk: Desk) -> None:
    """Its holder had the time to renew."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LEASE + 1_000, "p-a")
    desk.advance(LIFE)
    assert claim(desk, "k2") == "taken"


def test_a_lost_lease_is_taken_back_when_its_holder_turns_out_to_live(desk: Desk) -> None:
    """It stood still and goes on: what counted against its messages counts no more, and once only."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LIFE)
    assert claim(desk, "k2") == "taken"
    assert desk.counts("m-1") == (0, 1)
    desk.beat("p-a")
    desk.beat("p-a")
    assert desk.counts("m-1") == (0, 0)
    assert [line["messages"] for line in desk.lines("lost_leases_taken_back")] == ["1"]


def test_a_lease_lost_by_its_end_is_not_taken_back(desk: Desk) -> None:
    """A loop that hangs is no process that was only silent."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LEASE, "p-a")
    assert claim(desk, "k2") == "taken"
    desk.beat("p-a")
    assert desk.counts("m-1") == (0, 1)


def test_what_has_ended_is_left_alone_by_a_taking_back(desk: Desk) -> None:
    """Its record says what was."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LIFE)
    assert claim(desk, "k2") == "taken"
    desk.finish("k2")
    desk.beat("p-a")
    assert desk.counts("m-1") == (0, 1)


def test_what_an_ended_process_held_is_given_up_at_once_and_of_no_other(desk: Desk) -> None:
    """No life passes, and no look is asked: its host's kernel says so. It is a lost lease."""
    desk.held_by("p-a")
    desk.held_by("p-b", "k2", OTHER)
    assert desk.run(calls.ended("p-a")) is False
    assert desk.due() == 0
    assert claim(desk, "k3") == "taken"
    assert desk.counts("m-1") == (0, 1)
    assert [line["cause"] for line in desk.lines("lease_lost")] == ["ended"]
    assert claim(desk, "k4", OTHER) == "held"
    assert desk.run(calls.ended("p-a")) is False
    assert len(desk.lines("process_ended")) == 1


def test_a_process_keeps_what_it_took_over(desk: Desk) -> None:
    """The dead one's list may still name it."""
    desk.held_by("p-b")
    desk.redis.zadd("boss:held:p-a", {C: desk.now})
    desk.run(calls.ended("p-a"))
    assert desk.due() == LEASE
    assert claim(desk, "k2") == "held"


def test_what_one_script_gives_up_has_a_bound_and_the_rest_follows(desk: Desk) -> None:
    """Five hundred turns were under way at most; the caller asks again."""
    for number in range(3):
        desk.held_by("p-a", f"k{number}", f"c-{number}")
    call = calls.ended("p-a")
    part = type(call)(call.name, {**call.args, "most": 2}, call.parse)
    assert desk.run(part) is True
    assert desk.run(part) is False
    assert all(desk.due(f"c-{number}") == 0 for number in range(3))


def test_a_dead_process_leaves_its_senders_places_free(desk: Desk) -> None:
    """Who waits for one is next, without waiting for the lease."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.accept("m-2", conv=OTHER)
    assert claim(desk, "k2", OTHER, share=SHARE) == "busy"
    assert desk.due(OTHER) == LEASE
    desk.watch(LIFE, "p-b")
    assert (desk.due(OTHER) or 0) <= LIFE
    assert claim(desk, "k3", OTHER, share=SHARE) == "taken"


def test_a_holder_that_comes_back_before_anybody_took_its_lease_has_it_still(desk: Desk) -> None:
    """It renews, and is found again at its next death."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.watch(LIFE)
    desk.beat("p-a")
    assert desk.renew("k1") == desk.now + LEASE
    assert claim(desk, "k2") == "held"
    desk.watch(LIFE - 1_000)
    desk.advance(1_000)
    assert desk.look() == [C]


def test_the_other_processes_of_a_place_are_named_and_no_others(desk: Desk) -> None:
    """Of those alone can this host tell whether they exist."""
    for process in ("w-here-1-2", "w-here-3-4", "w-there-1-2"):
        desk.beat(process)
    assert desk.beat("w-here-1-2", "w-here-") == ["w-here-3-4"]
    assert desk.beat("w--5-6") == []


def test_a_process_that_has_ended_leaves_no_record(desk: Desk) -> None:
    """Neither one that said so nor one that fell silent."""
    watched(desk, "p-a", "p-b")
    desk.run(calls.ended("p-a"))
    assert desk.redis.hkeys("boss:processes") == [b"p-b"]
    desk.watch(TRUSTED)
    assert desk.redis.hkeys("boss:processes") == []


def test_who_does_not_look_calls_nobody_dead(desk: Desk) -> None:
    """A claim or a sweep that notes no look knows of no gap."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.advance(10 * LIFE)
    assert desk.claim("k2").outcome == "held"


def test_the_last_try_of_a_message_is_made_alone(desk: Desk) -> None:
    """What kills its process again is not beside another message that would then be set aside for it."""
    for number in (1, 2):
        desk.accept(f"m-{number}", conv=f"c-{number}")
        desk.redis.hset(f"boss:msg:m-{number}", "lost", calls.MAX_LOST - 1)
    desk.accept("m-3", conv="c-3")
    desk.held_by("p-a")
    assert claim(desk, "k2", OTHER, jitter=1.0) == "alone"
    assert desk.due(OTHER) == LEASE // 10
    assert claim(desk, "k3", "c-3") == "taken"
    desk.finish("k1")
    assert claim(desk, "k4", OTHER) == "taken"


def test_a_last_try_waits_for_no_dead_one(desk: Desk) -> None:
    """The place is free when the lease of who has it is over."""
    for number in (1, 2):
        desk.accept(f"m-{number}", conv=f"c-{number}")
        desk.redis.hset(f"boss:msg:m-{number}", "lost", calls.MAX_LOST - 1)
    desk.held_by("p-a")
    desk.run(calls.ended("p-a"))
    assert claim(desk, "k2", OTHER) == "taken"


def test_a_stored_reply_s_last_try_is_made_alone(desk: Desk) -> None:
    """A turn that is resumed may kill as well."""
    desk.accept("m-2", conv=OTHER)
    desk.redis.hset("boss:msg:m-2", "lost", calls.MAX_LOST - 1)
    desk.held_by("p-b", "k2", OTHER)
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.backoff("k1", 0)
    desk.redis.hset("boss:msg:m-1", "lost", calls.MAX_LOST - 1)
    assert claim(desk, "k3") == "alone"


# -- TIME that steps back


BACK = 120_000


def stepped_back(desk: Desk) -> None:
    """The server's clock is two minutes behind what it was."""
    desk.advance(-BACK)


def test_a_lease_further_ahead_than_its_length_ends_after_its_length(desk: Desk) -> None:
    """Its holder died before a failover to a server whose clock is behind."""
    desk.accept("m-1")
    desk.taken("k1")
    stepped_back(desk)
    assert claim(desk, "k2") == "held"
    assert desk.due() == LEASE
    assert [line["ms"] for line in desk.lines("clock_stepped") if line["what"] == "lease"] == [str(BACK)]
    desk.advance(LEASE)
    assert claim(desk, "k3") == "taken"


def test_a_wait_further_ahead_than_it_was_set_to_ends_after_its_length(desk: Desk) -> None:
    """A settling time, a back-off."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.backoff("k1", 5_000)
    stepped_back(desk)
    assert claim(desk, "k2") == "early"
    assert (desk.due(), desk.not_before()) == (5_000, 5_000)
    assert desk.lines("clock_stepped")[-1]["what"] == "wait"
    desk.advance(5_000)
    assert claim(desk, "k3") == "taken"


def test_a_wait_that_was_over_is_over(desk: Desk) -> None:
    """What is left of the inbox is looked at in a second, not in two minutes."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    stepped_back(desk)
    desk.finish("k1")
    assert desk.due() == 1_000


def test_a_wait_of_an_older_version_is_an_hour_at_most(desk: Desk) -> None:
    """It says not how long it was."""
    desk.accept("m-1")
    desk.redis.hdel(f"boss:conv:{C}", "wait")
    desk.redis.hset(f"boss:conv:{C}", "not_before", desk.now + 300_000)
    assert claim(desk, "k1") == "early"
    assert desk.due() == 300_000
    desk.redis.hset(f"boss:conv:{C}", "not_before", desk.now + 86_400_000)
    assert claim(desk, "k2") == "early"
    assert desk.due() == 3_600_000


def test_the_agenda_is_brought_forward_by_what_the_clock_went_back(desk: Desk) -> None:
    """What was due in five seconds is due in five seconds."""
    watched(desk, "p-b")
    desk.accept("m-1", settle=5_000)
    desk.accept("m-2", conv=OTHER)
    assert desk.look() == []
    stepped_back(desk)
    assert desk.look() == []
    assert (desk.due(), desk.due(OTHER)) == (5_000, 1_000)
    desk.look()
    assert [line["ms"] for line in desk.lines("clock_stepped") if line["what"] == "agenda"] == [str(BACK)]


def test_a_clock_that_goes_back_before_anybody_looks_holds_nobody_up(desk: Desk) -> None:
    """No worker was there when the message came, nor when the next one did."""
    desk.accept("m-1", settle=500)
    stepped_back(desk)
    desk.accept("m-2", conv=OTHER)
    desk.look()
    assert desk.due() == 500


def test_a_clock_that_went_back_proves_nobody_dead(desk: Desk) -> None:
    """It is a gap, as a failover is; and no distrust lasts longer than two lives."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    stepped_back(desk)
    desk.look()
    assert claim(desk, "k2") == "held"
    desk.watch(TRUSTED - 1_000)
    assert claim(desk, "k3") == "held"
    desk.watch(1_000)
    assert claim(desk, "k4") == "taken"


def test_a_sign_of_life_from_the_future_counts_from_now(desk: Desk) -> None:
    """A process that died before the step does not live on for two minutes."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.redis.hset("boss:processes", "p-a", f"{desk.now + BACK} {LIFE}")
    assert claim(desk, "k2") == "held"
    desk.watch(LIFE)
    assert claim(desk, "k3") == "taken"


def test_a_distrust_further_ahead_than_two_lives_is_cut(desk: Desk) -> None:
    """However it came there."""
    watched(desk, "p-a")
    desk.held_by("p-a")
    desk.redis.hset("boss:looked", "trusted", desk.now + BACK)
    desk.watch(TRUSTED + 1_000)
    assert claim(desk, "k2") == "taken"


def test_a_sender_s_place_further_ahead_than_a_lease_ends_after_one(desk: Desk) -> None:
    """Who waits for it is looked at then."""
    desk.accept("m-1")
    desk.taken("k1")
    stepped_back(desk)
    desk.accept("m-2", conv=OTHER)
    assert claim(desk, "k2", OTHER, share=SHARE) == "busy"
    assert desk.due(OTHER) == LEASE


def test_the_time_of_a_request_from_the_future_runs_from_now(desk: Desk) -> None:
    """It is looked up after the time of a request, not two minutes later; and compared with the provider's clock by its own time."""
    desk.to_sending()
    stepped_back(desk)
    desk.backoff("k1", 0)
    found = desk.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert [(attempt.runs_from, attempt.at) for attempt in found.turn.reply.attempts] == [(desk.now, START)]
    assert desk.lines("clock_stepped")[-1]["what"] == "attempt"
    desk.advance(1_000)
    assert desk.sending("k2", "a2", turn="k1").outcome == "look_up"
    assert desk.reply("k1").attempts[0].runs_from == desk.now - 1_000


def test_the_holder_itself_hears_of_no_attempt_from_the_future(desk: Desk) -> None:
    """It asks for leave again and is told what to look up."""
    desk.to_sending()
    stepped_back(desk)
    found = desk.sending("k1", "a2")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.runs_from == desk.now


def test_a_look_up_that_says_it_was_asked_in_the_future_was_asked_now(desk: Desk) -> None:
    """Its asker's time was taken before the step: a second look must be one."""
    desk.to_sending()
    desk.run(calls.not_found("r-k1", "a1", asked_ms=desk.now, again_ms=10_000, retention_ms=RETENTION))
    stepped_back(desk)
    found = desk.run(calls.not_found("r-k1", "a1", asked_ms=START + 1, again_ms=10_000, retention_ms=RETENTION))
    assert (found.outcome, found.wait_ms) == ("", 10_000)
    found = desk.run(calls.not_found("r-k1", "a1", asked_ms=START + BACK, again_ms=10_000, retention_ms=RETENTION))
    assert found.outcome == ""


def test_a_wake_up_s_mark_from_the_future_is_none(desk: Desk) -> None:
    """It would outlive its wake-up by two minutes."""
    watched(desk, "p-b")
    desk.accept("m-1")
    desk.redis.set(f"boss:wake:{C}", desk.now + BACK, px=BACK)
    desk.advance(1_000)
    assert [due.conversation for due in desk.run(calls.sweep(recheck_ms=10_000, life_ms=LIFE)).due] == [C]


def test_who_is_to_be_told_elsewhere_waits_no_longer_than_for_the_next_look(desk: Desk) -> None:
    """However far ahead the list says."""
    desk.redis.zadd("boss:untold", {"r-1": desk.now + BACK})
    assert desk.run(calls.sweep(recheck_ms=10_000)).untold == ()
    desk.advance(10_000)
    assert desk.run(calls.sweep(recheck_ms=10_000)).untold == ("r-1",)


def test_a_pause_that_began_in_the_future_makes_nothing_younger(desk: Desk) -> None:
    """Its length is none, not less than none."""
    desk.accept("m-1")
    desk.run(calls.pause("test"))
    stepped_back(desk)
    desk.run(calls.resume())
    assert desk.redis.hget("boss:pause", "total") == b"0"


def test_a_dead_standby_leaves_the_book_in_its_time_after_a_step_back(desk: Desk) -> None:
    """What it said last lies ahead."""
    desk.run(calls.standby("old", "watching", "", queue="q"))
    stepped_back(desk)
    for _ in range(4):
        desk.run(calls.standby("new", "watching", "", queue="q"))
        desk.advance(calls.STANDBY_KEPT_MS // 2)
    assert desk.redis.hkeys("boss:standby") == [b"new"]
