"""Which web hosts have confirmed an erasure: that nothing of it waits on their disks any more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis

from shared import spool_layout
from shared.mailbox import keys
from shared.mailbox.call import DAY_MS
from shared.operations.person_records import now_ms

FORGOTTEN_MS: Final = 90 * DAY_MS
"""After this time without a word a host is not asked any more."""
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Host:
    """A directory of spooled messages: by what name the operator knows it, up to when it has confirmed, and when it was heard last (ms)."""

    id: str
    name: str
    looked_ms: int
    seen_ms: int


def hosts(redis: Redis) -> list[Host]:
    """All hosts that are asked, by their names. Raises RedisError."""
    now, found = now_ms(redis), [_host(name, value) for name, value in cast("Any", redis.hgetall(keys.HOSTS)).items()]
    if silent := [host.id for host in found if now - host.seen_ms > FORGOTTEN_MS]:
        redis.hdel(keys.HOSTS, *silent)
    return sorted((host for host in found if host.id not in silent), key=lambda host: host.name)


def unconfirmed(redis: Redis, at_ms: int, seconds: float) -> list[Host]:
    """The hosts that have not confirmed an erasure of `at_ms` within `seconds`. Raises RedisError."""
    end = time.monotonic() + seconds
    while (left := [host for host in hosts(redis) if host.looked_ms < at_ms]) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return left


def known_host(redis: Redis, root: Path) -> Host | None:
    """The host whose spool is in this directory, if a web process of it was ever heard. Raises RedisError."""
    try:
        name = (root / spool_layout.HOST).read_text().strip()
    except OSError:
        return None
    return next((host for host in hosts(redis) if host.id == name), None)


def _host(name: bytes, value: bytes) -> Host:
    looked, seen, shown = value.decode().split(" ", 2)
    return Host(name.decode(), shown, int(looked), int(seen))
