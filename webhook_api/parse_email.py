"""SendGrid's Inbound Parse posts to frozen records, parsed mode and raw mode alike.

Whatever a mail holds, `parse_email` gives a record or raises BadInput; a mail is refused only when it cannot be told who
wrote it to whom.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from shared import codec
from shared.addresses import EmailAddress, parse_address_list
from shared.errors import BadInput
from shared.text import capped, clean, decode, one_line
from webhook_api import html_text, mime
from webhook_api.headers import Headers, decoded
from webhook_api.multipart import Part, boundary_of, parts
from webhook_api.quotes import without_quote

MAX_TEXT: Final = 100_000
MAX_TEXT_BYTES: Final = 1_048_576
MAX_FIELD_BYTES: Final = 262_144
MAX_FILES: Final = 200
MAX_FILE_NAME: Final = 120
MAX_ENDING: Final = 10
MAX_SUBJECT: Final = 500
MAX_FROM: Final = 2_000
MAX_RECIPIENTS: Final = 50

_FIELDS: Final = frozenset({"headers", "dkim", "to", "from", "subject", "text", "html", "envelope", "charsets", "SPF", "email"})
_PATH: Final = re.compile(r"[/\\:]")
_NOT_IN_NAMES: Final = re.compile(r"[^\w.()\[\]{}@+,=&~!#$%^' -]")

Fields = dict[str, memoryview]


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail as it came in. Nothing in it is believed yet: `admit` judges `dkim`, `spf` and the headers.

    `sender_fault` is '' or says why no single author could be read (`two_addresses`, `bad_from`); `sender` is None then.
    `envelope_from` is None when there was no envelope, and '' for the empty return path. `digest` names this very mail:
    it is the same in each of SendGrid's retries.
    """

    sender: EmailAddress | None
    sender_fault: str
    recipients: tuple[EmailAddress, ...]
    envelope_from: str | None = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    headers: Headers = field(repr=False)
    message_id: str = field(repr=False)
    in_reply_to: str = field(repr=False)
    references: tuple[str, ...] = field(repr=False)
    attachments: tuple[str, ...] = field(repr=False)
    dkim: str
    spf: str
    digest: str


def parse_email(body: bytes, content_type: str) -> InboundMail:
    """Read one post; raises BadInput `not_a_form`, `missing_from` or `missing_to`."""
    fields, files = _collect(parts(body, boundary_of(content_type)))
    texts = _Texts(fields)
    raw = bytes(fields["email"]) if "email" in fields else None
    headers = Headers.parse(mime.header_block(raw) if raw is not None else texts.field("headers"))
    envelope = _envelope(texts.field("envelope"))
    sender, fault = _sender(texts, headers)
    plain, names = _content(texts, raw, files)
    digest = _digest(headers, envelope, fields)
    return InboundMail(
        sender=sender,
        sender_fault=fault,
        recipients=_recipients(envelope, texts.field("to") or headers.first("to")),
        envelope_from=envelope.get("from") if envelope else None,
        subject=one_line(texts.field("subject"), MAX_SUBJECT) or decoded(headers.first("subject"), MAX_SUBJECT),
        body=plain,
        headers=headers,
        message_id=headers.message_id("message-id") or f"<{digest[:32]}@made.invalid>",
        in_reply_to=headers.message_id("in-reply-to"),
        references=headers.references(),
        attachments=tuple(harmless_name(name) for name in names[:MAX_FILES]),
        dkim=texts.field("dkim")[:4_000],
        spf=texts.field("SPF").strip().lower()[:20],
        digest=digest,
    )


def harmless_name(name: str) -> str:
    """A file's name without a path, hidden characters, quotes or a leading dot; never empty."""
    last = _PATH.split(one_line(name, MAX_FROM))[-1]
    plain = _NOT_IN_NAMES.sub("_", last).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if len(plain) > MAX_FILE_NAME and dot and len(ending) <= MAX_ENDING:
        return f"{stem[: MAX_FILE_NAME - len(ending) - 1]}.{ending}"
    return plain[:MAX_FILE_NAME] or "unnamed"


