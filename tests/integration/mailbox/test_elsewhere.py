"""What delivery reports do beside a reply's state: the user's word to a provider, and the other channel that is told."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from shared.mailbox import calls
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import HOUR, RECHECK

FINAL: Final = ("delivered", "undelivered", "failed")
LOST: Final = ("undelivered", "failed")


def sent(driver: MailboxDriver) -> None:
    """A text, m-1, whose reply r-k1 the provider took as SM1."""
    driver.to_sending()
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")


def opted_out(driver: MailboxDriver) -> bool:
    """Whether the pair has."""
    return bool(driver.redis.exists(f"boss:optout:{PAIR}"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(reports=st.lists(st.sampled_from(("sent", *FINAL)), max_size=8), early=st.booleans())
def test_the_first_final_report_decides_in_any_order_and_number(redis: Redis, reports: list[str], *, early: bool) -> None:
    """Whatever comes after it, and before the provider's own answer: one state, one line of it, and the user told once."""
    driver = MailboxDriver(redis)
    driver.to_sending()
    if not early:
        driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    for state in reports:
        driver.status("SM1", state, "k1", "a1")
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    first = next((state for state in reports if state in FINAL), "sent")
    assert driver.reply("k1").state == first
    assert [kind for kind in FINAL for _ in driver.lines(kind)] == ([first] if first in FINAL else [])
    assert driver.untold() == (["r-k1"] if first in LOST else [])
    assert driver.state("m-1") == "answered"


def test_a_user_s_word_in_a_report_is_heard_once(driver: MailboxDriver) -> None:
    """A provider repeats its reports: an old one must not undo what the user said since."""
    sent(driver)
    driver.status("SM1", "failed", opt="out", report="o-1")
    assert opted_out(driver)
    driver.run(calls.opt_out(PAIR, out=False))
    driver.status("SM1", "failed", opt="out", report="o-1")
    assert not opted_out(driver)
    driver.status("SM1", "", opt="out", report="o-2")
    assert opted_out(driver)
    assert [len(driver.lines(kind)) for kind in ("opted_out", "opted_in")] == [2, 1]


def test_a_user_s_word_in_a_report_opts_in_again(driver: MailboxDriver) -> None:
    """A report of nothing else leaves the reply's state as it is."""
    sent(driver)
    driver.run(calls.opt_out(PAIR, out=True))
    assert driver.status("SM1", "", opt="in", report="o-1").state == "sent"
    assert not opted_out(driver)


@pytest.mark.parametrize(("pid", "turn", "attempt"), [("SM9", "", ""), ("SM9", "k9", "a1"), ("SM9", "k1", "a9"), ("", "", "a1")])
def test_a_report_about_no_reply_of_ours_opts_nobody_out(driver: MailboxDriver, pid: str, turn: str, attempt: str) -> None:
    """Unless it names the pair itself, as those of our own replies do."""
    sent(driver)
    driver.status(pid, "failed", turn, attempt, opt="out", report="o-1")
    assert not driver.redis.keys("boss:optout:*")
    assert driver.reply("k1").state == "sent"


@pytest.mark.parametrize("state", ["sent", "delivered"])
def test_what_arrived_is_told_nowhere(driver: MailboxDriver, state: str) -> None:
    """Or may arrive yet."""
    sent(driver)
    driver.status("SM1", state)
    assert driver.untold() == []


@pytest.mark.parametrize("state", LOST)
def test_a_reply_that_did_not_arrive_is_listed_for_the_other_channel_once(driver: MailboxDriver, state: str) -> None:
    """Also when the list was worked off meanwhile."""
    sent(driver)
    driver.status("SM1", state)
    assert driver.untold() == ["r-k1"]
    assert driver.elsewhere("k1") == "told"
    for again in ("sent", *FINAL):
        driver.status("SM1", again)
    assert driver.untold() == []


def send_notice(driver: MailboxDriver, token: str, attempt: str, pid: str) -> None:
    """The reply that a conversation's notice makes, taken by its provider as `pid`."""
    driver.store(token)
    driver.sending(token, attempt)
    driver.outcome(token, attempt, "accepted", pid, token=token)


