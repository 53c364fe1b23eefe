"""A turn with a step is bound: nothing dissolves it, a name is written once, and nothing begins that may not."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import Calling, Claim, Cost, DayBounds, NextCall, Settled, Step, TurnHolder
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION

CALL_WAIT = 7_000


def claimed(driver: MailboxDriver, token: str) -> Claim:
    """A claim that must succeed."""
    found = driver.claim(token)
    assert found.outcome == "taken", found.outcome
    assert found.turn is not None
    return found


def holder(found: Claim, token: str) -> TurnHolder:
    """Who works on a claimed turn."""
    assert found.turn is not None
    return TurnHolder(C, token, found.turn.id, found.turn.person, found.turn.epoch, LEASE)


def begun(driver: MailboxDriver, token: str = "k1") -> TurnHolder:  # noqa: S107 - a lease's token
    """A turn of m-1 whose first answer is stored."""
    driver.accept("m-1")
    who = holder(claimed(driver, token), token)
    assert stored(driver, who, "answer:1", {"says": "first"}).outcome == "ok"
    return who


def stored(driver: MailboxDriver, who: TurnHolder, name: str, entry: dict[str, Any]) -> Step:
    """One step."""
    return driver.run(calls.step(who, name, entry, figures={"ms": 1}))


def call(driver: MailboxDriver, who: TurnHolder, *, repeatable: bool = False) -> Calling:
    """The permit for one call outside."""
    return driver.run(calls.calling(who, "tu_1", wait_ms=CALL_WAIT, repeatable=repeatable))


def lost(driver: MailboxDriver) -> None:
    """The lease ends, and so does the wait after a loss."""
    driver.advance(LEASE * 20)


def test_a_turn_with_a_step_is_resumed_under_its_id_with_its_messages_and_its_steps_whatever_came_meanwhile(driver: MailboxDriver) -> None:
    """Lost leases, back-offs, and new messages change nothing about it."""
    who = begun(driver)
    driver.accept("m-2")
    for number in range(2, 6):
        if number % 2:
            driver.run(calls.backoff(C, f"k{number - 1}", 0, "test", counted=True))
        else:
            lost(driver)
            driver.claim(f"early-{number}")  # it counts the loss; from the second one on the turn waits
            driver.run(calls.backoff(C, f"early-{number}", 0, "test", counted=False))
            driver.advance(LEASE * 20)
        found = claimed(driver, f"k{number}")
        assert found.turn is not None
        assert (found.turn.id, [message.id for message in found.turn.messages]) == (who.turn, ["m-1"])
        assert json.loads(found.turn.steps.get("answer:1", "null")) == {"says": "first"}
        assert (found.turn.history, found.reserved) == ((), 0)
    assert (driver.state("m-1"), driver.state("m-2")) == ("in_turn", "pending")


def test_a_name_is_written_once_and_a_repeat_is_told_what_stands_there(driver: MailboxDriver) -> None:
    """redis-py repeats a call after a timeout; and its holder may have been followed by another one."""
    who = begun(driver)
    again = stored(driver, who, "answer:1", {"says": "second"})
    assert (again.outcome, json.loads(again.entry)) == ("ok", {"says": "first"})
    lost(driver)
    other = holder(claimed(driver, "k2"), "k2")
    assert json.loads(stored(driver, other, "answer:1", {"says": "third"}).entry) == {"says": "first"}
    assert stored(driver, who, "answer:2", {}).outcome == "lost"


def test_the_steps_end_with_the_turn_and_their_figures_stay(driver: MailboxDriver) -> None:
    """What was said in them is deleted; the turn's record keeps their names and figures."""
    who = begun(driver)
    driver.store("k1")
    assert stored(driver, who, "answer:2", {}).outcome == "lost"
    driver.run(calls.finish(C, "k1", retention_ms=RETENTION))
    assert not driver.redis.exists(f"boss:steps:{who.turn}")
    figures = json.loads(cast("bytes | None", driver.redis.hget(f"boss:turn:{who.turn}", "step:answer:1")) or "null")
    assert figures == {"ms": 1, "at": driver.now}
    assert driver.redis.hget(f"boss:conv:{C}", "bound") == b""


