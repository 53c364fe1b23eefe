"""Reads a request body: completely, or not at all; from one that is too large, only its beginning and its last fields.

Each chunk is passed to `on_chunk` as it arrives, so that a signature over the whole body can be checked though not all of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Request

from webhook_api.security.authentication import Refusal

CHUNK_BYTES: Final = 262_144
END_MARK_BYTES: Final = 256
"""The body's last line must end within so many bytes of the body's end."""
KEPT_END_BYTES: Final = 262_144
"""How much is kept of the end of a truncated body: the form has fields after its attachments, too."""
MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest body that is read at all, where only its beginning is kept; SendGrid accepts mails of about 30 MB."""

OnChunk = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Body:
    """What was kept of a body; `truncated` says that there was more."""

    content: bytes
    truncated: bool = False


def read_all(request: Request, on_chunk: OnChunk, *, ending: bytes) -> Body:
    """The body, up to the route's limit. Raises Refusal `truncated` (503) where the connection broke: half a body is another message.

    A chunked body has no length, and the server does not report that its last chunk never came: so it must end with `ending`.
    """
    content = request.get_data(cache=False)
    on_chunk(content)
    _require_complete(len(content), request.content_length, content[-END_MARK_BYTES:], ending)
    return Body(content)


def read_prefix(request: Request, on_chunk: OnChunk, *, ending: bytes, limit: int) -> Body:
    """As `read_all`, for a form that may be larger than `limit` bytes: those are kept, and the complete parts of its last KEPT_END_BYTES.

    `ending` is the form's last line. Raises Refusal `truncated`, or `too_large` (413) beyond MAX_BYTES.
    """
    expected, stream = request.content_length, request.environ["wsgi.input"]
    if expected is not None and expected <= limit:
        return read_all(request, on_chunk, ending=ending)
    if expected is not None and expected > MAX_BYTES:
        raise Refusal("too_large", 413)
    kept, last, total = bytearray(), b"", 0
    while expected is None or total < expected:
        chunk = stream.read(CHUNK_BYTES if expected is None else min(CHUNK_BYTES, expected - total))
        if not chunk:
            break
        on_chunk(chunk)
        total += len(chunk)
        if total > MAX_BYTES:
            raise Refusal("too_large", 413)
        kept += chunk[: limit - len(kept)]
        last = (last + chunk)[-KEPT_END_BYTES:]
    _require_complete(total, expected, last[-END_MARK_BYTES:], ending)
    if total > limit:
        # Only what the beginning lacks, from the first boundary line in it on: a part that begins before it would be half of one.
        end = last[-(total - limit) :]
        kept += end[max(0, end.find(b"\r\n" + ending.removesuffix(b"--"))) :]
    return Body(bytes(kept), truncated=total > limit)


def _require_complete(total: int, expected: int | None, last: bytes, ending: bytes) -> None:
    if not (total == expected if expected is not None else last.rstrip().endswith(ending)):
        raise Refusal("truncated", 503)
