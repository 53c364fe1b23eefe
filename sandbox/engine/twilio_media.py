"""The files that came with a text, as Twilio keeps them: behind a login, and then somewhere else by a redirect.

Twilio's API answers 307 to an address on another host that needs no login and ends soon. Here both are this process: there is no
other host on this machine. The knobs `media_location` and `media_answer` send a client elsewhere, or give it what hurts.
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
    from sandbox.engine.faults import TwilioKnobs

CAPACITY: Final = 200
PATH: Final = "/media/"
PICTURE: Final = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
"""What a text carries when nothing else is said: one red pixel."""
BLOCK: Final = bytes(65_536)
ENDLESS_BLOCKS: Final = 16_384
BOMB_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file, and the address that it may be had under without a login."""

    sid: str
    message_sid: str
    content_type: str
    data: bytes = field(repr=False)
    created: float = field(default_factory=time.monotonic)
    token: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(slots=True)
class MediaStore:
    """The newest files."""

    _files: dict[str, File] = field(default_factory=dict)

    def add(self, file: File) -> None:
        """Keep a file, and forget the oldest of too many."""
        self._files[file.sid] = file
        if len(self._files) > CAPACITY:
            del self._files[next(iter(self._files))]

    def get(self, message_sid: str, sid: str, after: float = 0.0) -> File | None:
        """Return a file of this very message, if it is older than `after` seconds."""
        file = self._files.get(sid)
        if file is None or file.message_sid != message_sid or time.monotonic() < file.created + after:
            return None
        return file

    def by_token(self, token: str) -> File | None:
        """Return the file behind an address."""
        return next((file for file in self._files.values() if file.token == token), None)


def location(file: File, knobs: TwilioKnobs) -> str:
    """Where the API sends a client that asks for a file."""
    return knobs.media_location or PATH + file.token


async def hostile(http: web.Request, kind: str) -> web.StreamResponse:
    """Answer with a body without end, with one that unpacks to 50 MB, or with a way back to here."""
    if kind == "loop":
        return web.Response(status=307, headers={"Location": http.path})
    if kind == "packed":
        return web.Response(body=gzip.compress(bytes(BOMB_BYTES), 1), headers={"Content-Encoding": "gzip", "Content-Type": "image/png"})
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(http)
    for _ in range(ENDLESS_BLOCKS):
        await response.write(BLOCK)
    return response