def test_a_reply_to_a_bound_turn_is_delivered_by_whoever_claims_next(driver: MailboxDriver) -> None:
    """As that of any other turn, before what came meanwhile."""
    begun(driver)
    driver.store("k1")
    driver.accept("m-2")
    lost(driver)
    found = claimed(driver, "k2")
    assert found.turn is not None
    assert found.turn.reply is not None
    assert [message.id for message in found.turn.messages] == ["m-1"]


def test_a_command_is_answered_while_a_bound_turn_waits_and_the_turn_goes_on_behind_it(driver: MailboxDriver) -> None:
    """It waits at most for the request under way: the step says that something is there."""
    who = begun(driver)
    driver.accept("m-status", command="status")
    assert stored(driver, who, "answer:2", {}).priority_waits
    driver.run(calls.backoff(C, "k1", 0, "priority", counted=False))
    found = claimed(driver, "k2")
    assert found.turn is not None
    assert ([message.id for message in found.turn.messages], found.turn.steps) == (["m-status"], {})
    driver.store("k2", answers="status")
    driver.run(calls.finish(C, "k2", retention_ms=RETENTION))
    resumed = claimed(driver, "k3")
    assert resumed.turn is not None
    assert (resumed.turn.id, sorted(resumed.turn.steps)) == (who.turn, ["answer:1", "answer:2"])


@pytest.mark.parametrize("why", ["opted_out", "paused", "erased"])
def test_nothing_further_begins_for_who_said_stop_in_a_pause_or_after_an_erasure(driver: MailboxDriver, why: str) -> None:
    """An answer that was paid for is stored all the same, unless its person was erased."""
    who = begun(driver)
    if why == "opted_out":
        driver.run_opt_out(PAIR)
    elif why == "paused":
        driver.run(calls.pause("test"))
    else:
        driver.redis.hincrby(f"boss:person:{who.person}", "epoch", 1)
    answer, asked = stored(driver, who, "answer:2", {"says": "paid"}), call(driver, who)
    assert (answer.outcome, asked.outcome) == (why, why)
    assert bool(driver.redis.hexists(f"boss:steps:{who.turn}", "answer:2")) is (why != "erased")
    assert not driver.redis.hexists(f"boss:steps:{who.turn}", "calling:tu_1")


def test_no_reply_is_stored_that_was_made_before_an_erasure(driver: MailboxDriver) -> None:
    """Whoever holds the lease; what was stored before is answered to a repeat as it was."""
    who = begun(driver)
    driver.redis.hincrby(f"boss:person:{who.person}", "epoch", 1)
    assert driver.store("k1", person=who.person, epoch=who.epoch).outcome == "lost"
    assert not driver.redis.exists("boss:reply:r-k1")
    driver.redis.hset(f"boss:person:{who.person}", "epoch", who.epoch)
    assert driver.store("k1", person=who.person, epoch=who.epoch).outcome == "stored"
    driver.redis.hincrby(f"boss:person:{who.person}", "epoch", 1)
    assert driver.store("k1", person=who.person, epoch=who.epoch).outcome == "stored"


def test_each_step_extends_the_lease_to_its_full_length(driver: MailboxDriver) -> None:
    """A long loop would outlive it while it works."""
    who = begun(driver)
    for number in range(3):
        driver.advance(LEASE - 1)
        assert stored(driver, who, f"answer:{number + 2}", {}).outcome == "ok"
        assert driver.claim("k2").outcome == "held"
    driver.advance(LEASE - 1)
    assert call(driver, who).outcome == "call"
    driver.advance(LEASE - 1)
    assert driver.claim("k3").outcome == "held"


def test_a_call_without_a_result_is_waited_for_and_then_nobody_knows_what_became_of_it(driver: MailboxDriver) -> None:
    """Unless the operator says that it may be made again."""
    who = begun(driver)
    assert call(driver, who).outcome == "call"
    assert call(driver, who).outcome == "call"  # a repeat of the same token's
    driver.run(calls.backoff(C, "k1", 0, "test", counted=False))
    other = holder(claimed(driver, "k2"), "k2")
    waits = call(driver, other)
    assert (waits.outcome, waits.wait_ms) == ("wait", CALL_WAIT)
    driver.advance(CALL_WAIT)
    assert call(driver, other).outcome == "unknown"
    assert call(driver, other, repeatable=True).outcome == "call"


