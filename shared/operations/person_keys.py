"""Every key of the database that holds ids or words of one person, made in one place: an export tells of each, an erasure leaves none.

`KEYS` makes the keys of each name that is made of an id, `MEMBERS` what stands in those that all share, and `NOBODYS` names the rest:
together all of `shared.mailbox.key_names`. Whoever adds a name adds it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from shared.mailbox.call import DAY_MS
from shared.mailbox.key_names import NAMES, key
from shared.operations.person_ids import PersonIds
from shared.operations.person_records import batches

DAYS_KEPT: Final = 75
"""Days for which there may be a book of what somebody has cost, and some more."""
Ids = Iterable[str]


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A key: its name in `key_names`, the key, and of one that all share what of it is the person's ("" for all of it)."""

    name: str
    key: str
    member: str = ""

    @property
    def stays(self) -> bool:
        """Whether an erasure leaves it."""
        return bool(NAMES[self.name].stays)


def _days(ids: PersonIds) -> Iterator[int]:
    """The days of which there may be something, by their numbers."""
    today = ids.now_ms // DAY_MS
    return iter(range(today - DAYS_KEPT, today + 3))


def _days_of(told: str, ids: PersonIds) -> Iterator[str]:
    return (f"{key(told)}{day}:{sender}" for sender in ids.senders for day in _days(ids))


