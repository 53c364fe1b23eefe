"""Which hosts have confirmed an erasure: that nothing of it waits on their disks, and that their copies of the registry are newer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from redis import Redis

from shared.host_id import known_id
from shared.mailbox import keys
from shared.mailbox.call import DAY_MS
from shared.operations.person_records import now_ms
from shared.registry import registry_version

FORGOTTEN_MS: Final = 90 * DAY_MS
"""After this time without a word a host is not asked any more."""
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Host:
    """A data directory: by what name the operator knows it, up to what it has confirmed, and when it was heard last (ms)."""

    id: str
    name: str
    confirmed: int
    seen_ms: int


def web_hosts(redis: Redis) -> list[Host]:
    """The hosts of web processes that have a spool; each has `confirmed` the erasures until a time in ms. Raises RedisError."""
    return _hosts(redis, keys.HOSTS)


def registry_hosts(redis: Redis) -> list[Host]:
    """The hosts that keep a copy of the registry; each has `confirmed` a version. Raises RedisError."""
    return _hosts(redis, keys.REGISTRY_COPIES)


def unconfirmed(redis: Redis, at_ms: int, seconds: float) -> list[Host]:
    """The web hosts that have not confirmed an erasure of `at_ms` within `seconds`. Raises RedisError."""
    return _behind(lambda: web_hosts(redis), at_ms, seconds)


def behind_registry(redis: Redis, seconds: float) -> list[Host]:
    """The hosts whose copy of the registry is not the present one within `seconds`. Raises RedisError."""
    return _behind(lambda: registry_hosts(redis), registry_version(redis), seconds)


def known_host(redis: Redis, data_dir: Path) -> Host | None:
    """The host of this directory, if a web process of it was ever heard. Raises RedisError."""
    return next((host for host in web_hosts(redis) if host.id == known_id(data_dir)), None)


def _behind(read: Callable[[], list[Host]], confirmed: int, seconds: float) -> list[Host]:
    end = time.monotonic() + seconds
    while (left := [host for host in read() if host.confirmed < confirmed]) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return left


def _hosts(redis: Redis, key: str) -> list[Host]:
    now, raw = now_ms(redis), cast("dict[bytes, bytes]", redis.hgetall(key))
    found = [_host(name, value) for name, value in raw.items()]
    if silent := [host.id for host in found if now - host.seen_ms > FORGOTTEN_MS]:
        redis.hdel(key, *silent)
    return sorted((host for host in found if host.id not in silent), key=lambda host: host.name)


def _host(name: bytes, value: bytes) -> Host:
    confirmed, seen, shown = value.decode().split(" ", 2)
    return Host(name.decode(), shown, int(confirmed), int(seen))
