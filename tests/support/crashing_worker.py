"""`python -m tests.support.crashing_worker`: what `boss worker` runs, dying where it is told to: the product needs no hooks.

With `WORKER_PROCESSES` set, what `boss worker --processes` runs, in as many children of its own. With `CRASH_DIR` set, it does what the
plans in that directory say; see `crashes`. With `CRASH_APART` it knows no other process of its host.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from shared.config.loading import load_settings
from shared.observability import logs
from supervisor_worker.process import pool
from supervisor_worker.turns import liveness
from tests.support.fault_points import FaultPoints, arm_worker


def main() -> int:
    """Be the worker; its exit status."""
    if directory := os.environ.get("CRASH_DIR"):
        arm_worker(FaultPoints(Path(directory)))
    if os.environ.get("CRASH_APART"):  # as if it were alone on its host: nobody there knows of its end
        liveness.place = lambda: ""
    loaded = load_settings()
    logs.configure("worker", loaded.log_format)
    return pool.main(loaded, int(os.environ.get("WORKER_PROCESSES", "1")))


if __name__ == "__main__":
    sys.exit(main())
