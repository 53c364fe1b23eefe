"""E-mail by SendGrid: its SDK builds the body and the headers, our own HTTP makes the one request.

The SDK's own client is synchronous, has no timeout, and does not tell whether a failed request was sent. SendGrid has no list of
messages to ask and no idempotency key: an attempt of unknown outcome waits for its event (which carries our `custom_args`), and a
repetition carries the same Message-ID.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import sendgrid
from sendgrid.helpers.mail import (
    Attachment,
    ClickTracking,
    Content,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    From,
    Ganalytics,
    Header,
    Mail,
    MailSettings,
    MimeType,
    OpenTracking,
    Personalization,
    SandBoxMode,
    SubscriptionTracking,
    To,
    TrackingSettings,
)

from shared.config.settings import Settings
from shared.errors import AccessDenied, CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Attempt
from shared.model.events import Response, SendEmailResponse
from shared.model.files import File
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.providers.exchange import ProviderHttp, retry_after

PROVIDER: Final = "sendgrid"
PATH: Final = "/v3/mail/send"
_CREDENTIALS: Final = (401, 402)
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_TOO_MANY: Final = 429
_REDIRECT: Final = 300


class SendGridEmail:
    """The mail channel."""

    def __init__(self, settings: Settings) -> None:
        url = settings.provider_urls["sendgrid"]
        self._http = ProviderHttp(PROVIDER, url, timeout=settings.send_timeout_seconds, connections=settings.worker_concurrency)
        # "unset", because the SDK takes an empty key for none, and then reads one from the environment behind the settings' back.
        client = sendgrid.SendGridAPIClient(settings.sendgrid_api_key.get_secret_value() or "unset", host=url)
        self._headers = {**client.client.request_headers, "Content-Type": "application/json"}

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """Submit the mail; the answer is its X-Message-Id."""
        return await self._post(body_of(command, {"reply": reply_id, "attempt": attempt_id, "pair": pair}))

    async def ready(self, command: Response) -> None:
        """Have a mail validated and not sent, by SendGrid's own sandbox mode."""
        try:
            await self._post(validation_body(command))
        except ProviderRefused:
            return
        except OutcomeUnknown as error:
            raise ProviderUnavailable(PROVIDER, error.code, status=error.status, retry_after=error.retry_after) from None

    async def newest(self) -> list[ListedMessage] | None:
        """SendGrid lists nothing."""
        return None

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """SendGrid lists nothing."""
        del command, attempt
        return None  # there is nothing to ask

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, body: dict[str, Any]) -> str:
        answer = await self._http.exchange("POST", PATH, self._headers, json.dumps(body).encode())
        if answer.status >= _REDIRECT:
            raise error_for(answer.status, answer.headers)
        return answer.headers.get("X-Message-Id") or ""


def body_of(command: Response, custom_args: dict[str, str]) -> dict[str, Any]:
    """The body of `POST /v3/mail/send`; `custom_args` come back with each event.

    They stand in the personalization: SendGrid's published contract (github.com/twilio/sendgrid-oai, `tsg_mail_v3`) has an object
    there, and a string at the top.
    """
    if not isinstance(command, SendEmailResponse):
        raise TypeError(f"not a mail: {command.type}")
    mail = _mail(From(command.from_.value, command.from_name or None), command.to.value, command.subject, custom_args)
    mail.add_content(_TextPart(MimeType.text, command.body))
    if command.html:  # behind the plain text: a program shows the last part that it can
        mail.add_content(_TextPart(MimeType.html, command.html))
    for file, content in getattr(command, "contents", ()):  # a mail with files has them read by who sends it
        mail.add_attachment(_attached(file, content))
    headers = {"Message-ID": command.message_id, "Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
    if command.in_reply_to:
        headers["In-Reply-To"] = command.in_reply_to
    if command.references:
        headers["References"] = " ".join(command.references)
    for name, value in headers.items():
        mail.add_header(Header(name, value))
    mail.tracking_settings = TrackingSettings(
        ClickTracking(enable=False, enable_text=False),
        OpenTracking(enable=False),
        SubscriptionTracking(enable=False),  # it would write a line of its own below
        Ganalytics(enable=False),
    )
    return dict(mail.get())


def _attached(file: File, content: bytes) -> Attachment:
    kind = file.content_type or "application/octet-stream"
    return Attachment(FileContent(base64.b64encode(content).decode()), FileName(file.name), FileType(kind), Disposition("attachment"))


def validation_body(command: Response) -> dict[str, Any]:
    """The body of a mail that SendGrid validates and does not send: from the same sender, to that sender, without its text."""
    mail = _mail(From(command.from_.value), command.from_.value, "-", {})
    mail.add_content(_TextPart(MimeType.text, "-"))
    mail.mail_settings = MailSettings(sandbox_mode=SandBoxMode(enable=True))
    return dict(mail.get())


def _mail(sender: From, recipient: str, subject: str, custom_args: Mapping[str, str]) -> Mail:
    mail = Mail(sender, subject=subject)
    envelope = Personalization()
    envelope.add_to(To(recipient))
    for name, value in custom_args.items():
        envelope.add_custom_arg(CustomArg(name, value))
    mail.add_personalization(envelope)
    return mail


class _TextPart(Content):  # type: ignore[misc]  # the SDK has no types
    """A text, whatever it is: the SDK's own class raises for one that holds what looks like an API key of SendGrid's ("SG.words.more")."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, None)
        self._content = text


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
    return ProviderRefused(PROVIDER, word, status=status, final=status >= _CLIENT_ERROR)  # a redirect is a wrong base URL
