"""The sending loop: leave asked, one request made, its outcome recorded, and what is unknown looked up before it is repeated.

    sending ── ok ──────▶ request ── accepted ─▶ recorded, and the turn finished with it
       │                     ├────── refused ──▶ recorded ─▶ a ProviderError for the turn to judge
       │                     └────── no answer ─▶ stays unresolved ─┐
       ├─ look_up ◀─────────────────────────────────────────────────┘   not before its time + send timeout + margin
       ├─ short ──▶ renew once, ask again
       ├─ alone ──▶ recorded as refused, a ProviderUnavailable
       └─ opted_out, paused, sent, lost: nothing left to do here

A reply that is new is stored with the first asking for leave: one step for both, and one for recording and finishing, so that a
turn without troubles costs three round trips with its claim. Asking for leave, the request and the recording of its outcome are
one task, shielded from the turn's own cancellation: a request that left is waited for at shutdown, and its outcome is recorded
even by a holder that lost its lease.

Where Redis has replicas, no request is made before one of them has the attempt: a failover then finds it, and has it looked up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from shared import telemetry
from shared.errors import CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.events import Response
from shared.mailbox import calls
from shared.mailbox.types import Attempt, Outcome, Reply, ReplyState, Sending, Turn, Wake
from supervisor_worker import limits
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.faults import named
from supervisor_worker.lease import Lease
from supervisor_worker.supervisor import Supervisor

LOG: Final = telemetry.logger(__name__)
MAX_ROUNDS: Final = 20
_TAKEN: Final = (ReplyState.SENT, ReplyState.DELIVERED, ReplyState.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How delivering ended.

    `sent`: finish the turn. `closed`: a script ended it, `more` says whether messages remain. `lost`: end silently.
    `wait`: give the lease up for `wait_ms`, uncounted. `absent`: everything is resolved, nothing was taken, and it is
    too late, or not wanted, to try again. `handed_over`: the reply was not stored, a message of its turn is answered elsewhere.
    """

    outcome: Literal["sent", "closed", "lost", "wait", "absent", "handed_over"]
    more: bool = False
    wait_ms: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """What is stored with a reply that is not stored yet."""

    turn: Turn
    figures: dict[str, int | str]


