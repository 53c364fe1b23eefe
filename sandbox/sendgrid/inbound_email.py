"""Posts an inbound mail where the parse setting of its host says, parsed or raw; by default SPF and DKIM pass."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sandbox.engine.json_types import JsonObject
from sandbox.engine.sendgrid_account import ParseSetting, SendGridAccount
from sandbox.engine.webhook_sender import Webhook, WebhookResponse
from sandbox.sendgrid import multipart
from sandbox.sendgrid.multipart import FormPart

if TYPE_CHECKING:
    from sandbox.engine.state import SandboxState

FIELDS_IN_UTF8: Final = ("to", "cc", "from", "subject")


def _joined(separator: str) -> BeforeValidator:
    """Accept a list in place of a text, and join its items."""
    return BeforeValidator(lambda value: separator.join(value) if isinstance(value, list) else value)


class Attachment(BaseModel):
    """A file of the mail."""

    model_config = ConfigDict(extra="forbid")

    filename: str = "file.txt"
    content_type: str = "text/plain"
    content_base64: str = ""


class SimulatedEmail(BaseModel):
    """The body of POST /sandbox/email. All fields have defaults; null takes them from the settings or the fault settings."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: Annotated[str, Field(alias="from")] = ""
    to: Annotated[str, _joined(", ")] = ""
    cc: Annotated[str, _joined(", ")] | None = None
    subject: str = ""
    text: str | None = None
    html: str | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: Annotated[str, _joined(" ")] | None = None
    headers: dict[str, str | list[str]] = {}
    attachments: list[Attachment] = []
    raw: bool = False
    charset: str = "utf-8"
    charsets: dict[str, str] = {}
    dkim: str | None = None
    spf: str = "pass"
    sender_ip: str = "192.0.2.25"
    envelope_from: str | None = None
    envelope_to: list[str] | None = None
    date: str | None = None
    copies: int | None = None
    bad_signature: bool | None = None


async def deliver(state: SandboxState, mail: SimulatedEmail) -> tuple[str, list[WebhookResponse]]:
    """Post a mail's webhook in as many copies as it says; return its Message-ID and the answers.

    Raises UnicodeEncodeError, LookupError or ValueError for a mail that cannot be written in its charset, or as MIME.
    """
    message_id = mail.message_id if mail.message_id is not None else f"<{secrets.token_hex(12)}@sandbox.invalid>"
    mail = mail.model_copy(
        update={
            "message_id": message_id,
            "sender": mail.sender or state.settings.user_email,
            "to": mail.to or state.settings.boss_email,
            "date": mail.date or format_datetime(datetime.now(UTC)),
        }
    )
    setting = _setting(state, mail)
    if setting is None:
        return message_id, [WebhookResponse(status=None, error="not posted: the host has no parse setting")]
    webhook, faults = _webhook(state, mail, setting), state.faults.inbound
    copies = mail.copies or faults.copies
    return message_id, await state.webhooks.post_copies(
        webhook, state.journal, copies=copies, retries=faults.retries, retry_wait_seconds=faults.retry_wait_seconds
    )


def _setting(state: SandboxState, mail: SimulatedEmail) -> ParseSetting | None:
    """The parse setting of the host that a mail is delivered to; None where it has none."""
    hosts = [address.rpartition("@")[2] for address in _recipients(mail)]
    found = next((setting for host in hosts if (setting := state.sendgrid.parse_setting(host))), None)
    return (found or SendGridAccount.default(state.settings).parse[0]) if state.sendgrid.assumed else found


def _webhook(state: SandboxState, mail: SimulatedEmail, setting: ParseSetting) -> Webhook:
    spoil = state.faults.inbound.bad_signature if mail.bad_signature is None else mail.bad_signature
    body, content_type = multipart.encode(_raw(mail) if mail.raw or setting.send_raw else _parsed(mail))
    headers = {"Content-Type": content_type, "User-Agent": "Sendlib/1.0 server"}
    url, policy = setting.url, state.sendgrid.policy(setting.security_policy or "")
    if policy is not None and policy.signature:
        headers |= state.signers.of(policy.id).headers(body, spoil=spoil)
    elif spoil:
        url += "-wrong" if "token=" in url else "?token=wrong"
    return Webhook(kind="webhook.email", url=url, body=body, headers=headers, fields=_journal_fields(mail), sid=mail.message_id or None)


def _journal_fields(mail: SimulatedEmail) -> JsonObject:
    """What the journal shows of an inbound mail."""
    named = ("to", "cc", "subject", "text", "html", "message_id", "in_reply_to", "references", "headers", "raw", "date")
    return {"from": mail.sender, **{name: getattr(mail, name) for name in named}}


