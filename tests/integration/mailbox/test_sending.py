"""From the stored reply to what the provider says of it: permits, attempts, outcomes and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import cast

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import Sending, SendLimits
from shared.model import codec
from tests.support.mailbox_driver import PAIR, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, SEND_LIMITS, START


def test_only_the_holder_stores_a_reply(driver: MailboxDriver) -> None:
    """The slower of two thinkers is not heard."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(LEASE)
    driver.taken("k2")
    assert driver.store("k1", "old", turn="t-k2").outcome == "lost"
    assert driver.store("k1", "old").outcome == "lost"
    assert driver.store("k2", "new").outcome == "stored"
    assert "new" in codec.encode(driver.reply("k2").command)


def test_a_repeated_store_keeps_the_first_reply(driver: MailboxDriver) -> None:
    """Also when an attempt has begun meanwhile."""
    driver.to_sending()
    assert driver.store("k1", "another").outcome == "stored"
    assert [attempt.id for attempt in driver.reply("k1").attempts] == ["a1"]
    assert "hello" in codec.encode(driver.reply("k1").command)
    assert len(driver.lines("reply_stored")) == 1


def test_the_segments_that_a_provider_took_are_counted(driver: MailboxDriver) -> None:
    """By country and encoding, for each attempt that it took, and once however often it says so; a refused one costs nothing."""
    billed: dict[str, int | str] = {"segments": 3, "encoding": "UCS-2", "price_class": "DE"}
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1", figures=billed)
    driver.sending("k1", "a1")
    driver.outcome("k1", "a1", "refused", code="21610")
    driver.sending("k1", "a2")
    assert driver.redis.hget("boss:counts", "segments:DE:UCS-2") is None
    for _ in range(2):
        driver.outcome("k1", "a2", "accepted", "SM2")
    assert driver.redis.hget("boss:counts", "segments:DE:UCS-2") == b"3"
    reply = driver.reply("k1")
    assert (reply.segments, reply.encoding, reply.price_class) == (3, "UCS-2", "DE")
    (stored,) = driver.lines("reply_stored")
    assert (stored["segments"], stored["encoding"], stored["price_class"]) == ("3", "UCS-2", "DE")


def test_a_handed_over_message_refuses_its_reply(driver: MailboxDriver) -> None:
    """Its old client answers it; what else was in the turn is answered by the next."""
    driver.accept("m-1")
    driver.accept("m-2")
    driver.taken("k1")
    assert driver.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "handed_over"
    assert driver.store("k1").outcome == "handed_over"
    assert driver.backoff("k1", 0).outcome == "more"
    assert driver.taken("k2") == ["m-2"]


def test_a_bridge_message_is_answered_by_its_stored_reply(driver: MailboxDriver) -> None:
    """Nothing is sent; the answer is in the ledger. A repeat gets the first result."""
    driver.accept("m-1", kind="bridge")
    driver.accept("m-2")
    driver.taken("k1")
    for _ in range(2):
        stored = driver.store("k1")
        assert (stored.outcome, stored.more) == ("finished", True)
    assert driver.state("m-1") == "answered"
    assert driver.inbox() == ["m-2"]
    assert [line["msg"] for line in driver.lines("answered")] == ["m-1"]


def test_a_permit_stores_the_attempt(driver: MailboxDriver) -> None:
    """Before the request goes out: what crashes in between is looked up."""
    driver.to_sending()
    reply = driver.reply("k1")
    assert (reply.state, [(attempt.id, attempt.at, attempt.outcome) for attempt in reply.attempts]) == ("sending", [("a1", START, "")])


def test_only_the_holder_gets_a_permit(driver: MailboxDriver) -> None:
    """A holder whose lease was taken over starts nothing, even with the reply's right id."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.advance(LEASE)
    driver.taken("k2")
    assert driver.sending("k1", "a1").outcome == "lost"
    assert driver.sending("k2", "a2", turn="k1").outcome == "ok"
    driver.outcome("k1", "a2", "accepted", "SM1")
    driver.finish("k2")
    driver.accept("m-2")
    driver.taken("k3")
    assert driver.sending("k1", "a3").outcome == "lost"
    assert driver.sending("k3", "a4", turn="k1").outcome == "lost"


def test_an_unresolved_attempt_is_looked_up_before_the_next(driver: MailboxDriver) -> None:
    """Also by the next holder; "not found" allows another attempt, which may be a second copy, and is marked."""
    driver.to_sending()
    found = driver.sending("k1", "a2")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.id == "a1"
    driver.advance(LEASE)
    driver.taken("k2")
    assert driver.sending("k2", "a3", turn="k1").outcome == "look_up"
    assert not driver.reply("k1").maybe_duplicate
    driver.absent("k1", "a1")
    assert driver.sending("k2", "a4", turn="k1").outcome == "ok"
    assert driver.reply("k1").maybe_duplicate


def test_a_refusal_and_another_try_is_no_duplicate(driver: MailboxDriver) -> None:
    """The provider said that it did not take it."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused")
    assert driver.sending("k1", "a2").outcome == "ok"
    assert not driver.reply("k1").maybe_duplicate


