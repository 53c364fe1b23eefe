"""kill -9 at every step of a turn: nothing lost, nothing sent twice, order kept, and the next line within the lease and 2 s.

Each worker holds one turn at a time, so that a death takes nothing else with it, and whoever dies is replaced. Conversations go
from death to death: a message, the death, a second message before the recovery, both answered, and the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.steps import AFTER_SIGTERM, BLANK, STEPS, SWEEP, TRUTHFUL, Step, Strikes
from tests.chaos.table import FULL, Table
from tests.support.keeper import Keeper
from tests.support.plans import Plans
from tests.support.whole import Whole

RUNS: Final = 50 if FULL else 2
CONVERSATIONS: Final = 48 if FULL else 16
AT_ONCE: Final = 24 if FULL else 16
WORKERS: Final = 8 if FULL else 6
UNKNOWN: Final = ("reply stored, leave given", "request under way", "answered, not recorded")
"""The steps after which an attempt's outcome is not known."""

pytestmark = pytest.mark.timeout(600 if FULL else 120)


@pytest.fixture
def strikes(whole: Whole, tmp_path: Path) -> Iterator[Strikes]:
    """Workers that die as planned, and are replaced."""
    with Keeper(whole, WORKERS, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1", SENDER_TURNS_PER_HOUR="10000"):
        yield Strikes(whole, Plans(tmp_path))


def _many(strikes: Strikes, name: str, *steps: Step) -> None:
    strikes.run(name, steps, runs=RUNS, conversations=CONVERSATIONS, at_once=AT_ONCE)


def test_a_kill_at_any_step_of_a_turn_loses_nothing_doubles_nothing_and_costs_a_lease(whole: Whole, strikes: Strikes, table: Table) -> None:
    """No status callback, and Twilio's list late: what became of an attempt only a look can tell, or SendGrid's event."""
    whole.sandbox.knobs(**TRUTHFUL)
    _many(strikes, "killed", *STEPS, *AFTER_SIGTERM)
    _many(strikes, "killed", *SWEEP)
    strikes.enter(table)


def test_with_nothing_to_tell_what_became_of_an_attempt_there_is_one_second_copy_at_most_and_it_is_marked(
    whole: Whole, strikes: Strikes, table: Table
) -> None:
    """No callback, no event, and a list that shows nothing."""
    whole.sandbox.knobs(**BLANK)
    _many(strikes, "killed, list blank", *(step for step in STEPS if step.name in UNKNOWN))
    strikes.enter(table, most_marked=1)
