"""The tokens by which programs may have the Boss write: made, listed, revoked, and recognised.

Of a token only its digest is kept. It has 256 random bits, so that a plain digest cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from shared.errors import BadInput
from shared.mailbox import keys
from shared.model import codec
from shared.operations.errors import NotPossible
from shared.security.password import ThrottledSecret

MOST: Final = 100
REFRESH_SECONDS: Final = 2.0
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_SOURCE: Final = re.compile(r"[^\[\]⟦⟧\x00-\x1f\x7f]{0,20}")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token. `users` are the permanent ids of those whom it may write to; all where it has none. `source` stands before its texts."""

    id: str
    name: str
    digest: str
    users: tuple[str, ...] = ()
    source: str = ""
    created_ms: int = 0

    def may_write_to(self, user: str) -> bool:
        """Whether that person is among its scope."""
        return not self.users or user in self.users


def add(redis: Redis, name: str, users: Sequence[str], source: str = "") -> tuple[ApiToken, str]:
    """A new token, and what its owner is told once. Raises NotPossible, RedisError."""
    if not _NAME.fullmatch(name):
        raise NotPossible("a token's name has 1 to 40 of a-z, 0-9, _, . and -", "not_valid")
    if not _SOURCE.fullmatch(source) or source != source.strip():
        raise NotPossible("a source has at most 20 characters, on one line, without brackets", "not_valid")
    known = read(redis)
    if any(each.name == name for each in known):
        raise NotPossible("there is a token of this name", "not_valid")
    if len(known) >= MOST:
        raise NotPossible(f"there are {MOST} tokens, which is the most", "not_valid")
    secret = "boss_" + secrets.token_urlsafe(32)
    token = ApiToken(f"t-{secrets.token_hex(8)}", name, digest_of(secret), tuple(users), source, time.time_ns() // 1_000_000)
    record = codec.dumps(
        {"name": name, "digest": token.digest, "users": list(token.users), "source": source, "created_ms": token.created_ms}
    )
    redis.hset(keys.API_TOKENS, token.id, record)
    return token, secret


def revoke(redis: Redis, name: str) -> ApiToken:
    """It opens nothing any more: every process knows within seconds. Raises NotPossible, RedisError."""
    token = next((each for each in read(redis) if each.name == name), None)
    if token is None:
        raise NotPossible("there is no token of this name", "not_valid")
    redis.hdel(keys.API_TOKENS, token.id)
    return token


def read(redis: Any) -> tuple[ApiToken, ...]:
    """All tokens, by their names; one whose record cannot be read opens nothing. Raises RedisError."""
    found = [_read(name.decode(), value) for name, value in redis.hgetall(keys.API_TOKENS).items()]
    return tuple(sorted((each for each in found if each), key=lambda token: token.name))


def _read(name: str, value: bytes) -> ApiToken | None:
    try:
        record = codec.loads(value)
        users = tuple(map(str, record["users"]))
        return ApiToken(name, str(record["name"]), str(record["digest"]), users, str(record["source"]), int(record["created_ms"]))
    except (BadInput, KeyError, TypeError, ValueError):
        return None


def digest_of(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class TokenTable(ThrottledSecret):
    """The tokens as a process knows them: read anew when the last look is older than two seconds, and as they were while Redis is away."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("", clock())
        self._redis, self._clock = redis, clock
        self._tokens: tuple[ApiToken, ...] | None = None
        self._looked = -REFRESH_SECONDS
        self._looking = threading.Lock()

    def refresh(self) -> None:
        """Look, if it is time. Raises redis-py's errors."""
        with self._looking:
            if self._clock() - self._looked >= REFRESH_SECONDS:
                self._tokens = read(self._redis)
                self._looked = self._clock()

    @property
    def known(self) -> bool:
        """Whether it is known which tokens there are."""
        return self._tokens is not None

    @property
    def is_set(self) -> bool:
        """Whether there are any."""
        return bool(self._tokens)

    def matches(self, given: str | None) -> bool:
        """Whether `given` is one of them."""
        return self.find(given) is not None

    def find(self, given: str | None) -> ApiToken | None:
        """The token, in a time that does not depend on which one it is."""
        digest, found = digest_of(given or ""), None
        for token in self._tokens or ():
            if hmac.compare_digest(digest, token.digest):
                found = token
        return found