def test_what_was_taken_is_not_sent_again(driver: MailboxDriver) -> None:
    """A callback, or a predecessor's answer, came first."""
    driver.to_sending()
    driver.status("SM1", "sent", "k1", "a1")
    assert driver.sending("k1", "a2").outcome == "sent"


def test_an_opted_out_pair_gets_nothing_more(driver: MailboxDriver) -> None:
    """The turn ends as ignored, in the step that would have allowed the request."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.accept("m-2")
    driver.run(calls.opt_out(PAIR, out=True))
    found = driver.sending("k1", "a1")
    assert (found.outcome, found.more) == ("opted_out", True)
    assert driver.state("m-1") == "ignored(opted_out)"
    assert driver.inbox() == ["m-2"]
    assert driver.reply("k1").attempts == ()


def test_a_pause_gives_up_the_lease_and_counts_nothing(driver: MailboxDriver) -> None:
    """30 s with jitter, then somebody asks again."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    assert driver.run(calls.pause("test"))
    assert not driver.run(calls.pause("again"))
    assert driver.sending("k1", "a1").outcome == "paused"
    assert 30_000 <= driver.not_before() <= 60_000
    assert driver.due() == driver.not_before()
    assert driver.counts("m-1") == (0, 0)
    assert driver.run(calls.resume())
    assert not driver.run(calls.resume())
    driver.advance(60_000)
    assert driver.taken("k2") == ["m-1"]
    assert driver.counts("m-1") == (0, 0)
    assert driver.sending("k2", "a2", turn="k1").outcome == "ok"


def test_a_short_lease_is_renewed_first(driver: MailboxDriver) -> None:
    """The request must end before somebody else may take over."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.advance(LEASE - 20_000 + 1)
    assert driver.sending("k1", "a1").outcome == "short"
    driver.renew("k1")
    assert driver.sending("k1", "a1").outcome == "ok"


@pytest.mark.parametrize("verdict", ["opted out", "paused", "short"])
def test_an_unresolved_attempt_is_looked_up_before_any_other_verdict(driver: MailboxDriver, verdict: str) -> None:
    """A message that was sent is not recorded as ignored, and a pause does not delay the knowledge."""
    driver.to_sending()
    if verdict == "short":
        driver.advance(LEASE - 10_000)
    elif verdict == "paused":
        driver.run(calls.pause("test"))
    else:
        driver.run(calls.opt_out(PAIR, out=True))
    assert driver.sending("k1", "a2").outcome == "look_up"
    assert driver.state("m-1") == "in_turn"


def test_a_repeated_permit_is_judged_again(driver: MailboxDriver) -> None:
    """All well: the same attempt, from now on: its request leaves after this answer, and who looks for it counts from there."""
    driver.to_sending()
    driver.advance(5_000)
    found = driver.sending("k1", "a1")
    assert found.outcome == "ok"
    assert found.attempt is not None
    assert (found.attempt.at, driver.reply("k1").attempts[0].at) == (START + 5_000, START + 5_000)
    assert len(driver.reply("k1").attempts) == 1
    assert len(driver.lines("sending")) == 1


@pytest.mark.parametrize("change", ["opted out", "paused", "short", "taken over", "refused", "accepted", "absent", "another"])
def test_a_repeated_permit_is_lost_when_anything_changed(driver: MailboxDriver, change: str) -> None:
    """The repeat may come seconds later, and its request with it."""
    driver.to_sending()
    token = "k1"
    if change == "opted out":
        driver.run(calls.opt_out(PAIR, out=True))
    elif change == "paused":
        driver.run(calls.pause("test"))
    elif change == "short":
        driver.advance(LEASE - 20_000 + 1)
    elif change == "taken over":
        driver.advance(LEASE)
        driver.taken("k2")
    elif change == "another":
        driver.absent("k1", "a1")
        assert driver.sending("k1", "a2").outcome == "ok"
    elif change == "absent":
        driver.absent("k1", "a1")
    else:
        driver.outcome("k1", "a1", change)
    assert driver.sending(token, "a1").outcome == "lost"


def test_an_outcome_is_recorded_after_the_lease_was_lost(driver: MailboxDriver) -> None:
    """What a provider answered is never thrown away: the next holder finishes and sends nothing."""
    driver.to_sending()
    driver.advance(LEASE)
    driver.taken("k2")
    assert driver.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert driver.sending("k2", "a2", turn="k1").outcome == "sent"


def test_an_outcome_is_recorded_after_the_conversation_went_on(driver: MailboxDriver) -> None:
    """The turn was parked, another one runs."""
    driver.to_sending()
    driver.park("k1", looked_up=True)
    driver.accept("m-2")
    driver.taken("k2")
    driver.store("k2")
    assert driver.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert driver.state("m-1") == "answered"
    assert driver.state("m-2") == "in_turn"


def test_one_accepted_attempt_makes_a_reply_sent_for_good(driver: MailboxDriver) -> None:
    """Whatever is said of it, or of others, before and after."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused")
    driver.sending("k1", "a2")
    driver.outcome("k1", "a2", "accepted", "SM2")
    assert driver.unseen("k1", "a2", again=0).outcome == "accepted"
    for attempt, result in (("a1", "refused"), ("a2", "refused"), ("a2", "unknown"), ("a9", "refused")):
        found = driver.outcome("k1", attempt, result)
        assert (found.state, found.decided) == ("sent", False)
    assert [attempt.outcome for attempt in driver.reply("k1").attempts] == ["refused", "accepted"]
    assert driver.redis.get("boss:provider:SM2") == b"r-k1"


