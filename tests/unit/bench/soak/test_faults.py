"""Which process is hit, and when: at random, one fault at a time, and none of those that are spared."""

from __future__ import annotations

import random
from typing import Any, cast

from bench.soak.faults import FAULT_KINDS, SPARED, FaultInjector, choose_fault
from bench.soak.processes import SoakProcesses

HOUR = 3600.0


class RecordedProcesses:
    """Processes that only record what was done to them."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.status = 0
        self.dead: dict[str, int] = {}

    def kill(self, name: str) -> None:
        """What `SoakProcesses` does, recorded."""
        self.done.append(("kill", name))

    def end(self, name: str) -> int:
        """The same."""
        self.done.append(("end", name))
        return self.status

    def freeze(self) -> None:
        """The same."""
        self.done.append(("kill", "frozen"))

    def thaw(self) -> None:
        """The same."""
        self.done.append(("start", "frozen"))

    def start(self, name: str) -> None:
        """The same; a process that had exited runs again."""
        self.done.append(("start", name))
        self.dead.pop(name, None)

    def exited(self) -> dict[str, int]:
        """Those that the test names."""
        return dict(self.dead)


def played(processes: RecordedProcesses, seed: int = 1, seconds: float = HOUR) -> FaultInjector:
    """A whole soak in steps of a second."""
    injector = FaultInjector(cast("SoakProcesses", cast("Any", processes)), random.Random(seed), seconds)  # noqa: S311 - no secret
    for now in range(int(seconds)):
        injector.step(float(now))
    injector.restore()
    return injector


def test_an_hour_has_every_kind_of_fault_and_restores_everything() -> None:
    """Every kind is among a hundred faults or so, and whatever was hit was started again."""
    processes = RecordedProcesses()
    injector = played(processes)
    assert sum(injector.counts.values()) > 70
    assert len(injector.counts) == len(FAULT_KINDS)
    away: set[str] = set()
    for act, name in processes.done:
        assert (name in away) == (act == "start")
        away ^= {name}
    assert not away


def test_the_same_seed_gives_the_same_faults() -> None:
    """A soak that found something can be repeated."""
    first, again, other = RecordedProcesses(), RecordedProcesses(), RecordedProcesses()
    played(first, 1)
    played(again, 1)
    played(other, 2)
    assert first.done == again.done != other.done


def test_no_spared_process_is_hit() -> None:
    """All the same, all kinds that can do without them come up."""
    process_faults = [choose_fault(random.Random(seed), SPARED) for seed in range(300)]  # noqa: S311 - no secret
    assert not {name for fault in process_faults for name in fault.targets} & SPARED
    assert len({fault.name for fault in process_faults}) == len(FAULT_KINDS) - 1


def test_a_short_soak_has_faults_too() -> None:
    """Half a minute has shorter pauses."""
    assert sum(played(RecordedProcesses(), seconds=30).counts.values()) >= 3


def test_a_process_that_ends_by_itself_or_with_a_wrong_status_is_reported_and_started_again() -> None:
    """A crash that nobody ordered is the soak's failure."""
    processes = RecordedProcesses()
    processes.dead["bridge"] = 1
    processes.status = 9
    injector = played(processes)
    assert injector.failures[0] == "bridge ended by itself with status 1"
    assert processes.done[0] == ("start", "bridge")
    assert any(failure.endswith("ended with status 9 on SIGTERM") for failure in injector.failures)
