"""A body as it comes off the wire: whole or refused, and of one that is too large as much as may be kept.

Each piece is shown to `seen` on its way, so that a signature over everything can be checked though not everything is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Request

from webhook_api.security.authentication import Refusal, Seen

PIECE: Final = 262_144
ENDING_WITHIN: Final = 256
END: Final = 262_144
"""How much is kept of the end of a body that is cut: fields stand behind the files, too."""
LARGEST: Final = 256 * 1024 * 1024
"""What is read at all, of a body of which only the beginning is kept; SendGrid takes in about 30 MB."""


@dataclass(frozen=True, slots=True)
class Body:
    """`cut` says that more came than was kept."""

    kept: bytes
    cut: bool = False


def whole(request: Request, seen: Seen, *, ending: bytes) -> Body:
    """The body, up to the route's limit; a connection that broke on the way gets a 503, since half a body is another one than its retry's.

    A body in chunks has no length, and the server does not say that its last chunk never came: it must end with `ending`.
    """
    body = request.get_data(cache=False)
    seen(body)
    _refuse_half(len(body), request.content_length, body[-ENDING_WITHIN:], ending)
    return Body(body)


def beginning(request: Request, seen: Seen, *, ending: bytes, most: int) -> Body:
    """The same for a form that may be larger than `most` bytes. These are kept, and from its end the whole parts.

    `ending` is the form's last line. Raises Refusal `too_large` beyond LARGEST.
    """
    expected, stream = request.content_length, request.environ["wsgi.input"]
    if expected is not None and expected <= most:
        return whole(request, seen, ending=ending)
    if expected is not None and expected > LARGEST:
        raise Refusal("too_large", 413)
    kept, last, total = bytearray(), b"", 0
    while (expected is None or total < expected) and (piece := stream.read(PIECE if expected is None else min(PIECE, expected - total))):
        seen(piece)
        total += len(piece)
        if total > LARGEST:
            raise Refusal("too_large", 413)
        kept += piece[: most - len(kept)]
        last = (last + piece)[-END:]
    _refuse_half(total, expected, last[-ENDING_WITHIN:], ending)
    if total > most:
        end = last[-(total - most) :]
        kept += end[max(0, end.find(b"\r\n" + ending.removesuffix(b"--"))) :]
    return Body(bytes(kept), cut=total > most)


def _refuse_half(total: int, expected: int | None, last: bytes, ending: bytes) -> None:
    if not (total == expected if expected is not None else last.rstrip().endswith(ending)):
        raise Refusal("truncated", 503)
