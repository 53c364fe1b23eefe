"""One thing is taken away while ten messages a second come in by webhook and by bridge, and later it is given back.

Nothing is lost, nothing is answered twice, each conversation keeps its order, the backlog is drained within a minute of the return,
and webhooks are taken all the while. The three cases that `make test` runs last some seconds; `make chaos` (BOSSLINE_CHAOS=full)
takes each thing away for half a minute, at the product's own times.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support.bridge import BridgeProcess
from tests.support.load import AWAY, Load, report
from tests.support.load_lanes import lanes
from tests.support.nursery import ForkedWorker
from tests.support.whole import Person, Whole

FULL: Final = os.environ.get("BOSSLINE_CHAOS") == "full"
SECONDS: Final = 30 if FULL else 4
PEOPLE: Final = 40 if FULL else 16
"""At ten messages a second: so many that no conversation's texts of an outage exceed what the sandbox echoes of one turn."""
DRAIN_SECONDS: Final = 60
SLOW: Final = {
    "anthropic": {"latency_seconds": [0.1, 0.8]},
    "twilio": {"latency_seconds": [0.05, 0.2]},
    "sendgrid": {"latency_seconds": [0.05, 0.2]},
}
"""So that what is taken away is always taken in the midst of turns."""
MAIL_OF_UNKNOWN_FATE: Final = {"EMAIL_EVENT_WAIT_SECONDS": "20"}
"""Leave to send is given, and its holder or Redis goes away before the request: by default SendGrid's event, which never comes, is
awaited for 120 s, and a minute is all that a backlog has here."""
SHORT: Final = ("bridge killed", "redis frozen", "redis refusing")

pytestmark = pytest.mark.timeout(SECONDS + 2 * DRAIN_SECONDS + 60)
Record = Callable[[str, object], None]


class Running:
    """The processes under load, and how each is taken away and given back."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.worker: ForkedWorker = whole.fork()[0]
        self.bridge: BridgeProcess = whole.bridge()

    def take(self, fault: str) -> None:
        """Take it away."""
        whole = self.whole
        ways: dict[str, Callable[[], object]] = {
            "bridge killed": self.bridge.kill9,
            "worker killed": self.worker.kill9,
            "web killed": whole.web.kill9,
            "redis stopped": whole.server.stop,
            "redis frozen": whole.server.freeze,
            "redis refusing": whole.server.kill9,
            "redis full": lambda: whole.redis.config_set("maxmemory", 1),
        }
        ways[fault]()

    def give_back(self, fault: str) -> None:
        """What a process manager, or an operator, does. The supervisor's worker must have outlived the loss of any other thing."""
        whole = self.whole
        if fault == "worker killed":
            self.worker = whole.fork()[0]
            return
        ways: dict[str, Callable[[], object]] = {
            "bridge killed": self.bridge.start,
            "web killed": whole.web.start,
            "redis stopped": whole.server.start,
            "redis frozen": whole.server.thaw,
            "redis refusing": whole.server.start,
            "redis full": lambda: whole.redis.config_set("maxmemory", "256mb"),
        }
        ways[fault]()

    def assert_alive(self) -> None:
        """Nobody died of the loss of something else."""
        assert self.worker.alive, self.worker.output[-4000:]
        assert self.bridge.returncode is None, self.bridge.output[-4000:]
        assert self.whole.web.returncode is None, self.whole.web.output[-4000:]


@pytest.fixture(scope="module")
def _own(shared_whole: Whole) -> Iterator[Whole]:
    """The chaos suite's whole with its short times; for the long outages one with the product's own."""
    if not FULL:
        yield shared_whole
        return
    with Whole(times=MAIL_OF_UNKNOWN_FATE, nursery=shared_whole.nursery) as running:
        yield running


@pytest.fixture(scope="module")
def running(_own: Whole) -> Iterator[Running]:
    """One worker and one bridge for all cases: each case leaves them as it found them."""
    _own.reset()
    yield Running(_own)
    _own.end_workers()


@pytest.fixture
def people(running: Running) -> list[Person]:
    """People whom no other case has met, an empty journal, and providers that take their time."""
    running.whole.sandbox.reset()
    running.whole.sandbox.knobs(**SLOW)
    return [running.whole.person() for _ in range(PEOPLE)]


@pytest.mark.parametrize(
    "fault",
    ["bridge killed", "worker killed", "web killed", "redis stopped", "redis frozen", "redis refusing", "redis full"] if FULL else SHORT,
)
def test_nothing_is_lost_or_doubled_while_something_is_away(
    running: Running, people: list[Person], fault: str, record_property: Record
) -> None:
    """All is answered, once, in order, within a minute of the return; and every webhook was taken at once."""
    with Load(running.whole, lanes(people), running.bridge.url) as load:
        load.wait_for_answers_in_all_lanes()
        began = time.time()
        running.take(fault)
        time.sleep(SECONDS)  # the outage itself, not a wait for anything
        running.give_back(fault)
        returned = time.time()
        load.drain(DRAIN_SECONDS)
        running.whole.quiet(DRAIN_SECONDS)
        result = report(load, fault, began, returned)
    record_property(AWAY, json.dumps(dataclasses.asdict(result)))
    running.assert_alive()
    assert (result.lost, result.twice, result.out_of_order) == (0, 0, 0), result.details
    assert result.drained_after < DRAIN_SECONDS, result.details
    if fault != "web killed":
        assert result.not_taken == 0, result
