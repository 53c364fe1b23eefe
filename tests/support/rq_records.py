"""All of RQ's records on a server, in a form in which two runs of the same jobs are equal."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final, cast

from redis import Redis

VARIABLE_PARTS: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{32}\b|\b\d{10}\.\d+\b")
"""Times, and ids of executions: they differ from run to run."""
VARIABLE_FIELDS: Final = {"total_working_time", "taken"}
"""Fields that differ from run to run, and the one field that the asynchronous worker adds to its record."""
MAINTENANCE: Final = (b"clean", b"maintenance")
TOLERANCE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class ApproximateSeconds:
    """Seconds that equal others within TOLERANCE_SECONDS: they differ by the time that a run takes."""

    number: float

    def __eq__(self, other: object) -> bool:
        """Within the tolerance; infinite ones are equal, too."""
        return isinstance(other, ApproximateSeconds) and (
            self.number == other.number or abs(self.number - other.number) < TOLERANCE_SECONDS
        )

    __hash__ = None  # type: ignore[assignment]


def records(redis: Redis) -> dict[str, tuple[Any, ApproximateSeconds]]:
    """Each key with its value and its time to live; times and executions' ids masked, locks of the maintenance left out."""
    keys = [key for key in redis.scan_iter(count=1000) if not any(word in key for word in MAINTENANCE)]
    return {_masked(key): (_value(redis, key), ApproximateSeconds(cast("float", redis.ttl(key)))) for key in sorted(keys)}


def _value(redis: Redis, key: bytes) -> Any:
    match cast("bytes", redis.type(key)):
        case b"string":
            return _masked(redis.get(key))
        case b"hash":
            fields = cast("dict[bytes, bytes]", redis.hgetall(key))
            return {name.decode(): _masked(value) for name, value in fields.items() if name.decode() not in VARIABLE_FIELDS}
        case b"list":
            return [_masked(item) for item in cast("list[bytes]", redis.lrange(key, 0, -1))]
        case b"set":
            return sorted(_masked(item) for item in cast("set[bytes]", redis.smembers(key)))
        case b"zset":
            members = cast("list[tuple[bytes, float]]", redis.zrange(key, 0, -1, withscores=True))
            return {_masked(name): ApproximateSeconds(score - time.time()) for name, score in members}
        case _:
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange(key))
            return [{name.decode(): _masked(value) for name, value in fields.items()} for _, fields in entries]


def _masked(value: Any) -> str:
    return VARIABLE_PARTS.sub("*", cast("bytes", value).decode(errors="backslashreplace"))
