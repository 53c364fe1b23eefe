"""kill -9 at every step of a turn: nothing lost, nothing sent twice, order kept, and the next line within seconds.

Each worker holds one turn at a time, so that a death takes nothing else with it, and whoever dies is replaced. Conversations go
from death to death: a message, the death, a second message before the recovery, both answered, and the next.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from shared.config.settings import Settings
from tests.chaos.steps import AFTER_SIGTERM, BLANK, STEPS, SWEEP, TRUTHFUL, UNKNOWN, Step, Strikes
from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person
from tests.support.outcome_check import Death, Said, judge, recoveries
from tests.support.process_supervisor import ProcessSupervisor

RUNS: Final = 50 if FULL else 1
CONVERSATIONS: Final = 48 if FULL else 16
AT_ONCE: Final = 20 if FULL else 16
WORKERS: Final = 12 if FULL else 8
DEFAULT_LEASE_TEST: Final = "at_the_default_lease"
TAKEN_OVER: Final = 8.0
"""Seconds after a kill at the default times, wherever it strikes and whoever notices it."""
LOOKED_UP: Final = 25.0
"""Where a request had left."""
RUNS_AT_DEFAULTS: Final = 3

pytestmark = pytest.mark.timeout(600 if FULL else 120)


@dataclass(frozen=True)
class Waiting:
    """A conversation at the default times, whose worker was killed at `killed_ms` of the server's time."""

    installation: Installation
    person: Person
    conversation: str
    killed_ms: int


@pytest.fixture(scope="module", autouse=True)
def waiting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting | None]:
    """The minute that the default lease takes begins before all other tests and passes beside them."""
    if not any(DEFAULT_LEASE_TEST in item.name for item in request.session.items):
        yield None
        return
    fault_plan = FaultPlan(tmp_path_factory.mktemp("plans"))
    with Installation(times={}, CRASH_DIR=str(fault_plan.directory)) as installation:
        installation.fork(2)
        installation.sandbox.faults(anthropic={"latency_seconds": 5})
        person = installation.person()
        installation.text(person, "patience")
        installation.wait_for_questions(person)
        killed_ms = installation.now_ms()
        os.kill(fault_plan.holder(installation.conversation(person)), signal.SIGKILL)
        installation.sandbox.faults(anthropic={"latency_seconds": 0})
        yield Waiting(installation, person, installation.conversation(person), killed_ms)


@pytest.fixture
def strikes(installation: Installation, tmp_path: Path) -> Iterator[Strikes]:
    """Workers that die as planned, and are replaced."""
    with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1"):
        yield Strikes(installation, FaultPlan(tmp_path))


def _many(strikes: Strikes, name: str, *steps: Step) -> None:
    strikes.run(name, steps, runs=RUNS, conversations=CONVERSATIONS, at_once=AT_ONCE)


def test_a_kill_at_any_step_of_a_turn_loses_nothing_doubles_nothing_and_costs_a_lease(
    installation: Installation, strikes: Strikes, table: Table
) -> None:
    """No status callback, and Twilio's list late: what became of an attempt only a look can tell, or SendGrid's event."""
    installation.sandbox.faults(**TRUTHFUL)
    _many(strikes, "killed", *STEPS, *AFTER_SIGTERM)
    _many(strikes, "killed", *SWEEP)
    strikes.enter(table)


def test_with_nothing_to_tell_what_became_of_an_attempt_there_is_one_second_copy_at_most_and_it_is_marked(
    installation: Installation, strikes: Strikes, table: Table
) -> None:
    """No callback, no event, and a list that shows nothing."""
    installation.sandbox.faults(**BLANK)
    _many(strikes, "killed, list blank", *(step for step in STEPS if step.name in UNKNOWN))
    strikes.enter(table, most_marked=1)


@pytest.mark.skipif(not FULL, reason="make chaos: the product's own waits, step by step")
def test_at_the_default_times_nobody_waits_for_more_than_8_seconds_or_25_where_a_request_had_left(table: Table, tmp_path: Path) -> None:
    """Whoever dies is on a host of its own: only its silence tells."""
    with Installation(times={}) as installation:
        installation.sandbox.faults(**TRUTHFUL)
        with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), CRASH_APART="1", WORKER_CONCURRENCY="1"):
            time.sleep(9)  # since the first look: before it no silence counts
            strikes = Strikes(installation, FaultPlan(tmp_path), most=TAKEN_OVER, most_asked=LOOKED_UP, patience=150)
            name = "killed at the default times, another host"
            strikes.run(name, [*STEPS, *AFTER_SIGTERM], runs=RUNS_AT_DEFAULTS, conversations=CONVERSATIONS, at_once=WORKERS // 2)
            strikes.enter(table)


def test_at_the_default_lease_the_next_line_comes_within_8_seconds(waiting: Waiting, table: Table) -> None:
    """Killed while Claude thinks; a worker beside it takes over, long before the lease ends."""
    fault, lease = "killed at the default lease", Settings.model_fields["lease_seconds"].default
    assert lease == 60
    waiting.installation.wait_for_lines(waiting.conversation, "answered", seconds=75)
    waiting.installation.quiet()
    seen = judge(waiting.installation, [Said(waiting.person, "sms", "patience", fault)])[fault]
    ((_, seconds),) = recoveries(waiting.installation, [Death(fault, waiting.conversation, waiting.killed_ms)])
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, recoveries=[seconds], details=seen.details)
    assert seconds <= TAKEN_OVER
