"""One provider's connections for its SDK, which say of every failure whether the request had left.

Both SDKs get this in place of their own transport: they have no timeout by default, hide the difference between "never left"
and "left, no answer", and twilio has no setting for another host. Only a failure that comes before anything is written counts as
"never left": a kept connection that the provider closed at the same moment leaves the outcome unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from shared.errors import OutcomeUnknown, ProviderUnavailable
from supervisor_worker.channels.connections import NEVER_LEFT, Answer, Connections


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a provider asks us to wait, by `Retry-After` or SendGrid's `X-RateLimit-Reset`; None where neither can be read."""
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


class Wire:
    """One provider's connections. `base_url` replaces scheme and host of every URL, and may add a path before it."""

    def __init__(self, provider: str, base_url: str, *, timeout: float, connections: int) -> None:
        """`timeout` is in seconds, for one request and its answer; a third of it for the connection."""
        self._provider = provider
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._connections = Connections(self._base_url, limit=connections, connect_seconds=timeout / 3)

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request and its whole answer.

        Raises ProviderUnavailable when the request never left (or only asked: a GET), else OutcomeUnknown.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._connections.fetch(method, self._rebased(url), headers, body)
        except NEVER_LEFT as error:
            raise ProviderUnavailable(self._provider, "not_reached") from error
        except (aiohttp.ClientError, OSError) as error:
            if method == "GET":
                raise ProviderUnavailable(self._provider, "no_answer") from error
            raise OutcomeUnknown(self._provider, "no_answer") from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()

    def _rebased(self, url: str) -> str:
        parts = urlsplit(url)
        return self._base_url + urlunsplit(("", "", parts.path, parts.query, ""))
