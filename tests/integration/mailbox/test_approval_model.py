"""Approvals under random schedules: taken once, called once for a yes and never without; and the model notices a rule taken away."""

from __future__ import annotations

from typing import Final

import pytest
from redis import Redis

from tests.support.approval_model import walk
from tests.support.mutations import Broken
from tests.support.random_schedules import SOAK, hold, notice, rules

NOTICED: Final = {
    "† what was asked about is called once": 1,
    "a bare word is about the last attempt": 2,
    "who names the code has read an earlier attempt": 3,
    "a bare word is to nothing once the person has said something else": 4,
    "a bare word is to the newest thing that we said": 2,
    "an answer that is late calls nothing": 2,
    "STOP ends what waits": 17,
    "a pause of the person ends what waits": 2,
    "a new chat ends what waits in it": 14,
    "who names the code of what was withdrawn is told so, a bare word is an ordinary one": 7,
    "a newer question about the same ends the older one": 1,
    "a newer question about something else ends nothing": 3,
    "a mail answers by its code": 1,
}
"""The rules of the table that random schedules notice as well, each with the seed that does so soonest."""


@pytest.mark.timeout(300 + SOAK)
def test_no_schedule_calls_without_a_yes_or_twice_for_one(redis: Redis) -> None:
    """Asked, sent, answered, taken and called by workers that die and repeat themselves, under a clock that steps."""
    hold(walk, redis)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("rule", "seed"), rules(NOTICED))
def test_a_rule_of_approvals_taken_away_is_noticed_by_random_schedules(redis: Redis, rule: Broken, seed: int) -> None:
    """Within a few seeds."""
    notice(walk, redis, rule, seed)
