"""`make bench`: Bossline beside what it is compared with, in one run; tables and a chart in `bench/results/`.

    python -m bench [PART ...] [--quick] [--without-peers] [--minutes N] [--rounds N]

Rounds alternate between the contestants and the median counts, because the machine's noise is larger than many a difference. The
load generator, the stub providers, Valkey and the measured processes share the machine's cores: read the ratios. A contestant that
did not do all of its work ends the run with an error.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from bench.harness.options import Options
from bench.harness.report import Report

MODULES: Final = {"held": "concurrent_turns", "pressure": "overload"}
PARTS: Final = ("webhook", "message", "worker", "held", "conversations", "overhead", "pressure", "bridge")


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="a few seconds a part, to see that it works; the figures mean nothing")
    parser.add_argument("--without-peers", action="store_true", help="Bossline alone: needs nothing beyond the product")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long `pressure` lasts")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    chosen = given.part or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not given.without_peers and find_spec("celery") is None:
        parser.error("the other queues are not installed: `make bench` does it, --without-peers does without")
    rounds = 1 if given.quick else given.rounds
    options = Options(quick=given.quick, peers=not given.without_peers, minutes=given.minutes, rounds=rounds)
    report = Report("quick" if given.quick else "-".join(given.part) or "all")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # thousands of connections; the children inherit it
    for name in chosen:
        measure: Callable[[Options, Report], None] = getattr(import_module(f"bench.scenarios.{MODULES.get(name, name)}"), name)
        measure(options, report)
        print(f"\nWritten to {report.save()}", file=sys.stderr)


if __name__ == "__main__":
    main()
