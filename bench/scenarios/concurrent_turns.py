"""`concurrent_turns`: 2,000 turns whose question to Claude takes 15 s, all at once in one worker process of Bossline."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from bench.harness.backlog import BacklogWriter
from bench.harness.installation import BenchEnvironment
from bench.harness.measure import PeakMemory, cpu_seconds, pss_mib
from bench.harness.options import BenchOptions
from bench.harness.provider_client import once_each
from bench.harness.report import BenchReport, cell_text
from bench.scenarios.worker import SETTLE_SECONDS

TURNS: Final = 2000
CLAUDE_SECONDS: Final = 15.0
TIMEOUT_SECONDS: Final = 120.0


def concurrent_turns(options: BenchOptions, report: BenchReport) -> None:
    """Write all messages while the warm worker is suspended; the clock starts when it is resumed."""
    turns, delay = options.pick(TURNS, 100), CLAUDE_SECONDS if not options.quick else 1.0
    with (
        BenchEnvironment(WORKER_CONCURRENCY=str(TURNS)) as environment,
        closing(BacklogWriter(environment.settings)) as backlog,
        environment.boss_process("worker") as program,
    ):
        backlog.write([0], "w")
        environment.providers.wait_for_sends(1, TIMEOUT_SECONDS)
        time.sleep(SETTLE_SECONDS)
        program.suspend()
        environment.providers.reset()
        environment.providers.delay(delay)
        backlog.write(range(turns), "t")
        idle, cpu, began = pss_mib(program.pid), cpu_seconds(program.pid), time.time()
        with PeakMemory(program.pid) as peak:
            program.resume()
            sends = environment.providers.wait_for_sends(turns, TIMEOUT_SECONDS)
        cpu = cpu_seconds(program.pid) - cpu
        once_each(sends, [str(backlog.event(user).from_) for user in range(turns)])
        counts = environment.providers.counts()
    total = max(at for at, _ in sends) - began
    report.table(
        f"Held at once: {turns:,} turns, {delay:g} s each at Claude, one worker process",
        ("most at Claude at once", "answered once", "start wave s", "total s", "CPU ms/turn", "idle MiB", "peak MiB", "KiB/held turn"),
        [(
            cell_text(counts["max_in_flight"]), cell_text(len(sends)), counts["last_asked"] - began, total, cpu / turns * 1000, idle,
            peak.mib, (peak.mib - idle) * 1024 / turns,
        )],
    )  # fmt: skip
