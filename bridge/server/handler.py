"""One client, from its first frame to its last: what the session decides is done here.

The reader never waits for the mailbox: a ping is answered while requests are being stored. Those are stored one after the
other, so that their order is the client's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError
from websockets.exceptions import ConnectionClosed

from bridge.protocol.codes import Close, ErrorCode
from bridge.protocol.frames import Auth, MessageContent, Subscribe
from bridge.protocol.server_session import CloseConnection, MessageOutcome, MessageRequest, ServerSession, SessionLimits
from bridge.server.connection import BridgeConnection
from bridge.server.connection_limits import Door
from bridge.server.handover import HandOvers
from bridge.server.ledger_follower import Following
from bridge.server.submit import NotTried, Submitter, event_of, same_content
from bridge.server.subscription import ServerSubscription
from shared.errors import BadInput, StorageUnavailable
from shared.model.events import Received
from shared.observability import logs as telemetry
from shared.runtime import Runtime
from shared.security.password import Guesses, direction_of

LOG: Final = telemetry.logger(__name__)
TURN: Final = 64
"""After so many frames of one client the others have their turn, too."""
MAX_UNSTORED: Final = 262_144
"""Characters of requests that may wait for the storage before nothing more is read from that client."""
HAND_OVER_SECONDS: Final = 0.5
"""How long before its answer is due a message is handed over, at most a tenth of the whole time."""


@dataclass(slots=True)
class Bridge:
    """What all clients share."""

    runtime: Runtime
    limits: SessionLimits
    door: Door[BridgeConnection]
    guesses: Guesses
    submitter: Submitter
    following: Following
    hand_overs: HandOvers
    ending: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that is to be stored: its words, the size of its frame in characters, and since when it waits."""

    request: MessageRequest
    content: MessageContent
    size: int
    since: float


