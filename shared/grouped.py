"""Redis commands of many threads, sent together.

A web process answers its requests on threads, and what a command costs there is mostly not the command: it is the pool's lock,
two system calls, and the interpreter's lock given up and fought for at each. So while one thread's command is under way, what
others ask for waits and goes as one pipeline (what databases call group commit): whoever waits, waits once. A lone command goes
at once, by the thread that asked for it.

When the server is away for one, it is for all who wait: nobody waits a second time for the same silence.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

from redis import Redis

from shared.redis import AWAY

MOST: Final = 100
"""Commands in one pipeline, so that none holds the server for long."""


class _Asked:
    """A command that waits. `turn` is released once: with the answer there, or to lead the group that waits with it."""

    __slots__ = ("answer", "args", "group", "turn")

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.args = args
        self.answer: Any = None
        self.group: list[_Asked] | None = None
        self.turn = threading.Lock()
        self.turn.acquire()


class Grouped:
    """Sends commands over `redis`, which is closed by its owner. For commands that can be repeated, and that never block."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._busy = False

    def execute_command(self, *args: Any) -> Any:
        """The command's answer. Raises redis-py's errors."""
        with self._lock:
            if self._busy:
                asked = _Asked(args)
                self._waiting.append(asked)
            else:
                self._busy, asked = True, None
        return self._alone(args) if asked is None else self._among_others(asked)

    def _alone(self, args: tuple[Any, ...]) -> Any:
        away: Exception | None = None
        try:
            return self._redis.execute_command(*args)  # type: ignore[no-untyped-call]  # redis-py has no types for it
        except AWAY as error:
            away = error
            raise
        finally:
            self._pass_on(away)

    def _among_others(self, asked: _Asked) -> Any:
        asked.turn.acquire()
        if asked.group is not None:
            self._lead(asked.group)
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    def _lead(self, group: list[_Asked]) -> None:
        """Send the commands of all who wait, and tell each its answer."""
        away: Exception | None = None
        answers: Sequence[Any] = [RuntimeError("the group was not sent")] * len(group)
        try:
            answers = self._send([asked.args for asked in group])
        except Exception as error:  # noqa: BLE001 - whoever asked shall know
            away = error if isinstance(error, AWAY) else None
            answers = [error] * len(group)
        finally:
            self._pass_on(away)
            for asked, answer in zip(group, answers, strict=True):
                asked.answer = answer
                if asked.group is None:
                    asked.turn.release()

    def _send(self, commands: list[tuple[Any, ...]]) -> Sequence[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for args in commands:
                pipeline.execute_command(*args)  # type: ignore[no-untyped-call]
            return pipeline.execute(raise_on_error=False)

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
