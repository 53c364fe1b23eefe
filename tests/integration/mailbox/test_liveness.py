"""Whose process lives keeps its lease, whose does not loses it at once; and a Redis that was away proves nothing about anybody."""

from __future__ import annotations

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, LIFE, RETENTION, START

OTHER = "c-2"
TRUSTED = 2 * LIFE
"""From the first look on: nobody is called dead before."""
SHARE = 1


def watched(driver: MailboxDriver, *processes: str) -> None:
    """Somebody has looked for so long that silence counts, and these processes have given their signs meanwhile."""
    driver.watch(TRUSTED + LIFE // 4, *processes)


def claim(driver: MailboxDriver, token: str, conv: str = C, **options: object) -> str:
    """What a living process's claim is answered."""
    return driver.claim(token, conv=conv, process="p-b", life=LIFE, **options).outcome  # type: ignore[arg-type]


def test_a_lease_ends_with_its_holder_s_process_and_counts_as_one_lost(driver: MailboxDriver) -> None:
    """A life after its last sign, long before the lease's own end."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LIFE - 1_000)
    assert claim(driver, "k2") == "held"
    assert driver.due() == LEASE - LIFE + 1_000
    driver.watch(1_000)
    assert claim(driver, "k3") == "taken"
    assert driver.counts("m-1") == (0, 1)
    assert [line["cause"] for line in driver.lines("lease_lost")] == ["silent"]


def test_a_process_that_gives_its_signs_keeps_its_lease(driver: MailboxDriver) -> None:
    """However long its loop is busy, up to the lease's end."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LEASE - 1_000, "p-a")
    assert claim(driver, "k2") == "held"
    driver.watch(1_000, "p-a")
    assert claim(driver, "k3") == "taken"
    assert [line["cause"] for line in driver.lines("lease_lost")] == ["expired"]


def test_a_lease_of_an_older_version_goes_by_its_end_alone(driver: MailboxDriver) -> None:
    """It names no process."""
    watched(driver, "p-b")
    driver.accept("m-1")
    driver.taken("k1")
    driver.watch(TRUSTED, "p-b")
    assert claim(driver, "k2") == "held"
    driver.watch(LEASE, "p-b")
    assert claim(driver, "k3") == "taken"


def test_a_claim_is_a_sign_of_life(driver: MailboxDriver) -> None:
    """Its process's first one may come later."""
    watched(driver, "p-b")
    driver.held_by("p-a")
    assert claim(driver, "k2") == "held"


def test_the_sweep_finds_what_a_silent_process_held(driver: MailboxDriver) -> None:
    """And nothing of those who live; a conversation that its holder closed is nobody's."""
    watched(driver, "p-a", "p-b")
    driver.held_by("p-a")
    driver.held_by("p-b", "k2", OTHER)
    driver.watch(LIFE - 1_000, "p-b")
    assert driver.look() == []
    driver.advance(1_000)
    driver.beat("p-b")
    assert driver.look() == [C]
    assert driver.lines("process_silent")[0]["conversations"] == "1"
    assert claim(driver, "k3") == "taken"
    driver.finish("k3")
    driver.watch(TRUSTED)
    assert driver.look() == []


def test_what_a_process_has_finished_is_not_looked_for_at_its_death(driver: MailboxDriver) -> None:
    """Its list of conversations holds those that it holds."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.finish("k1")
    assert driver.redis.zcard("boss:held:p-a") == 0


def test_a_gap_between_two_looks_proves_nobody_dead_until_two_lives_later(driver: MailboxDriver) -> None:
    """Redis stood still, was started again, or is another one: nobody could give a sign."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.advance(LIFE // 2 + 1 + LIFE)
    assert driver.look() == []
    assert claim(driver, "k2") == "held"
    driver.watch(TRUSTED - 1_000)
    assert claim(driver, "k3") == "held"
    driver.watch(1_000)
    assert claim(driver, "k4") == "taken"


def test_pauses_of_half_a_life_are_no_gap(driver: MailboxDriver) -> None:
    """A living process gives its signs through them."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.advance(LIFE // 2)
    driver.look()
    driver.advance(LIFE // 2)
    driver.look()
    assert claim(driver, "k2") == "taken"


def test_another_server_is_a_gap_whatever_its_clock_says(driver: MailboxDriver) -> None:
    """A failover takes seconds, and the next master's clock may be behind by just as many."""
    watched(driver, "p-a", "p-b")
    driver.held_by("p-a")
    driver.redis.hset("boss:looked", "server", "0123456789abcdef")
    driver.watch(TRUSTED, "p-b")
    assert claim(driver, "k2") == "held"
    driver.watch(LIFE // 4, "p-b")
    assert claim(driver, "k3") == "taken"


def test_the_first_look_of_all_is_behind_a_gap(driver: MailboxDriver) -> None:
    """All workers were away: nothing is known of anybody."""
    driver.held_by("p-a")
    driver.redis.delete("boss:processes")
    driver.advance(TRUSTED - 1)
    driver.redis.hset("boss:looked", "at", driver.now)
    assert claim(driver, "k2") == "held"
    driver.advance(1)
    assert claim(driver, "k3") == "taken"


def test_a_lease_that_ended_in_a_gap_is_its_living_holder_s_still(driver: MailboxDriver) -> None:
    """Nobody could renew: who lives has half a lease to do so, beyond the two lives."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.advance(LEASE + 60_000)
    driver.beat("p-a")
    assert claim(driver, "k2") == "held"
    assert driver.due() == TRUSTED + LEASE // 2
    driver.watch(TRUSTED + LEASE // 2 - 1_000, "p-a")
    assert claim(driver, "k3") == "held"
    assert driver.renew("k1") == driver.now + LEASE
    driver.watch(1_000, "p-a")
    assert claim(driver, "k4") == "held"
    assert driver.counts("m-1") == (0, 0)


@pytest.mark.parametrize("lives", [True, False])
def test_nobody_waits_for_a_lease_that_ended_in_a_gap_for_ever(driver: MailboxDriver, lives: bool) -> None:
    """The holder's process is silent after the two lives, or it lives and does not renew."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.advance(LEASE)
    driver.look()
    driver.watch(TRUSTED + (LEASE // 2 if lives else 0), *(["p-a"] if lives else []))
    assert claim(driver, "k2") == "taken"
    assert [line["cause"] for line in driver.lines("lease_lost")] == ["expired" if lives else "silent"]


def test_a_lease_that_had_ended_before_the_gap_is_over(driver: MailboxDriver) -> None:
    """Its holder had the time to renew."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LEASE + 1_000, "p-a")
    driver.advance(LIFE)
    assert claim(driver, "k2") == "taken"


def test_a_lost_lease_is_taken_back_when_its_holder_turns_out_to_live(driver: MailboxDriver) -> None:
    """It stood still and goes on: what counted against its messages counts no more, and once only."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LIFE)
    assert claim(driver, "k2") == "taken"
    assert driver.counts("m-1") == (0, 1)
    driver.beat("p-a")
    driver.beat("p-a")
    assert driver.counts("m-1") == (0, 0)
    assert [line["messages"] for line in driver.lines("lost_leases_taken_back")] == ["1"]


def test_a_lease_lost_by_its_end_is_not_taken_back(driver: MailboxDriver) -> None:
    """A loop that hangs is no process that was only silent."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LEASE, "p-a")
    assert claim(driver, "k2") == "taken"
    driver.beat("p-a")
    assert driver.counts("m-1") == (0, 1)


def test_what_has_ended_is_left_alone_by_a_taking_back(driver: MailboxDriver) -> None:
    """Its record says what was."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LIFE)
    assert claim(driver, "k2") == "taken"
    driver.finish("k2")
    driver.beat("p-a")
    assert driver.counts("m-1") == (0, 1)


def test_what_an_ended_process_held_is_given_up_at_once_and_of_no_other(driver: MailboxDriver) -> None:
    """No life passes, and no look is asked: its host's kernel says so. It is a lost lease."""
    driver.held_by("p-a")
    driver.held_by("p-b", "k2", OTHER)
    assert driver.run(calls.ended("p-a")) is False
    assert driver.due() == 0
    assert claim(driver, "k3") == "taken"
    assert driver.counts("m-1") == (0, 1)
    assert [line["cause"] for line in driver.lines("lease_lost")] == ["ended"]
    assert claim(driver, "k4", OTHER) == "held"
    assert driver.run(calls.ended("p-a")) is False
    assert len(driver.lines("process_ended")) == 1


def test_a_process_keeps_what_it_took_over(driver: MailboxDriver) -> None:
    """The dead one's list may still name it."""
    driver.held_by("p-b")
    driver.redis.zadd("boss:held:p-a", {C: driver.now})
    driver.run(calls.ended("p-a"))
    assert driver.due() == LEASE
    assert claim(driver, "k2") == "held"


def test_what_one_script_gives_up_has_a_bound_and_the_rest_follows(driver: MailboxDriver) -> None:
    """Five hundred turns were under way at most; the caller asks again."""
    for number in range(3):
        driver.held_by("p-a", f"k{number}", f"c-{number}")
    call = calls.ended("p-a")
    part = type(call)(call.name, {**call.args, "most": 2}, call.parse)
    assert driver.run(part) is True
    assert driver.run(part) is False
    assert all(driver.due(f"c-{number}") == 0 for number in range(3))


def test_a_dead_process_leaves_its_senders_places_free(driver: MailboxDriver) -> None:
    """Who waits for one is next, without waiting for the lease."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.accept("m-2", conv=OTHER)
    assert claim(driver, "k2", OTHER, share=SHARE) == "busy"
    assert driver.due(OTHER) == LEASE
    driver.watch(LIFE, "p-b")
    assert (driver.due(OTHER) or 0) <= LIFE
    assert claim(driver, "k3", OTHER, share=SHARE) == "taken"


def test_a_holder_that_comes_back_before_anybody_took_its_lease_has_it_still(driver: MailboxDriver) -> None:
    """It renews, and is found again at its next death."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.watch(LIFE)
    driver.beat("p-a")
    assert driver.renew("k1") == driver.now + LEASE
    assert claim(driver, "k2") == "held"
    driver.watch(LIFE - 1_000)
    driver.advance(1_000)
    assert driver.look() == [C]


def test_the_other_processes_of_a_place_are_named_and_no_others(driver: MailboxDriver) -> None:
    """Of those alone can this host tell whether they exist."""
    for process in ("w-here-1-2", "w-here-3-4", "w-there-1-2"):
        driver.beat(process)
    assert driver.beat("w-here-1-2", "w-here-") == ["w-here-3-4"]
    assert driver.beat("w--5-6") == []


def test_a_process_that_has_ended_leaves_no_record(driver: MailboxDriver) -> None:
    """Neither one that said so nor one that fell silent."""
    watched(driver, "p-a", "p-b")
    driver.run(calls.ended("p-a"))
    assert driver.redis.hkeys("boss:processes") == [b"p-b"]
    driver.watch(TRUSTED)
    assert driver.redis.hkeys("boss:processes") == []


def test_who_does_not_look_calls_nobody_dead(driver: MailboxDriver) -> None:
    """A claim or a sweep that notes no look knows of no gap."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.advance(10 * LIFE)
    assert driver.claim("k2").outcome == "held"


def test_the_last_try_of_a_message_is_made_alone(driver: MailboxDriver) -> None:
    """What kills its process again is not beside another message that would then be set aside for it."""
    for number in (1, 2):
        driver.accept(f"m-{number}", conv=f"c-{number}")
        driver.redis.hset(f"boss:msg:m-{number}", "lost", calls.MAX_LOST - 1)
    driver.accept("m-3", conv="c-3")
    driver.held_by("p-a")
    assert claim(driver, "k2", OTHER, jitter=1.0) == "alone"
    assert driver.due(OTHER) == LEASE // 10
    assert claim(driver, "k3", "c-3") == "taken"
    driver.finish("k1")
    assert claim(driver, "k4", OTHER) == "taken"


def test_a_last_try_waits_for_no_dead_one(driver: MailboxDriver) -> None:
    """The place is free when the lease of who has it is over."""
    for number in (1, 2):
        driver.accept(f"m-{number}", conv=f"c-{number}")
        driver.redis.hset(f"boss:msg:m-{number}", "lost", calls.MAX_LOST - 1)
    driver.held_by("p-a")
    driver.run(calls.ended("p-a"))
    assert claim(driver, "k2", OTHER) == "taken"


def test_a_stored_reply_s_last_try_is_made_alone(driver: MailboxDriver) -> None:
    """A turn that is resumed may kill as well."""
    driver.accept("m-2", conv=OTHER)
    driver.redis.hset("boss:msg:m-2", "lost", calls.MAX_LOST - 1)
    driver.held_by("p-b", "k2", OTHER)
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.backoff("k1", 0)
    driver.redis.hset("boss:msg:m-1", "lost", calls.MAX_LOST - 1)
    assert claim(driver, "k3") == "alone"


# -- TIME that steps back


BACK = 120_000


def stepped_back(driver: MailboxDriver) -> None:
    """The server's clock is two minutes behind what it was."""
    driver.advance(-BACK)


def test_a_lease_further_ahead_than_its_length_ends_after_its_length(driver: MailboxDriver) -> None:
    """Its holder died before a failover to a server whose clock is behind."""
    driver.accept("m-1")
    driver.taken("k1")
    stepped_back(driver)
    assert claim(driver, "k2") == "held"
    assert driver.due() == LEASE
    assert [line["ms"] for line in driver.lines("clock_stepped") if line["what"] == "lease"] == [str(BACK)]
    driver.advance(LEASE)
    assert claim(driver, "k3") == "taken"


def test_a_wait_further_ahead_than_it_was_set_to_ends_after_its_length(driver: MailboxDriver) -> None:
    """A settling time, a back-off."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.backoff("k1", 5_000)
    stepped_back(driver)
    assert claim(driver, "k2") == "early"
    assert (driver.due(), driver.not_before()) == (5_000, 5_000)
    assert driver.lines("clock_stepped")[-1]["what"] == "wait"
    driver.advance(5_000)
    assert claim(driver, "k3") == "taken"


def test_a_wait_that_was_over_is_over(driver: MailboxDriver) -> None:
    """What is left of the inbox is looked at in a second, not in two minutes."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    stepped_back(driver)
    driver.finish("k1")
    assert driver.due() == 1_000


def test_a_wait_of_an_older_version_is_an_hour_at_most(driver: MailboxDriver) -> None:
    """It says not how long it was."""
    driver.accept("m-1")
    driver.redis.hdel(f"boss:conv:{C}", "wait")
    driver.redis.hset(f"boss:conv:{C}", "not_before", driver.now + 300_000)
    assert claim(driver, "k1") == "early"
    assert driver.due() == 300_000
    driver.redis.hset(f"boss:conv:{C}", "not_before", driver.now + 86_400_000)
    assert claim(driver, "k2") == "early"
    assert driver.due() == 3_600_000


def test_the_agenda_is_brought_forward_by_what_the_clock_went_back(driver: MailboxDriver) -> None:
    """What was due in five seconds is due in five seconds."""
    watched(driver, "p-b")
    driver.accept("m-1", settle=5_000)
    driver.accept("m-2", conv=OTHER)
    assert driver.look() == []
    stepped_back(driver)
    assert driver.look() == []
    assert (driver.due(), driver.due(OTHER)) == (5_000, 1_000)
    driver.look()
    assert [line["ms"] for line in driver.lines("clock_stepped") if line["what"] == "agenda"] == [str(BACK)]


def test_a_clock_that_goes_back_before_anybody_looks_holds_nobody_up(driver: MailboxDriver) -> None:
    """No worker was there when the message came, nor when the next one did."""
    driver.accept("m-1", settle=500)
    stepped_back(driver)
    driver.accept("m-2", conv=OTHER)
    driver.look()
    assert driver.due() == 500


def test_a_clock_that_went_back_proves_nobody_dead(driver: MailboxDriver) -> None:
    """It is a gap, as a failover is; and no distrust lasts longer than two lives."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    stepped_back(driver)
    driver.look()
    assert claim(driver, "k2") == "held"
    driver.watch(TRUSTED - 1_000)
    assert claim(driver, "k3") == "held"
    driver.watch(1_000)
    assert claim(driver, "k4") == "taken"


def test_a_sign_of_life_from_the_future_counts_from_now(driver: MailboxDriver) -> None:
    """A process that died before the step does not live on for two minutes."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.redis.hset("boss:processes", "p-a", f"{driver.now + BACK} {LIFE}")
    assert claim(driver, "k2") == "held"
    driver.watch(LIFE)
    assert claim(driver, "k3") == "taken"


def test_a_distrust_further_ahead_than_two_lives_is_cut(driver: MailboxDriver) -> None:
    """However it came there."""
    watched(driver, "p-a")
    driver.held_by("p-a")
    driver.redis.hset("boss:looked", "trusted", driver.now + BACK)
    driver.watch(TRUSTED + 1_000)
    assert claim(driver, "k2") == "taken"


def test_a_sender_s_place_further_ahead_than_a_lease_ends_after_one(driver: MailboxDriver) -> None:
    """Who waits for it is looked at then."""
    driver.accept("m-1")
    driver.taken("k1")
    stepped_back(driver)
    driver.accept("m-2", conv=OTHER)
    assert claim(driver, "k2", OTHER, share=SHARE) == "busy"
    assert driver.due(OTHER) == LEASE


def test_the_time_of_a_request_from_the_future_runs_from_now(driver: MailboxDriver) -> None:
    """It is looked up after the time of a request, not two minutes later; and compared with the provider's clock by its own time."""
    driver.to_sending()
    stepped_back(driver)
    driver.backoff("k1", 0)
    found = driver.claim("k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert [(attempt.runs_from, attempt.at) for attempt in found.turn.reply.attempts] == [(driver.now, START)]
    assert driver.lines("clock_stepped")[-1]["what"] == "attempt"
    driver.advance(1_000)
    assert driver.sending("k2", "a2", turn="k1").outcome == "look_up"
    assert driver.reply("k1").attempts[0].runs_from == driver.now - 1_000


def test_the_holder_itself_hears_of_no_attempt_from_the_future(driver: MailboxDriver) -> None:
    """It asks for a permit again and is told what to look up."""
    driver.to_sending()
    stepped_back(driver)
    found = driver.sending("k1", "a2")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.runs_from == driver.now


def test_a_look_up_that_says_it_was_asked_in_the_future_was_asked_now(driver: MailboxDriver) -> None:
    """Its asker's time was taken before the step: a second look must be one."""
    driver.to_sending()
    driver.run(calls.not_found("r-k1", "a1", asked_ms=driver.now, again_ms=10_000, retention_ms=RETENTION))
    stepped_back(driver)
    found = driver.run(calls.not_found("r-k1", "a1", asked_ms=START + 1, again_ms=10_000, retention_ms=RETENTION))
    assert (found.outcome, found.wait_ms) == ("", 10_000)
    found = driver.run(calls.not_found("r-k1", "a1", asked_ms=START + BACK, again_ms=10_000, retention_ms=RETENTION))
    assert found.outcome == ""


def test_a_wake_up_s_mark_from_the_future_is_none(driver: MailboxDriver) -> None:
    """It would outlive its wake-up by two minutes."""
    watched(driver, "p-b")
    driver.accept("m-1")
    driver.redis.set(f"boss:wake:{C}", driver.now + BACK, px=BACK)
    driver.advance(1_000)
    assert [due.conversation for due in driver.run(calls.sweep(recheck_ms=10_000, life_ms=LIFE)).due] == [C]


def test_who_is_to_be_told_elsewhere_waits_no_longer_than_for_the_next_look(driver: MailboxDriver) -> None:
    """However far ahead the list says."""
    driver.redis.zadd("boss:untold", {"r-1": driver.now + BACK})
    assert driver.run(calls.sweep(recheck_ms=10_000)).untold == ()
    driver.advance(10_000)
    assert driver.run(calls.sweep(recheck_ms=10_000)).untold == ("r-1",)


def test_a_pause_that_began_in_the_future_makes_nothing_younger(driver: MailboxDriver) -> None:
    """Its length is none, not less than none."""
    driver.accept("m-1")
    driver.run(calls.pause("test"))
    stepped_back(driver)
    driver.run(calls.resume())
    assert driver.redis.hget("boss:pause", "total") == b"0"


def test_a_dead_standby_leaves_the_book_in_its_time_after_a_step_back(driver: MailboxDriver) -> None:
    """What it said last lies ahead."""
    driver.run(calls.standby("old", "watching", "", queue="q"))
    stepped_back(driver)
    for _ in range(4):
        driver.run(calls.standby("new", "watching", "", queue="q"))
        driver.advance(calls.STANDBY_KEPT_MS // 2)
    assert driver.redis.hkeys("boss:standby") == [b"new"]
