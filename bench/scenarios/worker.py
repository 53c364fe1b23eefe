"""`worker`: 500 turns whose question to Claude takes a second, under Bossline's worker and under other queues.

Each contestant's worker is started and warmed with a few turns, then stands still (SIGSTOP) while the turns are enqueued by its
own client; the clock begins when it may go on. So neither imports nor enqueueing are measured, and nobody has a head start. The
time ends with the last answer; CPU and commands are read half a second later, when everything was written down. What cannot do
500 in a reasonable time gets fewer, and its total is extrapolated.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.harness.backlog import Crowd
from bench.harness.contenders import BOSSLINE, STOCK, Queue, contestants
from bench.harness.installation import House
from bench.harness.measure import Peak, cpu_seconds, pss_mib, traffic
from bench.harness.options import Options
from bench.harness.processes import Program
from bench.harness.provider_client import once_each
from bench.harness.report import Report, ratio
from shared.mailbox import ledger

TURNS: Final = 500
CLAUDE_SECONDS: Final = 1.0
LINGER: Final = 0.5
PATIENCE: Final = 120.0
TITLES: Final = {
    "light": "Light turns: one HTTP call of 1 s, one datagram",
    "whole": "Whole turns: claim, history, Claude by its SDK (1 s), store, Twilio by its SDK, finish",
}
COLUMNS: Final = (
    "queue", "turns", "turns/s", "500 turns, s", "CPU ms/turn", "peak PSS MiB", "idle PSS MiB", "commands/turn", "reads/turn",
    "Bossline is faster x", "and at equal memory x",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one contestant. Times in seconds, memory in MiB, the rest for each turn."""

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


def one_run(house: House, queue: Queue, kind: str, turns: int) -> Run:
    """A fresh worker on an empty server; AssertionError unless every turn ended exactly once."""
    house.redis.flushall()
    house.stub.delay(0.0)
    with closing(Crowd(house.settings)) as crowd, queue.program(house, kind) as program:
        _warm(house, crowd, queue, kind, range(turns, turns + queue.warm))
        house.stub.delay(CLAUDE_SECONDS)
        return _measured(house, crowd, queue, kind, program=program, users=range(turns))


def _warm(house: House, crowd: Crowd, queue: Queue, kind: str, users: Sequence[int]) -> None:
    """One turn to open everything, then the rest, which every process of a pool takes a share of."""
    house.stub.reset()
    queue.feed(house, crowd, kind, users[:1], f"{next(_TAGS)}w")
    house.stub.wait_for_sends(1, PATIENCE)
    queue.feed(house, crowd, kind, users[1:], f"{next(_TAGS)}w")
    house.stub.wait_for_sends(len(users), PATIENCE)
    time.sleep(LINGER)


def _measured(house: House, crowd: Crowd, queue: Queue, kind: str, *, program: Program, users: Sequence[int]) -> Run:
    program.check()
    idle = pss_mib(program.pid)
    program.stop()
    house.stub.reset()
    expected = queue.feed(house, crowd, kind, users, f"{next(_TAGS)}t")
    cpu, before, began = cpu_seconds(program.pid), traffic(house.redis), time.time()
    with Peak(program.pid) as peak:
        program.go_on()
        sends = house.stub.wait_for_sends(len(expected), PATIENCE)
    time.sleep(LINGER)
    cpu, after = cpu_seconds(program.pid) - cpu, traffic(house.redis) - before
    once_each(house.stub.sends(), expected)
    if kind == "whole":
        _all_answered(house, len(users) + queue.warm)
    count, seconds = len(users), max(at for at, _ in sends) - began
    return Run(count, seconds, cpu / count * 1000, peak.mib, idle, after.commands / count, after.reads / count)


def _all_answered(house: House, count: int) -> None:
    ends = [line.fields["msg"] for line in ledger.latest(house.redis, 100_000) if line.type == "answered"]
    assert len(ends) == len(set(ends)) == count, f"{len(ends)} ends of {count} messages"


def worker(options: Options, report: Report) -> None:
    """Both kinds of turn, the contestants one after the other in each round."""
    with House() as house:
        for kind in ("light", "whole"):
            runs: dict[str, list[Run]] = {}
            for _ in range(options.rounds):
                for queue in contestants(kind, peers=options.peers):
                    turns = min(queue.turns, options.pick(TURNS, 10))
                    runs.setdefault(queue.name, []).append(one_run(house, queue, kind, turns))
            _show(report, kind, {name: _middle(found) for name, found in runs.items()})


def _middle(runs: Sequence[Run]) -> Run:
    return Run(
        *(median(getattr(run, name) for run in runs) for name in ("turns", "seconds", "cpu_ms", "peak", "idle", "commands", "reads"))
    )


def _show(report: Report, kind: str, runs: dict[str, Run]) -> None:
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
