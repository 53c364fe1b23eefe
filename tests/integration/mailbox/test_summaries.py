"""Summaries: which conversations are handed out, what is read, and what is stored under which version, chat and epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from shared.mailbox import calls
from shared.mailbox.calls import Dearest, SummarySource
from shared.mailbox.records import Summary
from supervisor_worker.assistant.history import SUMMARY_NOTES
from tests.integration.mailbox.test_history import say, turn
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION

QUIET, HOLD = 5_000, 20_000
NOTES = Summary("Ada likes tea.", until=7)


def handed_out(driver: MailboxDriver, places: int = 2) -> list[str]:
    """What one tick gives its caller."""
    swept = driver.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE, summaries=places, hold_ms=HOLD, quiet_ms=QUIET))
    return [*swept.summaries]


def read(driver: MailboxDriver) -> SummarySource:
    """What a summary would be made of."""
    found = driver.run(calls.summary_source(C, most_bytes=1_000_000))
    assert found is not None
    return found


def stored(
    driver: MailboxDriver, source: SummarySource, begins_with: str = "m:m-3", *, name: str = "q-s1", more: bool = False
) -> str:  # fmt: skip
    """What becomes of the notes."""
    call = calls.store_summary(source, name, NOTES, begins_with=begins_with, more=more, retention_ms=RETENTION)
    return driver.run(call)


def long_chat(driver: MailboxDriver, count: int = 13) -> None:
    """So many exchanges; the last turn says that a summary is wanted."""
    for number in range(1, count):
        turn(driver, number)
    turn(driver, count, wanted=True)


def test_a_conversation_is_handed_out_when_nothing_was_said_for_a_while_to_one_at_a_time(driver: MailboxDriver) -> None:
    """And again when its time is over: whoever had it may have died."""
    long_chat(driver)
    assert handed_out(driver) == []
    driver.advance(QUIET - 1)
    turn(driver, 14)
    driver.advance(QUIET - 1)
    assert handed_out(driver) == []
    driver.advance(2)
    assert (handed_out(driver, 0), handed_out(driver), handed_out(driver)) == ([], [C], [])
    driver.advance(HOLD)
    assert handed_out(driver) == [C]


def test_a_conversation_that_never_rests_is_handed_out_all_the_same(driver: MailboxDriver) -> None:
    """After six times as long; else it would outgrow its bound for ever."""
    long_chat(driver)
    for number in range(14, 22):
        driver.advance(QUIET - 1)
        if found := handed_out(driver):
            assert (found, number) == ([C], 20)
            return
        turn(driver, number)
    raise AssertionError("it was never handed out")


def test_a_summary_is_made_of_all_but_the_newest_ten_exchanges(driver: MailboxDriver) -> None:
    """An exchange is an answer with what it answers."""
    long_chat(driver)
    driver.accept("m-14", says="x")
    source = read(driver)
    names = [line.id for line in source.lines]
    assert names == [name for number in range(1, 14) for name in (f"m-{number}", f"r-k{number}")]
    assert names[: source.eligible] == ["m-1", "r-k1", "m-2", "r-k2", "m-3", "r-k3"]
    assert (source.whole, source.user, source.epoch) == (True, "u-1", "0")
    bounded = driver.run(calls.summary_source(C, most_bytes=1))
    assert bounded is not None
    assert ([line.id for line in bounded.lines], bounded.whole) == (["m-1"], False)


def test_a_stored_summary_stands_before_a_history_that_begins_behind_it(driver: MailboxDriver) -> None:
    """Once; the next one is made of what is in none."""
    long_chat(driver)
    driver.advance(QUIET)
    assert handed_out(driver) == [C]
    source = read(driver)
    assert [stored(driver, source), stored(driver, source), stored(driver, source, name="q-s2")] == ["ok", "ok", "stale"]
    driver.advance(HOLD)
    assert handed_out(driver) == []
    found = turn(driver, 14)
    assert [found.history[0].id, found.beginning.summary, found.beginning.version] == ["m-3", NOTES, 1]
    again = turn(driver, 15, wanted=True)
    assert again.beginning.wanted is False
    source = read(driver)
    assert (source.lines[0].id, source.beginning.summary) == ("m-3", NOTES)
    assert stored(driver, source, "m:m-5", name="q-s3", more=True) == "ok"
    driver.advance(QUIET)
    assert handed_out(driver) == [C]


def test_a_history_that_begins_later_already_is_not_brought_back(driver: MailboxDriver) -> None:
    """It had outgrown its bound by half before; what it left behind is summarised bit by bit."""
    long_chat(driver)
    turn(driver, 14, "m:m-12")
    assert stored(driver, read(driver)) == "ok"
    found = turn(driver, 15)
    assert (found.history[0].id, found.beginning.summary) == ("m-12", NOTES)
    assert read(driver).lines[0].id == "m-3"


def test_notes_of_what_was_left_or_moved_meanwhile_are_refused(driver: MailboxDriver) -> None:
    """For a new chat, a later beginning, or another user; and taken when the chat is taken up again."""
    long_chat(driver)
    source = read(driver)
    assert stored(driver, replace(source, user="u-2")) == "stale"
    say(driver, "m-14", "new")
    assert stored(driver, source) == "gone"
    turn(driver, 15, wanted=True)
    assert stored(driver, source) == "stale"
    say(driver, "m-16", "back")
    turn(driver, 17, "m:m-2")
    assert stored(driver, source) == "stale"
    assert stored(driver, read(driver)) == "ok"


def test_notes_of_what_was_erased_meanwhile_are_refused(driver: MailboxDriver) -> None:
    """By the person's epoch, which the erasure raises first, and by the record, which goes with what was said."""
    long_chat(driver)
    source = read(driver)
    driver.run(calls.erase_begin("u-1"))
    assert stored(driver, source) == "erased"
    fresh = read(driver)
    driver.run(calls.erase(C, ["m-1"]))
    assert (stored(driver, fresh), handed_out(driver)) == ("gone", [])


