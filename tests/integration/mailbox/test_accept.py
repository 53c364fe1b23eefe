"""What the mailbox takes in: once, in order, judged at the door."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import MailboxDriver


def test_a_first_message_makes_its_conversation_due(driver: MailboxDriver) -> None:
    """After the settling time, or, without one, after the second in which its own job should have run."""
    assert driver.accept("m-1", settle=500).outcome == "accepted"
    assert (driver.due(), driver.not_before()) == (500, 500)
    driver.accept("m-2", conv="c-2")
    assert driver.due("c-2") == 1_000
    assert driver.inbox() == ["m-1"]
    assert [line["msg"] for line in driver.lines("sms_received")] == ["m-1", "m-2"]


def test_a_known_id_changes_nothing(driver: MailboxDriver) -> None:
    """However often it is delivered: while it waits, in its turn, and after it was answered."""
    driver.accept("m-1", settle=500)
    for act in (lambda: None, lambda: driver.taken("k1"), lambda: driver.finish("k1")):
        driver.advance(600)
        act()
        before = driver.redis.hgetall("boss:msg:m-1"), driver.due(), driver.not_before(), driver.inbox()
        assert driver.accept("m-1", settle=500).outcome == "duplicate"
        assert (driver.redis.hgetall("boss:msg:m-1"), driver.due(), driver.not_before(), driver.inbox()) == before


def test_an_id_is_remembered_longer_than_its_record(driver: MailboxDriver) -> None:
    """The record expires with the retention, the dedupe mark after the provider's last retry."""
    driver.accept("m-1")
    driver.redis.delete("boss:msg:m-1")
    assert driver.accept("m-1").outcome == "duplicate"
    driver.redis.delete("boss:seen:m-1")
    assert driver.accept("m-1").outcome == "accepted"


def test_a_user_s_text_is_known_beyond_a_year_and_its_record_no_longer_than_before(driver: MailboxDriver) -> None:
    """A captured webhook can be posted again for as long as the Auth Token lives. What is ignored is remembered for a month, as a whole."""
    day = calls.DAY_MS
    driver.accept("m-1")
    driver.accept("m-2", keyword="stop")
    driver.run(calls.ignore("m-3", "sms", "stranger"))
    driver.accept("m-4", kind="mail")
    lives = {name: int(cast("Any", driver.redis.pttl(f"boss:seen:{name}"))) / day for name in ("m-1", "m-2", "m-3", "m-4")}
    assert [round(lives[name]) for name in ("m-1", "m-2", "m-3", "m-4")] == [400, 400, 30, 7]
    assert [round(int(cast("Any", driver.redis.pttl(f"boss:msg:{name}"))) / day) for name in ("m-2", "m-3")] == [30, 30]


def test_what_was_brought_back_says_so_in_its_line(driver: MailboxDriver) -> None:
    """Taken or ignored; what a webhook brings has no such word."""
    driver.accept("m-1", via="reconciler")
    driver.accept("m-2", via="reconciler", keyword="stop")
    driver.run(calls.ignore("m-3", "sms", "stranger", via="reconciler"))
    driver.accept("m-4", conv="c-2", kind="bridge")
    lines = [*driver.lines("sms_received"), *driver.lines("ignored")]
    assert [(line["msg"], line.get("via")) for line in lines] == [
        ("m-1", "reconciler"),
        ("m-4", None),
        ("m-2", "reconciler"),
        ("m-3", "reconciler"),
    ]


def test_a_message_that_may_have_been_answered_marks_its_reply(driver: MailboxDriver) -> None:
    """Its reply may be the second one; another's in a later turn is not."""
    driver.accept("m-1", maybe_duplicate=True)
    driver.accept("m-2", kind="mail")
    driver.taken("k1")
    driver.store("k1")
    driver.finish("k1")
    driver.taken("k2")
    driver.store("k2")
    assert [driver.reply(turn).maybe_duplicate for turn in ("k1", "k2")] == [True, False]
    assert [line.get("maybe_duplicate") for line in driver.lines("sms_received")] == ["1"]


def test_a_known_id_that_comes_again_as_a_copy_marks_nothing(driver: MailboxDriver) -> None:
    """The webhook was sooner: nothing of its message changes."""
    driver.accept("m-1")
    assert driver.accept("m-1", maybe_duplicate=True, via="reconciler").outcome == "duplicate"
    driver.taken("k1")
    driver.store("k1")
    assert not driver.reply("k1").maybe_duplicate


def test_a_run_of_the_reconciler_is_told_once_and_only_when_it_brought_something(driver: MailboxDriver) -> None:
    """However often the call is repeated; a trouble that lasts is one line."""

    def run(name: str, failure: str = "", accepted: int = 0) -> str:
        figures = {"numbers": 1, "listed": 3, "accepted": accepted, "ignored": 0, "marked": 0, "unread": 0}
        return [driver.run(calls.reconciled(name, failure, **figures)) for _ in range(2)][-1]

    assert [run("1"), run("2", accepted=2), run("3", "twilio_20429"), run("4", "twilio_20429"), run("5"), run("6")] == [
        "", "", "", "twilio_20429", "twilio_20429", "",
    ]  # fmt: skip
    assert [line["accepted"] for line in driver.lines("reconciled")] == ["2"]
    assert [line["reason"] for line in driver.lines("reconcile_failed")] == ["twilio_20429"]
    assert driver.redis.hmget("boss:reconcile", "run", "found", "failure") == [b"6", b"2", b""]


