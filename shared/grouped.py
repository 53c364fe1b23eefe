"""Redis commands of many threads, sent together.

A web process answers its requests on threads, and what a command costs there is mostly not the command: it is the system calls,
and the interpreter's lock given up and fought for at each. So while one thread's command is under way, what others ask for waits
and goes in one send (what databases call group commit): whoever waits, waits once. A lone command goes at once, by the thread that
asked for it. One connection does for all, since one thread at a time sends; it is redis-py's own, with its timeouts and retries.

Where the server has replicas each send also asks whether one of them has it (`shared.replicas`); each thread hears so of its own
command. One that did not wait long enough ends the connection: the server may not be the master any more.

When the server is away for one, it is for all who wait: nobody waits a second time for the same silence.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import ResponseError

from shared.redis import AWAY
from shared.replicas import ROLE, Replicas

MOST: Final = 100
"""Commands in one send, so that none holds the server for long."""


class _Asked:
    """A command that waits. `turn` is released once: with the answer there, or to lead the group that waits with it."""

    __slots__ = ("answer", "args", "confirmed", "group", "turn")

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.args = args
        self.answer: Any = None
        self.confirmed = True
        self.group: list[_Asked] | None = None
        self.turn = threading.Lock()
        self.turn.acquire()


class Grouped:
    """Sends commands over a connection of `redis`, which its owner closes. For commands that can be repeated and never block."""

    def __init__(self, redis: Redis, replicas: Replicas | None = None) -> None:
        """`replicas` is told, by thread, whether a replica has what was sent."""
        self._redis = redis
        self._replicas = replicas or Replicas()
        self._connection: Any = None
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._busy = False

    def execute_command(self, *args: Any) -> Any:
        """The command's answer. Raises redis-py's errors."""
        asked = _Asked(args)
        with self._lock:
            alone = not self._busy
            if alone:
                self._busy = True
            else:
                self._waiting.append(asked)
        if alone:
            asked.group = [asked]
        else:
            asked.turn.acquire()  # a baton: who releases it is another thread
        if asked.group is not None:
            self._lead(asked.group)
        self._replicas.confirmed = asked.confirmed
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    def _lead(self, group: list[_Asked]) -> None:
        """Send the commands of all who wait, and tell each its answer."""
        away: Exception | None = None
        answers: Sequence[Any] = [RuntimeError("the group was not sent")] * len(group)
        confirmed = True
        try:
            answers, confirmed = self._exchange([asked.args for asked in group])
        except Exception as error:  # noqa: BLE001 - whoever asked shall know
            away = error if isinstance(error, AWAY) else None
            answers = [error] * len(group)
        finally:
            self._pass_on(away)
            for asked, answer in zip(group, answers, strict=True):
                asked.answer, asked.confirmed = answer, confirmed
                if asked.group is None:
                    asked.turn.release()

    def _exchange(self, commands: list[tuple[Any, ...]]) -> tuple[Sequence[Any], bool]:
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

    def _once(self, connection: Any, commands: list[tuple[Any, ...]]) -> tuple[list[Any], bool]:
        replicas = self._replicas
        if not connection.is_connected:
            replicas.forget()
            connection.connect_check_health(check_health=False)  # as sending would
        tail = replicas.tail()
        answers = _sent(connection, [*commands, *tail])
        confirmed = replicas.heard(answers[len(commands) :])
        if not confirmed and tail == (ROLE,):  # a server that was not known to have replicas has some
            confirmed = replicas.heard(_sent(connection, replicas.tail()))
        return answers[: len(commands)], confirmed

    def _pass_on(self, away: Exception | None) -> None:
        """Let the first of those who wait lead the others; without a server all of them hear the same error."""
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            if away is not None:
                group, self._waiting = group + self._waiting, []
            self._busy = bool(group) and away is None
        if away is not None:
            for asked in group:
                asked.answer = away
                asked.turn.release()
        elif group:
            group[0].group = group
            group[0].turn.release()


def _sent(connection: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    connection.send_packed_command(connection.pack_commands(commands))
    return [_answer(connection) for _ in commands]


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
