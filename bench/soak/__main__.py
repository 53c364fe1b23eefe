"""`make soak`: the whole product for an hour, with random kills; exit status 0 when nothing was lost, doubled or disordered.

    SOAK_MINUTES=60 SOAK_RATE=5 SOAK_PEOPLE=300 SOAK_SEED=... python -m soak

A line each minute. Ctrl-C ends it with a report of what was seen so far and status 130; a second one gives up at once.
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
from bench.soak.faults import Mayhem
from bench.soak.options import Options, OptionsError
from bench.soak.processes import Cast
from bench.soak.report import Soaked
from bench.soak.traffic import SHAKY, Traffic
from tests.support.load import report

STEP_SECONDS: Final = 0.2
PROGRESS_SECONDS: Final = 60.0
CALM: Final = {name: {"latency_seconds": 0, "fail": []} for name in SHAKY}
FAILED: Final = 1
WRONG: Final = 2
INTERRUPTED: Final = 130


class Soak:
    """One soak, from the first message to the last answer."""

    def __init__(self, options: Options, cast: Cast, traffic: Traffic) -> None:
        """Nothing is sent yet."""
        self.options, self.cast, self.traffic = options, cast, traffic
        self.mayhem = Mayhem(cast, random.Random(options.seed), options.seconds)  # noqa: S311 - dice, no secret
        self.samples: list[memory.Sample] = []
        self.failures: list[str] = []
        self.stopped = False
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def run(self) -> Soaked:
        """All of it."""
        self.cast.whole.sandbox.knobs(**SHAKY)
        began = time.time()
        with self.traffic:
            try:
                self._strike_and_look()
                self.mayhem.settle()
            except AssertionError as error:  # a process did not come up: the report tells, and what has been sent is judged
                self.failures.append(str(error))
            ended = time.time()
            say(f"no more messages; waiting for what is open, at most {self.options.drain_seconds:.0f} s")
            self.cast.whole.sandbox.knobs(**CALM)
            self.traffic.drain(self.options.drain_seconds)
            seen = report(self.traffic, "soak", began, ended)
        return Soaked(
            options=self.options,
            report=seen,
            strikes=self.mayhem.counts,
            repeats=self.traffic.repeats,
            failures=[*self.mayhem.failures, *self.failures],
            samples=self.samples,
            records=memory.records(self.cast.whole.redis),
            cut_short=self.stopped or bool(self.failures),
        )

    def _strike_and_look(self) -> None:
        began = time.monotonic()
        look_at = progress_at = 0.0
        every = min(PROGRESS_SECONDS, self.options.seconds / 3)
        while not self.stopped and (now := time.monotonic() - began) < self.options.seconds:
            self.mayhem.step(now)
            if now >= look_at:
                self.samples.append(memory.look(self.cast, now, len(self.traffic.sent)))
                look_at = now + min(memory.EVERY_SECONDS, self.options.seconds / 10)
            if now >= progress_at:
                self._progress(now)
                progress_at += every
            time.sleep(STEP_SECONDS)

    def _progress(self, now: float) -> None:
        answers = self.traffic.look()
        open_ = sum(not found for found in answers.values())
        used = ", ".join(f"{name} {mib:.0f}" for name, mib in self.samples[-1].processes.items())
        strikes = sum(self.mayhem.counts.values())
        say(f"{now / 60:5.1f} min: {len(answers)} messages, {open_} open, {strikes} strikes; MiB: {used}")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True


def say(line: str) -> None:
    """A line for whoever watches."""
    print(line, flush=True)


def main() -> int:
    """Run one; the exit status."""
    try:
        options = Options.from_environ(os.environ)
    except OptionsError as error:
        say(str(error))
        return WRONG
    say(f"soak of {options.minutes:g} minutes, SOAK_SEED={options.seed}; Ctrl-C ends it with a report")
    with Cast(options) as cast:
        soaked = Soak(options, cast, Traffic(cast, options)).run()
    for line in soaked.lines():
        say(line)
    if soaked.faults:
        return FAILED
    return INTERRUPTED if soaked.cut_short else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("given up")
        sys.exit(INTERRUPTED)
