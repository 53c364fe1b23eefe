"""Pooled HTTP connections to one provider, on aiohttp: its parser is C, and finding a free connection costs the same among a thousand.

All three SDKs send through this. A request is sent once: no redirects, no cookies, no repetition (but for aiohttp's own of a GET
on a connection that turned out to be closed). A connection whose answer was not read to its end is never used again.
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
OURS: Final = "redis"
"""What failed when a request was not made because leave came too late: no provider."""
MAX_ANSWER: Final = 4_000_000  # bytes, unpacked; a page of 100 texts is about 200 kB

NEVER_LEFT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
"""The failures that come before the first byte of a request is written. After any other one it may have left."""


DEPARTURE: Final[ContextVar[Callable[[], Awaitable[bool]] | None]] = ContextVar("departure", default=None)
"""Asked with the connection at hand, directly before a request's first byte is written: whether it may leave."""


class LeaveLapsed(ProviderUnavailable):
    """A request was not made: the leave for it had run out, and was not given again. No provider failed."""

    def __init__(self) -> None:
        super().__init__(OURS, "slow_leave")


@contextmanager
def departing(may_leave: Callable[[], Awaitable[bool]] | None) -> Iterator[None]:
    """Within it every request of this context asks `may_leave` before it leaves."""
    token = DEPARTURE.set(may_leave)
    try:
        yield
    finally:
        DEPARTURE.reset(token)


class _Request(aiohttp.ClientRequest):
    """A request that asks whether it may leave."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Raises LeaveLapsed; the connection is closed then."""
        may_leave = DEPARTURE.get()
        if may_leave is not None and not await may_leave():
            raise LeaveLapsed
        return await super().send(conn)


class AnswerTooLarge(aiohttp.ClientError):
    """More than MAX_ANSWER bytes; the rest was not read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer, whatever its status. The body is unpacked; the names of `headers` have no case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Connections:
    """The connections to one host. They belong to the loop of the first request, and are closed there."""

    def __init__(self, base_url: str, *, limit: int, connect_seconds: float) -> None:
        """At most `limit` at once; `connect_seconds` is for a free one or a new one, name look-up and TLS included."""
        self._tls = urlsplit(base_url).scheme == "https"
        self._proxy = _proxy_for(base_url)
        self._limit = limit
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def fetch(self, method: str, url: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes = b"") -> Answer:
        """One request and its whole answer. The caller bounds the time.

        Raises aiohttp.ClientError (NEVER_LEFT and AnswerTooLarge are some), OSError, or LeaveLapsed for one that may not leave.
        """
        request = self._opened().request(method, url, headers=headers, data=body or None, allow_redirects=False, proxy=self._proxy)
        async with request as response:
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > MAX_ANSWER:
                    raise AnswerTooLarge("the answer is too large")
            return Answer(response.status, response.headers, bytes(read))

    async def aclose(self) -> None:
        """Close all connections; none is opened after that."""
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
    """The one TLS context of the process: reading the certificates takes 50 ms, three times for nothing."""
    return httpx2.create_ssl_context()


def _proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for this host (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, less NO_PROXY)."""
    parts = urlsplit(base_url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
