"""One job, one turn: claim, think, deliver, finish; and one table of what follows from every failure.

The way of a turn:

    claim ─▶ think ─▶ store ─▶ deliver ─▶ finish
      │        └── a stored reply is resumed as it is
      └── not taken: somebody else works, or it is too early

What follows from a failure:

    outage (429, 5xx, no connection)        back off, uncounted, until the message is ANSWER_WITHIN_MINUTES old; then park
    no room in the retry budget             likewise, and nobody is asked
    too old (ANSWER_AT_MOST_HOURS)          park
    the address left the users file         end as ignored; nothing more goes there
    nobody knows the reply's pair           park
    a reply that may have been sent         sent again, marked, or parked: UNKNOWN_OUTCOME
    our key or budget refused               pause all sending, one alarm; back off, uncounted
    a 403                                   likewise if others get it too and nothing is taken; else an error of this very message
    our limit of a day used up              an alarm; wait for an hour, or the next day, uncounted; then park
    an error of this very message           back off, counted; the fifth parks it
    a final refusal                         park; the user is told on the other channel where this one's route is refused
    nothing to say, twice                   finish without a reply
    a question that fits into no day        park
    no room left for a second question      back off, counted
    the lease is lost                       end; change nothing
    cancelled (the process ends)            give the lease up at once, so that the turn is due now
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Final, Literal, cast

from redis.exceptions import RedisError

from shared.errors import LeaseLost, ProviderError
from shared.mailbox import calls
from shared.mailbox.calls import Alarmed, Claim, Closed, Provider, Settled
from shared.mailbox.records import Turn
from shared.mailbox.wake_queue import job
from shared.model.channels import CHANNELS
from shared.model.events import Received, Response
from shared.observability import logs as telemetry
from shared.observability.redaction import error_location
from supervisor_worker.assistant.prompt import UNANSWERED
from supervisor_worker.assistant.reply import NoBudget, Thinking
from supervisor_worker.assistant.reservations import NotAsked, Questions, first_call
from supervisor_worker.providers.http_pool import send_check
from supervisor_worker.turns import retry_policy as limits
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery import Delivery
from supervisor_worker.turns.delivery_result import Delivered, New
from supervisor_worker.turns.lease import Lease
from supervisor_worker.turns.liveness import elapsed

LOG: Final = telemetry.logger(__name__)
ADDRESS_REMOVED: Final = "address_removed"
_LEVELS: Final = {
    "newer": logging.ERROR,  # the data was written by a newer version: this process must go
    "spend_stop": logging.CRITICAL,  # the day's tokens or turns are used up, and this is the first to find it so
}


async def run_turn(conversation: str, token: str, context: TurnContext) -> bool:
    """Run one turn of `conversation`; True when messages remain, for which the script that ended it has enqueued the next job.

    `token` is new for every call. A turn that ends without a result has arranged for its own next look. Raises RedisError when
    the truth cannot be reached, and CancelledError after it released what it held.
    """
    if context.stopping.is_set():
        return False
    asked = elapsed()
    claim = await _claim(conversation, token, context)
    if claim.turn is None:
        LOG.log(
            _LEVELS.get(claim.outcome, logging.DEBUG),
            "The claim was not taken",
            action="not_claimed",
            conversation=conversation,
            outcome=claim.outcome,
        )
        return False
    async with Lease(context.mailbox, conversation, token, claim, context.lease_ms, life_ms=context.life_ms, asked=asked) as lease:
        return await _Run(context, lease, claim.turn, claim.reserved).run()


async def _claim(conversation: str, token: str, context: TurnContext) -> Claim:
    """Claim; a cancellation meanwhile does not leave the lease with nobody."""
    call = calls.claim(
        conversation, token, f"t-{uuid.uuid4().hex}", lease_ms=context.lease_ms, share=context.share,
        memory=context.memory_bytes, oldest_ms=limits.oldest_ms(context.settings), call=first_call(token),
        budget=context.budget, dearest=context.dearest, process=context.process, life_ms=context.life_ms,
    )  # fmt: skip
    claiming = asyncio.ensure_future(context.mailbox.run(call))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        await asyncio.wait({claiming})
        not_asked = Settled(first_call(token))
        await context.mailbox.run(calls.backoff(conversation, token, 0, "shutdown", counted=False, settled=not_asked))
        raise


class _Run:
    """A turn whose lease is held."""

    def __init__(self, context: TurnContext, lease: Lease, turn: Turn, reserved: int) -> None:
        self._context = context
        self._lease = lease
        self._turn = turn
        self._questions = Questions(
            context.thinker, context.mailbox, context.settings, context.budget, lease.conversation, lease.token, reserved
        )  # fmt: skip
        self._began = time.monotonic()
        self._command = turn.reply.command if turn.reply else None
        self._wake = job(lease.conversation, turn.messages[0].channel if turn.messages else next(iter(CHANNELS)))

    async def run(self) -> bool:
        """Answer the turn; True when messages remain."""
        try:
            return await self._judged()
        except LeaseLost:
            return False
        except asyncio.CancelledError:
            await asyncio.shield(self._back_off(0, "shutdown"))
            raise

    async def _judged(self) -> bool:
        try:
            return await self._answer()
        except ProviderError as error:
            return await self._after(error)
        except (LeaseLost, RedisError):
            raise
        except Exception as error:  # noqa: BLE001 - an error of this very message, as far as anybody can tell
            LOG.error("A turn failed in our own code", action="turn_failed", **self._ids(), **error_location(error))  # noqa: TRY400 - see `error_location`
            return await self._count(f"internal_{type(error).__name__}")

    async def _answer(self) -> bool:
        reply = self._turn.reply
        if self._removed():
            return await self._give_away()
        if reason := limits.exhausted(self._turn.messages):
            return await self._park(reason, "error")
        if reply is not None:
            return await self._deliver(reply.command)
        if limits.too_old(self._age_ms(), self._context.settings):
            return await self._park("too_old", "outage")
        events = [message.event for message in self._turn.messages if message.event is not None]
        if not events or len(events) < len(self._turn.messages):
            return await self._unreadable()
        return await self._think(events)

    async def _think(self, events: list[Received]) -> bool:
        context = self._context
        thinking = Thinking(context.settings, context.users, self._questions, context.picture_loader, context.budgets["model"])
        try:
            with send_check(self._lease.may_ask):
                thought = await self._lease.hold(thinking.about(self._turn, events))
        except NoBudget:
            return await self._hold_back()
        except NotAsked as refused:
            return await self._not_asked(refused.reason)
        if thought is None:
            return await self._finish(reason=UNANSWERED)
        return await self._deliver(thought.command, New(self._turn, thought.figures, self._questions.settled))

    async def _not_asked(self, reason: str) -> bool:
        """The turn has no answer, and the next question may not be asked. Each further try would pay for the first one again."""
        if reason == "dear":
            return await self._park("too_long", "too_long")
        if reason == "opted_out":
            return await self._finish("ignored", "opted_out")
        if reason == "paused":
            await self._back_off(limits.pause_wait_ms(self._context.settings), reason)
            return False
        return await self._count(reason)

    async def _deliver(self, command: Response, new: New | None = None) -> bool:
        self._command = command
        delivered = await self._delivery(command).deliver(new)
        if delivered.outcome == "too_old" or (delivered.outcome == "absent" and limits.too_old(self._age_ms(), self._context.settings)):
            return await self._park("too_old", "outage")
        if delivered.outcome == "absent":
            return await self._park("outage", "outage")
        if delivered.outcome == "unknown":
            return await self._park("outcome_unknown", "")
        if delivered.outcome == "no_pair":
            return await self._park("pair_unknown", "")
        return await (self._hold_back() if delivered.outcome == "no_budget" else self._end(delivered))

    async def _end(self, delivered: Delivered) -> bool:
        if delivered.outcome == "sent":
            return await self._finish()
        if delivered.outcome == "handed_over":  # what else was in the turn goes back to the inbox
            return (await self._back_off(0, "handed_over")).outcome == "more"
        if delivered.outcome == "wait":
            await self._back_off(delivered.wait_ms, delivered.reason)
        if delivered.outcome == "lost":  # fenced: this gives up only a lease that is ours, when a repeated request for leave came too late
            await self._back_off(self._context.request_ms, "leave_lost")
        return delivered.outcome == "closed" and delivered.more

    async def _after(self, error: ProviderError) -> bool:
        """What follows from a provider's error."""
        reason = f"{error.provider}_{error.code}"
        LOG.warning(
            "A provider failed", action="provider_error", **self._ids(), provider=error.provider, code=error.code, status=error.status
        )
        if error.opted_out:
            return await self._opted_out()
        if error.pauses_all:
            return await self._pause(error)
        if error.alarms:
            await self._warn(reason)
        if error.final:
            return await self._park(reason, self._notice_of(error))
        if error.counts:
            return await self._count(reason)
        if self._is_expired():  # on the channel whose day is used up no notice would go out either
            return await (self._park(reason, "unreachable") if error.daily else self._park("outage", "outage"))
        return await self._wait_out(error, reason)

    async def _wait_out(self, error: ProviderError, reason: str) -> bool:
        age_ms, settings = self._age_ms(), self._context.settings
        if error.daily:
            wait_ms = limits.limit_wait_ms(age_ms, self._lease.now_ms(), settings)
        else:
            wait_ms = limits.outage_wait_ms(age_ms, error.retry_after, settings)
        await self._back_off(wait_ms, reason, asked=self._command is None)
        return False

    async def _hold_back(self) -> bool:
        """The provider fails, and others are being tried again: wait as in an outage, asking nobody."""
        if self._is_expired():
            return await self._park("outage", "outage")
        await self._back_off(limits.outage_wait_ms(self._age_ms(), None, self._context.settings), "retry_budget")
        return False

    async def _pause(self, error: ProviderError) -> bool:
        """Our key or budget is refused: pause all sending. A 403 does so only where others get it too; else it counts for this message."""
        reason = f"{error.provider}_{error.code}"
        if await self._alarmed(error, reason) != "counted":
            await self._back_off(limits.pause_wait_ms(self._context.settings), reason)
            return False
        if limits.last_error(self._turn.messages):
            return await self._park(f"{error.provider}_denied", self._notice_of(error))
        return await self._count(reason)

    async def _alarmed(self, error: ProviderError, reason: str) -> Alarmed:
        watch = limits.watch(self._context.settings)
        call = calls.alarm(self._lease.conversation, cast("Provider", error.provider), reason, sure=not error.counts, watch=watch)
        outcome = await self._context.mailbox.run(call)
        if outcome == "paused":
            LOG.critical("A provider refuses our key or budget: all sending is paused", action="alarm", reason=reason)
        return outcome

    async def _warn(self, reason: str) -> None:
        if await self._context.mailbox.run(calls.warn(reason)):
            LOG.critical("A provider refuses what concerns everybody: see docs/howto/operating.md", action="alarm", reason=reason)

    def _notice_of(self, error: ProviderError) -> str:
        """The code of the notice to the user; "unreachable" leaves it to their other channel: a notice here would be refused, or was."""
        if error.other_channel or self._turn.messages[0].kind == "notice":
            return "unreachable"
        return "error" if error.tell_user else ""

    async def _opted_out(self) -> bool:
        event = next((message.event for message in self._turn.messages if message.event is not None), None)
        if event is not None:
            await self._context.mailbox.run(calls.opt_out(self._context.identities.pair(event.to, event.from_), out=True))
        return await self._finish("ignored", "opted_out")

    async def _count(self, reason: str) -> bool:
        """One more error of this very message: wait longer each time, and give up at the fifth."""
        if limits.last_error(self._turn.messages):
            return await self._park("too_many_errors", "error")
        await self._back_off(limits.counted_wait_ms(self._turn.messages, self._context.settings), reason, counted=True)
        return False

    async def _unreadable(self) -> bool:
        """A message whose text is gone is parked; one among others is set apart first, by its errors, so that it parks alone."""
        if len(self._turn.messages) == 1:
            return await self._park("unreadable", "")
        return (await self._back_off(0, "unreadable", counted=True)).outcome == "more"

    async def _park(self, reason: str, notice: str) -> bool:
        """Set the turn aside; one whose reply may have been taken only after the provider was asked."""
        resolved = await self._resolved()
        if isinstance(resolved, bool):
            return resolved
        notice = notice if resolved.outcome == "absent" else ""  # it may have arrived: the user is not told otherwise
        call = calls.park(
            self._lease.conversation,
            self._lease.token,
            reason,
            looked_up=self._command is not None,
            retention_ms=self._context.retention_ms,
            notice=notice,
            settled=self._questions.settled,
            wake=self._wake,
        )
        return (await self._context.mailbox.run(call)).outcome == "more"

    async def _resolved(self) -> Delivered | bool:
        """What is known of the reply after its provider was asked: `absent`, `unknown`, or how the turn ended with that."""
        if self._command is None:
            return Delivered("absent")
        try:
            resolved = await self._delivery(self._command).resolve()
        except ProviderError as error:
            if error.pauses_all and not error.counts:
                return await self._pause(error)
            return await self._wait_out(error, "look_up_failed")  # no answer is not "not found": the turn cannot end yet
        return resolved if resolved.outcome in ("absent", "unknown") else await self._end(resolved)

    def _removed(self) -> bool:
        """Whether an address of the turn is not any more that of the entry which its messages came from."""
        events = [message.event for message in self._turn.messages if message.event is not None]
        return not all(self._context.users.admits(event) for event in events)

    async def _give_away(self) -> bool:
        """Nothing more goes to an address that left the users file, or was given to another entry."""
        events = [message.event for message in self._turn.messages if message.event is not None]
        if any(self._context.users.admits(event) for event in events):  # formed by an older version: each is a turn of its own next
            return (await self._back_off(0, ADDRESS_REMOVED, counted=True)).outcome == "more"
        resolved = await self._resolved()
        return resolved if isinstance(resolved, bool) else await self._finish("ignored", ADDRESS_REMOVED)

    async def _finish(self, state: Literal["answered", "ignored"] = "answered", reason: str = "") -> bool:
        lease, retention_ms = self._lease, self._context.retention_ms
        call = calls.finish(
            lease.conversation, lease.token, retention_ms=retention_ms, state=state, reason=reason, settled=self._questions.settled,
            wake=self._wake,
        )  # fmt: skip
        return (await self._context.mailbox.run(call)).outcome == "more"

    async def _back_off(self, delay_ms: int, reason: str, *, counted: bool = False, asked: bool = False) -> Closed:
        lease = self._lease
        call = calls.backoff(
            lease.conversation, lease.token, delay_ms, reason, counted=counted, asked=asked, settled=self._questions.settled,
            wake=self._wake,
        )  # fmt: skip
        return await self._context.mailbox.run(call)

    def _delivery(self, command: Response) -> Delivery:
        tried = self._turn.reply is not None and bool(self._turn.reply.attempts)
        return Delivery(self._context, self._lease, self._turn.reply_id, command, expired=self._is_expired, tried=tried, wake=self._wake)

    def _is_expired(self) -> bool:
        """Whether it is too late for another try."""
        settings = self._context.settings
        return limits.outage_over(self._age_ms(), settings) or limits.too_old(self._age_ms(), settings)

    def _age_ms(self) -> int:
        """The age of the turn's oldest message, without the time in which sending was paused."""
        return max(message.age_ms for message in self._turn.messages) + int((time.monotonic() - self._began) * 1000)

    def _ids(self) -> dict[str, str]:
        return {"conversation": self._lease.conversation, "turn": self._turn.id}
