"""Random schedules of a model beside the scripts: they hold, and notice a rule that is taken away.

BOSSLINE_MODEL_EXAMPLES=N walks N schedules that nobody has walked before.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from redis import Redis

from tests.chaos.table import FULL
from tests.support.mailbox_state import ModelBroken
from tests.support.mutations import Broken, table

SOAK: Final = int(os.environ.get("BOSSLINE_MODEL_EXAMPLES", "0"))
WALKS: Final = SOAK or (200 if FULL else 12)
SEEDS: Final = 40
Walk = Callable[..., object]
"""Takes the server, a seed, and the text of a rule with what stands in its place."""


def hold(walk: Walk, redis: Redis) -> None:
    """No schedule breaks a promise; an AssertionError names its seed."""
    start = random.SystemRandom().randrange(1 << 40) if SOAK else 1
    for seed in range(start, start + WALKS):
        try:
            walk(redis, seed)
        except AssertionError as error:
            error.add_note(f"walk(redis, {seed})")
            raise


def rules(noticed: Mapping[str, int]) -> list[Any]:
    """The rules of these promises as parameters, each with the seed that notices it."""
    found = {rule.promise: rule for rule in table()}
    return [pytest.param(found[promise], seed, id=promise) for promise, seed in noticed.items()]


def notice(walk: Walk, redis: Redis, rule: Broken, first: int) -> None:
    """Without the rule the model finds a breach within a few seeds; an exception of pytest's says that it does not."""

    def walk_on() -> None:
        for seed in range(first, first + SEEDS):
            walk(redis, seed, (rule.old, rule.new))

    with pytest.raises(ModelBroken):
        walk_on()
