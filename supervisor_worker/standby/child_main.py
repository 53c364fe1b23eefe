"""The worker of a standby: `boss worker`, on a leash (see `shift`). Run as a module, by the standby alone; its argument ends its name."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.config import settings as knobs
from shared.process.lifecycle import guarded, leave
from supervisor_worker.process import startup as bootstrap
from supervisor_worker.standby.child_worker import REST, WORK, worker_name

if TYPE_CHECKING:
    from supervisor_worker.process.sweep import Sweep
    from supervisor_worker.process.worker import BossWorker

END: Final = ""
LOOK_SECONDS: Final = 0.05


class Leash:
    """Hears the parent's orders, from the first moment on: what would be pointless to begin is not begun."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._follow: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Listen, in a thread that keeps nobody."""
        threading.Thread(target=self._listen, name="leash", daemon=True).start()

    async def hold(self, worker: BossWorker, sweep: Sweep) -> None:
        """Follow the orders in the loop of `worker`; when it rests and nothing runs any more, it ends."""
        loop = asyncio.get_running_loop()

        def follow(order: str) -> None:
            if order == END:
                _end(worker)
            else:
                worker.draining = sweep.draining = order == REST

        with self._lock:
            self._follow = lambda order: _post(loop, follow, order)
        while not (worker.draining and not worker.runs):  # noqa: ASYNC110 - RQ's end of a run is no event of ours
            await asyncio.sleep(LOOK_SECONDS)
        _end(worker)

    def _listen(self) -> None:
        for line in sys.stdin:
            self._hear(line.strip())
        self._hear(END)

    def _hear(self, order: str) -> None:
        with self._lock:
            if self._follow is not None:
                self._follow(order)
            elif order != WORK:
                os._exit(0)  # it still imports: nothing is held, and nothing has to be finished


def _end(worker: BossWorker) -> None:
    """As at a signal, unless one has come already: honcho and a terminal signal us all, and a second one would end the grace."""
    if not worker.told_to_end:
        worker.request_stop(signal.SIGTERM, None)


def _post(loop: asyncio.AbstractEventLoop, follow: Callable[[str], None], order: str) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(follow, order)


def main() -> int:
    """Work until the orders say otherwise; the exit status is a worker's."""
    leash = Leash()
    leash.start()
    return bootstrap.main(knobs.load(), "standby", name=worker_name(os.getpid(), sys.argv[1]), beside=leash.hold)


if __name__ == "__main__":
    leave(guarded(main))