def _collect(found: Iterable[Part]) -> tuple[Fields, list[str]]:
    """The fields that are read, the first of each name, and the names of the files."""
    fields: Fields = {}
    files: list[str] = []
    for part in found:
        if part.name in _FIELDS:
            fields.setdefault(part.name, part.value)
        elif part.filename is not None and len(files) < MAX_FILES:
            files.append(part.filename)
    return fields, files


class _Texts:
    """Fields as texts, each decoded from its raw bytes by the charset that SendGrid names for it."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        declared = _json_object(decode(bytes(fields.get("charsets", b"")[:MAX_FIELD_BYTES])))
        self._charsets = {name: value for name, value in declared.items() if isinstance(value, str)}

    def field(self, name: str, limit: int = MAX_FIELD_BYTES) -> str:
        """The text of a field, of its first `limit` bytes; '' when it is missing."""
        value = self._fields.get(name)
        return "" if value is None else decode(bytes(value[:limit]), self._charsets.get(name, ""))


def _content(texts: _Texts, raw: bytes | None, files: list[str]) -> tuple[str, list[str]]:
    """The new text of the mail, and the names of its files."""
    if raw is None:
        bodies = mime.Bodies([texts.field("text", MAX_TEXT_BYTES)], [texts.field("html", MAX_TEXT_BYTES)], files)
    else:
        bodies = mime.read(raw)
    plain = clean("\n".join(bodies.plain))
    if not plain.strip():
        plain = clean(html_text.to_text("\n".join(bodies.html)))
    return capped(without_quote(plain).strip(), MAX_TEXT), bodies.files


def _envelope(text: str) -> dict[str, Any]:
    """The envelope with `to` as a list of texts and `from` as a text; {} when there is none that can be read."""
    value = _json_object(text)
    to = value.get("to")
    to = [to] if isinstance(to, str) else to
    if not isinstance(to, list):
        return {}
    sender = value.get("from")
    recipients = [each for each in to if isinstance(each, str)][:MAX_RECIPIENTS]
    return {"to": recipients, "from": sender.strip() if isinstance(sender, str) else None}


def _recipients(envelope: dict[str, Any], header: str) -> tuple[EmailAddress, ...]:
    """Where the mail was delivered to: by the envelope, which is true; by the To header only when there is none."""
    found = [address for text in envelope["to"] for address in _addresses(text)] if envelope else _addresses(header)
    if not found and not envelope and not header.strip():
        raise BadInput(code="missing_to")
    return tuple(dict.fromkeys(found))[:MAX_RECIPIENTS]


def _addresses(text: str) -> list[EmailAddress]:
    try:
        return parse_address_list(_unfolded(text))
    except BadInput:
        return []


def _sender(texts: _Texts, headers: Headers) -> tuple[EmailAddress | None, str]:
    """The one author, or None and the fault. The form's `from` and the mail's own From headers must agree."""
    lines = headers.all("from")
    shown = texts.field("from") or next(iter(lines), "")
    if not shown.strip():
        raise BadInput(code="missing_from")
    try:
        sender = EmailAddress.parse(_unfolded(shown)[:MAX_FROM])
    except BadInput as error:
        return None, "two_addresses" if error.code == "two_addresses" else "bad_from"
    others = {address for line in lines for address in _addresses(line[:MAX_FROM])}
    if len(lines) > 1 or others - {sender}:
        return None, "two_addresses"
    return sender, ""


def _unfolded(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _digest(headers: Headers, envelope: dict[str, Any], fields: Fields) -> str:
    """What names a mail: an id alone would let its author claim another mail's (the sender chooses it).

    The attachments are left out, the multipart boundary too: both may differ between two posts of one mail.
    """
    content = hashlib.sha256()
    for name in ("text", "html", "email"):
        content.update(b"\0" + name.encode() + b"\0")
        content.update(fields.get(name, b""))
    message_id = headers.first("message-id")
    named = [message_id, headers.first("date")] if message_id else [f"{name}:{value}" for name, value in headers.items]
    named += [] if message_id else [bytes(fields.get(name, b"")).decode("utf-8", "replace") for name in ("from", "subject")]
    named += [str(envelope.get("from")), content.hexdigest()]
    return hashlib.sha256("\x1f".join(named).encode("utf-8", "surrogatepass")).hexdigest()


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = codec.loads(text) if text.strip() else {}
    except BadInput:
        return {}
    return value if isinstance(value, dict) else {}
