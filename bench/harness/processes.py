"""Starts the processes of a measurement with an environment of their own, suspends and resumes them, and ends them with it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.fork_server import die_with_parent
from tests.support.processes import ROOT, clean_environment
from tests.support.wait import wait_for


def raise_file_limit() -> None:
    """Allow as many open files as the hard limit does: thousands of connections need them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class MeasuredProcess:
    """A Python program with its children, in a process group of its own. A context manager; at its end the group is killed."""

    def __init__(self, *arguments: str, settings: Mapping[str, str] | None = None, ready: str = "") -> None:
        """`arguments` are the interpreter's. With `ready` the start waits until that text was printed."""
        self._arguments: Sequence[str] = arguments
        self._settings = {**(settings or {}), "PYTHONPATH": str(ROOT)}
        self._ready = ready

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-cwd-")
        self._output = Path(self._scratch.name) / "output"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *self._arguments],
                cwd=self._scratch.name,
                env=clean_environment(**self._settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - no other thread starts programs
            )
        if self._ready:
            self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        try:
            wait_for(lambda: self._ready in self.output or not self.alive, 30, f"{self._ready!r} of {self._arguments}")
            self.check()
        except AssertionError as error:
            self.__exit__(AssertionError, error, None)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            print(f"{' '.join(self._arguments)} said:\n{self.output[-3000:]}", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._scratch.cleanup()

    @property
    def pid(self) -> int:
        """The process id of the program, not of its children."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """All that was printed."""
        return self._output.read_text(errors="replace")

    def check(self) -> None:
        """Raise AssertionError with its output if it has ended."""
        assert self.alive, f"{self._arguments} ended:\n{self.output[-4000:]}"

    def suspend(self) -> None:
        """Suspend the group (SIGSTOP)."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the group (SIGCONT)."""
        os.killpg(self._process.pid, signal.SIGCONT)
