"""`conversations`: what a message costs with 10, 1,000 and 100,000 conversations in Redis, and with long histories.

The installations stand side by side and are asked in turns. In all of them the same ten people write, each with a full history of 40
entries, short ones or of 4 kB, which is written anew before each part of a round. CPU is that of web, worker and Valkey together.
"""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median
from typing import Final

import uvloop

from bench.harness.backlog import Crowd
from bench.harness.installation import USERS, Installation
from bench.harness.load_generator import paced, signed_sms
from bench.harness.options import Options
from bench.harness.prefill import Ballast
from bench.harness.report import Report, ratio
from tests.support.wait import wait_for

SPEAKERS: Final = 10
RATE: Final = 25.0
EACH: Final = 4
PARTS: Final = 6
SHORT, LONG = 60, 4000
LINGER: Final = 0.3
MOST_SECONDS: Final = 120.0
COLUMNS: Final = ("conversations", "history", "CPU ms/message", "web", "worker", "Valkey", "commands", "reads", "x the first's CPU")
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one message took: CPU in ms, commands and reads of client sockets."""

    web: float
    worker: float
    valkey: float
    commands: float
    reads: float

    @property
    def cpu(self) -> float:
        """All three."""
        return self.web + self.worker + self.valkey


@dataclass(frozen=True, slots=True)
class Place:
    """One installation with so many conversations in it."""

    boss: Installation
    ballast: Ballast
    conversations: int

    def cost(self, size: int, parts: int) -> Cost:
        """The mean over so many parts of a round."""
        found = [self._part(size) for _ in range(parts)]
        return Cost(*(sum(getattr(cost, name) for cost in found) / parts for name in Cost.__dataclass_fields__))

    def _part(self, size: int) -> Cost:
        boss, count = self.boss, SPEAKERS * EACH
        self.ballast.histories(range(SPEAKERS), size)
        wait_for(lambda: _at_rest(boss), MOST_SECONDS, "the end of the append-only file's rewriting")
        boss.stub.reset()
        requests = [signed_sms(next(_NUMBERS) * USERS + user, boss.port) for _ in range(EACH) for user in range(SPEAKERS)]
        cpu, before = boss.used()
        result, _ = uvloop.run(paced(boss.port, requests, RATE))
        boss.stub.wait_for_sends(count, 30)
        time.sleep(LINGER)
        after, traffic = boss.used()
        result.check()
        assert boss.stub.counts()["sent"] == count, "texts were answered together or twice"
        web, worker, valkey = ((after[name] - cpu[name]) / count * 1000 for name in ("web", "worker", "Valkey"))
        used = traffic - before
        return Cost(web, worker, valkey, used.commands / count, used.reads / count)


def _at_rest(boss: Installation) -> bool:
    info = boss.redis.info("persistence")
    return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def conversations(options: Options, report: Report) -> None:
    """All sizes side by side; the long histories in the second one."""
    sizes = (50,) if options.quick else (10, 1000, 100_000)
    with ExitStack() as stack:
        places = [_place(stack, size, report) for size in sizes]
        cases = [(place, SHORT) for place in places] + [((places[1:2] or places)[0], LONG)]
        costs: dict[int, list[Cost]] = {}
        for _ in range(options.rounds):
            for number, (place, size) in enumerate(cases):
                costs.setdefault(number, []).append(place.cost(size, options.pick(PARTS, 1)))
    middle = [Cost(*(median(getattr(cost, name) for cost in found) for name in Cost.__dataclass_fields__)) for found in costs.values()]
    rows = [
        (f"{place.conversations:,}", f"40 of {size:,} bytes", cost.cpu, cost.web, cost.worker, cost.valkey, cost.commands, cost.reads,
         ratio(cost.cpu, middle[0].cpu))
        for (place, size), cost in zip(cases, middle, strict=True)
    ]  # fmt: skip
    report.table("The cost of one message", COLUMNS, rows)


def _place(stack: ExitStack, size: int, report: Report) -> Place:
    boss = stack.enter_context(Installation(worker=True))
    crowd = stack.enter_context(closing(Crowd(boss.settings)))
    ballast = Ballast(boss, crowd)
    seconds = ballast.strangers(size - SPEAKERS)
    memory = boss.redis.info("memory")["used_memory"] / 2**20
    report.note(f"{size:,} conversations were written in {seconds:.1f} s; Valkey holds {memory:,.0f} MiB.")
    assert seconds < MOST_SECONDS
    uvloop.run(paced(boss.port, [signed_sms(user, boss.port) for user in range(SPEAKERS)], RATE))
    boss.stub.wait_for_sends(1 + SPEAKERS, 30)
    return Place(boss, ballast, size)
