"""The download of one file of a message: bounded in time, in size and in its redirects. Nothing is unpacked.

Not by `providers.http_pool`: that one honours the environment's proxy, which would resolve names itself, unchecked.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from shared.config.settings import Settings
from shared.model.media import Media
from supervisor_worker.media.allowed_urls import AllowedUrls, NotAllowed, local_port
from supervisor_worker.media.public_addresses import AddressPolicy, Lookup, NotPublic, PublicResolver, look_up
from supervisor_worker.providers.http_pool import IDLE_SECONDS, tls

MAX_REDIRECTS: Final = 3
MAX_CONNECTIONS: Final = 20
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_OK: Final = 200
_TRANSIENT: Final = (404, 408, 425, 429)  # Twilio may announce a file a moment before it has it
_SERVER_ERROR: Final = 500


class MediaUnavailable(Exception):
    """A file that could not be fetched. `reason` is a word for the log; a `transient` failure may be retried."""

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        self.reason = reason
        self.transient = transient
        super().__init__(reason)


class Downloads:
    """The connections for files. They belong to the event loop of the first request, and are closed there."""

    def __init__(self, allowed: AllowedUrls, policy: AddressPolicy, *, seconds: float, lookup: Lookup = look_up) -> None:
        """`seconds` is for one file with its redirects."""
        self._allowed = allowed
        self._policy = policy
        self._lookup = lookup
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @classmethod
    def of(cls, settings: Settings) -> Downloads:
        """As the settings say."""
        return cls(AllowedUrls.of(settings), AddressPolicy(local_port=local_port(settings)), seconds=settings.media_timeout_seconds)

    async def fetch(self, message_sid: str, media: Media, limit: int) -> bytes:
        """The file, of at most `limit` bytes; raises MediaUnavailable."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._once(message_sid, media, limit)
        except TimeoutError:
            raise MediaUnavailable("timeout") from None

    async def aclose(self) -> None:
        """Close the connections; no further one is opened."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _once(self, message_sid: str, media: Media, limit: int) -> bytes:
        try:
            return await self._follow(self._allowed.start(message_sid, media), limit)
        except (NotAllowed, aiohttp.InvalidURL):
            raise MediaUnavailable("not_allowed") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(getattr(error, "os_error", error), NotPublic):
                raise MediaUnavailable("not_public") from None
            raise MediaUnavailable("no_answer", transient=True) from None  # its words may hold a signed address

    async def _follow(self, url: URL, limit: int) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._opened().get(url, headers=self._allowed.headers(url), allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await _body(response, limit)
                url = self._allowed.next(url, response.headers.get("Location", ""))
        raise MediaUnavailable("too_many_redirects")

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise MediaUnavailable("closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS,
                    keepalive_timeout=IDLE_SECONDS,
                    ssl=tls() if self._allowed.encrypted else True,
                    resolver=PublicResolver(self._policy, self._lookup),
                    use_dns_cache=False,
                    socket_factory=self._policy.open_socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, counted as it arrives: its Content-Length is not trusted."""
    if response.status != _OK:
        raise MediaUnavailable(f"http_{response.status}", transient=response.status in _TRANSIENT or response.status >= _SERVER_ERROR)
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise MediaUnavailable("packed")
    read = bytearray()
    async for chunk in response.content.iter_any():
        if len(read) + len(chunk) > limit:
            raise MediaUnavailable("too_large")
        read += chunk
    return bytes(read)
