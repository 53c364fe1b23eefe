"""Anthropic's SDK over our connections.

The SDK's own transport looks through all its connections at each request and at each answer: with 500 questions under way that
is more work than everything else that a turn does.
"""

from __future__ import annotations

from functools import lru_cache

import anthropic
import httpx2

from supervisor_worker.providers.http_pool import HttpPool, ResponseTooLarge

_OURS = b"accept-encoding"  # what is said of packing is aiohttp's, because aiohttp unpacks


@lru_cache(maxsize=256)
def _decoded(part: bytes) -> str:
    """A header's name or value. Nearly all are the same in every request: one copy of them serves all that wait."""
    return part.decode()


class ClaudeTransport(httpx2.AsyncBaseTransport):
    """One request, one answer. What fails here the SDK makes an APIConnectionError of, but for its own errors."""

    def __init__(self, pool: HttpPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises what `HttpPool.fetch` raises, and AnthropicError for an answer that is too large."""
        headers = {_decoded(name): _decoded(value) for name, value in request.headers.raw if name.lower() != _OURS}
        try:
            answer = await self._pool.fetch(request.method, str(request.url), headers, await request.aread())
        except ResponseTooLarge as error:
            raise anthropic.AnthropicError("the answer is too large") from error
        given = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-encoding"]
        return httpx2.Response(answer.status, headers=given, content=answer.body, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