class Dialogue:
    """The talk with one client."""

    __slots__ = ("_bridge", "_connection", "_over", "_session", "_storing", "_subscription", "_to_store", "_unstored")

    def __init__(self, bridge: Bridge, connection: BridgeConnection) -> None:
        """The connection is open."""
        self._bridge = bridge
        self._connection = connection
        self._session = ServerSession(bridge.limits, time.monotonic(), _nonce)
        self._to_store: deque[Waiting] | None = None
        self._unstored = 0
        self._storing: asyncio.Task[None] | None = None
        self._subscription: asyncio.Task[None] | None = None
        self._over = False

    async def run(self) -> None:
        """Talk until one side ends it."""
        patience = self._connection.loop.call_later(self._bridge.runtime.settings.bridge_auth_seconds, self._too_late)
        try:
            with suppress(ConnectionClosed):  # how every talk ends
                await self._listen(patience)
        finally:
            patience.cancel()
            self._end()

    async def _listen(self, patience: asyncio.TimerHandle) -> None:
        connection, receive = self._connection, self._session.receive
        frames = 0
        while True:
            text = await connection.recv()
            decision = receive(text, time.monotonic())
            if type(decision) is str:
                connection.say(decision)
            elif isinstance(decision, Auth):
                patience.cancel()
                await self._authenticate(decision)
            elif decision is not None:
                await self._do(decision, len(text))
            if connection.paused:
                await connection.flow()
            frames += 1
            if not frames % TURN:
                await asyncio.sleep(0)

    async def _do(self, decision: Subscribe | MessageRequest | CloseConnection | str, size: int) -> None:
        if isinstance(decision, MessageRequest):
            await self._take(decision, size)
        elif isinstance(decision, Subscribe):
            self._subscribe(decision)
        elif isinstance(decision, CloseConnection):
            LOG.info("Sent a client away.", action="client_closed", reason=decision.reason)
            await self._connection.close(decision.code, decision.reason)

    async def _authenticate(self, auth: Auth) -> None:
        guesses, direction = self._bridge.guesses, direction_of(self._connection.remote_host)
        if hold := guesses.hold(direction, time.monotonic()):
            await asyncio.sleep(hold)
        if not guesses.right(auth.token, direction, time.monotonic()):
            LOG.warning("A client has another token.", action="token_refused")
            self._connection.say(self._session.reject(auth))
            await self._connection.close(Close.POLICY, "wrong token")
        elif not self._bridge.door.enter(self._connection):
            LOG.warning("The bridge is full.", action="bridge_full")
            self._session.closed = True
            await self._connection.close(Close.OVERLOADED, "too many connections")
        else:
            self._connection.say(self._session.accept(auth))

    def _too_late(self) -> None:
        """No `auth` in time."""
        self._session.closed = True
        self._connection.turn_away(Close.POLICY, "not authenticated in time")

    def _subscribe(self, wish: Subscribe) -> None:
        if self._subscription is not None:
            self._subscription.cancel()
        subscription = ServerSubscription(self._bridge.following, self._connection, wish)
        self._subscription = asyncio.create_task(subscription.run())

    async def _take(self, request: MessageRequest, size: int) -> None:
        """Put a request into the line to the storage; the reader waits only while too much stands there."""
        if self._bridge.ending or request.content is None:
            return
        self._bridge.following.listen(request.message_id, self)
        if not request.id:
            self._set_deadline(request)
        if self._to_store is None:
            self._to_store = deque()
        self._to_store.append(Waiting(request, request.content, size, time.monotonic()))
        self._unstored += size
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        if self._unstored > MAX_UNSTORED:
            await asyncio.wait([self._storing])

    def _set_deadline(self, request: MessageRequest) -> None:
        """One answer within the limit: the reply, or, when there is none yet, that the client has the message now."""
        limit = self._bridge.limits.answer_seconds
        margin = min(HAND_OVER_SECONDS, limit / 10)
        loop = self._connection.loop
        loop.call_later(limit - margin, self._begin_hand_over, request)
        loop.call_later(limit - margin / 5, self._overdue, request)

    async def _store_all(self) -> None:
        while self._to_store:
            waiting = self._to_store.popleft()
            request = waiting.request
            try:
                await self._store(request, waiting)
            except Exception:
                LOG.exception("A request failed.", action="request_failed", message=request.message_id)
                self._tell(request, self._session.failed(request, ErrorCode.STORAGE_UNAVAILABLE))
            self._unstored -= waiting.size
        self._to_store = self._storing = None

    async def _store(self, request: MessageRequest, waiting: Waiting) -> None:
        if request.answer is not None or self._bridge.ending:
            return
        try:
            event = event_of(request, waiting.content, self._bridge.runtime.users, time.time())
            accepted = await self._bridge.submitter.submit(event, waiting.since)
        except BadInput as error:
            self._tell(request, self._session.failed(request, error.code))
        except StorageUnavailable as error:
            self._not_stored(request, tried=not isinstance(error, NotTried))
        else:
            if accepted.outcome == "ignored":
                self._tell(request, self._session.failed(request, accepted.reason))
            elif accepted.outcome == "duplicate" and request.id:
                await self._repeated(request, event)
            else:
                self._stored(request)

    def _stored(self, request: MessageRequest) -> None:
        if request.answer is not None:  # its time was up while it was being stored, and the client has heard that it failed
            self._bridge.hand_overs.later(request.message_id)
            return
        self._bridge.following.stored(request.message_id)
        self._tell(request, self._session.stored(request, time.time()))

    def _not_stored(self, request: MessageRequest, *, tried: bool) -> None:
        """A client without ids does not ask again: if the message was stored after all, nobody is to answer it."""
        if tried and not request.id:
            self._bridge.hand_overs.later(request.message_id)
        self._tell(request, self._session.failed(request, ErrorCode.STORAGE_UNAVAILABLE))

    async def _repeated(self, request: MessageRequest, event: Received) -> None:
        """The mailbox knows this id: the same message, whose answer may be there, or another's."""
        following, message = self._bridge.following, request.message_id
        try:
            (record,) = await following.mailbox.messages([message])
            outcome = (await following.outcomes([message]))[message]
        except (RedisError, OSError):
            self._not_stored(request, tried=True)
            return
        stored = record.event if record else None
        if not same_content(stored, event):
            self._tell(request, self._session.failed(request, ErrorCode.ID_REUSED))
        elif outcome is not None and stored is None:  # it was never taken, or nothing of it is kept
            self._tell(request, self._session.failed(request, outcome.code))
        else:
            self._stored(request)
            if outcome is not None:
                self.ended(message, outcome)

    def ended(self, message: str, outcome: MessageOutcome) -> None:
        """A message has come to its end."""
        request = self._session.request_of(message)
        if request is not None:
            self._tell(request, self._session.ended(request, outcome))

    def _tell(self, request: MessageRequest, answers: tuple[str, ...]) -> None:
        for text in answers:
            self._connection.say(text)
        if self._session.request_of(request.message_id) is None:
            self._bridge.following.forget(request.message_id, self)

    def _begin_hand_over(self, request: MessageRequest) -> None:
        if request.answer is None and request.stored and not self._over:
            task = asyncio.create_task(self._hand_over(request))
            task.add_done_callback(_look_at)

    async def _hand_over(self, request: MessageRequest) -> None:
        """The client's patience ends: the message becomes its own, unless the reply is there."""
        message = request.message_id
        try:
            state = await self._bridge.hand_overs.now(message)
            outcome = None if state == "handed_over" else (await self._bridge.following.outcomes([message]))[message]
        except (RedisError, OSError):
            self._bridge.hand_overs.later(message)
            return
        if state == "handed_over":
            self._overdue(request)
        elif outcome is not None:
            self.ended(message, outcome)

    def _overdue(self, request: MessageRequest) -> None:
        """The answer is due now, whatever it is."""
        if not self._over:
            self._tell(request, self._session.overdue(request, time.time()))

    def _end(self) -> None:
        self._over = self._session.closed = True
        if self._subscription is not None:
            self._subscription.cancel()
        for message in self._session.messages():
            self._bridge.following.forget(message, self)


def _nonce() -> str:
    return secrets.token_hex(12)


def _look_at(task: asyncio.Task[None]) -> None:
    """An error that nobody awaits is said at once, without its words."""
    if not task.cancelled() and (error := task.exception()):
        LOG.error("A hand-over failed.", action="hand_over_failed", error=type(error).__name__)
