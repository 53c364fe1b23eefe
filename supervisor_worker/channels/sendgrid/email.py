"""Mail by SendGrid's own SDK, over our connections.

The SDK is synchronous, so each call occupies one of a few threads; the network I/O itself is done on the event loop, where it
can be cancelled, and a thread that comes too late sends nothing. SendGrid has no list to ask and no idempotency key: an attempt of
unknown fate waits for its event (which carries our `custom_args`), and a repeat carries the same Message-ID.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

import python_http_client
import sendgrid
from python_http_client.exceptions import HTTPError

from shared.config.settings import Settings
from shared.errors import AccessDenied, CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Attempt
from shared.model.events import Response, SendEmailResponse
from supervisor_worker.channels.port import Listed
from supervisor_worker.providers.exchange import Wire, retry_after
from supervisor_worker.providers.http_pool import DEPARTURE, Answer, departing

PROVIDER: Final = "sendgrid"
THREADS: Final = 32
_CREDENTIALS: Final = (401, 402)
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_TOO_MANY: Final = 429


class SendGridEmail:
    """The mail channel."""

    def __init__(self, settings: Settings) -> None:
        self._wire = Wire(PROVIDER, settings.provider_urls["sendgrid"], timeout=settings.send_timeout_seconds, connections=THREADS)
        self._host = settings.provider_urls["sendgrid"]
        self._key = settings.sendgrid_api_key
        self._patience = settings.send_timeout_seconds / 3
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="sendgrid")
        self._free = asyncio.Semaphore(THREADS)

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """Hand the mail over; the answer is its X-Message-Id."""
        return await self._hand_over(body_of(command, {"reply": reply_id, "attempt": attempt_id, "pair": pair}))

    async def ready(self, command: Response) -> None:
        """Have a mail judged and not sent, by SendGrid's own sandbox mode."""
        try:
            await self._hand_over(judged_only(command))
        except ProviderRefused:
            return
        except OutcomeUnknown as error:
            raise ProviderUnavailable(PROVIDER, error.code, status=error.status, retry_after=error.retry_after) from None

    async def newest(self) -> list[Listed] | None:
        """SendGrid lists nothing."""
        return None

    async def _hand_over(self, mail: dict[str, Any]) -> str:
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise ProviderUnavailable(PROVIDER, "no_free_thread") from None
        errand = _Errand(self._wire, asyncio.get_running_loop())
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._post, errand, mail)
        finally:
            errand.revoke()
            self._free.release()

    async def find(self, command: Response, attempt: Attempt) -> list[Listed] | None:
        """SendGrid lists nothing."""
        del command, attempt
        return None  # there is nothing to ask

    async def aclose(self) -> None:
        """Close the connections and let the threads go."""
        await self._wire.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, errand: _Errand, mail: dict[str, Any]) -> str:
        """In a thread: the SDK's own send, on a client of its own (the SDK's are not safe to share)."""
        api = sendgrid.SendGridAPIClient(self._key.get_secret_value() or "unset", host=self._host)
        api.client = WireClient(errand, host=self._host, request_headers=api.client.request_headers, version=3)
        try:
            answer = api.send(mail)
        except HTTPError as error:
            raise error_for(error.status_code, error.headers) from None
        except ProviderError:
            raise
        except Exception as error:
            raise OutcomeUnknown(PROVIDER, "unreadable_answer") from error
        if answer.status_code >= 300:  # noqa: PLR2004 - a redirect: a wrong base URL
            raise ProviderRefused(PROVIDER, f"http_{answer.status_code}", status=answer.status_code, final=False)
        return str(answer.headers.get("X-Message-Id") or "")


