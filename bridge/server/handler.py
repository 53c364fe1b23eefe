"""One client, from its first frame to its last. `ServerSession` decides about frames; this module performs what it decides.

A connection::

    OPEN --right token, and not too many clients--> AUTHENTICATED --either side closes--> CLOSED
      |                                                                                     ^
      +--wrong token (1008), too many clients (1013), no `auth` in BRIDGE_AUTH_SECONDS (1008)+

A request on it. `request.stored` and `request.answer` hold its state, `_queue` those that are not stored yet::

               _enqueue           _store                          message ended: `ended`
    frame ------------> QUEUED ------------> STORING -----------> STORED -----------> ANSWERED
                          |                     |                   |                     ^
                          |                     |                   +--hand-over----------+
                          |                     +--not stored-----------------------------+
                          +--timed out----------------------------------------------------+

- *Hand-over*: shortly before the answer is due, a STORED message is handed over to the client, so that nobody else answers it.
- *Not stored*: the request was rejected, or Redis is away. It fails.
- *Timed out*: the answer is due and the request is not STORED. It fails.

Hand-over and time-out are for a request without an id alone: it gets exactly one answer within BRIDGE_ANSWER_SECONDS. A request with an
id has no deadline: its client repeats it, at this connection or another, and gets the reply when it is there.

A request without an id that failed may turn out to be stored: its store was still under way when it timed out, or the store's answer was
lost. Its client was told that it failed, and does not ask again. So the handover queue hands it over, and no worker answers it.

The reader never waits for the mailbox, so that a ping is answered while requests are being stored. One client's requests are stored
one after the other: their order in the mailbox is the client's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis.exceptions import RedisError
from websockets.exceptions import ConnectionClosed

from bridge.protocol.codes import Close, ErrorCode
from bridge.protocol.frames import Auth, MessageContent, Subscribe
from bridge.protocol.server_session import CloseConnection, MessageOutcome, MessageRequest, ServerSession, SessionLimits
from bridge.server.connection import BridgeConnection
from bridge.server.connection_limits import ConnectionLimiter
from bridge.server.handover import HandoverQueue
from bridge.server.ledger_follower import LedgerFollower
from bridge.server.submit import NotTried, Submitter, event_of, same_content
from bridge.server.subscription import ServerSubscription
from shared.errors import BadInput, StorageUnavailable
from shared.model.events import Received
from shared.observability import logs
from shared.runtime import Runtime
from shared.security.password import ThrottledSecret, source_of

LOG: Final = logs.logger(__name__)
YIELD_AFTER_FRAMES: Final = 64
"""A client whose frames are all here already would otherwise keep the loop from the other clients."""
MAX_QUEUED_CHARACTERS: Final = 262_144
"""Characters of one client's requests that may wait to be stored; with more, none of its frames is read."""
HANDOVER_SECONDS: Final = 0.5
"""How long before its answer is due a message is handed over, at most a tenth of the whole time."""


@dataclass(slots=True)
class Bridge:
    """What all clients share."""

    runtime: Runtime
    limits: SessionLimits
    limiter: ConnectionLimiter[BridgeConnection]
    token: ThrottledSecret
    submitter: Submitter
    follower: LedgerFollower
    handovers: HandoverQueue
    ending: bool = False


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request that is not stored yet. `size` is its frame's, in characters; `since` is in seconds of the monotonic clock."""

    request: MessageRequest
    content: MessageContent
    size: int
    since: float


