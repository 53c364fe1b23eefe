"""`held`: 2,000 turns whose question to Claude takes 15 s, held at once by one worker process of Bossline."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from bench.harness.backlog import Crowd
from bench.harness.installation import House
from bench.harness.measure import Peak, cpu_seconds, pss_mib
from bench.harness.options import Options
from bench.harness.provider_client import once_each
from bench.harness.report import Report, shown
from bench.scenarios.worker import LINGER

TURNS: Final = 2000
CLAUDE_SECONDS: Final = 15.0
PATIENCE: Final = 120.0


def held(options: Options, report: Report) -> None:
    """All turns are written while the warm worker stands still; the clock begins when it goes on."""
    turns, delay = options.pick(TURNS, 100), CLAUDE_SECONDS if not options.quick else 1.0
    with House(WORKER_CONCURRENCY=str(TURNS)) as house, closing(Crowd(house.settings)) as crowd, house.boss("worker") as program:
        crowd.write([0], "w")
        house.stub.wait_for_sends(1, PATIENCE)
        time.sleep(LINGER)
        program.stop()
        house.stub.reset()
        house.stub.delay(delay)
        crowd.write(range(turns), "t")
        idle, cpu, began = pss_mib(program.pid), cpu_seconds(program.pid), time.time()
        with Peak(program.pid) as peak:
            program.go_on()
            sends = house.stub.wait_for_sends(turns, PATIENCE)
        cpu = cpu_seconds(program.pid) - cpu
        once_each(sends, [str(crowd.event(user).from_) for user in range(turns)])
        counts = house.stub.counts()
    total = max(at for at, _ in sends) - began
    report.table(
        f"Held at once: {turns:,} turns, {delay:g} s each at Claude, one worker process",
        ("most at Claude at once", "answered once", "start wave s", "total s", "CPU ms/turn", "idle MiB", "peak MiB", "KiB/held turn"),
        [(
            shown(counts["most_in_flight"]), shown(len(sends)), counts["last_asked"] - began, total, cpu / turns * 1000, idle, peak.mib,
            (peak.mib - idle) * 1024 / turns,
        )],
    )  # fmt: skip
