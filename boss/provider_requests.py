"""The webhooks of Twilio and SendGrid for a text or a mail, built as these providers build them.

A text: the whole set of fields seen on plain messages, signed over the *public* URL. A mail: multipart with SendGrid's
verdicts on SPF and DKIM, parsed or raw. Both are sent to the web process on this machine, as a proxy would.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal, cast
from urllib.parse import urlencode

from shared.config.settings import Settings
from shared.config.web_address import local_web_url, webhook_base_url

SMS_PATH: Final = "/sms/inbound"
EMAIL_PATH: Final = "/email/inbound"
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
Signature = Literal["good", "bad", "none"]


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook, ready to be posted; `id` is the provider's id."""

    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text to simulate."""

    sender: str
    to: str
    body: str
    sid: str = ""
    signature: Signature = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to simulate: a whole message, and its envelope. `forged` fails SPF and DKIM."""

    message: EmailMessage
    sender: str
    to: str
    raw: bool = False
    forged: bool = False
    signature: Signature = "good"


def message_sid(word: str) -> str:
    """An id in Twilio's form, which the webhook requires: the word itself, or an id that is derived from it."""
    return word if _SID.fullmatch(word) else f"SM{hashlib.sha256(_utf8(word).encode()).hexdigest()[:32]}"


def sms_post(settings: Settings, text: Text) -> Post:
    """Twilio's inbound webhook; an empty value is sent, and signed, like any other."""
    sid = message_sid(text.sid) if text.sid else f"SM{uuid.uuid4().hex}"
    form = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "94105", "SmsSid": sid,
        "FromState": "CA", "SmsStatus": "received", "FromCity": "SAN FRANCISCO", "Body": _utf8(text.body), "FromCountry": "US",
        "To": _utf8(text.to), "ToZip": "", "NumSegments": str(max(1, -(-len(text.body) // 153))), "ReferralNumMedia": "0",
        "MessageSid": sid, "AccountSid": settings.twilio_account_sid, "From": _utf8(text.sender), "ApiVersion": "2010-04-01",
    }  # fmt: skip
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
    }
    if text.signature != "none":
        headers["X-Twilio-Signature"] = signature_of(settings, SMS_PATH, form, good=text.signature == "good")
    return Post(local_web_url(settings) + SMS_PATH, headers, urlencode(form).encode(), sid)


def signature_of(settings: Settings, path: str, form: Mapping[str, str], *, good: bool = True) -> str:
    """Twilio's signature by Twilio's own code, over the URL that Twilio would call; a bad one is made with another key."""
    from twilio.request_validator import RequestValidator  # noqa: PLC0415 - it takes a while, and only texts need it

    token = settings.twilio_auth_token.get_secret_value() if good else "not the auth token"
    return str(RequestValidator(token).compute_signature(webhook_base_url(settings) + path, dict(form)))


def compose(*, sender: str, to: str, subject: str, text: str | None, html: str | None, headers: Mapping[str, str]) -> EmailMessage:
    """A mail as a mail program writes it."""
    message = EmailMessage(policy=SMTP)
    named = {"From": sender, "To": to, "Subject": subject, "Date": format_datetime(datetime.now(UTC)), **headers}
    for name, value in {"Message-ID": f"<{secrets.token_hex(12)}@simulated.example.com>", **named}.items():
        if value:
            message[name] = _utf8(value)
    message.set_content(_utf8(text or ""))
    if html is not None and text is None:
        message.set_content(_utf8(html), subtype="html")
    elif html is not None:
        message.add_alternative(_utf8(html), subtype="html")
    return message


def attach(message: EmailMessage, files: Iterable[Path]) -> None:
    """Put files into a mail, each with the type that its name says. Raises OSError."""
    for path in files:
        main, _, sub = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=_utf8(path.name))


def read_mail(path: Path) -> EmailMessage:
    """A mail from a file, unchanged."""
    return message_from_bytes(path.read_bytes(), policy=default)


def first_address(message: EmailMessage, header: str) -> str:
    """The first address of a header, '' without one."""
    value = message[header]
    return value.addresses[0].addr_spec if isinstance(value, AddressHeader) and value.addresses else ""


def email_post(settings: Settings, mail: Mail) -> Post:
    """SendGrid's Inbound Parse, with the shared secret in the URL."""
    boundary = f"xYzZY-{secrets.token_hex(8)}"
    body = b"".join(_part(boundary, part) for part in _fields(mail)) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "SendGrid (Inbound Parse)"}
    secret = {"good": settings.email_webhook_secret.get_secret_value(), "bad": "wrong", "none": ""}[mail.signature]
    query = "?" + urlencode({"token": secret}) if secret else ""
    return Post(local_web_url(settings) + EMAIL_PATH + query, headers, body, str(mail.message["Message-ID"] or ""))


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    value: bytes
    file: str = ""
    kind: str = ""


def _fields(mail: Mail) -> list[_Part]:
    domain = mail.sender.rpartition("@")[2]
    verdicts = {
        "dkim": "none" if mail.forged else f"{{@{domain} : pass}}",
        "SPF": "fail" if mail.forged else "pass",
        "sender_ip": "192.0.2.25",
        "envelope": json.dumps({"to": [mail.to], "from": mail.sender}),
        "charsets": json.dumps(dict.fromkeys(("to", "from", "subject", "text", "html"), "UTF-8")),
    }
    named = {name: str(mail.message[name] or "") for name in ("to", "cc", "from", "subject")}
    texts = [_Part(name, _utf8(value).encode()) for name, value in {**verdicts, **named}.items() if value or name != "cc"]
    return texts + ([_Part("email", mail.message.as_bytes(policy=SMTP))] if mail.raw else _parsed(mail.message))


def _parsed(message: EmailMessage) -> list[_Part]:
    """The parsed mail, as SendGrid's default mode posts it."""
    head = "".join(f"{name}: {value}\n" for name, value in message.items())
    bodies = [(field, message.get_body(preferencelist=(kind,))) for field, kind in (("text", "plain"), ("html", "html"))]
    files = [_attachment(number, each) for number, each in enumerate(message.iter_attachments(), 1)]
    return [
        _Part("headers", _utf8(head).encode()),
        *(_Part(field, _utf8(str(body.get_content())).encode()) for field, body in bodies if body is not None),
        _Part("attachments", str(len(files)).encode()),
        *files,
    ]


def _attachment(number: int, part: EmailMessage) -> _Part:
    content = cast("bytes | None", part.get_payload(decode=True)) or b""
    return _Part(f"attachment{number}", content, part.get_filename() or "file", part.get_content_type())


def _part(boundary: str, part: _Part) -> bytes:
    name = part.file.replace('"', "%22").replace("\r", " ").replace("\n", " ")
    file = f'; filename="{_utf8(name)}"\r\nContent-Type: {part.kind}' if part.file else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name}"{file}\r\n\r\n'.encode() + part.value + b"\r\n"


def _utf8(text: str) -> str:
    """`text` as valid UTF-8: any other byte of the command line becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
