"""The operator, the old bridge, the agenda, and what all scripts have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from shared import mailbox
from shared.mailbox import Mailbox, calls
from shared.mailbox.call import Call
from shared.mailbox.client import answer, queue_call
from shared.mailbox.scripts import names, script
from shared.model.channels import CHANNELS
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, SEND, START
from tests.support.mailbox_workers import received


def test_a_retry_appends_at_the_tail_and_resets_age_and_counts(driver: MailboxDriver) -> None:
    """Others wrote meanwhile: they are first."""
    driver.accept("m-1", kind="mail")
    driver.taken("k1")
    driver.backoff("k1", 0, counted=True)
    driver.taken("k2")
    driver.park("k2")
    driver.advance(3_600_000)
    driver.accept("m-2", kind="mail")
    done = driver.run(calls.retry("m-1", "o-1"))
    assert (done.outcome, done.conversation, done.channel) == ("done", C, "email")
    assert driver.inbox() == ["m-2", "m-1"]
    assert driver.counts("m-1") == (0, 0)
    assert driver.box.recent(10, parked=True) == []
    driver.taken("k3")
    driver.finish("k3")
    driver.advance(1_000)
    found = driver.claim("k4")
    assert found.turn is not None
    assert [(message.id, message.age_ms) for message in found.turn.messages] == [("m-1", 1_000)]


def test_a_retry_into_an_empty_inbox_is_due_at_once(driver: MailboxDriver) -> None:
    """The parking frees the conversation."""
    driver.to_parked()
    driver.run(calls.retry("m-1", "o-1"))
    assert (driver.due(), driver.not_before()) == (1_000, 0)
    assert driver.taken("k2") == ["m-1"]


def test_a_repeated_retry_appends_once(driver: MailboxDriver) -> None:
    """Also after the message was parked again; another retry is another operation."""
    driver.to_parked()
    assert driver.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert driver.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert driver.inbox() == ["m-1"]
    assert driver.run(calls.retry("m-1", "o-2")).outcome == "not_parked"
    driver.taken("k2")
    driver.park("k2")
    assert driver.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert driver.inbox() == []
    assert driver.run(calls.retry("m-1", "o-3")).outcome == "done"
    assert driver.inbox() == ["m-1"]
    assert driver.run(calls.retry("m-9", "o-4")).outcome == "unknown"


@pytest.mark.parametrize("fate", ["", "absent"])
def test_a_retry_after_an_attempt_of_unknown_fate_is_marked(driver: MailboxDriver, fate: str) -> None:
    """The provider may have taken the first: the new reply may be a second copy."""
    driver.to_sending()
    if fate:
        driver.absent("k1", "a1")
    driver.park("k1", looked_up=True)
    driver.run(calls.retry("m-1", "o-1"))
    driver.taken("k2")
    driver.store("k2")
    assert driver.reply("k2").maybe_duplicate


def test_a_retry_after_a_refusal_is_not_marked(driver: MailboxDriver) -> None:
    """Nothing was taken."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused")
    driver.park("k1")
    driver.run(calls.retry("m-1", "o-1"))
    driver.taken("k2")
    driver.store("k2")
    assert not driver.reply("k2").maybe_duplicate


def test_a_late_yes_for_an_old_reply_does_not_touch_a_retried_message(driver: MailboxDriver) -> None:
    """It waits for its new answer, which is marked already."""
    driver.to_sending()
    driver.park("k1", looked_up=True)
    driver.run(calls.retry("m-1", "o-1"))
    driver.outcome("k1", "a1", "accepted", "SM1")
    assert driver.state("m-1") == "pending"
    assert driver.inbox() == ["m-1"]


def test_a_discarded_message_ends_as_ignored(driver: MailboxDriver) -> None:
    """Only a parked one, once; and its reply's text goes with it."""
    driver.to_sending()
    assert driver.run(calls.discard("m-1", "o-1", retention_ms=RETENTION)).outcome == "not_parked"
    driver.park("k1", looked_up=True)
    assert driver.redis.pttl("boss:reply:r-k1") == -1
    for _ in range(2):
        assert driver.run(calls.discard("m-1", "o-2", retention_ms=RETENTION)).outcome == "done"
    assert driver.state("m-1") == "ignored(discarded)"
    assert driver.box.recent(10, parked=True) == []
    assert 0 < int(driver.redis.pttl("boss:reply:r-k1")) <= RETENTION
    assert len(driver.lines("ignored")) == 1


