"""`boss worker` without its two seconds of imports: the tester's process, which has them already, forks."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from redis import Redis

from shared.config.loading import load_settings
from supervisor_worker.process import startup, worker
from tests.support.fork_server import die_with_parent
from tests.support.processes import clean_environment
from tests.support.wait import wait_for


def boss_worker() -> int:
    """What `boss worker` does; its exit status."""
    return startup.main(load_settings())


class ForkedWorker:
    """A worker process on `settings` alone. It runs from `__enter__` on, and ends with the test."""

    imported = worker  # by the tester's process, so that its children have it

    def __init__(self, settings: Mapping[str, str], redis: Redis, main: Callable[[], int] = boss_worker) -> None:
        """`redis` is a client of the server in `settings`; it shows when the worker is there. `main` answers an exit status."""
        self._redis = redis
        self._scratch = tempfile.TemporaryDirectory(prefix="worker-")
        self._output = Path(self._scratch.name) / "output"
        self._process = multiprocessing.get_context("fork").Process(target=_live, args=(dict(settings), self._output, main))

    def __enter__(self) -> Self:
        """Start, and wait until RQ knows it."""
        self._process.start()
        wait_for(lambda: self.key or self.returncode is not None, 20, "the worker's registration")
        assert self.returncode is None, self.output
        return self

    def run(self, seconds: float) -> int:
        """Start one that ends by itself; its exit status."""
        self._process.start()
        return self.wait(seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it, whatever it does."""
        self.kill9()
        if error is not None:
            sys.stderr.write(self.output[-4000:])
        self._scratch.cleanup()

    @property
    def returncode(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.exitcode

    @property
    def output(self) -> str:
        """What it printed."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    @property
    def key(self) -> str:
        """Its record's key; '' before it is registered."""
        for key in cast("set[bytes]", self._redis.smembers("rq:workers")):
            if cast("Any", self._redis.hget(key.decode(), "pid")) == str(self._process.pid).encode():
                return key.decode()
        return ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(cast("int", self._process.pid), number)

    def insist(self, number: signal.Signals, seconds: float) -> int:
        """Send a signal again and again, because twice within a moment counts as once; the exit status."""

        def ended() -> bool:
            if self.returncode is None:
                self.send(number)
            return self.returncode is not None

        wait_for(ended, seconds, "the end")
        return self.wait(0)

    def wait(self, seconds: float) -> int:
        """Wait for its end; its exit status."""
        self._process.join(seconds)
        assert self.returncode is not None, f"still running after {seconds:g} s:\n{self.output[-4000:]}"
        return self.returncode

    def terminate(self, seconds: float = 10) -> int:
        """SIGTERM, and its exit status."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill9(self) -> None:
        """Crash."""
        self._process.kill()
        self._process.join(10)


def _live(settings: dict[str, str], output: Path, main: Callable[[], int]) -> None:
    die_with_parent()
    os.environ.clear()
    os.environ.update(clean_environment(**settings))
    os.chdir(output.parent)
    _let_go()
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    _forget_logging()
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1) for stream in (1, 2))
    sys.exit(main())


def _forget_logging() -> None:
    """As in a new process: neither pytest's handlers nor what another test, or RQ, has set up in this one."""
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for logger in (logging.root, *known):
        logger.handlers[:] = []
        logger.setLevel(logging.WARNING if logger is logging.root else logging.NOTSET)
        logger.propagate = True


def _let_go() -> None:
    """Close the tester's files: the lock of an embedded server lasts as long as anybody has it open."""
    for entry in list(Path("/dev/fd").iterdir()):
        number = int(entry.name)
        with contextlib.suppress(OSError):
            if number > 2 and stat.S_ISREG(os.fstat(number).st_mode):
                os.close(number)