def test_what_came_of_a_call_counts_whoever_holds_the_lease_and_its_first_word_only(driver: MailboxDriver) -> None:
    """A holder that was thought dead comes back with the answer."""
    who = begun(driver)
    call(driver, who)
    driver.run(calls.backoff(C, "k1", 0, "test", counted=False))
    other = holder(claimed(driver, "k2"), "k2")
    assert json.loads(driver.run(calls.called(who.turn, "tu_1", {"text": "done"}))) == {"text": "done"}
    assert json.loads(driver.run(calls.called(who.turn, "tu_1", {"text": "other"}))) == {"text": "done"}
    found = call(driver, other)
    assert found.outcome == "done"
    assert json.loads(found.entry) == {"text": "done"}


def test_nothing_is_recorded_of_a_call_whose_turn_is_over(driver: MailboxDriver) -> None:
    """Its record would live for ever, and an erased one would come back."""
    who = begun(driver)
    call(driver, who)
    driver.store("k1")
    driver.run(calls.finish(C, "k1", retention_ms=RETENTION))
    assert driver.run(calls.called(who.turn, "tu_1", {"text": "late"})) == ""
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


def test_a_call_from_a_time_ahead_is_waited_for_from_now(driver: MailboxDriver) -> None:
    """TIME has stepped back by an hour: a wait of an hour would be nobody's."""
    who = begun(driver)
    call(driver, who)
    driver.run(calls.backoff(C, "k1", 0, "test", counted=False))
    driver.advance(-3_600_000)
    other = holder(claimed(driver, "k2"), "k2")
    assert call(driver, other).wait_ms == CALL_WAIT


def test_a_step_settles_the_question_that_it_came_from(driver: MailboxDriver) -> None:
    """Also where it is refused: what was used is used."""
    driver.accept("m-1")
    who = holder(driver.claim("k1", day_tokens=1_000, amount=100), "k1")
    driver.run(calls.step(who, "answer:1", {}, settled=Settled("q-k1", 40, "good")))
    day = driver.redis.keys("boss:spent:*")[0]
    assert (driver.redis.hget(day, "tokens"), driver.redis.hget(day, "reserved")) == (b"40", b"0")


def next_call(amount: int, **bounds: int) -> NextCall:
    """The question behind a step."""
    return NextCall("q-k1-1", amount, Cost(amount, "m"), DayBounds(**bounds))


def test_a_step_reserves_for_the_question_behind_it(driver: MailboxDriver) -> None:
    """Behind what it settles, by the bounds, and once; a claim finds it as it finds any other that a holder left behind."""
    driver.accept("m-1")
    who = holder(driver.claim("k1", amount=100), "k1")
    settled = Settled("q-k1", 40, "good", 40)
    for _ in range(2):
        found = driver.run(calls.step(who, "answer:1", {}, settled=settled, upcoming=next_call(60, tokens=100, month=100)))
        assert (found.outcome, found.reserved, driver.spent().get("reserved"), driver.spent().get("open")) == ("ok", "ok", 60, 1)
    assert driver.reserve("k1", "q-k1-1", 60) == "ok"
    assert driver.book("2023-11")["money_reserved"] == 60
    driver.advance(LEASE + 1)
    driver.claim("k2", amount=1)
    assert driver.spent() == {"tokens": 100, "tokens:s-1": 100, "calls": 2, "failed": 1}


def test_a_step_is_stored_where_its_next_question_has_no_room(driver: MailboxDriver) -> None:
    """Whoever asks hears why."""
    driver.accept("m-1")
    who = holder(driver.claim("k1", amount=100), "k1")
    for name, upcoming, why in (("answer:1", next_call(101, month=100), "dear"), ("result:1", next_call(61, tokens=100), "spent")):
        found = driver.run(calls.step(who, name, {}, settled=Settled("q-k1", 40, "good", 40), upcoming=upcoming))
        assert (found.outcome, found.entry, found.reserved) == ("ok", "{}", why)
    assert driver.spent().get("reserved") is None


