"""The heart against its law: random schedules of everything that can go wrong, and the promises that hold all the same.

`make chaos` walks longer; `BOSSLINE_MODEL_EXAMPLES=5000` makes a soak of it, with new schedules every time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from tests.chaos.table import FULL
from tests.support.mailbox_environment import Environment
from tests.support.mailbox_schedules import FATES, JUMPS, take_over, walk, walk_with_tools
from tests.support.mailbox_tool_environment import ToolEnvironment

SOAK: Final = int(os.environ.get("BOSSLINE_MODEL_EXAMPLES", "0"))
EXAMPLES: Final = SOAK or (250 if FULL else 30)
WALKS: Final = SOAK // 2 or (125 if FULL else 6)
some = st.integers(0, 11)


class Heart(RuleBasedStateMachine):
    """The moves of `Environment` as rules, which hypothesis combines, and shrinks when a promise breaks."""

    environment: Environment

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.world = Environment(redis)

    @rule(conv=st.integers(0, 2), kind=st.integers(0, 6), wake=st.booleans())
    def write(self, conv: int, kind: int, *, wake: bool) -> None:
        """A message."""
        self.world.write(conv, kind, wake=wake)

    @rule(conv=st.integers(0, 2))
    def bring_back(self, conv: int) -> None:
        """A text that no webhook brought, and that may have been answered before."""
        self.world.write(conv, 0, copied=True)

    @precondition(lambda self: self.world.inbound)
    @rule(which=some)
    def deliver_again(self, which: int) -> None:
        """The same message."""
        self.world.deliver_again(which)

    @precondition(lambda self: self.world.jobs)
    @rule(which=some)
    def start_job(self, which: int) -> None:
        """A worker takes a job."""
        self.world.start_job(which)

    @precondition(lambda self: self.world.jobs)
    @rule(which=some, lost=st.booleans())
    def unreliable_queue(self, which: int, *, lost: bool) -> None:
        """RQ loses a job, or runs it twice."""
        (self.world.lose_job if lost else self.world.double_job)(which)

    @precondition(lambda self: self.world.workers)
    @rule(which=st.integers(0, 3), fate=st.sampled_from(FATES), heard=st.sampled_from((True, True, True, False)))
    def step(self, which: int, fate: int, *, heard: bool) -> None:
        """One step of a worker."""
        self.world.step(which, fate, heard=heard)

    @precondition(lambda self: self.world.workers)
    @rule(which=st.integers(0, 3), fates=st.lists(st.sampled_from(FATES), min_size=2, max_size=6))
    def steps(self, which: int, fates: list[int]) -> None:
        """Some steps of one worker."""
        for fate in fates:
            self.world.step(which, fate)

    @precondition(lambda self: self.world.workers)
    @rule(which=st.integers(0, 3))
    def crash(self, which: int) -> None:
        """A kill -9."""
        self.world.crash(which)

    @rule(oldest_wait=st.sampled_from((0, 2_000)))
    def sweep(self, oldest_wait: int) -> None:
        """A tick."""
        self.world.sweep(oldest_wait)

    @rule(ms=st.sampled_from(JUMPS))
    def advance(self, ms: int) -> None:
        """Time passes."""
        self.world.oracle.advance(ms)

    @rule(which=st.integers(0, 2), noticed=st.booleans())
    def kill(self, which: int, *, noticed: bool) -> None:
        """A process is killed, and its host may notice."""
        self.world.kill(which)
        if noticed:
            self.world.bury(-1)

    @rule(ms=st.sampled_from((4_000, 12_000)), silent=st.integers(0, 3))
    def watch(self, ms: int, silent: int) -> None:
        """Time passes; one process, or none, stands still."""
        self.world.watch(ms, silent)

    @rule(ms=st.sampled_from((3_000, 120_000)))
    def step_back(self, ms: int) -> None:
        """The server's clock goes back."""
        self.world.step_back(ms)

    @precondition(lambda self: self.world.workers)
    @rule()
    def take_over(self) -> None:
        """Leases end while their holders are frozen."""
        take_over(self.world)

    @precondition(lambda self: self.world.done)
    @rule(which=st.integers(0, 14))
    def again(self, which: int) -> None:
        """A call is repeated."""
        self.world.again(which)

    @precondition(lambda self: self.world.log)
    @rule(which=some, state=st.integers(0, 3), with_ids=st.booleans())
    def callback(self, which: int, state: int, *, with_ids: bool) -> None:
        """The provider reports."""
        self.world.callback(which, state, with_ids=with_ids)

    @rule(conv=st.integers(0, 2), out=st.sampled_from((False, True)))
    def opt(self, conv: int, *, out: bool) -> None:
        """The user opts out or in."""
        self.world.opt_out(conv, out=out)

    @rule(paused=st.sampled_from((False, False, True)), alarm=st.booleans())
    def pause(self, *, paused: bool, alarm: bool) -> None:
        """The operator pauses or resumes; an alarm pauses."""
        if paused:
            self.world.pause(alarm=alarm)
        else:
            self.world.oracle.resume()

    @rule(conv=st.integers(0, 2), paused=st.sampled_from((False, False, True)))
    def pause_one(self, conv: int, *, paused: bool) -> None:
        """The operator pauses or resumes one user."""
        (self.world.oracle.hold if paused else self.world.oracle.let_go)(f"p-{conv}")

    @rule(which=some, retry=st.booleans())
    def operate(self, which: int, *, retry: bool) -> None:
        """The operator retries or discards."""
        self.world.operate(which, retry=retry)

    @rule(which=some)
    def hand_over(self, which: int) -> None:
        """An old bridge client takes one over."""
        self.world.hand_over(which)

    @invariant()
    def promises(self) -> None:
        """After every step."""
        self.world.check()

    def teardown(self) -> None:
        """After every schedule, a quiet hour."""
        self.world.settle()


