"""Redis commands of many coroutines, sent together.

A process that holds hundreds of turns sends hundreds of small commands a second, and most of what one costs its sender is
the sending: the pool, the call, the wake-up for the answer. So while one pipeline is under way, whatever is asked for
meanwhile waits and goes as the next one (what databases call group commit). A lone command goes at once, as itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from redis.asyncio import Redis as AsyncRedis

MOST: Final = 100
"""Commands in one pipeline, so that none holds the server for long."""


class Commands(Protocol):
    """Whoever sends one command and answers with its result: a client of redis-py's, or `Grouped`."""

    async def execute_command(self, *args: Any) -> Any:
        """Raises RedisError."""
        ...


class Grouped:
    """Sends commands over `redis`, which is closed by its owner. For commands that can be repeated, and that never block."""

    def __init__(self, redis: AsyncRedis) -> None:
        self._redis = redis
        self._waiting: deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any) -> Any:
        """The command's result. Raises RedisError; a caller that is cancelled meanwhile may or may not have been heard."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((args, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        return await answer

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                await self._send([item for item in batch if not item[1].done()])
        finally:
            self._sender = None
            while self._waiting:  # only when the loop is ending
                self._waiting.popleft()[1].cancel()

    async def _send(self, batch: list[tuple[tuple[Any, ...], asyncio.Future[Any]]]) -> None:
        try:
            results = await self._results([args for args, _ in batch])
        except asyncio.CancelledError:
            for _, answer in batch:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked shall know
            results = [error] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    async def _results(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if len(commands) == 1:
            return [await self._redis.execute_command(*commands[0])]  # type: ignore[no-untyped-call]  # redis-py has no types for it
        async with self._redis.pipeline(transaction=False) as pipeline:
            for args in commands:
                pipeline.execute_command(*args)
            return list(await pipeline.execute(raise_on_error=False)) if commands else []