def test_what_failed_is_tried_again_twice_as_late_each_time(driver: MailboxDriver) -> None:
    """What there is stays; what is not needed is not tried again, and what a process gives back is anybody's."""
    long_chat(driver)
    waits = []
    for _ in range(3):
        driver.run(calls.put_off_summary(C, "failed", wait_ms=1_000))
        waits.append(int(cast("float", driver.redis.zscore("boss:summaries", C))) - driver.now)
    assert waits == [1_000, 2_000, 4_000]
    driver.advance(QUIET)
    driver.run(calls.put_off_summary(C, "shutdown", wait_ms=0))
    assert handed_out(driver) == [C]
    driver.run(calls.put_off_summary(C, "nothing"))
    driver.advance(HOLD)
    assert handed_out(driver) == []
    assert turn(driver, 14).beginning.wanted is False


def test_nothing_is_made_for_who_wants_nothing_nor_in_a_pause(driver: MailboxDriver) -> None:
    """An opt-out ends it, a pause puts it off."""
    long_chat(driver)
    driver.run(calls.pause("test"))
    assert driver.run(calls.summary_source(C, most_bytes=1_000)) is None
    assert driver.redis.zscore("boss:summaries", C) == driver.now + 60_000
    driver.run(calls.resume())
    driver.run_opt_out("p-1")
    assert driver.run(calls.summary_source(C, most_bytes=1_000)) is None
    assert driver.redis.zscore("boss:summaries", C) is None


def test_a_time_that_was_set_before_the_clock_stepped_back_is_none(driver: MailboxDriver) -> None:
    """It lies further ahead than any wait."""
    long_chat(driver)
    driver.advance(-24 * 3_600_000)
    assert handed_out(driver) == [C]


def test_what_was_erased_needs_no_summary_any_more(driver: MailboxDriver) -> None:
    """Nor what a new chat has left: it is not looked at for ever."""
    long_chat(driver)
    driver.redis.delete(f"boss:summary:{C}")
    driver.advance(QUIET)
    assert handed_out(driver) == []
    assert driver.redis.zscore("boss:summaries", C) is None


def test_a_turn_that_wants_no_summary_asks_for_none(driver: MailboxDriver) -> None:
    """Where they are off; and a question knows whether one is on its way."""
    turn(driver, 1)
    turn(driver, 2, "r:r-k1")
    assert turn(driver, 3).beginning.wanted is False
    assert driver.redis.zscore("boss:summaries", C) is None
    turn(driver, 4, wanted=True)
    assert turn(driver, 5).beginning.wanted is True


def test_a_summary_is_reserved_for_with_what_was_said(driver: MailboxDriver) -> None:
    """Two of its bytes are a token, and so are two of our notes around it."""
    long_chat(driver)
    figures = Dearest(fixed=100, history=1_000_000, text=0)
    driver.accept("m-14")
    without = driver.claim("k14", dearest=figures).reserved
    driver.backoff("k14", 0)
    driver.redis.hset(f"boss:summary:{C}", "text", "n" * 1_000)
    assert driver.claim("k15", dearest=figures).reserved == without + (1_000 + SUMMARY_NOTES) // 2
