"""The mailbox of a turn: its calls are repeated through an outage of Redis.

A turn that gave up when Redis goes away would throw away an answer that was paid for, and its lease would be nobody's: the conversation
would wait for the lease's end, and then ask again. Every call may be repeated, and the scripts are fenced, so a late call changes
nothing that belongs to another holder by then. redis-py repeats a call without an answer for some seconds; this repeats it for longer,
and also one that the server refused because it may not write now (its disk or its memory is full).

This is about the calls of turns. What RQ asks of Redis is repeated by `rq_async/resilience.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from shared.backoff import Backoff
from shared.mailbox import AsyncMailbox
from shared.mailbox.client import ConfirmingCommands
from shared.storage.clients import is_transient

T = TypeVar("T")
PATIENCE_SECONDS: Final = 600.0
"""After this time a call's error is raised. The conversation is then due again when the turn's lease ends."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.1, 1.0
JITTER: Final = (0.5, 1.0)
"""Keeps the calls of one process apart."""


class PatientMailbox(AsyncMailbox):
    """Repeats a call until Redis accepts it, but not after the process is told to end (`stopping`)."""

    def __init__(self, redis: AsyncRedis, commands: ConfirmingCommands | None, stopping: asyncio.Event) -> None:
        super().__init__(redis, commands)
        self._stopping = stopping

    async def _with_retries(self, ask: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        end, backoff = loop.time() + PATIENCE_SECONDS, Backoff(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, JITTER)
        while True:
            try:
                return await ask()
            except (RedisError, OSError) as error:
                if not is_transient(error) or self._stopping.is_set() or loop.time() >= end:
                    raise
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff.next())
