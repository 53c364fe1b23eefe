"""A test's hand in `crashes`: what shall happen in which conversation, and what has happened."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.wait import wait_for

STOPPED: Final = "T"
"""As proc(5) names the state of a process that a signal has stopped."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A signal that a process sent itself, in ms of this machine's clock, which is the server's."""

    at_ms: int
    signal: str
    pid: int


class FaultPlan:
    """A `CRASH_DIR`: which signal the processes with that setting send themselves, in which conversation, at which moment."""

    def __init__(self, directory: Path) -> None:
        """The directory is the test's own."""
        self.directory = directory

    def set(self, conversation: str, *lines: str) -> None:
        """These shall happen, in this order, beginning now (`SIGKILL before:claim`)."""
        self._path(conversation, "hit").unlink(missing_ok=True)
        self._path(conversation, "past").unlink(missing_ok=True)
        part = self._path(conversation, "part")
        part.write_text("\n".join(lines))
        part.rename(self._path(conversation, "plan"))

    def kill(self, conversation: str, moment: str) -> None:
        """Somebody shall die at that moment of that conversation's turn."""
        self.set(conversation, f"SIGKILL {moment}")

    def freeze(self, conversation: str, moment: str) -> None:
        """Somebody shall stop there, and go on after a SIGCONT."""
        self.set(conversation, f"SIGSTOP {moment}")

    def hits(self, conversation: str) -> list[Hit]:
        """What has happened since the plan was set."""
        path = self._path(conversation, "hit")
        lines = path.read_text().splitlines() if path.exists() else []
        return [Hit(int(float(at) * 1000), name, int(pid)) for at, name, pid in map(str.split, lines)]

    def wait_for_hits(self, conversation: str, count: int = 1, seconds: float = 15) -> list[Hit]:
        """Wait until so much has happened."""
        try:
            return wait_for(lambda: found if len(found := self.hits(conversation)) >= count else None, seconds, "hits")
        except AssertionError:
            raise AssertionError(f"after {seconds} s {self.hits(conversation)}; not yet: {self._left(conversation)!r}") from None

    def thaw(self, conversation: str) -> None:
        """Let the process go on that was frozen last, and wait until it has made the call at which it was.

        It leaves word of its freezing before it freezes: one that is told to go on before it stands still would stand still for ever.
        """
        pid = self.hits(conversation)[-1].pid
        wait_for(lambda: _state(pid) == STOPPED, 15, f"the freezing of the worker of {conversation}")
        os.kill(pid, signal.SIGCONT)
        wait_for(self._path(conversation, "past").exists, 15, f"the thawed worker of {conversation}")

    def holder(self, conversation: str) -> int:
        """The pid of the worker that claimed a conversation last."""
        return int(self._path(conversation, "pid").read_text())

    def swept(self) -> list[tuple[str, int]]:
        """Conversations whose wake-ups went with one who died in the sweep, and when, in ms."""
        path = self.directory / "swept"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(conversation, int(float(at) * 1000)) for at, conversation in map(str.split, lines)]

    def _left(self, conversation: str) -> str:
        plan = self._path(conversation, "plan")
        return plan.read_text() if plan.exists() else ""

    def _path(self, conversation: str, suffix: str) -> Path:
        return self.directory / f"{conversation}.{suffix}"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
