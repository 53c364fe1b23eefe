"""`shared.sentinel` for an event loop: the same classes, awaited."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis import Connection as BlockingConnection
from redis import RedisError, UnixDomainSocketConnection
from redis import SSLConnection as BlockingSSLConnection
from redis.asyncio import Connection, Sentinel, SSLConnection
from redis.asyncio import UnixDomainSocketConnection as AsyncSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from shared import sentinel as blocking
from shared.redis_url import Watched
from shared.sentinel import NotServing, no_master, not_serving, sentinel_options


class _Watchful:
    """Reads an answer that says "not here" as the loss of the connection."""

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """As redis-py's; raises NotServing."""
        try:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            if not not_serving(error):
                raise
        await self.disconnect()  # type: ignore[attr-defined]
        raise NotServing("the server may not write now")


class TcpConnection(_Watchful, Connection):
    """To one server."""


class TlsConnection(_Watchful, SSLConnection):
    """To one server, over TLS."""


class SocketConnection(_Watchful, AsyncSocketConnection):
    """To this machine's own."""


class MasterConnection(_Watchful, SentinelManagedConnection):
    """To the present master."""


class MasterTlsConnection(_Watchful, SentinelManagedSSLConnection):
    """To the present master, over TLS."""


PLAIN: Final[dict[type, type]] = {
    BlockingConnection: TcpConnection,
    BlockingSSLConnection: TlsConnection,
    UnixDomainSocketConnection: SocketConnection,
}
"""By the class that redis-py's reading of an address gives."""
COUNTERPARTS: Final[dict[type, type[Connection]]] = {
    blocking.TcpConnection: TcpConnection,
    blocking.TlsConnection: TlsConnection,
    blocking.SocketConnection: SocketConnection,  # type: ignore[dict-item] # no Connection to redis-py, and alike in all that matters
}


class Master:
    """Where the present master is; as `shared.sentinel.Master`."""

    is_master = True
    check_connection = False

    def __init__(self, watched: Watched) -> None:
        self.service_name = watched.service
        self._lock = asyncio.Lock()
        self._sentinel = Sentinel(list(watched.sentinels), sentinel_kwargs=sentinel_options(watched, Retry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

    async def get_master_address(self) -> tuple[str, int]:
        """Host and port; raises NotServing while no Sentinel names one."""
        async with self._lock:
            try:
                address: tuple[str, int] = await self._sentinel.discover_master(self.service_name)
            except RedisError as error:
                raise no_master(error) from None
            finally:
                await self._sentinel.aclose()
        return address
