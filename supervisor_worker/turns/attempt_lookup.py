"""What became of an attempt whose answer is missing: the provider's list is asked, twice, or its event is waited for.

Not before the attempt's time, the send timeout and a margin: until then its request may still be under way. The list is asked
again `look_again_ms` after a first look that did not show the attempt, by whoever holds the lease then; in between the lease is
given up, and a status callback may settle it. Where there is no list, `EMAIL_EVENT_WAIT_SECONDS` take its place.

Two looks prove nothing, for a list may lag. What proves that an attempt was not taken is a list that shows what was made after it: a
message of ours that was asked for later than this request could last, or any that the provider's clock puts behind it by so much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import ProviderUnavailable
from shared.mailbox import calls
from shared.mailbox.records import Attempt
from shared.model.addresses import Channel
from shared.model.events import Response
from supervisor_worker.channels.port import Listed
from supervisor_worker.turns import retry_policy as limits
from supervisor_worker.turns.attempt_matching import bind, shown_until
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.lease import Lease


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look told: `shown` under `provider_id`, `resolved` (it is not unknown any more), or `wait` for `wait_ms`, for `reason`.

    Of several, `attempt` is the one that is shown; `unproven` may be looked at again after `wait_ms`, 0 for not.
    """

    outcome: Literal["shown", "resolved", "wait", "unproven"]
    provider_id: str = ""
    wait_ms: int = 0
    reason: str = ""
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class Looking:
    """The looks for one reply's attempts, while its conversation's lease is held."""

    context: TurnContext
    lease: Lease
    channel: Channel
    reply_id: str
    command: Response

    async def after(self, attempt: Attempt) -> Looked:
        """Look for an attempt, unless it is too early. ProviderUnavailable when the list does not answer: that is not "not found"."""
        context = self.context
        if (early := attempt.runs_from + context.request_ms - self.lease.now_ms()) > 0:
            return Looked("wait", wait_ms=early, reason="outcome_unknown")
        if attempt.looked and (early := attempt.looked + context.look_again_ms - self.lease.now_ms()) > 0:
            return Looked("wait", wait_ms=early, reason="looked_once")
        asked = self.lease.now_ms()
        listed = await self._listed(attempt)
        if listed is None:
            return await self._without_list(attempt, asked)
        provider_id = await self._bound(attempt, listed)
        return Looked("shown", provider_id) if provider_id else await self._unseen(attempt, asked, context.look_again_ms)

    async def once_more(self, attempts: Sequence[Attempt]) -> Looked:
        """Look for attempts that two looks did not show, and for a proof that they were not taken; ProviderUnavailable as above.

        What is proven is recorded, as refused.
        """
        context = self.context
        newest = await self._within_time(context.channels[self.channel].newest())
        if newest is None:
            return Looked("unproven")
        horizon = await shown_until(context.mailbox, newest)
        proven = [attempt for attempt in attempts if horizon >= attempt.at + context.request_ms]
        for attempt in attempts:  # after the newest, so that what these showed is shown here as well
            if provider_id := await self._bound(attempt, await self._listed(attempt) or ()):
                return Looked("shown", provider_id, attempt=attempt.id)
        for attempt in proven:
            call = calls.outcome(self.reply_id, attempt.id, "refused", code="not_taken", retention_ms=context.retention_ms)
            await context.mailbox.run(call)
        if proven:
            return Looked("resolved")
        over = limits.proof_over(max(attempt.at for attempt in attempts), self.lease.now_ms(), context.settings)
        return Looked("unproven") if over else Looked("unproven", wait_ms=context.look_again_ms, reason="proof_awaited")

    async def _bound(self, attempt: Attempt, listed: Sequence[Listed]) -> str:
        context = self.context
        return await bind(
            context.mailbox, attempt, listed, conversation=self.lease.conversation, reply=self.reply_id, command=self.command,
            request_ms=context.request_ms,
        )  # fmt: skip

    async def _listed(self, attempt: Attempt) -> list[Listed] | None:
        return await self._within_time(self.context.channels[self.channel].find(self.command, attempt))

    async def _within_time(self, asking: Coroutine[Any, Any, list[Listed] | None]) -> list[Listed] | None:
        try:
            async with asyncio.timeout(self.context.settings.send_timeout_seconds):
                return await self.lease.hold(asking)
        except TimeoutError:
            raise ProviderUnavailable("channel", "list_timeout") from None

    async def _without_list(self, attempt: Attempt, asked: int) -> Looked:
        settings = self.context.settings
        if (early := attempt.runs_from + int(settings.email_event_wait_seconds * 1000) - asked) > 0:
            return Looked("wait", wait_ms=min(early, limits.scaled_ms(limits.EVENT_STEP, settings)), reason="event_awaited")
        return await self._unseen(attempt, asked, 0)

    async def _unseen(self, attempt: Attempt, asked: int, again_ms: int) -> Looked:
        call = calls.unseen(self.reply_id, attempt.id, asked_ms=asked, again_ms=again_ms, retention_ms=self.context.retention_ms)
        found = await self.context.mailbox.run(call)
        return Looked("resolved") if found.outcome else Looked("wait", wait_ms=found.wait_ms, reason="looked_once")