def test_a_refusal_decides_only_when_every_attempt_was_refused(driver: MailboxDriver) -> None:
    """One whose outcome is unknown, or that was not found, may still arrive."""
    driver.to_sending()
    driver.absent("k1", "a1")
    driver.sending("k1", "a2")
    assert not driver.outcome("k1", "a2", "refused", "").decided
    assert driver.outcome("k1", "a1", "refused").decided


def test_a_repeated_outcome_changes_nothing(driver: MailboxDriver) -> None:
    """Neither the record nor the ledger."""
    driver.to_sending()
    first = driver.outcome("k1", "a1", "accepted", "SM1")
    assert driver.outcome("k1", "a1", "accepted", "SM1") == first
    assert len(driver.lines("sent")) == 1
    assert not driver.reply("k1").maybe_duplicate


def test_two_accepted_attempts_are_a_duplicate(driver: MailboxDriver) -> None:
    """Known after the fact, and said so."""
    driver.to_sending()
    driver.outcome("k1", "a1", "refused")
    driver.sending("k1", "a2")
    driver.outcome("k1", "a2", "accepted", "SM2")
    driver.status("SM1", "sent", "k1", "a1")
    assert driver.reply("k1").maybe_duplicate


def test_a_report_proves_that_the_attempt_was_taken(driver: MailboxDriver) -> None:
    """It may overtake the provider's own answer; it may come for an attempt that was not found."""
    driver.to_sending()
    driver.absent("k1", "a1")
    assert driver.status("SM1", "delivered", "k1", "a1").state == "delivered"
    assert driver.reply("k1").attempts[0].outcome == "accepted"
    assert driver.outcome("k1", "a1", "accepted", "SM1").state == "delivered"


def test_a_report_finds_its_reply_by_the_provider_s_id(driver: MailboxDriver) -> None:
    """Where it carries no ids of ours."""
    driver.to_sending()
    driver.outcome("k1", "a1", "accepted", "SM1")
    assert driver.status("SM1", "delivered").state == "delivered"
    assert driver.status("SM9", "delivered").state is None


@pytest.mark.parametrize("last", ["delivered", "undelivered", "failed"])
def test_a_terminal_state_is_never_left(driver: MailboxDriver, last: str) -> None:
    """Reports come in any order, and repeatedly."""
    driver.to_sending()
    driver.outcome("k1", "a1", "accepted", "SM1")
    driver.status("SM1", last)
    for state in ("sent", "delivered", "undelivered", "failed"):
        assert driver.status("SM1", state).state == last
    driver.finish("k1")
    assert driver.state("m-1") == "answered"
    assert len(driver.lines(last)) == 1


