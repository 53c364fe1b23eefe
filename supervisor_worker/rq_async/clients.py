"""The asynchronous half of a worker's connection: made of the blocking one, and used for many commands at once."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any, Final

from redis import Redis
from redis import connection as blocking
from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from rq.connections import get_connection_kwargs

COUNTERPARTS: Final[dict[type, type[Connection | SSLConnection | UnixDomainSocketConnection]]] = {
    blocking.Connection: Connection,
    blocking.SSLConnection: SSLConnection,
    blocking.UnixDomainSocketConnection: UnixDomainSocketConnection,
}
LEFT_OUT: Final = {"retry", "retry_on_error", "retry_on_timeout", "parser_class", "socket_timeout", "decode_responses"}
CONNECTIONS: Final = 4
MOST: Final = 200
"""Commands in one send, so that none holds the server for long."""


def asynchronous(connection: Redis, socket_timeout: float) -> AsyncRedis:
    """A client like `connection` for an event loop, which waits `socket_timeout` seconds for an answer and repeats nothing.

    Raises ValueError for a connection whose counterpart is not known: Sentinel, a cluster, a class or an option of one's own.
    """
    kind = COUNTERPARTS.get(connection.connection_pool.connection_class)
    if kind is None:
        raise ValueError(
            f"no asynchronous counterpart of {connection.connection_pool.connection_class.__name__} is known: "
            "set the worker's async_connection to a client of redis.asyncio"
        )
    known = {name for base in kind.__mro__ for name in inspect.signature(base).parameters}
    options = {name: value for name, value in get_connection_kwargs(connection).items() if name not in LEFT_OUT}
    if strange := sorted(name for name, value in options.items() if value and name not in known):
        raise ValueError(
            f"redis.asyncio has no option {', '.join(strange)}: set the worker's async_connection to a client of redis.asyncio"
        )
    fitting = {name: value for name, value in options.items() if name in known}
    pool = ConnectionPool(
        connection_class=kind, max_connections=CONNECTIONS, socket_timeout=socket_timeout, retry=Retry(NoBackoff(), 0), **fitting
    )
    return AsyncRedis.from_pool(pool)


class Grouped:
    """Sends commands of many callers together: while one send is awaited, the next one gathers. One connection does for all."""

    def __init__(self, client: AsyncRedis) -> None:
        """`client` is the owner's to close."""
        self._client = client
        self._waiting: deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = deque()
        self._busy = False
        self._sender: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any) -> Any:
        """One command, in the order of the calls; its answer. Raises redis-py's errors."""
        if not self._busy:
            return await self._send_alone(args)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((args, answer))
        return await answer

    async def _send_alone(self, args: tuple[Any, ...]) -> Any:
        """The command of one caller in its own task: a task for the sending would cost it several turns of the loop."""
        self._busy = True
        try:
            return await self._client.execute_command(*args)  # type: ignore[no-untyped-call]
        finally:
            self._busy = bool(self._waiting)
            if self._busy:
                self._sender = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                await self._send(group)
        finally:
            self._busy = False

    async def _send(self, group: list[tuple[tuple[Any, ...], asyncio.Future[Any]]]) -> None:
        answers: list[Any]
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for args, _ in group:
                    pipeline.execute_command(*args)
                answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - every caller hears of it
            answers = [error] * len(group)
        except BaseException:
            for _, future in group:
                future.cancel()
            raise
        for (_, future), answer in zip(group, answers, strict=True):
            _settle(future, answer)


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
