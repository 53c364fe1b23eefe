"""A conversation's lease while its turn runs: renewed in the background; once it is lost, the turn's work is cancelled.

A lease that expired can still be renewed as long as nobody else has claimed the conversation: only the server's own "no" means that it is
lost. The scripts are fenced and reject the calls of a former holder; this class only saves its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from redis.exceptions import RedisError

from shared.errors import LeaseLost
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.calls import Claim
from shared.observability import logs
from supervisor_worker.turns.liveness import elapsed

T = TypeVar("T")
MAX_RENEWALS: Final = 3
"""In a row, before one request."""
LOG: Final = logs.logger(__name__)


class Lease:
    """The lease of a successful claim, for `async with`."""

    def __init__(
        self, mailbox: AsyncMailbox, conversation: str, token: str, claim: Claim, lease_ms: int, *, life_ms: int = 0,
        asked: float | None = None,
    ) -> None:  # fmt: skip
        """`asked` is when the claim was sent (`elapsed`); for `life_ms` from then on a call to the model may be sent without a renewal."""
        self.conversation = conversation
        self.token = token
        self._mailbox = mailbox
        self._lease_ms = lease_ms
        self._life = (life_ms or lease_ms) / 1000
        self._asked = elapsed() if asked is None else asked
        self._lost = False
        self._server_ahead_ms = claim.now_ms - self._local_ms()
        self._held: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        """The server's time, continued by this process's monotonic clock: no host's wall clock is used."""
        return self._server_ahead_ms + self._local_ms()

    async def renew(self) -> bool:
        """Extend the lease now; False when it is another holder's."""
        asked = elapsed()
        if lease_end := await self._mailbox.run(calls.renew(self.conversation, self.token, lease_ms=self._lease_ms)):
            self._asked = asked
            self._server_ahead_ms = lease_end - self._lease_ms - self._local_ms()  # anew each time: the server's TIME may have stepped
            return True
        if not self._lost:
            LOG.warning("The lease is lost; this turn stops", action="lease_lost", conversation=self.conversation)
        self._lost = True
        if self._held is not None:
            self._held.cancel()
        return False

    async def may_send(self) -> bool:
        """Whether a call to the model may be sent now: the lease must have been granted less than a life ago.

        A lease that was not (this process stood still, or was busy) is renewed first. False when it is lost, or every renewal is late.
        """
        for _ in range(MAX_RENEWALS):
            if elapsed() - self._asked < self._life:
                return True
            if not await self.renew():
                return False
        return False

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` while the lease is held; LeaseLost, and `work` is cancelled, once it is not."""
        if self._gone():
            work.close()
            raise LeaseLost(self.conversation)
        self._held = task = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            if self._gone() and not _cancelled_from_outside():
                raise LeaseLost(self.conversation) from None
            raise
        finally:
            self._held = None

    async def __aenter__(self) -> Self:
        """Begin to renew."""
        self._arm(self._lease_ms / 4000)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop renewing. The script that ends the turn releases the lease."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    def _arm(self, seconds: float) -> None:
        """Set a timer, which creates a task only when it fires: most turns end before."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._renew_in_background)

    def _renew_in_background(self) -> None:
        self._renewing = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        pause = self._lease_ms / 4000
        try:
            await self.renew()
        except (RedisError, OSError) as error:
            pause = min(pause, self._life)  # after an outage a living holder has half a lease to renew it
            LOG.warning("A lease was not renewed", action="renew_failed", conversation=self.conversation, error=type(error).__name__)
        if not self._lost:
            self._arm(pause)

    def _gone(self) -> bool:
        return self._lost

    def _local_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
