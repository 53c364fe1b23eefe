"""The standby: it works while no regular worker lives, and only then (the graceful fallback to local processing).

`process` is `boss standby`: light, it watches (`liveness`) and, when nobody lives, starts a worker of its own (`child_worker`), which is
`child_main`: the same code as any other worker, told over a pipe when to retire.
"""

from supervisor_worker.standby.process import main

__all__ = ["main"]