def body_of(command: Response, custom_args: dict[str, str]) -> dict[str, Any]:
    """The body of `POST /v3/mail/send`; `custom_args` come back with each event.

    They stand in the personalization: SendGrid's published contract (github.com/twilio/sendgrid-oai, `tsg_mail_v3`) has an object
    there, and a string at the top.
    """
    if not isinstance(command, SendEmailResponse):
        raise TypeError(f"not a mail: {command.type}")
    headers = {"Message-ID": command.message_id, "Auto-Submitted": "auto-replied"}
    if command.in_reply_to:
        headers["In-Reply-To"] = command.in_reply_to
    if command.references:
        headers["References"] = " ".join(command.references)
    return {
        "personalizations": [{"to": [{"email": command.to.value}], "custom_args": custom_args}],
        "from": {"email": command.from_.value},
        "subject": command.subject,
        "content": [{"type": "text/plain", "value": command.body}],
        "headers": headers,
        "tracking_settings": {"click_tracking": {"enable": False, "enable_text": False}, "open_tracking": {"enable": False}},
    }


def judged_only(command: Response) -> dict[str, Any]:
    """The body of a mail that SendGrid judges and does not send: from the same sender, to that one, without words."""
    sender = {"email": command.from_.value}
    return {
        "personalizations": [{"to": [sender]}],
        "from": sender,
        "subject": "-",
        "content": [{"type": "text/plain", "value": "-"}],
        "mail_settings": {"sandbox_mode": {"enable": True}},
    }


def error_for(status: int, headers: Mapping[str, str]) -> ProviderError:
    """The error of an answer outside 2xx."""
    word = f"http_{status}"
    if status >= _SERVER_ERROR:
        return OutcomeUnknown(PROVIDER, word, status=status, retry_after=retry_after(headers))
    if status == _TOO_MANY:
        return ProviderUnavailable(PROVIDER, word, status=status, retry_after=retry_after(headers))
    if status in _CREDENTIALS:
        return CredentialsRefused(PROVIDER, word, status=status)
    if status == _FORBIDDEN:
        return AccessDenied(PROVIDER, word, status=status)
    return ProviderRefused(PROVIDER, word, status=status, final=status >= _CLIENT_ERROR)


class _Errand:
    """One request that a thread asks the event loop to make; revoked, it is cancelled or never begins."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self._wire = wire
        self._loop = loop
        self._may_leave = DEPARTURE.get()  # a thread has a context of its own
        self._revoked = False
        self._request: concurrent.futures.Future[Answer] | None = None

    def run(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """From the thread: make the request and wait for its answer."""
        self._request = asyncio.run_coroutine_threadsafe(self._exchange(method, url, headers, body), self._loop)
        return self._request.result()

    def revoke(self) -> None:
        """From the loop: nothing may leave any more."""
        self._revoked = True
        if self._request is not None:
            self._request.cancel()

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._revoked:
            raise ProviderUnavailable(PROVIDER, "revoked")
        with departing(self._may_leave):
            return await self._wire.exchange(method, url, headers, body)


class WireClient(python_http_client.Client):  # type: ignore[misc]  # the SDK has no types
    """The SDK's transport, with urllib replaced: keep-alive, cancellation, and failures that say whether the request left."""

    def __init__(self, errand: _Errand, **options: Any) -> None:
        super().__init__(**options)
        self._errand = errand

    def _build_client(self, name: str | None = None) -> WireClient:
        return WireClient(
            self._errand,
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
        )

    def _make_request(self, opener: object, request: urllib.request.Request, timeout: float | None = None) -> _Opened:
        del opener, timeout
        body = request.data if isinstance(request.data, bytes) else b""
        opened = _Opened(self._errand.run(request.get_method(), request.full_url, dict(request.header_items()), body))
        if opened.code >= _CLIENT_ERROR:
            raise HTTPError(opened)
        return opened


class _Opened:
    """An answer in the shape that the SDK reads, of success and failure alike."""

    reason = ""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.code = answer.status
        self.hdrs = answer.headers

    def getcode(self) -> int:
        """The status."""
        return self.code

    def info(self) -> Mapping[str, str]:
        """The headers."""
        return self.hdrs

    def read(self) -> bytes:
        """The body."""
        return self._answer.body
