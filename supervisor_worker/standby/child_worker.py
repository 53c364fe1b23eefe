"""The standby's own worker, as the parent process sees it: a child process with a control pipe.

The pipe is the child's stdin. A command is one line; the end of the pipe means: end at once, as at SIGTERM. So the child never outlives
its parent, however that dies, and needs no signal, which could come while the child still imports.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
from typing import Final

from shared.mailbox.calls import STANDBY

DRAIN: Final = "drain"
WORK: Final = "work"
KILL_AFTER_SECONDS: Final = 0.85
"""A child that was told to end is killed this long after its grace: later than it ends by itself, sooner than honcho kills us."""


class ChildWorker:
    """One worker process, from its start to its end."""

    def __init__(self, grace: float) -> None:
        """Start it; `grace` is SHUTDOWN_GRACE_SECONDS. Raises OSError when no process can be started."""
        mark = secrets.token_hex(3)
        command = [sys.executable, "-m", "supervisor_worker.standby.child_main", mark]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        self._grace = grace
        self.name = worker_name(self._process.pid, mark)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def send(self, command: str) -> None:
        """`DRAIN`: dequeue nothing more, finish what runs, and end. `WORK`: go on as before. A child that has ended ignores it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(command + "\n")
                self._process.stdin.flush()

    def stop(self) -> None:
        """Have it end as at SIGTERM, and wait for that. In the end it is killed: the mailbox holds all that matters."""
        self.close_pipe()
        try:
            self._process.wait(self._grace + KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close_pipe(self) -> None:
        """Have it end as at SIGTERM, without waiting."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def worker_name(pid: int, mark: str) -> str:
    """The name of the worker with that process id, for RQ and the ledger. `mark` keeps it unique when the id is used again."""
    return f"{STANDBY}{socket.gethostname()}-{pid}-{mark}"
