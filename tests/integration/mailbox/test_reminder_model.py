"""Reminders under random schedules: each occurrence rings once, at its time, or is taken back; and the model notices a rule taken away."""

from __future__ import annotations

from typing import Final

import pytest
from redis import Redis

from tests.support.mutations import Broken
from tests.support.random_schedules import SOAK, hold, notice, rules
from tests.support.reminder_model import walk

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


@pytest.mark.timeout(300 + SOAK)
def test_no_schedule_rings_twice_or_not_at_all(redis: Redis) -> None:
    """Set, moved, cancelled, read and fired by processes that die and repeat themselves, under a clock that steps."""
    hold(walk, redis)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("rule", "seed"), rules(NOTICED))
def test_a_rule_of_reminders_taken_away_is_noticed_by_random_schedules(redis: Redis, rule: Broken, seed: int) -> None:
    """Within a few seeds."""
    notice(walk, redis, rule, seed)
