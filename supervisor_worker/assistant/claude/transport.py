"""Anthropic's SDK on our connection pool.

The SDK's own transport walks through all its connections at each request and each response: with 500 requests under way that is more
work than everything else that a turn does.
"""

from __future__ import annotations

from functools import lru_cache

import anthropic
import httpx2

from supervisor_worker.providers.http_pool import HttpPool, ResponseTooLarge

_OURS = b"accept-encoding"  # aiohttp sets it, because aiohttp unpacks the body


@lru_cache(maxsize=256)
def _decoded(part: bytes) -> str:
    """A header's name or value. Nearly all are the same in every request: one copy serves all requests that wait."""
    return part.decode()


class ClaudeTransport(httpx2.AsyncBaseTransport):
    """One request, one response. The SDK turns any error raised here into an APIConnectionError, except its own."""

    def __init__(self, pool: HttpPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises what `HttpPool.fetch` raises, and AnthropicError for an answer that is too large."""
        headers = {_decoded(name): _decoded(value) for name, value in request.headers.raw if name.lower() != _OURS}
        try:
            answer = await self._pool.fetch(request.method, str(request.url), headers, await request.aread())
        except ResponseTooLarge as error:
            raise anthropic.AnthropicError("the response is too large") from error
        given = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-encoding"]
        return httpx2.Response(answer.status, headers=given, content=answer.body, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
