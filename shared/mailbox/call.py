"""One call of a script of the mailbox, before it is sent.

A call is data: the synchronous client (web, command) and the asynchronous one (worker, bridge) send the same calls, and a test can send
one twice, as redis-py does after a timeout.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
T = TypeVar("T")
Wake = tuple[str | bytes | int, ...]
"""A job that a script enqueues when its conversation has to be woken (`wake_queue.job`); empty for a caller that does it itself."""
Arguments = Mapping[str, str | bytes | int | float]
"""A script's arguments by their names in its head line (`shared.mailbox.scripts`)."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call of the script `name` with `args`, by their names, and the `rest`; `parse` turns the raw answer into the result.

    `unreplicated` turns the result into the one that holds when no replica has the write; None where replicas do not matter.
    """

    name: str
    args: Arguments = field(repr=False)
    parse: Callable[[Any], T] = field(repr=False)
    rest: Wake = field(repr=False, default=())
    unreplicated: Callable[[T], T] | None = field(repr=False, default=None)


def nothing(_raw: Any) -> None:
    """The answer to a call whose answer says nothing."""


def jitter_or_random(value: float | None) -> float:
    """A given jitter, which a test knows; else one of 0 to 1."""
    return random.random() if value is None else value  # noqa: S311 - spreads retries, guards nothing
