"""`make bench`: measures Bossline and other systems in one run; tables and a chart in `bench/results/`.

    python -m bench [PART ...] [--quick] [--without-peers] [--minutes N] [--rounds N]

Rounds alternate between the contenders and the median is reported, because the machine's noise is larger than many differences. The
load generator, the stub providers, Valkey and the measured processes share the machine's cores: compare the ratios. A contender that
did not complete all of its work ends the run with an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from bench.harness.options import BenchOptions
from bench.harness.processes import raise_file_limit
from bench.harness.report import BenchReport

PARTS: Final = ("webhook", "message", "worker", "concurrent_turns", "conversations", "overhead", "overload", "bridge")
"""Each is a module of `bench.scenarios` with a function of the same name."""


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="a few seconds each, to see that it works; the figures mean nothing")
    parser.add_argument("--without-peers", action="store_true", help="Bossline alone: needs nothing beyond the product")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long `overload` lasts")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    chosen = given.part or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not given.without_peers and find_spec("celery") is None:
        parser.error("the other queues are not installed: `make bench` does it, --without-peers does without")
    rounds = 1 if given.quick else given.rounds
    options = BenchOptions(quick=given.quick, peers=not given.without_peers, minutes=given.minutes, rounds=rounds)
    report = BenchReport("quick" if given.quick else "-".join(given.part) or "all")
    raise_file_limit()  # the children inherit it
    for name in chosen:
        measure: Callable[[BenchOptions, BenchReport], None] = getattr(import_module(f"bench.scenarios.{name}"), name)
        measure(options, report)
        print(f"\nWritten to {report.save()}", file=sys.stderr)


if __name__ == "__main__":
    main()