def test_a_handed_over_message_leaves_the_inbox_and_the_agenda(driver: MailboxDriver) -> None:
    """An emptied conversation without a lease is nobody's business; a repeat says the same."""
    driver.accept("m-1", kind="bridge", settle=500)
    for _ in range(2):
        assert driver.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "handed_over"
    assert (driver.inbox(), driver.due()) == ([], None)
    assert driver.redis.hget(f"boss:conv:{C}", "not_before") == b"0"
    assert 0 < int(driver.redis.pttl("boss:msg:m-1")) <= RETENTION
    assert len(driver.lines("handed_over")) == 1


def test_a_message_whose_reply_is_stored_is_not_handed_over(driver: MailboxDriver) -> None:
    """The reply goes out."""
    driver.to_sending()
    assert driver.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "replied"
    assert driver.inbox() == ["m-1"]
    driver.outcome("k1", "a1", "accepted", "SM1")
    driver.finish("k1")
    assert driver.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "answered"


def test_a_hand_over_leaves_what_others_wait_for(driver: MailboxDriver) -> None:
    """One of two; the agenda stays."""
    driver.accept("m-1", kind="bridge")
    driver.accept("m-2")
    driver.run(calls.hand_over("m-1", retention_ms=RETENTION))
    assert (driver.inbox(), driver.due()) == (["m-2"], 1_000)


def test_the_sweep_takes_a_hundred_oldest_first_and_looks_again_later(driver: MailboxDriver) -> None:
    """In one step, so that two sweepers share the work."""
    for number in range(120):
        driver.redis.zadd("boss:due", {f"c-{number}": START + 1_000 - number})
    driver.redis.zadd("boss:due", {"c-later": START + 5_000})
    driver.advance(1_000)
    sweep = calls.sweep(recheck_ms=10_000)
    first, second = driver.run(sweep).due, driver.run(sweep).due
    assert [due.conversation for due in first] == [f"c-{number}" for number in range(119, 19, -1)]
    assert [due.conversation for due in second] == [f"c-{number}" for number in range(19, -1, -1)]
    assert driver.run(sweep).due == ()
    assert (driver.due("c-119"), driver.due("c-later")) == (1_000, 4_000)


@pytest.mark.parametrize(("oldest_wait", "later"), [(0, 1_000), (2_000, 4_000), (60_000, 10_000)])
def test_a_wake_up_that_its_sweeper_took_to_the_grave_is_made_good_when_its_mark_ends(
    driver: MailboxDriver, oldest_wait: int, later: int
) -> None:
    """Killed between the look and the enqueueing: on an idle server a second is lost, and never more than the recheck."""
    driver.accept("m-1")
    driver.redis.delete(f"boss:wake:{C}")
    driver.advance(1_000)
    assert len(driver.run(calls.sweep(recheck_ms=10_000, oldest_wait_ms=oldest_wait)).due) == 1
    assert driver.due() == later


def test_a_queued_wake_up_is_not_queued_again(driver: MailboxDriver) -> None:
    """Until its claim, or for twice the queue's oldest wait: a lost job costs time only."""
    driver.accept("m-1")
    driver.redis.delete(f"boss:wake:{C}")
    driver.advance(1_000)
    assert len(driver.run(calls.sweep(recheck_ms=10_000, oldest_wait_ms=20_000)).due) == 1
    assert 39_000 < int(driver.redis.pttl(f"boss:wake:{C}")) <= 40_000
    driver.advance(10_000)
    assert driver.run(calls.sweep(recheck_ms=10_000)).due == ()
    assert 0 < (driver.due() or 0) <= 10_000
    driver.redis.delete(f"boss:wake:{C}")
    driver.advance(10_000)
    assert len(driver.run(calls.sweep(recheck_ms=10_000)).due) == 1


def test_a_clock_that_is_wrong_by_hours_costs_no_conversation_more_than_ten_minutes(driver: MailboxDriver) -> None:
    """How long the queue waits is told by the clocks of two hosts, and may be far off."""
    driver.accept("m-1")
    driver.redis.delete(f"boss:wake:{C}")
    driver.advance(1_000)
    assert len(driver.run(calls.sweep(recheck_ms=10_000, oldest_wait_ms=7_200_000)).due) == 1
    assert 0 < int(driver.redis.pttl(f"boss:wake:{C}")) <= 600_000