@pytest.mark.parametrize("what", ["pause", "stop", "command"])
def test_a_step_reserves_nothing_where_no_question_may_begin(driver: MailboxDriver, what: str) -> None:
    """In a pause, for who opted out, and where something is served before."""
    driver.accept("m-1")
    who = holder(driver.claim("k1", amount=100), "k1")
    if what == "pause":
        driver.pause()
    elif what == "stop":
        driver.accept("m-2", keyword="stop")
    else:
        driver.accept("m-2", command="status")
    found = driver.run(calls.step(who, "answer:1", {}, settled=Settled("q-k1", 40, "good"), upcoming=next_call(60)))
    assert (found.entry, found.reserved, driver.spent().get("reserved")) == ("{}", "", None)


def test_a_bridge_message_whose_turn_has_a_step_is_not_handed_over(driver: MailboxDriver) -> None:
    """Its effects would be told by nobody."""
    driver.accept("m-1", kind="bridge")
    who = holder(claimed(driver, "k1"), "k1")
    stored(driver, who, "answer:1", {})
    assert driver.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "replied"


def test_a_person_keeps_the_id_under_which_they_were_first_met(driver: MailboxDriver) -> None:
    """In each conversation, and for another entry another one."""
    found = {}
    for number, (conv, user) in enumerate([("c-1", "u-1"), ("c-2", "u-1"), ("c-3", "u-2")], 1):
        driver.accept(f"m-{number}", conv=conv, user=user)
        turn = driver.claim(f"k{number}", conv=conv).turn
        assert turn is not None
        found[conv] = (turn.person, turn.epoch)
    assert found["c-1"] == found["c-2"] == ("per-k1", "0")
    assert found["c-3"] == ("per-k3", "0")


def parked(driver: MailboxDriver, *, replied: bool) -> TurnHolder:
    """A turn of two texts with a step that an operator finds parked, with its reply or without one."""
    driver.accept("m-1")
    driver.accept("m-2")
    who = holder(claimed(driver, "k1"), "k1")
    stored(driver, who, "answer:1", {"says": "first"})
    if replied:
        driver.store("k1", attempt="a1")
        driver.outcome("k1", "a1", "refused")
    driver.park("k1")
    assert [driver.state(name) for name in ("m-1", "m-2")] == ["parked(test)", "parked(test)"]
    return who


@pytest.mark.parametrize("replied", [False, True])
def test_a_retry_brings_back_the_whole_turn_with_its_id_its_steps_and_its_reply(driver: MailboxDriver, replied: bool) -> None:
    """Once, behind what came meanwhile; as a turn of its own that nothing joins."""
    who = parked(driver, replied=replied)
    driver.accept("m-3")
    assert driver.run(calls.retry("m-2", "o-1")).outcome == "done"
    assert driver.run(calls.retry("m-1", "o-2")).outcome == "not_parked"
    driver.accept("m-4")
    assert driver.inbox() == ["m-3", "m-1", "m-2", "m-4"]
    first = claimed(driver, "k2").turn
    assert first is not None
    assert ([message.id for message in first.messages], first.steps) == (["m-3"], {})
    driver.finish("k2")
    found = claimed(driver, "k3")
    assert found.turn is not None
    assert (found.turn.id, [message.id for message in found.turn.messages]) == (who.turn, ["m-1", "m-2"])
    assert {name: json.loads(entry) for name, entry in found.turn.steps.items()} == {"answer:1": {"says": "first"}}
    assert (found.reserved, found.turn.messages[0].errors, found.turn.reply is not None) == (0, 0, replied)
    if replied:
        assert driver.sending("k3", "a2", turn="k1").outcome == "ok"
    else:
        assert stored(driver, holder(found, "k3"), "answer:2", {}).outcome == "ok"
    driver.finish("k3")
    assert [driver.state(name) for name in ("m-1", "m-2", "m-4")] == ["answered", "answered", "pending"]
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


def test_a_reply_that_may_have_been_sent_is_sent_once_more_at_the_operator_s_word_and_marked(driver: MailboxDriver) -> None:
    """However often it was not found before."""
    driver.accept("m-1")
    who = holder(claimed(driver, "k1"), "k1")
    stored(driver, who, "answer:1", {})
    driver.store("k1")
    for number in range(4):
        if driver.sending("k1", f"a{number}").outcome != "ok":
            break
        driver.absent("k1", f"a{number}")
    assert driver.sending("k1", "a9").outcome == "unknown"
    driver.park("k1", looked_up=True)
    driver.run(calls.retry("m-1", "o-1"))
    claimed(driver, "k2")
    assert driver.sending("k2", "b1", turn="k1").outcome == "ok"
    assert driver.reply("k1").maybe_duplicate


