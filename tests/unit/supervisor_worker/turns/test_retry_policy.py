"""How often and how long a message is tried."""

from __future__ import annotations

import random

import pytest

from shared.config.loading import load_settings
from shared.mailbox.records import Message, MessageState
from supervisor_worker.turns import retry_policy

SETTINGS = load_settings(sandbox="on")


def message(errors: int = 0, lost: int = 0) -> Message:
    return Message("m-1", "c-1", "text", MessageState.IN_TURN, errors=errors, lost=lost)


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest wait that the jitter allows."""
    monkeypatch.setattr(random, "random", lambda: 1.0)


@pytest.mark.usefixtures("most")
def test_each_error_of_a_message_waits_longer_than_the_one_before() -> None:
    """2, 5, 15, 45 s at the default lease."""
    waits = [retry_policy.counted_wait_ms([message(errors=errors)], SETTINGS) for errors in range(4)]
    assert waits == [2000, 5000, 15_000, 45_000]


def test_the_fifth_error_and_the_sixth_lost_lease_end_it() -> None:
    """A message with four errors has one try left."""
    assert [retry_policy.last_error([message(errors=errors)]) for errors in (3, 4)] == [False, True]
    assert retry_policy.exhausted([message(errors=4, lost=5)]) == ""
    assert retry_policy.exhausted([message(), message(errors=5)]) == "too_many_errors"
    assert retry_policy.exhausted([message(lost=6)]) == "too_many_lost_leases"


@pytest.mark.usefixtures("most")
def test_an_outage_waits_longer_the_older_the_message_is_up_to_a_cap() -> None:
    """A quarter of the age, at least 2 s, at most 60 s: no counter is needed."""
    assert [retry_policy.outage_wait_ms(age, None, SETTINGS) for age in (0, 8000, 40_000, 3_600_000)] == [2000, 2000, 10_000, 60_000]


@pytest.mark.usefixtures("most")
def test_a_retry_after_is_honoured_up_to_a_cap() -> None:
    """Never earlier than asked, never later than five minutes (and the jitter)."""
    assert retry_policy.outage_wait_ms(0, 20.0, SETTINGS) == 22_000
    assert retry_policy.outage_wait_ms(0, 4_294_967.0, SETTINGS) == 302_000
    assert retry_policy.outage_wait_ms(0, -5.0, SETTINGS) == 2000


@pytest.mark.usefixtures("most")
def test_waits_shrink_with_the_lease() -> None:
    """A test with a lease of 3 s waits a twentieth."""
    short = load_settings(sandbox="on", lease_seconds=3, send_timeout_seconds=1)
    assert retry_policy.counted_wait_ms([message()], short) == 100


def test_the_patience_of_an_outage_is_the_setting() -> None:
    """ANSWER_WITHIN_MINUTES, 60 by default."""
    assert [retry_policy.outage_over(age, SETTINGS) for age in (3_600_000, 3_600_001)] == [False, True]


def test_the_greatest_age_of_an_answer_is_the_setting() -> None:
    """ANSWER_AT_MOST_HOURS, 24 by default."""
    assert [retry_policy.too_old(age, SETTINGS) for age in (86_400_000, 86_400_001)] == [False, True]


@pytest.mark.usefixtures("most")
def test_no_wait_that_is_asked_for_breaks_the_count_or_stalls_a_conversation() -> None:
    """Endless, absurd or none: at most the cap."""
    waits = [retry_policy.outage_wait_ms(0, asked, SETTINGS) for asked in (float("inf"), 1e308, float("nan"))]
    assert waits == [302_000, 302_000, 2000]
