"""Three Sentinels make another server the master while ten messages a second come in: nothing is lost, nothing unmarked comes twice.

What got its 2xx while the master died is on a replica or in the insurance, on the web host's disk; what came while there was no master
is in the spool; and no reply was sent whose attempt no replica knew of. The short form has short times of Sentinel's; `make chaos` the
shipped ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest

from tests.chaos.table import FULL, Table
from tests.support.installation import FAST, Installation, Person
from tests.support.load import Load, report
from tests.support.load_lanes import lanes
from tests.support.sentinel_cluster import SentinelCluster
from tests.support.wait import wait_for

PEOPLE: Final = 40 if FULL else 10
AFTER_SECONDS: Final = 20 if FULL else 1
"""How long the load goes on at the new master."""
DRAIN_SECONDS: Final = 90
DOWN_AFTER_MS: Final = 5000 if FULL else 800
FAILOVER_TIMEOUT_MS: Final = 30_000 if FULL else 3000
HOLD: Final = {"INSURANCE_SECONDS": "10" if FULL else "3"}
OK: Final = 200

pytestmark = pytest.mark.timeout(300 if FULL else 90)


@pytest.fixture(scope="module")
def cluster() -> SentinelCluster:
    """Three servers and their Sentinels; the whole that runs on them starts and ends them."""
    return SentinelCluster(down_after_ms=DOWN_AFTER_MS, failover_timeout_ms=FAILOVER_TIMEOUT_MS)


@pytest.fixture(scope="module")
def running(cluster: SentinelCluster) -> Iterator[Installation]:
    """The product on them, with one worker, which must outlive it all."""
    with Installation(times={**FAST, **HOLD}, server=cluster) as installation:
        (worker,) = installation.fork()
        yield installation
        assert worker.alive, worker.output[-4000:]
        assert installation.web.returncode is None, installation.web.output[-4000:]
        assert cluster.refused() == []


@pytest.fixture
def people(running: Installation) -> list[Person]:
    """People whom no other case has met."""
    running.sandbox.reset()
    return [running.person() for _ in range(PEOPLE)]


@pytest.mark.parametrize("how", ["killed", "frozen"] if FULL else ["frozen"])
def test_a_failover_under_load_loses_nothing_and_doubles_nothing(
    running: Installation, cluster: SentinelCluster, people: list[Person], table: Table, how: str
) -> None:
    """The master is killed, or stands still and comes back to find another in its place: every message is answered, once, in order."""
    complete(cluster)
    with Load(running, lanes(people, bridge=False)) as load:
        load.wait_for_answers_in_all_lanes()
        old = cluster.master
        old.kill9() if how == "killed" else old.freeze()
        began = time.time()
        cluster.wait_for_another(old)
        recovery = in_use_after(running, began)
        old.start() if how == "killed" else old.thaw()
        time.sleep(AFTER_SECONDS)  # the load goes on, not a wait for anything
        load.drain(DRAIN_SECONDS)
        running.quiet(DRAIN_SECONDS)
        result = report(load, f"master {how}", began, began + recovery)
    assert result.not_taken == 0, result
    table.add(
        fault=f"sentinel failover, master {how}", runs=1, lost=result.lost, duplicates=result.twice, disorder=result.out_of_order,
        recoveries=[recovery], marked=result.marked, details=result.details,
    )  # fmt: skip


@pytest.mark.skipif(not FULL, reason="make chaos: a quarter of a minute; tests/integration/webhooks/test_insurance.py has its parts")
def test_what_only_the_dead_master_had_is_answered_from_the_insurance(
    running: Installation, cluster: SentinelCluster, people: list[Person], table: Table
) -> None:
    """No replica reads while texts come in, and then the master dies: the web process's disk has them, and their senders an answer."""
    complete(cluster)
    old = cluster.master
    replicas = [node for node in cluster.servers if node is not old]
    warm = running.texts(people, "before")
    running.quiet()
    for node in replicas:
        node.freeze()
    taken = [running.text(person, "lost")["status"] for person in people[:4]]
    assert insured(running)
    running.web.kill9()  # its disk must be enough
    old.kill9()
    began = time.time()
    for node in replicas:
        node.thaw()
    running.web.start()
    cluster.wait_for_another(old)
    recovery = in_use_after(running, began)
    old.start()
    for person in people[:4]:
        running.wait_for_replies(person, 2, DRAIN_SECONDS)
    wait_for(lambda: not insured(running), DRAIN_SECONDS, "an empty insurance")
    running.quiet(DRAIN_SECONDS)
    assert {*warm, *taken} == {OK}
    answered = [running.assert_one_copy(person) for person in people[:4]]
    lost = sum(words != ["before", "lost"] for words in answered)
    table.add(fault="sentinel failover, replicas behind", runs=1, lost=lost, recoveries=[recovery])


def complete(cluster: SentinelCluster) -> None:
    """Wait until the master has its two replicas again, and all Sentinels say so."""
    wait_for(lambda: cluster.followed_by(cluster.master, 2), 60, "two replicas")


def in_use_after(running: Installation, began: float) -> float:
    """Seconds from the fault, in seconds of the epoch, to the first line in the new master's ledger."""

    def first() -> int | None:
        entries = cast("list[tuple[bytes, Any]]", running.redis.xrange("boss:ledger", min=str(int(began * 1000) + 1), count=1))
        return int(entries[0][0].partition(b"-")[0]) if entries else None

    return wait_for(first, 60, "the new master's first line") / 1000 - began


def insured(running: Installation) -> list[Path]:
    """What lies on the web process's disk until a replica has it."""
    return list(Path(running.settings["BOSS_DATA_DIR"]).glob("spool/insured/*.json"))
