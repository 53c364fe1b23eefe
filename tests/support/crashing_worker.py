"""Workers that are born fast and die where they are told to: a test-only way in, so that the product needs no hooks.

Run as `python -m tests.support.crashing_worker` this is a nursery: it imports the supervisor once (the SDKs take two
seconds), then forks one worker for each line on stdin, `{"env": {...}, "output": "file"}`, and answers with its pid.
Each child is a process of its own, in a session of its own, that runs what `boss worker` runs; with `WORKER_PROCESSES` set, what
`boss worker --processes` runs, in as many children of its own.
With `CRASH_DIR` set, a child does what the plans in that directory say; see `crashes`. With `CRASH_APART` it knows no other process of
its host.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Final

from tests.support.crashes import Crashes, arm_worker

PR_SET_PDEATHSIG: Final = 1


def be_worker(order: dict[str, Any]) -> int:
    """Become the worker that the order describes; returns its exit status."""
    os.setsid()
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null, output = os.open(os.devnull, os.O_RDONLY), os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(Path(order["output"]).parent)
    if directory := os.environ.get("CRASH_DIR"):
        arm_worker(Crashes(Path(directory)))
    if os.environ.get("CRASH_APART"):  # as if it were alone on its host: nobody there knows of its end
        from supervisor_worker import liveness  # noqa: PLC0415

        liveness.place = lambda: ""
    from shared import settings, telemetry  # noqa: PLC0415 - the nursery has imported them; here they are at hand
    from supervisor_worker import pool  # noqa: PLC0415

    loaded = settings.load()
    telemetry.configure("worker", loaded.log_format)
    return pool.main(loaded, int(os.environ.get("WORKER_PROCESSES", "1")))


def _life(order: dict[str, Any]) -> int:
    """All of a child's life; nothing may come back from here into the nursery's loop."""
    try:
        return be_worker(order)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child's last words
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def die_with_parent() -> None:
    """No orphans: the kernel kills this process when the one that forked it ends."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Fork a worker for each order until stdin ends."""
    import anthropic  # noqa: PLC0415 - imported before the forks, so that each child has it for nothing
    import anthropic.types  # noqa: F401, PLC0415
    import sendgrid  # noqa: F401, PLC0415
    import twilio.rest  # noqa: F401, PLC0415

    import supervisor_worker.jobs  # noqa: PLC0415
    import supervisor_worker.pool  # noqa: PLC0415
    import supervisor_worker.worker  # noqa: F401, PLC0415

    gc.freeze()  # the children's collector leaves the shared pages alone
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    print("ready", flush=True)  # noqa: T201 - the protocol
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            os._exit(_life(json.loads(line)))
        print(pid, flush=True)  # noqa: T201 - the protocol
    return 0


if __name__ == "__main__":
    sys.exit(main())
