"""What stands under each key of a person, as it is stored: beside the readable document of an export, the whole of it.

A record of somebody else's that is about the person (what another was asked for them) is named, and not shown: it holds the other's
address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from redis import Redis

from shared.operations.person_ids import PersonIds
from shared.operations.person_keys import PersonKey, keys_of

OF_SOMEBODY_ELSE: Final = "of somebody else"
IN_FILES: Final = "in files/"
_MEMBER: Final = {"zset": "ZSCORE", "hash": "HGET"}


def stored_keys(redis: Redis, ids: PersonIds) -> Iterator[dict[str, Any]]:
    """Each key with what it holds, or, of one that all share, with what of it is the person's. Raises RedisError."""
    for each in keys_of(redis, ids):
        named = {"key": each.key, **({"member": each.member} if each.member else {})}
        yield {**named, "value": _member(redis, each) if each.member else _whole(redis, each, ids.user)}


def _member(redis: Any, each: PersonKey) -> str:
    command = _MEMBER.get(redis.type(each.key).decode())
    return _text(redis.execute_command(command, each.key, each.member)) if command else ""


def _whole(redis: Any, each: PersonKey, user: str) -> Any:
    if each.name == "file":
        return IN_FILES
    readers: dict[str, Callable[[], Any]] = {
        "string": lambda: redis.get(each.key),
        "list": lambda: redis.lrange(each.key, 0, -1),
        "set": lambda: sorted(redis.smembers(each.key)),
        "zset": lambda: dict(redis.zrange(each.key, 0, -1, withscores=True)),
        "hash": lambda: redis.hgetall(each.key),
    }
    found = _text(readers.get(redis.type(each.key).decode(), lambda: None)())
    return OF_SOMEBODY_ELSE if isinstance(found, dict) and found.get("user", user) not in (user, "") else found


def _text(value: Any) -> Any:
    """Bytes as texts, throughout; a number as it is."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_text(each) for each in value]
    if isinstance(value, dict):
        return {_text(name): _text(each) for name, each in value.items()}
    return value