class Delivery:
    """One reply on its way out.

    `expired` says whether an outage has lasted too long to try again; `wake` is the next job, should messages remain.
    """

    def __init__(
        self, supervisor: Supervisor, lease: Lease, reply_id: str, command: Response, *, expired: Callable[[], bool], wake: Wake = ()
    ) -> None:
        self._supervisor = supervisor
        self._lease = lease
        self._reply_id = reply_id
        self._command = command
        self._expired = expired
        self._wake = wake
        self._new: New | None = None
        self._cancelled = False

    async def deliver(self, new: New | None = None) -> Delivered:
        """Send the reply, which is stored first when it is `new`, or say why not.

        Raises ProviderUnavailable, ProviderRefused or CredentialsRefused, all of them recorded.
        """
        self._new = new
        renewed = False
        for _ in range(MAX_ROUNDS):
            if self._new is None and self._ending():
                return Delivered("wait", reason="shutdown")
            verdict = await self._in_flight()
            if isinstance(verdict, Delivered):
                return verdict
            if verdict.outcome == "short" and not renewed:
                renewed = True
                if not await self._lease.renew():
                    return Delivered("lost")
            elif verdict.outcome == "look_up" and verdict.attempt:
                ended = await self._look_up(verdict.attempt) or (Delivered("absent") if self._expired() else None)
                if ended:
                    return ended
            else:
                return _ended(verdict)
        return Delivered("wait", wait_ms=self._supervisor.lease_ms, reason="too_many_rounds")

    async def resolve(self) -> Delivered:
        """Look up whatever is unresolved, and send nothing: `sent`, `absent`, or `wait`."""
        for _ in range(MAX_ROUNDS):
            reply = await self._supervisor.mailbox.reply(self._reply_id)
            if reply is None or was_taken(reply) or not reply.unresolved:
                return Delivered("sent" if reply and was_taken(reply) else "absent")
            if ended := await self._look_up(reply.unresolved[0]):
                return ended
        return Delivered("wait", wait_ms=self._supervisor.lease_ms, reason="too_many_rounds")

    def _ending(self) -> bool:
        return self._supervisor.stopping.is_set() or self._cancelled

    async def _in_flight(self) -> Sending | Delivered:
        """One attempt as a task of its own. A turn that is cancelled meanwhile waits for it as long as the grace lasts."""
        task: asyncio.Task[Sending | Delivered] = asyncio.create_task(self._attempt())
        self._supervisor.in_flight.add(task)
        task.add_done_callback(self._landed)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=self._supervisor.settings.shutdown_grace_seconds)
            if not task.done():
                LOG.warning("A request stays without an answer", action="left_in_flight", reply=self._reply_id)
                raise
            self._cancelled = True
            _uncancel()
            return task.result()

    def _landed(self, task: asyncio.Task[Sending | Delivered]) -> None:
        self._supervisor.in_flight.discard(task)
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not print what nobody waits for any more

    async def _attempt(self) -> Sending | Delivered:
        """Ask for leave and, with it, make one request.

        The answer is a verdict, with `look_up` for an unknown outcome, or how delivering ended.
        """
        attempt_id = f"a-{uuid.uuid4().hex}"
        asked = self._lease.now_ms()
        verdict = await (self._store(self._new, attempt_id) if self._new else self._ask(attempt_id))
        if not isinstance(verdict, Sending) or verdict.outcome not in ("ok", "alone") or verdict.attempt is None:
            return verdict
        try:
            provider_id = await self._request(attempt_id, asked, replicated=verdict.outcome == "ok")
        except (ProviderUnavailable, ProviderRefused, CredentialsRefused) as error:
            outcome = await self._record(attempt_id, "refused", code=error.code)
            if outcome.state in _TAKEN:
                return Sending("sent")
            if not outcome.decided:
                error.sentence = ""  # an earlier attempt may have been taken after all: do not tell the user otherwise
            raise
        except (OutcomeUnknown, TimeoutError) as error:
            LOG.warning("A request got no answer", action="outcome_unknown", reply=self._reply_id, attempt=attempt_id, error=str(error))
            return Sending("look_up", verdict.attempt)
        return _closed(await self._record(attempt_id, "accepted", provider_id=provider_id))

    async def _ask(self, attempt_id: str) -> Sending:
        call = calls.sending(
            self._lease.conversation, self._lease.token, self._reply_id, attempt_id, limits=self._supervisor.leave, wake=self._wake
        )
        return await self._supervisor.mailbox.run(call)

    async def _store(self, new: New, attempt_id: str) -> Sending | Delivered:
        """Store the reply, and ask for leave in the same step unless the process ends."""
        call = calls.store_reply(
            self._lease.conversation, self._lease.token, new.turn, self._command, limits=self._supervisor.leave,
            attempt="" if self._ending() else attempt_id, figures=new.figures, wake=self._wake,
        )  # fmt: skip
        stored = await self._supervisor.mailbox.run(call)
        self._new = None
        if stored.outcome == "stored":
            return stored.leave or Delivered("wait", reason="shutdown")
        if stored.outcome == "finished":
            return Delivered("closed", more=stored.more)
        return Delivered(stored.outcome)

    async def _request(self, attempt_id: str, asked: int, *, replicated: bool) -> str:
        if not replicated:
            raise ProviderUnavailable("redis", "not_replicated")  # a new master would not know of this attempt, and send a second copy
        if self._lease.now_ms() - asked > self._supervisor.margin_ms:
            raise ProviderUnavailable("redis", "slow_leave")  # the attempt's time runs from the first asking, and others count on it
        async with asyncio.timeout(self._supervisor.settings.send_timeout_seconds):
            try:
                return await self._channel().send(self._command, self._reply_id, attempt_id)
            except ProviderError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of ours: whether the request left is not known
                LOG.error("A request failed in our own code", action="send_failed", reply=self._reply_id, **named(error))  # noqa: TRY400 - see `faults`
                raise OutcomeUnknown("channel", type(error).__name__) from None

    async def _record(
        self, attempt_id: str, result: Literal["accepted", "refused", "absent"], *, provider_id: str = "", code: str = ""
    ) -> Outcome:
        """Write down what became of an attempt, lease or no lease; an accepted one finishes the turn."""
        lease = self._lease
        call = calls.outcome(
            self._reply_id, attempt_id, result, retention_ms=self._supervisor.retention_ms, provider_id=provider_id, code=code,
            conversation=lease.conversation, token=lease.token, wake=self._wake,
        )  # fmt: skip
        return await self._supervisor.mailbox.run(call)

    async def _look_up(self, attempt: Attempt) -> Delivered | None:
        """Ask the provider about an attempt; None when it is resolved now. ProviderUnavailable when the provider does not answer."""
        settled = attempt.at + self._supervisor.send_ms + self._supervisor.margin_ms
        if (early := settled - self._lease.now_ms()) > 0:
            return Delivered("wait", wait_ms=early, reason="outcome_unknown")
        found = await self._listed(attempt)
        if found is None:
            if (early := attempt.at + self._event_wait_ms() - self._lease.now_ms()) > 0:
                step = limits.scaled_ms(limits.EVENT_STEP, self._supervisor.settings)
                return Delivered("wait", wait_ms=min(early, step), reason="event_awaited")
            found = []
        elsewhere = await self._supervisor.mailbox.known_elsewhere(found, self._reply_id)
        fresh = [provider_id for provider_id in found if provider_id not in elsewhere]
        if fresh:
            return _closed(await self._record(attempt.id, "accepted", provider_id=fresh[0]))
        await self._record(attempt.id, "absent")
        return None

    async def _listed(self, attempt: Attempt) -> list[str] | None:
        try:
            async with asyncio.timeout(self._supervisor.settings.send_timeout_seconds):
                return await self._lease.hold(self._channel().find(self._command, attempt))
        except TimeoutError:
            raise ProviderUnavailable("channel", "list_timeout") from None

    def _event_wait_ms(self) -> int:
        return int(self._supervisor.settings.email_event_wait_seconds * 1000)

    def _channel(self) -> ChannelPort:
        return self._supervisor.channels["sms" if self._command.type == "send_sms_response" else "email"]


def _closed(outcome: Outcome) -> Delivered:
    """An attempt was taken: the turn is finished, unless somebody else holds the lease."""
    if outcome.closed is None or outcome.closed.outcome == "lost":
        return Delivered("sent")
    return Delivered("closed", more=outcome.closed.outcome == "more")


def _ended(verdict: Sending) -> Delivered:
    if verdict.outcome == "sent":
        return Delivered("sent")
    if verdict.outcome in ("opted_out", "paused"):
        return Delivered("closed", more=verdict.more and verdict.outcome == "opted_out")
    if verdict.outcome == "short":
        return Delivered("wait", reason="lease_too_short")
    return Delivered("lost")


def was_taken(reply: Reply) -> bool:
    """Whether the provider is known to have taken the reply."""
    return any(attempt.outcome == "accepted" for attempt in reply.attempts)


def _uncancel() -> None:
    if task := asyncio.current_task():
        task.uncancel()
