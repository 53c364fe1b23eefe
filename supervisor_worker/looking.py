"""What became of an attempt whose answer is missing: the provider's list is asked, twice, or its event is waited for.

Not before the attempt's time, the send timeout and a margin: until then its request may still be under way. The list is asked
again `look_again_ms` after a first look that did not show the attempt, by whoever holds the lease then; in between the lease is
given up, and a status callback may settle it. Where there is no list, `EMAIL_EVENT_WAIT_SECONDS` take its place.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from shared.addresses import Channel
from shared.errors import ProviderUnavailable
from shared.events import Response
from shared.mailbox import calls
from shared.mailbox.types import Attempt
from supervisor_worker import limits
from supervisor_worker.binding import bind
from supervisor_worker.channels.port import Listed
from supervisor_worker.lease import Lease
from supervisor_worker.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look told: `shown` under `provider_id`, `resolved` (it is not unknown any more), or `wait` for `wait_ms`, for `reason`."""

    outcome: Literal["shown", "resolved", "wait"]
    provider_id: str = ""
    wait_ms: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Looking:
    """The looks for one reply's attempts, while its conversation's lease is held."""

    supervisor: Supervisor
    lease: Lease
    channel: Channel
    reply_id: str
    command: Response

    async def after(self, attempt: Attempt) -> Looked:
        """Look for an attempt, unless it is too early. ProviderUnavailable when the list does not answer: that is not "not found"."""
        supervisor = self.supervisor
        if (early := attempt.at + supervisor.request_ms - self.lease.now_ms()) > 0:
            return Looked("wait", wait_ms=early, reason="outcome_unknown")
        if attempt.looked and (early := attempt.looked + supervisor.look_again_ms - self.lease.now_ms()) > 0:
            return Looked("wait", wait_ms=early, reason="looked_once")
        asked = self.lease.now_ms()
        listed = await self._listed(attempt)
        if listed is None:
            return await self._without_list(attempt, asked)
        provider_id = await bind(
            supervisor.mailbox, attempt, listed, conversation=self.lease.conversation, reply=self.reply_id, command=self.command,
            request_ms=supervisor.request_ms,
        )  # fmt: skip
        return Looked("shown", provider_id) if provider_id else await self._unseen(attempt, asked, supervisor.look_again_ms)

    async def _listed(self, attempt: Attempt) -> list[Listed] | None:
        try:
            async with asyncio.timeout(self.supervisor.settings.send_timeout_seconds):
                return await self.lease.hold(self.supervisor.channels[self.channel].find(self.command, attempt))
        except TimeoutError:
            raise ProviderUnavailable("channel", "list_timeout") from None

    async def _without_list(self, attempt: Attempt, asked: int) -> Looked:
        settings = self.supervisor.settings
        if (early := attempt.at + int(settings.email_event_wait_seconds * 1000) - asked) > 0:
            return Looked("wait", wait_ms=min(early, limits.scaled_ms(limits.EVENT_STEP, settings)), reason="event_awaited")
        return await self._unseen(attempt, asked, 0)

    async def _unseen(self, attempt: Attempt, asked: int, again_ms: int) -> Looked:
        call = calls.unseen(self.reply_id, attempt.id, asked_ms=asked, again_ms=again_ms, retention_ms=self.supervisor.retention_ms)
        found = await self.supervisor.mailbox.run(call)
        return Looked("resolved") if found.outcome else Looked("wait", wait_ms=found.wait_ms, reason="looked_once")
