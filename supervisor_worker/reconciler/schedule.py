"""When the reconciler runs: every RECONCILE_MINUTES, in one process of all hosts.

The processes elect a leader by a key that lasts for the interval: who sets the key reads Twilio's list, and the others wait until it
expires. A process that dies half-way costs one interval, and nobody has to be told. A late run does no harm: known texts are not changed
by it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from typing import Any, Final, cast

from redis.exceptions import RedisError

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox, keys
from shared.observability import logs
from shared.observability.outage import Outage
from shared.observability.redaction import error_location
from shared.process.tasks import run_until
from shared.runtime import Runtime
from supervisor_worker.channels.twilio.message_list import TwilioMessageList
from supervisor_worker.reconciler.reconciliation import Reconciliation
from supervisor_worker.reconciler.reports import settle
from supervisor_worker.reconciler.result import Bounds, ReconcileResult

LOG: Final = logs.logger(__name__)
MAX_START_DELAY_SECONDS: Final = 10.0
"""Also at most a tenth of the interval: an installation that starts after an outage reads the list soon."""
MAX_JITTER_SECONDS: Final = 5.0
MAX_RETRY_AFTER_SECONDS: Final = 3_600.0
"""The longest time by which a Retry-After may delay the next run."""
ERROR_WAIT_SECONDS: Final = 30.0


def wanted(settings: Settings) -> bool:
    """Whether there is an interval, and an account whose list can be asked."""
    return settings.reconcile_minutes > 0 and has_account(settings)


def has_account(settings: Settings) -> bool:
    """Whether Twilio's credentials are set."""
    return bool(settings.twilio_account_sid and all(settings.twilio_login))


async def reconcile(runtime: Runtime, mailbox: AsyncMailbox) -> ReconcileResult:
    """One run, now: missed texts are accepted, and missing delivery reports are read. Raises RedisError."""
    bounds = Bounds.of(runtime.settings)
    twilio = TwilioMessageList(runtime.settings, pause=bounds.pause)
    ends_at = asyncio.get_running_loop().time() + bounds.total
    try:
        found = await Reconciliation(runtime, mailbox, twilio, bounds).run()
        if not found.failure:  # Twilio answers: it may be asked for more
            retention_ms = runtime.settings.retention_ms
            found.settled = await settle(mailbox, twilio, after=bounds.report, ends_at=ends_at, retention_ms=retention_ms)
        return found
    finally:
        await twilio.aclose()


async def reconcile_now(runtime: Runtime, mailbox: AsyncMailbox) -> ReconcileResult:
    """A run by the operator; the workers' next one is an interval later. Raises RedisError."""
    if wanted(runtime.settings):
        await mailbox.redis.set(keys.RECONCILE_TURN, secrets.token_hex(8), px=int(runtime.settings.reconcile_minutes * 60_000))
    return await reconcile(runtime, mailbox)


class Reconciler:
    """The reconciler of one process, until `stopping`; while `draining()` it does not become the leader."""

    def __init__(self, runtime: Runtime, mailbox: AsyncMailbox, stopping: asyncio.Event, draining: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._mailbox = mailbox
        self._stopping = stopping
        self._draining = draining
        self._interval = runtime.settings.reconcile_minutes * 60
        self._outage = Outage()

    async def run(self) -> None:
        """Run again and again; ends at once when told to, also during a request."""
        if not wanted(self._runtime.settings):
            return
        await run_until(self._stopping, self._work())

    async def _work(self) -> None:
        await asyncio.sleep(random.uniform(0, min(MAX_START_DELAY_SECONDS, self._interval / 10)))  # noqa: S311 - keeps processes out of step
        while True:
            try:
                wait = await self.step()
            except Exception as error:  # noqa: BLE001 - the next run may succeed
                self._failed(error)
                wait = min(ERROR_WAIT_SECONDS, self._interval / 5)
            await asyncio.sleep(wait + random.uniform(0, min(MAX_JITTER_SECONDS, self._interval / 20)))  # noqa: S311 - the same

    async def step(self) -> float:
        """Run if this process is elected; the answer is the seconds until the next election. Raises RedisError."""
        if not self._draining() and await self._elected():
            found = await reconcile(self._runtime, self._mailbox)
            self._outage.ends()
            log_result(found)
            await self._delay_next(found.retry_after)
        left = int(cast("Any", await self._mailbox.redis.pttl(keys.RECONCILE_TURN)))
        return max(0, left) / 1000 if not self._draining() else self._interval

    async def _elected(self) -> bool:
        """Whether the key was free and is ours now. It is read again, because redis-py may have repeated a SET that had succeeded."""
        redis, token = self._mailbox.redis, secrets.token_hex(8)
        created = await redis.set(keys.RECONCILE_TURN, token, nx=True, px=int(self._interval * 1000))
        return bool(created) or cast("Any", await redis.get(keys.RECONCILE_TURN)) == token.encode()

    async def _delay_next(self, seconds: float) -> None:
        """Twilio asked us to wait: no process runs before."""
        if seconds > self._interval:
            await self._mailbox.redis.pexpire(keys.RECONCILE_TURN, int(min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000))

    def _failed(self, error: Exception) -> None:
        if self._outage.begins():
            away = isinstance(error, RedisError | OSError)
            told = {"error": type(error).__name__} if away else error_location(error)
            LOG.error("The reconciler fails and goes on trying", action="reconciler_failed", **told)


def log_result(found: ReconcileResult) -> None:
    """Log a run's result; a lasting failure is logged once."""
    if found.accepted or found.ignored:
        LOG.info(
            "Texts that no webhook brought were found in Twilio's list", action="reconciled",
            accepted=found.accepted, ignored=found.ignored, maybe_duplicate=found.marked,
        )  # fmt: skip
    if found.settled:
        LOG.info("Texts whose reports were lost have their final state from Twilio's record", action="settled", texts=found.settled)
    if found.failure == found.before:
        return
    if not found.failure:
        LOG.info("Twilio's list can be read again", action="reconcile_recovered")
    elif found.credentials_refused:
        LOG.critical("Twilio refuses our key: texts that no webhook brings stay unseen", action="alarm", reason=found.failure)
    else:
        LOG.warning("Twilio's list could not be read to its end", action="reconcile_failed", reason=found.failure)
