"""The whole house as its user starts it: a fresh copy of the tree, an empty home, the Procfile, and Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.processes import ROOT, clean_environment, free_port
from tests.support.wait import wait_for

MARK: Final = "BOSS_TEST_MARK"
READY: Final = "Bossline is ready."
START_SECONDS: Final = 90


def fresh_copy(where: Path) -> Path:
    """The files that a clone would have (and new ones not yet added), with this environment's packages.

    The code is the copy's own: `start` puts it on PYTHONPATH, before the installed one.
    """
    where.mkdir()
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, where / name)
    (where / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return where


class FreshCheckout:
    """One start of the Procfile in a process group of its own, as in a terminal."""

    def __init__(self, tree: Path, *command: str, **settings: str) -> None:
        """`command` is what the user types, `settings` what the user's shell has set. Nothing runs yet."""
        self.tree = tree
        self.command = command
        self.mark = uuid.uuid4().hex
        self.sandbox_port = settings.setdefault("SANDBOX_PORT", str(free_port()))
        settings.setdefault("SUPERVISOR_PORT", str(free_port()))
        home = tree / "home"
        home.mkdir(exist_ok=True)
        self.environment = clean_environment(HOME=str(home), PYTHONPATH=str(tree), **{MARK: self.mark}, **settings)
        self._output = tree / f"output-{self.mark}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """Everything that it printed so far."""
        return self._output.read_text(errors="replace")

    @property
    def web_url(self) -> str:
        """Where its web process listens, as that said itself."""
        return (self.tree / ".boss" / "web.url").read_text().strip()

    def start(self) -> Self:
        """Start; does not wait."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_hear_the_terminal,
            )
        return self

    def wait_for_output(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Wait until the output matches; fails at once when the house falls before."""
        wait_for(lambda: re.search(pattern, self.output) or self.ended(), seconds, f"{pattern!r} of {self.command}")
        found = re.search(pattern, self.output)
        if found is None:
            raise AssertionError(f"{self.command} ended before it printed {pattern!r}:\n{self.output[-6000:]}")
        return found

    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._process is None or self._process.poll() is not None

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """What the terminal does on Ctrl-C (or when it is closed): signal the whole foreground group."""
        if self._process:
            os.killpg(self._process.pid, number)

    def wait(self, seconds: float = 15) -> int:
        """Wait for the command's end and return its status."""
        if self._process is None:
            raise AssertionError("it was not started")
        return self._process.wait(seconds)

    def processes(self) -> list[str]:
        """What is alive of this start, found by a variable that every child inherits."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                    found.append(f"{place.name} {(place / 'cmdline').read_bytes().decode(errors='replace')}")
            except OSError:
                continue
        return found

    def run(self, *command: str, seconds: float = 40) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, with the same settings, as from a second terminal."""
        return subprocess.run(
            command,
            cwd=self.tree,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        for line in self.processes():
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._process:
            self._process.wait(10)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        self.close()


def _hear_the_terminal() -> None:
    """A tester under nohup ignores SIGHUP, and would bequeath that to a house that has a terminal of its own."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
