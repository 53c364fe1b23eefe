"""The little of HTTP/1.1 that the load generator and the stub providers parse by hand."""

from __future__ import annotations

from typing import Final

HEAD_END: Final = b"\r\n\r\n"


def content_length(head: bytes) -> int:
    """The Content-Length in a request's or an answer's head, 0 without one."""
    start = head.lower().find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    end = head.find(b"\r\n", start + 17)
    return int(head[start + 17 : end if end > 0 else None])
