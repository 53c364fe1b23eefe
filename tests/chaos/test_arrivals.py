"""kill -9 of the web process between a webhook and its 2xx, and in the replay of its spool: each message is answered once, in order.

The sender repeats what it got no answer to, as a provider or its proxy does; a process manager starts the web process again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support.keeper import Keeper
from tests.support.plans import Plans
from tests.support.processes import CrashingWeb
from tests.support.verdict import Said, judge
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole, in_threads

RUNS: Final = 50 if FULL else 1
OK: Final = 200

pytestmark = pytest.mark.timeout(500 if FULL else 120)


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Whole, Plans]]:
    """A whole of its own, whose web process dies as planned."""
    plans = Plans(tmp_path_factory.mktemp("plans"))
    whole = Whole()
    whole.web = CrashingWeb({**whole.settings, "CRASH_DIR": str(plans.directory)})
    with whole:
        yield whole, plans


@pytest.mark.parametrize("moment", ["before:accept", "after:accept"])
def test_a_kill_between_a_webhook_and_its_2xx_loses_nothing_and_answers_nothing_twice(
    crashing: tuple[Whole, Plans], table: Table, moment: str
) -> None:
    """Stored or not, nobody was told: the same message comes again, from two people at a time."""
    whole, plans = crashing
    whole.reset()
    whole.sandbox.faults(inbound={"retries": 500, "retry_wait_seconds": 0.1})
    people = [whole.person() for _ in range(RUNS)]
    for number, person in enumerate(people):
        plans.kill(whole.conversation(person, _channel(number)), moment)
    with Keeper(whole, 1, web=True) as keeper:
        assert set(in_threads(lambda item: _say(whole, *item), enumerate(people), at_once=2)) == {OK}
        whole.quiet(40)
    assert keeper.replaced >= RUNS
    _enter(table, f"web killed {moment.replace(':', ' ')}", whole, people)


@pytest.mark.parametrize("moment", ["before:replay", "after:replay"])
def test_a_kill_in_the_replay_of_the_spool_loses_nothing_and_answers_nothing_twice(
    crashing: tuple[Whole, Plans], table: Table, moment: str
) -> None:
    """Taken while Redis was away; the process dies again and again while it hands them over, some of them more than once."""
    whole, plans = crashing
    whole.reset()
    people = [whole.person() for _ in range(RUNS)]
    conversations = [whole.conversation(person, _channel(number)) for number, person in enumerate(people)]
    whole.server.stop()
    assert set(in_threads(lambda item: _say(whole, *item), enumerate(people))) == {OK}
    for conversation in conversations:
        plans.kill(conversation, moment)
    whole.server.start()
    with Keeper(whole, 1, web=True) as keeper:
        wait_for(lambda: all(plans.hits(conversation) for conversation in conversations), 60 + 6 * RUNS, "all kills", every=0.1)
        wait_for(lambda: not list(Path(whole.settings["BOSS_DATA_DIR"]).glob("spool/waiting/*.json")), 20, "an empty spool")
        whole.quiet(40)
    assert keeper.replaced >= RUNS
    _enter(table, f"web killed {moment.replace(':', ' ')}", whole, people)


def _channel(number: int) -> str:
    return "email" if number % 2 else "sms"  # number 0 is all that the short form has


def _say(whole: Whole, number: int, person: Person) -> int | None:
    status: int | None = (whole.mail if number % 2 else whole.text)(person, "word")["status"]
    return status


def _enter(table: Table, fault: str, whole: Whole, people: list[Person]) -> None:
    seen = judge(whole, [Said(person, _channel(number), "word", fault) for number, person in enumerate(people)])[fault]
    table.add(fault=fault, runs=len(people), lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
