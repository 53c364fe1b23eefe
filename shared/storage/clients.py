"""Redis clients, each with the timeouts that its process can bear; to one server, or to the master that Sentinels name.

redis-py's defaults hold a webhook for 58 s when Redis hangs (measured), so the web process has its own: 0.5 s to
connect, 1 s for an answer, one retry. RESP2 is chosen because it makes an enqueue a third cheaper than RESP3.

With Sentinels no client waits for a silent server longer than the Sentinels do (`down-after-milliseconds`, 5 s): by then they may have
promoted another one, and each new connection asks them.
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
from shared.storage.url import SentinelService, sentinel_service, tls_options

WEB_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
WORKER_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 5.0, "socket_timeout": 15.0, "health_check_interval": 15}
MAX_SENTINEL_TIMEOUT: Final = 5.0
"""Seconds; with Sentinels every timeout is at most this."""
POLL_SECONDS: Final = 0.05
AWAY: Final = (ConnectionError, TimeoutError, BusyLoadingError)
_FULL: Final = re.compile(r"(?:^|: -)(MISCONF|OOM) |^command not allowed when used memory")
"""Where the words stand: see `sentinel.not_serving`. redis-py removes the word OOM from the error that it makes of such an answer."""


def is_transient(error: Exception) -> bool:
    """Whether the same command may succeed later: nobody answered, or the server cannot write for now (its disk or memory is full)."""
    return isinstance(error, (*AWAY, OSError)) or (isinstance(error, ResponseError) and _FULL.search(str(error)) is not None)


def for_web(url: str) -> Redis:
    """A client that gives up within about 2 s: a webhook's provider must get its answer."""
    return _client(url, Retry(NoBackoff(), 1), WEB_TIMEOUTS)


def for_worker(url: str) -> Redis:
    """A client that outlasts a restart of the server, or a change of the master. It returns bytes, as RQ requires."""
    return _client(url, Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), WORKER_TIMEOUTS)


def short_lived_client(url: str, seconds: float) -> Redis:
    """A client that tries once, with `seconds` to connect and as many for an answer."""
    return _client(url, Retry(NoBackoff(), 0), {"socket_connect_timeout": seconds, "socket_timeout": seconds})


def for_loop(url: str, *, connections: int = 32) -> AsyncRedis:
    """`for_worker` for an event loop; `connections` bounds the pool, and whoever finds it empty waits."""
    return _async_client(url, AsyncRetry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), connections, 30, WORKER_TIMEOUTS)


def for_bridge(url: str, *, connections: int = 16) -> AsyncRedis:
    """For the bridge's loop: it gives up as soon as the web process does, because a client waits."""
    return _async_client(url, AsyncRetry(NoBackoff(), 1), connections, 2, WEB_TIMEOUTS)


def for_waiting(url: str) -> AsyncRedis:
    """For a loop that lets the server wait (BLMOVE). It retries nothing: a repeated BLMOVE would move a second job."""
    return _async_client(url, AsyncRetry(NoBackoff(), 0), 4, 30, WORKER_TIMEOUTS)


def _client(url: str, retry: Retry, timeouts: dict[str, Any]) -> Redis:
    service = sentinel_service(url)
    if service:
        kind = sentinel.MasterTlsConnection if service.tls else sentinel.MasterConnection
        target: dict[str, Any] = {**service.server_options, "connection_class": kind, "master": sentinel.Master(service)}
    else:
        target = _one_server(url)
    return Redis.from_pool(ConnectionPool(protocol=2, retry=retry, retry_on_error=list(AWAY), **_bounded(timeouts, service), **target))


def _async_client(url: str, retry: AsyncRetry, connections: int, pool_timeout: float, timeouts: dict[str, Any]) -> AsyncRedis:
    """`pool_timeout` is how many seconds a caller waits for one of the `connections`."""
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - the web process does not need asyncio

    service = sentinel_service(url)
    if service:
        kind = sentinel.AsyncMasterTlsConnection if service.tls else sentinel.AsyncMasterConnection
        target: dict[str, Any] = {**service.server_options, "connection_class": kind, "master": sentinel.AsyncMaster(service)}
    else:
        target = _one_server(url)
        target["connection_class"] = target["connection_class"].counterpart()
    limits = {"max_connections": connections, "timeout": pool_timeout, **_bounded(timeouts, service)}
    return AsyncRedis.from_pool(BlockingConnectionPool(protocol=2, retry=retry, retry_on_error=list(AWAY), **limits, **target))


def _one_server(url: str) -> dict[str, Any]:
    """redis-py's options for a connection to one server."""
    found = {**parse_url(url), **tls_options(url)}  # type: ignore[no-untyped-call]
    return {**found, "connection_class": sentinel.PLAIN[found.get("connection_class", Connection)]}


def _bounded(timeouts: dict[str, Any], service: SentinelService | None) -> dict[str, Any]:
    if service is None:
        return timeouts
    return {**timeouts, **{name: min(timeouts[name], MAX_SENTINEL_TIMEOUT) for name in ("socket_timeout", "socket_connect_timeout")}}


def wait_until_up(url: str, seconds: float, say: Callable[[str], None]) -> None:
    """Wait for the server to answer PING; StorageUnavailable after `seconds`. `say` is called once, with the news that we wait."""
    client = short_lived_client(url, 1.0)
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
            time.sleep(POLL_SECONDS)
    finally:
        client.close()
