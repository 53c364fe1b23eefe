"""From the stored reply to what the provider says of it: leave, attempts, outcomes and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import cast

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import SendLimits
from shared.model import codec
from tests.integration.mailbox_books import LEASE, LEAVE, RETENTION, START
from tests.integration.mailbox_desk import PAIR, Desk


def test_only_the_holder_stores_a_reply(desk: Desk) -> None:
    """The slower of two thinkers is not heard."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.store("k1", "old", turn="t-k2").outcome == "lost"
    assert desk.store("k1", "old").outcome == "lost"
    assert desk.store("k2", "new").outcome == "stored"
    assert "new" in codec.encode(desk.reply("k2").command)


def test_a_repeated_store_keeps_the_first_reply(desk: Desk) -> None:
    """Also when an attempt has begun meanwhile."""
    desk.to_sending()
    assert desk.store("k1", "another").outcome == "stored"
    assert [attempt.id for attempt in desk.reply("k1").attempts] == ["a1"]
    assert "hello" in codec.encode(desk.reply("k1").command)
    assert len(desk.lines("reply_stored")) == 1


def test_a_handed_over_message_refuses_its_reply(desk: Desk) -> None:
    """Its old client answers it; what else was in the turn is answered by the next."""
    desk.accept("m-1")
    desk.accept("m-2")
    desk.taken("k1")
    assert desk.run(calls.hand_over("m-1", retention_ms=RETENTION)) == "handed_over"
    assert desk.store("k1").outcome == "handed_over"
    assert desk.backoff("k1", 0).outcome == "more"
    assert desk.taken("k2") == ["m-2"]


def test_a_bridge_message_is_answered_by_its_stored_reply(desk: Desk) -> None:
    """Nothing is sent; the answer is in the ledger. A repeat gets the first result."""
    desk.accept("m-1", kind="bridge")
    desk.accept("m-2")
    desk.taken("k1")
    for _ in range(2):
        stored = desk.store("k1")
        assert (stored.outcome, stored.more) == ("finished", True)
    assert desk.state("m-1") == "answered"
    assert desk.inbox() == ["m-2"]
    assert [line["msg"] for line in desk.lines("answered")] == ["m-1"]


def test_leave_stores_the_attempt(desk: Desk) -> None:
    """Before the request goes out: what crashes in between is looked up."""
    desk.to_sending()
    reply = desk.reply("k1")
    assert (reply.state, [(attempt.id, attempt.at, attempt.outcome) for attempt in reply.attempts]) == ("sending", [("a1", START, "")])


def test_only_the_holder_gets_leave(desk: Desk) -> None:
    """A holder whose lease was taken over starts nothing, even with the reply's right id."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.sending("k1", "a1").outcome == "lost"
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"
    desk.outcome("k1", "a2", "accepted", "SM1")
    desk.finish("k2")
    desk.accept("m-2")
    desk.taken("k3")
    assert desk.sending("k1", "a3").outcome == "lost"
    assert desk.sending("k3", "a4", turn="k1").outcome == "lost"


def test_an_unresolved_attempt_is_looked_up_before_the_next(desk: Desk) -> None:
    """Also by the next holder; "not found" allows another attempt, which may be a second copy, and is marked."""
    desk.to_sending()
    found = desk.sending("k1", "a2")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.id == "a1"
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.sending("k2", "a3", turn="k1").outcome == "look_up"
    assert not desk.reply("k1").maybe_duplicate
    desk.absent("k1", "a1")
    assert desk.sending("k2", "a4", turn="k1").outcome == "ok"
    assert desk.reply("k1").maybe_duplicate


def test_a_refusal_and_another_try_is_no_duplicate(desk: Desk) -> None:
    """The provider said that it did not take it."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    assert desk.sending("k1", "a2").outcome == "ok"
    assert not desk.reply("k1").maybe_duplicate


def test_what_was_taken_is_not_sent_again(desk: Desk) -> None:
    """A callback, or a predecessor's answer, came first."""
    desk.to_sending()
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.sending("k1", "a2").outcome == "sent"


def test_an_opted_out_pair_gets_nothing_more(desk: Desk) -> None:
    """The turn ends as ignored, in the step that would have allowed the request."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.accept("m-2")
    desk.run(calls.opt_out(PAIR, out=True))
    found = desk.sending("k1", "a1")
    assert (found.outcome, found.more) == ("opted_out", True)
    assert desk.state("m-1") == "ignored(opted_out)"
    assert desk.inbox() == ["m-2"]
    assert desk.reply("k1").attempts == ()


def test_a_pause_gives_up_the_lease_and_counts_nothing(desk: Desk) -> None:
    """30 s with jitter, then somebody asks again."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    assert desk.run(calls.pause("test"))
    assert not desk.run(calls.pause("again"))
    assert desk.sending("k1", "a1").outcome == "paused"
    assert 30_000 <= desk.not_before() <= 60_000
    assert desk.due() == desk.not_before()
    assert desk.counts("m-1") == (0, 0)
    assert desk.run(calls.resume())
    assert not desk.run(calls.resume())
    desk.advance(60_000)
    assert desk.taken("k2") == ["m-1"]
    assert desk.counts("m-1") == (0, 0)
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"


