"""The connections to a server behind an address: what it may answer is bounded, and its bearer token is sent nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableSequence
from typing import Final

import httpx2

from shared.config.mcp_servers import McpServer
from supervisor_worker.providers.http_pool import tls

MAX_ANSWER: Final = 4_000_000
"""Bytes of one response. It is asked for unpacked, so that these are all that there are."""
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 150.0
"""Longer than any tool may take: the caller's time ends first."""


def client(server: McpServer, auth: httpx2.Auth | None, statuses: MutableSequence[int] | None = None) -> httpx2.AsyncClient:
    """A client for one server. The caller closes it. The status of each answer is appended to `statuses`: the SDK does not tell it."""

    async def note(response: httpx2.Response) -> None:
        if statuses is not None:
            statuses.append(response.status_code)

    headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {server.token}"} if server.token else {})}
    return httpx2.AsyncClient(
        headers=headers,
        auth=auth,
        event_hooks={"response": [note]},
        timeout=httpx2.Timeout(CONNECT_SECONDS, read=READ_SECONDS),
        transport=_Bounded(httpx2.AsyncHTTPTransport(verify=tls(), limits=httpx2.Limits(max_connections=server.at_once + 8))),
        follow_redirects=False,
        trust_env=False,
    )


class _Bounded(httpx2.AsyncBaseTransport):
    """A transport that ends a response beyond MAX_ANSWER, or one that is packed although that was not asked for."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.DecodingError("a packed response was not asked for", request=request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - for the type checker: the transport is asynchronous
        response.stream = _BoundedStream(response.stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class TooLarge(httpx2.StreamError):
    """A response that is longer than MAX_ANSWER; the SDK makes an error of the one call of it."""

    def __init__(self) -> None:
        super().__init__("the response is too large")


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER
        async for piece in self._inner:
            left -= len(piece)
            if left < 0:
                raise TooLarge
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
