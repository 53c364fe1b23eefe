"""One thing is taken away while ten messages a second come in by webhook and by bridge, and later it is given back.

Nothing is lost, nothing is answered twice, each conversation keeps its order, the backlog is drained within a minute of the return,
and webhooks are taken all the while. The three cases that `make e2e` runs last some seconds; `make chaos` (BOSSLINE_CHAOS=full)
takes each thing away for half a minute, at the product's own times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.chaos.away import MAIL_OF_UNKNOWN_FATE, PATIENCE, SECONDS, Books, Record, endure
from tests.chaos.table import FULL, Table
from tests.support.bridge import BridgeProcess
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.installation import Installation

RESTARTS: Final = 20
LONG: Final = (
    "bridge killed",
    "worker killed",
    "web killed",
    "redis stopped",
    "redis frozen",
    "redis killed",
    "redis killed again and again",
    "redis full",
)
SHORT: Final = ("bridge killed", "redis frozen", "redis killed")

pytestmark = pytest.mark.timeout(PATIENCE)


class Running:
    """The processes under load, and how each is taken away and given back."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.worker: CrashingWorker = installation.fork()[0]
        self.bridge: BridgeProcess = installation.bridge()

    def away(self, fault: str) -> None:
        """Take it away, for as long as an outage lasts here, and give it back."""
        if fault == "redis killed again and again":
            for _ in range(RESTARTS):
                self.installation.server.kill9()
                self.installation.server.start()
                time.sleep(SECONDS / RESTARTS)  # how long it lives
            return
        self.take(fault)
        time.sleep(SECONDS)  # the outage itself, not a wait for anything
        self.give_back(fault)

    def take(self, fault: str) -> None:
        """Take it away."""
        installation = self.installation
        ways: dict[str, Callable[[], object]] = {
            "bridge killed": self.bridge.kill9,
            "worker killed": self.worker.kill9,
            "web killed": installation.web.kill9,
            "redis stopped": installation.server.stop,
            "redis frozen": installation.server.freeze,
            "redis killed": installation.server.kill9,
            "redis full": lambda: installation.redis.config_set("maxmemory", 1),
        }
        ways[fault]()

    def give_back(self, fault: str) -> None:
        """What a process manager, or an operator, does. The supervisor's worker must have outlived the loss of any other thing."""
        installation = self.installation
        if fault == "worker killed":
            self.worker = installation.fork()[0]
            return
        ways: dict[str, Callable[[], object]] = {
            "bridge killed": self.bridge.start,
            "web killed": installation.web.start,
            "redis stopped": installation.server.start,
            "redis frozen": installation.server.thaw,
            "redis killed": installation.server.start,
            "redis full": lambda: installation.redis.config_set("maxmemory", "256mb"),
        }
        ways[fault]()

    def assert_alive(self) -> None:
        """Nobody died of the loss of something else."""
        assert self.worker.alive, self.worker.output[-4000:]
        assert self.bridge.returncode is None, self.bridge.output[-4000:]
        assert self.installation.web.returncode is None, self.installation.web.output[-4000:]


@pytest.fixture(scope="module")
def _own(shared_whole: Installation) -> Iterator[Installation]:
    """The chaos suite's whole with its short times; for the long outages one with the product's own."""
    if not FULL:
        yield shared_whole
        return
    with Installation(times=MAIL_OF_UNKNOWN_FATE) as running:
        yield running


@pytest.fixture(scope="module")
def running(_own: Installation) -> Iterator[Running]:
    """One worker and one bridge for all cases: each case leaves them as it found them."""
    _own.reset()
    yield Running(_own)
    _own.end_workers()


@pytest.mark.parametrize("fault", LONG if FULL else SHORT)
def test_nothing_is_lost_or_doubled_while_something_is_away(running: Running, fault: str, table: Table, record_property: Record) -> None:
    """All is answered, once, in order, within a minute of the return; and every webhook was taken at once."""
    result = endure(running.installation, running.bridge.url, fault, lambda: running.away(fault), Books(table, record_property))
    running.assert_alive()
    assert running.installation.redis.info("stats")["evicted_keys"] == 0
    if fault != "web killed":
        assert result.not_taken == 0, result