def test_a_short_lease_is_renewed_first(desk: Desk) -> None:
    """The request must end before somebody else may take over."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.advance(LEASE - 20_000 + 1)
    assert desk.sending("k1", "a1").outcome == "short"
    desk.renew("k1")
    assert desk.sending("k1", "a1").outcome == "ok"


@pytest.mark.parametrize("verdict", ["opted out", "paused", "short"])
def test_an_unresolved_attempt_is_looked_up_before_any_other_verdict(desk: Desk, verdict: str) -> None:
    """A message that was sent is not recorded as ignored, and a pause does not delay the knowledge."""
    desk.to_sending()
    if verdict == "short":
        desk.advance(LEASE - 10_000)
    elif verdict == "paused":
        desk.run(calls.pause("test"))
    else:
        desk.run(calls.opt_out(PAIR, out=True))
    assert desk.sending("k1", "a2").outcome == "look_up"
    assert desk.state("m-1") == "in_turn"


def test_a_repeated_leave_is_judged_again(desk: Desk) -> None:
    """All well: the same attempt, from now on: its request leaves after this answer, and who looks for it counts from there."""
    desk.to_sending()
    desk.advance(5_000)
    found = desk.sending("k1", "a1")
    assert found.outcome == "ok"
    assert found.attempt is not None
    assert (found.attempt.at, desk.reply("k1").attempts[0].at) == (START + 5_000, START + 5_000)
    assert len(desk.reply("k1").attempts) == 1
    assert len(desk.lines("sending")) == 1


@pytest.mark.parametrize("change", ["opted out", "paused", "short", "taken over", "refused", "accepted", "absent", "another"])
def test_a_repeated_leave_is_lost_when_anything_changed(desk: Desk, change: str) -> None:
    """The repeat may come seconds later, and its request with it."""
    desk.to_sending()
    token = "k1"
    if change == "opted out":
        desk.run(calls.opt_out(PAIR, out=True))
    elif change == "paused":
        desk.run(calls.pause("test"))
    elif change == "short":
        desk.advance(LEASE - 20_000 + 1)
    elif change == "taken over":
        desk.advance(LEASE)
        desk.taken("k2")
    elif change == "another":
        desk.absent("k1", "a1")
        assert desk.sending("k1", "a2").outcome == "ok"
    elif change == "absent":
        desk.absent("k1", "a1")
    else:
        desk.outcome("k1", "a1", change)
    assert desk.sending(token, "a1").outcome == "lost"


def test_an_outcome_is_recorded_after_the_lease_was_lost(desk: Desk) -> None:
    """What a provider answered is never thrown away: the next holder finishes and sends nothing."""
    desk.to_sending()
    desk.advance(LEASE)
    desk.taken("k2")
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert desk.sending("k2", "a2", turn="k1").outcome == "sent"


def test_an_outcome_is_recorded_after_the_conversation_went_on(desk: Desk) -> None:
    """The turn was parked, another one runs."""
    desk.to_sending()
    desk.park("k1", looked_up=True)
    desk.accept("m-2")
    desk.taken("k2")
    desk.store("k2")
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "sent"
    assert desk.state("m-1") == "answered"
    assert desk.state("m-2") == "in_turn"


def test_one_accepted_attempt_makes_a_reply_sent_for_good(desk: Desk) -> None:
    """Whatever is said of it, or of others, before and after."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "accepted", "SM2")
    assert desk.unseen("k1", "a2", again=0).outcome == "accepted"
    for attempt, result in (("a1", "refused"), ("a2", "refused"), ("a2", "unknown"), ("a9", "refused")):
        found = desk.outcome("k1", attempt, result)
        assert (found.state, found.decided) == ("sent", False)
    assert [attempt.outcome for attempt in desk.reply("k1").attempts] == ["refused", "accepted"]
    assert desk.redis.get("boss:provider:SM2") == b"r-k1"


def test_a_refusal_decides_only_when_every_attempt_was_refused(desk: Desk) -> None:
    """One whose fate is unknown, or that was not found, may still arrive."""
    desk.to_sending()
    desk.absent("k1", "a1")
    desk.sending("k1", "a2")
    assert not desk.outcome("k1", "a2", "refused", "").decided
    assert desk.outcome("k1", "a1", "refused").decided


