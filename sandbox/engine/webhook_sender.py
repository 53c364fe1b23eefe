"""Posts webhooks to this machine and records them in the journal. Nothing else in the sandbox opens a connection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from sandbox.engine.json_types import JsonObject
from sandbox.engine.settings import is_loopback_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.journal import Journal
    from sandbox.engine.settings import SandboxSettings

TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
"""Twilio's own timeouts, in seconds."""
MAX_CONNECTIONS: Final = 256
KEEPALIVE_SECONDS: Final = 5.0
"""Shorter than any server keeps an idle connection: otherwise a post could meet a connection that is being closed."""
OK, REDIRECT, SERVER_ERROR = 200, 300, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request that a provider makes to the product."""

    kind: str
    """The journal's kind."""
    url: str
    """As the product gave it: the public URL leads to this machine."""
    body: bytes
    headers: Mapping[str, str]
    fields: JsonObject
    """What the journal shows of it."""
    sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """The answer to a webhook; `status` is None when there was none, and `error` says why."""

    status: int | None
    body: str = ""
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the provider considers the webhook delivered."""
        return self.status is not None and OK <= self.status < REDIRECT

    @property
    def may_be_repeated(self) -> bool:
        """Whether the provider posts the webhook again: after a 5xx, or without an answer."""
        return self.status is None or self.status >= SERVER_ERROR


@dataclass(slots=True, kw_only=True)
class WebhookSender:
    """Posts webhooks. `open` comes before the first one, `close` after the last."""

    settings: SandboxSettings
    _session: aiohttp.ClientSession | None = field(default=None)

    async def open(self) -> None:
        """Open the connection pool."""
        connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def post_copies(
        self, webhook: Webhook, journal: Journal, *, copies: int, retries: int = 0, retry_wait_seconds: float = 0.0
    ) -> list[WebhookResponse]:
        """Post `copies` of a webhook at once, each with up to `retries` retries; return the last answer to each."""
        posts = (self._post_with_retries(webhook, journal, retries, retry_wait_seconds) for _ in range(copies))
        return await asyncio.gather(*posts)

    async def _post_with_retries(self, webhook: Webhook, journal: Journal, retries: int, wait_seconds: float) -> WebhookResponse:
        response = await self._post(webhook, journal)
        for _ in range(retries if self.destination(webhook.url) else 0):
            if not response.may_be_repeated:
                break
            await asyncio.sleep(wait_seconds)
            response = await self._post(webhook, journal)
        return response

    async def _post(self, webhook: Webhook, journal: Journal) -> WebhookResponse:
        """Post a webhook once, and record it before and after."""
        entry = journal.add(webhook.kind, webhook.fields, accepted=False, sid=webhook.sid)
        response = await self._send(webhook)
        entry.error = response.error
        journal.complete(entry, response.status, accepted=response.accepted)
        return response

    def destination(self, url: str) -> str | None:
        """Where a webhook for a URL is posted: the public URL leads to this machine; None for any other host."""
        bare = url.partition("#")[0]
        public = self.settings.public_url
        if bare == public or bare.startswith((public + "/", public + "?")):
            return self.settings.webhook_url + bare[len(public) :]
        return bare if is_loopback_url(bare) else None

    async def _send(self, webhook: Webhook) -> WebhookResponse:
        destination = self.destination(webhook.url)
        if destination is None:
            return WebhookResponse(status=None, error=f"not posted: {webhook.url} is not this machine")
        if self._session is None:
            message = "the webhook sender is not open"
            raise RuntimeError(message)
        try:
            target = URL(destination, encoded=True)
            async with self._session.post(target, data=webhook.body, headers=webhook.headers, allow_redirects=False) as response:
                return WebhookResponse(status=response.status, body=await response.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return WebhookResponse(status=None, error=f"{type(error).__name__}: {error}")