@pytest.mark.parametrize("busy", ["lease", "backoff"])
def test_a_message_behind_others_touches_neither_due_nor_not_before(driver: MailboxDriver, busy: str) -> None:
    """Neither a lease nor a backoff is shortened, or lengthened, by whoever keeps writing."""
    driver.accept("m-1")
    driver.taken("k1")
    if busy == "backoff":
        driver.backoff("k1", 45_000)
    before = driver.due(), driver.not_before()
    driver.accept("m-2", settle=500)
    assert (driver.due(), driver.not_before()) == before
    assert driver.inbox() == ["m-1", "m-2"]


def test_an_opted_out_pair_is_recorded_and_not_answered(driver: MailboxDriver) -> None:
    """STOP and what follows it until START: with its reason, without its text."""
    assert driver.accept("m-1", keyword="stop").reason == "opt_out"
    assert driver.accept("m-2").reason == "opted_out"
    assert driver.accept("m-3", keyword="start").reason == "opt_in"
    assert driver.accept("m-4").outcome == "accepted"
    assert driver.state("m-2") == "ignored(opted_out)"
    assert driver.inbox() == ["m-4"]
    assert "hello" not in repr([driver.redis.hgetall(f"boss:msg:m-{n}") for n in (1, 2, 3)])
    assert [line["reason"] for line in driver.lines("ignored")] == ["opt_out", "opted_out", "opt_in"]


def test_a_yes_opts_in_only_after_a_stop(driver: MailboxDriver) -> None:
    """Twilio takes YES for START; to anybody else it is an answer."""
    assert driver.accept("m-1", keyword="yes").outcome == "accepted"
    driver.accept("m-2", keyword="stop")
    assert driver.accept("m-3", keyword="yes").reason == "opt_in"


def test_a_repeated_stop_does_not_undo_a_later_start(driver: MailboxDriver) -> None:
    """Words are judged after the deduplication."""
    driver.accept("m-1", keyword="stop")
    driver.accept("m-2", keyword="start")
    assert driver.accept("m-1", keyword="stop").outcome == "duplicate"
    assert driver.accept("m-3").outcome == "accepted"


def test_a_sender_over_its_rate_is_told_once_and_then_ignored(driver: MailboxDriver) -> None:
    """One plain sentence an hour; messages that join a waiting turn are free."""
    for number in range(3):
        assert driver.accept(f"m-{number}", kind="mail", limit=3).outcome == "accepted"
    assert driver.accept("m-3", kind="mail", limit=3).reason == "rate_limited"
    assert driver.accept("m-4", kind="mail", limit=3).reason == "rate_limited"
    assert driver.inbox() == ["m-0", "m-1", "m-2", "n-3"]
    notice = driver.box.message("n-3")
    assert notice is not None
    assert (notice.kind, notice.notice) == ("notice", "rate_limited")
    driver.advance(3_600_001)
    assert driver.accept("m-5", kind="mail", limit=3).outcome == "accepted"


def test_texts_that_join_a_waiting_turn_use_up_no_rate(driver: MailboxDriver) -> None:
    """Turns are counted, not texts."""
    for number in range(10):
        assert driver.accept(f"m-{number}", limit=1).outcome == "accepted"
    assert len(driver.taken("k1")) == 10
    assert driver.accept("m-10", limit=1).reason == "rate_limited"


def test_a_bridge_message_is_taken_from_somebody_who_opted_out_of_texts(driver: MailboxDriver) -> None:
    """Its answer goes to a local program: nothing reaches the phone that said STOP."""
    driver.accept("m-1", keyword="stop")
    assert driver.accept("m-2", kind="bridge").outcome == "accepted"
    assert driver.inbox() == ["m-2"]


def test_a_bridge_message_over_the_rate_causes_no_text_to_anybody(driver: MailboxDriver) -> None:
    """It counts like others, and the bridge itself says what is the matter."""
    assert driver.accept("m-1", kind="bridge", limit=1).outcome == "accepted"
    assert driver.accept("m-2", kind="bridge", limit=1).reason == "rate_limited"
    assert driver.inbox() == ["m-1"]


def test_a_message_is_accepted_in_a_pause_and_does_not_age(driver: MailboxDriver) -> None:
    """A pause is ours, not the user's: nothing is parked for it."""
    driver.accept("m-1")
    driver.advance(1_000)
    driver.run(calls.pause("test"))
    driver.advance(7_200_000)
    assert driver.accept("m-2").outcome == "accepted"
    assert driver.claim("k1").outcome == "paused"
    driver.advance(1_000)
    driver.run(calls.resume())
    driver.advance(100)
    found = driver.claim("k2")
    assert found.turn is not None
    assert [message.age_ms for message in found.turn.messages] == [1_100, 100]
