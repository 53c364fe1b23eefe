"""The replication barrier: whether a write is on a replica too. Asked in the same send as the write, and only where there are replicas.

A master's answer says that the master has the write. If the master dies right then, the replica that takes its place may not have it. So
where that matters three commands follow the write on the same connection:

1. a small write, because `WAIT` counts from its connection's last write, and a duplicate message writes nothing;
2. `WAIT` for one replica, for WAIT_MS at most;
3. `ROLE`, which says whether there are replicas.

Sentinels promote the replica that has read the most, so a write that one replica has outlives the master.

A server without replicas is asked `ROLE` every FRESH_SECONDS, and pays nothing else. What is known concerns one server: whoever
may be connected to another one calls `reset`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

Command = tuple[str | int, ...]
T = TypeVar("T")

FRESH_SECONDS: Final = 2.0
MIN_REPLICAS: Final = 1
WAIT_MS: Final = 500
ROLE: Final[Command] = ("ROLE",)
BARRIER_TTL_MS: Final = 60_000


class StorageResult(NamedTuple, Generic[T]):
    """A script's answer, and whether what it wrote is safe: a replica has it, or the server has no replicas."""

    answer: T
    replicated: bool


class ReplicationBarrier:
    """What one process knows of its server's replicas, and how it asks. For threads, and for one event loop."""

    def __init__(self, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`key` is the one that the small write sets."""
        self.confirming: tuple[Command, ...] = (("SET", key, "", "PX", BARRIER_TTL_MS), ("WAIT", MIN_REPLICAS, WAIT_MS), ROLE)
        self._clock = clock
        self._replicas = 0
        self._asked_at: float | None = None

    @property
    def known(self) -> bool:
        """Whether the server was asked yet."""
        return self._asked_at is not None

    def reset(self) -> None:
        """Forget the server: the next connection may be to another one."""
        self._asked_at, self._replicas = None, 0

    def commands(self, *, ask: bool = False) -> tuple[Command, ...]:
        """What to send behind the commands of one send; with `ask` at least the question whether there are replicas."""
        if self._replicas:
            return self.confirming
        fresh = self._asked_at is not None and self._clock() - self._asked_at < FRESH_SECONDS
        return () if fresh and not ask else (ROLE,)

    def confirm(self, answers: Sequence[Any]) -> bool:
        """Read the answers to `commands`; whether the commands before them are as safe as this server can make them.

        They are not when the server turns out to have replicas (nobody waited for one), or has just lost its last one: such a server may
        have been demoted.
        """
        if not answers:
            return True
        self._asked_at, self._replicas = self._clock(), _count_replicas(answers[-1])
        if len(answers) == len(self.confirming):
            written, reached, _ = answers
            return not isinstance(written, Exception) and isinstance(reached, int) and reached >= MIN_REPLICAS
        return self._replicas == 0


def _count_replicas(role: Any) -> int:
    """How many replicas an answer to ROLE names. 0 for an error: a managed server may refuse the question, and vouches for its replicas."""
    if isinstance(role, list | tuple) and len(role) > 2 and role[0] in (b"master", "master"):  # noqa: PLR2004 - name, offset, replicas
        return len(role[2])
    return 0
