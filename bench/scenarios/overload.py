"""`pressure`: minutes at twice what Bossline can do, and acknowledgements while Claude answers at once or after a minute.

The capacity is found first: the most answers a second in a ramp that ends when answers no longer keep up with texts. What is shed is
counted: texts that got no 2xx, and texts that were not even sent because all connections waited. Nothing is shed by answering a
user's waiting texts together, which is what a backlog comes to. Memory is looked at every ten seconds.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

import uvloop

from bench.harness.installation import Installation
from bench.harness.load_generator import Result, paced, signed_sms
from bench.harness.measure import percentile, pss_mib
from bench.harness.options import Options
from bench.harness.report import Report, ratio
from tests.support.wait import wait_for

CONCURRENCY: Final = "500"
CLAUDE_SECONDS: Final = 1.0
RAMP: Final = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0)
RAMP_SECONDS: Final = 8
DRAIN_SECONDS: Final = 120.0
KEPT_UP: Final = 0.95
LOOK_SECONDS: Final = 10.0
CONNECTIONS: Final = 256
SLOW: Final = {"Claude takes 0 s": 0.0, "Claude takes 60 s": 60.0}
SLOW_RATE: Final = 50.0
SLOW_SECONDS: Final = 15
_NUMBERS: Final = itertools.count(1)


def texts(port: int, count: int) -> Iterator[bytes]:
    """Signed when they are sent: minutes of them would not fit into memory."""
    return (signed_sms(next(_NUMBERS), port) for _ in range(count))


@dataclass(frozen=True, slots=True)
class Look:
    """The memory of each process in MiB, and what was answered by then."""

    seconds: float
    memory: dict[str, float]
    sent: float


def capacity(boss: Installation, report: Report, *, quick: bool) -> float:
    """The most answers a second of a ramp that ends where they fall behind the texts."""
    rows, best = list[tuple[str | float, ...]](), 0.0
    for rate in RAMP[:1] if quick else RAMP:
        boss.stub.reset()
        began = time.time()
        result, _ = uvloop.run(paced(boss.port, texts(boss.port, int(rate * RAMP_SECONDS)), rate, connections=CONNECTIONS))
        ended = began + result.seconds
        sent = sum(ended - RAMP_SECONDS / 2 < at <= ended for at, _ in boss.stub.sends()) / (RAMP_SECONDS / 2)
        rows.append((f"{rate:g}", sent, percentile(result.latencies, 50) * 1000, percentile(result.latencies, 99) * 1000))
        best = max(best, sent)
        if sent < rate * KEPT_UP or result.not_sent:
            break
    wait_for(lambda: not boss.redis.zcard("boss:due"), DRAIN_SECONDS, "the end of the ramp's backlog")
    report.table("Ramp to the capacity", ("texts/s", "answers/s in its second half", "ack p50 ms", "ack p99 ms"), rows)
    return best


class Watch:
    """Looks at the processes' memory every ten seconds, beside the load."""

    def __init__(self, boss: Installation, every: float) -> None:
        self.looks: list[Look] = []
        self._boss, self._every, self._began = boss, every, time.time()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look a last time."""
        self._ended.set()
        self._thread.join(30)
        self._look()

    def _watch(self) -> None:
        self._look()
        while not self._ended.wait(self._every):
            self._look()

    def _look(self) -> None:
        memory = {name: pss_mib(pid) for name, pid in self._boss.pids().items()}
        self.looks.append(Look(time.time() - self._began, memory, self._boss.stub.counts()["sent"]))


def pressure(options: Options, report: Report) -> None:
    """Capacity, the long run, and the slow Claude."""
    with Installation(worker=True, WORKER_CONCURRENCY=CONCURRENCY) as boss:
        boss.stub.delay(CLAUDE_SECONDS)
        uvloop.run(paced(boss.port, texts(boss.port, 20), 20))
        rate = 2 * capacity(boss, report, quick=options.quick)
        _under_pressure(boss, report, rate, 5.0 if options.quick else options.minutes * 60)
    _slow_claude(options, report)


def _under_pressure(boss: Installation, report: Report, rate: float, seconds: float) -> None:
    boss.stub.reset()
    watch = Watch(boss, min(LOOK_SECONDS, seconds / 3))
    count = int(rate * seconds)
    result, _ = uvloop.run(paced(boss.port, texts(boss.port, count), rate, connections=CONNECTIONS))
    watch.end()
    shed = {status: number for status, number in result.statuses.items() if not 200 <= status < 300}
    report.table(
        f"Under pressure: {rate:.0f} texts/s for {seconds / 60:g} minutes, twice the capacity",
        ("texts", "acknowledged", "refused, by status", "not sent", "ack p50 ms", "ack p99 ms", "answers meanwhile", "answers/s"),
        [(str(count), str(result.answered), str(shed or "none"), str(result.not_sent), *_times(result), watch.looks[-1].sent,
          ratio(watch.looks[-1].sent, watch.looks[-1].seconds))],
    )  # fmt: skip
    rows = [(look.seconds, *look.memory.values(), look.sent) for look in watch.looks]
    report.table("Memory under pressure, PSS in MiB", ("s", *watch.looks[0].memory, "answers"), rows)


def _times(result: Result) -> tuple[float, float]:
    """p50 and p99 in ms."""
    return percentile(result.latencies, 50) * 1000, percentile(result.latencies, 99) * 1000


def _slow_claude(options: Options, report: Report) -> None:
    """Two installations side by side, asked in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SLOW}
    with Installation(worker=True) as fast, Installation(worker=True) as slow:
        pairs = list(zip(SLOW, (fast, slow), strict=True))
        for name, boss in pairs:
            boss.stub.delay(SLOW[name])
            uvloop.run(paced(boss.port, texts(boss.port, 20), 20))
        for _ in range(options.rounds):
            for name, boss in pairs:
                count = int(SLOW_RATE * options.pick(SLOW_SECONDS, 2))
                result, _posted = uvloop.run(paced(boss.port, texts(boss.port, count), SLOW_RATE))
                result.check()
                found[name].append(_times(result))
    rows = [(name, median(p50 for p50, _ in times), median(p99 for _, p99 in times)) for name, times in found.items()]
    report.table(f"Acknowledgements at {SLOW_RATE:g} texts/s while Claude is slow", ("", "ack p50 ms", "ack p99 ms"), rows)
    (_, p50, p99), (_, slow_p50, slow_p99) = rows
    report.note(f"With a Claude of 60 s: {ratio(slow_p50, p50):.2f} x the p50 of an acknowledgement, {ratio(slow_p99, p99):.2f} x the p99.")
