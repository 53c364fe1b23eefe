"""One provider's connections for its SDK, which say of every failure whether the request had left.

Both SDKs get this in place of their own transport: they have no timeout by default, hide the difference between "never left"
and "left, no answer", and twilio has no setting for another host. Only a failure that comes before anything is written counts as
"never left": a kept connection that the provider closed at the same moment leaves the outcome unknown.
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
from supervisor_worker.providers.http_pool import NEVER_LEFT, Answer, Connections

LONGEST_WAIT: Final = 86_400.0
"""What a provider may ask for, in seconds, before it is taken for nonsense and cut; how much is granted is the caller's business."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a provider asks us to wait, by `Retry-After` or SendGrid's `X-RateLimit-Reset`; None where neither can be read.

    Retry-After is a number of seconds or a date (RFC 9110, 10.2.3, in all three forms of 5.6.7), the reset a Unix time. Both times are
    compared with the answer's own `Date`, where it has one: the clocks of two hosts may differ.
    """
    given, reset = headers.get("Retry-After") or "", _number(headers.get("X-RateLimit-Reset") or "")
    seconds = _number(given)
    if seconds is None:
        then = _moment(given) or reset
        seconds = None if then is None else then - (_moment(headers.get("Date") or "") or time.time())
    return None if seconds is None else min(max(0.0, seconds), LONGEST_WAIT)


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
