"""Connections that know a server which may not, or no longer, write, and connections to whichever server the Sentinels call the master.

A server that was demoted, has lost its replicas, or still loads its data answers every write with a word of capitals: READONLY,
NOREPLICAS, MASTERDOWN, UNBLOCKED. That says "not here", and never "not this message". So it ends the connection, like the loss of it:
the next attempt asks the Sentinels anew, and redis-py's retries do the waiting.

redis-py's `Sentinel` finds the master; three things are done otherwise. Its own connections ask where the master is only when they come
out of the pool: one that breaks in use is opened again to where the old master was (8.1), so these ask before each opening. Its list of
Sentinels is put in another order by whoever finds an answer, which two threads at once can only do wrongly (one Sentinel is then asked
twice, another never again), so one asks at a time. And no connection to a Sentinel is kept: a question is rare, and has short times.
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

from shared.storage.url import Watched

SENTINEL_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
NOT_HERE: Final = (ReadOnlyError, MasterDownError)
_WORD: Final = re.compile(r"(?:^|: -)(NOREPLICAS|READONLY|MASTERDOWN|UNBLOCKED) ")
"""At an error's beginning, or after the place in a script where servers before version 7 say that it happened."""


class NotServing(ConnectionError):
    """The server answered that it may not write now; or no Sentinel named a master."""


def not_serving(error: ResponseError) -> bool:
    """Whether an answer means that this server may not do what it was asked, whatever that was."""
    return isinstance(error, NOT_HERE) or _WORD.search(str(error)) is not None


class _Watchful:
    """Reads such an answer as the loss of the connection."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """As redis-py's; raises NotServing."""
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            if not not_serving(error):
                raise
        self.disconnect()  # type: ignore[attr-defined]
        raise NotServing("the server may not write now")

    @classmethod
    def counterpart(cls) -> type[AsyncConnection]:
        """The class for an event loop."""
        return TWINS[cls]


class TcpConnection(_Watchful, Connection):
    """To one server."""


class TlsConnection(_Watchful, SSLConnection):
    """To one server, over TLS."""


class SocketConnection(_Watchful, UnixDomainSocketConnection):
    """To this machine's own."""


class _ToMaster:
    """Asks `master` for the address before each opening."""

    def __init__(self, *, master: Master, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._master = master
        self.host, self.port = "", 0

    def _connect(self) -> Any:
        self.host, self.port = self._master.address()
        return super()._connect()  # type: ignore[misc]


class MasterConnection(_Watchful, _ToMaster, Connection):
    """To the present master."""


class MasterTlsConnection(_Watchful, _ToMaster, SSLConnection):
    """To the present master, over TLS."""


PLAIN: Final[dict[type, type]] = {
    Connection: TcpConnection,
    SSLConnection: TlsConnection,
    UnixDomainSocketConnection: SocketConnection,
}


class Master:
    """Knows where the present master is, as the Sentinels say."""

    def __init__(self, watched: Watched) -> None:
        self._service = watched.service
        self._lock = threading.Lock()
        self._sentinel = Sentinel(list(watched.sentinels), sentinel_kwargs=sentinel_options(watched, Retry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

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


def sentinel_options(watched: Watched, retry: Any) -> dict[str, Any]:
    """How a Sentinel is spoken to: once, and briefly, for there are others."""
    return {"protocol": 2, "retry": retry, **SENTINEL_TIMEOUTS, **watched.sentinel}


def no_master(error: RedisError) -> NotServing:
    """The error without the Sentinels' addresses."""
    return NotServing(f"no Sentinel names a master ({type(error).__name__})")


# For an event loop: the same, awaited.


class _AsyncWatchful:
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


class AsyncTcpConnection(_AsyncWatchful, AsyncConnection):
    """To one server."""


class AsyncTlsConnection(_AsyncWatchful, AsyncSSLConnection):
    """To one server, over TLS."""


class AsyncSocketConnection(_AsyncWatchful, AsyncUnixConnection):
    """To this machine's own."""


class _AsyncToMaster:
    """Asks `master` for the address before each opening."""

    def __init__(self, *, master: AsyncMaster, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._master = master
        self.host, self.port = "", 0

    async def _connect(self) -> None:
        self.host, self.port = await self._master.address()
        await super()._connect()  # type: ignore[misc]


class AsyncMasterConnection(_AsyncWatchful, _AsyncToMaster, AsyncConnection):
    """To the present master."""


class AsyncMasterTlsConnection(_AsyncWatchful, _AsyncToMaster, AsyncSSLConnection):
    """To the present master, over TLS."""


class AsyncMaster:
    """As `Master`."""

    def __init__(self, watched: Watched) -> None:
        self._service = watched.service
        self._lock = asyncio.Lock()
        self._sentinel = AsyncSentinel(list(watched.sentinels), sentinel_kwargs=sentinel_options(watched, AsyncRetry(NoBackoff(), 0)))  # type: ignore[no-untyped-call]

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


TWINS: Final[dict[type, type[AsyncConnection]]] = {
    TcpConnection: AsyncTcpConnection,
    TlsConnection: AsyncTlsConnection,
    SocketConnection: AsyncSocketConnection,  # type: ignore[dict-item] # no Connection to redis-py, and alike in all that matters
}
"""For each blocking class of one server the one for an event loop."""
