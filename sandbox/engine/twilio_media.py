"""The files that come with a text, stored as Twilio stores them: behind a login, and then behind a redirect.

Twilio's API answers 307 with an address on another host, which needs no login and expires soon. Here both are this process, because
there is no other host. The faults `media_location` and `media_answer` redirect a client elsewhere, or give it a harmful body.
"""

from __future__ import annotations

import base64
import gzip
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from sandbox.engine.faults import TwilioFaults

CAPACITY: Final = 200
"""Files."""
FILE_PATH: Final = "/media/"
DEFAULT_PICTURE: Final = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
"""The file of a text that names no other: one red pixel."""
BLOCK: Final = bytes(65_536)
ENDLESS_BLOCKS: Final = 16_384
"""1 GiB, which no client reads to its end."""
UNPACKED_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """One file. `token` is in the address that serves it without a login."""

    sid: str
    message_sid: str
    content_type: str
    data: bytes = field(repr=False)
    created: float = field(default_factory=time.monotonic)
    token: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(slots=True)
class MediaStore:
    """The newest files, by sid."""

    _files: dict[str, MediaFile] = field(default_factory=dict)

    def add(self, file: MediaFile) -> None:
        """Store a file, and drop the oldest if there are too many."""
        self._files[file.sid] = file
        if len(self._files) > CAPACITY:
            del self._files[next(iter(self._files))]

    def get(self, message_sid: str, sid: str, after: float = 0.0) -> MediaFile | None:
        """Return a file if it belongs to this message and is older than `after` seconds."""
        file = self._files.get(sid)
        if file is None or file.message_sid != message_sid or time.monotonic() < file.created + after:
            return None
        return file

    def of_message(self, message_sid: str) -> list[MediaFile]:
        """The files of a message."""
        return [file for file in self._files.values() if file.message_sid == message_sid]

    def delete(self, message_sid: str, sid: str) -> bool:
        """Delete a file; False where it does not belong to this message."""
        file = self._files.get(sid)
        if file is None or file.message_sid != message_sid:
            return False
        del self._files[sid]
        return True

    def delete_of(self, message_sid: str) -> None:
        """Delete the files of a message."""
        for file in self.of_message(message_sid):
            del self._files[file.sid]

    def by_token(self, token: str) -> MediaFile | None:
        """Return the file of an address."""
        return next((file for file in self._files.values() if file.token == token), None)


def redirect_target(file: MediaFile, faults: TwilioFaults) -> str:
    """The address to which the API redirects a client that asks for a file."""
    return faults.media_location or FILE_PATH + file.token


async def harmful_answer(http: web.Request, kind: str) -> web.StreamResponse:
    """Answer as the fault `media_answer` says: with a redirect to itself, with 50 MB in gzip, or with a body without end."""
    if kind == "loop":
        return web.Response(status=307, headers={"Location": http.path})
    if kind == "packed":
        return web.Response(body=gzip.compress(bytes(UNPACKED_BYTES), 1), headers={"Content-Encoding": "gzip", "Content-Type": "image/png"})
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(http)
    for _ in range(ENDLESS_BLOCKS):
        await response.write(BLOCK)
    return response
