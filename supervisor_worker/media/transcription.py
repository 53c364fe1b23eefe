"""Has a recording turned into words by a service that speaks OpenAI's `/v1/audio/transcriptions`.

One request: no redirect, no proxy, nothing repeated, and an answer of a bounded size. What the service says is text from outside.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from shared.config.settings import Settings
from shared.model.heard import MAX_BYTES
from shared.model.text import clean
from supervisor_worker.providers.exchange import retry_after
from supervisor_worker.providers.http_pool import NOT_SENT, HttpPool, HttpResponse

CONNECTIONS: Final = 8
CONNECT_SECONDS: Final = 5.0
_OK: Final = 200
_LATER: Final = (408, 425, 429)
_REFUSES_US: Final = (401, 402, 403, 404, 405)
_REDIRECTS: Final = range(300, 400)
_SERVER_ERROR: Final = 500
_MOST_SECONDS: Final = 1_000_000
_ENDINGS: Final[tuple[tuple[bytes, int, str], ...]] = (
    (b"#!AMR", 0, "amr"),
    (b"OggS", 0, "ogg"),
    (b"fLaC", 0, "flac"),
    (b"WAVE", 8, "wav"),
    (b"ftypM4", 4, "m4a"),
    (b"ftyp", 4, "mp4"),
    (b"\x1aE\xdf\xa3", 0, "webm"),
    (b"caff", 0, "caf"),
)
"""The ending of a file's name, by which a service chooses how to read it, by its first bytes; "mp3" for all others."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words. `seconds` is how long the recording was as the service counts it, where it says so."""

    text: str = field(repr=False)
    seconds: int | None = None


class NotTranscribed(Exception):
    """There are no words; `reason` is a word for the log.

    `transient`: another try may have them, and not before `wait` seconds. `ours`: whatever is sent there is refused. `paid`: it may be
    billed all the same.
    """

    def __init__(self, reason: str, *, transient: bool = False, ours: bool = False, paid: bool = False, wait: float = 0.0) -> None:
        self.reason = reason
        self.transient = transient
        self.ours = ours
        self.paid = paid
        self.wait = wait
        super().__init__(reason)


class Transcriber:
    """The service, and the connections to it. They belong to the event loop of the first request, and are closed there."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.stt_url
        self._key = settings.stt_api_key.get_secret_value()
        self._model = settings.stt_model
        self._pool = HttpPool(self._url, limit=CONNECTIONS, connect_seconds=CONNECT_SECONDS, proxied=False)

    async def transcribe(self, content: bytes, seconds: float) -> Transcript:
        """The words of a recording, in at most so many seconds. Raises NotTranscribed, and PermitExpired where nothing may be sent."""
        boundary = secrets.token_hex(16)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        body = _form(boundary, {"model": self._model, "response_format": "json"}, f"voice.{_ending(content)}", content)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._pool.fetch("POST", self._url, headers, body)
        except NOT_SENT:
            raise NotTranscribed("not_reached", transient=True) from None  # its words hold the address
        except TimeoutError:
            raise NotTranscribed("timeout", transient=True, paid=True) from None
        except (aiohttp.ClientError, OSError):
            raise NotTranscribed("no_answer", transient=True, paid=True) from None
        return _transcript(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def _form(boundary: str, fields: dict[str, str], name: str, content: bytes) -> bytes:
    """A form of these fields and a file (RFC 7578)."""
    parts = [f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode() for field, value in fields.items()]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    mark = f"--{boundary}\r\n".encode()
    return b"".join([*(mark + part for part in parts), mark, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])


def _ending(content: bytes) -> str:
    return next((ending for beginning, at, ending in _ENDINGS if content.startswith(beginning, at)), "mp3")


def _transcript(answer: HttpResponse) -> Transcript:
    """The words of an answer. Raises NotTranscribed."""
    status = answer.status
    if status in _LATER:
        raise NotTranscribed(f"http_{status}", transient=True, wait=retry_after(answer.headers) or 0.0)
    if status >= _SERVER_ERROR:
        raise NotTranscribed(f"http_{status}", transient=True, paid=True, wait=retry_after(answer.headers) or 0.0)
    if status in _REFUSES_US or status in _REDIRECTS:
        raise NotTranscribed(f"http_{status}", ours=True)
    if status != _OK:
        raise NotTranscribed(f"http_{status}")
    try:
        said = json.loads(answer.body)
        text = said["text"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise NotTranscribed("not_json", paid=True) from None
    if not isinstance(text, str):
        raise NotTranscribed("not_json", paid=True)
    return Transcript(clean(text).strip().encode()[:MAX_BYTES].decode("utf-8", "ignore"), _seconds(said))


def _seconds(said: Any) -> int | None:
    """How long a recording was, by `usage` or `duration` of the answer; None where neither says it."""
    usage = said.get("usage")
    found = usage.get("seconds") if isinstance(usage, dict) else said.get("duration")
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= _MOST_SECONDS:
        return None
    return math.ceil(found)
