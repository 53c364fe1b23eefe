"""Reminders under random schedules: each occurrence rings once, at its time, or is taken back; and the model notices a rule taken away."""

from __future__ import annotations

import os
import random
from typing import Any, Final

import pytest
from redis import Redis

from tests.chaos.table import FULL
from tests.support.mailbox_state import ModelBroken
from tests.support.mutations import Broken, table
from tests.support.reminder_model import walk

SOAK: Final = int(os.environ.get("BOSSLINE_MODEL_EXAMPLES", "0"))
WALKS: Final = SOAK or (200 if FULL else 12)
SEEDS: Final = 40
NOTICED: Final = {
    "an erased person's reminder does not ring": 5,
    "a firing raises the revision": 2,
    "a firing is of one revision": 20,
    "† what was read by a clock ahead does not ring": 3,
    "the next one lies ahead": 1,
    "nothing rings for who opted out": 3,
    "nothing rings in a pause": 1,
    "nothing rings while the one before waits": 16,
    "what is held back is looked at again": 1,
    "a reading puts an alarm off": 1,
    "† an alarm that a stepped clock put off is set back": 3,
    "a move raises the revision": 2,
    "a moved reminder's message is taken back": 2,
    "what is cancelled is not said": 1,
    "what is taken back is not sent": 1,
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
def test_no_schedule_rings_twice_or_not_at_all(redis: Redis) -> None:
    """Set, moved, cancelled, read and fired by processes that die and repeat themselves, under a clock that steps."""
    start = random.SystemRandom().randrange(1 << 40) if SOAK else 1
    for seed in range(start, start + WALKS):
        try:
            walk(redis, seed)
        except AssertionError as error:
            error.add_note(f"walk(redis, {seed})")
            raise


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rule", broken())
def test_a_rule_of_reminders_taken_away_is_noticed_by_random_schedules(redis: Redis, rule: Broken) -> None:
    """Within a few seeds."""
    with pytest.raises(ModelBroken):
        walk_all(redis, rule)