def _parsed(mail: SimulatedEmail) -> list[FormPart]:
    """The fields of the default mode. Each text is in the charset that the field `charsets` names for it."""
    charsets = dict.fromkeys(FIELDS_IN_UTF8, "UTF-8") | {"text": mail.charset, "html": mail.charset, **mail.charsets}
    texts = {"to": mail.to, "cc": mail.cc, "html": mail.html, "from": mail.sender, "text": mail.text, "subject": mail.subject}
    present = {name: value for name, value in texts.items() if value is not None}
    parts = [_field("headers", _headers(mail)), _field("dkim", _dkim(mail))]
    parts += [FormPart(name=name, value=value.encode(charsets[name])) for name, value in present.items()]
    parts += [_field("sender_ip", mail.sender_ip), _field("envelope", _envelope(mail)), *_attachments(mail)]
    named = {name: charset for name, charset in charsets.items() if name in present}
    return [*parts, _field("charsets", json.dumps(named)), _field("SPF", mail.spf)]


def _raw(mail: SimulatedEmail) -> list[FormPart]:
    """The fields of the raw mode: the whole MIME message is one of them."""
    named = {name: "UTF-8" for name in FIELDS_IN_UTF8 if name != "cc" or mail.cc is not None}
    return [
        _field("dkim", _dkim(mail)),
        FormPart(name="email", value=_mime(mail)),
        _field("to", mail.to),
        *([_field("cc", mail.cc)] if mail.cc is not None else []),
        _field("from", mail.sender),
        _field("sender_ip", mail.sender_ip),
        _field("envelope", _envelope(mail)),
        _field("subject", mail.subject),
        _field("charsets", json.dumps(named)),
        _field("SPF", mail.spf),
    ]


def _field(name: str, text: str) -> FormPart:
    return FormPart(name=name, value=text.encode())


def _attachments(mail: SimulatedEmail) -> list[FormPart]:
    """The number of attachments, their names and types, and the files."""
    count = _field("attachments", str(len(mail.attachments)))
    if not mail.attachments:
        return [count]
    info = {
        f"attachment{number}": {"filename": each.filename, "name": each.filename, "type": each.content_type}
        for number, each in enumerate(mail.attachments, 1)
    }
    files = [
        FormPart(name=name, value=base64.b64decode(each.content_base64), filename=each.filename, content_type=each.content_type)
        for name, each in zip(info, mail.attachments, strict=True)
    ]
    return [count, _field("attachment-info", json.dumps(info)), *files]


def _dkim(mail: SimulatedEmail) -> str:
    """SendGrid's DKIM result, which looks like JSON and is not."""
    return mail.dkim if mail.dkim is not None else f"{{@{_address(mail.sender).rpartition('@')[2]} : pass}}"


def _envelope(mail: SimulatedEmail) -> str:
    sender = mail.envelope_from if mail.envelope_from is not None else _address(mail.sender)
    return json.dumps({"to": _recipients(mail), "from": sender})


def _recipients(mail: SimulatedEmail) -> list[str]:
    return mail.envelope_to if mail.envelope_to is not None else [address for _, address in getaddresses([mail.to])]


def _address(header: str) -> str:
    found = getaddresses([header])
    return found[0][1] if found else ""


def _header_lines(mail: SimulatedEmail) -> list[tuple[str, str]]:
    """The mail's own headers, without those that describe its body."""
    lines = [("From", mail.sender), ("To", mail.to), ("Cc", mail.cc), ("Subject", mail.subject), ("Date", mail.date)]
    lines += [("Message-ID", mail.message_id), ("In-Reply-To", mail.in_reply_to), ("References", mail.references)]
    for name, value in mail.headers.items():
        lines += [(name, each) for each in (value if isinstance(value, list) else [value])]
    return [(name, value) for name, value in lines if value]


def _headers(mail: SimulatedEmail) -> str:
    """The header block of the default mode: one string, with newlines between."""
    received = f"by mx.sandbox.invalid with SMTP id {secrets.token_hex(6)} for <{mail.to}>; {mail.date}"
    lines = [("Received", received), ("MIME-Version", "1.0"), *_header_lines(mail)]
    if not any(name.lower() == "content-type" for name, _ in lines):
        lines.append(("Content-Type", f'text/plain; charset="{mail.charset}"'))
    return "".join(f"{name}: {value if value.isascii() else Header(value, 'utf-8').encode()}\n" for name, value in lines)


def _mime(mail: SimulatedEmail) -> bytes:
    """The whole message of the raw mode."""
    message = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
    for name, value in _header_lines(mail):
        message.add_header(name, value)
    message.set_content(mail.text or "", charset=mail.charset)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html", charset=mail.charset)
    for each in mail.attachments:
        main, _, sub = each.content_type.partition("/")
        content = base64.b64decode(each.content_base64)
        message.add_attachment(content, maintype=main, subtype=sub or "octet-stream", filename=each.filename)
    return message.as_bytes()
