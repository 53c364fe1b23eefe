"""Workers of the fork server, which die where they are told to: a test orders them, and they are there in half a second."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

from redis import Redis

from tests.support.fork_server import ROOT, fork
from tests.support.processes import clean_environment
from tests.support.wait import wait_for


class CrashingWorker:
    """One worker process, started; see `crashing_worker`."""

    def __init__(self, settings: dict[str, str], redis: Redis) -> None:
        """On `settings` alone; does not wait until it is registered, which `redis` shows."""
        self._scratch = tempfile.TemporaryDirectory(prefix="boss-worker-")
        self._output = Path(self._scratch.name) / "output"
        self._redis = redis
        with self._output.open("ab") as output:
            self._program = fork(
                "worker", "tests.support.crashing_worker", env=clean_environment(**{"PYTHONPATH": str(ROOT), **settings}),
                directory=self._output.parent, output=output.fileno(),
            )  # fmt: skip
        self.pid = self._program.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._program.poll() is None

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def ready(self) -> Self:
        """Wait until RQ knows it."""
        wait_for(lambda: self.registered() or not self.alive, 20, "the worker's registration")
        if not self.alive:
            raise AssertionError(f"the worker ended at its start:\n{self.output[-4000:]}")
        return self

    def registered(self) -> bool:
        """Whether RQ's list of workers has this process, or all of its children where those work."""
        keys = cast("set[bytes]", self._redis.smembers("rq:workers"))
        known = {int(cast("Any", self._redis.hget(key.decode(), "pid")) or 0) for key in keys}
        children = self.children()
        return self.pid in known or (bool(children) and set(children) <= known)

    def children(self) -> list[int]:
        """Its own processes; none where it works itself."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of its group, as a service manager does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill9(self) -> None:
        """Kill it with its children, and wait until it is gone."""
        if self.alive:
            self.signal_all(signal.SIGKILL)
        self._program.wait(10)

    def close(self) -> None:
        """Make sure that nothing of it is left."""
        self.kill9()
        self._scratch.cleanup()
