"""No sender, and no flood, keeps the others from their turn: the share of turns at once, and the bounds on what waits."""

from __future__ import annotations

from shared.mailbox import calls
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, SHARE

OTHER, THIRD = "c-2", "c-3"


def fill(driver: MailboxDriver) -> None:
    """One sender with messages in three conversations, one of which has the sender's only place."""
    for conv in (C, OTHER, THIRD):
        driver.accept(f"m-{conv}", conv=conv)
        driver.advance(1)
    assert driver.claim("k1", share=SHARE).outcome == "taken"


def test_a_sender_has_no_more_turns_at_once_than_its_share(driver: MailboxDriver) -> None:
    """The next conversation waits, without a lease, and is looked at again when the first lease ends."""
    fill(driver)
    assert driver.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"
    assert driver.state(f"m-{OTHER}") == "pending"
    assert 0 < (driver.due(OTHER) or 0) <= LEASE


def test_a_place_that_becomes_free_goes_to_who_waited_first(driver: MailboxDriver) -> None:
    """It is looked at now; the one behind it goes on waiting."""
    fill(driver)
    for token, conv in (("k2", OTHER), ("k3", THIRD), ("k4", OTHER)):
        assert driver.claim(token, conv=conv, share=SHARE).outcome == "busy"
        driver.advance(1)
    driver.finish("k1")
    assert driver.due(OTHER) == 0
    assert (driver.due(THIRD) or 0) > 0
    assert driver.claim("k5", conv=OTHER, share=SHARE).outcome == "taken"
    assert driver.claim("k6", conv=THIRD, share=SHARE).outcome == "busy"


def test_a_backoff_frees_its_sender_s_place(driver: MailboxDriver) -> None:
    """Who waits for a provider does not hold a place meanwhile."""
    fill(driver)
    driver.claim("k2", conv=OTHER, share=SHARE)
    driver.backoff("k1", 60_000)
    assert driver.due(OTHER) == 0
    assert driver.claim("k3", conv=OTHER, share=SHARE).outcome == "taken"


def test_a_dead_holder_s_place_is_free_when_its_lease_ends(driver: MailboxDriver) -> None:
    """A worker that was killed keeps its sender's place no longer than its conversation."""
    fill(driver)
    assert driver.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"
    driver.advance(LEASE)
    assert driver.claim("k3", conv=OTHER, share=SHARE).outcome == "taken"


def test_a_renewed_lease_keeps_its_place(driver: MailboxDriver) -> None:
    """A turn that lasts longer than a lease does not let a second one in."""
    fill(driver)
    driver.advance(LEASE - 1)
    driver.renew("k1")
    driver.advance(LEASE - 1)
    assert driver.claim("k2", conv=OTHER, share=SHARE).outcome == "busy"


def test_a_place_is_not_lost_on_a_conversation_that_has_nothing_left(driver: MailboxDriver) -> None:
    """Its message was handed over while it waited: the next one in line gets the place."""
    fill(driver)
    for token, conv in (("k2", OTHER), ("k3", THIRD)):
        assert driver.claim(token, conv=conv, share=SHARE).outcome == "busy"
        driver.advance(1)
    driver.run(calls.hand_over(f"m-{OTHER}", retention_ms=RETENTION))
    driver.finish("k1")
    assert driver.due(THIRD) == 0


def test_a_place_is_passed_on_by_a_conversation_that_may_not_begin_yet(driver: MailboxDriver) -> None:
    """Handed the place during a backoff of its own, it waits for that, and the next in line begins."""
    fill(driver)
    for token, conv in (("k2", OTHER), ("k3", THIRD)):
        driver.claim(token, conv=conv, share=SHARE)
        driver.advance(1)
    driver.finish("k1")
    driver.redis.hset(f"boss:conv:{OTHER}", mapping={"not_before": driver.now + 9_000, "wait": 9_000})
    assert driver.claim("k4", conv=OTHER, share=SHARE).outcome == "early"
    assert driver.due(THIRD) == 0


def test_a_full_mailbox_takes_nothing_and_changes_nothing(driver: MailboxDriver) -> None:
    """What is known, what only opts out, and what is refused anyway get their usual answers."""
    assert driver.accept("m-1", most=2).outcome == "accepted"
    assert driver.accept("m-2", most=2).outcome == "accepted"
    assert driver.accept("m-3", most=2).outcome == "full"
    assert driver.state("m-3") == ""
    assert driver.inbox() == ["m-1", "m-2"]
    assert driver.accept("m-2", most=2).outcome == "duplicate"
    assert driver.accept("m-4", most=2, keyword="stop").reason == "opt_out"


def test_a_message_that_was_answered_makes_room(driver: MailboxDriver) -> None:
    """However it ended; and the message that found no room is a new one when it comes again."""
    driver.accept("m-1", most=1)
    assert driver.accept("m-2", most=1).outcome == "full"
    driver.taken("k1")
    driver.finish("k1")
    assert driver.accept("m-2", most=1).outcome == "accepted"


def test_a_hundred_texts_that_wait_are_one_turn_and_the_next_one_another(driver: MailboxDriver) -> None:
    """Texts join the turn that waits, and so are not counted against the rate; but not without end."""
    for number in range(calls.MAX_TEXTS_PER_TURN):
        assert driver.accept(f"m-{number}", limit=1).outcome == "accepted"
    assert driver.accept("m-more", limit=1).reason == "rate_limited"
