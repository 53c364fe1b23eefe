"""Parses multipart/form-data as raw bytes: Inbound Parse posts each field in whatever charset the mail had.

werkzeug would decode every field as UTF-8 before the `charsets` field could be read, answer 413 for a field over 500 kB, and reject the
whole body because of one header that is not UTF-8: a mail must not be lost because of a file's name. Values are views: nothing is copied.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from werkzeug.http import parse_options_header

from shared.errors import BadInput
from shared.model.text import decode, decode_plain
from webhook_api.email.headers import decoded

MAX_PARTS: Final = 5_000
MAX_HEAD: Final = 65_536
"""Bytes of a part's headers: the name of a file may take most of them."""
MAX_BOUNDARY: Final = 200
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
MAX_TRAILING_BLANKS: Final = 256
"""Bytes of blanks behind a form's last line."""


class TruncatedForm(BadInput):
    """A form that ends before its last boundary line: SendGrid must send it again, for anything may be missing."""

    status = 503

    def __init__(self) -> None:
        super().__init__(code="truncated")


@dataclass(frozen=True, slots=True)
class PostedPart:
    """One field or file: `value` is a view into the body, `filename` is None for a field; `content_type` is in lower case, '' for none."""

    name: str
    filename: str | None
    value: memoryview
    content_type: str = ""


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names; BadInput `not_a_form` when it is not multipart/form-data."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY:
        raise BadInput(code="not_a_form")
    return boundary.encode("utf-8", "replace")


def parts(body: bytes, boundary: bytes) -> tuple[list[PostedPart], bool]:
    """The first MAX_PARTS parts of a body, in order, and whether it is certain that it has no other field. Raises TruncatedForm.

    A part without a name is left out. It is certain when the body begins with its first boundary line and ends with its last, and all
    further parts are files. The header that names the boundary is not signed: with another boundary, a mail that contains boundary lines of
    its own would be another form under the same signature. And where a mail's text ends the form early, the fields that SendGrid wrote
    behind it would not be read.
    """
    view, mark, found = memoryview(body), b"--" + boundary, list[PostedPart]()
    at = body.find(mark)
    whole = at == 0 and _is_boundary_line(body, len(mark))
    number = 0
    while True:
        after = at + len(mark)
        if at >= 0 and body.startswith(b"--", after):
            return found, whole and len(body) - after <= MAX_TRAILING_BLANKS and not body[after + 2 :].strip()
        line_end = body.find(b"\r\n", after) if at >= 0 else -1
        end = _next_mark(body, line_end + 2, mark) if line_end >= 0 else -1
        if end < 0:
            raise TruncatedForm
        if number < MAX_PARTS:
            found += _part(body, view, line_end + 2, end)
        else:
            head_end = body.find(b"\r\n\r\n", line_end + 2, min(end, line_end + MAX_HEAD))
            whole = whole and (head_end < 0 or b"filename" in body[line_end:head_end])
        at, number = end + 2, number + 1


def _next_mark(body: bytes, start: int, mark: bytes) -> int:
    """The position of the line break before the next boundary line; -1 when there is none."""
    position = start - 2  # an empty part has only the line break before it
    while (position := body.find(b"\r\n" + mark, position)) >= 0:
        if _is_boundary_line(body, position + 2 + len(mark)):
            return position
        position += 2
    return -1


def _is_boundary_line(body: bytes, after: int) -> bool:
    """Whether two hyphens, or blanks and the line's end, follow a boundary: a longer boundary is a different one."""
    return body.startswith((b"--", b"\r\n"), after) or body[after : after + MAX_TRAILING_BLANKS].lstrip(b" \t").startswith(b"\r\n")


def _part(body: bytes, view: memoryview, start: int, end: int) -> tuple[PostedPart, ...]:
    """The part between two boundary lines, if it has a name."""
    head_end = body.find(b"\r\n\r\n", start, min(end, start + MAX_HEAD))
    if head_end < 0:
        return ()
    heads: dict[str, str] = {}
    for line in _FOLD.sub(b" ", body[start:head_end]).split(b"\r\n"):
        name, _, value = line.partition(b":")
        heads.setdefault(decode_plain(name).strip().lower(), decode_plain(value.strip()))
    _, options = parse_options_header(heads.get("content-disposition", ""))
    field, kind = options.get("name"), heads.get("content-type", "").partition(";")[0].strip().lower()
    shown = _file_name(options.get("filename"))
    return (PostedPart(field, shown, view[head_end + 4 : max(end, head_end + 4)], kind),) if field else ()


def _file_name(shown: str | None) -> str | None:
    """The name of a file, as the mail's own charset or encoded words have it; None for a field.

    The line is read byte by byte first: in a charset of East Asia its quotation mark could be half of a letter.
    """
    if not shown:
        return shown
    with suppress(UnicodeEncodeError):  # it was UTF-8
        shown = decode(shown.encode("cp1252"))
    return decoded(shown)
