"""The standby works while no regular worker lives, and only then (the fallback to local processing).

`process` is `boss standby`: a light process that watches (`liveness`) and, when nobody lives, starts a worker of its own (`child_worker`).
That worker is `child_main`: the same code as any other worker, told over a pipe when to drain.
"""

from supervisor_worker.standby.process import main

__all__ = ["main"]
