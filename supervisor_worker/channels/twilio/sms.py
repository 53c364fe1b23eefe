"""Text messages by Twilio's own SDK, on our HTTP.

Twilio has no idempotency key: an attempt without an answer is looked up in the message list, by both numbers, body and time. The list is
read without Twilio's date filter, because a text that is still queued has no date of sending yet.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import Any, Final, cast
from urllib.parse import urlencode

from twilio.base import values
from twilio.http import AsyncHttpClient
from twilio.http.response import Response as SdkResponse
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from shared.config.settings import Settings
from shared.config.web_address import webhook_base_url
from shared.errors import OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Attempt
from shared.model.events import Response, SendSmsResponse
from shared.net import is_loopback_url
from supervisor_worker.channels.port import CLOCK_SLACK_MS, ListedMessage
from supervisor_worker.channels.twilio.errors import PROVIDER, error_for
from supervisor_worker.providers.exchange import ProviderHttp, retry_after

PAGE: Final = 100
NEWEST: Final = 20
CONNECTION_OVERRIDES: Final = "rc=5&rp=all"
"""How Twilio is to post a status report: up to five retries, whatever failed. In the callback's fragment, which is not sent to us."""
TRIAL_PREFIX: Final = "Sent from your Twilio trial account - "
_OK: Final = range(200, 300)


class PooledHttpClient(AsyncHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's transport on our HTTP: another host, pooled connections, no retries, and errors by what follows from them."""

    def __init__(self, http: ProviderHttp) -> None:
        super().__init__(logging.getLogger("twilio.http_client"), is_async=True)
        self._http = http

    async def request(  # noqa: PLR0917 - the SDK's own signature
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's own signature
        allow_redirects: bool = False,
    ) -> SdkResponse:
        """One request. Raises a ProviderError for any answer outside 2xx."""
        del timeout, allow_redirects  # `ProviderHttp` has its own timeout, and follows nothing
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"
        answer = await self._http.exchange(method, f"{uri}?{_form(params)}" if params else uri, sent, _form(data).encode())
        if answer.status not in _OK:
            raise error_for(answer.status, _code(answer.text), asked=method == "GET", retry_after=retry_after(answer.headers))
        return SdkResponse(answer.status, answer.text, answer.headers)


def client_of(settings: Settings, http: ProviderHttp) -> Client:
    """The SDK's client, with the API key where there is one. "unset", because it would read empty ones from the environment."""
    user, password = settings.twilio_login
    account = settings.twilio_account_sid or "unset"
    return Client(user or "unset", password or "unset", account_sid=account, http_client=PooledHttpClient(http))


class TwilioSms:
    """The text channel."""

    def __init__(self, settings: Settings) -> None:
        self._http = ProviderHttp(
            PROVIDER,
            settings.provider_urls["twilio"],
            timeout=settings.send_timeout_seconds,
            connections=settings.worker_concurrency,
        )
        self._client = client_of(settings, self._http)
        self._callback = _callback(settings)

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """Create the message; the answer is its SID."""
        sms = _sms(command)
        query = urlencode({"reply": reply_id, "attempt": attempt_id, "pair": pair})
        try:
            created = await self._client.messages.create_async(
                to=sms.to.value,
                from_=sms.from_.value,
                body=sms.message,
                status_callback=f"{self._callback}?{query}#{CONNECTION_OVERRIDES}" if self._callback else values.unset,
            )
        except ProviderError:
            raise
        except Exception as error:  # a 2xx that the SDK cannot read: most likely accepted
            raise OutcomeUnknown(PROVIDER, "unreadable_answer") from error
        if not created.sid:
            raise OutcomeUnknown(PROVIDER, "no_sid")
        return str(created.sid)

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """Read the message list. Raises ProviderUnavailable when a full page does not reach back to the attempt."""
        sms = _sms(command)
        try:
            listed = await self._client.messages.list_async(to=sms.to.value, from_=sms.from_.value, limit=PAGE, page_size=PAGE)
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_list") from error
        same = [message for message in reversed(listed) if message.sid and _same_text(message, sms.message)]
        found = [ListedMessage(str(message.sid), _created(message, attempt)) for message in same]
        if not found and len(listed) >= PAGE and all(_created(message, attempt) >= attempt.at - CLOCK_SLACK_MS for message in listed):
            raise ProviderUnavailable(PROVIDER, "list_too_long")
        return sorted(found, key=lambda message: message.at_ms)

    async def ready(self, command: Response) -> None:
        """Request a text to nobody: Twilio rejects it, as long as it accepts requests."""
        try:
            await self._client.messages.create_async(to="", from_=_sms(command).from_.value, body="")
        except ProviderRefused:
            return
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_answer") from error

    async def newest(self) -> list[ListedMessage] | None:
        """The newest texts of the account."""
        try:
            listed = await self._client.messages.list_async(limit=NEWEST, page_size=NEWEST)
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_list") from error
        return [
            ListedMessage(str(each.sid), int(each.date_created.timestamp() * 1000)) for each in listed if each.sid and each.date_created
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _sms(command: Response) -> SendSmsResponse:
    if not isinstance(command, SendSmsResponse):
        raise TypeError(f"not a text: {command.type}")
    return command


def _same_text(message: MessageInstance, text: str) -> bool:
    return (message.body or "").removeprefix(TRIAL_PREFIX).split() == text.split()


def _created(message: MessageInstance, attempt: Attempt) -> int:
    """When a message was created, by Twilio's clock; without a date it may be the attempt's."""
    return int(message.date_created.timestamp() * 1000) if message.date_created else attempt.at


def _form(fields: dict[str, object] | None) -> str:
    """Fields as a query or a form; a field with a list of values is repeated."""
    return urlencode({name: value for name, value in (fields or {}).items() if value is not None}, doseq=True)


def _code(body: str) -> int | None:
    try:
        found = cast("Any", json.loads(body))["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, int) else None


def _callback(settings: Settings) -> str:
    """The URL for Twilio's reports; '' when it could not reach us: Twilio rejects a message whose callback is on loopback."""
    if not settings.public_url and not is_loopback_url(settings.provider_urls["twilio"]):
        return ""
    return f"{webhook_base_url(settings)}/sms/status"
