"""Whether what was written is on a replica, too: asked of the server in the same send, and only where there are replicas.

A master's acknowledgement says that the master has it. If the master dies right then, the replica that takes its place may not. So
where it matters three commands go behind what was written, on the same connection: a small write, because `WAIT` counts from the last
write of its own connection and a known message writes nothing; `WAIT` for one replica, half a second at most; and `ROLE`, which says
whether there are any. Sentinels choose the replica that has read the most, so what one replica has outlives the master.

A server without replicas is asked `ROLE` every two seconds, and pays nothing else. What is known is about one server: whoever may be
connected to another one forgets it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

Command = tuple[str | int, ...]

FRESH_SECONDS: Final = 2.0
REPLICAS: Final = 1
WAIT_MS: Final = 500
ROLE: Final[Command] = ("ROLE",)
BARRIER_MS: Final = 60_000


class Replicas:
    """What one process knows, and how it asks. For threads, and for one event loop."""

    def __init__(self, barrier: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`barrier` is the key of the small write."""
        self.confirming: tuple[Command, ...] = (("SET", barrier, "", "PX", BARRIER_MS), ("WAIT", REPLICAS, WAIT_MS), ROLE)
        self._clock = clock
        self._count = 0
        self._heard_at: float | None = None
        self._own = threading.local()

    @property
    def known(self) -> bool:
        """Whether the server was asked yet."""
        return self._heard_at is not None

    @property
    def confirmed(self) -> bool:
        """Whether what this thread stored last needs nothing more: a replica has it, or there is none."""
        return bool(getattr(self._own, "confirmed", True))

    @confirmed.setter
    def confirmed(self, value: bool) -> None:
        self._own.confirmed = value

    def forget(self) -> None:
        """The next server may be another one."""
        self._heard_at, self._count = None, 0

    def tail(self, *, ask: bool = False) -> tuple[Command, ...]:
        """What goes behind the commands of one send; at least the question for replicas if `ask`."""
        if self._count:
            return self.confirming
        fresh = self._heard_at is not None and self._clock() - self._heard_at < FRESH_SECONDS
        return () if fresh and not ask else (ROLE,)

    def heard(self, answers: Sequence[Any]) -> bool:
        """Read the answers to the tail: whether what went before it is as safe as this server can make it.

        Written to a server that has replicas after all, or has lost its last one, it is not: such a one may have been demoted.
        """
        if not answers:
            return True
        self._heard_at, self._count = self._clock(), _followers(answers[-1])
        if len(answers) == len(self.confirming):
            written, reached, _ = answers
            return not isinstance(written, Exception) and isinstance(reached, int) and reached >= REPLICAS
        return self._count == 0


def _followers(role: Any) -> int:
    """How many replicas a server's answer to ROLE names; 0 for an answer that is an error: then nobody can tell."""
    if isinstance(role, list | tuple) and len(role) > 2 and role[0] in (b"master", "master"):  # noqa: PLR2004 - name, offset, replicas
        return len(role[2])
    return 0
