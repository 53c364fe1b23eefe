"""What delivery reports do beside a reply's state: the user's word to a provider, and the other channel that is told."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from shared.mailbox import calls
from tests.integration.mailbox_books import HOUR, RECHECK
from tests.integration.mailbox_desk import PAIR, C, Desk

FINAL: Final = ("delivered", "undelivered", "failed")
LOST: Final = ("undelivered", "failed")


def sent(desk: Desk) -> None:
    """A text, m-1, whose reply r-k1 the provider took as SM1."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1", token="k1")


def opted_out(desk: Desk) -> bool:
    """Whether the pair has."""
    return bool(desk.redis.exists(f"boss:optout:{PAIR}"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(reports=st.lists(st.sampled_from(("sent", *FINAL)), max_size=8), early=st.booleans())
def test_the_first_final_report_decides_in_any_order_and_number(redis: Redis, reports: list[str], *, early: bool) -> None:
    """Whatever comes after it, and before the provider's own answer: one state, one line of it, and the user told once."""
    desk = Desk(redis)
    desk.to_sending()
    if not early:
        desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    for state in reports:
        desk.status("SM1", state, "k1", "a1")
    desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    first = next((state for state in reports if state in FINAL), "sent")
    assert desk.reply("k1").state == first
    assert [kind for kind in FINAL for _ in desk.lines(kind)] == ([first] if first in FINAL else [])
    assert desk.untold() == (["r-k1"] if first in LOST else [])
    assert desk.state("m-1") == "answered"


def test_a_user_s_word_in_a_report_is_heard_once(desk: Desk) -> None:
    """A provider repeats its reports: an old one must not undo what the user said since."""
    sent(desk)
    desk.status("SM1", "failed", opt="out", report="o-1")
    assert opted_out(desk)
    desk.run(calls.opt_out(PAIR, out=False))
    desk.status("SM1", "failed", opt="out", report="o-1")
    assert not opted_out(desk)
    desk.status("SM1", "", opt="out", report="o-2")
    assert opted_out(desk)
    assert [len(desk.lines(kind)) for kind in ("opted_out", "opted_in")] == [2, 1]


def test_a_user_s_word_in_a_report_opts_in_again(desk: Desk) -> None:
    """A report of nothing else leaves the reply's state as it is."""
    sent(desk)
    desk.run(calls.opt_out(PAIR, out=True))
    assert desk.status("SM1", "", opt="in", report="o-1").state == "sent"
    assert not opted_out(desk)


@pytest.mark.parametrize(("pid", "turn", "attempt"), [("SM9", "", ""), ("SM9", "k9", "a1"), ("SM9", "k1", "a9"), ("", "", "a1")])
def test_a_report_about_no_reply_of_ours_opts_nobody_out(desk: Desk, pid: str, turn: str, attempt: str) -> None:
    """Unless it names the pair itself, as those of our own replies do."""
    sent(desk)
    desk.status(pid, "failed", turn, attempt, opt="out", report="o-1")
    assert not desk.redis.keys("boss:optout:*")
    assert desk.reply("k1").state == "sent"


@pytest.mark.parametrize("state", ["sent", "delivered"])
def test_what_arrived_is_told_nowhere(desk: Desk, state: str) -> None:
    """Or may arrive yet."""
    sent(desk)
    desk.status("SM1", state)
    assert desk.untold() == []


@pytest.mark.parametrize("state", LOST)
def test_a_reply_that_did_not_arrive_is_listed_for_the_other_channel_once(desk: Desk, state: str) -> None:
    """Also when the list was worked off meanwhile."""
    sent(desk)
    desk.status("SM1", state)
    assert desk.untold() == ["r-k1"]
    assert desk.elsewhere("k1") == "told"
    for again in ("sent", *FINAL):
        desk.status("SM1", again)
    assert desk.untold() == []


def send_notice(desk: Desk, token: str, attempt: str, pid: str) -> None:
    """The reply that a conversation's notice makes, taken by its provider as `pid`."""
    desk.store(token)
    desk.sending(token, attempt)
    desk.outcome(token, attempt, "accepted", pid, token=token)


@pytest.mark.parametrize("end", ["undelivered", "failed", "refused"])
def test_a_notice_that_its_route_refuses_is_listed_for_the_other_channel_once(desk: Desk, end: str) -> None:
    """An apology to a landline meets the same refusal as the answer: the user hears of it elsewhere, with the notice's code."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.park("k1", notice="outage")
    desk.advance(1_000)
    assert desk.taken("k2") == ["n-1"]
    if end == "refused":
        desk.store("k2")
        desk.sending("k2", "a2")
        desk.outcome("k2", "a2", "refused", code="21635")
        desk.park("k2", notice="unreachable", looked_up=True)
        assert desk.state("n-1") == "ignored(test)"
    else:
        send_notice(desk, "k2", "a2", "SM2")
        desk.status("SM2", end)
    assert (desk.untold(), desk.reply("k2").notice) == (["r-k2"], "outage")
    assert [desk.elsewhere("k2"), desk.elsewhere("k2")] == ["told", "gone"]


@pytest.mark.parametrize("end", ["undelivered", "refused"])
def test_a_notice_that_tells_of_a_loss_is_told_nowhere(desk: Desk, end: str) -> None:
    """Two dead channels would tell of each other for ever."""
    sent(desk)
    desk.status("SM1", "undelivered")
    assert desk.elsewhere("k1", C, pair=PAIR) == "told"
    desk.advance(1_000)
    assert desk.taken("k2") == ["n-k1"]
    if end == "refused":
        desk.store("k2")
        desk.sending("k2", "a2")
        desk.outcome("k2", "a2", "refused")
        desk.park("k2", notice="unreachable", looked_up=True)
    else:
        send_notice(desk, "k2", "a2", "SM2")
        desk.status("SM2", "undelivered")
    assert desk.untold() == []


def test_a_reply_whose_number_cannot_be_reached_is_told_on_the_other_channel_only(desk: Desk) -> None:
    """A sentence on the same channel would not arrive either."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused", "")
    assert desk.park("k1", notice="unreachable", looked_up=True).outcome == "empty"
    assert (desk.state("m-1"), desk.inbox(), desk.untold()) == ("parked(test)", [], ["r-k1"])


def test_a_reply_that_was_parked_and_then_lost_is_listed_once(desk: Desk) -> None:
    """The provider refused it, took it all the same, as its report says, and lost it."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.park("k1", notice="unreachable", looked_up=True)
    assert desk.elsewhere("k1") == "told"
    desk.status("SM1", "undelivered", "k1", "a1")
    assert (desk.reply("k1").state, desk.untold()) == ("undelivered", [])


def test_a_refused_reply_that_may_have_arrived_all_the_same_is_told_nowhere(desk: Desk) -> None:
    """An earlier attempt was not found, which proves nothing."""
    desk.to_sending()
    desk.absent("k1", "a1")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "refused")
    desk.park("k1", notice="unreachable", looked_up=True)
    assert (desk.state("m-1"), desk.untold()) == ("parked(test)", [])


def test_the_other_channel_is_told_by_one_notice_however_often_anybody_tries(desk: Desk) -> None:
    """At the tail of that conversation, in the step that takes the reply off the list; a repeat, or another worker, finds it gone."""
    sent(desk)
    desk.accept("m-2", conv="c-2", pair="p-2")
    desk.status("SM1", "undelivered")
    assert [desk.elsewhere("k1") for _ in range(3)] == ["told", "gone", "gone"]
    assert [raw.decode() for raw in desk.redis.lrange("boss:inbox:c-2", 0, -1)] == ["m-2", "n-k1"]  # type: ignore[union-attr]
    record = desk.box.message("n-k1")
    assert record is not None
    assert (record.kind, record.notice, record.channel, record.state) == ("notice", "text_lost", "email", "pending")
    (line,) = desk.lines("told_elsewhere")
    assert (line["reply"], line["notice"]) == ("r-k1", "n-k1")


def test_a_notice_may_be_the_first_of_its_conversation(desk: Desk) -> None:
    """A new thread has both ends, so that opt-outs, pauses and shares hold in it, and its job is enqueued."""
    sent(desk)
    desk.status("SM1", "undelivered")
    assert desk.elsewhere("k1") == "told"
    fields = desk.redis.hmget("boss:conv:c-2", ["channel", "pair", "sender"])
    assert fields == [b"email", b"p-2", b"s-2"]
    assert desk.due("c-2") == 1_000
    assert desk.claim("k2", conv="c-2").outcome == "taken"


def test_who_opted_out_of_the_other_channel_is_not_told_there(desk: Desk) -> None:
    """The ledger says so."""
    sent(desk)
    desk.status("SM1", "undelivered")
    desk.run(calls.opt_out("p-2", out=True))
    assert desk.elsewhere("k1") == "opted_out"
    assert (desk.untold(), desk.redis.exists("boss:inbox:c-2")) == ([], 0)
    assert [(line["reply"], line["reason"]) for line in desk.lines("untold")] == [("r-k1", "opted_out")]


def test_one_channel_is_told_once_an_hour(desk: Desk) -> None:
    """A phone that is off for a day does not fill the mailbox."""
    for n in (1, 2, 3):
        desk.accept(f"m-{n}")
        desk.taken(f"k{n}")
        desk.store(f"k{n}")
        desk.sending(f"k{n}", f"a{n}")
        desk.outcome(f"k{n}", f"a{n}", "accepted", f"SM{n}", token=f"k{n}")
        desk.status(f"SM{n}", "undelivered")
    assert [desk.elsewhere("k1"), desk.elsewhere("k2")] == ["told", "told_lately"]
    assert 0 < int(desk.redis.pttl("boss:told:elsewhere:p-2")) <= HOUR
    desk.redis.delete("boss:told:elsewhere:p-2")
    assert desk.elsewhere("k3") == "told"


def test_a_reply_that_nobody_can_be_told_of_leaves_the_list_with_its_reason(desk: Desk) -> None:
    """Once."""
    sent(desk)
    desk.status("SM1", "undelivered")
    assert [desk.run(calls.no_cross_channel_notice("r-k1", "no_other_channel")) for _ in range(2)] == ["no_other_channel", "gone"]
    assert [line["reason"] for line in desk.lines("untold")] == ["no_other_channel"]


def test_a_sweep_hands_a_reply_to_one_process_and_again_when_that_died(desk: Desk) -> None:
    """Who took it and never came back costs a recheck."""
    sent(desk)
    desk.status("SM1", "undelivered")
    look = calls.sweep(recheck_ms=RECHECK)
    assert [desk.run(look).untold for _ in range(2)] == [("r-k1",), ()]
    desk.advance(RECHECK)
    assert desk.run(look).untold == ("r-k1",)


def test_the_list_is_bounded_and_says_what_it_dropped(desk: Desk) -> None:
    """An outage of a whole carrier does not fill Redis."""
    sent(desk)
    desk.redis.zadd("boss:untold", {f"r-{n}": n for n in range(10_000)})
    desk.status("SM1", "undelivered")
    assert desk.redis.zcard("boss:untold") == 10_000
    assert desk.redis.zscore("boss:untold", "r-k1") is not None
    assert [(line["reason"], line["n"]) for line in desk.lines("untold")] == [("too_many", "1")]
