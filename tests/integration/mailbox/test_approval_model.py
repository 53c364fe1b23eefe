"""Approvals under random schedules: taken once, called once for a yes and never without; and the model notices a rule taken away."""

from __future__ import annotations

import os
import random
from typing import Any, Final

import pytest
from redis import Redis

from tests.chaos.table import FULL
from tests.support.approval_model import walk
from tests.support.mailbox_state import ModelBroken
from tests.support.mutations import Broken, table

SOAK: Final = int(os.environ.get("BOSSLINE_MODEL_EXAMPLES", "0"))
WALKS: Final = SOAK or (200 if FULL else 12)
SEEDS: Final = 40
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


def broken() -> list[Any]:
    """Those rules, as parameters."""
    rules = {rule.promise: rule for rule in table()}
    return [pytest.param(rules[promise], id=promise) for promise in NOTICED]


def walk_all(redis: Redis, rule: Broken) -> None:
    """Until the model notices, or for so many seeds."""
    for seed in range(NOTICED[rule.promise], NOTICED[rule.promise] + SEEDS):
        walk(redis, seed, (rule.old, rule.new))


@pytest.mark.timeout(300 + SOAK)
def test_no_schedule_calls_without_a_yes_or_twice_for_one(redis: Redis) -> None:
    """Asked, sent, answered, taken and called by workers that die and repeat themselves, under a clock that steps."""
    start = random.SystemRandom().randrange(1 << 40) if SOAK else 1
    for seed in range(start, start + WALKS):
        try:
            walk(redis, seed)
        except AssertionError as error:
            error.add_note(f"walk(redis, {seed})")
            raise


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rule", broken())
def test_a_rule_of_approvals_taken_away_is_noticed_by_random_schedules(redis: Redis, rule: Broken) -> None:
    """Within a few seeds."""
    with pytest.raises(ModelBroken):
        walk_all(redis, rule)
