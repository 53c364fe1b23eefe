"""The random model notices by itself that a rule of the mailbox was taken away. The rules stand in `mutations.toml`."""

from __future__ import annotations

from typing import Final

import pytest
from redis import Redis

from tests.support.mailbox_schedules import walk, walk_with_tools
from tests.support.mailbox_state import ModelBroken
from tests.support.mutations import Broken, named, table

SEEDS: Final = range(1, 41)


def find_breach(redis: Redis, broken: Broken) -> None:
    """Walk until the model notices, or for all seeds; the one that noticed last time comes first."""
    for seed in (broken.walk, *SEEDS):
        walk(redis, seed, mutation=(broken.old, broken.new))


def find_breach_with_tools(redis: Redis, broken: Broken) -> None:
    """The same where the model calls tools."""
    for seed in (broken.tool_walk, *SEEDS):
        walk_with_tools(redis, seed, mutation=(broken.old, broken.new))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broken", named([broken for broken in table() if broken.walk]))
def test_a_rule_taken_away_is_noticed_by_random_schedules(redis: Redis, broken: Broken) -> None:
    """The model finds it by itself, within a few seeds."""
    with pytest.raises(ModelBroken):
        find_breach(redis, broken)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broken", named([broken for broken in table() if broken.tool_walk]))
def test_a_rule_of_turns_with_tools_taken_away_is_noticed_by_random_schedules(redis: Redis, broken: Broken) -> None:
    """The same where the model calls tools."""
    with pytest.raises(ModelBroken):
        find_breach_with_tools(redis, broken)
