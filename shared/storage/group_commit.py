"""Group commit: Redis commands of many callers, sent together by one thread.

The cost of a command in a web process is mostly the system calls around it, and Python's lock, which is released and contended at each. So
while one send is under way, further commands wait and go in the next one. Callers are threads, which block, and functions on an event loop
(`shared.process.blocking`), which let the loop run meanwhile. Only one thread sends, so one connection suffices; it is redis-py's own, with
its timeouts and retries.

Where the server has replicas each send also asks whether one of them has it (`shared.storage.replication`), and each caller is told so
about its own command. A send that no replica confirmed in time ends the connection: the server may not be the master any more.

When one command finds the server away, all waiting callers are told so: nobody waits for the same timeout a second time.
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
from shared.storage.replication import ROLE, ReplicationBarrier, StorageResult

MAX_BATCH: Final = 100
"""Commands in one send, so that no send keeps the server busy for long."""


class _PendingCommand:
    """A command, and what its caller waits on: a lock that is released, or a future of the caller's loop."""

    __slots__ = ("answer", "command", "future", "lock", "replicated")

    def __init__(self, command: bytes, loop: asyncio.AbstractEventLoop | None) -> None:
        self.command = command
        self.answer: Any = None
        self.replicated = True
        self.future: asyncio.Future[None] | None = loop.create_future() if loop else None
        if loop is None:
            self.lock = threading.Lock()
            self.lock.acquire()  # locked until the sending thread has the answer and releases it

    def wait(self) -> None:
        """Wait until there is an answer."""
        if self.future is None:
            self.lock.acquire()
        else:
            blocking.wait(self.future)


class GroupCommit:
    """Sends commands over a connection of `redis`, which its owner closes. For commands that can be repeated and never block."""

    def __init__(self, redis: Redis, barrier: ReplicationBarrier) -> None:
        self._redis = redis
        self._barrier = barrier
        self._connection: Any = None
        self._lock = threading.Lock()
        self._waiting: list[_PendingCommand] = []
        self._busy = False  # whether the sending thread will look at `_waiting` again by itself
        self._work = threading.Lock()  # used as a semaphore: released once when the idle sending thread has something to do
        self._work.acquire()
        self._thread: threading.Thread | None = None

    def execute_command(self, *args: Any) -> Any:
        """The command's answer. Raises redis-py's errors."""
        return self.execute_confirmed(*args).answer

    def execute_confirmed(self, *args: Any) -> StorageResult[Any]:
        """The command's answer, and whether a replica has what it wrote. Raises redis-py's errors."""
        # Packed here, in the caller: arguments that cannot be packed must fail this command alone, and not its whole group.
        pending = _PendingCommand(_packed(args), blocking.loop())
        with self._lock:
            self._waiting.append(pending)
            first, self._busy = not self._busy, True
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_for_ever, name="redis", daemon=True)
                self._thread.start()
        if first:
            self._work.release()
        pending.wait()
        if isinstance(pending.answer, Exception):
            raise pending.answer
        return StorageResult(pending.answer, pending.replicated)

    def _send_for_ever(self) -> None:
        while True:
            self._work.acquire()
            while group := self._next_group():
                self._send(group)

    def _next_group(self) -> list[_PendingCommand]:
        """The next commands to send. When there are none, the next caller has to wake this thread."""
        with self._lock:
            group, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._busy = bool(group)
            return group

    def _all_waiting(self) -> list[_PendingCommand]:
        with self._lock:
            group, self._waiting = self._waiting, []
            return group

    def _send(self, group: list[_PendingCommand]) -> None:
        """Send a group's commands and give each caller its answer; when the server is away, all who wait get the same error."""
        answers: Sequence[Any]
        try:
            answers, replicated = self._exchange([pending.command for pending in group])
        except Exception as error:  # noqa: BLE001 - raised in every caller
            if isinstance(error, AWAY):
                group = group + self._all_waiting()
            answers, replicated = [error] * len(group), True
        futures: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for pending, answer in zip(group, answers, strict=True):
            pending.answer, pending.replicated = answer, replicated
            if pending.future is None:
                pending.lock.release()
            else:
                futures.setdefault(pending.future.get_loop(), []).append(pending.future)
        for loop, waiting in futures.items():
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_resolve, waiting)

    def _exchange(self, commands: list[bytes]) -> StorageResult[list[Any]]:
        """Every command's answer or error. Raises an error after which nothing is known of any of the commands."""
        connection = self._connection = self._connection or self._redis.connection_pool.get_connection()
        try:
            result = cast(
                "StorageResult[list[Any]]",
                connection.retry.call_with_retry(lambda: self._once(connection, commands), lambda _error: connection.disconnect()),
            )
        except BaseException:
            connection.disconnect()  # an answer that was not read would be taken for the next command's
            raise
        if not result.replicated:
            connection.disconnect()
        return result

    def _once(self, connection: Any, commands: list[bytes]) -> StorageResult[list[Any]]:
        barrier = self._barrier
        if not connection.is_connected:
            barrier.reset()
            connection.connect_check_health(check_health=False)  # as redis-py does before it sends
        asked = barrier.commands()
        answers = _exchanged(connection, [*commands, *map(_packed, asked)])
        replicated = barrier.confirm(answers[len(commands) :])
        if not replicated and asked == (ROLE,):
            # Until now the server was not known to have replicas, so nobody waited for one: ask again, with WAIT.
            replicated = barrier.confirm(_exchanged(connection, [*map(_packed, barrier.commands())]))
        return StorageResult(answers[: len(commands)], replicated)


def _resolve(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its caller was cancelled
            future.set_result(None)


def _exchanged(connection: Any, commands: Sequence[bytes]) -> list[Any]:
    connection.send_packed_command([b"".join(commands)])
    return [_read_answer(connection) for _ in commands]


def _packed(command: tuple[Any, ...]) -> bytes:
    """A command on the wire, by hiredis, without redis-py's check of each argument for types that ours never have. Raises DataError."""
    try:
        return cast("bytes", pack_command(command))
    except TypeError as error:
        raise DataError(str(error)) from None


def _read_answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
