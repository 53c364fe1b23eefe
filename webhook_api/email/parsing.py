"""Parses SendGrid's Inbound Parse posts, in parsed mode and in raw mode, into frozen records.

For any input `parse_email` returns a record or raises BadInput; a mail is rejected only when its author or recipients cannot be determined.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from shared.errors import BadInput
from shared.model import codec
from shared.model.addresses import EmailAddress, address_behind_name, only_address, parse_address_list, seen_addresses
from shared.model.marks import Mark
from shared.model.text import decode, decode_plain, one_line, seen_line
from shared.model.threads import MADE_ID
from webhook_api.email import mime, others_words
from webhook_api.email.attachments import MailFile, posted
from webhook_api.email.headers import MAX_BLOCK, Headers, decoded
from webhook_api.email.multipart import PostedPart, boundary_of, parts
from webhook_api.email.text_parts import html_charset

MAX_TEXT_BYTES: Final = 1_048_576
MAX_FIELD_BYTES: Final = 262_144
MAX_PROOF_BYTES: Final = 65_536
MAX_BLOCK_BYTES: Final = 4 * MAX_BLOCK + 4
"""In any alphabet these are more characters than `Headers` reads: so it notices that the block was cut."""
MAX_FILES: Final = 200
MAX_FILE_NAME: Final = 120
MAX_ENDING: Final = 10
MAX_SUBJECT: Final = 500
MAX_FROM: Final = 2_000
MAX_RECIPIENTS: Final = 50

_FIELDS: Final = frozenset(
    {"headers", "dkim", "to", "from", "subject", "text", "html", "envelope", "charsets", "SPF", "email", "content-ids"}
)
_PATH: Final = re.compile(r"[/\\:]")
_NOT_IN_NAMES: Final = re.compile(r"[^\w.()\[\]{}@+,=&~!#$%^' -]")

Fields = dict[str, memoryview]


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail as received. Nothing in it is believed yet: `admission` decides by `dkim`, `spf` and the headers.

    `sender_fault` is '' or says why no single author could be read (`two_addresses`, `bad_from`); `sender` is None then.
    `envelope_from` is None when there was no envelope, and '' for the empty return path. `digest` identifies this very mail: it is the
    same in each of SendGrid's retries. `attachments` are the harmless names of the files, `contents` the files themselves, in the same
    order: they hold on to the request's memory. `hidden` counts the characters that were left out because a person does not see them.

    `enveloped`: the recipients are those of SendGrid's envelope, and not what the mail itself claims.

    `unread` is '' or says why the mail may not have been read as it was sent: `bad_form` for a form that has a field twice or other fields
    around it, `bad_headers` for a header block that was cut, is missing, or breaks RFC 5322. Then nothing in the mail proves anything.
    """

    sender: EmailAddress | None
    sender_fault: str
    recipients: tuple[EmailAddress, ...]
    envelope_from: str | None = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    marks: tuple[Mark, ...] = field(repr=False)
    headers: Headers = field(repr=False)
    message_id: str = field(repr=False)
    in_reply_to: str = field(repr=False)
    references: tuple[str, ...] = field(repr=False)
    thread_index: str = field(repr=False)
    attachments: tuple[str, ...] = field(repr=False)
    contents: tuple[MailFile, ...] = field(repr=False)
    hidden: int
    dkim: str
    spf: str
    digest: str
    unread: str = ""
    enveloped: bool = False