class HeartWithTools(Heart):
    """The same where the model calls tools, and people are erased."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.world: ToolEnvironment = ToolEnvironment(redis)

    @precondition(lambda self: self.world.workers)
    @rule(which=st.integers(0, 3), fates=st.lists(st.sampled_from(FATES), min_size=3, max_size=8), heard=st.booleans())
    def turn_with_tools(self, which: int, fates: list[int], *, heard: bool) -> None:
        """Some steps of one worker, of which the last answer may be lost."""
        for fate in fates[:-1]:
            self.world.step(which, fate)
        self.world.step(which, fates[-1], heard=heard)

    @rule(conv=st.integers(0, 2))
    def erase(self, conv: int) -> None:
        """An erasure begins."""
        self.world.erase(conv)


def run_schedules(machine: type[Heart], redis: Redis, examples: int) -> None:
    """Have hypothesis walk on this test's server."""

    class Here(machine):  # type: ignore[misc,valid-type]
        """On this test's server."""

        def __init__(self) -> None:
            super().__init__(redis)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples, stateful_step_count=80, derandomize=not SOAK, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.timeout(600 + SOAK)
def test_no_schedule_breaks_a_promise(redis: Redis) -> None:
    """Nothing lost, nothing twice unmarked, no order broken, no conversation stuck: for whatever hypothesis thinks of."""
    run_schedules(Heart, redis, EXAMPLES)


@pytest.mark.timeout(600 + SOAK)
def test_no_schedule_of_turns_with_tools_breaks_a_promise(redis: Redis) -> None:
    """Each effect once and told of by its result, a call outside once, no stored answer lost, nothing stored for who was erased."""
    run_schedules(HeartWithTools, redis, EXAMPLES // 3)


@pytest.mark.timeout(600 + SOAK)
@pytest.mark.parametrize("walks", [walk, walk_with_tools])
def test_no_long_walk_breaks_a_promise(redis: Redis, walks: Callable[[Redis, int], object]) -> None:
    """The same promises over longer schedules, in which backlogs, losses and retries add up."""
    start = random.SystemRandom().randrange(1 << 40) if SOAK else 1
    for seed in range(start, start + WALKS):
        try:
            walks(redis, seed)
        except AssertionError as error:
            error.add_note(f"{walks.__name__}(redis, {seed})")
            raise