def test_a_parked_turn_keeps_its_steps_until_nobody_can_bring_it_back(driver: MailboxDriver) -> None:
    """They hold what was said, and go with its last message."""
    who = parked(driver, replied=False)
    for name in ("m-1", "m-2"):
        assert driver.redis.exists(f"boss:steps:{who.turn}")
        driver.run(calls.discard(name, f"o-{name}", retention_ms=RETENTION))
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


def test_the_steps_of_a_parked_turn_go_when_its_reply_turns_out_to_have_been_sent(driver: MailboxDriver) -> None:
    """A report that comes late answers the message after all."""
    driver.accept("m-1")
    who = holder(claimed(driver, "k1"), "k1")
    stored(driver, who, "answer:1", {})
    driver.store("k1", attempt="a1")
    driver.park("k1", looked_up=True)
    assert driver.redis.exists(f"boss:steps:{who.turn}")
    driver.outcome("k1", "a1", "accepted", "SM1")
    assert driver.state("m-1") == "answered"
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


def test_the_steps_of_a_parked_turn_are_erased_with_it(driver: MailboxDriver) -> None:
    """As those of one that is under way."""
    who = parked(driver, replied=False)
    driver.run(calls.erase(C, [who.turn, "m-1", "m-2"]))
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


def test_a_turn_that_has_done_nothing_and_cannot_go_on_is_formed_anew(driver: MailboxDriver) -> None:
    """Under another id, without its steps."""
    who = begun(driver)
    driver.run(calls.backoff(C, "k1", 0, "not_resumable", counted=True, anew=True))
    found = claimed(driver, "k2").turn
    assert found is not None
    assert ([message.id for message in found.messages], found.steps) == (["m-1"], {})
    assert found.id != who.turn
    assert not driver.redis.exists(f"boss:steps:{who.turn}")


@pytest.mark.parametrize("by", ["text", "operator"])
def test_what_was_done_for_who_opted_out_is_the_first_thing_after_their_start(driver: MailboxDriver, by: str) -> None:
    """Before what they wrote meanwhile, once; and not where the turn has done nothing."""
    for number, receipts in ((1, 1), (2, 0)):
        driver.accept(f"m-{number}")
        who = holder(claimed(driver, f"k{number}"), f"k{number}")
        stored(driver, who, "answer:1", {})
        driver.run_opt_out(PAIR)
        found = driver.store(f"k{number}", attempt=f"a{number}", figures={"receipts": receipts} if receipts else {})
        assert found.permit is not None
        assert found.permit.outcome == "opted_out"
        if by == "text":
            driver.accept(f"m-start-{number}", keyword="start")
        else:
            driver.run(calls.opt_out(PAIR, out=False))
        assert driver.priority() == ([f"n-owed-k{number}"] if receipts else [])
        driver.accept(f"m-later-{number}")
        later = claimed(driver, f"later-{number}").turn
        assert later is not None
        (message,) = later.messages
        told = (message.notice, message.rest) == ("owed", f"r-k{number}")
        assert told is bool(receipts)
        driver.finish(f"later-{number}")
        if receipts:
            again = claimed(driver, f"again-{number}").turn
            assert again is not None
            assert [each.id for each in again.messages] == [f"m-later-{number}"]
            driver.finish(f"again-{number}")


def test_what_was_done_for_who_was_erased_is_told_to_nobody(driver: MailboxDriver) -> None:
    """Its receipts hold their words."""
    driver.accept("m-1")
    who = holder(claimed(driver, "k1"), "k1")
    stored(driver, who, "answer:1", {})
    driver.run_opt_out(PAIR)
    driver.store("k1", attempt="a1", figures={"receipts": 1})
    driver.run(calls.erase(C, [who.turn, "m-1", "r-k1"]))
    driver.accept("m-start", keyword="start")
    assert not driver.redis.keys("boss:owed:*")
    assert not driver.redis.keys("boss:priority:*")