class ClientHandler:
    """Serves one client."""

    __slots__ = ("_bridge", "_closed", "_connection", "_queue", "_queued_characters", "_session", "_store_task", "_subscription_task")

    def __init__(self, bridge: Bridge, connection: BridgeConnection) -> None:
        """The connection is open."""
        self._bridge = bridge
        self._connection = connection
        self._session = ServerSession(bridge.limits, time.monotonic(), _nonce)
        self._queue: deque[QueuedRequest] | None = None  # there while `_store_task` runs; an empty one takes 600 bytes a client
        self._queued_characters = 0
        self._store_task: asyncio.Task[None] | None = None
        self._subscription_task: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self) -> None:
        """Serve until one side closes."""
        deadline = self._connection.loop.call_later(self._bridge.runtime.settings.bridge_auth_seconds, self._authentication_timed_out)
        try:
            with suppress(ConnectionClosed):  # the normal end of every connection
                await self._read_frames(deadline)
        finally:
            deadline.cancel()
            self._close()

    async def _read_frames(self, deadline: asyncio.TimerHandle) -> None:
        connection, receive = self._connection, self._session.receive
        frames = 0
        while True:
            text = await connection.recv()
            decision = receive(text, time.monotonic())
            if type(decision) is str:  # first, because it is the most frequent: a pong
                connection.send_nowait(decision)
            elif isinstance(decision, Auth):
                deadline.cancel()  # it has come in time, however long it is delayed for others' wrong tokens
                await self._authenticate(decision)
            elif decision is not None:
                await self._act(decision, len(text))
            if connection.paused:  # a client that does not read its answers gets no more of them
                await connection.wait_drained()
            frames += 1
            if not frames % YIELD_AFTER_FRAMES:
                await asyncio.sleep(0)

    async def _act(self, decision: Subscribe | MessageRequest | CloseConnection | str, size: int) -> None:
        if isinstance(decision, MessageRequest):
            await self._enqueue(decision, size)
        elif isinstance(decision, Subscribe):
            self._subscribe(decision)
        elif isinstance(decision, CloseConnection):
            LOG.info("Sent a client away.", action="client_closed", reason=decision.reason)
            await self._connection.close(decision.code, decision.reason)

    # Authentication

    async def _authenticate(self, auth: Auth) -> None:
        token, source = self._bridge.token, source_of(self._connection.remote_host)
        if delay := token.delay(source, time.monotonic()):
            await asyncio.sleep(delay)  # before the token is compared, so that a right one takes as long as a wrong one
        if not token.verify(auth.token, source, time.monotonic()):
            LOG.warning("A client has another token.", action="token_refused")
            self._connection.send_nowait(self._session.reject(auth))
            await self._connection.close(Close.POLICY, "wrong token")
        elif not self._bridge.limiter.add_authenticated(self._connection):  # after the token: strangers take no place
            LOG.warning("The bridge is full.", action="bridge_full")
            self._session.closed = True
            await self._connection.close(Close.OVERLOADED, "too many connections")
        else:
            self._connection.send_nowait(self._session.accept(auth))

    def _authentication_timed_out(self) -> None:
        self._session.closed = True
        self._connection.close_nowait(Close.POLICY, "not authenticated in time")

    def _subscribe(self, subscribe: Subscribe) -> None:
        if self._subscription_task is not None:  # a client has one subscription: the second replaces the first
            self._subscription_task.cancel()
        subscription = ServerSubscription(self._bridge.follower, self._connection, subscribe)
        self._subscription_task = asyncio.create_task(subscription.run())

    # From a frame to the mailbox: QUEUED and STORING

    async def _enqueue(self, request: MessageRequest, size: int) -> None:
        """Queue a request; the reader waits only while too much is queued."""
        if self._bridge.ending or request.content is None:
            return
        # Before the message is stored: a worker may answer it before the store's own answer is here.
        self._bridge.follower.add_listener(request.message_id, self)
        if not request.id:
            self._set_deadline(request)
        if self._queue is None:
            self._queue = deque()
        self._queue.append(QueuedRequest(request, request.content, size, time.monotonic()))
        self._queued_characters += size
        if self._store_task is None:
            self._store_task = asyncio.create_task(self._store_queued())
        if self._queued_characters > MAX_QUEUED_CHARACTERS:
            await asyncio.wait([self._store_task])

    def _set_deadline(self, request: MessageRequest) -> None:
        """Two timers, because the hand-over asks Redis, and the answer is due even if Redis does not answer."""
        limit = self._bridge.limits.answer_seconds
        margin = min(HANDOVER_SECONDS, limit / 10)
        loop = self._connection.loop
        loop.call_later(limit - margin, self._start_handover, request)
        loop.call_later(limit - margin / 5, self._answer_at_deadline, request)

    async def _store_queued(self) -> None:
        while self._queue:
            queued = self._queue.popleft()
            request = queued.request
            try:
                await self._store(request, queued)
            except Exception:  # a fault of ours: this client hears of it, and its next request is stored
                LOG.exception("A request failed.", action="request_failed", message=request.message_id)
                self._send(request, self._session.failed(request, ErrorCode.STORAGE_UNAVAILABLE))
            self._queued_characters -= queued.size
        self._queue = self._store_task = None

    async def _store(self, request: MessageRequest, queued: QueuedRequest) -> None:
        if request.answer is not None or self._bridge.ending:  # timed out while it was QUEUED: nothing of it may get into the mailbox
            return
        try:
            event, accepted = await self._bridge.submitter.submit(
                partial(event_of, request, queued.content, at=time.time()), queued.since
            )  # fmt: skip
        except BadInput as error:
            self._send(request, self._session.failed(request, error.code))
        except StorageUnavailable as error:
            self._not_stored(request, tried=not isinstance(error, NotTried))
        else:
            if accepted.outcome == "ignored":
                self._send(request, self._session.failed(request, accepted.reason))
            elif accepted.outcome == "duplicate" and request.id:
                await self._repeated(request, event)
            else:  # a duplicate without an id is this very request: its first attempt was stored and its answer lost
                self._stored(request)

    def _stored(self, request: MessageRequest) -> None:
        if request.answer is not None:  # timed out while it was STORING: its client was told that it failed
            self._bridge.handovers.add(request.message_id)
            return
        self._bridge.follower.stored(request.message_id)
        self._send(request, self._session.stored(request, time.time()))

    def _not_stored(self, request: MessageRequest, *, tried: bool) -> None:
        """Redis did not say that the message is stored. If it was `tried`, it may be stored all the same."""
        if tried and not request.id:  # with an id the client repeats it; without one nobody must answer it
            self._bridge.handovers.add(request.message_id)
        self._send(request, self._session.failed(request, ErrorCode.STORAGE_UNAVAILABLE))

    async def _repeated(self, request: MessageRequest, event: Received) -> None:
        """The mailbox knows this id: as the same message, whose reply may be there, or as another message."""
        follower, message = self._bridge.follower, request.message_id
        try:
            (record,) = await follower.mailbox.messages([message])
            outcome = (await follower.outcomes([message]))[message]
        except (RedisError, OSError):
            self._not_stored(request, tried=True)
            return
        stored = record.event if record else None
        if not same_content(stored, event):
            self._send(request, self._session.failed(request, ErrorCode.ID_REUSED))
        elif outcome is not None and stored is None:  # ignored when it came, or its record has expired: there is nothing to acknowledge
            self._send(request, self._session.failed(request, outcome.code))
        else:
            self._stored(request)
            if outcome is not None:  # its line in the ledger is past, so the follower would tell no sooner than its next poll
                self.ended(message, outcome)

    # How a request is ANSWERED: by the message's end, by the hand-over, or at the deadline

    def ended(self, message: str, outcome: MessageOutcome) -> None:
        """A message has its outcome: called by the follower, once or more."""
        request = self._session.request_of(message)
        if request is not None:
            self._send(request, self._session.ended(request, outcome))

    def _send(self, request: MessageRequest, answers: tuple[str, ...]) -> None:
        """Send what the session decided about a request; stop listening for the message when no request waits for it."""
        for text in answers:
            self._connection.send_nowait(text)
        if self._session.request_of(request.message_id) is None:
            self._bridge.follower.remove_listener(request.message_id, self)

    def _start_handover(self, request: MessageRequest) -> None:
        # Not once the client has left: then its message is answered in the mailbox and kept.
        if request.answer is None and request.stored and not self._closed:
            task = asyncio.create_task(self._hand_over(request))
            task.add_done_callback(_log_failure)

    async def _hand_over(self, request: MessageRequest) -> None:
        """The message becomes the client's own, unless its reply is there already."""
        message = request.message_id
        try:
            state = await self._bridge.handovers.hand_over(message)
            outcome = None if state == "handed_over" else (await self._bridge.follower.outcomes([message]))[message]
        except (RedisError, OSError):  # `_answer_at_deadline` acknowledges it in time, so it has to be handed over when Redis is back
            self._bridge.handovers.add(message)
            return
        if state == "handed_over":
            self._answer_at_deadline(request)
        elif outcome is not None:  # the reply was stored, and its line is still on its way through the ledger
            self.ended(message, outcome)

    def _answer_at_deadline(self, request: MessageRequest) -> None:
        """The answer is due now: an acknowledgement of a STORED message, else an error."""
        if not self._closed:
            self._send(request, self._session.overdue(request, time.time()))

    def _close(self) -> None:
        """A store under way goes on: what the client has sent is stored and answered, and the answer kept for it."""
        self._closed = self._session.closed = True
        if self._subscription_task is not None:
            self._subscription_task.cancel()
        for message in self._session.messages():
            self._bridge.follower.remove_listener(message, self)


def _nonce() -> str:
    return secrets.token_hex(12)


def _log_failure(task: asyncio.Task[None]) -> None:
    """Nobody awaits a handover: its error is logged here, without its message, which may hold a user's text."""
    if not task.cancelled() and (error := task.exception()):
        LOG.error("A hand-over failed.", action="hand_over_failed", error=type(error).__name__)
