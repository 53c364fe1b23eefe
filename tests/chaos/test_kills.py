"""At the product's own times: kills under many turns cost seconds, and a Redis that was away costs nobody their turn.

Workers are found dead in two ways: by the other processes of their host, whose kernel knows, and by their silence. For the second one
the processes of this test do not know that they share a host.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support.keeper import Keeper
from tests.support.plans import Plans
from tests.support.verdict import Death, Said, judge, recoveries
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole

TEXTS: Final = 60
KILLS: Final = 4 if FULL else 2
UNDER_WAY: Final = 500 if FULL else 60
WORKERS: Final = 3
STALL_SECONDS: Final = 10 if FULL else 6
P50, LONGEST = 4.0, 25.0

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def whole(shared_whole: Whole) -> Iterator[Whole]:
    """One of its own, at the default times."""
    with Whole(times={}, nursery=shared_whole.nursery, WORKER_CONCURRENCY="200") as running:
        yield running


def held_by(whole: Whole, plans: Plans, people: list[Person], pid: int) -> list[str]:
    """The conversations that a worker has in hand."""
    open_now = [whole.conversation(person) for person in people if not whole.replies(person)]
    return [conversation for conversation in open_now if plans.holder(conversation) == pid]


@pytest.mark.parametrize("place", ["one host", "several hosts"])
def test_kills_under_sixty_texts_cost_seconds(whole: Whole, table: Table, tmp_path: Path, place: str) -> None:
    """Each kill takes a third of all turns with it; every conversation goes on, and is answered once."""
    fault, plans = f"killed again and again under 60 texts, {place}", Plans(tmp_path)
    apart = "" if place == "one host" else "1"
    whole.sandbox.knobs(anthropic={"latency_seconds": 6})
    deaths: list[Death] = []
    with Keeper(whole, WORKERS, CRASH_DIR=str(tmp_path), CRASH_APART=apart) as keeper:
        time.sleep(9)  # since the first look: before it no silence counts
        people = [whole.person() for _ in range(TEXTS)]
        whole.texts(people, "word")
        for person in people:
            whole.wait_for_questions(person)
        for number in range(KILLS):
            victim = keeper.workers[number % WORKERS]
            held = held_by(whole, plans, people, victim.pid)
            at_ms = whole.now_ms()
            os.kill(victim.pid, signal.SIGKILL)
            deaths += [Death(fault, conversation, at_ms) for conversation in held]
            time.sleep(5)  # between two kills, not a wait for anything
        whole.quiet(150)
    seen = judge(whole, [Said(person, "sms", "word", fault) for person in people])[fault]
    seconds = [each for _, each in recoveries(whole, deaths)]
    table.add(fault=fault, runs=KILLS, lost=seen.lost, duplicates=seen.duplicates + seen.marked, recoveries=seconds, details=seen.details)
    assert seconds
    assert max(seconds) <= LONGEST
    assert statistics.median(seconds) <= P50 + (1.0 if place != "one host" else 0.0)


@pytest.mark.parametrize("how", ["frozen", "started anew"])
def test_a_redis_that_was_away_takes_no_turn_from_the_living(whole: Whole, table: Table, how: str) -> None:
    """No lease is lost, nothing is asked twice, and all is answered once."""
    fault = f"redis {how} under {UNDER_WAY} turns"
    whole.sandbox.knobs(anthropic={"latency_seconds": STALL_SECONDS + 8})
    whole.fork(WORKERS)
    people = [whole.person() for _ in range(UNDER_WAY)]
    whole.texts(people, "word")
    wait_for(lambda: len(whole.sandbox.journal("anthropic.messages")) >= UNDER_WAY or held(whole) >= UNDER_WAY, 60, "all turns under way")
    if how == "frozen":
        whole.server.freeze()
        time.sleep(STALL_SECONDS)  # the stall itself
        whole.server.thaw()
    else:
        whole.server.kill9()
        time.sleep(STALL_SECONDS)  # the outage itself
        whole.server.start()
    whole.quiet(90)
    lost = [line for person in people for line in whole.lines(whole.conversation(person), "lease_lost")]
    asked = [len(whole.questions(person)) for person in people]
    seen = judge(whole, [Said(person, "sms", "word", fault) for person in people])[fault]
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
    assert (len(lost), max(asked)) == (0, 1)


def held(whole: Whole) -> int:
    """How many conversations are under a lease."""
    return sum(int(whole.redis.zcard(key)) for key in whole.redis.scan_iter("boss:held:*"))