def test_a_repeated_outcome_changes_nothing(desk: Desk) -> None:
    """Neither the record nor the ledger."""
    desk.to_sending()
    first = desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.outcome("k1", "a1", "accepted", "SM1") == first
    assert len(desk.lines("sent")) == 1
    assert not desk.reply("k1").maybe_duplicate


def test_two_accepted_attempts_are_a_duplicate(desk: Desk) -> None:
    """Known after the fact, and said so."""
    desk.to_sending()
    desk.outcome("k1", "a1", "refused")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "accepted", "SM2")
    desk.status("SM1", "sent", "k1", "a1")
    assert desk.reply("k1").maybe_duplicate


def test_a_report_proves_that_the_attempt_was_taken(desk: Desk) -> None:
    """It may overtake the provider's own answer; it may come for an attempt that was not found."""
    desk.to_sending()
    desk.absent("k1", "a1")
    assert desk.status("SM1", "delivered", "k1", "a1").state == "delivered"
    assert desk.reply("k1").attempts[0].outcome == "accepted"
    assert desk.outcome("k1", "a1", "accepted", "SM1").state == "delivered"


def test_a_report_finds_its_reply_by_the_provider_s_id(desk: Desk) -> None:
    """Where it carries no ids of ours."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    assert desk.status("SM1", "delivered").state == "delivered"
    assert desk.status("SM9", "delivered").state is None


@pytest.mark.parametrize("last", ["delivered", "undelivered", "failed"])
def test_a_terminal_state_is_never_left(desk: Desk, last: str) -> None:
    """Reports come in any order, and repeatedly."""
    desk.to_sending()
    desk.outcome("k1", "a1", "accepted", "SM1")
    desk.status("SM1", last)
    for state in ("sent", "delivered", "undelivered", "failed"):
        assert desk.status("SM1", state).state == last
    desk.finish("k1")
    assert desk.state("m-1") == "answered"
    assert len(desk.lines(last)) == 1


def test_an_attempt_is_absent_only_after_two_looks(desk: Desk) -> None:
    """The second at least ten seconds after the first, by any holder; until then nothing more is sent."""
    desk.to_sending()
    desk.advance(20_000)
    first = desk.unseen("k1", "a1")
    assert (first.outcome, first.wait_ms) == ("", 10_000)
    desk.backoff("k1", 10_000)
    desk.advance(9_000)
    assert (desk.unseen("k1", "a1").outcome, desk.unseen("k1", "a1").wait_ms) == ("", 1_000)
    desk.advance(1_000)
    desk.taken("k2")
    found = desk.sending("k2", "a2", turn="k1")
    assert found.outcome == "look_up"
    assert found.attempt is not None
    assert found.attempt.looked == START + 20_000
    assert desk.unseen("k1", "a1").outcome == "absent"
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"
    assert [len(desk.lines(kind)) for kind in ("looked_up", "not_found", "maybe_duplicate")] == [1, 1, 1]


def test_a_repeated_look_counts_once(desk: Desk) -> None:
    """However late the repeat arrives: what counts is when it was asked. Two looks at the same time are one as well."""
    desk.to_sending()
    asked = desk.now
    assert desk.unseen("k1", "a1", asked=asked).outcome == ""
    desk.advance(60_000)
    assert desk.unseen("k1", "a1", asked=asked).outcome == ""
    assert desk.unseen("k1", "a1", asked=asked + 9_999).outcome == ""
    assert desk.reply("k1").pending
    assert len(desk.lines("looked_up")) == 1


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
def test_what_is_resolved_between_two_looks_stays_so(desk: Desk, outcome: str) -> None:
    """A callback, or the answer that a frozen process brings."""
    desk.to_sending()
    desk.unseen("k1", "a1")
    desk.outcome("k1", "a1", outcome, "SM1" if outcome == "accepted" else "")
    desk.advance(10_000)
    assert desk.unseen("k1", "a1").outcome == outcome
    assert [attempt.outcome for attempt in desk.reply("k1").attempts] == [outcome]


def test_why_there_was_no_answer_is_recorded_once(desk: Desk) -> None:
    """The attempt stays unresolved, the first reason is kept, and a resolved one keeps its own."""
    desk.to_sending()
    for code in ("http_503", "http_503", "timeout"):
        assert desk.outcome("k1", "a1", "unknown", code=code).state == "sending"
    (attempt,) = desk.reply("k1").pending
    assert attempt.code == "http_503"
    assert [line["code"] for line in desk.lines("no_answer")] == ["http_503"]
    desk.outcome("k1", "a1", "refused", code="21610")
    desk.outcome("k1", "a1", "unknown", code="late")
    assert [(attempt.outcome, attempt.code) for attempt in desk.reply("k1").attempts] == [("refused", "21610")]


def unanswered(desk: Desk, codes: Sequence[str], limits: SendLimits) -> list[str]:
    """Attempts one after the other, none of them found, each without an answer for its reason: the verdicts on them, and on the next."""
    verdicts = []
    for number, code in enumerate([*codes, ""]):
        verdicts.append(str(desk.sending("k1", f"a{number}", limits=limits).outcome))
        if verdicts[-1] == "ok":
            if code:
                desk.outcome("k1", f"a{number}", "unknown", code=code)
            desk.absent("k1", f"a{number}")
    return verdicts


SILENCE, FAILED, KILLED = "timeout", "http_503", ""
"""Why there is no answer: none came, a gateway's came, or the worker that asked has died."""


