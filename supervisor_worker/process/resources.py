"""What the jobs of one process share, and how they reach it.

A worker process of ours opens one `Crew` before its first job and closes it after the last. Under a worker of RQ's own, which
knows nothing of it, each job opens one for itself: slower, and the same otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis as AsyncRedis

from rq_async.command_batching import CommandBatcher
from shared.config import settings as knobs
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox import wake_queue as queue
from shared.mailbox.calls import Due
from shared.mailbox.client import Commands
from shared.runtime import Runtime, open_runtime, redis_url
from shared.storage.clients import for_loop, for_waiting
from supervisor_worker.assistant.claude.client import Claude
from supervisor_worker.channels.ports import open_ports
from supervisor_worker.media.turn_pictures import PictureLoader
from supervisor_worker.process.patient_mailbox import PatientMailbox
from supervisor_worker.turns.context import Supervisor

CURRENT: Final[ContextVar[Crew | None]] = ContextVar("crew", default=None)
"""The process's crew: set before the loop's first task, so that every job's context has it."""


@dataclass(frozen=True)
class Crew:
    """A supervisor for the turns, and the process's way to Redis.

    The supervisor's mailbox is a patient one; `mailbox` is for those who look again by themselves. `commands` sends what many turns ask
    for together; `waiting`, a worker's, is for what the server answers when it has something.
    """

    supervisor: Supervisor
    mailbox: AsyncMailbox
    redis: AsyncRedis
    commands: Commands
    waiting: AsyncRedis | None = None

    async def wake_all(self, due: tuple[Due, ...]) -> None:
        """Enqueue a job for each, in one round trip. Raises RedisError."""
        await self.mailbox.run(calls.enqueue(queue.job(item.conversation, item.channel) for item in due))

    async def oldest_wait_ms(self) -> int:
        """How long the queue's first job has waited. Raises RedisError."""
        return await queue.oldest_wait_ms(self.redis)


@asynccontextmanager
async def open_crew(runtime: Runtime, process: str = "") -> AsyncIterator[Crew]:
    """Open what turns need, in order, on the running loop; close it in reverse. `process`: see `Supervisor`."""
    settings = runtime.settings
    async with AsyncExitStack() as stack:
        redis, waiting = for_loop(redis_url(settings)), for_waiting(redis_url(settings))
        for client in (redis, waiting):
            stack.push_async_callback(client.aclose)
        commands = CommandBatcher(redis, runtime.replicas)
        thinker, picture_loader = Claude(settings), PictureLoader.of(settings)
        ports = open_ports(settings, runtime.users.channels)
        for close in (thinker.aclose, *(port.aclose for port in ports.values()), picture_loader.aclose):
            stack.push_async_callback(close)
        stopping = asyncio.Event()
        supervisor = Supervisor(
            settings=settings,
            users=runtime.users,
            identities=runtime.identities,
            mailbox=PatientMailbox(redis, commands, stopping),
            thinker=thinker,
            channels=ports,
            stopping=stopping,
            picture_loader=picture_loader,
            process=process,
        )
        yield Crew(supervisor, AsyncMailbox(redis, commands), redis, commands, waiting)


@asynccontextmanager
async def crew_of_this_process() -> AsyncIterator[Crew]:
    """The crew that the worker opened, or one for this job alone."""
    crew = CURRENT.get()
    if crew is not None:
        yield crew
        return
    runtime = await asyncio.to_thread(open_runtime, knobs.load(), "worker")
    try:
        async with open_crew(runtime) as own:
            yield own
    finally:
        runtime.close()
