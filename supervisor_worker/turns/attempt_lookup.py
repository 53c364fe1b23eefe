"""The look-up of an attempt without an answer: the provider's list is asked twice, or its event is waited for.

Not before the attempt's time plus the send timeout and a margin: until then its request may still be under way. After a look-up that did
not find the attempt, the lease is released, and the list is asked again `lookup_again_ms` later by whoever holds the lease then; a status
callback may settle the attempt in between. Where there is no list, `EMAIL_EVENT_WAIT_SECONDS` take its place.

Two look-ups prove nothing, for a list may lag. What proves that an attempt was not accepted is a list that shows later messages: one of
ours that was asked for when this request could not last any more, or any that the provider's clock puts behind it by that much.
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
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.attempt_matching import match, shown_until
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.lease import Lease


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of a look-up.

    - `shown`: the list has the attempt, under `provider_id`; of several attempts it is `attempt`.
    - `resolved`: the attempt is not pending any more.
    - `wait`: it is to be looked up again after `wait_ms`, for `reason`.
    - `unproven`: nothing proves that it was not accepted; worth another look-up after `wait_ms`, 0 for not.
    """

    outcome: Literal["shown", "resolved", "wait", "unproven"]
    provider_id: str = ""
    wait_ms: int = 0
    reason: str = ""
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class AttemptLookup:
    """The look-ups of one reply's attempts, while its conversation's lease is held."""

    context: TurnContext
    lease: Lease
    channel: Channel
    reply_id: str
    command: Response

    async def look_up(self, attempt: Attempt) -> LookupResult:
        """Look for an attempt, unless it is too early. Raises ProviderUnavailable when the list does not answer: not "not found"."""
        context = self.context
        if (early := attempt.runs_from + context.request_ms - self.lease.now_ms()) > 0:
            return LookupResult("wait", wait_ms=early, reason="outcome_unknown")
        if attempt.looked and (early := attempt.looked + context.lookup_again_ms - self.lease.now_ms()) > 0:
            return LookupResult("wait", wait_ms=early, reason="looked_once")
        asked = self.lease.now_ms()
        listed = await self._listed(attempt)
        if listed is None:
            return await self._without_list(attempt, asked)
        provider_id = await self._match(attempt, listed)
        return LookupResult("shown", provider_id) if provider_id else await self._not_found(attempt, asked, context.lookup_again_ms)

    async def prove(self, attempts: Sequence[Attempt]) -> LookupResult:
        """Look for attempts that two look-ups did not find, and for a proof that they were not accepted. Raises as `look_up`.

        An attempt that is proven not to have been accepted is recorded as refused.
        """
        context = self.context
        newest = await self._within_time(context.channels[self.channel].newest())
        if newest is None:
            return LookupResult("unproven")
        horizon = await shown_until(context.mailbox, newest)
        proven = [attempt for attempt in attempts if horizon >= attempt.at + context.request_ms]
        for attempt in attempts:  # asked after the newest: what those showed must be shown here as well, or the proof would be none
            if provider_id := await self._match(attempt, await self._listed(attempt) or ()):
                return LookupResult("shown", provider_id, attempt=attempt.id)
        for attempt in proven:
            call = calls.outcome(self.reply_id, attempt.id, "refused", code="not_taken", retention_ms=context.retention_ms)
            await context.mailbox.run(call)
        if proven:
            return LookupResult("resolved")
        over = retry_policy.proof_over(max(attempt.at for attempt in attempts), self.lease.now_ms(), context.settings)
        return LookupResult("unproven") if over else LookupResult("unproven", wait_ms=context.lookup_again_ms, reason="proof_awaited")

    async def _match(self, attempt: Attempt, listed: Sequence[ListedMessage]) -> str:
        context = self.context
        return await match(
            context.mailbox, attempt, listed, conversation=self.lease.conversation, reply=self.reply_id, command=self.command,
            request_ms=context.request_ms,
        )  # fmt: skip

    async def _listed(self, attempt: Attempt) -> list[ListedMessage] | None:
        return await self._within_time(self.context.channels[self.channel].find(self.command, attempt))

    async def _within_time(self, asking: Coroutine[Any, Any, list[ListedMessage] | None]) -> list[ListedMessage] | None:
        try:
            async with asyncio.timeout(self.context.settings.send_timeout_seconds):
                return await self.lease.hold(asking)
        except TimeoutError:
            raise ProviderUnavailable("channel", "list_timeout") from None

    async def _without_list(self, attempt: Attempt, asked: int) -> LookupResult:
        settings = self.context.settings
        poll_ms = retry_policy.scaled_ms(retry_policy.EVENT_POLL_SECONDS, settings)
        if (early := attempt.runs_from + int(settings.email_event_wait_seconds * 1000) - asked) > 0:
            return LookupResult("wait", wait_ms=min(early, poll_ms), reason="event_awaited")
        return await self._not_found(attempt, asked, 0)

    async def _not_found(self, attempt: Attempt, asked: int, again_ms: int) -> LookupResult:
        call = calls.not_found(self.reply_id, attempt.id, asked_ms=asked, again_ms=again_ms, retention_ms=self.context.retention_ms)
        found = await self.context.mailbox.run(call)
        return LookupResult("resolved") if found.outcome else LookupResult("wait", wait_ms=found.wait_ms, reason="looked_once")
