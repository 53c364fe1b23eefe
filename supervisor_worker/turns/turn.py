"""One job, one turn: claim, generate a reply, deliver it, finish; and one table of what follows from each failure.

The steps of a turn::

    claim ─▶ generate ─▶ store ─▶ deliver ─▶ finish
      │         ├── a stored reply is delivered as it is: nobody is asked twice
      │         └── a command is answered by code, and a reminder told: the model is not asked
      └── not claimed: another worker has the conversation, or it is too early

What follows from a failure:

    outage (429, 5xx, no connection)        back off, uncounted, until the message is ANSWER_WITHIN_MINUTES old; then park
    retry budget spent                      likewise, and the provider is not asked
    too old (ANSWER_AT_MOST_HOURS)          park
    the address is not its person's now     end as ignored; nothing more is sent there, and the other channel tells
    the reply's pair is not known           park
    a reply that may have been sent         sent again, marked, or parked: UNKNOWN_OUTCOME
    our key or budget refused               pause all sending, one alarm; back off, uncounted
    a 403                                   likewise if others get it too and nothing is accepted; else an error of this very message
    our limit of a day used up              an alarm; wait for an hour, or the next day, uncounted; then park
    an error of this very message           back off, counted; the fifth parks it
    a final refusal                         park; the user is told on the other channel where this one's route is refused
    an empty answer, twice                  finish without a reply
    a model call above a day's bound        park
    no tokens left for a second call        back off, counted
    a month's dollars are used up           a sentence of ours, once a day; then finish without a reply
    the lease is lost                       end; change nothing
    cancelled (the process ends)            release the lease at once, so that the conversation is due now

The order of the steps is what keeps promises: a reply is stored before anything is sent, so that a crash repeats the delivery and not
the generation; an attempt is recorded before its request, so that a crash leaves an attempt to look up; and a turn whose reply may have
been sent is parked only after the provider was asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, Literal

from redis.exceptions import RedisError

from shared.errors import LeaseLost, ProviderError
from shared.mailbox import calls
from shared.mailbox.calls import Claim, Closed, TurnHolder
from shared.mailbox.records import Turn
from shared.mailbox.wake_queue import job
from shared.model.channels import CHANNELS
from shared.model.commands import Answered
from shared.model.events import Received, Response
from shared.model.withheld import DIGEST
from shared.observability import logs
from shared.observability.redaction import error_location
from supervisor_worker.assistant.costs import tell_operator
from supervisor_worker.assistant.generated import GeneratedReply
from supervisor_worker.assistant.hearing import NO_TOKENS
from supervisor_worker.assistant.history import UNANSWERED
from supervisor_worker.assistant.reply import RetryBudgetSpent
from supervisor_worker.assistant.reservations import ModelCallDenied, ModelCalls
from supervisor_worker.assistant.turn_steps import TurnSteps, TurnStopped, may_act
from supervisor_worker.providers.http_pool import send_check
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.claiming import claim
from supervisor_worker.turns.code_replies import code_reply
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery import Delivery
from supervisor_worker.turns.delivery_result import DeliveryResult, PendingReply
from supervisor_worker.turns.lease import Lease
from supervisor_worker.turns.liveness import elapsed
from supervisor_worker.turns.operator_alarms import raise_alarm, warn
from supervisor_worker.turns.question_history import history_of, with_folds

LOG: Final = logs.logger(__name__)
ADDRESS_REMOVED: Final = "address_removed"
_LEVELS: Final = {
    "newer": logging.ERROR,  # the data was written by a newer version: this process must end
    "spend_stop": logging.CRITICAL,  # the day's tokens, turns or dollars are used up, and this claim is the first to find it
}


async def run_turn(conversation: str, token: str, context: TurnContext) -> bool:
    """Run one turn of `conversation`; True when messages remain: the script that ended the turn has enqueued the next job.

    `token` is new for every call. A turn that ends without a result has set the time at which its conversation is due again. Raises
    RedisError when the mailbox cannot be reached, and CancelledError after it released its lease.
    """
    if context.stopping.is_set():
        return False
    asked = elapsed()
    found = await claim(conversation, token, context)
    tell_operator(found.alarms)
    if found.turn is None:
        level = _LEVELS.get(found.outcome, logging.DEBUG)
        LOG.log(level, "The claim was not taken", action="not_claimed", conversation=conversation, outcome=found.outcome)
        return False
    async with Lease(context.mailbox, conversation, token, found, context.lease_ms, life_ms=context.life_ms, asked=asked) as lease:
        return await _TurnRun(context, lease, found.turn, found).run()


class _TurnRun:
    """One turn, while its lease is held."""

    def __init__(self, context: TurnContext, lease: Lease, turn: Turn, claim: Claim) -> None:
        self._context = context
        self._lease = lease
        self._turn = turn
        self._model_calls = ModelCalls(
            context.model, context.mailbox, context.settings, context.day_bounds, lease.conversation, lease.token, claim.reserved,
            context.costs,
        )  # fmt: skip
        who = TurnHolder(lease.conversation, lease.token, turn.id, turn.person, turn.epoch, context.lease_ms)
        self._steps = TurnSteps(context.mailbox, who, turn.steps, turn.messages[0].approved if turn.messages else ())
        self._stop: str = claim.stop
        self._began = time.monotonic()
        self._command = turn.reply.command if turn.reply else None
        self._wake = job(lease.conversation, turn.messages[0].channel if turn.messages else next(iter(CHANNELS)))

    async def run(self) -> bool:
        """Run the turn; True when messages remain."""
        try:
            return await self._handled()
        except LeaseLost:
            return False
        except asyncio.CancelledError:
            await asyncio.shield(self._back_off(0, "shutdown"))
            raise

    async def _handled(self) -> bool:
        try:
            return await self._answer()
        except ProviderError as error:
            return await self._after(error)
        except (LeaseLost, RedisError):
            raise
        except Exception as error:  # noqa: BLE001 - a bug counts as an error of this very message
            LOG.error("A turn failed in our own code", action="turn_failed", **self._ids(), **error_location(error))  # noqa: TRY400 - see `error_location`
            return await self._count(f"internal_{type(error).__name__}")

    async def _answer(self) -> bool:
        reply = self._turn.reply
        if not self._theirs():  # first: nothing at all may go to an address that is not its person's any more
            await self._context.learn()  # they may have been added a moment ago
            if not self._theirs():
                return await self._ignore_removed()
        if reason := retry_policy.exhausted(self._turn.messages):
            return await self._park(reason, "error")
        if reply is not None:  # generated by an earlier turn, which a crash or an outage ended
            return await self._deliver(reply.command)
        if retry_policy.ended(self._turn.messages[0], self._age_ms(), self._lease.now_ms(), self._context.settings):
            return await self._park("too_old", "outage")
        events = self._turn.events
        if not events or len(events) < len(self._turn.messages):
            return await self._unreadable()
        return await self._generate(events)

    async def _generate(self, events: list[Received]) -> bool:
        if (ended := await self._by_code(events)) is not None:
            return ended
        try:
            with send_check(self._lease.may_send):
                generated = await self._lease.hold(self._generated(events))
        except RetryBudgetSpent:
            return await self._hold_back()
        except ModelCallDenied as denied:
            return await self._call_denied(denied.reason)
        except TurnStopped as stopped:
            return await self._call_denied(stopped.reason, stopped.wait_ms)
        if generated is None:
            return await self._finish(reason=UNANSWERED)
        said: Answered = "digest" if self._turn.messages[0].notice == DIGEST else ""
        return await self._deliver(generated.command, PendingReply.of(self._turn, generated, self._model_calls.settled, said))

    async def _generated(self, events: list[Received]) -> GeneratedReply | None:
        history = await history_of(self._turn, self._context, self._lease.token)
        self._turn = await with_folds(self._turn, history, self._context)
        steps = self._steps if self._steps.question is not None or may_act(events) else None
        return await self._context.replies.generate(self._turn, events, history, self._model_calls, steps)

    async def _by_code(self, events: list[Received]) -> bool | None:
        """Send what code answers by itself; None for what the model is asked about."""
        made = await code_reply(self._context, self._turn, events, self._lease, self._stop)
        if made == "unreadable":
            return await self._unreadable()
        if made == "told":
            return await self._finish(reason="month_spent")
        return made if made is None else await self._deliver(*made)

    async def _call_denied(self, reason: str, wait_ms: int = 0) -> bool:
        """The turn has no reply, and nothing further may begin. Counted, because each further try pays for the first call again."""
        if reason in ("month", "own_month"):
            self._stop = reason
        if reason in (*NO_TOKENS, "opted_out") and (unfinished := await self._unfinished()):
            return await self._deliver(*unfinished)
        if self._stop:
            return bool(await self._by_code(self._turn.events))
        if reason in ("dear", "gone"):
            return await (self._park("too_long", "too_long") if reason == "dear" else self._begin_anew())
        if reason == "opted_out":
            return await self._finish("ignored", "opted_out")
        waits = {"paused": retry_policy.pause_wait_ms(self._context.settings), "priority": 0, "handed_over": 0, "outside": wait_ms}
        if reason in waits:
            return (await self._back_off(waits[reason], reason)).outcome == "more" and reason != "paused"
        return await self._count(reason)

    async def _begin_anew(self) -> bool:
        """The question cannot be asked as it was. What the turn has done is told; one that has done nothing is formed anew, a few times."""
        if await self._unfinished() or retry_policy.last_error(self._turn.messages):
            return await self._park("not_resumable", "error")
        return (await self._back_off(0, "not_resumable", counted=True, anew=True)).outcome == "more"

    async def _deliver(self, command: Response, new: PendingReply | None = None) -> bool:
        delivery = self._delivery(command)
        try:
            delivered = await delivery.deliver(new)
        finally:
            self._command = delivery.command  # what is said to an answer is known when it is stored
        if delivered.outcome in ("absent", "too_old"):
            too_old = delivered.outcome == "too_old" or retry_policy.too_old(self._age_ms(), self._context.settings)
            return await self._park("too_old" if too_old else "outage", "outage")
        if delivered.outcome == "unknown":
            return await self._park("outcome_unknown", "")
        if delivered.outcome == "no_pair":
            return await self._park("pair_unknown", "")
        if delivered.outcome == "removed":
            return await self._ignore_removed()
        return await (self._hold_back() if delivered.outcome == "no_budget" else self._end(delivered))

    async def _end(self, delivered: DeliveryResult) -> bool:
        if delivered.outcome == "sent":
            return await self._finish()
        if delivered.outcome == "handed_over":  # what else was in the turn goes back to the inbox
            return (await self._back_off(0, "handed_over")).outcome == "more"
        if delivered.outcome == "wait":
            await self._back_off(delivered.wait_ms, delivered.reason)
        if delivered.outcome == "permit_lost":  # fenced: it releases a lease that is ours, and changes nothing of another holder's
            await self._back_off(self._context.request_ms, "leave_lost")
        return delivered.outcome == "closed" and delivered.more

    async def _after(self, error: ProviderError) -> bool:
        """What follows from a provider's error; see the table above."""
        reason = f"{error.provider}_{error.code}"
        LOG.warning(
            "A provider failed", action="provider_error", **self._ids(), provider=error.provider, code=error.code, status=error.status
        )
        if error.opted_out:
            return await self._opted_out()
        if error.pauses_all:
            return await self._pause(error)
        if error.alarms:
            await warn(self._context, reason)
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
            wait_ms = retry_policy.limit_wait_ms(age_ms, self._lease.now_ms(), settings)
        else:
            wait_ms = retry_policy.outage_wait_ms(age_ms, error.retry_after, settings)
        await self._back_off(wait_ms, reason, asked=self._command is None)
        return False

    async def _hold_back(self) -> bool:
        """The provider fails, and other turns use its retry budget: wait as in an outage, without a request."""
        if self._is_expired():
            return await self._park("outage", "outage")
        await self._back_off(retry_policy.outage_wait_ms(self._age_ms(), None, self._context.settings), "retry_budget")
        return False

    async def _pause(self, error: ProviderError) -> bool:
        """Our key or budget is refused: pause all sending. A 403 does so only where others get it too; else it counts for this message."""
        reason = f"{error.provider}_{error.code}"
        if await raise_alarm(self._context, self._lease.conversation, error, reason) != "counted":
            await self._back_off(retry_policy.pause_wait_ms(self._context.settings), reason)
            return False
        if retry_policy.last_error(self._turn.messages):
            return await self._park(f"{error.provider}_denied", self._notice_of(error))
        return await self._count(reason)

    def _notice_of(self, error: ProviderError) -> str:
        """The code of the notice to the user; "unreachable" leaves it to their other channel: a notice here would be refused, or was."""
        if error.other_channel or self._turn.messages[0].kind in ("notice", "reminder", "copy", "question", "outgoing"):
            return "unreachable"
        return "error" if error.tell_user else ""

    async def _opted_out(self) -> bool:
        for event in self._turn.events[:1]:
            await self._context.mailbox.run(calls.opt_out(self._context.identities.pair(event.to, event.from_), out=True))
        return await self._finish("ignored", "opted_out")

    async def _count(self, reason: str) -> bool:
        """One more error of this very message: wait longer each time; the fifth parks it."""
        if retry_policy.last_error(self._turn.messages):
            return await self._park("too_many_errors", "error")
        await self._back_off(retry_policy.counted_wait_ms(self._turn.messages, self._context.settings), reason, counted=True)
        return False

    async def _unreadable(self) -> bool:
        """A message whose text is gone is parked. Among others it is counted first, so that the next turn has it alone."""
        if len(self._turn.messages) == 1:
            return await self._park("unreadable", "")
        return (await self._back_off(0, "unreadable", counted=True)).outcome == "more"

    async def _park(self, reason: str, notice: str) -> bool:
        """Park the turn's messages. A reply that may have been accepted is looked up first; a turn that has done something says so."""
        if unfinished := await self._unfinished():
            return await self._deliver(*unfinished)
        if reason in ("too_old", "outage") and self._turn.messages[0].kind == "outgoing":
            reason, notice = "expired", ""
        resolved = await self._resolved()
        if isinstance(resolved, bool):
            return resolved
        notice = notice if resolved.outcome == "absent" else ""  # it may have arrived, and the notice would say otherwise
        call = calls.park(
            self._lease.conversation,
            self._lease.token,
            reason,
            looked_up=self._command is not None,
            retention_ms=self._context.retention_ms,
            notice=notice,
            settled=self._model_calls.settled,
            wake=self._wake,
        )
        return (await self._context.mailbox.run(call)).outcome == "more"

    async def _unfinished(self) -> tuple[Response, PendingReply] | None:
        """The reply by code of a turn that has done something and cannot go on; None where there is a reply, or nothing was done."""
        if self._command is not None:
            return None
        generated = await self._context.replies.unfinished(self._turn, self._steps)
        if generated is None:
            return None
        return generated.command, PendingReply(self._turn, generated.figures, self._model_calls.settled, "")

    async def _resolved(self) -> DeliveryResult | bool:
        """The reply's result after a look-up, `absent` or `unknown`; or, where that ended the turn, whether messages remain."""
        if self._command is None:
            return DeliveryResult("absent")
        try:
            resolved = await self._delivery(self._command).resolve()
        except ProviderError as error:
            if error.pauses_all and not error.counts:
                return await self._pause(error)
            return await self._wait_out(error, "look_up_failed")  # no answer is not "not found": the turn cannot end yet
        return resolved if resolved.outcome in ("absent", "unknown") else await self._end(resolved)

    def _theirs(self) -> bool:
        """Whether the addresses of the turn are those of the person whose messages these are, by who is known now."""
        return all(map(self._context.users.admits, self._turn.events))

    async def _ignore_removed(self) -> bool:
        """Send nothing to an address that was taken out, or given to another person."""
        if any(map(self._context.users.admits, self._turn.events)):  # a turn of an older version: next each message is a turn of its own
            return (await self._back_off(0, ADDRESS_REMOVED, counted=True)).outcome == "more"
        resolved = await self._resolved()
        return resolved if isinstance(resolved, bool) else await self._finish("ignored", ADDRESS_REMOVED)

    async def _finish(self, state: Literal["answered", "ignored"] = "answered", reason: str = "") -> bool:
        lease, retention_ms = self._lease, self._context.retention_ms
        call = calls.finish(
            lease.conversation, lease.token, retention_ms=retention_ms, state=state, reason=reason, settled=self._model_calls.settled,
            wake=self._wake,
        )  # fmt: skip
        return (await self._context.mailbox.run(call)).outcome == "more"

    async def _back_off(self, delay_ms: int, reason: str, *, counted: bool = False, asked: bool = False, anew: bool = False) -> Closed:
        lease = self._lease
        call = calls.backoff(
            lease.conversation, lease.token, delay_ms, reason, counted=counted, asked=asked, anew=anew, settled=self._model_calls.settled,
            wake=self._wake,
        )  # fmt: skip
        return await self._context.mailbox.run(call)

    def _delivery(self, command: Response) -> Delivery:
        tried = self._turn.reply is not None and bool(self._turn.reply.attempts)
        return Delivery(
            self._context, self._lease, self._turn.reply_id, command, expired=self._is_expired, theirs=self._theirs, tried=tried,
            wake=self._wake,
        )  # fmt: skip

    def _is_expired(self) -> bool:
        """Whether it is too late for another attempt."""
        message, context = self._turn.messages[0], self._context
        elsewhere = bool(message.event and context.users.has_other_channel(message.event))
        return retry_policy.too_late(message, self._age_ms(), self._lease.now_ms(), context.settings, elsewhere=elsewhere)

    def _age_ms(self) -> int:
        """The age of the turn's oldest message, without the time for which sending was paused."""
        return max(message.age_ms for message in self._turn.messages) + int((time.monotonic() - self._began) * 1000)

    def _ids(self) -> dict[str, str]:
        return {"conversation": self._lease.conversation, "turn": self._turn.id}
