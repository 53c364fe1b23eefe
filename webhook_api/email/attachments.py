"""The files of a mail while its webhook holds them: views of the request, or parts of a MIME message that are decoded in pieces.

Nothing is copied and nothing decoded before somebody asks for the content, for most mails come from strangers.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Final

CHUNK: Final = 1024 * 1024
"""Bytes that are handed out, or characters that are decoded, at once."""
TINY_BYTES: Final = 1024
"""A picture within a mail's text that is smaller is a tracker or a spacer: one pixel takes up to about 700 bytes as JPEG."""
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,80}/[a-z0-9.+-]{1,80}")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file. `name` is as the mail says it, '' for none; `content_type` in lower case, '' for none that is one.

    `chunks` gives the content, at most CHUNK bytes at once, as often as it is called. `inline`: the mail's text shows it.
    """

    name: str
    content_type: str
    chunks: Callable[[], Iterator[bytes]] = field(repr=False)
    inline: bool = False

    @property
    def is_tracker(self) -> bool:
        """Whether it is a picture of next to nothing in the mail's text: nobody sent it to be looked at."""
        if not (self.inline and self.content_type.startswith("image/")):
            return False
        size = 0
        for chunk in self.chunks():
            size += len(chunk)
            if size >= TINY_BYTES:
                return False
        return True


def posted(name: str, content_type: str, content: memoryview, *, inline: bool) -> MailFile:
    """A file that is a part of a form."""
    return MailFile(name, harmless_type(content_type), lambda: _slices(content), inline)


def of_part(name: str, part: Message) -> MailFile:
    """A file that is a part of a MIME message; its content may be damaged, and then is what is left."""
    inline = part.get_content_disposition() != "attachment" and bool(part.get("content-id") or part.get_content_disposition())
    return MailFile(name, harmless_type(part.get_content_type()), lambda: _decoded(part), inline)


def harmless_type(text: str) -> str:
    """A content type in lower case; '' for anything that is none."""
    text = text.strip().lower()
    return text if _CONTENT_TYPE.fullmatch(text) else ""


def _slices(content: memoryview) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield bytes(content[start : start + CHUNK])


def _decoded(part: Message) -> Iterator[bytes]:
    """The content of a part: base64, in which programs send all that is large, in pieces, so that no second copy of the whole is made."""
    payload = part.get_payload()
    if not isinstance(payload, str):  # a message within the message, which is read where it stands
        return
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "base64":
        yield from _base64(payload)
        return
    whole = part.get_payload(decode=True)
    yield from _slices(memoryview(whole if isinstance(whole, bytes) else b""))


def _base64(payload: str) -> Iterator[bytes]:
    left = ""
    for start in range(0, len(payload), CHUNK):
        letters = left + _NOT_BASE64.sub("", payload[start : start + CHUNK])
        whole = len(letters) & ~3
        left = letters[whole:]
        yield binascii.a2b_base64(letters[:whole])
    if len(left) > 1:  # one letter is no byte
        yield binascii.a2b_base64(left + "=" * (-len(left) % 4))
