"""Processes that honcho started end when it has ended, however that was.

honcho (H) starts a helper (M) for each line of the Procfile, and the helper starts that line's command in a session of its own. When H is
killed, or fails because nobody reads its output any more (`honcho start | tee log` and Ctrl-C, which ends `tee` first), neither M nor we
are told: both would go on for ever. So a thread of ours checks twice a second whether the chain of parents from us up to H exists, and
whether H still works. When it does not, this process ends M, which would wait to pass on our output, and then itself as honcho would have
ended it: SIGTERM, and SIGKILL for its whole session 5 s later.

Only a process that honcho started does so: one that systemd started, or that was put into the background by hand, is to go on.
`python -m shared.process.honcho MODULE` adds it to a module that knows nothing of this.
"""

from __future__ import annotations

import os
import runpy
import select
import signal
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

MARK: Final = "HONCHO_PROCESS_NAME"
"""An environment variable that honcho sets for its processes, and nobody else does."""
POLL_SECONDS: Final = 0.5
IDLE_POLLS: Final = 3
"""How many polls in a row must find that honcho has stopped working."""
KILL_AFTER_SECONDS: Final = 5.0
"""How long after SIGTERM honcho kills a process, and so do we."""
PROC: Final = Path("/proc")
TOLD_TO_END: Final = threading.Event()
"""Set by a process that has begun to end, for which a second SIGTERM means "at once"."""


def under_honcho() -> bool:
    """Whether honcho started this process: it ends all when one of them ends."""
    return MARK in os.environ


def end_with_honcho() -> None:
    """Start the check in a daemon thread. To be called after any `exec`, which a thread does not survive."""
    if under_honcho():
        threading.Thread(target=_watch, args=(Honcho.found(),), name="end-with-honcho", daemon=True).start()


class Honcho:
    """The chain of our parents up to honcho itself, and whether it is intact."""

    def __init__(self, parents: tuple[int, ...], proc: Path = PROC) -> None:
        """`parents` begins with ours and ends with honcho's main process."""
        self._parents = parents
        self._proc = proc
        self._idle = 0

    @classmethod
    def found(cls, proc: Path = PROC, parent: int = 0) -> Honcho:
        """Go up from our parent: over shells, which have MARK in their environment, to honcho's helper and to honcho.

        Without /proc only the parent is known.
        """
        parents = [parent or os.getppid()]
        while _marked(parents[-1], proc):
            parents.append(_parent_of(parents[-1], proc))
        if honcho := _parent_of(parents[-1], proc):
            parents.append(honcho)
        return cls(tuple(parents), proc)

    def ended(self) -> bool:
        """Whether honcho has died, or has stopped working."""
        return self._broken() or self._stopped_working()

    def was_dead_before(self) -> bool:
        """Whether honcho died before the first check: then the process that adopted us is not honcho, of which M is a fork or a child."""
        if len(self._parents) == 1:
            return self._parents[0] == 1 and self._proc.exists()
        helper, main = (_command(pid, self._proc) for pid in self._parents[-2:])
        return bool(helper and main) and main != helper and b"honcho" not in main

    def end_the_rest(self) -> None:
        """Kill what is left above us: honcho that has stopped working, and M, which would wait for ever to pass on our output.

        honcho only waits for M then, and M only for a honcho that reads.
        """
        if len(self._parents) > 1 and os.getppid() == self._parents[0]:
            main = self._parents[-1:] if not self._broken() else ()
            for pid in (*main, self._parents[-2]):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _broken(self) -> bool:
        if self._parents[0] != os.getppid():
            return True
        if len(self._parents) == 1:
            return False
        return any(_parent_of(child, self._proc) != parent for child, parent in zip(self._parents, self._parents[1:], strict=False))

    def _stopped_working(self) -> bool:
        """Whether honcho only waits for its helpers to end, as it does after an error, without having told them to end.

        Its output has no reader (then its next line causes that error), or it sleeps in wait(2), as its main loop never does. Required in
        several polls in a row, because an orderly end passes through that state too.
        """
        if len(self._parents) == 1:
            return False
        main = self._parents[-1]
        self._idle = self._idle + 1 if _waits_for_children(main, self._proc) or _unread(main, self._proc) else 0
        return self._idle >= IDLE_POLLS


def _watch(honcho: Honcho) -> None:
    dead = honcho.was_dead_before()
    while not (dead or honcho.ended()):
        time.sleep(POLL_SECONDS)
    _print_nowhere()
    if not dead:
        honcho.end_the_rest()
    if not TOLD_TO_END.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_AFTER_SECONDS)
    _kill_session()


def _print_nowhere() -> None:
    """Nobody reads our output any more, and a failing print must not disturb the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _kill_session() -> None:
    """Kill this process with its children; only itself where the process group belongs to somebody else."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _marked(pid: int, proc: Path) -> bool:
    with suppress(OSError):
        return any(name.startswith(MARK.encode() + b"=") for name in (proc / str(pid) / "environ").read_bytes().split(b"\0"))
    return False


def _parent_of(pid: int, proc: Path) -> int:
    """The parent's process id; 0 for a process that is gone, or a zombie."""
    with suppress(OSError, ValueError, IndexError):
        state, parent = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        return 0 if state in ("Z", "X") else int(parent)
    return 0


def _command(pid: int, proc: Path) -> bytes:
    with suppress(OSError):
        return (proc / str(pid) / "cmdline").read_bytes()
    return b""


def _waits_for_children(pid: int, proc: Path) -> bool:
    with suppress(OSError):
        return (proc / str(pid) / "wchan").read_text() == "do_wait"
    return False


def _unread(pid: int, proc: Path) -> bool:
    """Whether its standard output is a pipe without a reader."""
    path = proc / str(pid) / "fd" / "1"
    with suppress(OSError):
        if not stat.S_ISFIFO(path.stat().st_mode):
            return False
        ours = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            look = select.poll()
            look.register(ours, 0)
            return any(event & select.POLLERR for _, event in look.poll(0))
        finally:
            os.close(ours)
    return False


def main() -> None:
    """Run the module named by the first argument, with the other arguments."""
    end_with_honcho()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
