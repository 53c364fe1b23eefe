"""kill -9 at every step of a turn with three tool calls: each thing is done once, told once, and no stored answer is asked for again.

`make chaos` strikes thirty times at each row, `make e2e` once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.approved_calls import APPROVED, ApprovalStrikes
from tests.chaos.reminders_and_erasures import ERASED_AT, RINGS, Beside
from tests.chaos.steps import TRUTHFUL
from tests.chaos.table import FULL, Table
from tests.chaos.tool_turns import ROWS, Desk, ToolStrikes
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation
from tests.support.process_supervisor import ProcessSupervisor

RUNS: Final = 30 if FULL else 1
WORKERS: Final = 12 if FULL else 8
AT_ONCE: Final = 20 if FULL else 17

pytestmark = pytest.mark.timeout(900 if FULL else 120)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A server outside."""
    with Desk().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def installation(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The whole system, which knows the server."""
    path = tmp_path_factory.mktemp("mcp") / "servers.toml"
    path.write_text(desk.toml)
    with Installation(BOSS_MCP_FILE=str(path)) as running:
        yield running


@pytest.fixture
def fault_plan(installation: Installation, desk: Desk, tmp_path: Path) -> Iterator[FaultPlan]:
    """Workers that die as planned, and are replaced; the server's tools are accepted."""
    installation.reset()
    desk.accept(installation.redis)
    installation.sandbox.faults(**TRUTHFUL)
    with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1"):
        yield FaultPlan(tmp_path)


def enter(table: Table, names: Iterable[str], faults: Sequence[str]) -> None:
    """A line of the table for each row, and what is no row's."""
    with table.all_rows() as failures:
        for name in names:
            mine = [fault for fault in faults if fault.startswith(f"{name}, ")]
            table.add(fault=f"tools, killed: {name}", runs=RUNS, lost=len(mine), details=mine)
        failures.extend(fault for fault in faults if not any(fault.startswith(f"{name}, ") for name in names))


def test_a_kill_at_any_step_of_a_turn_with_tools_does_nothing_twice_and_forgets_nothing(
    installation: Installation, desk: Desk, fault_plan: FaultPlan, table: Table
) -> None:
    """Effects once, stored answers never asked again, the reply with its receipts once, and the money settled."""
    faults = ToolStrikes(installation, fault_plan, desk).run(ROWS, times=RUNS, at_once=AT_ONCE)
    enter(table, [row.name for row in ROWS], faults)


def test_a_kill_from_the_taking_of_a_yes_to_its_end_takes_it_once_and_makes_the_call_once(
    installation: Installation, desk: Desk, fault_plan: FaultPlan, table: Table
) -> None:
    """Taken, answered and queued by one script; then the call is as any other outside."""
    faults = ApprovalStrikes(installation, fault_plan, desk).run(APPROVED, times=RUNS, at_once=AT_ONCE)
    enter(table, [row.name for row in APPROVED], faults)


def test_a_kill_as_a_reminder_rings_costs_no_ring_and_makes_no_second_one(
    installation: Installation, fault_plan: FaultPlan, table: Table
) -> None:
    """It stands in its inbox within five seconds all the same."""
    enter(table, list(RINGS), Beside(installation, fault_plan).rings(times=RUNS))


def test_who_holds_the_turn_of_somebody_who_is_erased_stores_nothing_more(
    installation: Installation, fault_plan: FaultPlan, table: Table
) -> None:
    """Whatever it was about to store; nothing of the person's words is anywhere, and nothing is sent."""
    enter(table, list(ERASED_AT), Beside(installation, fault_plan).erasures(times=RUNS, at_once=WORKERS // 2))
