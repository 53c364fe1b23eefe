"""The asynchronous half of a worker's connection: made of the blocking one, and used for many commands at once."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from redis import Redis
from redis import connection as blocking
from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
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


@dataclass(slots=True)
class _Asked:
    """A command that waits for its turn."""

    args: tuple[Any, ...]
    answer: asyncio.Future[tuple[Any, bool]]
    confirm: bool


def asynchronous(connection: Redis, socket_timeout: float) -> AsyncRedis:
    """A client like `connection` for an event loop, which waits `socket_timeout` seconds for an answer and repeats nothing.

    Raises ValueError for a connection whose counterpart is not known: Sentinel, a cluster, an option of one's own, a class of one's own
    without a method `counterpart` that answers with it.
    """
    kind = _counterpart(connection.connection_pool.connection_class)
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


def _counterpart(kind: type) -> type[Connection | SSLConnection | UnixDomainSocketConnection] | None:
    named = getattr(kind, "counterpart", None)
    return COUNTERPARTS.get(kind) or (named() if named else None)


class Tail(Protocol):
    """What goes behind the commands of those who want to know whether a replica has what they wrote, and how its answers are read."""

    @property
    def known(self) -> bool:
        """Whether the server was asked for its replicas."""

    def tail(self, *, ask: bool = False) -> Sequence[tuple[Any, ...]]:
        """The commands; `ask` when nobody was asked yet."""

    def heard(self, answers: Sequence[Any]) -> bool:
        """Whether all that went before is safe."""

    def forget(self) -> None:
        """The server may be another one."""


class Grouped:
    """Sends commands of many callers together: while one send is awaited, the next one gathers. One connection does for all."""

    def __init__(self, client: AsyncRedis, tail: Tail | None = None) -> None:
        """`client` is the owner's to close. `tail` is for `execute_confirmed`."""
        self._client = client
        self._tail = tail
        self._waiting: deque[_Asked] = deque()
        self._busy = False
        self._sender: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any) -> Any:
        """One command, in the order of the calls; its answer. Raises redis-py's errors."""
        if not self._busy:
            return await self._send_alone(args)
        return (await self._queued(args))[0]

    async def execute_confirmed(self, *args: Any) -> tuple[Any, bool]:
        """The same, and whether a replica has what was written: True where there is none. Raises redis-py's errors."""
        tail = self._tail
        if tail is not None and not tail.known:
            tail.heard([await self._answer_or_error(*part) for part in tail.tail(ask=True)])
        if tail is None or not tail.tail():
            return await self.execute_command(*args), True
        asked = self._queued(args, confirm=True)
        if not self._busy:
            self._busy = True
            self._sender = asyncio.create_task(self._send_all())
        return await asked

    async def _answer_or_error(self, *args: Any) -> Any:
        try:
            return await self.execute_command(*args)
        except ResponseError as error:  # a user who may not ask, say: that is for the tail to judge
            return error

    def _queued(self, args: tuple[Any, ...], *, confirm: bool = False) -> asyncio.Future[tuple[Any, bool]]:
        answer: asyncio.Future[tuple[Any, bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(args, answer, confirm))
        return answer

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

    async def _send(self, group: list[_Asked]) -> None:
        tail = self._tail.tail() if self._tail and any(asked.confirm for asked in group) else ()
        answers: list[Any]
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for args in (*(asked.args for asked in group), *tail):
                    pipeline.execute_command(*args)
                answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - every caller hears of it
            answers = [error] * len(group)
            if self._tail:
                self._tail.forget()
        except BaseException:
            for asked in group:
                asked.answer.cancel()
            raise
        confirmed = await self._confirmed(answers[len(group) :])
        for asked, answer in zip(group, answers, strict=False):
            _settle(asked.answer, answer, confirmed)

    async def _confirmed(self, answers: list[Any]) -> bool:
        """Read the tail's answers. A server that did not confirm may not be the right one any more: its idle connections end."""
        if self._tail is None or self._tail.heard(answers):
            return True
        self._tail.forget()
        await self._client.connection_pool.disconnect(inuse_connections=False)
        return False


def _settle(future: asyncio.Future[tuple[Any, bool]], answer: Any, confirmed: bool) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result((answer, confirmed))
