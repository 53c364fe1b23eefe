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
from tests.support.keeper import Keeper
from tests.support.lateness import Lateness
from tests.support.plans import Plans
from tests.support.verdict import Death, Said, asked_again, judge, recoveries
from tests.support.wait import wait_for
from tests.support.watched import Watched
from tests.support.whole import Person, Whole

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
def whole() -> Iterator[Whole]:
    """One of its own, at the default times."""
    with Whole(times={}, WORKER_CONCURRENCY="200") as running:
        yield running


def held_by(whole: Whole, plans: Plans, people: list[Person], pid: int) -> list[str]:
    """The conversations that a worker has in hand."""
    open_now = [whole.conversation(person) for person in people if not whole.replies(person)]
    return [conversation for conversation in open_now if plans.holder(conversation) == pid]


@pytest.mark.parametrize("place", ["one host", *(["several hosts"] if FULL else [])])
def test_kills_under_sixty_texts_cost_seconds(whole: Whole, table: Table, tmp_path: Path, place: str) -> None:
    """Each kill takes a third of all turns with it; every conversation goes on, and is answered once."""
    fault, plans = f"killed again and again under 60 texts, {place}", Plans(tmp_path)
    apart = "" if place == "one host" else "1"
    whole.sandbox.faults(anthropic={"hold": True})
    deaths: list[Death] = []
    lateness = Lateness()
    with lateness.watched(), Keeper(whole, WORKERS, CRASH_DIR=str(tmp_path), CRASH_APART=apart) as keeper:
        time.sleep(9)  # since the first look: before it no silence counts
        people = [whole.person() for _ in range(TEXTS)]
        whole.texts(people, "word")
        for person in people:
            whole.wait_for_questions(person, seconds=60)
        for number in range(KILLS):
            victim = keeper.workers[number % WORKERS]
            held = held_by(whole, plans, people, victim.pid)
            at_ms = whole.now_ms()
            os.kill(victim.pid, signal.SIGKILL)
            deaths += [Death(fault, conversation, at_ms) for conversation in held]
            time.sleep(5)  # between two kills, not a wait for anything
        whole.sandbox.faults(anthropic={"hold": False})
        whole.quiet(150)
    seen = judge(whole, [Said(person, "sms", "word", fault) for person in people])[fault]
    times = recoveries(whole, deaths)
    seconds = [each for _, each in times]
    table.add(fault=fault, runs=KILLS, lost=seen.lost, duplicates=seen.duplicates + seen.marked, recoveries=seconds, details=seen.details)
    assert seconds
    late = [lateness.between(death.at_ms / 1000, death.at_ms / 1000 + each) for death, each in times]
    assert max(each - excused for each, excused in zip(seconds, late, strict=True)) <= LONGEST
    assert statistics.median(seconds) <= P50 + statistics.median(late)


@pytest.fixture
def watched() -> Iterator[Whole]:
    """At the default times as well, on three servers of which Sentinels make another the master."""
    server = Watched(down_after_ms=DOWN_AFTER_MS, failover_timeout_ms=6 * DOWN_AFTER_MS)
    with Whole(times={}, server=server, WORKER_CONCURRENCY="200") as running:
        yield running


@pytest.mark.parametrize("how", ["failed over", *(["frozen", "started anew"] if FULL else [])])
def test_a_redis_that_was_away_takes_no_turn_from_the_living(request: pytest.FixtureRequest, table: Table, how: str) -> None:
    """No lease is lost, nothing is asked twice, and all is answered once; one worker is late with its first sign of life after it."""
    fault = f"redis {how} under {UNDER_WAY} turns"
    whole: Whole = request.getfixturevalue("watched" if how == "failed over" else "whole")
    whole.sandbox.faults(anthropic={"hold": True})
    whole.fork(WORKERS)
    people = [whole.person() for _ in range(UNDER_WAY)]
    whole.texts(people, "word")
    wait_for(lambda: held(whole) >= UNDER_WAY, 60, "all turns under way")
    late = busiest(whole)
    with away(whole, how):
        os.kill(late, signal.SIGSTOP)
    wait_for(lambda: reachable(whole), 60, "a server that answers")
    time.sleep(LATE_SECONDS)  # the others look at who lives all the while
    os.kill(late, signal.SIGCONT)
    time.sleep(3)
    whole.sandbox.faults(anthropic={"hold": False})
    whole.quiet(120)
    said = [Said(person, "sms", "word", fault) for person in people]
    lost, again, seen = whole.all_lines("lease_lost"), asked_again(whole, said), judge(whole, said)[fault]
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
    assert (len(lost), again[fault]) == (0, 0)


@contextmanager
def away(whole: Whole, how: str) -> Iterator[None]:
    """Redis is gone, comes back behind this, and is another server if it failed over."""
    server = whole.server
    if isinstance(server, Watched):
        old = server.master
        old.kill9()
        server.wait_for_another(old)
        yield
        return
    server.freeze() if how == "frozen" else server.kill9()
    time.sleep(STALL_SECONDS)  # the stall itself
    yield
    server.thaw() if how == "frozen" else server.start()


def reachable(whole: Whole) -> bool:
    """Whether Redis answers again."""
    try:
        return bool(whole.redis.ping())
    except RedisError:
        return False


def busiest(whole: Whole) -> int:
    """The pid of the worker with the most conversations in hand."""
    key = max(cast("list[bytes]", list(whole.redis.scan_iter("boss:held:*"))), key=lambda key: int(whole.redis.zcard(key)))
    return int(key.decode().split("-")[-2])


def held(whole: Whole) -> int:
    """How many conversations are under a lease."""
    return sum(int(whole.redis.zcard(key)) for key in whole.redis.scan_iter("boss:held:*"))
