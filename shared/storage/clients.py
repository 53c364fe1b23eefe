"""Connections to Redis or Valkey, with the timeouts that each process can bear; to one server, or to the master that Sentinels name.

redis-py's defaults hold a webhook for 58 s when Redis hangs (measured), so the web process gets its own: 0.5 s to
connect, 1 s an answer, one retry. RESP2 is asked for because it makes an enqueue a third cheaper than RESP3.

A server that has been silent for as long as Sentinels wait (`down-after-milliseconds`, 5 s) is not waited for any longer: they may
have made another one the master meanwhile, and each new connection asks them.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any, Final

from redis import Connection, ConnectionPool, Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import parse_url
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, ResponseError, TimeoutError  # noqa: A004 - the library's names
from redis.retry import Retry

from shared.errors import StorageUnavailable
from shared.storage import sentinel
from shared.storage import url as redis_url

WEB_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
WORKER_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 5.0, "socket_timeout": 15.0, "health_check_interval": 15}
WATCHED_SECONDS: Final = 5.0
AWAY: Final = (ConnectionError, TimeoutError, BusyLoadingError)
_FULL: Final = re.compile(r"(?:^|: -)(MISCONF|OOM) |^command not allowed when used memory")
"""As `sentinel.not_serving` finds its words; redis-py takes the word OOM off the error that it makes of it."""


def passing(error: Exception) -> bool:
    """Whether the same command may succeed later: nobody answered, or the server cannot write for now (its disk or memory is full)."""
    return isinstance(error, (*AWAY, OSError)) or (isinstance(error, ResponseError) and _FULL.search(str(error)) is not None)


def for_web(url: str) -> Redis:
    """A client that gives up within about 2 s: a webhook's provider must get its answer."""
    return _client(url, Retry(NoBackoff(), 1), WEB_TIMEOUTS)


def for_worker(url: str) -> Redis:
    """A client that outlasts a restart of the server, or a change of the master. Bytes are not decoded: RQ needs them as they are."""
    return _client(url, Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), WORKER_TIMEOUTS)


def probe(url: str, seconds: float) -> Redis:
    """A client that asks once, and waits so long to connect and for an answer."""
    return _client(url, Retry(NoBackoff(), 0), {"socket_connect_timeout": seconds, "socket_timeout": seconds})


def for_loop(url: str, *, connections: int = 32) -> AsyncRedis:
    """`for_worker` for an event loop; `connections` bounds the pool, and who finds it empty waits."""
    return _pooled(url, AsyncRetry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), connections, 30, WORKER_TIMEOUTS)


def for_bridge(url: str, *, connections: int = 16) -> AsyncRedis:
    """For the bridge's loop: it gives up as soon as the web process does, because a client waits."""
    return _pooled(url, AsyncRetry(NoBackoff(), 1), connections, 2, WEB_TIMEOUTS)


def for_waiting(url: str) -> AsyncRedis:
    """For a loop that lets the server wait (BLMOVE): it repeats nothing, for what is asked twice is given twice."""
    return _pooled(url, AsyncRetry(NoBackoff(), 0), 4, 30, WORKER_TIMEOUTS)


def _client(url: str, retry: Retry, timeouts: dict[str, Any]) -> Redis:
    watched = redis_url.watched(url)
    if watched:
        kind = sentinel.MasterTlsConnection if watched.tls else sentinel.MasterConnection
        place: dict[str, Any] = {**watched.server, "connection_class": kind, "master": sentinel.Master(watched)}
    else:
        place = _place(url)
    return Redis.from_pool(ConnectionPool(protocol=2, retry=retry, retry_on_error=list(AWAY), **_bounded(timeouts, watched), **place))


def _pooled(url: str, retry: AsyncRetry, connections: int, patience: float, timeouts: dict[str, Any]) -> AsyncRedis:
    """`patience` is how long somebody waits for one of the connections, in seconds."""
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - the web process does not need asyncio

    watched = redis_url.watched(url)
    if watched:
        kind = sentinel.AsyncMasterTlsConnection if watched.tls else sentinel.AsyncMasterConnection
        place: dict[str, Any] = {**watched.server, "connection_class": kind, "master": sentinel.AsyncMaster(watched)}
    else:
        place = _place(url)
        place["connection_class"] = place["connection_class"].counterpart()
    limits = {"max_connections": connections, "timeout": patience, **_bounded(timeouts, watched)}
    return AsyncRedis.from_pool(BlockingConnectionPool(protocol=2, retry=retry, retry_on_error=list(AWAY), **limits, **place))


def _place(url: str) -> dict[str, Any]:
    """One server, in redis-py's words."""
    found = {**parse_url(url), **redis_url.plain_options(url)}  # type: ignore[no-untyped-call]
    return {**found, "connection_class": sentinel.PLAIN[found.get("connection_class", Connection)]}


def _bounded(timeouts: dict[str, Any], watched: redis_url.Watched | None) -> dict[str, Any]:
    if watched is None:
        return timeouts
    return {**timeouts, **{name: min(timeouts[name], WATCHED_SECONDS) for name in ("socket_timeout", "socket_connect_timeout")}}


def wait_until_up(url: str, seconds: float, say: Callable[[str], None]) -> None:
    """Wait for the server to answer PING; StorageUnavailable after `seconds`. `say` hears once that we are waiting."""
    client = probe(url, 1.0)
    end = time.monotonic() + seconds
    told = False
    try:
        while True:
            try:
                client.ping()
                return
            except (RedisError, OSError) as error:
                if time.monotonic() >= end:
                    reason = type(error).__name__
                    raise StorageUnavailable(
                        f"no answer within {seconds:g} s ({reason}); is `boss redis` running, is REDIS_URL right?"
                    ) from None
            if not told:
                say("waiting for Redis" if math.isinf(seconds) else f"waiting up to {seconds:g} s for Redis")
                told = True
            time.sleep(0.05)
    finally:
        client.close()
