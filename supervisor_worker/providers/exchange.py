"""HTTP requests to one message provider; every failure says whether the request was sent.

Twilio's SDK gets this in place of its own transport, and mail is posted by it. The SDKs' own transports have no timeout by default and
hide the difference between "not sent" and "sent, no answer", and Twilio's has no setting for another host. Only a failure before the
first byte is written counts as "not sent": a kept connection that the provider closes at the same moment leaves the outcome unknown.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from shared.errors import OutcomeUnknown, ProviderUnavailable
from supervisor_worker.providers.http_pool import NOT_SENT, HttpPool, HttpResponse

MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
"""A longer wish is cut to this; how much of it is granted is the caller's decision."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a provider asks us to wait, by `Retry-After` or SendGrid's `X-RateLimit-Reset`; None where neither can be read.

    Retry-After is a number of seconds or a date (RFC 9110, 10.2.3, in all three forms of 5.6.7); the reset is a Unix time. Both times
    are compared with the response's own `Date`, where it has one: the clocks of two hosts may differ.
    """
    given, reset = headers.get("Retry-After") or "", _number(headers.get("X-RateLimit-Reset") or "")
    seconds = _number(given)
    if seconds is None:
        then = _moment(given) or reset
        seconds = None if then is None else then - (_moment(headers.get("Date") or "") or time.time())
    return None if seconds is None else min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(text: str) -> float | None:
    """A date of HTTP as a Unix time; they are all in GMT, whether they say so or not."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class ProviderHttp:
    """HTTP to one provider. `base_url` replaces the scheme and host of every URL, and its path comes before the URL's."""

    def __init__(self, provider: str, base_url: str, *, timeout: float, connections: int) -> None:
        """`timeout` is in seconds, for one request and its response; a third of it is for the connection. At most `connections` at once."""
        self._provider = provider
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._pool = HttpPool(self._base_url, limit=connections, connect_seconds=timeout / 3)

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> HttpResponse:
        """One request and its whole response, of whatever status.

        Raises ProviderUnavailable when the request was not sent, or changes nothing (a GET); else OutcomeUnknown.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._pool.fetch(method, self._rebased(url), headers, body)
        except NOT_SENT as error:
            raise ProviderUnavailable(self._provider, "not_reached") from error
        except (aiohttp.ClientError, OSError) as error:
            if method == "GET":
                raise ProviderUnavailable(self._provider, "no_answer") from error
            raise OutcomeUnknown(self._provider, "no_answer") from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    def _rebased(self, url: str) -> str:
        parts = urlsplit(url)
        return self._base_url + urlunsplit(("", "", parts.path, parts.query, ""))