def test_an_attempt_is_absent_only_after_two_looks(driver: MailboxDriver) -> None:
    """The second at least ten seconds after the first, by any holder; until then nothing more is sent."""
    driver.to_sending()
    driver.advance(20_000)
    first = driver.unseen("k1", "a1")
    assert (first.outcome, first.wait_ms) == ("", 10_000)
    driver.backoff("k1", 10_000)
    driver.advance(9_000)
    assert (driver.unseen("k1", "a1").outcome, driver.unseen("k1", "a1").wait_ms) == ("", 1_000)
    driver.advance(1_000)
    driver.taken("k2")
    found = driver.sending("k2", "a2", turn="k1")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.looked == START + 20_000
    assert driver.unseen("k1", "a1").outcome == "absent"
    assert driver.sending("k2", "a2", turn="k1").outcome == "ok"
    assert [len(driver.lines(kind)) for kind in ("looked_up", "not_found", "maybe_duplicate")] == [1, 1, 1]


def test_a_repeated_look_counts_once(driver: MailboxDriver) -> None:
    """However late the repeat arrives: what counts is when it was asked. Two looks at the same time are one as well."""
    driver.to_sending()
    asked = driver.now
    assert driver.unseen("k1", "a1", asked=asked).outcome == ""
    driver.advance(60_000)
    assert driver.unseen("k1", "a1", asked=asked).outcome == ""
    assert driver.unseen("k1", "a1", asked=asked + 9_999).outcome == ""
    assert driver.reply("k1").pending
    assert len(driver.lines("looked_up")) == 1


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
def test_what_is_resolved_between_two_looks_stays_so(driver: MailboxDriver, outcome: str) -> None:
    """A callback, or the answer that a frozen process brings."""
    driver.to_sending()
    driver.unseen("k1", "a1")
    driver.outcome("k1", "a1", outcome, "SM1" if outcome == "accepted" else "")
    driver.advance(10_000)
    assert driver.unseen("k1", "a1").outcome == outcome
    assert [attempt.outcome for attempt in driver.reply("k1").attempts] == [outcome]


def test_why_there_was_no_answer_is_recorded_once(driver: MailboxDriver) -> None:
    """The attempt stays unresolved, the first reason is kept, and a resolved one keeps its own."""
    driver.to_sending()
    for code in ("http_503", "http_503", "timeout"):
        assert driver.outcome("k1", "a1", "unknown", code=code).state == "sending"
    (attempt,) = driver.reply("k1").pending
    assert attempt.code == "http_503"
    assert [line["code"] for line in driver.lines("no_answer")] == ["http_503"]
    driver.outcome("k1", "a1", "refused", code="21610")
    driver.outcome("k1", "a1", "unknown", code="late")
    assert [(attempt.outcome, attempt.code) for attempt in driver.reply("k1").attempts] == [("refused", "21610")]


def unanswered(driver: MailboxDriver, codes: Sequence[str], limits: SendLimits) -> list[str]:
    """Attempts one after the other, none of them found, each without an answer for its reason: the verdicts on them, and on the next."""
    verdicts = []
    for number, code in enumerate([*codes, ""]):
        verdicts.append(str(driver.sending("k1", f"a{number}", limits=limits).outcome))
        if verdicts[-1] == "ok":
            if code:
                driver.outcome("k1", f"a{number}", "unknown", code=code)
            driver.absent("k1", f"a{number}")
    return verdicts


SILENCE, FAILED, KILLED = "timeout", "http_503", ""
"""Why there is no answer: none came, a gateway's came, or the worker that asked has died."""


@pytest.mark.parametrize("repeats", [0, 1, 5])
def test_what_may_have_been_taken_is_repeated_so_often_and_no_oftener(driver: MailboxDriver, repeats: int) -> None:
    """After that the holder parks it, marked; none is repeated where the setting says so."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    assert unanswered(driver, [SILENCE] * (repeats + 1), replace(SEND_LIMITS, repeats=repeats)) == ["ok"] * (repeats + 1) + ["unknown"]
    assert driver.reply("k1").maybe_duplicate is (repeats > 0)
    assert len(driver.lines("maybe_duplicate")) == min(repeats, 1)
    driver.park("k1", looked_up=True)
    assert driver.reply("k1").maybe_sent
    assert len(driver.lines("maybe_sent")) == 1
    driver.outcome("k1", "a0", "accepted", "SM1")
    assert (driver.state("m-1"), driver.reply("k1").maybe_sent) == ("answered", False)


@pytest.mark.parametrize("repeats", [0, 1])
@pytest.mark.parametrize("codes", list(product((SILENCE, FAILED, KILLED), repeat=2)))
def test_a_second_copy_is_the_last_whatever_became_of_the_first(driver: MailboxDriver, codes: tuple[str, str], repeats: int) -> None:
    """Silence, a 5xx and a dead worker count alike, and together: each may hide that the provider took it."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    limits = replace(SEND_LIMITS, repeats=repeats)
    assert unanswered(driver, codes[: repeats + 1], limits) == ["ok"] * (repeats + 1) + ["unknown"]


