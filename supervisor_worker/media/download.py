"""One file of a text, fetched: bounded in time, in size and in where it leads. Nothing is unpacked.

Not the connections of `channels`: those go by the environment's proxy, which would resolve names itself, and where we cannot see it.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from shared.config.settings import Settings
from shared.model.events import Media
from supervisor_worker.media.allowed_urls import NotAllowed, Route, local_port
from supervisor_worker.media.public_addresses import Door, Lookup, NotPublic, PublicResolver, look_up
from supervisor_worker.providers.http_pool import IDLE_SECONDS, tls

MAX_REDIRECTS: Final = 3
CONNECTIONS: Final = 20
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_OK: Final = 200
_PASSING: Final = (404, 408, 425, 429)  # Twilio may announce a file a moment before it has it
_SERVER_ERROR: Final = 500


class NotHad(Exception):
    """A file that is not to be had; `reason` is a word for the log, `passing` whether it may be to be had in a moment."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        self.reason = reason
        self.passing = passing
        super().__init__(reason)


class Downloads:
    """The way to the files of texts. It belongs to the loop of its first request, and is closed there."""

    def __init__(self, route: Route, door: Door, *, seconds: float, lookup: Lookup = look_up) -> None:
        """`seconds` is for one file, redirects included."""
        self._route = route
        self._door = door
        self._lookup = lookup
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @classmethod
    def of(cls, settings: Settings) -> Downloads:
        """As the settings say."""
        return cls(Route.of(settings), Door(local_port=local_port(settings)), seconds=settings.media_timeout_seconds)

    async def fetch(self, message_sid: str, media: Media, limit: int) -> bytes:
        """The file, of at most `limit` bytes; raises NotHad."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._once(message_sid, media, limit)
        except TimeoutError:
            raise NotHad("timeout") from None

    async def aclose(self) -> None:
        """Close the connections; none is opened after that."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _once(self, message_sid: str, media: Media, limit: int) -> bytes:
        try:
            return await self._follow(self._route.start(message_sid, media), limit)
        except (NotAllowed, aiohttp.InvalidURL):
            raise NotHad("not_allowed") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(getattr(error, "os_error", error), NotPublic):
                raise NotHad("not_public") from None
            raise NotHad("no_answer", passing=True) from None  # its words may hold a signed address

    async def _follow(self, url: URL, limit: int) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._opened().get(url, headers=self._route.headers(url), allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await _body(response, limit)
                url = self._route.next(url, response.headers.get("Location", ""))
        raise NotHad("too_many_redirects")

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise NotHad("closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS,
                    keepalive_timeout=IDLE_SECONDS,
                    ssl=tls() if self._route.encrypted else True,
                    resolver=PublicResolver(self._door, self._lookup),
                    use_dns_cache=False,
                    socket_factory=self._door.open_socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body as it comes, counted: what the answer says of its length is not believed."""
    if response.status != _OK:
        raise NotHad(f"http_{response.status}", passing=response.status in _PASSING or response.status >= _SERVER_ERROR)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise NotHad("packed")
    read = bytearray()
    async for chunk in response.content.iter_any():
        if len(read) + len(chunk) > limit:
            raise NotHad("too_large")
        read += chunk
    return bytes(read)
