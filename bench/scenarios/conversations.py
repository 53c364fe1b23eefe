"""`conversations`: what a message costs with 10, 1,000 and 100,000 conversations in Redis, and with long histories.

The installations run side by side and are measured in turns. In each of them the same ten people write. Each has a full history of 40
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

from bench.harness.backlog import BacklogWriter
from bench.harness.installation import USERS, BenchInstallation
from bench.harness.load_generator import paced, signed_sms
from bench.harness.options import BenchOptions
from bench.harness.prefill import Prefill
from bench.harness.report import BenchReport, ratio
from tests.support.wait import wait_for

SPEAKERS: Final = 10
RATE: Final = 25.0
TEXTS_PER_SPEAKER: Final = 4
PARTS_PER_ROUND: Final = 6
SHORT, LONG = 60, 4000
SETTLE_SECONDS: Final = 0.3
MAX_PREFILL_SECONDS: Final = 120.0
COLUMNS: Final = ("conversations", "history", "CPU ms/message", "web", "worker", "Valkey", "commands", "reads", "x the first's CPU")
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class MessageCost:
    """What one message costs: CPU in ms by process, commands and reads of client sockets."""

    web: float
    worker: float
    valkey: float
    commands: float
    reads: float

    @property
    def cpu(self) -> float:
        """All processes together."""
        return self.web + self.worker + self.valkey


@dataclass(frozen=True, slots=True)
class PrefilledInstallation:
    """One installation with a number of conversations in its Redis."""

    installation: BenchInstallation
    prefill: Prefill
    conversations: int

    def cost(self, size: int, parts: int) -> MessageCost:
        """The mean cost over `parts` parts of a round, with histories whose entries have `size` bytes."""
        found = [self._part(size) for _ in range(parts)]
        return MessageCost(*(sum(getattr(cost, name) for cost in found) / parts for name in MessageCost.__dataclass_fields__))

    def _part(self, size: int) -> MessageCost:
        installation, count = self.installation, SPEAKERS * TEXTS_PER_SPEAKER
        self.prefill.write_histories(range(SPEAKERS), size)
        wait_for(lambda: _is_idle(installation), MAX_PREFILL_SECONDS, "the end of the append-only file's rewriting")
        installation.providers.reset()
        requests = [
            signed_sms(next(_NUMBERS) * USERS + user, installation.port) for _ in range(TEXTS_PER_SPEAKER) for user in range(SPEAKERS)
        ]
        cpu, before = installation.used()
        result, _ = uvloop.run(paced(installation.port, requests, RATE))
        installation.providers.wait_for_sends(count, 30)
        time.sleep(SETTLE_SECONDS)
        after, redis_counters = installation.used()
        result.check()
        assert installation.providers.counts()["sent"] == count, "texts were answered together or twice"
        web, worker, valkey = ((after[name] - cpu[name]) / count * 1000 for name in ("web", "worker", "Valkey"))
        used = redis_counters - before
        return MessageCost(web, worker, valkey, used.commands / count, used.reads / count)


def _is_idle(installation: BenchInstallation) -> bool:
    info = installation.redis.info("persistence")
    return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def conversations(options: BenchOptions, report: BenchReport) -> None:
    """Measure all sizes, with short histories; the second one also with long histories."""
    sizes = (50,) if options.quick else (10, 1000, 100_000)
    with ExitStack() as stack:
        places = [_place(stack, size, report) for size in sizes]
        cases = [(place, SHORT) for place in places] + [((places[1:2] or places)[0], LONG)]
        costs: dict[int, list[MessageCost]] = {}
        for _ in range(options.rounds):
            for number, (place, size) in enumerate(cases):
                costs.setdefault(number, []).append(place.cost(size, options.pick(PARTS_PER_ROUND, 1)))
    middle = [
        MessageCost(*(median(getattr(cost, name) for cost in found) for name in MessageCost.__dataclass_fields__))
        for found in costs.values()
    ]
    rows = [
        (f"{place.conversations:,}", f"40 of {size:,} bytes", cost.cpu, cost.web, cost.worker, cost.valkey, cost.commands, cost.reads,
         ratio(cost.cpu, middle[0].cpu))
        for (place, size), cost in zip(cases, middle, strict=True)
    ]  # fmt: skip
    report.table("The cost of one message", COLUMNS, rows)


def _place(stack: ExitStack, size: int, report: BenchReport) -> PrefilledInstallation:
    installation = stack.enter_context(BenchInstallation(worker=True))
    backlog = stack.enter_context(closing(BacklogWriter(installation.settings)))
    prefill = Prefill(installation, backlog)
    seconds = prefill.write_conversations(size - SPEAKERS)
    memory = installation.redis.info("memory")["used_memory"] / 2**20
    report.note(f"{size:,} conversations were written in {seconds:.1f} s; Valkey holds {memory:,.0f} MiB.")
    assert seconds < MAX_PREFILL_SECONDS
    uvloop.run(paced(installation.port, [signed_sms(user, installation.port) for user in range(SPEAKERS)], RATE))
    installation.providers.wait_for_sends(1 + SPEAKERS, 30)
    return PrefilledInstallation(installation, prefill, size)
