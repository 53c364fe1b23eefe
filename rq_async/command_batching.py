"""Command batching: many callers' commands in one send, over an asynchronous client that is made like the blocking one."""

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

ASYNC_CONNECTIONS: Final[dict[type, type[Connection | SSLConnection | UnixDomainSocketConnection]]] = {
    blocking.Connection: Connection,
    blocking.SSLConnection: SSLConnection,
    blocking.UnixDomainSocketConnection: UnixDomainSocketConnection,
}
IGNORED_OPTIONS: Final = {"retry", "retry_on_error", "retry_on_timeout", "parser_class", "socket_timeout", "decode_responses"}
"""The worker repeats calls by its own rules, reads bytes, and has timeouts of its own."""
MAX_CONNECTIONS: Final = 4
MAX_BATCH: Final = 200
"""Commands in one send, so that none holds the server for long."""


@dataclass(slots=True)
class _Queued:
    """A command that waits for the next send. `confirm`: its caller asks whether a replica has what was written."""

    args: tuple[Any, ...]
    answer: asyncio.Future[tuple[Any, bool]]
    confirm: bool


def async_client(connection: Redis, socket_timeout: float) -> AsyncRedis:
    """A client like `connection` for an event loop, which waits `socket_timeout` seconds for an answer and repeats nothing.

    Raises ValueError when it cannot be translated: for Sentinel, a cluster, an option that redis.asyncio has not, and a connection
    class of one's own without a class method `counterpart` that returns its asynchronous class.
    """
    kind = _async_class(connection.connection_pool.connection_class)
    if kind is None:
        raise ValueError(
            f"no asynchronous counterpart of {connection.connection_pool.connection_class.__name__} is known: "
            "set the worker's async_connection to a client of redis.asyncio"
        )
    known = {name for base in kind.__mro__ for name in inspect.signature(base).parameters}
    options = {name: value for name, value in get_connection_kwargs(connection).items() if name not in IGNORED_OPTIONS}
    # An option left out in silence could mean another trust, or another server.
    if unknown := sorted(name for name, value in options.items() if value and name not in known):
        raise ValueError(
            f"redis.asyncio has no option {', '.join(unknown)}: set the worker's async_connection to a client of redis.asyncio"
        )
    fitting = {name: value for name, value in options.items() if name in known}
    pool = ConnectionPool(
        connection_class=kind, max_connections=MAX_CONNECTIONS, socket_timeout=socket_timeout, retry=Retry(NoBackoff(), 0), **fitting
    )
    return AsyncRedis.from_pool(pool)


def _async_class(kind: type) -> type[Connection | SSLConnection | UnixDomainSocketConnection] | None:
    named = getattr(kind, "counterpart", None)
    return ASYNC_CONNECTIONS.get(kind) or (named() if named else None)


class Barrier(Protocol):
    """A replication barrier: commands behind those whose callers ask whether a replica has what they wrote."""

    @property
    def known(self) -> bool:
        """Whether the server was asked for its replicas."""

    def commands(self, *, ask: bool = False) -> Sequence[tuple[Any, ...]]:
        """The commands to send behind the others; with `ask` at least the question for replicas."""

    def confirm(self, answers: Sequence[Any]) -> bool:
        """Read the answers to the tail; whether all that went before it is safe."""

    def reset(self) -> None:
        """Forget what is known: the next send may reach another server."""


class CommandBatcher:
    """Sends commands of many callers together: while one send is awaited, the next one gathers. One connection does for all."""

    def __init__(self, client: AsyncRedis, barrier: Barrier | None = None) -> None:
        """`client` is the owner's to close. `barrier` is for `execute_confirmed`."""
        self._client = client
        self._barrier = barrier
        self._waiting: deque[_Queued] = deque()
        self._busy = False
        self._sender: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any) -> Any:
        """Send one command, in the order of the calls; what the server answers. Raises redis-py's errors."""
        if not self._busy:
            return await self._send_alone(args)
        return (await self._queued(args))[0]

    async def execute_confirmed(self, *args: Any) -> tuple[Any, bool]:
        """The same, and whether a replica has what was written: True where there is none. Raises redis-py's errors."""
        barrier = self._barrier
        if barrier is not None and not barrier.known:
            barrier.confirm([await self._answer_or_error(*command) for command in barrier.commands(ask=True)])
        if barrier is None or not barrier.commands():
            return await self.execute_command(*args), True
        # Queued even when nothing is under way: the barrier's commands must follow on the same connection, in the same send.
        answer = self._queued(args, confirm=True)
        if not self._busy:
            self._busy = True
            self._sender = asyncio.create_task(self._send_all())
        return await answer

    async def _answer_or_error(self, *args: Any) -> Any:
        try:
            return await self.execute_command(*args)
        except ResponseError as error:  # such as a user without the right to ask: that is for the barrier to judge
            return error

    def _queued(self, args: tuple[Any, ...], *, confirm: bool = False) -> asyncio.Future[tuple[Any, bool]]:
        answer: asyncio.Future[tuple[Any, bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Queued(args, answer, confirm))
        return answer

    async def _send_alone(self, args: tuple[Any, ...]) -> Any:
        """The command of one caller, in its own task: a task for the sending would cost it several rounds of the loop."""
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
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._send(batch)
        finally:
            self._busy = False

    async def _send(self, batch: list[_Queued]) -> None:
        tail = self._barrier.commands() if self._barrier and any(queued.confirm for queued in batch) else ()
        answers: list[Any]
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for args in (*(queued.args for queued in batch), *tail):
                    pipeline.execute_command(*args)
                answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - every caller gets it
            answers = [error] * len(batch)
            if self._barrier:
                self._barrier.reset()
        except BaseException:  # the loop ends: nobody shall wait for an answer that cannot come
            for queued in batch:
                queued.answer.cancel()
            raise
        confirmed = await self._confirmed(answers[len(batch) :])
        for queued, answer in zip(batch, answers, strict=False):
            _resolve(queued.answer, answer, confirmed)

    async def _confirmed(self, answers: list[Any]) -> bool:
        """Read the answers to the barrier's commands."""
        if self._barrier is None or self._barrier.confirm(answers):
            return True
        # A server that did not confirm may have been demoted: its idle connections are closed, so that the next send looks anew.
        self._barrier.reset()
        await self._client.connection_pool.disconnect(inuse_connections=False)
        return False


def _resolve(future: asyncio.Future[tuple[Any, bool]], answer: Any, confirmed: bool) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result((answer, confirmed))
