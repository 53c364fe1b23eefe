"""The only way out of this process: webhooks, to this machine, in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from sandbox.engine.settings import is_loopback_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.journal import Journal
    from sandbox.engine.settings import Settings

TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
"""Twilio's own patience."""
MOST_CONNECTIONS: Final = 256
IDLE_SECONDS: Final = 5.0
"""Less than any server keeps a silent connection: a post must not meet its end."""
OK, REDIRECT, SERVER_ERROR = 200, 300, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request the sandbox makes."""

    kind: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    request: dict[str, Any]
    sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """How a webhook was answered; no status when it was not."""

    status: int | None
    body: str = ""
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the provider would consider it delivered."""
        return self.status is not None and OK <= self.status < REDIRECT


@dataclass(slots=True, kw_only=True)
class Courier:
    """Posts webhooks. Needs `open` before and `close` after."""

    settings: Settings
    _session: aiohttp.ClientSession | None = field(default=None)

    async def open(self) -> None:
        """Get ready."""
        connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, webhook: Webhook, journal: Journal) -> Receipt:
        """Post a webhook once and record it."""
        entry = journal.add(webhook.kind, webhook.request, accepted=False, sid=webhook.sid)
        receipt = await self._send(webhook)
        entry.error = receipt.error
        journal.settle(entry, receipt.status, accepted=receipt.taken)
        return receipt

    async def insist(self, webhook: Webhook, journal: Journal, *, retries: int, wait: float) -> Receipt:
        """Post a webhook, and again while the server is away or answers 5xx."""
        receipt = await self.post(webhook, journal)
        for _ in range(retries if self.destination(webhook.url) else 0):
            if receipt.status is not None and receipt.status < SERVER_ERROR:
                break
            await asyncio.sleep(wait)
            receipt = await self.post(webhook, journal)
        return receipt

    def destination(self, url: str) -> str | None:
        """Where a URL the product gave us leads: its public one back to this machine, any other nowhere."""
        bare = url.partition("#")[0]
        public = self.settings.public_url
        if bare == public or bare.startswith((public + "/", public + "?")):
            return self.settings.webhook_url + bare[len(public) :]
        return bare if is_loopback_url(bare) else None

    async def _send(self, webhook: Webhook) -> Receipt:
        destination = self.destination(webhook.url)
        if destination is None:
            return Receipt(status=None, error=f"not posted: {webhook.url} is not this machine")
        if self._session is None:
            message = "the courier is not open"
            raise RuntimeError(message)
        try:
            target = URL(destination, encoded=True)
            async with self._session.post(target, data=webhook.body, headers=webhook.headers, allow_redirects=False) as response:
                return Receipt(status=response.status, body=await response.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Receipt(status=None, error=f"{type(error).__name__}: {error}")
