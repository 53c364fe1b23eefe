"""The connections to a server behind an address: what it may answer is bounded, and its bearer token is sent nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableSequence
from contextvars import ContextVar
from typing import Final

import httpx2

from shared.config.mcp_servers import McpServer
from supervisor_worker.providers.http_pool import tls

MAX_ANSWER: Final = 4_000_000
"""Bytes of one response. It is asked for unpacked, so that these are all that there are."""
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 150.0
"""Longer than any tool may take: the caller's time ends first."""
_STATUSES: ContextVar[MutableSequence[int] | None] = ContextVar("statuses", default=None)


def statuses_from_now() -> MutableSequence[int]:
    """The statuses of what is answered to the requests of this task from now on, the latest last; 0 for one that has no answer.

    The SDK does not tell them.
    """
    found: list[int] = []
    _STATUSES.set(found)
    return found


def client(server: McpServer, auth: httpx2.Auth | None, *, noted: bool = False) -> httpx2.AsyncClient:
    """A client for one server. The caller closes it. `noted`: what it is answered is told by `statuses_from_now`."""

    async def leaves(_request: httpx2.Request) -> None:
        if (statuses := _STATUSES.get()) is not None:
            statuses.append(0)

    async def note(response: httpx2.Response) -> None:
        if statuses := _STATUSES.get():
            statuses[-1] = response.status_code

    headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {server.token}"} if server.token else {})}
    return httpx2.AsyncClient(
        headers=headers,
        auth=auth,
        event_hooks={"request": [leaves], "response": [note]} if noted else None,
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