def parse_email(body: bytes, content_type: str) -> InboundMail:
    """Read one post; raises BadInput `not_a_form`, `truncated`, `missing_from` or `missing_to`."""
    found, whole = parts(body, boundary_of(content_type))
    fields, files, attached, once = _collect(found)
    texts = _Texts(fields)
    raw = bytes(fields["email"]) if "email" in fields else None
    block = mime.header_block(raw, MAX_BLOCK_BYTES) if raw is not None else texts.proof("headers", MAX_BLOCK_BYTES)
    headers = Headers.parse(block)
    envelope = _envelope(texts.proof("envelope"))
    sender, fault = _sender(texts, headers)
    subject = seen_line(texts.field("subject"), MAX_SUBJECT)
    if not subject.text:
        subject = seen_line(decoded(headers.first("subject")), MAX_SUBJECT)
    bodies = mime.read(raw) if raw is not None else _posted_bodies(texts, headers, _posted(texts, files), attached)
    in_reply_to, references = headers.in_reply_to(), headers.references()
    words = others_words.shown(bodies)
    content = others_words.marked(
        words.text,
        bodies.mails,
        author=sender.value if sender else "",
        passed_on=others_words.is_forward(subject.text, (in_reply_to, *references)),
    )
    files_kept = [file for file in bodies.files if not (bodies.has_html and file.is_tracker)][:MAX_FILES]
    attachments = [seen_line(file.name, MAX_FROM) for file in files_kept]
    digest = _digest(headers, envelope, fields)
    return InboundMail(
        sender=sender,
        sender_fault=fault,
        recipients=_recipients(envelope, texts.field("to"), headers.all("to")),
        envelope_from=envelope.get("from") if envelope else None,
        subject=subject.text,
        body=content.text,
        marks=content.marks,
        headers=headers,
        message_id=headers.message_id("message-id") or f"<{digest[:32]}{MADE_ID}",
        in_reply_to=in_reply_to,
        references=references,
        thread_index=headers.thread_index(),
        attachments=tuple(harmless_name(name.text) for name in attachments),
        contents=tuple(files_kept),
        hidden=words.hidden + content.hidden + subject.hidden + sum(name.hidden for name in attachments),
        dkim=texts.proof("dkim"),
        spf=texts.proof("SPF").strip().lower(),
        digest=digest,
        unread=_unread(headers, form_is_whole=whole and once and not {"email", "headers"} <= fields.keys()),
        enveloped=bool(envelope),
    )


def _unread(headers: Headers, *, form_is_whole: bool) -> str:
    if not form_is_whole:
        return "bad_form"
    return "" if headers.whole else "bad_headers"


def harmless_name(name: str) -> str:
    """A file's name without path, hidden characters, quotes and leading dots; never empty."""
    last = _PATH.split(seen_line(name, MAX_FROM).text)[-1]
    plain = _NOT_IN_NAMES.sub("_", last).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if len(plain) > MAX_FILE_NAME and dot and len(ending) <= MAX_ENDING:
        return f"{stem[: MAX_FILE_NAME - len(ending) - 1]}.{ending}"
    return plain[:MAX_FILE_NAME] or "unnamed"


def _collect(found: Iterable[PostedPart]) -> tuple[Fields, list[PostedPart], list[memoryview], bool]:
    """The fields that are read, the first of each name; the files; the mails among them; and whether each field occurs once.

    SendGrid writes each field once. A second one comes from a mail that contains the form's boundary: then nobody can tell which is whose.
    """
    fields: Fields = {}
    files: list[PostedPart] = []
    mails: list[memoryview] = []
    once = True
    for part in found:
        if part.name in _FIELDS:
            once = once and part.name not in fields
            fields.setdefault(part.name, part.value)
        elif part.filename is not None and part.content_type in mime.MAIL_TYPES and len(mails) < mime.MAX_MAILS:
            mails.append(part.value)
        elif part.filename is not None and len(files) < MAX_FILES:
            files.append(part)
    return fields, files, mails, once


def _posted(texts: _Texts, files: list[PostedPart]) -> list[MailFile]:
    """The files of the form; those that the mail's text shows are named in a field of their own, by their content ids."""
    shown = {name for name in _json_object(texts.proof("content-ids")).values() if isinstance(name, str)}
    return [posted(part.filename or "", part.content_type, part.value, inline=part.name in shown) for part in files]


class _Texts:
    """Fields as texts, each decoded from its raw bytes by the charset that SendGrid names for it."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        declared = _json_object(decode_plain(bytes(fields.get("charsets", b"")[:MAX_FIELD_BYTES])))
        self._charsets = {name: value for name, value in declared.items() if isinstance(value, str)}

    def field(self, name: str, limit: int = MAX_FIELD_BYTES) -> str:
        """The text of a field, of its first `limit` bytes; '' when it is missing."""
        value = self._fields.get(name)
        if value is None:
            return ""
        raw, charset = bytes(value[:limit]), self._charsets.get(name, "")
        return decode(raw, html_charset(raw, charset) if name == "html" else charset)

    def proof(self, name: str, limit: int = MAX_PROOF_BYTES) -> str:
        """The text of a field that SendGrid itself writes: always UTF-8, because the mail's author chooses what `charsets` says."""
        return decode_plain(bytes(self._fields.get(name, b"")[:limit]))