def _periods(ids: PersonIds) -> Iterator[str]:
    months = {datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m") for day in _days(ids)}
    periods = [*map(str, _days(ids)), *sorted(months)]
    return (f"{key('spent_by')}{whose}:{period}" for whose in (ids.person, ids.user) if whose for period in periods)


def _of(name: str, which: Callable[[PersonIds], Ids], *ends: str) -> Callable[[PersonIds], Ids]:
    return lambda ids: (f"{key(name)}{each}{end}" for each in which(ids) if each for end in ends or ("",))


KEYS: Final[Mapping[str, Callable[[PersonIds], Ids]]] = {
    **{name: _of(name, lambda ids: ids.messages) for name in ("msg", "seen")},
    **{name: _of(name, lambda ids: ids.turns) for name in ("turn", "steps")},
    "reply": _of("reply", lambda ids: ids.replies),
    "provider": _of("provider", lambda ids: ids.provider_ids),
    "file": _of("file", lambda ids: ids.files),
    "reminder": _of("reminder", lambda ids: ids.reminders),
    "approval": _of("approval", lambda ids: ids.approvals),
    "retry": _of("retry", lambda ids: ids.requests),
    "index": _of("index", lambda ids: ids.indexes),
    **{name: _of(name, lambda ids: ids.model_calls) for name in ("call", "searched", "cost")},
    **{name: _of(name, lambda ids: ids.conversations) for name in ("conv", "inbox", "priority", "history", "unsure", "wake", "threads")},
    "summary": _of("summary", lambda ids: ids.conversations, "", ":other"),
    **{name: _of(name, lambda ids: ids.pairs) for name in ("optout", "pause_of", "turns", "asked", "owed", "told_elsewhere")},
    "thread": lambda ids: ids.threads,
    **{name: _of(name, lambda ids: ids.senders) for name in ("rate", "commands", "busy", "waiting", "forwarded")},
    "told": lambda ids: (f"{key('told')}{verdict}:{each}" for each in ids.senders for verdict in ("rate_limited", "day_limited")),
    "told_waits": lambda ids: _days_of("told_waits", ids),
    "told_month": lambda ids: _days_of("told_month", ids),
    **{
        name: _of(name, lambda ids: (ids.person,))
        for name in ("person", "facts", "lists", "talks", "copies", "always", "reminders", "rung")
    },
    "items": lambda ids: (f"{key('items')}{ids.person}:{each}" for each in ids.lists if ids.person),
    "spent_by": _periods,
    "approvals": _of("approvals", lambda ids: (ids.user,)),
    "outgoing": _of("outgoing", lambda ids: (ids.user,)),
    "idempotency": _of("idempotency", lambda ids: ids.idempotency),
    "code": lambda ids: (f"{key('code')}{ids.user}:{each}" for each in ids.codes),
}  # fmt: skip
"""The keys of each name, as far as a person may have them."""

MEMBERS: Final[Mapping[str, Callable[[PersonIds], Ids]]] = {
    **{name: lambda ids: ids.conversations for name in ("due", "priority_due", "conversations", "summaries")},
    **{name: lambda ids: ids.messages for name in ("open", "parked", "recent")},
    **{name: lambda ids: ids.replies for name in ("untold", "unsettled")},
    **{name: lambda ids: (*ids.reminders, *ids.messages) for name in ("alarms", "alarms_read")},
    **{name: lambda ids: ids.model_calls for name in ("reserved", "ended", "costs")},
    "retries": lambda ids: ids.requests,
    "indexes": lambda ids: ids.indexes,
    "files": lambda ids: ids.files,
    "people": lambda ids: (ids.user,),
    "zones": lambda ids: (ids.user,),
    "zone_changed": lambda ids: (ids.user,),
    "spenders": lambda ids: (ids.person, ids.user),
    "paused": lambda ids: ids.pairs,
    "erasures": lambda ids: (ids.user, *ids.senders),
    "registry": lambda ids: (ids.entry,),
    "registry_names": lambda ids: (ids.entry,),
    "registry_ids": lambda ids: (ids.entry,),
    "held": lambda ids: ids.conversations,
    "doubted": lambda ids: ids.messages,
    "spent": lambda ids: (f"{part}:{each}" for each in ids.senders for part in ("tokens", "reserved")),
}  # fmt: skip
"""The members, or the fields, that may be a person's in what all share."""

NOBODYS: Final = {
    "schema", "salt", "counts", "heard", "probe", "barrier", "looked", "wait", "processes", "standby", "reconcile", "reconcile_turn",
    "reconcile_since", "reconcile_next", "mcp_accepted", "mcp_newest", "mcp_logins", "mcp_renewal", "warned", "refused", "ignored",
    "indexing", "numbers", "near", "hosts", "registry_state", "registry_change", "registry_copies", "api_tokens",
}  # fmt: skip
"""Names of the installation's own: figures, ids of processes, Boss numbers."""

BESIDE: Final = {"ledger", "strangers", "alone", "pause", "denied"}
"""What holds ids of persons in places of its own: lines, masks, and whom something concerns just now (`erase_ends`, `erasing`)."""
_EXISTS: Final = {"zset": "ZSCORE", "hash": "HEXISTS", "set": "SISMEMBER"}


def keys_of(redis: Redis, ids: PersonIds) -> Iterator[PersonKey]:
    """The keys that there are. Raises RedisError."""
    for some in batches((name, made) for name, make in KEYS.items() for made in make(ids)):
        with redis.pipeline(transaction=False) as pipeline:
            for _, made in some:
                pipeline.exists(made)
            found = pipeline.execute()
        yield from (PersonKey(name, made) for (name, made), there in zip(some, found, strict=True) if there)
    for name, members in MEMBERS.items():
        for shared in _shared(name, ids):
            yield from _members(redis, name, shared, list(members(ids)))


def _shared(name: str, ids: PersonIds) -> Iterable[str]:
    if NAMES[name].owner == "process":
        return [key(name) + process for process in ids.processes]
    return [key(name) + str(day) for day in _days(ids)] if NAMES[name].owner == "day" else [key(name)]


def _members(redis: Any, name: str, shared: str, members: list[str]) -> Iterator[PersonKey]:
    kind = redis.type(shared).decode()
    if kind not in _EXISTS:
        return
    for some in batches(member for member in members if member):
        with redis.pipeline(transaction=False) as pipeline:
            for member in some:
                pipeline.execute_command(_EXISTS[kind], shared, member)
            found = pipeline.execute()
        yield from (PersonKey(name, shared, member) for member, there in zip(some, found, strict=True) if there not in (None, 0))
