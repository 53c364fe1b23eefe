"""The delivery of one reply: a send permit, one request, its recorded outcome, and a look-up before a repetition.

Before each permit it is judged whether the address is still its person's, and the script compares the registry's version by which it was.
The verdict of `sending`, the script that gives the permit, decides what comes next::

    sending ── ok ──────▶ request ── accepted ──▶ recorded, and the turn finished with it
       │                     ├────── refused ───▶ recorded ─▶ a ProviderError for the turn to judge
       │                     └────── no answer ─▶ the attempt stays pending ─┐
       ├─ look_up ◀──────────────────────────────────────────────────────────┘   see `attempt_lookup`
       ├─ short ──▶ renew the lease once, ask again
       ├─ users ──▶ take in who is known now, judge whose the address is, ask again
       ├─ not_replicated ─▶ recorded as refused, a ProviderUnavailable
       ├─ unknown ▶ look for a proof that no attempt was accepted: with it ask again, without it the turn parks
       ├─ too_old, no_pair ─▶ the turn parks
       └─ opted_out, paused, sent, lost: nothing left to do here

A new reply is stored in the same step that asks for its first permit, and an accepted outcome finishes the turn in the step that records
it: a turn without trouble costs three round trips with its claim. Permit, request and record are one task, shielded from the turn's
cancellation: at shutdown a request that was sent is waited for, and its outcome is recorded even by a holder that lost its lease.

Where Redis has replicas, no request is made before one of them has the attempt: after a failover the attempt is known, and looked up.
Every request after a reply's first is a retry, and is made only when the provider's retry budget allows it. A request that may be a second
copy is also the last one. It would be wasted on a provider that is still away, so another request goes first, one that can send nothing
(`ChannelPort.ready`).
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from shared.errors import CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox import calls
from shared.mailbox.call import Wake
from shared.mailbox.calls import Outcome, Sending
from shared.mailbox.records import Attempt, ReplyState
from shared.model.events import Response, SendEmailResponse
from shared.observability import logs
from shared.observability.redaction import error_location
from supervisor_worker.media.copied_files import with_contents
from supervisor_worker.providers.http_pool import NO_PROVIDER, PermitExpired, send_check
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.attempt_lookup import AttemptLookup
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery_result import DeliveryResult, PendingReply, after_acceptance, was_accepted, without_permit
from supervisor_worker.turns.lease import Lease
from supervisor_worker.turns.liveness import elapsed

LOG: Final = logs.logger(__name__)
MAX_ROUNDS: Final = 20
"""How often one delivery asks for a permit. Each time one obstacle is removed, such as a pending attempt, and a reply has few: this bound
is for a fault of ours, and ends the turn instead of repeating it for ever."""
SERVER_ERROR: Final = 500
MAX_PERMITS: Final = 3
"""How often a permit is asked for again before one request. A process that is late with each is too busy to send now, and gives up."""
_ACCEPTED: Final = (ReplyState.SENT, ReplyState.DELIVERED, ReplyState.UNDELIVERED)


class NotReplicated(ProviderUnavailable):
    """No replica has the attempt, so its request is not made: after a failover nobody would know of it, and send the reply again."""

    outage = False

    def __init__(self) -> None:
        super().__init__(NO_PROVIDER, "not_replicated")


class Delivery:
    """The delivery of one reply.

    `expired` says whether an outage has lasted too long to try again, `tried` whether the reply had attempts before, `theirs` whether its
    address is its person's by who is known now; `wake` is the next job, in case messages remain.
    """

    def __init__(
        self, context: TurnContext, lease: Lease, reply_id: str, command: Response, *, expired: Callable[[], bool],
        theirs: Callable[[], bool], tried: bool = False, wake: Wake = (),
    ) -> None:  # fmt: skip
        self._context = context
        self._lease = lease
        self._reply_id = reply_id
        self.command = self._sent = command
        self._expired = expired
        self._theirs = theirs
        self._had_attempts = tried
        self._wake = wake
        self._channel = command.channel
        self._budget = context.budgets[self._channel]
        self._limits = context.send_limits
        self._lookup = AttemptLookup(context, lease, self._channel, reply_id, command)
        self._pair = context.identities.pair(command.from_, command.to)
        self._provider_ready = False
        self._renewed = False
        self._asked_wait_ms = 0
        self._unstored_reply: PendingReply | None = None
        self._cancelled = False

    async def deliver(self, new: PendingReply | None = None) -> DeliveryResult:
        """Send the reply, after storing it if it is `new`; the answer is how that ended.

        Raises ProviderUnavailable, ProviderRefused or CredentialsRefused; each was recorded before.
        """
        self._unstored_reply = new
        self._renewed = False
        if isinstance(self.command, SendEmailResponse) and self.command.files:  # before the permit, which is for a request at once
            self._sent = await with_contents(self.command, self._context.mailbox)
        for _ in range(MAX_ROUNDS):
            if ended := await self._round():
                return ended
        return DeliveryResult("wait", wait_ms=self._context.lease_ms, reason="too_many_rounds")

    async def _round(self) -> DeliveryResult | None:
        """Ask for a permit once, and do what the verdict says; None when a permit is to be asked for again."""
        if self._unstored_reply is None and self._ending():
            return DeliveryResult("wait", reason="shutdown")
        verdict = await self._shielded_attempt() if await self._check_before_repeat() else DeliveryResult("no_budget")
        if isinstance(verdict, DeliveryResult):
            return verdict if verdict.outcome != "no_budget" else await self._without_budget()
        if verdict.outcome == "users":  # somebody was added, changed or removed: another permit is asked for after another judgement
            await self._context.learn()
            return None
        if verdict.outcome == "short" and not self._renewed:  # the lease ends before a request could: renew it, but only once a delivery
            self._renewed = True
            return None if await self._lease.renew() else DeliveryResult("lease_lost")
        if verdict.outcome == "look_up" and verdict.attempt:
            return await self._look_up(verdict.attempt) or self._too_late()
        return await self._without_proof() if verdict.outcome == "unknown" else without_permit(verdict)

    async def _check_before_repeat(self) -> bool:
        """Whether the retry budget allows a request that may be a second copy. Raises a ProviderError while the provider is still away.

        A request that it accepted since its last failure shows that it is there. Without one, a request that can send nothing finds out.
        """
        if self._provider_ready or not self._had_attempts or self._budget.recovered:
            return True
        reply = await self._context.mailbox.reply(self._reply_id)
        # A pending attempt is looked up next, one of known outcome needs no care, and with too many of unknown outcome nothing is sent.
        if reply is None or reply.pending or not 0 < len(reply.uncertain) <= self._limits.repeats:
            return True
        if not self._budget.take():
            return False
        try:
            async with asyncio.timeout(self._context.settings.send_timeout_seconds):
                await self._lease.hold(self._context.channels[self._channel].ready(self.command))
        except (OutcomeUnknown, ProviderUnavailable, TimeoutError) as error:
            self._budget.failed()
            raise _away(error) from None
        self._budget.give_back()
        self._provider_ready = True
        return True

    async def _without_proof(self) -> DeliveryResult | None:
        """The reply has as many attempts of unknown outcome as it may. None when one is proven not to have been accepted."""
        reply = await self._context.mailbox.reply(self._reply_id)
        if reply is None or not self._limits.repeats:
            return DeliveryResult("unknown")
        looked = await self._lookup.prove(reply.uncertain)
        if looked.outcome == "shown":
            return after_acceptance(await self._record(looked.attempt, "accepted", provider_id=looked.provider_id))
        if looked.outcome == "resolved":
            return self._too_late()
        return DeliveryResult("wait", wait_ms=looked.wait_ms, reason=looked.reason) if looked.wait_ms else DeliveryResult("unknown")

    async def resolve(self) -> DeliveryResult:
        """Look up the pending attempts, and send nothing: `sent`, `absent`, `wait`, or `unknown` where no repetition is allowed."""
        for _ in range(MAX_ROUNDS):
            reply = await self._context.mailbox.reply(self._reply_id)
            if reply is None or not reply.attempts:
                return DeliveryResult("absent")
            if was_accepted(reply):
                return DeliveryResult("sent")
            if not reply.pending:
                return DeliveryResult("unknown" if reply.uncertain and not self._limits.repeats else "absent")
            if ended := await self._look_up(reply.pending[0]):
                return ended
        return DeliveryResult("wait", wait_ms=self._context.lease_ms, reason="too_many_rounds")

    async def _without_budget(self) -> DeliveryResult:
        """No retry now. Pending attempts are looked up all the same: one may have been accepted."""
        resolved = await self.resolve()
        return resolved if resolved.outcome != "absent" else self._too_late() or DeliveryResult("no_budget")

    def _too_late(self) -> DeliveryResult | None:
        return DeliveryResult("absent") if self._expired() else None

    def _ending(self) -> bool:
        return self._context.stopping.is_set() or self._cancelled

    async def _shielded_attempt(self) -> Sending | DeliveryResult:
        """One attempt in a task of its own; its answer is that of `_attempt`.

        A turn that is cancelled meanwhile waits for it, at most for the grace.
        """
        task: asyncio.Task[Sending | DeliveryResult] = asyncio.create_task(self._attempt())
        self._context.in_flight.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=self._context.settings.shutdown_grace_seconds)
            if not task.done():
                LOG.warning("A request stays without an answer", action="left_in_flight", reply=self._reply_id)
                raise
            self._cancelled = True  # no further request, but this one's outcome is still to be handled: the turn goes on to its end
            _uncancel()
            return task.result()

    def _done(self, task: asyncio.Task[Sending | DeliveryResult]) -> None:
        self._context.in_flight.discard(task)
        if not task.cancelled():
            task.exception()  # read, or asyncio prints it as never retrieved when the turn has stopped waiting

    async def _attempt(self) -> Sending | DeliveryResult:
        """Ask for a permit and, with it, make one request.

        The answer is a verdict, or how the delivery ended. Without a permit the verdict is the script's own. After a request it says in
        the same words what comes next: `look_up` when there was no answer, `sent` when an earlier attempt was accepted after all.
        """
        users = await self._judged()
        if users is None:
            return DeliveryResult("removed")
        if self._had_attempts and not self._budget.take():
            return DeliveryResult("no_budget")
        attempt_id = f"a-{uuid.uuid4().hex}"
        asked = elapsed()  # before the question: a permit's age counts from the earliest time at which it may have been given
        new = self._unstored_reply
        verdict = await (self._store(new, attempt_id, users) if new else self._ask_permit(attempt_id, users))
        if not isinstance(verdict, Sending) or verdict.outcome not in ("ok", "not_replicated") or verdict.attempt is None:
            if self._had_attempts:
                self._budget.give_back()
            return verdict
        if not (retry := self._had_attempts):
            self._budget.first()
        self._had_attempts = True  # before the request: whatever becomes of it, the next one is a retry
        try:
            provider_id = await self._request(attempt_id, asked, replicated=verdict.outcome == "ok")
        except (ProviderUnavailable, ProviderRefused, CredentialsRefused) as error:
            return await self._refused(attempt_id, error)
        except (OutcomeUnknown, TimeoutError) as error:
            return await self._unanswered(verdict.attempt, error)
        self._budget.succeeded(retry=retry)
        return after_acceptance(await self._record(attempt_id, "accepted", provider_id=provider_id))

    async def _refused(self, attempt_id: str, error: ProviderError) -> Sending:
        """Record that nothing was accepted, and raise the error, unless an earlier attempt was accepted after all."""
        if error.outage:
            self._budget.failed()
        outcome = await self._record(attempt_id, "refused", code=error.code)
        if outcome.state in _ACCEPTED:
            return Sending("sent")
        if not outcome.decided:
            error.tell_user = False  # an earlier attempt may have been accepted after all: the user is not told otherwise
        raise error

    async def _unanswered(self, attempt: Attempt, error: OutcomeUnknown | TimeoutError) -> Sending:
        """Record why there was no answer: the attempt stays pending, and is looked up before anything is repeated."""
        self._budget.failed()
        LOG.warning("A request got no answer", action="outcome_unknown", reply=self._reply_id, attempt=attempt.id, error=str(error))
        code = "timeout"
        if isinstance(error, OutcomeUnknown):
            code = f"http_{error.status}" if error.status and error.status >= SERVER_ERROR else error.code
            self._asked_wait_ms = retry_policy.asked_wait_ms(error.retry_after, self._context.settings)
        await self._record(attempt.id, "unknown", code=code)
        return Sending("look_up", attempt)

    async def _judged(self) -> int | None:
        """The version of the registry by which the reply's address is its person's, and the users file says so; None where it is not."""
        await self._context.look_at_users_file()
        users = self._context.users.version  # before the judgement: whatever that misses raises the version
        if not self._theirs():
            await self._context.learn()  # by who is known to the registry now
            users = self._context.users.version
        return users if self._theirs() else None

    async def _ask_permit(self, attempt_id: str, users: int) -> Sending:
        call = calls.sending(
            self._lease.conversation, self._lease.token, self._reply_id, attempt_id, limits=self._limits, users=users, wake=self._wake
        )  # fmt: skip
        return await self._context.mailbox.run(call)

    async def _store(self, new: PendingReply, attempt_id: str, users: int) -> Sending | DeliveryResult:
        """Store the reply, and ask for a permit in the same step unless the process is to end."""
        call = calls.store_reply(
            self._lease.conversation, self._lease.token, new.turn, self.command, limits=self._limits,
            attempt="" if self._ending() else attempt_id, users=users, figures=new.figures, settled=new.settled,
            answers=new.answers, thread=self._context.identities.thread(self.command.thread), question=new.question,
            approval=new.approval, answer=new.answer, wake=self._wake,
        )  # fmt: skip
        stored = await self._context.mailbox.run(call)
        self._unstored_reply = None
        if new.answer and stored.verdict:
            self._decided(new.answer.by_verdict[stored.verdict][0])
        if stored.outcome == "stored":
            return stored.permit or DeliveryResult("wait", reason="shutdown")
        if stored.outcome in ("finished", "text"):
            return DeliveryResult("closed", more=stored.more)
        return DeliveryResult("lease_lost" if stored.outcome == "lost" else "handed_over")

    def _decided(self, command: Response) -> None:
        """What is said to an answer was chosen by the script that took it."""
        self.command = self._sent = command
        self._lookup = AttemptLookup(self._context, self._lease, self._channel, self._reply_id, command)

    def _send_permit(self, attempt_id: str, asked: float) -> Callable[[], Awaitable[bool]]:
        """A function that says whether the request may be sent now. `asked` is when its permit was asked for.

        A permit that is too old is asked for again, which renews the attempt's time: a holder that stood still must not send beside its
        successor, nor after somebody looked the attempt up.
        """

        async def may_send() -> bool:
            nonlocal asked
            for _ in range(MAX_PERMITS):
                if elapsed() - asked < self._context.permit_ms / 1000:
                    return True
                asked, users = elapsed(), await self._judged()
                if users is None:
                    return False
                verdict = await self._ask_permit(attempt_id, users)
                if verdict.outcome == "users":
                    asked = -math.inf  # no permit, until it is asked for by who is known now
                    await self._context.learn()
                elif verdict.outcome != "ok":
                    return False
            return False

        return may_send

    async def _request(self, attempt_id: str, asked: float, *, replicated: bool) -> str:
        if not replicated:
            raise NotReplicated
        may_send = self._send_permit(attempt_id, asked)
        if not await may_send():
            raise PermitExpired
        async with asyncio.timeout(self._context.settings.send_timeout_seconds):
            try:
                with send_check(may_send):
                    return await self._context.channels[self._channel].send(self._sent, self._reply_id, attempt_id, self._pair)
            except ProviderError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of ours: whether the request left is not known
                LOG.error("A request failed in our own code", action="send_failed", reply=self._reply_id, **error_location(error))  # noqa: TRY400 - see `error_location`
                raise OutcomeUnknown("channel", type(error).__name__) from None

    async def _record(
        self, attempt_id: str, result: Literal["accepted", "refused", "unknown"], *, provider_id: str = "", code: str = ""
    ) -> Outcome:
        """Record an attempt's outcome, also without the lease; an accepted one finishes the turn."""
        lease = self._lease
        call = calls.outcome(
            self._reply_id, attempt_id, result, retention_ms=self._context.retention_ms, provider_id=provider_id, code=code,
            conversation=lease.conversation, token=lease.token, wake=self._wake,
        )  # fmt: skip
        return await self._context.mailbox.run(call)

    async def _look_up(self, attempt: Attempt) -> DeliveryResult | None:
        """Look an attempt up; None when it is not pending any more. Raises ProviderUnavailable when the provider does not answer."""
        looked = await self._lookup.look_up(attempt)
        if looked.outcome == "shown":
            return after_acceptance(await self._record(attempt.id, "accepted", provider_id=looked.provider_id))
        if looked.outcome == "wait":
            return DeliveryResult("wait", wait_ms=max(looked.wait_ms, self._asked_wait_ms), reason=looked.reason)
        return None


def _away(error: ProviderError | TimeoutError) -> ProviderUnavailable:
    """The error of a provider check: as it can send nothing, its unknown outcome is an outage too."""
    if isinstance(error, ProviderUnavailable):
        return error
    if isinstance(error, ProviderError):
        return ProviderUnavailable(error.provider, error.code, status=error.status, retry_after=error.retry_after)
    return ProviderUnavailable("channel", "timeout")


def _uncancel() -> None:
    if task := asyncio.current_task():
        task.uncancel()
