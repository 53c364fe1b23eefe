"""Connections to the server that may write now: the master that the Sentinels name, or one server by its own address.

A server that was demoted, has lost its replicas, or still loads its data answers every write with an error word: READONLY, NOREPLICAS,
MASTERDOWN, UNBLOCKED. That says "not on this server", and nothing about the command. So these connections treat such an answer as the loss
of the connection: the next attempt asks the Sentinels again, and redis-py's retries do the waiting.

redis-py's `Sentinel` finds the master. Three things are done differently here:

- its own connections ask for the master only when they leave the pool; one that breaks in use is opened again to the old master (8.1).
  These ask before each opening;
- whoever finds an answer reorders its list of Sentinels. Two threads at once can reorder it wrongly (one Sentinel is then asked twice,
  another never again), so one asks at a time;
- no connection to a Sentinel is kept: a question is rare, and has short timeouts.
"""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Any, Final

from redis import Connection, RedisError, Sentinel, SSLConnection, UnixDomainSocketConnection
from redis.asyncio import Connection as AsyncConnection
from redis.asyncio import Sentinel as AsyncSentinel
from redis.asyncio import SSLConnection as AsyncSSLConnection
from redis.asyncio import UnixDomainSocketConnection as AsyncUnixConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, MasterDownError, ReadOnlyError, ResponseError  # noqa: A004 - the library's names
from redis.retry import Retry

from shared.storage.url import SentinelService

SENTINEL_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
NOT_HERE: Final = (ReadOnlyError, MasterDownError)
_WORD: Final = re.compile(r"(?:^|: -)(NOREPLICAS|READONLY|MASTERDOWN|UNBLOCKED) ")
"""At the beginning of an error, or behind the position in a script that servers before version 7 put there."""


class NotServing(ConnectionError):
    """The server answered that it may not write now, or no Sentinel named a master."""


def not_serving(error: ResponseError) -> bool:
    """Whether an error means that this server may not write now, whatever the command was."""
    return isinstance(error, NOT_HERE) or _WORD.search(str(error)) is not None


class _FailoverAware:
    """A connection that treats "not on this server" as the loss of the connection."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """As redis-py's method; raises NotServing."""
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            if not not_serving(error):
                raise
        self.disconnect()  # type: ignore[attr-defined]
        raise NotServing("the server may not write now")

    @classmethod
    def counterpart(cls) -> type[AsyncConnection]:
        """The same connection class for an event loop; `rq_async` calls this method by its name."""
        return ASYNC_CLASSES[cls]


class TcpConnection(_FailoverAware, Connection):
    """To one server."""


class TlsConnection(_FailoverAware, SSLConnection):
    """To one server, over TLS."""


class SocketConnection(_FailoverAware, UnixDomainSocketConnection):
    """To one server, over a unix socket of this machine."""


class _ToMaster:
    """Asks `master` for the address each time the connection is opened."""

    def __init__(self, *, master: Master, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._master = master
        self.host, self.port = "", 0

    def _connect(self) -> Any:
        self.host, self.port = self._master.address()
        return super()._connect()  # type: ignore[misc]


class MasterConnection(_FailoverAware, _ToMaster, Connection):
    """To the current master."""


class MasterTlsConnection(_FailoverAware, _ToMaster, SSLConnection):
    """To the current master, over TLS."""


PLAIN: Final[dict[type, type]] = {
    Connection: TcpConnection,
    SSLConnection: TlsConnection,
    UnixDomainSocketConnection: SocketConnection,
}


class Master:
    """Asks the Sentinels where the current master is."""

    def __init__(self, service: SentinelService) -> None:
        self._service = service.name
        self._lock = threading.Lock()
        self._sentinel = Sentinel(list(service.sentinels), sentinel_kwargs=sentinel_options(service, Retry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

    def address(self) -> tuple[str, int]:
        """Host and port; raises NotServing while no Sentinel names one."""
        with self._lock:
            try:
                address: tuple[str, int] = self._sentinel.discover_master(self._service)  # type: ignore[no-untyped-call]
            except RedisError as error:
                raise no_master(error) from None
            finally:
                self._sentinel.close()
        return address


def sentinel_options(service: SentinelService, retry: Any) -> dict[str, Any]:
    """redis-py's options for a connection to a Sentinel: one attempt with short timeouts, because there are other Sentinels."""
    return {"protocol": 2, "retry": retry, **SENTINEL_TIMEOUTS, **service.sentinel_options}


def no_master(error: RedisError) -> NotServing:
    """The error to raise, without the Sentinels' addresses."""
    return NotServing(f"no Sentinel names a master ({type(error).__name__})")


# The same for an event loop.


class _AsyncFailoverAware:
    """As `_FailoverAware`."""

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """As redis-py's method; raises NotServing."""
        try:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            if not not_serving(error):
                raise
        await self.disconnect()  # type: ignore[attr-defined]
        raise NotServing("the server may not write now")


class AsyncTcpConnection(_AsyncFailoverAware, AsyncConnection):
    """To one server."""


class AsyncTlsConnection(_AsyncFailoverAware, AsyncSSLConnection):
    """To one server, over TLS."""


class AsyncSocketConnection(_AsyncFailoverAware, AsyncUnixConnection):
    """To one server, over a unix socket of this machine."""


class _AsyncToMaster:
    """Asks `master` for the address each time the connection is opened."""

    def __init__(self, *, master: AsyncMaster, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._master = master
        self.host, self.port = "", 0

    async def _connect(self) -> None:
        self.host, self.port = await self._master.address()
        await super()._connect()  # type: ignore[misc]


class AsyncMasterConnection(_AsyncFailoverAware, _AsyncToMaster, AsyncConnection):
    """To the current master."""


class AsyncMasterTlsConnection(_AsyncFailoverAware, _AsyncToMaster, AsyncSSLConnection):
    """To the current master, over TLS."""


class AsyncMaster:
    """As `Master`, for an event loop."""

    def __init__(self, service: SentinelService) -> None:
        self._service = service.name
        self._lock = asyncio.Lock()
        self._sentinel = AsyncSentinel(list(service.sentinels), sentinel_kwargs=sentinel_options(service, AsyncRetry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

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


ASYNC_CLASSES: Final[dict[type, type[AsyncConnection]]] = {
    TcpConnection: AsyncTcpConnection,
    TlsConnection: AsyncTlsConnection,
    SocketConnection: AsyncSocketConnection,  # type: ignore[dict-item] # not a subclass of redis-py's Connection, but used like one
}
"""For each blocking class of one server the same class for an event loop."""
