"""The nursery's other end: a test orders workers, and they are there in a fifth of a second; see `crashing_worker`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

from redis import Redis

from tests.support.processes import LIBC, PR_SET_PDEATHSIG, ROOT, clean_environment
from tests.support.wait import wait_for


class Nursery:
    """Forks workers out of one process that has imported everything; see `crashing_worker`."""

    def __init__(self) -> None:
        """Nothing runs yet, and one that is never started leaves nothing behind."""
        self._scratch = Path()
        self._process: subprocess.Popen[str] | None = None
        self._names = itertools.count(1)

    def start(self) -> Self:
        """Begin to import; does not wait."""
        self._scratch = Path(tempfile.mkdtemp(prefix="boss-nursery-"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crashing_worker"],
            cwd=ROOT,
            env=clean_environment(PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_die_with_parent,
        )
        return self

    def fork(self, settings: dict[str, str], redis: Redis) -> ForkedWorker:
        """A new worker; does not wait until it is registered."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise AssertionError("the nursery was not started")
        output = self._scratch / f"worker-{next(self._names)}"
        order = {"env": clean_environment(**settings), "output": str(output)}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        while line == "ready\n":
            line = process.stdout.readline()
        if not line:
            raise AssertionError("the nursery ended; its reason is on stderr")
        return ForkedWorker(int(line), output, redis)

    def close(self) -> None:
        """End it; the children die with it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            shutil.rmtree(self._scratch, ignore_errors=True)


class ForkedWorker:
    """One worker process of the nursery."""

    def __init__(self, pid: int, output: Path, redis: Redis) -> None:
        """`redis` shows when it is registered."""
        self.pid = pid
        self._gone = False
        self._output = output
        self._redis = redis

    @property
    def alive(self) -> bool:
        """Whether the process is there. Once it is gone its pid may be another's, and is not asked again."""
        try:
            if not self._gone:
                os.kill(self.pid, 0)
        except ProcessLookupError:
            self._gone = True
        return not self._gone

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
        wait_for(lambda: not self.alive, 10, "the worker's end")

    close = kill9


def _die_with_parent() -> None:
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
