"""Random schedules from a seed: the same seed is the same schedule, which the tests of broken laws need."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, TypeVar

from redis import Redis

from shared.mailbox.calls import DayBounds
from tests.support.mailbox_environment import Environment
from tests.support.mailbox_state import LEASE, LIFE, Mutation
from tests.support.mailbox_tool_environment import ToolEnvironment

Moves = list[tuple[float, Callable[[], object]]]
"""What may happen, and how often."""
Walked = TypeVar("Walked", bound=Environment)
JUMPS: Final = (100, 600, 1_100, 5_000, 11_000, 21_000, 61_000, 600_000)
FATES: Final = (0, 0, 0, 0, 6, 7, 8, 9, 9, 10, 11)
STEPS: Final = 220
TIGHT: Final = DayBounds(tokens=320, turns=6, sender=240)
"""What a day has room for in a third of the schedules: a few questions."""
DOLLARS: Final = (DayBounds(day=300, own_day=220), DayBounds(day=400, month=450, own_month=300))
"""What days and months have room for in some others, in microdollars."""


def take_over(environment: Environment) -> None:
    """All holders freeze, their leases end, and after a second look a new worker takes the next turn."""
    environment.oracle.advance(LEASE + 1_000)
    environment.sweep()
    environment.oracle.advance(LIFE)
    environment.sweep()
    environment.start_job(-1)
    environment.step(-1)


def moves(environment: Environment, dice: random.Random) -> Moves:
    """What may happen, and how often."""
    roll = dice.randrange
    return [
        # Of twenty numbers, one is a message's that the reconciler brings: without a roll, so that the schedules stay what they were.
        (
            10,
            lambda: environment.write(
                dice.choice((0, 0, 0, 1, 1, 2)), roll(7), wake=dice.random() < 0.8, copied=environment.serial % 20 == 0
            ),
        ),
        (2, lambda: environment.deliver_again(roll(99))),
        (14, lambda: environment.start_job(roll(12))),
        (1, lambda: environment.lose_job(roll(12))),
        (1, lambda: environment.double_job(roll(12))),
        (60, lambda: environment.step(roll(4), dice.choice(FATES), heard=dice.random() < 0.9)),
        (2, lambda: environment.crash(roll(4))),
        (8, lambda: environment.sweep(dice.choice((0, 0, 2_000)))),
        (12, lambda: environment.oracle.advance(dice.choice(JUMPS[: dice.choice((4, 6, 7, 8))]))),
        (3, lambda: take_over(environment)),
        (2, lambda: environment.kill(roll(3))),
        (2, lambda: environment.bury(roll(3))),
        (4, lambda: environment.watch(dice.choice((4_000, 12_000)), roll(4))),
        (0.7, lambda: environment.step_back(dice.choice((3_000, 120_000)))),
        (5, lambda: environment.again(roll(15))),
        (3, lambda: environment.callback(roll(20), roll(4), with_ids=dice.random() < 0.7)),
        (0.2, lambda: environment.write(roll(3), 0, keyword="stop")),
        (0.4, lambda: environment.write(roll(3), 0, keyword="start")),
        (0.3, lambda: environment.opt_out(roll(3), out=True)),
        (1, lambda: environment.opt_out(roll(3), out=False)),
        (0.5, lambda: environment.pause(alarm=environment.serial % 2 == 0)),
        (3, environment.oracle.resume),
        (0.5, lambda: environment.oracle.hold(f"p-{roll(3)}")),
        (3, lambda: environment.oracle.let_go(f"p-{roll(3)}")),
        (3, lambda: environment.operate(roll(9), retry=dice.random() < 0.8)),
        (1, lambda: environment.hand_over(roll(20))),
    ]


def bounds_of(seed: int) -> DayBounds:
    """Tokens and turns in every third schedule, dollars in every sixth (1, 4, 13, 16, 25, ...): of months in the odd ones."""
    return TIGHT if seed % 3 == 0 else DOLLARS[seed % 2] if seed % 3 == 1 and seed % 4 < 2 else DayBounds()


def walk_with_tools(redis: Redis, seed: int, *, mutation: Mutation | None = None, steps: int = STEPS) -> ToolEnvironment:
    """The same where the model calls tools, and people are erased."""
    environment = ToolEnvironment(redis, mutation, same_bodies=False, bounds=bounds_of(seed))
    dice = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    choices = [
        *moves(environment, dice),
        (60, lambda: environment.step(dice.randrange(4), dice.choice(FATES), heard=dice.random() < 0.9)),
        (4, lambda: environment.crash(dice.randrange(4))),
        (4, lambda: environment.end_process(dice.randrange(3))),
        (0.6, lambda: environment.erase(dice.randrange(3))),
    ]
    return _walked(environment, dice, choices, steps)


def _walked(environment: Walked, dice: random.Random, choices: Moves, steps: int) -> Walked:
    for move in dice.choices([move for _, move in choices], [weight for weight, _ in choices], k=steps):
        move()
        environment.check()
    environment.settle()
    return environment


def walk(redis: Redis, seed: int, *, mutation: Mutation | None = None, steps: int = STEPS) -> Environment:
    """Make `steps` random moves, check the promises after each, and end with a quiet hour."""
    environment = Environment(redis, mutation, same_bodies=seed % 4 == 0, bounds=bounds_of(seed))
    dice = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    return _walked(environment, dice, moves(environment, dice), steps)
