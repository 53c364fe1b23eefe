"""What worker processes say to the mailbox of themselves: that they live, that they look for what is due, how a standby stands. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.mailbox.call import HOUR_MS, Arguments, Call, Wake
from shared.mailbox.calls.retry_requests import RetryRequest
from shared.mailbox.calls.summaries import QUIET_MS
from shared.mailbox.wake_queue import WORKER_PREFIX

SWEEP_LIMIT: Final = 100
WAKE_FLOOR_MS: Final = 1000
WAKE_CEILING_MS: Final = 600_000
"""How long a wake-up is believed to be on its way at most: what a lost one costs a conversation when a host's clock is wrong."""
LET_GO_AT_ONCE: Final = 500
"""Conversations of an ended process that one script gives up."""
STANDBY: Final = "standby@"
"""How the name of a standby's worker begins; a regular worker's never does, for no host's name holds this sign."""
STANDBY_KEPT_MS: Final = 30_000
"""How long a standby that says nothing more stays in the book of standbys."""
Standing = Literal["watching", "working", "retiring", "gone"]


@dataclass(frozen=True, slots=True)
class Due:
    """A conversation that somebody should look at now."""

    conversation: str
    channel: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found to wake, and in how many ms the next one's time comes; None when nothing is on the agenda.

    `untold` are replies that did not reach their users, who are to be told elsewhere; `retries` are requests to serve. `alarms`: reminders
    are due. `near` are the bounds of which four fifths are used (`daily_tokens`, ...), each told once in its period. `summaries` are the
    conversations whose summaries the caller is to make.
    """

    due: tuple[Due, ...]
    next_ms: int | None = None
    untold: tuple[str, ...] = ()
    retries: tuple[RetryRequest, ...] = ()
    alarms: bool = False
    near: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()


def heartbeat(process: str, *, life_ms: int, place: str = "") -> Call[list[str]]:
    """Say that a worker process lives; the answer is the other processes that are known under `place`, of which its host can tell."""
    return Call("heartbeat", {"process": process, "life": life_ms, "place": place}, list)


def ended(process: str) -> Call[bool]:
    """Give up what a process that has ended still holds; True when there may be more."""
    return Call("ended", {"process": process, "most": LET_GO_AT_ONCE}, bool)


def sweep(
    *, recheck_ms: int, oldest_wait_ms: int = 0, life_ms: int = 0, lease_ms: int = HOUR_MS, retries: int = 0, summaries: int = 0,
    hold_ms: int = HOUR_MS, quiet_ms: int = QUIET_MS,
) -> Call[Swept]:  # fmt: skip
    """The conversations to wake now, at most 100, oldest first.

    `oldest_wait_ms` is the queue's (`shared.mailbox.wake_queue`); it is believed up to a bound.
    `life_ms` is for how long a process's sign of life counts: what those held that are silent is found, too. `lease_ms` is a lease's
    length: no question to the model is believed to be under way for longer without a look at its holder. `retries` is how many operators'
    requests the caller may take on, each for a lease's length, `summaries` how many summaries it may make, each its own for `hold_ms`; a
    conversation's waits until nothing was said in it for `quiet_ms`.
    """
    mark_ms = min(WAKE_CEILING_MS, max(WAKE_FLOOR_MS, 2 * oldest_wait_ms))
    arguments: Arguments = {
        "limit": SWEEP_LIMIT, "recheck": recheck_ms, "mark": mark_ms, "life": life_ms, "lease": lease_ms,
        "places": retries, "summaries.places": summaries, "summaries.hold": hold_ms, "summaries.quiet": quiet_ms,
    }  # fmt: skip
    return Call("sweep", arguments, _swept)


def enqueue(jobs: Iterable[Wake]) -> Call[int]:
    """Enqueue jobs (`shared.mailbox.wake_queue.job`) for what a sweep has found; the answer is their number."""
    return Call("enqueue", {}, int, tuple(part for one in jobs for part in one))


def standby(name: str, standing: Standing, shift: str, *, queue: str) -> Call[dict[str, str]]:
    """Say how a standby stands and under which name it works (`shift`, "" for none); the answer is each regular worker's last heartbeat."""
    return Call("standby", {"name": name, "state": standing, "shift": shift, "queue": queue, "keep": STANDBY_KEPT_MS}, _beats)


def _beats(raw: Any) -> dict[str, str]:
    """Of all workers; one whose record has expired has none, and a standby's own says nothing about the regular ones."""
    found = zip(raw[::2], raw[1::2], strict=True)
    named = {key.removeprefix(WORKER_PREFIX): beat for key, beat in found if beat}
    return {name: beat for name, beat in named.items() if not name.startswith(STANDBY)}


def _swept(raw: Any) -> Swept:
    """The answer to `sweep`."""
    woken, next_ms, untold, retries, alarms, near, summaries = raw
    due = tuple(Due(conv, channel) for conv, channel in woken)
    requests = tuple(RetryRequest(*each) for each in retries)
    return Swept(
        due, next_ms if next_ms >= 0 else None, tuple(untold), requests, alarms=bool(alarms), near=tuple(near), summaries=tuple(summaries)
    )  # fmt: skip
