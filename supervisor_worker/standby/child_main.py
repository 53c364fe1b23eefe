"""The standby's own worker, inside the child process: `boss worker` with a control pipe (see `child_worker`).

Run as a module, by the standby alone; its argument is the mark in its worker's name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.config.loading import load_settings
from shared.process.lifecycle import exit_now, guarded
from supervisor_worker.process import startup
from supervisor_worker.standby.child_worker import DRAIN, WORK, worker_name

if TYPE_CHECKING:
    from supervisor_worker.process.sweep import Sweep
    from supervisor_worker.process.worker import BossWorker

END: Final = ""
"""Stands for the end of the pipe; no line is empty."""
POLL_SECONDS: Final = 0.05


class ControlPipe:
    """The child's end of the pipe. It is read from the first moment on, in a thread: the loop exists only seconds later."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._follow: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Read in a daemon thread, which does not hold up the process's end."""
        threading.Thread(target=self._read, name="control-pipe", daemon=True).start()

    async def control(self, worker: BossWorker, sweep: Sweep) -> None:
        """Apply the commands in the loop of `worker`; a worker that drains is ended when nothing runs any more."""
        loop = asyncio.get_running_loop()

        def follow(command: str) -> None:
            if command == END:
                _end(worker)
            else:
                worker.draining = sweep.draining = command == DRAIN

        with self._lock:
            self._follow = lambda command: _post(loop, follow, command)
        while not (worker.draining and not worker.runs):  # noqa: ASYNC110 - RQ's end of a run is no event of ours
            await asyncio.sleep(POLL_SECONDS)
        _end(worker)

    def _read(self) -> None:
        for line in sys.stdin:
            self._receive(line.strip())
        self._receive(END)

    def _receive(self, command: str) -> None:
        with self._lock:
            if self._follow is not None:
                self._follow(command)
            elif command != WORK:
                os._exit(0)  # the child still imports: it holds nothing, and has nothing to finish


def _end(worker: BossWorker) -> None:
    """As at a signal, unless one came before: honcho and a terminal signal all processes, and a second signal would end the grace."""
    if not worker.told_to_end:
        worker.request_stop(signal.SIGTERM, None)


def _post(loop: asyncio.AbstractEventLoop, follow: Callable[[str], None], command: str) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(follow, command)


def main() -> int:
    """Work until told to end; the answer is a worker's exit status."""
    pipe = ControlPipe()
    pipe.start()
    return startup.main(load_settings(), "standby", name=worker_name(os.getpid(), sys.argv[1]), beside=pipe.control)


if __name__ == "__main__":
    exit_now(guarded(main))
