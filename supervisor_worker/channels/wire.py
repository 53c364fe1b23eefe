"""Pooled HTTP connections to one provider, which say of every failure whether the request had left.

Both SDKs get this in place of their own transport: they have no timeout by default, hide the difference between "never left"
and "left, no answer", and twilio has no setting for another host. Whether a request left is read off the connection itself: the
`trace` extension tells when its first byte is about to be written.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx2

from shared.errors import OutcomeUnknown, ProviderUnavailable

LEAVING: Final = ".send_request_headers.started"
IDLE_SECONDS: Final = 20.0
MAX_ANSWER: Final = 4_000_000  # bytes; a page of 100 texts is about 200 kB


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def retry_after(self) -> float | None:
        """Seconds that the provider asks us to wait, by `Retry-After` or SendGrid's `X-RateLimit-Reset`."""
        return retry_after(self.headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from an answer's headers; None where they say nothing that can be read."""
    given = headers.get("Retry-After") or ""
    reset = headers.get("X-RateLimit-Reset") or ""
    try:
        if given:
            return max(0.0, float(given))
        return max(0.0, float(reset) - time.time()) if reset else None
    except ValueError:
        return _until(given)


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@cache
def tls() -> ssl.SSLContext:
    """The one TLS context of the process: reading the certificates takes 50 ms, three times for nothing."""
    return httpx2.create_ssl_context()


class Wire:
    """One provider's connections. `base_url` replaces scheme and host of every URL, and may add a path before it."""

    def __init__(self, provider: str, base_url: str, *, timeout: float, connections: int) -> None:
        """`timeout` is in seconds, for each step; the caller bounds the whole."""
        self._provider = provider
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout, connect=timeout / 3, pool=timeout / 3),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_SECONDS),
            follow_redirects=False,
            verify=tls(),
        )

    async def exchange(self, method: str, url: str, **request: Any) -> Answer:
        """One request and its whole answer.

        Raises ProviderUnavailable when the request never left (or only asked: a GET), else OutcomeUnknown.
        """
        left = False

        async def watch(event: str, _info: object) -> None:
            nonlocal left
            left = left or event.endswith(LEAVING)

        try:
            return await self._fetch(method, self._rebased(url), extensions={"trace": watch}, **request)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            if left and method != "GET":
                raise OutcomeUnknown(self._provider, "no_answer") from error
            raise ProviderUnavailable(self._provider, "no_answer" if left else "not_reached") from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _fetch(self, method: str, url: str, **request: Any) -> Answer:
        async with self._client.stream(method, url, **request) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise httpx2.DecodingError("the answer is too large")
        return Answer(response.status_code, response.headers, bytes(body))

    def _rebased(self, url: str) -> str:
        parts = urlsplit(url)
        return self._base_url + urlunsplit(("", "", parts.path, parts.query, ""))
