"""Every worker's look for conversations whose time has come: what makes the loss of any job harmless.

The agenda (`due`) says when somebody should look at a conversation again: after a settling time, a back-off, a lease whose
holder may have died, or simply because its job was lost. Each process looks several times a second, and at the moment when the
next one's time comes if that is sooner; the script hands each conversation to one of them and remembers that a wake-up is under way.
The same look finds the replies that did not reach their users (`elsewhere`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Final

from redis.exceptions import RedisError

from shared.backoff import Backoff
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Swept
from shared.observability import logs as telemetry
from shared.observability.outage import Outage
from supervisor_worker.process.resources import Crew
from supervisor_worker.turns import cross_channel_notice as elsewhere

LOG: Final = telemetry.logger(__name__)
MAX_WAIT_SECONDS: Final = 5.0
MIN_WAIT_SECONDS: Final = 0.01
JITTER: Final = (0.8, 1.2)
"""Keeps the processes out of step."""


class Sweep:
    """One process's sweep, until the supervisor is told to stop. While `resting` it leaves the agenda to others."""

    resting = False

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._settings = crew.supervisor.settings
        self._oldest_wait_ms = 0
        self._next_ms: int | None = None
        self._outage = Outage()
        sweep_seconds = self._settings.sweep_seconds
        self._backoff = Backoff(2 * sweep_seconds, max(MAX_WAIT_SECONDS, sweep_seconds), JITTER)

    async def run(self) -> None:
        """Sweep every `sweep_seconds`; an outage is logged once and makes the looks rarer until it ends."""
        while not self._crew.supervisor.stopping.is_set():
            try:
                if not self.resting:
                    await self.once()
            except (RedisError, OSError) as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - without its sweep a worker loses what its crashes left behind
                self._failed(error)
            else:
                self._succeeded()
            await self._wait(self._backoff.next() if self._outage else self._until_next())

    async def once(self) -> int:
        """One look: how many conversations were woken. Raises RedisError.

        How long the queue's head has waited is asked only while there is work, so that an idle sweep is one round trip. It
        keeps the marks of queued wake-ups alive for as long as the queue is slow.
        """
        recheck_ms = int(self._settings.sweep_recheck_seconds * 1000)
        swept = await self._crew.mailbox.run(self._call(recheck_ms))
        self._next_ms = swept.next_ms
        if swept.due:
            await self._crew.wake_all(swept.due)
        if swept.untold:
            await elsewhere.tell(swept.untold, self._crew.supervisor)
        if swept.due or self._oldest_wait_ms:
            self._oldest_wait_ms = await self._crew.oldest_wait_ms()
        return len(swept.due)

    def _call(self, recheck_ms: int) -> Call[Swept]:
        supervisor = self._crew.supervisor
        return calls.sweep(
            recheck_ms=recheck_ms, oldest_wait_ms=self._oldest_wait_ms, life_ms=supervisor.life_ms, lease_ms=supervisor.lease_ms
        )

    def _until_next(self) -> float:
        """The seconds until the next poll: `sweep_seconds`, or sooner where a conversation's time comes before."""
        seconds = self._settings.sweep_seconds * random.uniform(*JITTER)  # noqa: S311 - spreads the polls, guards nothing
        if self._next_ms is None or self.resting:
            return seconds
        return min(seconds, max(MIN_WAIT_SECONDS, self._next_ms / 1000))

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._crew.supervisor.stopping.wait(), seconds)

    def _failed(self, error: Exception) -> None:
        if self._outage.begins():
            LOG.error("The sweep fails and goes on trying", action="sweep_failed", error=type(error).__name__)

    def _succeeded(self) -> None:
        if self._outage.ends():
            LOG.info("The sweep works again", action="sweep_recovered", failures=self._outage.failures)
        self._backoff.reset()
