"""kill -9 of the web process between a webhook and its 2xx, and in the replay of its spool: each message is answered once, in order.

The sender repeats what it got no answer to, as a provider or its proxy does; a process manager starts the web process again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person, in_threads
from tests.support.outcome_check import Said, judge
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.processes import CrashingWeb
from tests.support.wait import wait_for

RUNS: Final = 50 if FULL else 1
OK: Final = 200

pytestmark = pytest.mark.timeout(500 if FULL else 120)


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, FaultPlan]]:
    """A whole of its own, whose web process dies as planned."""
    fault_plan = FaultPlan(tmp_path_factory.mktemp("plans"))
    installation = Installation()
    installation.web = CrashingWeb({**installation.settings, "CRASH_DIR": str(fault_plan.directory)})
    with installation:
        yield installation, fault_plan


@pytest.mark.parametrize("moment", ["before:accept", "after:accept"])
def test_a_kill_between_a_webhook_and_its_2xx_loses_nothing_and_answers_nothing_twice(
    crashing: tuple[Installation, FaultPlan], table: Table, moment: str
) -> None:
    """Stored or not, nobody was told: the same message comes again, from two people at a time."""
    installation, fault_plan = crashing
    installation.reset()
    installation.sandbox.faults(inbound={"retries": 500, "retry_wait_seconds": 0.1})
    people = [installation.person() for _ in range(RUNS)]
    for number, person in enumerate(people):
        fault_plan.kill(installation.conversation(person, _channel(number)), moment)
    with ProcessSupervisor(installation, 1, web=True) as supervisor:
        assert set(in_threads(lambda item: _say(installation, *item), enumerate(people), at_once=2)) == {OK}
        installation.quiet(40)
    assert supervisor.replaced >= RUNS
    _enter(table, f"web killed {moment.replace(':', ' ')}", installation, people)


@pytest.mark.parametrize("moment", ["before:replay", "after:replay"])
def test_a_kill_in_the_replay_of_the_spool_loses_nothing_and_answers_nothing_twice(
    crashing: tuple[Installation, FaultPlan], table: Table, moment: str
) -> None:
    """Taken while Redis was away; the process dies again and again while it hands them over, some of them more than once."""
    installation, fault_plan = crashing
    installation.reset()
    people = [installation.person() for _ in range(RUNS)]
    conversations = [installation.conversation(person, _channel(number)) for number, person in enumerate(people)]
    installation.server.stop()
    assert set(in_threads(lambda item: _say(installation, *item), enumerate(people))) == {OK}
    for conversation in conversations:
        fault_plan.kill(conversation, moment)
    installation.server.start()
    with ProcessSupervisor(installation, 1, web=True) as supervisor:
        wait_for(lambda: all(fault_plan.hits(conversation) for conversation in conversations), 60 + 6 * RUNS, "all kills", every=0.1)
        wait_for(lambda: not list(Path(installation.settings["BOSS_DATA_DIR"]).glob("spool/waiting/*.json")), 20, "an empty spool")
        installation.quiet(40)
    assert supervisor.replaced >= RUNS
    _enter(table, f"web killed {moment.replace(':', ' ')}", installation, people)


def _channel(number: int) -> str:
    return "email" if number % 2 else "sms"  # number 0 is all that the short form has


def _say(installation: Installation, number: int, person: Person) -> int | None:
    status: int | None = (installation.mail if number % 2 else installation.text)(person, "word")["status"]
    return status


def _enter(table: Table, fault: str, installation: Installation, people: list[Person]) -> None:
    seen = judge(installation, [Said(person, _channel(number), "word", fault) for number, person in enumerate(people)])[fault]
    table.add(fault=fault, runs=len(people), lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