def _posted_bodies(texts: _Texts, headers: Headers, files: list[MailFile], attached: list[memoryview]) -> mime.Bodies:
    """What SendGrid has taken apart: texts, files, and the mails among the files, of which only the begin is read."""
    mails = [mime.attached(bytes(content[:MAX_TEXT_BYTES])) for content in attached]
    alternatives = headers.first("content-type").lower().startswith("multipart/alternative")
    found = mime.MailTexts([texts.field("text", MAX_TEXT_BYTES)], [texts.field("html", MAX_TEXT_BYTES)], alternatives=alternatives)
    return mime.Bodies([found], files, mails)


def _envelope(text: str) -> dict[str, Any]:
    """The envelope: `to` as a list of texts, `from` as a text or None; {} when it cannot be read."""
    value = _json_object(text)
    to = value.get("to")
    to = [to] if isinstance(to, str) else to
    if not isinstance(to, list):
        return {}
    sender = value.get("from")
    recipients = [each for each in to if isinstance(each, str)][:MAX_RECIPIENTS]
    return {"to": recipients, "from": sender.strip() if isinstance(sender, str) else None}


def _recipients(envelope: dict[str, Any], shown: str, lines: list[str]) -> tuple[EmailAddress, ...]:
    """The addresses that the mail was delivered to: by the envelope, else by the form's `to`, else by the mail's To headers.

    The envelope is SendGrid's own. The form prints names without their quotes, and may therefore not be a valid list of addresses.
    """
    if envelope:
        found = [address for text in envelope["to"] for address in _addresses(text)]
    elif not shown.strip() and not any(line.strip() for line in lines):
        raise BadInput(code="missing_to")
    else:
        found = _addresses(shown) or [address for line in lines for address in _addresses(line)] or seen_addresses(shown)
    return tuple(dict.fromkeys(found))[:MAX_RECIPIENTS]


def _addresses(text: str) -> list[EmailAddress]:
    try:
        return parse_address_list(_unfolded(text))
    except BadInput:
        return []


def _sender(texts: _Texts, headers: Headers) -> tuple[EmailAddress | None, str]:
    """The one author, or None and the fault (`two_addresses`, `bad_from`).

    The mail's own From header decides: the form's `from` prints names without their quotes, so that `Doe, Ada <a@example.com>` is no valid
    list of addresses. But both must have the same address, and the form no further one that is not part of the header's name.
    """
    lines, shown = headers.all("from"), texts.field("from")
    if not shown.strip() and not any(line.strip() for line in lines):
        raise BadInput(code="missing_from")
    if len(lines) > 1:
        return None, "two_addresses"
    header = _unfolded(lines[0] if lines else shown)
    try:
        sender = _author(header)
    except BadInput as error:
        return None, "two_addresses" if error.code == "two_addresses" else "bad_from"
    fault = _disagreement(_unfolded(shown), sender, header) if shown.strip() else ""
    return (None, fault) if fault else (sender, "")


def _author(header: str) -> EmailAddress:
    """The address in a From header; also where its name lacks required quotes, or it has no brackets or a mark behind them."""
    try:
        return EmailAddress.parse(header)
    except BadInput as error:
        if len(header) > MAX_FROM:
            raise
        author = _loosely(one_line(decoded(header), MAX_FROM), error)
    if author.value not in header.lower():  # it came from decoding an encoded word
        raise BadInput(code="bad_email")
    return author


def _loosely(text: str, fault: BadInput) -> EmailAddress:
    with suppress(BadInput):
        return only_address(text)
    if fault.code == "two_addresses":
        raise fault
    return address_behind_name(text)


def _disagreement(shown: str, sender: EmailAddress, header: str) -> str:
    """'' when the form's `from` has this author, alone or behind a name; any other address must be part of the header's name."""
    if _printed(shown) == _printed(decoded(header)):
        return ""
    try:
        return "" if EmailAddress.parse(shown) == sender else "two_addresses"
    except BadInput:
        pass
    _, _, address = shown.rpartition("<")
    name = one_line(decoded(header), MAX_FROM).lower()
    others = [each for each in seen_addresses(shown) if each != sender and each.value not in name]
    if others or len(shown) > MAX_FROM:
        return "two_addresses" if others else "bad_from"
    return "" if address.endswith(">") and seen_addresses(address) == [sender] else "bad_from"


def _printed(text: str) -> str:
    """A header as the form prints it: without quotes."""
    return " ".join(text.replace('"', "").replace("\\", "").split())


def _unfolded(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _digest(headers: Headers, envelope: dict[str, Any], fields: Fields) -> str:
    """A hash that identifies a mail. A Message-ID alone would not do: its author could claim another mail's.

    Attachments and multipart boundary are left out: both may differ between two posts of one mail.
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
