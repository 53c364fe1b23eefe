"""The worker that a standby starts, as its parent holds it: a process on a leash.

The leash is the child's stdin. An order is a line on it, and its end means: end at once, as at SIGTERM. So the child never outlives
its parent, however that dies, and needs no signal that could come while it still imports.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
from typing import Final

from shared.mailbox.calls import STANDBY

REST: Final = "rest"
WORK: Final = "work"
KILLED_AFTER: Final = 0.85
"""How long after the grace a child that was told to end is killed: later than it ends itself, sooner than honcho kills us."""


class Shift:
    """One worker, from its start to its end."""

    def __init__(self, grace: float) -> None:
        """Start it; `grace` is SHUTDOWN_GRACE_SECONDS. Raises OSError when there is no room for a process."""
        mark = secrets.token_hex(3)
        command = [sys.executable, "-m", "supervisor_worker.standby.child_main", mark]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        self._grace = grace
        self.name = worker_name(self._process.pid, mark)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def order(self, order: str) -> None:
        """`REST`: take nothing more, finish, and end. `WORK`: as before. One that has ended does not hear it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(order + "\n")
                self._process.stdin.flush()

    def end(self) -> None:
        """Have it end as at SIGTERM, and wait for that; the mailbox holds all that matters, so in the end it is killed."""
        self.let_go()
        try:
            self._process.wait(self._grace + KILLED_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def let_go(self) -> None:
        """Have it end, without waiting."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def worker_name(pid: int, mark: str) -> str:
    """How RQ and the ledger know the worker with that process id."""
    return f"{STANDBY}{socket.gethostname()}-{pid}-{mark}"
