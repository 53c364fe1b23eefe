"""What answering costs: reserved before the question, settled once with what it used, and a share of the day for each sender."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import DAY_MS, NO_MODEL_CALL, Dearest, Settled
from shared.mailbox.records import Message
from shared.model.extracts import Extracts
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, LIFE

CALL = Settled("q-k1", 30, "bad")


def used(driver: MailboxDriver, turn: str, tokens: int) -> None:
    """One message, asked about and answered for so many tokens; 100 were reserved."""
    driver.accept(f"m-{turn}")
    assert driver.claim(turn, amount=100).outcome == "taken"
    driver.store(turn, tokens=tokens)
    driver.finish(turn)


def test_a_question_is_reserved_by_its_claim_and_settled_by_its_reply(driver: MailboxDriver) -> None:
    """Of all and of its sender; a repeat of either costs nothing more."""
    driver.accept("m-1")
    for _ in range(2):
        assert driver.claim("k1", amount=100).reserved == 100
        assert driver.spent() == {"reserved": 100, "reserved:s-1": 100, "open": 1}
    for _ in range(2):
        driver.store("k1", tokens=60)
        assert driver.spent() == {"tokens": 60, "tokens:s-1": 60, "calls": 1, "turns": 1}


def test_what_a_question_may_use_is_reckoned_from_what_it_will_show(driver: MailboxDriver) -> None:
    """Texts by their bytes, cut where the question cuts them; the history, up to its bound; pictures at their largest."""
    dearest = Dearest(fixed=1_000, history=10_000, text=50_000, picture=500, pictures=2)
    driver.accept("m-1")
    event = len(driver.redis.hget("boss:msg:m-1", "event") or b"")
    assert driver.claim("k1", dearest=dearest).reserved == 1_000 + -(-event // 2)
    driver.store("k1", "x" * 100)
    driver.finish("k1")
    command = len(driver.redis.hget("boss:reply:r-k1", "command") or b"")
    driver.accept("m-2")
    assert driver.claim("k2", dearest=dearest).reserved == 1_000 + -(-(2 * event + command) // 2)
    driver.backoff("k2", 0)
    assert driver.claim("k3", dearest=Dearest(fixed=1_000, history=50, text=70)).reserved == 1_000 + (50 + 70) // 2
    driver.backoff("k3", 0)
    shown = '{"message":"\\"media\\":[\\"x\\"]","media":["ME1 image/png","ME2 image/png","ME3 "],"signed":true}'
    driver.redis.hset("boss:msg:m-2", "event", shown)
    assert driver.claim("k4", dearest=Dearest(fixed=1_000, picture=500, pictures=9)).reserved == 2_500
    driver.backoff("k4", 0)
    assert driver.claim("k5", dearest=Dearest(fixed=1_000, picture=500, pictures=2)).reserved == 2_000
    token = "k5"
    for shown, reserved in (('{"body":"\\"files\\":[\\"x\\"]","files":[]}', 1_000), ('{"files":["- 0 slow - a.txt"]}', 1_300)):
        driver.backoff(token, 0)
        driver.redis.hset("boss:msg:m-2", "event", shown)
        token = f"k6-{reserved}"
        assert driver.claim(token, dearest=Dearest(fixed=1_000, files=600)).reserved == reserved


def test_what_was_read_in_files_counts_as_what_was_said_before(driver: MailboxDriver) -> None:
    """A later question shows it."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.run(calls.keep_read(C, "k1", "m-1", Extracts.of([("a.txt", "x" * 400)])))
    driver.store("k1", "y")
    driver.finish("k1")
    read, event = (len(driver.redis.hget("boss:msg:m-1", name) or b"") for name in ("read", "event"))
    command = len(driver.redis.hget("boss:reply:r-k1", "command") or b"")
    driver.accept("m-2")
    found = driver.claim("k2", dearest=Dearest(fixed=0, history=100_000, text=0))
    assert found.reserved == -(-(read + event + command) // 2)
    assert found.turn is not None
    assert [dict(said.extracts) for said in found.turn.history if isinstance(said, Message)] == [{"a.txt": "x" * 400}]


def test_what_is_spent_and_reserved_together_never_passes_the_day_s_bound(driver: MailboxDriver) -> None:
    """What others may still leave of theirs is waited for, and nobody is told that it is tomorrow's."""
    driver.accept("m-1")
    assert driver.claim("k1", amount=600, day_tokens=1_000).outcome == "taken"
    driver.accept("m-2", conv="c-2")
    assert driver.claim("k2", conv="c-2", amount=500, day_tokens=1_000).outcome == "reserved"
    assert 0 < (driver.due("c-2") or 0) <= LEASE // 20, "it is looked at again soon"
    driver.store("k1", tokens=100)
    assert driver.claim("k3", conv="c-2", amount=500, day_tokens=1_000).outcome == "taken"
    assert driver.lines("notice") == []


def test_when_the_day_s_tokens_are_used_up_nothing_more_is_thought_about(driver: MailboxDriver) -> None:
    """Messages are still taken in and wait; the alarm is one line; the sender is told once; the next day goes on by itself."""
    used(driver, "k1", 900)
    used(driver, "k2", 50)
    driver.accept("m-3")
    assert driver.claim("k3", amount=100, day_tokens=1_000).outcome == "spend_stop"
    assert driver.due() == 0, "who is to be told is told at once"
    assert driver.taken_notice("k4", amount=100, day_tokens=1_000) == "waits_day"
    driver.store("k4")
    driver.finish("k4")
    assert [driver.claim(f"k{number}", amount=100, day_tokens=1_000).outcome for number in (5, 6)] == ["spent", "spent"]
    assert driver.lines("spend_stop") == [{"v": "1", "tokens": "950", "turns": "2"}]
    assert driver.inbox() == ["m-3"]
    assert 0 < (driver.due() or 0) <= LEASE, "somebody looks again"
    driver.advance(DAY_MS)
    assert driver.claim("k7", amount=100, day_tokens=1_000).outcome == "taken"


def test_turns_have_a_bound_for_the_day_as_well(driver: MailboxDriver) -> None:
    """Texts cost money too. A turn under way counts, what asks no model does not."""
    used(driver, "k1", 0)
    driver.accept("m-2")
    assert driver.claim("k2", day_turns=2).outcome == "taken"
    driver.accept("m-x", conv="c-2")
    assert driver.claim("k3", conv="c-2", day_turns=2).outcome == "reserved"
    driver.store("k2")
    driver.finish("k2")
    assert driver.claim("k4", conv="c-2", day_turns=2).outcome == "spend_stop"
    assert driver.claim("k5", conv="c-2", day_turns=3).outcome == "taken", "a higher bound lets it go on"


def test_a_reply_that_is_paid_for_goes_out_although_the_day_is_used_up(driver: MailboxDriver) -> None:
    """It costs no tokens any more, and reserves none."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1", tokens=5_000)
    driver.backoff("k1", 0)
    driver.advance(1)
    found = driver.claim("k2", amount=100, day_tokens=1_000)
    assert (found.outcome, found.reserved) == ("taken", 0)
    assert found.turn is not None
    assert found.turn.reply is not None


def test_an_answer_costs_whatever_became_of_it(driver: MailboxDriver) -> None:
    """One that could not be used, one that nobody read, one for which nobody waited any more: each once."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    for _ in range(2):
        driver.backoff("k1", 0, settled=CALL)
        assert driver.spent() == {"tokens": 30, "tokens:s-1": 30, "calls": 1, "failed": 1}
    driver.advance(1)
    driver.claim("k2", amount=100)
    driver.backoff("k2", 0, settled=Settled("q-k2", None, "bad"))
    assert driver.spent().get("tokens") == 130, "what nobody knows costs its whole amount"
    driver.advance(1)
    driver.claim("k3", amount=100)
    driver.backoff("k3", 0, settled=Settled("q-k3"))
    assert driver.spent() == {"tokens": 130, "tokens:s-1": 130, "calls": 2, "failed": 2}, "what was not asked costs nothing"
    driver.advance(1)
    driver.claim("k4", amount=100)
    driver.park("k4", settled=Settled("q-k4", 20, "bad"))
    assert (driver.spent().get("tokens"), driver.spent().get("failed")) == (150, 3)


@pytest.mark.parametrize("end", ["backoff", "park", "finish", "store"])
def test_a_holder_that_ends_its_turn_without_a_word_pays_the_whole_amount(driver: MailboxDriver, end: str) -> None:
    """Each of the scripts that end one; but for a holder that is none any more."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    getattr(driver, end)("k2", settled=NO_MODEL_CALL)
    assert driver.spent().get("reserved") == 100
    getattr(driver, end)("k1", settled=NO_MODEL_CALL)
    assert (driver.spent().get("reserved"), driver.spent().get("tokens")) == (None, 100)


def test_a_dead_holder_s_call_is_settled_at_its_amount_by_the_next_claim(driver: MailboxDriver) -> None:
    """Before it is judged whether there is room; what its answer says later takes the amount's place, in the same day."""
    driver.accept("m-1")
    driver.claim("k1", amount=600, day_tokens=1_000)
    driver.advance(LEASE + 1)
    assert driver.claim("k2", amount=300, day_tokens=1_000).outcome == "taken"
    assert driver.spent() == {"tokens": 600, "tokens:s-1": 600, "reserved": 300, "reserved:s-1": 300, "open": 1, "calls": 1, "failed": 1}
    driver.advance(DAY_MS)
    for _ in range(2):
        assert driver.store("k1", tokens=250).outcome == "lost"
    assert (driver.spent(-1).get("tokens"), driver.spent(-1).get("reserved")) == (250, 300)
    assert "tokens" not in driver.spent(), "it was yesterday's"


def test_a_dead_holder_s_call_is_settled_by_the_sweep_where_nobody_claims_any_more(driver: MailboxDriver) -> None:
    """Not before its lease has ended, however often that was renewed."""
    driver.accept("m-1", kind="bridge")
    driver.claim("k1", amount=100)
    driver.advance(LEASE - 1)
    driver.renew("k1")
    driver.advance(2)
    driver.sweep()
    assert driver.spent().get("reserved") == 100
    driver.advance(LEASE)
    driver.sweep()
    assert (driver.spent().get("reserved"), driver.spent().get("tokens"), driver.spent().get("failed")) == (None, 100, 1)
    assert not driver.redis.exists("boss:reserved")


def test_a_call_whose_lease_ended_in_a_gap_is_its_living_holder_s(driver: MailboxDriver) -> None:
    """Nobody could renew it; it is settled when its holder has had the time to."""
    driver.accept("m-1")
    driver.look()
    driver.advance(2 * LIFE)
    assert driver.claim("k1", amount=100, process="w-a", life=LIFE).outcome == "taken"
    driver.advance(LEASE + LIFE)
    driver.beat("w-a")
    driver.look()
    assert driver.spent().get("reserved") == 100
    driver.watch(2 * LIFE + LEASE // 2 + LIFE, "w-a")
    assert (driver.spent().get("reserved"), driver.spent().get("tokens")) == (None, 100)


def test_a_call_s_look_further_ahead_than_a_lease_comes_after_one(driver: MailboxDriver) -> None:
    """TIME has stepped back since its holder died."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.advance(-DAY_MS)
    driver.sweep()
    driver.advance(LEASE + 1)
    driver.sweep()
    assert not driver.redis.exists("boss:reserved")


def test_a_claim_that_waits_for_another_s_last_try_reserves_nothing(driver: MailboxDriver) -> None:
    """Nor does one whose sender has its share of turns."""
    for conv, message in (("c-1", "m-1"), ("c-2", "m-2")):
        driver.accept(message, conv=conv)
        driver.redis.hset(f"boss:msg:{message}", "lost", 5)
    assert driver.claim("k1", amount=100).outcome == "taken"
    assert driver.claim("k2", conv="c-2", amount=100).outcome == "alone"
    driver.accept("m-3", conv="c-3")
    assert driver.claim("k3", conv="c-3", amount=100, share=1).outcome == "busy"
    assert (driver.spent().get("reserved"), driver.redis.zcard("boss:reserved")) == (100, 1)


def test_a_call_that_is_lost_from_the_records_is_looked_for_once(driver: MailboxDriver) -> None:
    """Its record may have expired."""
    driver.redis.zadd("boss:reserved", {"q-gone": 1})
    driver.sweep()
    assert not driver.redis.exists("boss:reserved")


def test_one_more_question_extends_the_lease(driver: MailboxDriver) -> None:
    """A turn of many questions would outlive it; a repeat does so too, and a refusal."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    for amount in (10, 10, 1_000):
        driver.advance(LEASE - 1)
        driver.reserve("k1", f"q-{amount}", amount, settled=Settled("q-k1"), day_tokens=500)
        driver.advance(2)
        assert driver.claim("k2").outcome == "held"


def test_one_more_question_is_reserved_before_it_is_asked(driver: MailboxDriver) -> None:
    """It settles the one before; a repeat changes nothing; it is judged as a permit to send is."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    settled = Settled("q-k1", 40, "bad")
    for _ in range(2):
        assert driver.reserve("k1", "q-k1-2", 200, settled=settled, day_tokens=240) == "ok"
        assert driver.spent() == {"tokens": 40, "tokens:s-1": 40, "reserved": 200, "reserved:s-1": 200, "open": 1, "calls": 1, "failed": 1}
    second = Settled("q-k1-2", 150, "good")
    assert driver.reserve("k1", "q-k1-3", 200, settled=second, day_tokens=240) == "spent"
    assert driver.reserve("k1", "q-k1-3", 300, settled=second, day_tokens=240) == "dear"
    assert driver.reserve("k2", "q-k2-2", 10) == "lost"
    driver.pause()
    assert driver.reserve("k1", "q-k1-3", 10) == "paused"
    assert driver.reserve("k1", "q-k1-2", 200) == "ok", "a repeat gets the first answer"
    driver.resume()
    driver.accept("m-2", keyword="stop")
    assert driver.reserve("k1", "q-k1-3", 10) == "opted_out"
    assert driver.spent() == {"tokens": 190, "tokens:s-1": 190, "calls": 2, "failed": 1}


def test_a_late_repeat_of_a_reservation_reserves_nothing(driver: MailboxDriver) -> None:
    """Its call has been settled meanwhile."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.reserve("k1", "q-2", 200, settled=Settled("q-k1", 40, "bad"))
    driver.reserve("k1", "q-3", 300, settled=Settled("q-2", 50, "bad"))
    assert driver.reserve("k1", "q-2", 200, settled=Settled("q-k1", 40, "bad")) == "ok"
    assert (driver.spent().get("tokens"), driver.spent().get("reserved")) == (90, 300)


def test_a_bridge_message_goes_on_asking_for_a_user_who_wants_no_texts(driver: MailboxDriver) -> None:
    """It is answered over the bridge and nowhere else."""
    driver.accept("m-1", kind="bridge")
    driver.claim("k1", amount=100)
    driver.accept("m-2", keyword="stop")
    assert driver.reserve("k1", "q-2", 10) == "ok"


def test_a_sender_beyond_its_share_waits_alone_and_is_told_once(driver: MailboxDriver) -> None:
    """Others go on; the next day it goes on by itself, or at once with a higher share."""
    used(driver, "k1", 300)
    driver.accept("m-2")
    assert driver.taken_notice("k2", amount=100, day_tokens=1_000, sender_tokens=350) == "waits_share"
    driver.store("k2")
    driver.finish("k2")
    assert driver.claim("k3", amount=100, day_tokens=1_000, sender_tokens=350).outcome == "share"
    driver.accept("m-9", conv="c-9", sender="s-9", pair="p-9")
    assert driver.claim("k4", conv="c-9", amount=100, day_tokens=1_000, sender_tokens=350).outcome == "taken"
    assert driver.lines("spend_stop") == []
    assert driver.claim("k5", amount=100, day_tokens=1_000, sender_tokens=400).outcome == "taken"


def test_what_a_sender_has_reserved_counts_toward_its_share(driver: MailboxDriver) -> None:
    """Two conversations of one sender at once."""
    driver.accept("m-1")
    assert driver.claim("k1", amount=200, sender_tokens=350).outcome == "taken"
    driver.accept("m-2", conv="c-2")
    assert driver.claim("k2", conv="c-2", amount=200, sender_tokens=350).outcome == "reserved"


def test_a_sender_is_told_once_a_day_in_whichever_conversation(driver: MailboxDriver) -> None:
    """At the head of what waits, with when it goes on; not by a bridge's message, nor after an opt-out."""
    used(driver, "k1", 900)
    driver.redis.hset(f"boss:spent:{driver.now // DAY_MS}", "stopped_at", 1)
    tight: Any = {"amount": 200, "day_tokens": 1_000}
    driver.accept("m-0", kind="bridge", conv="c-0")
    assert driver.claim("k2", conv="c-0", **tight).outcome == "spent"
    driver.accept("m-2")
    driver.accept("m-3")
    notice = driver.claim("k3", **tight).turn
    assert notice is not None
    (said,) = notice.messages
    assert (said.kind, said.notice, said.id) == ("notice", "waits_day", driver.inbox()[0])
    assert datetime.fromtimestamp(said.until / 1000, UTC).time().isoformat() == "00:00:00"
    assert 0 < said.until - driver.now <= DAY_MS
    assert driver.claim("k3", **tight).turn == notice, "a repeat is the same"
    driver.store("k3")
    driver.finish("k3")
    assert driver.inbox() == ["m-2", "m-3"]
    driver.accept("m-4", conv="c-4")
    assert driver.claim("k4", conv="c-4", **tight).outcome == "spent"
    driver.accept("m-5", conv="c-5", sender="s-5", pair="p-5")
    driver.run_opt_out("p-5")
    assert driver.claim("k5", conv="c-5", **tight).outcome == "spent"
    assert DAY_MS < driver.ttl(f"boss:told:waits:{driver.now // DAY_MS}:s-1") <= 2 * DAY_MS


def test_what_asks_no_model_waits_for_no_day(driver: MailboxDriver) -> None:
    """A sentence of ours at the head goes out, and reserves nothing."""
    used(driver, "k0", 900)
    driver.accept("m-1")
    driver.taken("k1")
    driver.park("k1", notice="error")
    assert driver.taken_notice("k2", amount=200, day_tokens=1_000, day_turns=1) == "error"
    assert "reserved" not in driver.spent()


def test_what_waits_for_the_next_day_does_not_age(driver: MailboxDriver) -> None:
    """Each message from when it came, or from when the wait began; pauses count once; what came before the wait is as old as it was."""
    used(driver, "k1", 900)
    driver.redis.hset(f"boss:spent:{driver.now // DAY_MS}", "stopped_at", 1)
    driver.redis.set(f"boss:told:waits:{driver.now // DAY_MS}:s-1", 1)
    driver.accept("m-2")
    driver.advance(1_000)
    assert driver.claim("k2", amount=200, day_tokens=1_000).outcome == "spent"
    driver.advance(10_000)
    driver.accept("m-3")
    driver.pause()
    driver.advance(7_000)
    driver.resume()
    assert driver.claim("k3", amount=200, day_tokens=1_000).outcome == "spent"
    driver.advance(DAY_MS)
    turn = driver.claim("k4", amount=200, day_tokens=1_000, oldest=5_000).turn
    assert turn is not None
    assert [(message.id, message.age_ms) for message in turn.messages] == [("m-2", 1_000), ("m-3", 0)]
    driver.advance(500)
    driver.backoff("k4", 0)
    again = driver.claim("k5").turn
    assert again is not None
    assert [message.age_ms for message in again.messages] == [1_500, 500], "the wait is over"


def test_a_question_that_fits_into_no_day_is_taken_without_a_reservation(driver: MailboxDriver) -> None:
    """Its holder parks it; else it would hold up its conversation for ever. One that fits without its history is asked without it."""
    used(driver, "k1", 0)
    driver.accept("m-2")
    found = driver.claim("k2", dearest=Dearest(fixed=100, history=10_000, text=0), day_tokens=150)
    assert (found.outcome, found.reserved) == ("taken", 100)
    assert found.turn is not None
    assert found.turn.history == ()
    driver.backoff("k2", 0)
    driver.advance(1)
    found = driver.claim("k3", amount=200, day_tokens=150)
    assert (found.outcome, found.reserved) == ("taken", 0)
    driver.backoff("k3", 0)
    driver.advance(1)
    assert driver.claim("k4", amount=200, sender_tokens=150).reserved == 0
    driver.backoff("k4", 0)
    driver.advance(1)
    assert len(driver.claim("k5", amount=200).turn.history) == 2  # type: ignore[union-attr]


def test_a_turn_with_nothing_to_say_is_answered_without_a_reply(driver: MailboxDriver) -> None:
    """Remembered, counted, and no reply is in the history."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    for _ in range(2):
        assert driver.finish("k1", reason="nothing_to_say", settled=Settled("q-k1", 40, "bad")).outcome == "empty"
    assert driver.state("m-1") == "answered(nothing_to_say)"
    assert driver.spent() == {"tokens": 40, "tokens:s-1": 40, "calls": 1, "failed": 1, "turns": 1}
    driver.accept("m-2")
    turn = driver.claim("k2").turn
    assert turn is not None
    assert [entry.id for entry in turn.history] == ["m-1"]


def test_the_books_of_a_day_go_with_it(driver: MailboxDriver) -> None:
    """Kept for a day longer, for what is settled late."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    assert 0 < driver.ttl("boss:call:q-k1") <= 2 * DAY_MS
    assert 2 * DAY_MS < driver.ttl(f"boss:spent:{driver.now // DAY_MS}") <= 3 * DAY_MS