def test_what_is_shown_not_to_have_been_taken_is_no_copy(driver: MailboxDriver) -> None:
    """Refused after all, by whatever proof: the reply may be sent again."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    limits = replace(SEND_LIMITS, repeats=1)
    assert unanswered(driver, [FAILED, FAILED], limits)[-1] == "unknown"
    driver.outcome("k1", "a0", "refused", code="not_taken")
    assert driver.sending("k1", "b1", limits=limits).outcome == "ok"


def test_an_old_message_s_reply_is_not_sent(driver: MailboxDriver) -> None:
    """Whoever asks, and however the turn came about; a pause does not age."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.run(calls.pause("test"))
    driver.advance(10 * SEND_LIMITS.oldest_ms)
    driver.run(calls.resume())
    driver.renew("k1")
    driver.advance(SEND_LIMITS.oldest_ms - 1_000)
    driver.renew("k1")
    assert driver.sending("k1", "a1").outcome == "ok"
    driver.outcome("k1", "a1", "refused")
    driver.advance(1_001)
    assert driver.sending("k1", "a2").outcome == "too_old"
    assert len(driver.reply("k1").attempts) == 1


def test_an_old_message_s_unresolved_attempt_is_looked_up_first(driver: MailboxDriver) -> None:
    """It may have been answered in time; and a repeated permit is not used late."""
    driver.to_sending()
    driver.advance(SEND_LIMITS.oldest_ms + 1)
    driver.renew("k1")
    assert driver.sending("k1", "a1").outcome == "lost"
    assert driver.sending("k1", "a2").outcome == "look_up"


def test_a_reply_that_is_stored_too_late_is_not_sent_either(driver: MailboxDriver) -> None:
    """Leave asked for with the storing is judged alike."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.advance(SEND_LIMITS.oldest_ms + 1)
    stored = driver.store("k1", attempt="a1")
    assert stored.permit is not None
    assert stored.permit.outcome == "too_old"


def test_what_may_turn_up_late_is_not_lost_sight_of(driver: MailboxDriver) -> None:
    """Replies with attempts of unknown outcome are on their conversation's list, found or parked; their records tell the rest."""
    driver.to_sending()
    driver.absent("k1", "a1")
    driver.sending("k1", "a2")
    driver.outcome("k1", "a2", "accepted", "SM1", token="k1")
    driver.accept("m-2")
    driver.taken("k2")
    driver.store("k2")
    driver.sending("k2", "a3", turn="k2")
    assert names(driver) == ["r-k1"]
    driver.park("k2", looked_up=True)
    assert names(driver) == ["r-k1", "r-k2"]
    assert 0 < int(driver.redis.pttl("boss:unsure:c-1")) <= RETENTION


def names(driver: MailboxDriver) -> list[str]:
    """The list."""
    return sorted(raw.decode() for raw in cast("list[bytes]", driver.redis.zrange("boss:unsure:c-1", 0, -1)))


def test_a_permit_is_given_by_the_people_of_the_present_version(driver: MailboxDriver) -> None:
    """Whose the address is was judged by others: nothing changes, and the holder judges anew."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.change_people()
    assert [driver.store("k1", attempt="a1", users=0).permit, driver.sending("k1", "a1", users=0)] == [Sending("users")] * 2
    assert (driver.reply("k1").state, driver.reply("k1").attempts) == ("stored", ())
    driver.change_people()
    assert driver.sending("k1", "a1", users=1).outcome == "users"
    assert driver.sending("k1", "a1", users=2).outcome == "ok"


def test_what_may_have_been_taken_is_looked_up_whoever_is_known(driver: MailboxDriver) -> None:
    """The look-up comes before the question whose the address is."""
    driver.to_sending()
    driver.change_people()
    assert driver.sending("k1", "a2", users=0).outcome == "look_up"


def test_a_permit_is_renewed_by_the_people_of_the_present_version(driver: MailboxDriver) -> None:
    """A holder that stood still judges anew; the attempt's time stays as it is until then."""
    driver.to_sending()
    (before,) = driver.reply("k1").attempts
    driver.change_people()
    driver.advance(1_000)
    assert driver.sending("k1", "a1", users=0).outcome == "users"
    assert driver.reply("k1").attempts == (before,)
    assert driver.sending("k1", "a1", users=1).outcome == "ok"
    assert driver.reply("k1").attempts[0].at == before.at + 1_000
