"""Redis commands of many callers, sent together by one thread.

What a command costs a web process is mostly not the command: it is the system calls, and the interpreter's lock given up and fought
for at each. So while one send is under way, what others ask for waits and goes in the next one (what databases call group commit).
Callers are threads, which block, and functions that run on an event loop (`shared.process.blocking`), which let it go
meanwhile. One connection does for all, since one thread sends; it is redis-py's own, with its timeouts and retries.

Where the server has replicas each send also asks whether one of them has it (`shared.storage.replication`); each caller hears so of its own
command. One that did not wait long enough ends the connection: the server may not be the master any more.

When the server is away for one, it is for all who wait: nobody waits a second time for the same silence.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast

from hiredis import pack_command
from redis import Redis
from redis.exceptions import DataError, ResponseError

from shared.process import blocking
from shared.storage.clients import AWAY
from shared.storage.replication import ROLE, Replicas

MOST: Final = 100
"""Commands in one send, so that none holds the server for long."""


class _Asked:
    """A command that waits, and what its caller waits for: a lock that is released, or a future of the caller's loop."""

    __slots__ = ("answer", "command", "confirmed", "future", "lock")

    def __init__(self, command: bytes, loop: asyncio.AbstractEventLoop | None) -> None:
        self.command = command
        self.answer: Any = None
        self.confirmed = True
        self.future: asyncio.Future[None] | None = loop.create_future() if loop else None
        if loop is None:
            self.lock = threading.Lock()
            self.lock.acquire()  # a baton: who releases it is another thread

    def wait(self) -> None:
        """Until there is an answer."""
        if self.future is None:
            self.lock.acquire()
        else:
            blocking.wait(self.future)


class Grouped:
    """Sends commands over a connection of `redis`, which its owner closes. For commands that can be repeated and never block."""

    def __init__(self, redis: Redis, replicas: Replicas) -> None:
        """`replicas` is told, by thread, whether a replica has what was sent."""
        self._redis = redis
        self._replicas = replicas
        self._connection: Any = None
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._busy = False
        self._work = threading.Lock()
        self._work.acquire()
        self._thread: threading.Thread | None = None

    def execute_command(self, *args: Any) -> Any:
        """The command's answer. Raises redis-py's errors."""
        asked = _Asked(_packed(args), blocking.loop())  # what cannot be packed is its caller's fault, and not a whole group's
        with self._lock:
            self._waiting.append(asked)
            begins, self._busy = not self._busy, True
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="redis", daemon=True)
                self._thread.start()
        if begins:
            self._work.release()
        asked.wait()
        self._replicas.confirmed = asked.confirmed
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    def _send_all(self) -> None:
        while True:
            self._work.acquire()
            while group := self._next():
                self._send(group)

    def _next(self) -> list[_Asked]:
        """Those whose turn it is; with nobody there, the next caller has to wake this thread."""
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._busy = bool(group)
            return group

    def _all(self) -> list[_Asked]:
        with self._lock:
            group, self._waiting = self._waiting, []
            return group

    def _send(self, group: list[_Asked]) -> None:
        """Send a group's commands, and tell each caller its answer; without a server all who wait hear the same error."""
        answers: Sequence[Any]
        try:
            answers, confirmed = self._exchange([asked.command for asked in group])
        except Exception as error:  # noqa: BLE001 - whoever asked shall know
            if isinstance(error, AWAY):
                group = group + self._all()
            answers, confirmed = [error] * len(group), True
        futures: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for asked, answer in zip(group, answers, strict=True):
            asked.answer, asked.confirmed = answer, confirmed
            if asked.future is None:
                asked.lock.release()
            else:
                futures.setdefault(asked.future.get_loop(), []).append(asked.future)
        for loop, waiting in futures.items():
            with suppress(RuntimeError):  # a loop that has ended
                loop.call_soon_threadsafe(_answered, waiting)

    def _exchange(self, commands: list[bytes]) -> tuple[Sequence[Any], bool]:
        """Every command's answer or error, and whether a replica has it all. Raises what says that nothing is known of any of them."""
        connection = self._connection = self._connection or self._redis.connection_pool.get_connection()
        try:
            answers, confirmed = cast(
                "tuple[list[Any], bool]",
                connection.retry.call_with_retry(lambda: self._once(connection, commands), lambda _error: connection.disconnect()),
            )
        except BaseException:
            connection.disconnect()  # an answer that was not read would be taken for the next command's
            raise
        if not confirmed:
            connection.disconnect()
        return answers, confirmed

    def _once(self, connection: Any, commands: list[bytes]) -> tuple[list[Any], bool]:
        replicas = self._replicas
        if not connection.is_connected:
            replicas.forget()
            connection.connect_check_health(check_health=False)  # as sending would
        tail = replicas.tail()
        answers = _sent(connection, [*commands, *map(_packed, tail)])
        confirmed = replicas.heard(answers[len(commands) :])
        if not confirmed and tail == (ROLE,):  # a server that was not known to have replicas has some
            confirmed = replicas.heard(_sent(connection, [*map(_packed, replicas.tail())]))
        return answers[: len(commands)], confirmed


def _answered(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its caller was cancelled
            future.set_result(None)


def _sent(connection: Any, commands: Sequence[bytes]) -> list[Any]:
    connection.send_packed_command([b"".join(commands)])
    return [_answer(connection) for _ in commands]


def _packed(command: tuple[Any, ...]) -> bytes:
    """As redis-py's serializer does it with hiredis, without a look at each argument for types that none of ours has."""
    try:
        return cast("bytes", pack_command(command))
    except TypeError as error:
        raise DataError(str(error)) from None


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
