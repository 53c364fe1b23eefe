"""What the jobs of one process share, and how they reach it.

A worker process of ours opens one `Crew` before its first job and closes it after the last. Under a worker of RQ's own, which
knows nothing of it, each job opens one for itself: slower, and the same otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from shared import settings as knobs
from shared.addresses import Channel
from shared.mailbox import AsyncMailbox
from shared.mailbox.types import Due
from shared.queue import Dispatcher
from shared.redis import for_loop
from shared.runtime import Runtime, open_runtime, redis_url
from supervisor_worker.channels.sendgrid_email import SendGridEmail
from supervisor_worker.channels.twilio_sms import TwilioSms
from supervisor_worker.claude import Claude
from supervisor_worker.supervisor import Supervisor

THREADS: Final = 4

CURRENT: Final[ContextVar[Crew | None]] = ContextVar("crew", default=None)
"""The process's crew: set before the loop's first task, so that every job's context has it."""


@dataclass(frozen=True)
class Crew:
    """A supervisor for the turns, and the way to wake the next ones. RQ's client blocks, so it has a few threads."""

    supervisor: Supervisor
    dispatcher: Dispatcher
    threads: ThreadPoolExecutor

    async def wake(self, conversation: str, channel: Channel | str) -> None:
        """Enqueue a job for one conversation. Raises RedisError."""
        await asyncio.get_running_loop().run_in_executor(self.threads, self.dispatcher.wake, conversation, channel)

    async def wake_all(self, due: tuple[Due, ...]) -> None:
        """Enqueue a job for each, in one round trip. Raises RedisError."""
        await asyncio.get_running_loop().run_in_executor(self.threads, self._wake_all, due)

    async def oldest_wait_ms(self) -> int:
        """How long the queue's first job has waited. Raises RedisError."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.dispatcher.oldest_wait_ms)

    def _wake_all(self, due: tuple[Due, ...]) -> None:
        with self.dispatcher.queue.connection.pipeline() as pipeline:
            for item in due:
                self.dispatcher.wake(item.conversation, item.channel, pipeline)
            pipeline.execute()


@asynccontextmanager
async def open_crew(runtime: Runtime) -> AsyncIterator[Crew]:
    """Open what turns need, in order, on the running loop; close it in reverse."""
    settings = runtime.settings
    async with AsyncExitStack() as stack:
        redis = for_loop(redis_url(settings))
        stack.push_async_callback(redis.aclose)
        thinker, sms, email = Claude(settings), TwilioSms(settings), SendGridEmail(settings)
        for part in (thinker, sms, email):
            stack.push_async_callback(part.aclose)
        threads = ThreadPoolExecutor(THREADS, "wake")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        supervisor = Supervisor(
            settings=settings,
            users=runtime.users,
            identities=runtime.identities,
            mailbox=AsyncMailbox(redis),
            thinker=thinker,
            channels={"sms": sms, "email": email},
            stopping=asyncio.Event(),
        )
        yield Crew(supervisor, runtime.dispatcher, threads)


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
