"""Connections to Redis or Valkey, with the timeouts that each process can bear.

redis-py's defaults hold a webhook for 58 s when Redis hangs (measured), so the web process gets its own: 0.5 s to
connect, 1 s an answer, one retry. RESP2 is asked for because it makes an enqueue a third cheaper than RESP3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError  # noqa: A004 - the library's names
from redis.retry import Retry

from shared.errors import StorageUnavailable

WEB_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
WORKER_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 5.0, "socket_timeout": 15.0, "health_check_interval": 15}
AWAY: Final = (ConnectionError, TimeoutError, BusyLoadingError)


def for_web(url: str) -> Redis:
    """A client that gives up within about 2 s: a webhook's provider must get its answer."""
    return Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 1), retry_on_error=list(AWAY), **WEB_TIMEOUTS)


def for_worker(url: str) -> Redis:
    """A client that outlasts a restart of the server. Bytes are not decoded: RQ needs them as they are."""
    return Redis.from_url(
        url, protocol=2, retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), retry_on_error=list(AWAY), **WORKER_TIMEOUTS
    )


def for_loop(url: str, *, connections: int = 32) -> AsyncRedis:
    """The same for an event loop; `connections` bounds the pool, and who finds it empty waits."""
    return _pooled(
        url, AsyncRetry(ExponentialWithJitterBackoff(base=0.05, cap=1), 10), max_connections=connections, timeout=30, **WORKER_TIMEOUTS
    )


def for_bridge(url: str, *, connections: int = 16) -> AsyncRedis:
    """For the bridge's loop: it gives up as soon as the web process does, because a client waits."""
    return _pooled(url, AsyncRetry(NoBackoff(), 1), max_connections=connections, timeout=2, **WEB_TIMEOUTS)


def _pooled(url: str, retry: AsyncRetry, **limits: Any) -> AsyncRedis:
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - the web process does not need asyncio

    pool = BlockingConnectionPool.from_url(url, protocol=2, retry=retry, retry_on_error=list(AWAY), **limits)
    return AsyncRedis(connection_pool=pool)


def wait_until_up(url: str, seconds: float, say: Callable[[str], None]) -> None:
    """Wait for the server to answer PING; StorageUnavailable after `seconds`. `say` hears once that we are waiting."""
    client = Redis.from_url(url, protocol=2, socket_connect_timeout=1, socket_timeout=2, retry=Retry(NoBackoff(), 0))
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
                say(f"waiting up to {seconds:g} s for Redis")
                told = True
            time.sleep(0.05)
    finally:
        client.close()
