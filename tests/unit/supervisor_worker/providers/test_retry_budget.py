"""The retry budget: retries stay a tenth of the requests, a few are always there, and a provider that is well is not held back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.providers.retry_budget import (
    MAX_TOKENS,
    REFUND_AFTER,
    RETRIES_PER_MINUTE,
    TOKENS_PER_FIRST_REQUEST,
    UNLIMITED_AFTER,
    RetryBudget,
)


class Clock:
    """Time in the hand, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def retries(budget: RetryBudget, most: int = 1000) -> int:
    """How many are allowed now."""
    return next((number for number in range(most) if not budget.take()), most)


def test_a_small_installation_can_always_retry_a_few_times_a_minute() -> None:
    """Ten at once, and ten within every minute, whatever the traffic."""
    clock = Clock()
    budget = RetryBudget(clock)
    assert retries(budget) == RETRIES_PER_MINUTE
    clock.now += 30
    assert retries(budget) == RETRIES_PER_MINUTE / 2
    clock.now += 3600
    assert retries(budget) == RETRIES_PER_MINUTE


def test_ten_first_requests_pay_for_one_retry_up_to_a_bound() -> None:
    """A quiet day does not save up a storm."""
    budget = RetryBudget(Clock())
    retries(budget)
    for _ in range(35):
        budget.first()
    assert retries(budget) == 3
    for _ in range(100_000):
        budget.first()
    assert retries(budget) == MAX_TOKENS


def test_a_retry_that_was_not_made_is_given_back() -> None:
    """It asked nobody."""
    budget = RetryBudget(Clock())
    for _ in range(100):
        assert budget.take()
        budget.give_back()
    assert retries(budget) == RETRIES_PER_MINUTE


def test_a_provider_that_is_well_is_not_held_back_until_it_fails_again() -> None:
    """What waited goes out at once when an outage is over."""
    budget = RetryBudget(Clock())
    retries(budget)
    for _ in range(UNLIMITED_AFTER - 1):
        budget.succeeded(retry=False)
    assert not budget.take()
    budget.succeeded(retry=False)
    assert retries(budget) == 1000
    budget.failed()
    assert retries(budget) == 0


def test_a_quiet_installation_is_well_again_within_a_few_retries() -> None:
    """Without new messages only the few of a minute are there: from the third that is taken on they pay for each other."""
    clock = Clock()
    budget = RetryBudget(clock)
    retries(budget)
    budget.failed()
    for _ in range(REFUND_AFTER):
        clock.now += 6
        assert budget.take()
        budget.succeeded(retry=True)
    for _ in range(UNLIMITED_AFTER):
        assert budget.take()
        budget.succeeded(retry=True)
    assert retries(budget) == 1000


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_while_half_of_the_requests_fail_there_are_at_most_1_2_for_each_message(share: float) -> None:
    """However eager the waiting turns are; and at no rate of failure more."""
    dice, clock, messages = random.Random(7), Clock(), 2_000  # noqa: S311 - a provider, no secret
    budget, waiting, requests = RetryBudget(clock), 0, 0

    def request(*, retry: bool) -> bool:
        failed = dice.random() < share
        if failed:
            budget.failed()
        else:
            budget.succeeded(retry=retry)
        return failed

    for _ in range(messages):
        clock.now += 0.05
        budget.first()
        requests += 1
        waiting += request(retry=False)
        while waiting and budget.take():
            requests += 1
            waiting -= not request(retry=True)
    assert requests <= 1.2 * messages
    share = 0.0
    for _ in range(600):
        clock.now += 0.1
        while waiting and budget.take():
            waiting -= not request(retry=True)
    assert waiting == 0


class FormulaOfTheRules:
    """The rules of the module's docstring as plain arithmetic, without a bucket."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.tokens, self.filled, self.in_a_row = clock, RETRIES_PER_MINUTE, clock(), 0

    def first(self) -> None:
        """A tenth of a token."""
        self.tokens = min(MAX_TOKENS, self.tokens + TOKENS_PER_FIRST_REQUEST)

    def take(self) -> bool:
        """A whole one."""
        missing = max(0.0, RETRIES_PER_MINUTE - self.tokens)
        self.tokens += min(missing, (self.clock() - self.filled) * RETRIES_PER_MINUTE / 60)
        self.filled = self.clock()
        if self.in_a_row >= UNLIMITED_AFTER:
            self.tokens = max(1.0, self.tokens)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        """It was not used."""
        self.tokens = min(MAX_TOKENS, self.tokens + 1)

    def succeeded(self) -> None:
        """A retry was accepted."""
        self.in_a_row += 1
        if self.in_a_row >= REFUND_AFTER:
            self.give_back()

    def failed(self) -> None:
        """The row of successes ends."""
        self.in_a_row = 0


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["first", "take", "take", "take", "give_back", "succeeded", "failed"]), st.sampled_from([0, 1, 6, 60])),
        max_size=200,
    )
)
def test_the_budget_is_what_its_rules_say(steps: list[tuple[str, float]]) -> None:
    """Step by step the same answers, whatever comes in which order."""
    clock = Clock()
    budget, formula = RetryBudget(clock), FormulaOfTheRules(clock)
    for step, seconds in steps:
        clock.now += seconds
        if step == "succeeded":
            budget.succeeded(retry=True)
            formula.succeeded()
        else:
            assert getattr(budget, step)() == getattr(formula, step)()
