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


class _ToMaster:
    """Asks `master` for the address before each opening."""

    def __init__(self, *, master: Master, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._master = master
        self.host, self.port = "", 0

    async def _connect(self) -> None:
        self.host, self.port = await self._master.address()
        await super()._connect()  # type: ignore[misc]


class MasterConnection(_Watchful, _ToMaster, Connection):
    """To the present master."""


class MasterTlsConnection(_Watchful, _ToMaster, SSLConnection):
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
    """As `shared.sentinel.Master`."""

    def __init__(self, watched: Watched) -> None:
        self._service = watched.service
        self._lock = asyncio.Lock()
        self._sentinel = Sentinel(list(watched.sentinels), sentinel_kwargs=sentinel_options(watched, Retry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

    async def address(self) -> tuple[str, int]:
        """Host and port; raises NotServing while no Sentinel names one."""
        async with self._lock:
            try:
                address: tuple[str, int] = await self._sentinel.discover_master(self._service)
            except RedisError as error:
                raise no_master(error) from None
            finally:
                await self._sentinel.aclose()
        return address