@pytest.mark.parametrize("end", ["undelivered", "failed", "refused"])
def test_a_notice_that_its_route_refuses_is_listed_for_the_other_channel_once(driver: MailboxDriver, end: str) -> None:
    """An apology to a landline meets the same refusal as the answer: the user hears of it elsewhere, with the notice's code."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.park("k1", notice="outage")
    driver.advance(1_000)
    assert driver.taken("k2") == ["n-1"]
    if end == "refused":
        driver.store("k2")
        driver.sending("k2", "a2")
        driver.outcome("k2", "a2", "refused", code="21635")
        driver.park("k2", notice="unreachable", looked_up=True)
        assert driver.state("n-1") == "ignored(test)"
    else:
        send_notice(driver, "k2", "a2", "SM2")
        driver.status("SM2", end)
    assert (driver.untold(), driver.reply("k2").notice) == (["r-k2"], "outage")
    assert [driver.elsewhere("k2"), driver.elsewhere("k2")] == ["told", "gone"]


@pytest.mark.parametrize("end", ["undelivered", "refused"])
def test_a_notice_that_tells_of_a_loss_is_told_nowhere(driver: MailboxDriver, end: str) -> None:
    """Two dead channels would tell of each other for ever."""
    sent(driver)
    driver.status("SM1", "undelivered")
    assert driver.elsewhere("k1", C, pair=PAIR) == "told"
    driver.advance(1_000)
    assert driver.taken("k2") == ["n-k1"]
    if end == "refused":
        driver.store("k2")
        driver.sending("k2", "a2")
        driver.outcome("k2", "a2", "refused")
        driver.park("k2", notice="unreachable", looked_up=True)
    else:
        send_notice(driver, "k2", "a2", "SM2")
        driver.status("SM2", "undelivered")
    assert driver.untold() == []


def test_a_reply_whose_number_cannot_be_reached_is_told_on_the_other_channel_only(driver: MailboxDriver) -> None:
    """A sentence on the same channel would not arrive either."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused", "")
    assert driver.park("k1", notice="unreachable", looked_up=True).outcome == "empty"
    assert (driver.state("m-1"), driver.inbox(), driver.untold()) == ("parked(test)", [], ["r-k1"])


