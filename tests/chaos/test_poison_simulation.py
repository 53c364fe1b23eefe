"""A message that kills its process, among 199 others in hand: it parks, and it alone. Simulated with the scripts, in the test's own time.

One process holds all turns, of 5 to 40 s each. One message kills it half a second after its turn begins, and another process stands in
its place 2 s later. What that one does first depends on where it runs: on the same host it gives the dead one's turns up, elsewhere
it finds them when the dead one has been silent for long enough.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

import pytest
from redis import Redis

from shared.mailbox import calls
from supervisor_worker.turns.retry_policy import exhausted
from tests.chaos.table import FULL
from tests.support.mailbox_driver import MailboxDriver
from tests.support.mailbox_state import LEASE, LIFE, RETENTION, Mutation

pytestmark = pytest.mark.timeout(300)
TURNS: Final = 200
POISON: Final = "m-77"
KILLS_AFTER_MS: Final = 500
RESTART_MS: Final = 2_000
SHORTEST_MS, LONGEST_MS = 5_000, 40_000
TICK_MS: Final = 500
TICKS: Final = 2 * 3_600
"""An hour of the simulation: by then every turn has ended many times over."""
LAST_TRY_BESIDE_OTHERS: Final = ("if lost < last then return true end", "do return true end")


class Simulation:
    """The one process, its successors, and their conversations."""

    def __init__(self, redis: Redis, seed: int, *, same_host: bool, mutation: Mutation | None = None) -> None:
        self._desk = MailboxDriver(redis, mutation)
        self._dice = random.Random(seed)  # noqa: S311 - dice, no secret
        self._same_host = same_host
        self._processes = self._tokens = 0
        self._alive = True
        self._changes_at = 0
        self._hands: dict[str, tuple[str, int]] = {}
        """What the process has in hand: of a conversation the token, and when its turn ends, in ms of the desk's clock."""

    def run(self) -> Counter[str]:
        """Until nothing is left to do; how many messages ended in which state."""
        for number in range(TURNS):
            self._desk.accept(f"m-{number}", conv=f"c-{number}", sender=f"s-{number}")
        for _ in range(TICKS):
            self._desk.advance(TICK_MS)
            self._tick()
            if not self._desk.redis.zcard("boss:due"):
                return Counter(self._desk.state(f"m-{number}") for number in range(TURNS) if f"m-{number}" != POISON)
        raise AssertionError("the simulation does not end")

    @property
    def _process(self) -> str:
        return f"w-host-{self._processes}"

    def _tick(self) -> None:
        if not self._alive:
            if self._desk.now >= self._changes_at:
                self._succeed()
            return
        if self._changes_at and self._desk.now >= self._changes_at:
            self._alive, self._changes_at = False, self._desk.now + RESTART_MS
            self._hands.clear()
            return
        self._end_turns()
        if self._desk.now % (LEASE // 4) == 0:
            self._renew()
        if self._desk.now % 1000 == 0:
            self._desk.beat(self._process)
            self._take()

    def _succeed(self) -> None:
        before, self._alive, self._changes_at = self._process, True, 0
        self._processes += 1
        self._desk.beat(self._process)
        while self._same_host and self._desk.run(calls.ended(before)):
            pass

    def _renew(self) -> None:
        for conv, (token, _) in self._hands.items():
            self._desk.run(calls.renew(conv, token, lease_ms=LEASE))

    def _end_turns(self) -> None:
        for conv in [conv for conv, (_, ends) in self._hands.items() if ends <= self._desk.now]:
            token, _ = self._hands.pop(conv)
            self._desk.finish(token, conv=conv)

    def _take(self) -> None:
        while due := self._desk.run(calls.sweep(recheck_ms=10_000, life_ms=LIFE, lease_ms=LEASE)).due:
            for conv in (one.conversation for one in due):
                self._begin(conv)

    def _begin(self, conv: str) -> None:
        self._tokens += 1
        token = f"k{self._tokens}"
        turn = self._desk.claim(token, conv=conv, jitter=self._dice.random(), process=self._process, life=LIFE).turn
        if turn is None:
            return
        if exhausted(turn.messages):
            self._desk.run(calls.park(conv, token, "too_many_lost_leases", looked_up=False, retention_ms=RETENTION))
            return
        self._hands[conv] = token, self._desk.now + self._dice.randint(SHORTEST_MS, LONGEST_MS)
        if POISON in {message.id for message in turn.messages}:
            self._hands[conv] = token, self._desk.now + LEASE
            self._changes_at = self._changes_at or self._desk.now + KILLS_AFTER_MS

    def poison(self) -> str:
        """What became of the message that kills."""
        return self._desk.state(POISON)


@pytest.mark.skipif(not FULL, reason="make chaos: a minute of one core; each rule has its row")
@pytest.mark.parametrize("same_host", [True, False], ids=["same host", "another host"])
@pytest.mark.parametrize("seed", [1, 3, 5])
def test_a_message_that_kills_its_process_parks_and_takes_no_other_with_it(redis: Redis, seed: int, same_host: bool) -> None:
    """With the waits and the number of tries as they are shipped."""
    simulation = Simulation(redis, seed, same_host=same_host)
    assert simulation.run() == {"answered": TURNS - 1}
    assert simulation.poison() == "parked(too_many_lost_leases)"


@pytest.mark.skipif(not FULL, reason="make chaos: as above")
def test_without_the_lonely_last_try_it_takes_others_with_it(redis: Redis) -> None:
    """It tells the shipped rule from a weaker one."""
    found = [Simulation(redis, seed, same_host=True, mutation=LAST_TRY_BESIDE_OTHERS).run()["answered"] for seed in (1, 3, 5)]
    assert min(found) < TURNS - 1
