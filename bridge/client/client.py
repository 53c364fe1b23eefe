"""The Python client of the bridge: one connection that comes back by itself, and requests that outlive it.

    client = get_supervisor_client()
    await client.connect()
    reply = await client.send_sms_event("+15551234567", "+15559876543", "hello", "ada")
    await client.disconnect()

A request is repeated under its id after every reconnect until it is answered or its time is over: for the bridge it is
the same message. What a frame means is decided in `exchange` and `subscription`, when to come back in `reconnection`;
this module only moves frames between them and the connection (`session`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from bridge.client.connection import ClientSession, Times
from bridge.client.errors import BridgeClosed, BridgeError, BridgeRefused, BridgeUnavailable
from bridge.client.reconnect import ConnectionEnd, ReconnectPolicy
from bridge.client.requests import Frame, PendingRequest, PendingRequests
from bridge.client.subscription import ClientSubscription, LedgerEvent
from bridge.client.waiters import OnAcknowledged, Waiters, copy_of, result_at_timeout
from bridge.protocol.codes import ClientFrame, Close
from shared.config import settings as settings_file
from shared.errors import ConfigurationError
from shared.model import codec

REQUEST_SECONDS: Final = 10.0
MAX_NAME: Final = 64


class State(StrEnum):
    """What `on_state` hears."""

    CONNECTED = "connected"
    LOST = "lost"
    REFUSED = "refused"


OnState = Callable[[State], object]


class SupervisorClient:
    """One client of one bridge, used from one event loop; any number of tasks may send through it at once."""

    def __init__(
        self, url: str, token: str, *, name: str | None = None, on_state: OnState | None = None, times: Times | None = None
    ) -> None:
        """Nothing connects yet. Ids are scoped by `name`: whoever repeats one after a restart must come with the same name."""
        if urlsplit(url).scheme not in ("ws", "wss") or not urlsplit(url).hostname:
            raise ConfigurationError("SUPERVISOR_URL: must be a ws:// or wss:// address")
        self.url = url
        self.token = token
        self.name = (name or f"{socket.gethostname()}-{os.getuid()}")[:MAX_NAME]
        self.on_state = on_state
        self._times = times or Times()
        self._requests = PendingRequests()
        self._reconnection = ReconnectPolicy(self._times.first_wait, self._times.longest_wait)
        self._waiters = Waiters(self._repost)
        self._subscription: ClientSubscription | None = None
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._session: ClientSession | None = None
        self._runner: asyncio.Task[None] | None = None
        self._end: BridgeError | None = None

    async def connect(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the first project's interface
        """Begin to connect, and wait until the bridge took us.

        Raises BridgeRefused for a wrong token; BridgeUnavailable when nobody took us in time: then it is tried on until `disconnect`.
        """
        self._check()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="bridge-client")
        try:
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        except TimeoutError:
            raise BridgeUnavailable(f"no bridge took this client within {timeout:g} s") from None
        self._check()

    async def disconnect(self) -> None:
        """End for good: whoever waits gets BridgeClosed."""
        self._finish(BridgeClosed())
        runner = self._runner
        if runner is not None and not runner.done():
            runner.cancel()
            await asyncio.wait({runner}, timeout=2 * self._times.close)

    def is_ready(self) -> bool:
        """Whether the bridge has taken us and the connection stands."""
        return self._session is not None

    @property
    def ended(self) -> bool:
        """Whether it was told to end, or refused: it will not come back."""
        return self._end is not None

    async def send_sms_event(
        self, from_: str, to: str, message: str, user: str, *, id: str | None = None,  # noqa: A002 - the protocol's word
        timeout: float = REQUEST_SECONDS, on_acknowledged: OnAcknowledged | None = None,  # noqa: ASYNC109 - as above
    ) -> Frame:  # fmt: skip
        """Send a text and return the `send_sms_response` frame; see `_ask` for the rest."""
        fields = {"from": from_, "to": to, "message": message, "user": user}
        return await self._ask(ClientFrame.SMS, fields, id, timeout, on_acknowledged)

    async def send_email_event(
        self, from_: str, to: str, subject: str, body: str, user: str, *, message_id: str = "", in_reply_to: str = "",
        references: Sequence[str] = (), id: str | None = None, timeout: float = REQUEST_SECONDS,  # noqa: A002, ASYNC109 - as above
        on_acknowledged: OnAcknowledged | None = None,
    ) -> Frame:  # fmt: skip
        """Send a mail and return the `send_email_response` frame; ids are RFC 5322's, with brackets."""
        thread = {"message_id": message_id, "in_reply_to": in_reply_to, "references": list(references)}
        fields = {"from": from_, "to": to, "subject": subject, "body": body, "user": user}
        given = {name: value for name, value in thread.items() if value}
        return await self._ask(ClientFrame.EMAIL, {**fields, **given}, id, timeout, on_acknowledged)

    async def ping(self) -> float:
        """The seconds that a pong took. Raises BridgeUnavailable while not connected, RequestTimeout when none came."""
        self._check()
        if self._session is None:
            raise BridgeUnavailable("not connected")
        try:
            return await self._session.ping()
        except ConnectionError:
            raise BridgeUnavailable("the connection was lost") from None

    async def events(self, since: str | None = None, conversation: str | None = None) -> AsyncIterator[LedgerEvent]:
        """Lines of the ledger after `since` (None: from now on) until `disconnect`; over reconnects without a gap.

        An item with `resync` says that the bridge could not go on where we were. One subscription at a time.
        """
        self._check()
        if self._subscription is not None:
            raise BridgeError("this client has a subscription", code="already_subscribed")
        subscription = self._subscription = ClientSubscription(since, conversation)
        self._subscribe(subscription)
        try:
            while not isinstance(self._end, BridgeClosed):
                item = subscription.next()
                if item is not None:
                    yield item
                    continue
                self._check_subscription(subscription)
                self._news.clear()
                await self._news.wait()
        finally:
            self._subscription = None

    # Requests

    async def _ask(
        self, kind: ClientFrame, fields: dict[str, Any], request_id: str | None, patience: float, on_acknowledged: OnAcknowledged | None
    ) -> Frame:
        """Send a request and return its final answer, or the acknowledgement when only that came in time.

        Raises BridgeError with the bridge's code, or one of its subclasses: see `errors`.
        """
        self._check()
        if self._runner is None:
            raise BridgeUnavailable("connect() was not called")
        request = self._requests.open(kind, fields, request_id)
        try:
            with self._waiters.waiting(request, on_acknowledged) as answer:
                self._post(request)
                async with asyncio.timeout(patience):
                    return await answer
        except TimeoutError:
            return result_at_timeout(request, patience)
        finally:
            self._requests.forget(request)

    def _post(self, request: PendingRequest) -> None:
        """Send it now if there is a connection; a new connection sends all that wait."""
        if self._session is not None and self._requests.is_pending(request):
            request.sendings += 1
            self._session.send(lambda: request.text if self._requests.is_pending(request) else None)

    def _repost(self, request: PendingRequest, sendings: int) -> None:
        if request.sendings == sendings:
            self._post(request)

    def _subscribe(self, subscription: ClientSubscription) -> None:
        if self._session is not None and subscription is self._subscription:
            text = codec.dumps(subscription.ask())
            self._session.send(lambda: text)
            self._news.set()

    def _resubscribe(self, subscription: ClientSubscription, asks: int) -> None:
        if subscription.asks == asks:
            self._subscribe(subscription)

    def _check_subscription(self, subscription: ClientSubscription) -> None:
        """Nothing stands to be read: see whether that is the end, or time to ask for more."""
        self._check()
        if subscription.failure is not None:
            raise subscription.failure
        if subscription.wants_more():
            self._subscribe(subscription)

    # The connection

    async def _run(self) -> None:
        """Connect, again and again, until `disconnect` or a refusal."""
        try:
            while True:
                session = ClientSession(self.url, self.token, self.name, self._times)
                ended = await session.run(partial(self._up, session), self._take)
                self._down(ended)
                wait = self._reconnection.wait(ended)
                if wait is None:
                    raise BridgeRefused(f"closed with {ended.code}")  # noqa: TRY301 - one place says it to all
                await asyncio.sleep(wait)
        except BridgeRefused as refused:
            self._finish(refused)
        finally:
            self._finish(BridgeClosed("the client failed"))  # changes nothing after another end: nobody is left waiting

    def _up(self, session: ClientSession, welcome: Frame) -> None:
        limits = welcome.get("limits")
        for failed in self._requests.limit(limits.get("max_frame") if isinstance(limits, dict) else None):
            self._waiters.resolve(failed)
        self._session = session
        self._settled.set()
        for request in self._requests.waiting:
            self._post(request)
        if self._subscription is not None:
            self._subscribe(self._subscription)
        self._tell(State.CONNECTED)

    def _down(self, ended: ConnectionEnd) -> None:
        too_big = self._requests.closed_as_too_big() if ended.code == Close.TOO_BIG else None
        if too_big is not None:
            self._waiters.resolve(too_big)
        if self._session is not None:
            self._session = None
            self._settled.clear()
            self._tell(State.LOST)

    def _take(self, frame: Frame) -> None:
        """Every frame of an authenticated connection but pongs."""
        update = self._requests.receive(frame)
        if update is not None:
            self._waiters.resolve(update)
        elif self._subscription is not None:
            again = self._subscription.take(frame)
            if again is not None:
                asyncio.get_running_loop().call_later(again, self._resubscribe, self._subscription, self._subscription.asks)
            self._news.set()

    def _tell(self, state: State) -> None:
        if self.on_state is not None:
            asyncio.get_running_loop().call_soon(self.on_state, state)

    # The end

    def _finish(self, reason: BridgeError) -> None:
        """Once: everybody who waits hears the reason, and so does everybody who comes later."""
        if self._end is not None:
            return
        self._end = reason
        self._session = None
        self._settled.set()
        self._news.set()
        self._waiters.fail(reason)
        if isinstance(reason, BridgeRefused):
            self._tell(State.REFUSED)

    def _check(self) -> None:
        if self._end is not None:
            raise copy_of(self._end)


_shared: SupervisorClient | None = None


def get_supervisor_client(url: str | None = None, token: str | None = None) -> SupervisorClient:
    """The process's one client, made at the first call, and again after `disconnect`; by default as the settings say.

    Raises ConfigurationError when it is asked for another bridge than the one that it speaks with.
    """
    global _shared  # noqa: PLW0603 - one a process is what it is for
    if _shared is None or _shared.ended:
        if url is None or token is None:
            settings = settings_file.load()
            url, token = url or settings.bridge_url, token or settings.supervisor_token.get_secret_value()
        _shared = SupervisorClient(url, token)
    elif url not in (None, _shared.url) or token not in (None, _shared.token):
        raise ConfigurationError("this process has a bridge client with another address or token; disconnect that first")
    return _shared
