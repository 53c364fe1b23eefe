"""A worker that stands still at any step of a turn, longer than its life, and comes back in the middle of another's: it changes nothing.

Others take the conversation over and answer; then the frozen one goes on where it was, while the next turn is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.steps import STEPS, SWEEP, TRUTHFUL, Strikes
from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, in_threads
from tests.support.outcome_check import Said, judge
from tests.support.process_supervisor import ProcessSupervisor

RUNS: Final = 10 if FULL else 1
AT_ONCE: Final = 10 if FULL else 13
WORKERS: Final = AT_ONCE + 4
"""One for each that stands still, and some that work."""
LAST_CHECK: Final = "request about to leave"

pytestmark = pytest.mark.timeout(300 if FULL else 120)


@pytest.fixture
def strikes(installation: Installation, tmp_path: Path) -> Iterator[Strikes]:
    """Workers that freeze as planned, and are thawed; no status callback, and Twilio's list late."""
    installation.sandbox.faults(**TRUTHFUL)
    with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1"):
        yield Strikes(installation, FaultPlan(tmp_path), thaw=True)


def test_a_frozen_worker_that_comes_back_changes_nothing(strikes: Strikes, table: Table) -> None:
    """Every script that it calls refuses it: nothing is sent twice, and the turn that runs now is not closed under its holder."""
    steps = [step for step in STEPS if step.name != LAST_CHECK]
    strikes.run("frozen", steps, runs=RUNS, conversations=2 * AT_ONCE, at_once=AT_ONCE)
    strikes.run("frozen", SWEEP, runs=RUNS, conversations=2, at_once=1)
    strikes.enter(table)


def test_one_that_stands_still_with_its_permit_in_hand_asks_for_it_again_and_sends_nothing(strikes: Strikes, table: Table) -> None:
    """Its connection is open before the permit is looked at: what its successor has sent is not sent twice."""
    steps = [step for step in STEPS if step.name == LAST_CHECK]
    strikes.run("frozen", steps, runs=RUNS, conversations=2 * AT_ONCE, at_once=AT_ONCE)
    strikes.enter(table)


def test_what_a_frozen_worker_was_answered_decides_although_its_lease_is_lost(
    installation: Installation, table: Table, tmp_path: Path
) -> None:
    """No event comes, so its successor waits for one; then it goes on, records the provider's answer, and no mail is repeated."""
    fault, fault_plan = "frozen: answered, recorded after the lease", FaultPlan(tmp_path)
    installation.sandbox.faults(sendgrid={"events": False})
    mailers = [installation.person() for _ in range(RUNS)]
    conversations = [installation.conversation(mailer, "email") for mailer in mailers]
    for conversation in conversations:
        fault_plan.freeze(conversation, "before:outcome")
    with ProcessSupervisor(installation, RUNS + 1, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1", EMAIL_EVENT_WAIT_SECONDS="30"):
        in_threads(lambda mailer: installation.mail(mailer, "word"), mailers)
        for conversation in conversations:
            fault_plan.wait_for_hits(conversation)
            installation.wait_for_lines(conversation, "backoff", count=2)
            fault_plan.thaw(conversation)
        installation.quiet(30)
    seen = judge(installation, [Said(mailer, "email", "word", fault) for mailer in mailers])[fault]
    table.add(fault=fault, runs=RUNS, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
