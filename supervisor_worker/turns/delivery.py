"""The sending loop: leave asked, one request made, its outcome recorded, and what is unknown looked up before it is repeated.

    sending ── ok ──────▶ request ── accepted ─▶ recorded, and the turn finished with it
       │                     ├────── refused ──▶ recorded ─▶ a ProviderError for the turn to judge
       │                     └────── no answer ─▶ stays unresolved ─┐
       ├─ look_up ◀─────────────────────────────────────────────────┘   see `looking`
       ├─ short ──▶ renew once, ask again
       ├─ alone ──▶ recorded as refused, a ProviderUnavailable
       ├─ unknown ▶ proven not to have been taken? Else, and when too_old: for the turn to park
       └─ opted_out, paused, sent, lost: nothing left to do here

A reply that is new is stored with the first asking for leave: one step for both, and one for recording and finishing, so that a
turn without troubles costs three round trips with its claim. Asking for leave, the request and the recording of its outcome are
one task, shielded from the turn's own cancellation: a request that left is waited for at shutdown, and its outcome is recorded
even by a holder that lost its lease.

Where Redis has replicas, no request is made before one of them has the attempt: a failover then finds it, and has it looked up.
Every request after a reply's first is a retry, and made only when the provider's budget has room for it. One that may be a second
copy is the last, and not to be spent on a provider that is still away: that is asked first, by what can send nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from shared.errors import CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox import calls
from shared.mailbox.call import Wake
from shared.mailbox.calls import Outcome, Sending
from shared.mailbox.records import Attempt, ReplyState
from shared.model.events import Response
from shared.observability import logs as telemetry
from shared.observability.redaction import error_location
from supervisor_worker.providers.http_pool import NO_PROVIDER, PermitExpired, send_check
from supervisor_worker.turns import retry_policy as limits
from supervisor_worker.turns.attempt_lookup import Looking
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery_result import Delivered, New, after, closed, was_taken
from supervisor_worker.turns.lease import Lease
from supervisor_worker.turns.liveness import elapsed

LOG: Final = telemetry.logger(__name__)
MAX_ROUNDS: Final = 20
SERVER_ERROR: Final = 500
TRIES: Final = 3
_TAKEN: Final = (ReplyState.SENT, ReplyState.DELIVERED, ReplyState.UNDELIVERED)


class Delivery:
    """One reply on its way out.

    `expired` says whether an outage has lasted too long to try again, `tried` whether there were attempts before; `wake` is the next
    job, should messages remain.
    """

    def __init__(
        self, context: TurnContext, lease: Lease, reply_id: str, command: Response, *, expired: Callable[[], bool], tried: bool = False,
        wake: Wake = (),
    ) -> None:  # fmt: skip
        self._context = context
        self._lease = lease
        self._reply_id = reply_id
        self._command = command
        self._expired = expired
        self._tried = tried
        self._wake = wake
        self._channel = command.channel
        self._budget = context.budgets[self._channel]
        self._limits = context.leave
        self._looking = Looking(context, lease, self._channel, reply_id, command)
        self._pair = context.identities.pair(command.from_, command.to)
        self._ready = False
        self._renewed = False
        self._asked_wait_ms = 0
        self._new: New | None = None
        self._cancelled = False

    async def deliver(self, new: New | None = None) -> Delivered:
        """Send the reply, which is stored first when it is `new`, or say why not.

        Raises ProviderUnavailable, ProviderRefused or CredentialsRefused, all of them recorded.
        """
        self._new = new
        self._renewed = False
        for _ in range(MAX_ROUNDS):
            if ended := await self._round():
                return ended
        return Delivered("wait", wait_ms=self._context.lease_ms, reason="too_many_rounds")

    async def _round(self) -> Delivered | None:
        """Ask for leave once, and do what it says; None when leave is to be asked for again."""
        if self._new is None and self._ending():
            return Delivered("wait", reason="shutdown")
        verdict = await self._in_flight() if await self._may_repeat() else Delivered("no_budget")
        if isinstance(verdict, Delivered):
            return verdict if verdict.outcome != "no_budget" else await self._without_budget()
        if verdict.outcome == "short" and not self._renewed:
            self._renewed = True
            return None if await self._lease.renew() else Delivered("lost")
        if verdict.outcome == "look_up" and verdict.attempt:
            return await self._look_up(verdict.attempt) or self._too_late()
        return await self._without_proof() if verdict.outcome == "unknown" else after(verdict)

    async def _may_repeat(self) -> bool:
        """Whether there is room in the budget for what may be a second copy. Raises a ProviderError while the provider is still away.

        Something that it took since the last failure says so; else it is asked by a request that can send nothing.
        """
        if self._ready or not self._tried or self._budget.recovered:
            return True
        reply = await self._context.mailbox.reply(self._reply_id)
        if reply is None or reply.unresolved or not 0 < len(reply.unsure) <= self._limits.repeats:
            return True
        if not self._budget.take():
            return False
        try:
            async with asyncio.timeout(self._context.settings.send_timeout_seconds):
                await self._lease.hold(self._context.channels[self._channel].ready(self._command))
        except (OutcomeUnknown, ProviderUnavailable, TimeoutError) as error:
            self._budget.failed()
            raise _away(error) from None
        self._budget.give_back()
        self._ready = True
        return True

    async def _without_proof(self) -> Delivered | None:
        """As often as it may be, the reply was sent with unknown fate. None when it is shown that one of these was not taken after all."""
        reply = await self._context.mailbox.reply(self._reply_id)
        if reply is None or not self._limits.repeats:
            return Delivered("unknown")
        looked = await self._looking.once_more(reply.unsure)
        if looked.outcome == "shown":
            return closed(await self._record(looked.attempt, "accepted", provider_id=looked.provider_id))
        if looked.outcome == "resolved":
            return self._too_late()
        return Delivered("wait", wait_ms=looked.wait_ms, reason=looked.reason) if looked.wait_ms else Delivered("unknown")

    async def resolve(self) -> Delivered:
        """Look up whatever is unresolved, and send nothing: `sent`, `absent`, `wait`, or `unknown` where no repeat is wanted."""
        for _ in range(MAX_ROUNDS):
            reply = await self._context.mailbox.reply(self._reply_id)
            if reply is None or not reply.attempts:
                return Delivered("absent")
            if was_taken(reply):
                return Delivered("sent")
            if not reply.unresolved:
                return Delivered("unknown" if reply.unsure and not self._limits.repeats else "absent")
            if ended := await self._look_up(reply.unresolved[0]):
                return ended
        return Delivered("wait", wait_ms=self._context.lease_ms, reason="too_many_rounds")

    async def _without_budget(self) -> Delivered:
        """No retry for now. What is unresolved is looked up all the same: it may have been taken."""
        resolved = await self.resolve()
        return resolved if resolved.outcome != "absent" else self._too_late() or Delivered("no_budget")

    def _too_late(self) -> Delivered | None:
        return Delivered("absent") if self._expired() else None

    def _ending(self) -> bool:
        return self._context.stopping.is_set() or self._cancelled

    async def _in_flight(self) -> Sending | Delivered:
        """One attempt as a task of its own. A turn that is cancelled meanwhile waits for it as long as the grace lasts."""
        task: asyncio.Task[Sending | Delivered] = asyncio.create_task(self._attempt())
        self._context.in_flight.add(task)
        task.add_done_callback(self._landed)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=self._context.settings.shutdown_grace_seconds)
            if not task.done():
                LOG.warning("A request stays without an answer", action="left_in_flight", reply=self._reply_id)
                raise
            self._cancelled = True
            _uncancel()
            return task.result()

    def _landed(self, task: asyncio.Task[Sending | Delivered]) -> None:
        self._context.in_flight.discard(task)
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not print what nobody waits for any more

    async def _attempt(self) -> Sending | Delivered:
        """Ask for leave and, with it, make one request.

        The answer is a verdict, with `look_up` for an unknown outcome, or how delivering ended.
        """
        if self._tried and not self._budget.take():
            return Delivered("no_budget")
        attempt_id = f"a-{uuid.uuid4().hex}"
        asked = elapsed()
        verdict = await (self._store(self._new, attempt_id) if self._new else self._ask(attempt_id))
        if not isinstance(verdict, Sending) or verdict.outcome not in ("ok", "alone") or verdict.attempt is None:
            if self._tried:
                self._budget.give_back()
            return verdict
        if not (retry := self._tried):
            self._budget.first()
        self._tried = True
        try:
            provider_id = await self._request(attempt_id, asked, replicated=verdict.outcome == "ok")
        except (ProviderUnavailable, ProviderRefused, CredentialsRefused) as error:
            return await self._refused(attempt_id, error)
        except (OutcomeUnknown, TimeoutError) as error:
            return await self._unanswered(verdict.attempt, error)
        self._budget.succeeded(retry=retry)
        return closed(await self._record(attempt_id, "accepted", provider_id=provider_id))

    async def _refused(self, attempt_id: str, error: ProviderError) -> Sending:
        """Record that nothing was taken, and raise the error, unless an earlier attempt was taken after all."""
        if isinstance(error, ProviderUnavailable) and error.provider != NO_PROVIDER:
            self._budget.failed()
        outcome = await self._record(attempt_id, "refused", code=error.code)
        if outcome.state in _TAKEN:
            return Sending("sent")
        if not outcome.decided:
            error.tell_user = False  # an earlier attempt may have been accepted after all: the user is not told otherwise
        raise error

    async def _unanswered(self, attempt: Attempt, error: OutcomeUnknown | TimeoutError) -> Sending:
        """Record why there was no answer: the attempt stays unresolved."""
        self._budget.failed()
        LOG.warning("A request got no answer", action="outcome_unknown", reply=self._reply_id, attempt=attempt.id, error=str(error))
        code = "timeout"
        if isinstance(error, OutcomeUnknown):
            code = f"http_{error.status}" if error.status and error.status >= SERVER_ERROR else error.code
            self._asked_wait_ms = limits.asked_wait_ms(error.retry_after, self._context.settings)
        await self._record(attempt.id, "unknown", code=code)
        return Sending("look_up", attempt)

    async def _ask(self, attempt_id: str) -> Sending:
        call = calls.sending(self._lease.conversation, self._lease.token, self._reply_id, attempt_id, limits=self._limits, wake=self._wake)
        return await self._context.mailbox.run(call)

    async def _store(self, new: New, attempt_id: str) -> Sending | Delivered:
        """Store the reply, and ask for leave in the same step unless the process ends."""
        call = calls.store_reply(
            self._lease.conversation, self._lease.token, new.turn, self._command, limits=self._limits,
            attempt="" if self._ending() else attempt_id, figures=new.figures, settled=new.settled, wake=self._wake,
        )  # fmt: skip
        stored = await self._context.mailbox.run(call)
        self._new = None
        if stored.outcome == "stored":
            return stored.leave or Delivered("wait", reason="shutdown")
        if stored.outcome == "finished":
            return Delivered("closed", more=stored.more)
        return Delivered(stored.outcome)

    def _leave(self, attempt_id: str, asked: float) -> Callable[[], Awaitable[bool]]:
        """Whether the request may leave. Leave that was asked too long ago is asked for again, which renews the attempt's time."""

        async def may_send() -> bool:
            nonlocal asked
            for _ in range(TRIES):
                if elapsed() - asked < self._context.leave_ms / 1000:
                    return True
                asked = elapsed()
                if (await self._ask(attempt_id)).outcome != "ok":
                    return False
            return False

        return may_send

    async def _request(self, attempt_id: str, asked: float, *, replicated: bool) -> str:
        if not replicated:
            raise ProviderUnavailable(NO_PROVIDER, "not_replicated")  # a new master would not know of this attempt, and send a second copy
        may_send = self._leave(attempt_id, asked)
        if not await may_send():
            raise PermitExpired
        async with asyncio.timeout(self._context.settings.send_timeout_seconds):
            try:
                with send_check(may_send):
                    return await self._context.channels[self._channel].send(self._command, self._reply_id, attempt_id, self._pair)
            except ProviderError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of ours: whether the request left is not known
                LOG.error("A request failed in our own code", action="send_failed", reply=self._reply_id, **error_location(error))  # noqa: TRY400 - see `error_location`
                raise OutcomeUnknown("channel", type(error).__name__) from None

    async def _record(
        self, attempt_id: str, result: Literal["accepted", "refused", "unknown"], *, provider_id: str = "", code: str = ""
    ) -> Outcome:
        """Write down what became of an attempt, lease or no lease; an accepted one finishes the turn."""
        lease = self._lease
        call = calls.outcome(
            self._reply_id, attempt_id, result, retention_ms=self._context.retention_ms, provider_id=provider_id, code=code,
            conversation=lease.conversation, token=lease.token, wake=self._wake,
        )  # fmt: skip
        return await self._context.mailbox.run(call)

    async def _look_up(self, attempt: Attempt) -> Delivered | None:
        """Find out about an attempt; None when it is resolved now. ProviderUnavailable when the provider does not answer."""
        looked = await self._looking.after(attempt)
        if looked.outcome == "shown":
            return closed(await self._record(attempt.id, "accepted", provider_id=looked.provider_id))
        if looked.outcome == "wait":
            return Delivered("wait", wait_ms=max(looked.wait_ms, self._asked_wait_ms), reason=looked.reason)
        return None


def _away(error: ProviderError | TimeoutError) -> ProviderUnavailable:
    """What was asked by a request that can send nothing is an outage, whatever became of that one."""
    if isinstance(error, ProviderUnavailable):
        return error
    if isinstance(error, ProviderError):
        return ProviderUnavailable(error.provider, error.code, status=error.status, retry_after=error.retry_after)
    return ProviderUnavailable("channel", "timeout")


def _uncancel() -> None:
    if task := asyncio.current_task():
        task.uncancel()
