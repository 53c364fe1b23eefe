"""Mails that came as files: who wrote them, when, to whom, the subject and the text; mails within them up to a depth, files by name."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final, cast

from shared.model.text import decode, one_line
from supervisor_worker.media.readers import calendars
from supervisor_worker.media.readers.extract import BoundedText, Unreadable
from supervisor_worker.media.readers.text_files import decoded
from supervisor_worker.media.readers.web_pages import MAX_HTML, add_html

MAX_DEPTH: Final = 3
"""Of mails within mails whose text is shown."""
MAX_PARTS: Final = 200
_HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")
_MAX_HEADER: Final = 1_000


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the mail."""
    try:
        mail = message_from_bytes(content)
    except RecursionError:  # hundreds of mails, each within the other
        _add_headers(BytesHeaderParser().parsebytes(content), text)
        raise Unreadable("damaged") from None
    _add(mail, charset, text, depth=0)


def _add(mail: Message, charset: str, text: BoundedText, depth: int) -> None:
    _add_headers(mail, text)
    leaves = _leaves(mail)
    bodies = [part for part in leaves if part.get_content_type() in {"text/plain", "text/html"} and not _name(part)]
    plain = [part for part in bodies if part.get_content_type() == "text/plain" and _body(part).strip()]
    for part in plain or bodies:
        _add_body(part, charset, text)
    for part in leaves:
        if part.get_content_type() == "message/rfc822" and depth < MAX_DEPTH and part.is_multipart():
            text.line("\nAttached mail:")
            _add(_inner(part), charset, text, depth + 1)
        elif part.get_content_type() == "text/calendar":
            calendars.read(_body(part), part.get_content_charset() or charset, text)
        elif _name(part) or part not in bodies:
            text.line(f"Attached: {_name(part) or part.get_content_type()}")


def _add_headers(mail: Message, text: BoundedText) -> None:
    headers = {name.lower(): value for name, value in reversed(list(mail.raw_items()))}
    for name in _HEADERS:
        value = _header(headers.get(name.lower()))
        if value:
            text.line(f"{name}: {value}")
    text.line("")


def _inner(part: Message) -> Message:
    """The mail within a part: some programs send it as base64, which the parser takes for its text."""
    inner = cast("list[Message]", part.get_payload())[0]
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() != "base64":
        return inner
    return message_from_bytes(base64.b64decode(inner.as_bytes()))


def _leaves(mail: Message) -> list[Message]:
    """The parts that hold something, in their order; a mail within the mail is one of them. By a list of ours: mails nest deep."""
    found: list[Message] = []
    waiting = [mail]
    while waiting and len(found) < MAX_PARTS:
        part = waiting.pop(0)
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting[:0] = cast("list[Message]", payload)[:MAX_PARTS]
        else:
            found.append(part)
    return found


def _body(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _add_body(part: Message, charset: str, text: BoundedText) -> None:
    words = decoded(_body(part)[:MAX_HTML], part.get_content_charset() or charset)
    if part.get_content_type() == "text/html":
        add_html(words, text)
    else:
        text.add(words.replace("\r\n", "\n"))
    text.line("")


def _name(part: Message) -> str:
    """What a file is called; '' for a part that is no file."""
    return _header(part.get_filename())[:200]


def _header(value: object) -> str:
    """A header's value as text, on one line."""
    raw = str(value)[:_MAX_HEADER] if value is not None else ""
    if not raw.isascii():  # as no standard allows and programs write it: bytes, which the parser escapes
        raw = decoded(raw.encode("utf-8", "surrogateescape"))
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, ValueError):
        return one_line(raw, _MAX_HEADER)
    words = "".join(piece if isinstance(piece, str) else decode(piece, charset or "") for piece, charset in pieces)
    return one_line(words, _MAX_HEADER)
