"""A worker process's heartbeat, and its check of the other worker processes of its host.

The heartbeat comes from a thread with a connection of its own: a busy event loop does not look dead, and a process that stands still does.
The leases of a silent process are released within a life (`Settings.process_life_seconds`) and a sweep; `liveness.lua` has the rules. A
process of the same host is not waited for: the kernel says whether it has ended, and its leases are released at once.

A process's name consists of its place (the boot of a kernel, and the namespace of process ids there, as each container may have its own),
its process id and its start time, because ids are used again. Without /proc a name has no place, and no other process judges it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shared.mailbox import Mailbox, calls
from shared.observability import logs
from shared.observability.outage import Outage
from shared.storage.clients import short_lived_client

LOG: Final = logs.logger(__name__)
HEARTBEATS_PER_LIFE: Final = 4
"""Three in a row may get lost."""
JOIN_SECONDS: Final = 1.0
"""How long the end waits for the thread."""
_DEAD: Final = frozenset("ZX")
_STATE, _STARTED = 0, 19  # in /proc/PID/stat, behind the name


def elapsed() -> float:
    """Seconds of a clock that never goes back; where the system has one, it also counts while the machine is suspended."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Liveness:
    """One process's heartbeat, for `with`; its leases are held under `name`. To be created in the process itself, after any fork."""

    def __init__(self, url: str, life_seconds: float) -> None:
        self._place = place()
        self.name = own_name(self._place)
        self._life_ms = int(life_seconds * 1000)
        self._every = life_seconds / HEARTBEATS_PER_LIFE
        self._redis = short_lived_client(url, life_seconds / HEARTBEATS_PER_LIFE)
        self._mailbox = Mailbox(self._redis)
        self._over = threading.Event()
        self._outage = Outage()
        self._thread = threading.Thread(target=self._live, name="liveness", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread; the first heartbeat is under way."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release the leases that are still held."""
        self._over.set()
        self._thread.join(JOIN_SECONDS)

    def _live(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            pause = self._every if self._try(self._beat) else self._every / HEARTBEATS_PER_LIFE
        self._try(lambda: self._give_up(self.name))
        self._redis.close()

    def _try(self, step: Callable[[], None]) -> bool:
        """Run a step. Whatever fails, the next heartbeat follows: a process without heartbeats loses its turns."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - see above
            with contextlib.suppress(Exception):  # a log that cannot be written does not end the heartbeats either
                self._note(error, first=self._outage.begins())
            return False
        self._outage.ends()
        return True

    def _note(self, error: Exception, *, first: bool) -> None:
        self._redis.connection_pool.disconnect()  # the next one may find another master
        if first:
            LOG.warning("A heartbeat failed; trying on", action="heartbeat_failed", error=type(error).__name__)

    def _beat(self) -> None:
        beside = self._mailbox.run(calls.heartbeat(self.name, life_ms=self._life_ms, place=self._place))
        for name in beside:
            if has_ended(name.removeprefix(self._place)):
                LOG.warning("A worker process of this host has ended; what it held is given up", action="process_ended", process=name)
                self._give_up(name)

    def _give_up(self, name: str) -> None:
        while self._mailbox.run(calls.ended(name)):
            pass


def place() -> str:
    """The prefix of the names of all processes that share our process ids; "" where the system does not tell."""
    try:
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()]
        parts += [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("pid", "time")]
    except (OSError, ValueError):
        return ""
    return f"w-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}-"


def own_name(where: str) -> str:
    """This process's name, unique for all time."""
    found = _stat(os.getpid()) if where else None
    return f"{where}{os.getpid()}-{found[1]}" if found else f"w--{os.getpid()}-{secrets.token_hex(6)}"


def has_ended(rest: str) -> bool:
    """Whether the process `PID-START` of this place has ended; False where the system does not tell."""
    number, _, started = rest.partition("-")
    if not (number.isdecimal() and started.isdecimal()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's
        pass
    found = _stat(int(number))
    return found is not None and (found[0] in _DEAD or found[1] != started)


def _stat(pid: int) -> tuple[str, str] | None:
    """A process's state, and when it started in the kernel's ticks; None where it may not be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[_STATE], fields[_STARTED]
    except (OSError, IndexError):
        return None