def test_a_wake_up_s_mark_lives_at_least_a_second(driver: MailboxDriver) -> None:
    """On an idle server a lost job is made good after about that time."""
    driver.accept("m-1")
    assert 0 < int(driver.redis.pttl(f"boss:wake:{C}")) <= 1_000
    driver.redis.delete(f"boss:wake:{C}")
    driver.advance(1_000)
    assert driver.run(calls.sweep(recheck_ms=10_000)).due
    assert 0 < int(driver.redis.pttl(f"boss:wake:{C}")) <= 1_000


def test_an_opt_out_learnt_from_the_provider_is_said_once(driver: MailboxDriver) -> None:
    """Error 21610 may come for many messages."""
    for _ in range(2):
        driver.run(calls.opt_out(PAIR, out=True))
    assert driver.accept("m-1").reason == "opted_out"
    for _ in range(2):
        driver.run(calls.opt_out(PAIR, out=False))
    assert (len(driver.lines("opted_out")), len(driver.lines("opted_in"))) == (1, 1)


def test_a_message_that_is_not_admitted_is_recorded_with_its_reason(driver: MailboxDriver) -> None:
    """Once, and without a text."""
    for outcome in ("ignored", "duplicate"):
        assert driver.run(calls.ignore("m-1", "email", "auto_submitted", conversation=C)).outcome == outcome
    assert driver.state("m-1") == "ignored(auto_submitted)"
    assert (driver.inbox(), driver.due()) == ([], None)
    assert 0 < int(driver.redis.pttl("boss:msg:m-1")) <= CHANNELS["email"].kept_days * calls.DAY_MS


def test_a_flood_of_forged_requests_does_not_wash_out_the_ledger(driver: MailboxDriver) -> None:
    """At most 30 lines a minute of one kind."""
    for _ in range(100):
        driver.run(calls.refuse("sms", "bad_signature", 403))
    assert len(driver.lines("refused")) == 30


def test_whatever_happens_is_counted_though_its_line_is_not_written(driver: MailboxDriver) -> None:
    """For /metrics: every line by its type, every refusal by its reason, and a repetition is no second one."""
    for _ in range(2):
        driver.accept("m-1")
    for _ in range(40):
        driver.run(calls.refuse("sms", "bad_signature", 403))
    counts = {name.decode(): int(number) for name, number in cast("dict[bytes, bytes]", driver.redis.hgetall("boss:counts")).items()}
    assert counts == {"sms_received": 1, "refused": 30, "refused:sms:bad_signature": 40}


def test_the_ledger_holds_no_text(driver: MailboxDriver) -> None:
    """Ids and figures only, over a whole life."""
    driver.to_sending()
    driver.outcome("k1", "a1", "accepted", "SM1")
    driver.status("SM1", "delivered")
    driver.finish("k1")
    driver.accept("m-2")
    driver.taken("k2")
    driver.park("k2", notice="error")
    raw = repr(driver.redis.xrange("boss:ledger"))
    assert "hello" not in raw
    assert "+1555" not in raw
    assert [line["reply"] for line in driver.lines("answered")] == ["r-k1"]


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
    seconds, micros = redis.time()
    assert 0 <= seconds * 1000 + micros // 1000 - found.now_ms < 5_000
    assert found.lease_end_ms == found.now_ms + LEASE


@pytest.mark.parametrize("name", ["accept", "claim", "sending", "finish", "sweep"])
def test_no_script_mentions_a_test(name: str) -> None:
    """The clock can be replaced by the tests alone, in the text."""
    assert "test" not in script(name)[0]
    assert SEND < LEASE


@pytest.mark.parametrize("path", sorted(Path(mailbox.__path__[0], "lua").glob("*.lua")), ids=lambda path: path.stem)
def test_every_argument_that_a_script_names_is_used(path: Path) -> None:
    """The head line is the only place of a script's arguments: none is read by its number, and none is left over."""
    own = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("--"))
    assert path.stem == "common" or not re.search(r"ARGV\[\d", own)
    for name in names(path.stem):
        assert re.search(rf"\b{name.split('.')[0]}\b", own), f"{path.stem}.lua does not use {name}"


def test_a_call_without_an_argument_or_with_one_too_many_is_an_error(redis: Redis) -> None:
    """Before anything is sent."""
    right: dict[str, str | int] = {"conv": C, "token": "k1", "lease": 1}
    wrong: list[dict[str, str | int]] = [{"conv": C, "token": "k1"}, {**right, "other": 1}, {"conv": C, "token": "k1", "leases": 1}]
    for args in wrong:
        with pytest.raises((KeyError, ValueError)):
            Mailbox(redis).run(Call("renew", args, int))
