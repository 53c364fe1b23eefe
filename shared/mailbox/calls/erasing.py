"""What an erasure of one person says to the mailbox, and what the web hosts say to it. No I/O.

`user` is the id of the person's entry, `senders` those of their addresses. Times are integer milliseconds of Redis TIME.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.mailbox.call import Arguments, Call, nothing

ENDED_AT_ONCE: Final = 500
"""Messages that wait which one call takes out of their inboxes: Redis serves nobody else meanwhile."""
MOST_TOLD: Final = 1_000
"""Ids of who was erased that a host is told at once."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first step of an erasure has done, at `at_ms`. `ended` messages were taken out of inboxes; `more` of them wait.

    `forgotten` are facts and items of lists.
    """

    at_ms: int
    forgotten: int = 0
    reminders: int = 0
    files: int = 0
    ended: int = 0
    leases: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Erasures:
    """Who was erased, as a web host hears it: the ids of users and of senders, each with when; `now_ms` is the server's time."""

    now_ms: int
    at_ms: dict[str, int]


@dataclass(frozen=True, slots=True)
class ErasedMessage:
    """A message of an erased person's that waited on a host's disk; `known_ms` is how long its id is known, `files` are their keys."""

    id: str
    known_ms: int
    files: Sequence[str] = ()


def erase_begin(user: str, senders: Iterable[str] = (), *, most: int = ENDED_AT_ONCE) -> Call[Begun]:
    """The first step; it is repeated while there are `more`, and whoever runs an erasure once more begins anew."""
    return Call("erase_begin", {"user": user, "most": most}, _begun, tuple(senders))


def erase(conversation: str, ids: Iterable[str]) -> Call[int]:
    """Remove records of one user in one conversation: messages, turns and replies. The answer is 1 when a lease was broken for it."""
    return Call("erase", {"conv": conversation}, int, tuple(ids))


def erase_approvals(user: str, at_ms: int) -> Call[list[tuple[str, list[str]]]]:
    """Remove all questions of a person, and those put to them, until `at_ms`.

    The answer is what went to others by messages of their own, and is to be erased as well: of each its conversation and the records' ids.
    """
    return Call("erase_approvals", {"user": user, "at": at_ms}, _told)


def erase_spending(user: str, senders: Iterable[str] = ()) -> Call[None]:
    """Forget what answering a person has cost; the figures of all stay."""
    return Call("erase_spending", {"user": user}, nothing, tuple(senders))


def erase_ends(user: str, at_ms: int, *, senders: Iterable[str], pairs: Iterable[str]) -> Call[None]:
    """Forget what counts in a person's bounds and what they were told, by their addresses and their ways to the Boss."""
    return Call("erase_ends", {"user": user, "at": at_ms, "senders": " ".join(senders), "ways": " ".join(pairs)}, nothing)


def erasures(host: str, name: str, *, looked_ms: int, since_ms: int, gone: bool = False) -> Call[Erasures]:
    """A host confirms that it keeps nothing of who was erased until `looked_ms`, and asks who was erased since `since_ms`.

    It is told MOST_TOLD at once. `gone`: it ends with nothing on its disk.
    """
    arguments: Arguments = {"host": host, "name": name, "looked": looked_ms, "since": since_ms, "most": MOST_TOLD, "gone": int(gone)}
    return Call("erasures", arguments, _erasures)


def mark_erased(messages: Iterable[ErasedMessage]) -> Call[int]:
    """Messages that a host has dropped are known from now on, so that nobody brings them back."""
    items = [[message.id, message.known_ms, " ".join(message.files)] for message in messages]
    return Call("mark_erased", {"items": json.dumps(items)}, int)


def _begun(raw: Any) -> Begun:
    at, forgotten, reminders, files, ended, leases, more = raw
    return Begun(int(at), forgotten, reminders, files, ended, leases, bool(more))


def _erasures(raw: Any) -> Erasures:
    now, *rest = raw
    return Erasures(int(now), {name: int(float(at)) for name, at in zip(rest[::2], rest[1::2], strict=True)})


def _told(raw: Any) -> list[tuple[str, list[str]]]:
    return [(raw[at], [name for name in raw[at + 1 : at + 4] if name]) for at in range(0, len(raw), 4)]
