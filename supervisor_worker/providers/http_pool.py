"""Pooled HTTP connections to one provider.

On aiohttp: its parser is in C, and finding a free connection costs the same among a thousand. Every request to a provider goes through
this. A request is sent once: no redirects, no cookies, no repetition, except aiohttp's own of a GET on a connection that turned out to
be closed. A connection whose response was not read to its end is not used again.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
from aiohttp.connector import Connection

from shared.errors import ProviderUnavailable

IDLE_SECONDS: Final = 20.0
NO_PROVIDER: Final = "redis"
"""`ProviderError.provider` of a request that was not sent because of our own storage: no provider failed."""
MAX_RESPONSE_BYTES: Final = 4_000_000
"""Unpacked; a page of 100 texts is about 200 kB."""

NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
"""The failures before the first byte of a request is written. After any other failure it may have been sent."""

SEND_CHECK: Final[ContextVar[Callable[[], Awaitable[bool]] | None]] = ContextVar("send_check", default=None)
"""Asked when a connection is there, directly before a request's first byte is written: whether it may be sent."""


class PermitExpired(ProviderUnavailable):
    """A request was not sent: its send permit had expired and was not renewed. No provider failed."""

    outage = False

    def __init__(self) -> None:
        super().__init__(NO_PROVIDER, "slow_leave")


@contextmanager
def send_check(may_send: Callable[[], Awaitable[bool]] | None) -> Iterator[None]:
    """Within the block every request of this context asks `may_send` directly before it is sent."""
    token = SEND_CHECK.set(may_send)
    try:
        yield
    finally:
        SEND_CHECK.reset(token)


class _Request(aiohttp.ClientRequest):
    """A request that asks SEND_CHECK. Here, and not before the pool is asked: waiting for a connection takes time."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Raises PermitExpired; the connection is closed then."""
        may_send = SEND_CHECK.get()
        if may_send is not None and not await may_send():
            raise PermitExpired
        return await super().send(conn)


class ResponseTooLarge(aiohttp.ClientError):
    """More than MAX_RESPONSE_BYTES; the rest was not read."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A provider's response of any status. The body is unpacked; the names of `headers` are matched without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class HttpPool:
    """The connections to one host. They belong to the event loop of the first request, and are closed there."""

    def __init__(self, base_url: str, *, limit: int, connect_seconds: float, proxied: bool = True) -> None:
        """At most `limit` at once. `connect_seconds` is for a free connection or a new one, with its name look-up and TLS.

        `proxied`: the environment's proxy is used, if it names one for this host.
        """
        self._tls = urlsplit(base_url).scheme == "https"
        self._proxy = _proxy_for(base_url) if proxied else None
        self._limit = limit
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def fetch(self, method: str, url: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes = b"") -> HttpResponse:
        """One request and its whole response. The caller bounds the time.

        Raises aiohttp.ClientError (NOT_SENT and ResponseTooLarge are among them), OSError, or PermitExpired.
        """
        request = self._opened().request(method, url, headers=headers, data=body or None, allow_redirects=False, proxy=self._proxy)
        async with request as response:
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > MAX_RESPONSE_BYTES:
                    raise ResponseTooLarge("the response is too large")
            return HttpResponse(response.status, response.headers, bytes(read))

    async def aclose(self) -> None:
        """Close all connections; no further one is opened."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("the connections are closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=IDLE_SECONDS, ssl=tls() if self._tls else True),
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                timeout=aiohttp.ClientTimeout(connect=self._connect_seconds),
            )
        return self._session


@cache
def tls() -> ssl.SSLContext:
    """The one TLS context of the process: reading the certificates takes 50 ms, and each provider would do it."""
    return httpx2.create_ssl_context()


def _proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for this host by HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; None where NO_PROXY excludes it."""
    parts = urlsplit(base_url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
