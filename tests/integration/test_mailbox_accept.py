"""What the mailbox takes in: once, in order, judged at the door."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_desk import Desk


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


def test_a_user_s_text_is_known_beyond_a_year_and_its_record_no_longer_than_before(desk: Desk) -> None:
    """A captured webhook can be posted again for as long as the Auth Token lives. What is ignored is remembered for a month, as a whole."""
    day = calls.DAY_MS
    desk.accept("m-1")
    desk.accept("m-2", keyword="stop")
    desk.run(calls.ignore("m-3", "sms", "stranger"))
    desk.accept("m-4", kind="mail")
    lives = {name: int(cast("Any", desk.redis.pttl(f"boss:seen:{name}"))) / day for name in ("m-1", "m-2", "m-3", "m-4")}
    assert [round(lives[name]) for name in ("m-1", "m-2", "m-3", "m-4")] == [400, 400, 30, 7]
    assert [round(int(cast("Any", desk.redis.pttl(f"boss:msg:{name}"))) / day) for name in ("m-2", "m-3")] == [30, 30]


def test_what_was_brought_back_says_so_in_its_line(desk: Desk) -> None:
    """Taken or ignored; what a webhook brings has no such word."""
    desk.accept("m-1", via="reconciler")
    desk.accept("m-2", via="reconciler", keyword="stop")
    desk.run(calls.ignore("m-3", "sms", "stranger", via="reconciler"))
    desk.accept("m-4", conv="c-2", kind="bridge")
    lines = [*desk.lines("sms_received"), *desk.lines("ignored")]
    assert [(line["msg"], line.get("via")) for line in lines] == [
        ("m-1", "reconciler"),
        ("m-4", None),
        ("m-2", "reconciler"),
        ("m-3", "reconciler"),
    ]


def test_a_message_that_may_have_been_answered_marks_its_reply(desk: Desk) -> None:
    """Its reply may be the second one; another's in a later turn is not."""
    desk.accept("m-1", maybe_duplicate=True)
    desk.accept("m-2", kind="mail")
    desk.taken("k1")
    desk.store("k1")
    desk.finish("k1")
    desk.taken("k2")
    desk.store("k2")
    assert [desk.reply(turn).maybe_duplicate for turn in ("k1", "k2")] == [True, False]
    assert [line.get("maybe_duplicate") for line in desk.lines("sms_received")] == ["1"]


def test_a_known_id_that_comes_again_as_a_copy_marks_nothing(desk: Desk) -> None:
    """The webhook was sooner: nothing of its message changes."""
    desk.accept("m-1")
    assert desk.accept("m-1", maybe_duplicate=True, via="reconciler").outcome == "duplicate"
    desk.taken("k1")
    desk.store("k1")
    assert not desk.reply("k1").maybe_duplicate


def test_a_run_of_the_reconciler_is_told_once_and_only_when_it_brought_something(desk: Desk) -> None:
    """However often the call is repeated; a trouble that lasts is one line."""

    def run(name: str, failure: str = "", accepted: int = 0) -> str:
        figures = {"numbers": 1, "listed": 3, "accepted": accepted, "ignored": 0, "marked": 0, "unread": 0}
        return [desk.run(calls.reconciled(name, failure, **figures)) for _ in range(2)][-1]

    assert [run("1"), run("2", accepted=2), run("3", "twilio_20429"), run("4", "twilio_20429"), run("5"), run("6")] == [
        "", "", "", "twilio_20429", "twilio_20429", "",
    ]  # fmt: skip
    assert [line["accepted"] for line in desk.lines("reconciled")] == ["2"]
    assert [line["reason"] for line in desk.lines("reconcile_failed")] == ["twilio_20429"]
    assert desk.redis.hmget("boss:reconcile", "run", "found", "failure") == [b"6", b"2", b""]


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
    assert "hello" not in repr([desk.redis.hgetall(f"boss:msg:m-{n}") for n in (1, 2, 3)])
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


def test_a_bridge_message_is_taken_from_somebody_who_opted_out_of_texts(desk: Desk) -> None:
    """Its answer goes to a local program: nothing reaches the phone that said STOP."""
    desk.accept("m-1", keyword="stop")
    assert desk.accept("m-2", kind="bridge").outcome == "accepted"
    assert desk.inbox() == ["m-2"]


def test_a_bridge_message_over_the_rate_causes_no_text_to_anybody(desk: Desk) -> None:
    """It counts like others, and the bridge itself says what is the matter."""
    assert desk.accept("m-1", kind="bridge", limit=1).outcome == "accepted"
    assert desk.accept("m-2", kind="bridge", limit=1).reason == "rate_limited"
    assert desk.inbox() == ["m-1"]


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
