"""`overload`: minutes at twice Bossline's capacity, and acknowledgements while Claude answers at once or after a minute.

The capacity is measured first: the highest rate of answers in a ramp that ends when answers no longer keep up with texts. What is shed
is counted: texts without a 2xx, and texts that were not sent because all connections were busy. In a backlog one turn answers all
waiting texts of a user; these are not shed. Memory is sampled every ten seconds.
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

from bench.harness.installation import BenchInstallation
from bench.harness.load_generator import LoadResult, paced, signed_sms
from bench.harness.measure import percentile, pss_mib
from bench.harness.options import BenchOptions
from bench.harness.report import BenchReport, ratio
from tests.support.wait import wait_for

CONCURRENCY: Final = "500"
CLAUDE_SECONDS: Final = 1.0
RAMP: Final = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0)
RAMP_SECONDS: Final = 8
DRAIN_SECONDS: Final = 120.0
KEEPS_UP_SHARE: Final = 0.95
"""The ramp ends when fewer than this share of the texts are answered."""
SAMPLE_SECONDS: Final = 10.0
CONNECTIONS: Final = 256
CLAUDE_DELAYS: Final = {"Claude takes 0 s": 0.0, "Claude takes 60 s": 60.0}
SLOW_RATE: Final = 50.0
SLOW_SECONDS: Final = 15
_NUMBERS: Final = itertools.count(1)


def texts(port: int, count: int) -> Iterator[bytes]:
    """Requests, each signed when it is sent: minutes of them would not fit into memory."""
    return (signed_sms(next(_NUMBERS), port) for _ in range(count))


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The memory of each process in MiB and the number of answers, `seconds` after the start."""

    seconds: float
    memory: dict[str, float]
    sent: float


def capacity(installation: BenchInstallation, report: BenchReport, *, quick: bool) -> float:
    """The highest rate of answers, per second, in a ramp that ends where they fall behind the texts."""
    rows, best = list[tuple[str | float, ...]](), 0.0
    for rate in RAMP[:1] if quick else RAMP:
        installation.providers.reset()
        began = time.time()
        result, _ = uvloop.run(paced(installation.port, texts(installation.port, int(rate * RAMP_SECONDS)), rate, connections=CONNECTIONS))
        ended = began + result.seconds
        sent = sum(ended - RAMP_SECONDS / 2 < at <= ended for at, _ in installation.providers.sends()) / (RAMP_SECONDS / 2)
        rows.append((f"{rate:g}", sent, percentile(result.latencies, 50) * 1000, percentile(result.latencies, 99) * 1000))
        best = max(best, sent)
        if sent < rate * KEEPS_UP_SHARE or result.not_sent:
            break
    wait_for(lambda: not installation.redis.zcard("boss:due"), DRAIN_SECONDS, "the end of the ramp's backlog")
    report.table("Ramp to the capacity", ("texts/s", "answers/s in its second half", "ack p50 ms", "ack p99 ms"), rows)
    return best


class MemoryWatcher:
    """Samples the processes' memory every `every` seconds, in a thread of its own."""

    def __init__(self, installation: BenchInstallation, every: float) -> None:
        self.samples: list[MemorySample] = []
        self._installation, self._every, self._began = installation, every, time.time()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Take the last sample, and end the thread."""
        self._ended.set()
        self._thread.join(30)
        self._sample()

    def _watch(self) -> None:
        self._sample()
        while not self._ended.wait(self._every):
            self._sample()

    def _sample(self) -> None:
        memory = {name: pss_mib(pid) for name, pid in self._installation.pids().items()}
        self.samples.append(MemorySample(time.time() - self._began, memory, self._installation.providers.counts()["sent"]))


def overload(options: BenchOptions, report: BenchReport) -> None:
    """Measure the capacity, the long run, and the acknowledgements with a slow Claude."""
    with BenchInstallation(worker=True, WORKER_CONCURRENCY=CONCURRENCY) as installation:
        installation.providers.delay(CLAUDE_SECONDS)
        uvloop.run(paced(installation.port, texts(installation.port, 20), 20))
        rate = 2 * capacity(installation, report, quick=options.quick)
        _long_run(installation, report, rate, 5.0 if options.quick else options.minutes * 60)
    _slow_claude(options, report)


def _long_run(installation: BenchInstallation, report: BenchReport, rate: float, seconds: float) -> None:
    installation.providers.reset()
    watcher = MemoryWatcher(installation, min(SAMPLE_SECONDS, seconds / 3))
    count = int(rate * seconds)
    result, _ = uvloop.run(paced(installation.port, texts(installation.port, count), rate, connections=CONNECTIONS))
    watcher.end()
    shed = {status: number for status, number in result.statuses.items() if not 200 <= status < 300}
    report.table(
        f"Under pressure: {rate:.0f} texts/s for {seconds / 60:g} minutes, twice the capacity",
        ("texts", "acknowledged", "refused, by status", "not sent", "ack p50 ms", "ack p99 ms", "answers meanwhile", "answers/s"),
        [(str(count), str(result.answered), str(shed or "none"), str(result.not_sent), *_times(result), watcher.samples[-1].sent,
          ratio(watcher.samples[-1].sent, watcher.samples[-1].seconds))],
    )  # fmt: skip
    rows = [(each.seconds, *each.memory.values(), each.sent) for each in watcher.samples]
    report.table("Memory under pressure, PSS in MiB", ("s", *watcher.samples[0].memory, "answers"), rows)


def _times(result: LoadResult) -> tuple[float, float]:
    """The p50 and p99 of a result, in ms."""
    return percentile(result.latencies, 50) * 1000, percentile(result.latencies, 99) * 1000


def _slow_claude(options: BenchOptions, report: BenchReport) -> None:
    """Measure two installations in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CLAUDE_DELAYS}
    with BenchInstallation(worker=True) as fast, BenchInstallation(worker=True) as slow:
        pairs = list(zip(CLAUDE_DELAYS, (fast, slow), strict=True))
        for name, installation in pairs:
            installation.providers.delay(CLAUDE_DELAYS[name])
            uvloop.run(paced(installation.port, texts(installation.port, 20), 20))
        for _ in range(options.rounds):
            for name, installation in pairs:
                count = int(SLOW_RATE * options.pick(SLOW_SECONDS, 2))
                result, _posted = uvloop.run(paced(installation.port, texts(installation.port, count), SLOW_RATE))
                result.check()
                found[name].append(_times(result))
    rows = [(name, median(p50 for p50, _ in times), median(p99 for _, p99 in times)) for name, times in found.items()]
    report.table(f"Acknowledgements at {SLOW_RATE:g} texts/s while Claude is slow", ("", "ack p50 ms", "ack p99 ms"), rows)
    (_, p50, p99), (_, slow_p50, slow_p99) = rows
    report.note(f"With a Claude of 60 s: {ratio(slow_p50, p50):.2f} x the p50 of an acknowledgement, {ratio(slow_p99, p99):.2f} x the p99.")
