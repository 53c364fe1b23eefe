"""No sender, and no flood, keeps the others from their turn: the share of turns at once, and the bounds on what waits."""

from __future__ import annotations

from shared.mailbox import calls
from tests.integration.mailbox_books import LEASE, RETENTION, SHARE
from tests.integration.mailbox_desk import C, Desk

OTHER, THIRD = "c-2", "c-3"


def fill(desk: Desk) -> None:
    """One sender with messages in three conversations, one of which has the sender's only place."""
    for conv in (C, OTHER, THIRD):
        desk.accept(f"m-{conv}", conv=conv)
        desk.advance(1)
    assert desk.claim("k1", share=SHARE).outcome == "taken"


def test_a_sender_has_no_more_turns_at_once_than_its_share(desk: Desk) -> None:
    """The next conversation waits, without a lease, and is looked at again when the first lease ends."""
    fill(desk)
    assert desk.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"
    assert desk.state(f"m-{OTHER}") == "pending"
    assert 0 < (desk.due(OTHER) or 0) <= LEASE


def test_a_place_that_becomes_free_goes_to_who_waited_first(desk: Desk) -> None:
    """It is looked at now; the one behind it goes on waiting."""
    fill(desk)
    for token, conv in (("k2", OTHER), ("k3", THIRD), ("k4", OTHER)):
        assert desk.claim(token, conv=conv, share=SHARE).outcome == "busy"
        desk.advance(1)
    desk.finish("k1")
    assert desk.due(OTHER) == 0
    assert (desk.due(THIRD) or 0) > 0
    assert desk.claim("k5", conv=OTHER, share=SHARE).outcome == "taken"
    assert desk.claim("k6", conv=THIRD, share=SHARE).outcome == "busy"


def test_a_backoff_frees_its_sender_s_place(desk: Desk) -> None:
    """Who waits for a provider does not hold a place meanwhile."""
    fill(desk)
    desk.claim("k2", conv=OTHER, share=SHARE)
    desk.backoff("k1", 60_000)
    assert desk.due(OTHER) == 0
    assert desk.claim("k3", conv=OTHER, share=SHARE).outcome == "taken"


def test_a_dead_holder_s_place_is_free_when_its_lease_ends(desk: Desk) -> None:
    """A worker that was killed keeps its sender's place no longer than its conversation."""
    fill(desk)
    assert desk.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"
    desk.advance(LEASE)
    assert desk.claim("k3", conv=OTHER, share=SHARE).outcome == "taken"


def test_a_renewed_lease_keeps_its_place(desk: Desk) -> None:
    """A turn that lasts longer than a lease does not let a second one in."""
    fill(desk)
    desk.advance(LEASE - 1)
    desk.renew("k1")
    desk.advance(LEASE - 1)
    assert desk.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"


def test_a_place_is_not_lost_on_a_conversation_that_has_nothing_left(desk: Desk) -> None:
    """Its message was handed over while it waited: the next one in line gets the place."""
    fill(desk)
    for token, conv in (("k2", OTHER), ("k3", THIRD)):
        assert desk.claim(token, conv=conv, share=SHARE).outcome == "busy"
        desk.advance(1)
    desk.run(calls.hand_over(f"m-{OTHER}", retention_ms=RETENTION))
    desk.finish("k1")
    assert desk.due(THIRD) == 0


def test_a_place_is_passed_on_by_a_conversation_that_may_not_begin_yet(desk: Desk) -> None:
    """Handed the place during a backoff of its own, it waits for that, and the next in line begins."""
    fill(desk)
    for token, conv in (("k2", OTHER), ("k3", THIRD)):
        desk.claim(token, conv=conv, share=SHARE)
        desk.advance(1)
    desk.finish("k1")
    desk.redis.hset(f"boss:conv:{OTHER}", mapping={"not_before": desk.now + 9_000, "wait": 9_000})
    assert desk.claim("k4", conv=OTHER, share=SHARE).outcome == "early"
    assert desk.due(THIRD) == 0


def test_a_full_mailbox_takes_nothing_and_changes_nothing(desk: Desk) -> None:
    """What is known, what only opts out, and what is refused anyway get their usual answers."""
    assert desk.accept("m-1", most=2).outcome == "accepted"
    assert desk.accept("m-2", most=2).outcome == "accepted"
    assert desk.accept("m-3", most=2).outcome == "full"
    assert desk.state("m-3") == ""
    assert desk.inbox() == ["m-1", "m-2"]
    assert desk.accept("m-2", most=2).outcome == "duplicate"
    assert desk.accept("m-4", most=2, keyword="stop").reason == "opt_out"


def test_a_message_that_was_answered_makes_room(desk: Desk) -> None:
    """However it ended; and the message that found no room is a new one when it comes again."""
    desk.accept("m-1", most=1)
    assert desk.accept("m-2", most=1).outcome == "full"
    desk.taken("k1")
    desk.finish("k1")
    assert desk.accept("m-2", most=1).outcome == "accepted"


def test_a_hundred_texts_that_wait_are_one_turn_and_the_next_one_another(desk: Desk) -> None:
    """Texts join the turn that waits, and so are not counted against the rate; but not without end."""
    for number in range(calls.MAX_TEXTS_PER_TURN):
        assert desk.accept(f"m-{number}", limit=1).outcome == "accepted"
    assert desk.accept("m-more", limit=1).reason == "rate_limited"