@pytest.mark.parametrize("repeats", [0, 1, 5])
def test_what_may_have_been_taken_is_repeated_so_often_and_no_oftener(desk: Desk, repeats: int) -> None:
    """After that the holder parks it, marked; none is repeated where the setting says so."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    assert unanswered(desk, [SILENCE] * (repeats + 1), replace(LEAVE, repeats=repeats)) == ["ok"] * (repeats + 1) + ["unknown"]
    assert desk.reply("k1").maybe_duplicate is (repeats > 0)
    assert len(desk.lines("maybe_duplicate")) == min(repeats, 1)
    desk.park("k1", looked_up=True)
    assert desk.reply("k1").maybe_sent
    assert len(desk.lines("maybe_sent")) == 1
    desk.outcome("k1", "a0", "accepted", "SM1")
    assert (desk.state("m-1"), desk.reply("k1").maybe_sent) == ("answered", False)


@pytest.mark.parametrize("repeats", [0, 1])
@pytest.mark.parametrize("codes", list(product((SILENCE, FAILED, KILLED), repeat=2)))
def test_a_second_copy_is_the_last_whatever_became_of_the_first(desk: Desk, codes: tuple[str, str], repeats: int) -> None:
    """Silence, a 5xx and a dead worker count alike, and together: each may hide that the provider took it."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    limits = replace(LEAVE, repeats=repeats)
    assert unanswered(desk, codes[: repeats + 1], limits) == ["ok"] * (repeats + 1) + ["unknown"]


def test_what_is_shown_not_to_have_been_taken_is_no_copy(desk: Desk) -> None:
    """Refused after all, by whatever proof: the reply may be sent again."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    limits = replace(LEAVE, repeats=1)
    assert unanswered(desk, [FAILED, FAILED], limits)[-1] == "unknown"
    desk.outcome("k1", "a0", "refused", code="not_taken")
    assert desk.sending("k1", "b1", limits=limits).outcome == "ok"


def test_an_old_message_s_reply_is_not_sent(desk: Desk) -> None:
    """Whoever asks, and however the turn came about; a pause does not age."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.run(calls.pause("test"))
    desk.advance(10 * LEAVE.oldest_ms)
    desk.run(calls.resume())
    desk.renew("k1")
    desk.advance(LEAVE.oldest_ms - 1_000)
    desk.renew("k1")
    assert desk.sending("k1", "a1").outcome == "ok"
    desk.outcome("k1", "a1", "refused")
    desk.advance(1_001)
    assert desk.sending("k1", "a2").outcome == "too_old"
    assert len(desk.reply("k1").attempts) == 1


def test_an_old_message_s_unresolved_attempt_is_looked_up_first(desk: Desk) -> None:
    """It may have been answered in time; and a repeated leave is not used late."""
    desk.to_sending()
    desk.advance(LEAVE.oldest_ms + 1)
    desk.renew("k1")
    assert desk.sending("k1", "a1").outcome == "lost"
    assert desk.sending("k1", "a2").outcome == "look_up"


def test_a_reply_that_is_stored_too_late_is_not_sent_either(desk: Desk) -> None:
    """Leave asked for with the storing is judged alike."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.advance(LEAVE.oldest_ms + 1)
    stored = desk.store("k1", attempt="a1")
    assert stored.leave is not None
    assert stored.leave.outcome == "too_old"


def test_what_may_turn_up_late_is_not_lost_sight_of(desk: Desk) -> None:
    """Replies with attempts of unknown fate are on their conversation's list, found or parked; their records tell the rest."""
    desk.to_sending()
    desk.absent("k1", "a1")
    desk.sending("k1", "a2")
    desk.outcome("k1", "a2", "accepted", "SM1", token="k1")
    desk.accept("m-2")
    desk.taken("k2")
    desk.store("k2")
    desk.sending("k2", "a3", turn="k2")
    assert names(desk) == ["r-k1"]
    desk.park("k2", looked_up=True)
    assert names(desk) == ["r-k1", "r-k2"]
    assert 0 < int(desk.redis.pttl("boss:unsure:c-1")) <= RETENTION


def names(desk: Desk) -> list[str]:
    """The list."""
    return sorted(raw.decode() for raw in cast("list[bytes]", desk.redis.zrange("boss:unsure:c-1", 0, -1)))
