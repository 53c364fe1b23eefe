"""`worker`: 500 turns whose question to Claude takes a second, under Bossline's worker and under other queues.

Each contender's worker is started and warmed with a few turns, then suspended (SIGSTOP) while the turns are enqueued by its own
client; the clock starts when it is resumed. So neither imports nor enqueueing are measured, and none has a head start. The time ends
with the last answer; CPU and commands are read half a second later, when everything has been written. A contender that cannot do 500
in a reasonable time gets fewer, and its total is extrapolated.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.harness.backlog import BacklogWriter
from bench.harness.contenders import BOSSLINE, STOCK, QueueContender, contenders
from bench.harness.installation import BenchEnvironment
from bench.harness.measure import PeakMemory, cpu_seconds, pss_mib, redis_counters
from bench.harness.options import BenchOptions
from bench.harness.processes import MeasuredProcess
from bench.harness.provider_client import once_each
from bench.harness.report import BenchReport, ratio
from shared.mailbox import ledger

TURNS: Final = 500
CLAUDE_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 120.0
TITLES: Final = {
    "light": "Light turns: one HTTP call of 1 s, one datagram",
    "whole": "Whole turns: claim, history, Claude by its SDK (1 s), store, Twilio by its SDK, finish",
}
COLUMNS: Final = (
    "queue", "turns", "turns/s", "500 turns, s", "CPU ms/turn", "peak PSS MiB", "idle PSS MiB", "commands/turn", "reads/turn",
    "Bossline is faster x", "and at equal memory x",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """One round of one contender. Memory is in MiB; CPU, commands and reads are for each turn."""

    turns: int
    seconds: float
    cpu_ms: float
    peak: float
    idle: float
    commands: float
    reads: float

    @property
    def per_second(self) -> float:
        """Turns a second."""
        return self.turns / self.seconds

    @property
    def total(self) -> float:
        """Seconds for all 500."""
        return self.seconds * TURNS / self.turns


_TAGS: Final = itertools.count(1)


def one_run(environment: BenchEnvironment, queue: QueueContender, kind: str, turns: int) -> WorkerRun:
    """Run a new worker on an empty server. Raises AssertionError unless every turn ended exactly once."""
    environment.redis.flushall()
    environment.providers.delay(0.0)
    with closing(BacklogWriter(environment.settings)) as backlog, queue.worker(environment, kind) as program:
        _warm(environment, backlog, queue, kind, range(turns, turns + queue.warm))
        environment.providers.delay(CLAUDE_SECONDS)
        return _measured(environment, backlog, queue, kind, program=program, users=range(turns))


def _warm(environment: BenchEnvironment, backlog: BacklogWriter, queue: QueueContender, kind: str, users: Sequence[int]) -> None:
    """Run one turn, which opens all connections, then the rest, which reach every process of a pool."""
    environment.providers.reset()
    queue.enqueue(environment, backlog, kind, users[:1], f"{next(_TAGS)}w")
    environment.providers.wait_for_sends(1, TIMEOUT_SECONDS)
    queue.enqueue(environment, backlog, kind, users[1:], f"{next(_TAGS)}w")
    environment.providers.wait_for_sends(len(users), TIMEOUT_SECONDS)
    time.sleep(SETTLE_SECONDS)


def _measured(
    environment: BenchEnvironment,
    backlog: BacklogWriter,
    queue: QueueContender,
    kind: str,
    *,
    program: MeasuredProcess,
    users: Sequence[int],
) -> WorkerRun:
    program.check()
    idle = pss_mib(program.pid)
    program.suspend()
    environment.providers.reset()
    expected = queue.enqueue(environment, backlog, kind, users, f"{next(_TAGS)}t")
    cpu, before, began = cpu_seconds(program.pid), redis_counters(environment.redis), time.time()
    with PeakMemory(program.pid) as peak:
        program.resume()
        sends = environment.providers.wait_for_sends(len(expected), TIMEOUT_SECONDS)
    time.sleep(SETTLE_SECONDS)
    cpu, after = cpu_seconds(program.pid) - cpu, redis_counters(environment.redis) - before
    once_each(environment.providers.sends(), expected)
    if kind == "whole":
        _all_answered(environment, len(users) + queue.warm)
    count, seconds = len(users), max(at for at, _ in sends) - began
    return WorkerRun(count, seconds, cpu / count * 1000, peak.mib, idle, after.commands / count, after.reads / count)


def _all_answered(environment: BenchEnvironment, count: int) -> None:
    ends = [line.fields["msg"] for line in ledger.latest(environment.redis, 100_000) if line.type == "answered"]
    assert len(ends) == len(set(ends)) == count, f"{len(ends)} ends of {count} messages"


def worker(options: BenchOptions, report: BenchReport) -> None:
    """Measure both kinds of turn, the contenders one after the other in each round."""
    with BenchEnvironment() as environment:
        for kind in ("light", "whole"):
            runs: dict[str, list[WorkerRun]] = {}
            for _ in range(options.rounds):
                for queue in contenders(kind, peers=options.peers):
                    turns = min(queue.turns, options.pick(TURNS, 10))
                    runs.setdefault(queue.name, []).append(one_run(environment, queue, kind, turns))
            _show(report, kind, {name: _median(found) for name, found in runs.items()})


def _median(runs: Sequence[WorkerRun]) -> WorkerRun:
    return WorkerRun(
        *(median(getattr(run, name) for run in runs) for name in ("turns", "seconds", "cpu_ms", "peak", "idle", "commands", "reads"))
    )


def _show(report: BenchReport, kind: str, runs: dict[str, WorkerRun]) -> None:
    ours = runs[BOSSLINE]
    rows = []
    for name, run in runs.items():
        faster = ratio(run.total, ours.total)
        figures = (run.turns, run.per_second, run.total, run.cpu_ms, run.peak, run.idle, run.commands, run.reads)
        rows.append((name, *figures, faster, faster * ratio(run.peak, ours.peak)))
    report.table(TITLES[kind], COLUMNS, rows)
    report.chart(
        f"{TITLES[kind].partition(':')[0]} a second, one process where not said otherwise", [(n, r.per_second) for n, r in runs.items()]
    )
    others = {name: run for name, run in runs.items() if name != BOSSLINE}
    if STOCK in others:
        fastest = min(others, key=lambda name: others[name].total)
        report.note(
            f"Bossline / {STOCK}: {ratio(others[STOCK].total, ours.total):.0f} x the speed; Bossline / {fastest}, the fastest other: "
            f"{ratio(others[fastest].total, ours.total):.2f} x."
        )
