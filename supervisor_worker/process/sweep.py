"""The sweep: each worker polls for conversations that are due, so that the loss of any job is harmless.

The agenda (`due`) says when a conversation needs a worker again: after its settling time, after a back-off, when the lease of a holder
that may have died ends, or because its job was lost. Each process polls several times a second, and when the next conversation is due
if that is sooner. The script gives each conversation to one process and remembers that a wake-up is under way. The same poll finds the
replies that did not reach their users (`cross_channel_notice`), the retries that operators request (`retry_request`), whether reminders
are due (`alarms`), and the conversations that need a summary (`summaries`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable
from typing import Final

from redis.exceptions import RedisError

from shared.backoff import Backoff
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import RetryRequest, Swept, hold_retry, refuse_retry
from shared.observability import logs
from shared.observability.outage import Outage
from shared.observability.redaction import error_location
from shared.process.tasks import cancel_and_wait, run_until
from supervisor_worker.assistant.costs import tell_operator
from supervisor_worker.process.resources import WorkerResources
from supervisor_worker.turns.alarms import AlarmRinger
from supervisor_worker.turns.cross_channel_notice import send_notices
from supervisor_worker.turns.retry_request import RetryServer
from supervisor_worker.turns.summaries import MOST_AT_ONCE, Summarizer

LOG: Final = logs.logger(__name__)
MAX_WAIT_SECONDS: Final = 5.0
MIN_WAIT_SECONDS: Final = 0.01
JITTER: Final = (0.8, 1.2)
"""Keeps the processes out of step."""
LAST_POLL_SECONDS: Final = 0.3
"""A poll under way has this long when the process is told to end: what is marked as woken is then also in the queue."""
MAX_SERVED: Final = 10
"""Operators' requests that a process serves at once. Most of the time each waits for a provider's list."""


class Sweep:
    """One process's sweep, until the process is told to end. While `draining` it leaves the agenda to others."""

    draining = False

    def __init__(self, resources: WorkerResources) -> None:
        self._resources = resources
        self._settings = resources.context.settings
        self._oldest_wait_ms = 0
        self._next_ms: int | None = None
        self._retry_server = RetryServer(resources.context)
        self._ringer = AlarmRinger(resources.context)
        self._served: dict[str, asyncio.Task[None]] = {}
        self._summarizer = Summarizer(resources.context)
        self._making: dict[str, asyncio.Task[None]] = {}
        self._asking: asyncio.Future[Swept] | None = None
        self._outage = Outage()
        sweep_seconds = self._settings.sweep_seconds
        self._backoff = Backoff(2 * sweep_seconds, max(MAX_WAIT_SECONDS, sweep_seconds), JITTER)

    async def run(self) -> None:
        """Poll every `sweep_seconds` until the process is told to end; then give back what is served here. It is not to be cancelled.

        An outage is logged once, and polls become rarer until it ends.
        """
        await run_until(self._resources.context.stopping, self._poll(), LAST_POLL_SECONDS)
        await self._give_back()

    async def _poll(self) -> None:
        while not self._resources.context.stopping.is_set():
            try:
                if not self.draining:
                    await self.once()
            except (RedisError, OSError) as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - without its sweep a worker loses what its crashes left behind
                self._failed(error)
            else:
                self._succeeded()
            await self._wait(self._backoff.next() if self._outage else self._until_next())

    async def once(self) -> int:
        """One poll; the answer is how many conversations were woken. Raises RedisError.

        The age of the queue's first job is asked only while there is work, so that an idle poll is one round trip. The next poll passes
        it on: the marks of queued wake-ups must last as long as the queue is slow, or each sweep would enqueue them again.
        """
        swept = await self._sweep()
        self._next_ms = swept.next_ms
        self._begin(swept.retries)  # before anything else is awaited: at the end of the process, what is not begun is not given back
        tell_operator(swept.near)
        for conversation in swept.summaries:
            self._making[conversation] = asyncio.create_task(self._make(conversation))
        if swept.due:
            await self._resources.wake_all(swept.due)
        if swept.alarms:
            await self._ringer.ring_due()
        if swept.untold:
            await send_notices(swept.untold, self._resources.context)
        if swept.due or self._oldest_wait_ms:
            self._oldest_wait_ms = await self._resources.oldest_wait_ms()
        return len(swept.due)

    async def _sweep(self) -> Swept:
        """The script's answer. A poll that is broken off leaves the call to `_give_back`: what it takes is given back too."""
        self._asking = asyncio.ensure_future(self._resources.mailbox.run(self._call(int(self._settings.sweep_recheck_seconds * 1000))))
        swept = await asyncio.shield(self._asking)
        self._asking = None
        return swept

    def _begin(self, requests: Iterable[RetryRequest]) -> None:
        for request in requests:
            self._served[request.operation] = asyncio.create_task(self._serve(request))

    def _call(self, recheck_ms: int) -> Call[Swept]:
        context = self._resources.context
        return calls.sweep(
            recheck_ms=recheck_ms,
            oldest_wait_ms=self._oldest_wait_ms,
            life_ms=context.life_ms,
            lease_ms=context.lease_ms,
            retries=MAX_SERVED - len(self._served),
            summaries=MOST_AT_ONCE - len(self._making) if self._settings.history_summaries else 0,
            hold_ms=self._summarizer.hold_ms,
            quiet_ms=context.quiet_ms,
        )

    async def _make(self, conversation: str) -> None:
        try:
            await self._summarizer.make(conversation)
        except (RedisError, OSError):
            return  # it is handed out again
        finally:
            if not self._resources.context.stopping.is_set():
                self._making.pop(conversation, None)

    async def _serve(self, request: RetryRequest) -> None:
        try:
            await self._retry_server.serve(request)
        except (RedisError, OSError):
            return  # another poll takes the request when its time has passed
        except Exception as error:  # noqa: BLE001 - a record that cannot be read, say: whoever waits for the result gets one
            LOG.error("A request for a retry failed", action="retry_request_failed", message_id=request.message, **error_location(error))  # noqa: TRY400 - see `error_location`
            with contextlib.suppress(RedisError, OSError):
                await self._resources.mailbox.run(refuse_retry(request.operation, "failed", type(error).__name__))
        finally:
            if not self._resources.context.stopping.is_set():  # one that is broken off by the end is given back with the others
                self._served.pop(request.operation, None)

    async def _give_back(self) -> None:
        """At the end of the process: break off what it serves, and leave it to any other at once."""
        making = [conversation for conversation, task in self._making.items() if not task.done()]
        await cancel_and_wait([*self._served.values(), *self._making.values()])
        taken, summaries = set(self._served), set(making)
        if self._asking is not None:  # a poll was broken off before it read its answer
            with contextlib.suppress(RedisError, OSError):
                swept = await self._asking
                taken |= {request.operation for request in swept.retries}
                summaries |= set(swept.summaries)
        for operation in taken:
            with contextlib.suppress(RedisError, OSError):
                await self._resources.mailbox.run(hold_retry(operation, 0))
        for conversation in summaries:
            with contextlib.suppress(RedisError, OSError):
                await self._resources.mailbox.run(calls.put_off_summary(conversation, "shutdown", wait_ms=0))

    def _until_next(self) -> float:
        """The seconds until the next poll: `sweep_seconds`, or sooner where a conversation's time comes before."""
        seconds = self._settings.sweep_seconds * random.uniform(*JITTER)  # noqa: S311 - spreads the polls, guards nothing
        if self._next_ms is None or self.draining:
            return seconds
        return min(seconds, max(MIN_WAIT_SECONDS, self._next_ms / 1000))

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._resources.context.stopping.wait(), seconds)

    def _failed(self, error: Exception) -> None:
        if self._outage.begins():
            LOG.error("The sweep fails and goes on trying", action="sweep_failed", error=type(error).__name__)

    def _succeeded(self) -> None:
        if self._outage.ends():
            LOG.info("The sweep works again", action="sweep_recovered", failures=self._outage.failures)
        self._backoff.reset()
