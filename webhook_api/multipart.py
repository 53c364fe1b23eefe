"""multipart/form-data as raw bytes: Inbound Parse posts each field in whatever charset the mail had.

werkzeug would decode every field as UTF-8 before the `charsets` field could be read, answer 413 for a field over 500 kB,
and refuse the whole body for one header that is not UTF-8: a mail must not be lost for the name of a file. Nothing is
copied here but the values that are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from werkzeug.http import parse_options_header

from shared.errors import BadInput
from shared.text import decode

MAX_PARTS: Final = 5_000
MAX_HEAD: Final = 8_192
MAX_BOUNDARY: Final = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One field or file: `value` is a view into the body, `filename` is None for a field."""

    name: str
    filename: str | None
    value: memoryview


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names; BadInput `not_a_form` when it is not multipart/form-data."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY:
        raise BadInput(code="not_a_form")
    return boundary.encode("utf-8", "replace")


def parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    """The first 5,000 parts of a body, in order. A body that ends too early gives what it has; a part without a name is left out."""
    view = memoryview(body)
    mark = b"--" + boundary
    position = _behind_mark(body, body.find(mark), mark)
    for _ in range(MAX_PARTS):
        if position is None:
            return
        end = _next_mark(body, position, mark)
        part = _part(body, view, position, len(body) if end is None else end)
        if part is not None:
            yield part
        position = None if end is None else _behind_mark(body, end + 2, mark)


def _next_mark(body: bytes, start: int, mark: bytes) -> int | None:
    """Where the line break stands that belongs to the next boundary line."""
    position = start - 2  # a part may be empty: its line break is then the one before
    while (position := body.find(b"\r\n" + mark, position)) >= 0:
        follower = position + 2 + len(mark)
        if body[follower : follower + 1] in (b"", b"\r", b"-", b" ", b"\t"):
            return position
        position += 2
    return None


def _behind_mark(body: bytes, position: int, mark: bytes) -> int | None:
    """The start of the part whose boundary line begins at `position`; None behind the last one."""
    after = position + len(mark)
    if position < 0 or body.startswith(b"--", after):
        return None
    line_end = body.find(b"\r\n", after)
    return None if line_end < 0 else line_end + 2


def _part(body: bytes, view: memoryview, start: int, end: int) -> Part | None:
    head_end = body.find(b"\r\n\r\n", start, min(end, start + MAX_HEAD))
    if head_end < 0:
        return None
    for line in body[start:head_end].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            _, options = parse_options_header(decode(value.strip()))
            field = options.get("name")
            return Part(field, options.get("filename"), view[head_end + 4 : max(end, head_end + 4)]) if field else None
    return None
