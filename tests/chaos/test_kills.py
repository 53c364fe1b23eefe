"""At the product's own times: kills under many turns cost seconds, and a Redis that was away, or another one, costs nobody their turn.

Workers are found dead in two ways: by the other processes of their host, whose kernel knows, and by their silence. For the second one
the processes of this test do not know that they share a host.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import pytest
from redis.exceptions import RedisError

from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person
from tests.support.outcome_check import Death, Said, asked_again, judge, recoveries
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.scheduler_lag import SchedulerLag
from tests.support.sentinel_cluster import SentinelCluster
from tests.support.wait import wait_for

TEXTS: Final = 60
KILLS: Final = 4 if FULL else 2
UNDER_WAY: Final = 500 if FULL else 60
WORKERS: Final = 3
STALL_SECONDS: Final = 10 if FULL else 6
LATE_SECONDS: Final = 5.5
"""Longer than a life, shorter than the two for which nobody is called dead."""
DOWN_AFTER_MS: Final = 5000 if FULL else 2000
P50, LONGEST = 4.0, 25.0

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def installation() -> Iterator[Installation]:
    """One of its own, at the default times."""
    with Installation(times={}, WORKER_CONCURRENCY="200") as running:
        yield running


def held_by(installation: Installation, fault_plan: FaultPlan, people: list[Person], pid: int) -> list[str]:
    """The conversations that a worker has in hand."""
    open_now = [installation.conversation(person) for person in people if not installation.replies(person)]
    return [conversation for conversation in open_now if fault_plan.holder(conversation) == pid]


@pytest.mark.parametrize("place", ["one host", *(["several hosts"] if FULL else [])])
def test_kills_under_sixty_texts_cost_seconds(installation: Installation, table: Table, tmp_path: Path, place: str) -> None:
    """Each kill takes a third of all turns with it; every conversation goes on, and is answered once."""
    fault, fault_plan = f"killed again and again under 60 texts, {place}", FaultPlan(tmp_path)
    apart = "" if place == "one host" else "1"
    installation.sandbox.faults(anthropic={"hold": True})
    deaths: list[Death] = []
    scheduler_lag = SchedulerLag()
    with scheduler_lag.watched(), ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), CRASH_APART=apart) as supervisor:
        time.sleep(9)  # since the first look: before it no silence counts
        people = [installation.person() for _ in range(TEXTS)]
        installation.texts(people, "word")
        for person in people:
            installation.wait_for_questions(person, seconds=60)
        for number in range(KILLS):
            victim = supervisor.workers[number % WORKERS]
            held = held_by(installation, fault_plan, people, victim.pid)
            at_ms = installation.now_ms()
            os.kill(victim.pid, signal.SIGKILL)
            deaths += [Death(fault, conversation, at_ms) for conversation in held]
            time.sleep(5)  # between two kills, not a wait for anything
        installation.sandbox.faults(anthropic={"hold": False})
        installation.quiet(150)
    seen = judge(installation, [Said(person, "sms", "word", fault) for person in people])[fault]
    times = recoveries(installation, deaths)
    seconds = [each for _, each in times]
    table.add(fault=fault, runs=KILLS, lost=seen.lost, duplicates=seen.duplicates + seen.marked, recoveries=seconds, details=seen.details)
    assert seconds
    late = [scheduler_lag.between(death.at_ms / 1000, death.at_ms / 1000 + each) for death, each in times]
    assert max(each - excused for each, excused in zip(seconds, late, strict=True)) <= LONGEST
    assert statistics.median(seconds) <= P50 + statistics.median(late)


@pytest.fixture
def cluster() -> Iterator[Installation]:
    """At the default times as well, on three servers of which Sentinels make another the master."""
    server = SentinelCluster(down_after_ms=DOWN_AFTER_MS, failover_timeout_ms=6 * DOWN_AFTER_MS)
    with Installation(times={}, server=server, WORKER_CONCURRENCY="200") as running:
        yield running


@pytest.mark.parametrize("how", ["failed over", *(["frozen", "started anew"] if FULL else [])])
def test_a_redis_that_was_away_takes_no_turn_from_the_living(request: pytest.FixtureRequest, table: Table, how: str) -> None:
    """No lease is lost, nothing is asked twice, and all is answered once; one worker is late with its first sign of life after it."""
    fault = f"redis {how} under {UNDER_WAY} turns"
    installation: Installation = request.getfixturevalue("cluster" if how == "failed over" else "installation")
    installation.sandbox.faults(anthropic={"hold": True})
    installation.fork(WORKERS)
    people = [installation.person() for _ in range(UNDER_WAY)]
    installation.texts(people, "word")
    wait_for(lambda: held(installation) >= UNDER_WAY, 60, "all turns under way")
    late = busiest(installation)
    with away(installation, how):
        os.kill(late, signal.SIGSTOP)
    wait_for(lambda: reachable(installation), 60, "a server that answers")
    time.sleep(LATE_SECONDS)  # the others look at who lives all the while
    os.kill(late, signal.SIGCONT)
    time.sleep(3)
    installation.sandbox.faults(anthropic={"hold": False})
    installation.quiet(120)
    said = [Said(person, "sms", "word", fault) for person in people]
    lost, again, seen = installation.all_lines("lease_lost"), asked_again(installation, said), judge(installation, said)[fault]
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
    assert (len(lost), again[fault]) == (0, 0)


@contextmanager
def away(installation: Installation, how: str) -> Iterator[None]:
    """Redis is gone, comes back behind this, and is another server if it failed over."""
    server = installation.server
    if isinstance(server, SentinelCluster):
        old = server.master
        old.kill9()
        server.wait_for_another(old)
        yield
        return
    server.freeze() if how == "frozen" else server.kill9()
    time.sleep(STALL_SECONDS)  # the stall itself
    yield
    server.thaw() if how == "frozen" else server.start()


def reachable(installation: Installation) -> bool:
    """Whether Redis answers again."""
    try:
        return bool(installation.redis.ping())
    except RedisError:
        return False


def busiest(installation: Installation) -> int:
    """The pid of the worker with the most conversations in hand."""
    key = max(cast("list[bytes]", list(installation.redis.scan_iter("boss:held:*"))), key=lambda key: int(installation.redis.zcard(key)))
    return int(key.decode().split("-")[-2])


def held(installation: Installation) -> int:
    """How many conversations are under a lease."""
    return sum(int(installation.redis.zcard(key)) for key in installation.redis.scan_iter("boss:held:*"))
