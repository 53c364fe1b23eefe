"""The Python client of the bridge: it reconnects by itself, and its requests outlive a connection.

    client = get_supervisor_client()
    await client.connect()
    reply = await client.send_sms_event("+15551234567", "+15559876543", "hello", "ada")
    await client.disconnect()

A request is sent again under its id after every reconnect until it is answered or its time is over: to the bridge it is the same
message. `requests` and `subscription` decide what a frame means, `reconnect` when to connect again; this module moves frames between
them and the connection.
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
from shared.config.loading import load_settings
from shared.errors import ConfigurationError
from shared.model import codec

REQUEST_SECONDS: Final = 10.0
MAX_NAME: Final = 64


class State(StrEnum):
    """What `on_state` is called with."""

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
        self._waiters = Waiters(self._send_again)
        self._subscription: ClientSubscription | None = None
        self._ledger_changed = asyncio.Event()
        self._open_or_ended = asyncio.Event()
        self._session: ClientSession | None = None
        self._runner: asyncio.Task[None] | None = None
        self._end_reason: BridgeError | None = None

    async def connect(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the first project's interface
        """Start to connect, and wait until the bridge has accepted this client.

        Raises BridgeRefused for a wrong token, and BridgeUnavailable after `timeout` seconds; then it goes on trying until `disconnect`.
        """
        self._check()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="bridge-client")
        try:
            async with asyncio.timeout(timeout):
                await self._open_or_ended.wait()
        except TimeoutError:
            raise BridgeUnavailable(f"no bridge took this client within {timeout:g} s") from None
        self._check()

    async def disconnect(self) -> None:
        """Disconnect for good: pending requests raise BridgeClosed."""
        self._finish(BridgeClosed())
        runner = self._runner
        if runner is not None and not runner.done():
            runner.cancel()
            await asyncio.wait({runner}, timeout=2 * self._times.close)

    def is_ready(self) -> bool:
        """Whether the connection is open and authenticated."""
        return self._session is not None

    @property
    def ended(self) -> bool:
        """Whether it was disconnected or rejected: it does not reconnect."""
        return self._end_reason is not None

    async def send_sms_event(
        self, from_: str, to: str, message: str, user: str, *, id: str | None = None,  # noqa: A002 - the protocol's word
        timeout: float = REQUEST_SECONDS, on_acknowledged: OnAcknowledged | None = None,  # noqa: ASYNC109 - as above
    ) -> Frame:  # fmt: skip
        """Send a text and return the `send_sms_response` frame; see `_request` for the rest."""
        fields = {"from": from_, "to": to, "message": message, "user": user}
        return await self._request(ClientFrame.SMS, fields, id, timeout, on_acknowledged)

    async def send_email_event(
        self, from_: str, to: str, subject: str, body: str, user: str, *, message_id: str = "", in_reply_to: str = "",
        references: Sequence[str] = (), id: str | None = None, timeout: float = REQUEST_SECONDS,  # noqa: A002, ASYNC109 - as above
        on_acknowledged: OnAcknowledged | None = None,
    ) -> Frame:  # fmt: skip
        """Send a mail and return the `send_email_response` frame; ids are RFC 5322's, with brackets."""
        thread = {"message_id": message_id, "in_reply_to": in_reply_to, "references": list(references)}
        fields = {"from": from_, "to": to, "subject": subject, "body": body, "user": user}
        given = {name: value for name, value in thread.items() if value}
        return await self._request(ClientFrame.EMAIL, {**fields, **given}, id, timeout, on_acknowledged)

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
            while not isinstance(self._end_reason, BridgeClosed):
                item = subscription.next()
                if item is not None:
                    yield item
                    continue
                self._check_subscription(subscription)
                self._ledger_changed.clear()
                await self._ledger_changed.wait()
        finally:
            self._subscription = None

    # Requests

    async def _request(
        self, kind: ClientFrame, fields: dict[str, Any], request_id: str | None, seconds: float, on_acknowledged: OnAcknowledged | None
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
                self._send(request)
                async with asyncio.timeout(seconds):
                    return await answer
        except TimeoutError:
            return result_at_timeout(request, seconds)
        finally:
            self._requests.forget(request)

    def _send(self, request: PendingRequest) -> None:
        """Send it now if there is a connection; a new connection sends all that are pending."""
        if self._session is not None and self._requests.is_pending(request):
            request.times_sent += 1
            self._session.send(lambda: request.text if self._requests.is_pending(request) else None)

    def _send_again(self, request: PendingRequest, times_sent: int) -> None:
        if request.times_sent == times_sent:
            self._send(request)

    def _subscribe(self, subscription: ClientSubscription) -> None:
        if self._session is not None and subscription is self._subscription:
            text = codec.dumps(subscription.subscribe_frame())
            self._session.send(lambda: text)
            self._ledger_changed.set()

    def _resubscribe(self, subscription: ClientSubscription, subscribe_count: int) -> None:
        if subscription.subscribe_count == subscribe_count:
            self._subscribe(subscription)

    def _check_subscription(self, subscription: ClientSubscription) -> None:
        """No line waits to be read: raise what ended the subscription, or subscribe again when lines were dropped."""
        self._check()
        if subscription.failure is not None:
            raise subscription.failure
        if subscription.is_behind():
            self._subscribe(subscription)

    # The connection

    async def _run(self) -> None:
        """Connect, again and again, until `disconnect` or a rejection."""
        try:
            while True:
                session = ClientSession(self.url, self.token, self.name, self._times)
                ended = await session.run(partial(self._on_open, session), self._on_frame)
                self._on_close(ended)
                wait = self._reconnection.wait(ended)
                if wait is None:
                    raise BridgeRefused(f"closed with {ended.code}")  # noqa: TRY301 - one place ends all that wait
                await asyncio.sleep(wait)
        except BridgeRefused as refused:
            self._finish(refused)
        finally:
            self._finish(
                BridgeClosed("the client failed")
            )  # a fault of ours must leave nobody waiting; after another end this changes nothing

    def _on_open(self, session: ClientSession, welcome: Frame) -> None:
        limits = welcome.get("limits")
        for failed in self._requests.apply_limit(limits.get("max_frame") if isinstance(limits, dict) else None):
            self._waiters.resolve(failed)
        self._session = session
        self._open_or_ended.set()
        for request in self._requests.waiting:
            self._send(request)
        if self._subscription is not None:
            self._subscribe(self._subscription)
        self._announce_state(State.CONNECTED)

    def _on_close(self, ended: ConnectionEnd) -> None:
        too_big = self._requests.fail_largest() if ended.code == Close.TOO_BIG else None
        if too_big is not None:
            self._waiters.resolve(too_big)
        if self._session is not None:
            self._session = None
            self._open_or_ended.clear()
            self._announce_state(State.LOST)

    def _on_frame(self, frame: Frame) -> None:
        """Give a frame to its request, else to the subscription."""
        update = self._requests.receive(frame)
        if update is not None:
            self._waiters.resolve(update)
        elif self._subscription is not None:
            again = self._subscription.receive(frame)
            if again is not None:
                asyncio.get_running_loop().call_later(again, self._resubscribe, self._subscription, self._subscription.subscribe_count)
            self._ledger_changed.set()

    def _announce_state(self, state: State) -> None:
        if self.on_state is not None:
            asyncio.get_running_loop().call_soon(self.on_state, state)

    # The end

    def _finish(self, reason: BridgeError) -> None:
        """End, once: every pending request, and every later call, raises the reason."""
        if self._end_reason is not None:
            return
        self._end_reason = reason
        self._session = None
        self._open_or_ended.set()
        self._ledger_changed.set()
        self._waiters.fail(reason)
        if isinstance(reason, BridgeRefused):
            self._announce_state(State.REFUSED)

    def _check(self) -> None:
        if self._end_reason is not None:
            raise copy_of(self._end_reason)


_shared: SupervisorClient | None = None


def get_supervisor_client(url: str | None = None, token: str | None = None) -> SupervisorClient:
    """The process's one client, made at the first call, and again after `disconnect`; address and token are the settings' by default.

    Raises ConfigurationError for another address or token than the existing client's.
    """
    global _shared  # noqa: PLW0603 - one a process is what it is for
    if _shared is None or _shared.ended:
        if url is None or token is None:
            settings = load_settings()
            url, token = url or settings.bridge_url, token or settings.supervisor_token.get_secret_value()
        _shared = SupervisorClient(url, token)
    elif url not in (None, _shared.url) or token not in (None, _shared.token):
        raise ConfigurationError("this process has a bridge client with another address or token; disconnect that first")
    return _shared
