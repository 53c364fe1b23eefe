"""The resources of a worker process: what its jobs share.

A worker process of ours opens one `WorkerResources` before its first job and closes it after the last. Under a worker of RQ's own, which
opens none, each job opens one for itself: slower, and the same otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from rq_async.command_batching import CommandBatcher
from shared.config.loading import load_settings
from shared.mailbox import AsyncMailbox, calls, wake_queue
from shared.mailbox.calls import Due
from shared.mailbox.client import Commands
from shared.runtime import Runtime, open_runtime, redis_url
from shared.storage.clients import for_loop, for_waiting
from supervisor_worker.assistant.claude.client import Claude
from supervisor_worker.channels.ports import open_ports
from supervisor_worker.mcp.tools import McpTools, open_tools
from supervisor_worker.media.transcription import Transcriber
from supervisor_worker.media.turn_media import MediaLoader
from supervisor_worker.process.patient_mailbox import PatientMailbox
from supervisor_worker.turns.context import TurnContext

CURRENT: Final[ContextVar[WorkerResources | None]] = ContextVar("resources", default=None)
"""The process's resources: set before the loop's first task, so that every job's context has it."""


@dataclass(frozen=True)
class WorkerResources:
    """What turns need (`context`), and the process's clients of Redis.

    The mailbox of `context` repeats its calls through an outage; `mailbox` raises at once, for pollers that come back anyway. `commands`
    sends the calls of many turns as one batch. `waiting` is for commands that the server answers only when it has something.
    """

    context: TurnContext
    mailbox: AsyncMailbox
    redis: AsyncRedis
    commands: Commands
    waiting: AsyncRedis | None = None
    mcp: McpTools | None = None

    async def keep_mcp_lists(self) -> None:
        """Know the accepted tools of MCP servers, until the process is told to end."""
        if self.mcp:
            await self.mcp.run(self.context.stopping)

    async def wake_all(self, due: tuple[Due, ...]) -> None:
        """Enqueue a job for each conversation, in one round trip. Raises RedisError."""
        await self.mailbox.run(calls.enqueue(wake_queue.job(item.conversation, item.channel) for item in due))

    async def oldest_wait_ms(self) -> int:
        """The age of the queue's first job. Raises RedisError."""
        return await wake_queue.oldest_wait_ms(self.redis)


@asynccontextmanager
async def open_resources(runtime: Runtime, process: str = "") -> AsyncIterator[WorkerResources]:
    """Open what turns need on the running event loop; close it in reverse order. `process`: see `TurnContext`."""
    settings = runtime.settings
    async with AsyncExitStack() as stack:
        redis, waiting = for_loop(redis_url(settings)), for_waiting(redis_url(settings))
        for client in (redis, waiting):
            stack.push_async_callback(client.aclose)
        commands = CommandBatcher(redis, runtime.barrier)
        model, media_loader = Claude(settings), MediaLoader.of(settings)
        transcriber = Transcriber(settings) if settings.stt_url else None
        if mcp := open_tools(settings, commands):
            stack.push_async_callback(mcp.aclose)
            with suppress(RedisError, OSError):  # `keep_mcp_lists` reads them again
                await mcp.refresh()
        ports = open_ports(settings, runtime.users.channels | settings.usable_channels)
        if transcriber:
            stack.push_async_callback(transcriber.aclose)
        for close in (model.aclose, *(port.aclose for port in ports.values()), media_loader.aclose):
            stack.push_async_callback(close)
        stopping = asyncio.Event()
        context = TurnContext(
            settings=settings,
            users=runtime.users,
            identities=runtime.identities,
            mailbox=PatientMailbox(redis, commands, stopping),
            model=model,
            channels=ports,
            stopping=stopping,
            media_loader=media_loader,
            transcriber=transcriber,
            mcp=mcp,
            process=process,
            prices=runtime.prices,
            people=runtime.people,
        )
        yield WorkerResources(context, AsyncMailbox(redis, commands), redis, commands, waiting, mcp)


@asynccontextmanager
async def current_resources() -> AsyncIterator[WorkerResources]:
    """The resources that the worker opened, or others for this job alone."""
    resources = CURRENT.get()
    if resources is not None:
        yield resources
        return
    runtime = await asyncio.to_thread(open_runtime, load_settings(), "worker")
    try:
        async with open_resources(runtime) as own:
            yield own
    finally:
        runtime.close()
