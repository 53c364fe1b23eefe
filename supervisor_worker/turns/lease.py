"""A conversation's lease while its turn runs: renewed in the background, and the end of all new work once it is lost.

A lease that expired unnoticed can still be renewed while nobody else took it; only the server's own "no" means lost. What a
lost lease forbids is enforced by the scripts, which are fenced; this class only saves the work.
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
from shared.observability import logs as telemetry
from supervisor_worker.turns.liveness import elapsed

T = TypeVar("T")
TRIES: Final = 3
LOG: Final = telemetry.logger(__name__)


class Lease:
    """The lease that a claim took, for `async with`."""

    def __init__(
        self, mailbox: AsyncMailbox, conversation: str, token: str, claim: Claim, lease_ms: int, *, life_ms: int = 0,
        asked: float | None = None,
    ) -> None:  # fmt: skip
        """`asked` is the time (`elapsed`) at which the claim was asked, `life_ms` how long that counts for a question that is to leave."""
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
        """The server's time, carried on by this process's monotonic clock: never a host's."""
        return self._server_ahead_ms + self._local_ms()

    async def renew(self) -> bool:
        """Extend the lease now; False when it is another holder's."""
        asked = elapsed()
        if lease_end := await self._mailbox.run(calls.renew(self.conversation, self.token, lease_ms=self._lease_ms)):
            self._asked = asked
            self._server_ahead_ms = lease_end - self._lease_ms - self._local_ms()  # the server's TIME may have stepped
            return True
        if not self._lost:
            LOG.warning("The lease is lost; this turn stops", action="lease_lost", conversation=self.conversation)
        self._lost = True
        if self._held is not None:
            self._held.cancel()
        return False

    async def may_ask(self) -> bool:
        """Whether a question may leave now: directly before it does, the lease must have been granted less than a life ago.

        Where it was not (this process stood still, or was busy) it is renewed first; False when it is lost, or each answer is late.
        """
        for _ in range(TRIES):
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
        """Stop renewing; giving the lease up is the business of the script that ends the turn."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    def _arm(self, seconds: float) -> None:
        """A timer, and a task only when its time has come: most turns end before."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._renew_in_background)

    def _renew_in_background(self) -> None:
        self._renewing = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        pause = self._lease_ms / 4000
        try:
            await self.renew()
        except (RedisError, OSError) as error:
            pause = min(pause, self._life)  # soon again: after an outage a living holder has half a lease to do so
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