def test_a_reply_that_was_parked_and_then_lost_is_listed_once(driver: MailboxDriver) -> None:
    """The provider refused it, took it all the same, as its report says, and lost it."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused")
    driver.park("k1", notice="unreachable", looked_up=True)
    assert driver.elsewhere("k1") == "told"
    driver.status("SM1", "undelivered", "k1", "a1")
    assert (driver.reply("k1").state, driver.untold()) == ("undelivered", [])


def test_a_refused_reply_that_may_have_arrived_all_the_same_is_told_nowhere(driver: MailboxDriver) -> None:
    """An earlier attempt was not found, which proves nothing."""
    driver.to_sending()
    driver.absent("k1", "a1")
    driver.sending("k1", "a2")
    driver.outcome("k1", "a2", "refused")
    driver.park("k1", notice="unreachable", looked_up=True)
    assert (driver.state("m-1"), driver.untold()) == ("parked(test)", [])


def test_the_other_channel_is_told_by_one_notice_however_often_anybody_tries(driver: MailboxDriver) -> None:
    """At the tail of that conversation, in the step that takes the reply off the list; a repeat, or another worker, finds it gone."""
    sent(driver)
    driver.accept("m-2", conv="c-2", pair="p-2")
    driver.status("SM1", "undelivered")
    assert [driver.elsewhere("k1") for _ in range(3)] == ["told", "gone", "gone"]
    assert [raw.decode() for raw in driver.redis.lrange("boss:inbox:c-2", 0, -1)] == ["m-2", "n-k1"]  # type: ignore[union-attr]
    record = driver.box.message("n-k1")
    assert record is not None
    assert (record.kind, record.notice, record.channel, record.state) == ("notice", "text_lost", "email", "pending")
    (line,) = driver.lines("told_elsewhere")
    assert (line["reply"], line["notice"]) == ("r-k1", "n-k1")


def test_a_notice_may_be_the_first_of_its_conversation(driver: MailboxDriver) -> None:
    """A new thread has both ends, so that opt-outs, pauses and shares hold in it, and its job is enqueued."""
    sent(driver)
    driver.status("SM1", "undelivered")
    assert driver.elsewhere("k1") == "told"
    fields = driver.redis.hmget("boss:conv:c-2", ["channel", "pair", "sender"])
    assert fields == [b"email", b"p-2", b"s-2"]
    assert driver.due("c-2") == 1_000
    assert driver.claim("k2", conv="c-2").outcome == "taken"


def test_who_opted_out_of_the_other_channel_is_not_told_there(driver: MailboxDriver) -> None:
    """The ledger says so."""
    sent(driver)
    driver.status("SM1", "undelivered")
    driver.run(calls.opt_out("p-2", out=True))
    assert driver.elsewhere("k1") == "opted_out"
    assert (driver.untold(), driver.redis.exists("boss:inbox:c-2")) == ([], 0)
    assert [(line["reply"], line["reason"]) for line in driver.lines("untold")] == [("r-k1", "opted_out")]


def test_one_channel_is_told_once_an_hour(driver: MailboxDriver) -> None:
    """A phone that is off for a day does not fill the mailbox."""
    for n in (1, 2, 3):
        driver.accept(f"m-{n}")
        driver.taken(f"k{n}")
        driver.store(f"k{n}")
        driver.sending(f"k{n}", f"a{n}")
        driver.outcome(f"k{n}", f"a{n}", "accepted", f"SM{n}", token=f"k{n}")
        driver.status(f"SM{n}", "undelivered")
    assert [driver.elsewhere("k1"), driver.elsewhere("k2")] == ["told", "told_lately"]
    assert 0 < int(driver.redis.pttl("boss:told:elsewhere:p-2")) <= HOUR
    driver.redis.delete("boss:told:elsewhere:p-2")
    assert driver.elsewhere("k3") == "told"


def test_a_reply_that_nobody_can_be_told_of_leaves_the_list_with_its_reason(driver: MailboxDriver) -> None:
    """Once."""
    sent(driver)
    driver.status("SM1", "undelivered")
    assert [driver.run(calls.no_cross_channel_notice("r-k1", "no_other_channel")) for _ in range(2)] == ["no_other_channel", "gone"]
    assert [line["reason"] for line in driver.lines("untold")] == ["no_other_channel"]


def test_a_sweep_hands_a_reply_to_one_process_and_again_when_that_died(driver: MailboxDriver) -> None:
    """Who took it and never came back costs a recheck."""
    sent(driver)
    driver.status("SM1", "undelivered")
    look = calls.sweep(recheck_ms=RECHECK)
    assert [driver.run(look).untold for _ in range(2)] == [("r-k1",), ()]
    driver.advance(RECHECK)
    assert driver.run(look).untold == ("r-k1",)


def test_the_list_is_bounded_and_says_what_it_dropped(driver: MailboxDriver) -> None:
    """An outage of a whole carrier does not fill Redis."""
    sent(driver)
    driver.redis.zadd("boss:untold", {f"r-{n}": n for n in range(10_000)})
    driver.status("SM1", "undelivered")
    assert driver.redis.zcard("boss:untold") == 10_000
    assert driver.redis.zscore("boss:untold", "r-k1") is not None
    assert [(line["reason"], line["n"]) for line in driver.lines("untold")] == [("too_many", "1")]


def test_when_a_reply_was_known_to_be_lost_is_kept_with_it(driver: MailboxDriver) -> None:
    """By the first report that says so, and by no other."""
    sent(driver)
    driver.status("SM1", "sent")
    assert driver.reply("k1").lost_at == 0
    driver.advance(5_000)
    driver.status("SM1", "undelivered")
    known = driver.reply("k1").lost_at
    assert known >= driver.reply("k1").stored_at + 5_000
    driver.advance(5_000)
    driver.status("SM1", "failed")
    assert driver.reply("k1").lost_at == known


def removed(driver: MailboxDriver) -> None:
    """The turn of k1 ends because its address is not its person's any more."""
    call = calls.finish(C, "k1", retention_ms=HOUR, state="ignored", reason="address_removed")
    assert driver.run(call).outcome != "lost"


@pytest.mark.parametrize("replied", [True, False])
def test_who_does_not_have_the_address_any_more_is_told_elsewhere_once(driver: MailboxDriver, replied: bool) -> None:
    """Whether there is a reply already or not."""
    driver.accept("m-1")
    driver.taken("k1")
    if replied:
        driver.store("k1")
    removed(driver)
    driver.run(calls.finish(C, "k1", retention_ms=HOUR, state="ignored", reason="address_removed"))
    assert (driver.state("m-1"), driver.untold()) == ("ignored(address_removed)", ["r-k1"])
    assert [driver.elsewhere("k1") for _ in range(2)] == ["told", "gone"]


def test_what_ends_without_an_answer_for_another_reason_is_told_nowhere(driver: MailboxDriver) -> None:
    """An opt-out is the person's own word."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.run(calls.finish(C, "k1", retention_ms=HOUR, state="ignored", reason="opted_out"))
    assert driver.untold() == []


def test_what_tells_of_a_loss_and_lost_its_address_tells_nobody(driver: MailboxDriver) -> None:
    """Two addresses that were taken out do not tell of each other."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.redis.hset("boss:msg:m-1", "elsewhere", 1)
    removed(driver)
    assert driver.untold() == []
