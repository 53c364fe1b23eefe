"""`make soak`: the whole product for an hour, with random kills; exit status 0 if nothing was lost, doubled or out of order.

    SOAK_MINUTES=60 SOAK_RATE=5 SOAK_PEOPLE=300 SOAK_SEED=... python -m bench.soak

It prints a line each minute. Ctrl-C ends it with a report of the time until then and status 130; a second one ends it at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from types import FrameType
from typing import Final

from bench.soak import memory
from bench.soak.faults import FaultInjector
from bench.soak.options import SoakOptions, SoakOptionsError
from bench.soak.processes import SoakProcesses
from bench.soak.report import SoakResult
from bench.soak.traffic import PROVIDER_FAULTS, SoakTraffic
from tests.support.load import report

LOOP_SECONDS: Final = 0.2
PROGRESS_SECONDS: Final = 60.0
NO_FAULTS: Final = {name: {"latency_seconds": 0, "fail": []} for name in PROVIDER_FAULTS}
FAILED: Final = 1
BAD_OPTIONS: Final = 2
INTERRUPTED: Final = 130
"""Exit statuses."""


class Soak:
    """One soak, from the first message to the last answer. SIGINT and SIGTERM end it early."""

    def __init__(self, options: SoakOptions, processes: SoakProcesses, traffic: SoakTraffic) -> None:
        """Nothing is sent yet."""
        self.options, self.processes, self.traffic = options, processes, traffic
        self.injector = FaultInjector(processes, random.Random(options.seed), options.seconds)  # noqa: S311 - no secret
        self.samples: list[memory.Sample] = []
        self.failures: list[str] = []
        self.stopped = False
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def run(self) -> SoakResult:
        """Send messages and inject faults, then wait for the open messages, and return the result."""
        self.processes.installation.sandbox.faults(**PROVIDER_FAULTS)
        began = time.time()
        with self.traffic:
            try:
                self._inject_and_sample()
                self.injector.restore()
            except AssertionError as error:  # a process did not start: the report says so, and the messages sent so far are judged
                self.failures.append(str(error))
            ended = time.time()
            say(f"no more messages; waiting for what is open, at most {self.options.drain_seconds:.0f} s")
            self.processes.installation.sandbox.faults(**NO_FAULTS)
            self.traffic.drain(self.options.drain_seconds)
            seen = report(self.traffic, "soak", began, ended)
        return SoakResult(
            options=self.options,
            report=seen,
            process_faults=self.injector.counts,
            repeats=self.traffic.repeats,
            failures=[*self.injector.failures, *self.failures],
            samples=self.samples,
            key_counts=memory.count_keys(self.processes.installation.redis),
            cut_short=self.stopped or bool(self.failures),
        )

    def _inject_and_sample(self) -> None:
        began = time.monotonic()
        sample_at = progress_at = 0.0
        every = min(PROGRESS_SECONDS, self.options.seconds / 3)
        while not self.stopped and (now := time.monotonic() - began) < self.options.seconds:
            self.injector.step(now)
            if now >= sample_at:
                self.samples.append(memory.take_sample(self.processes, now, len(self.traffic.sent)))
                sample_at = now + min(memory.SAMPLE_SECONDS, self.options.seconds / 10)
            if now >= progress_at:
                self._progress(now)
                progress_at += every
            time.sleep(LOOP_SECONDS)

    def _progress(self, now: float) -> None:
        answers = self.traffic.look()
        open_ = sum(not found for found in answers.values())
        used = ", ".join(f"{name} {mib:.0f}" for name, mib in self.samples[-1].processes.items())
        faults = sum(self.injector.counts.values())
        say(f"{now / 60:5.1f} min: {len(answers)} messages, {open_} open, {faults} process faults; MiB: {used}")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> int:
    """Run a soak; return the exit status."""
    try:
        options = SoakOptions.from_environ(os.environ)
    except SoakOptionsError as error:
        say(str(error))
        return BAD_OPTIONS
    say(f"soak of {options.minutes:g} minutes, SOAK_SEED={options.seed}; Ctrl-C ends it with a report")
    with SoakProcesses(options) as processes:
        result = Soak(options, processes, SoakTraffic(processes, options)).run()
    for line in result.lines():
        say(line)
    if result.violations:
        return FAILED
    return INTERRUPTED if result.cut_short else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("given up")
        sys.exit(INTERRUPTED)
