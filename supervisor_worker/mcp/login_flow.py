"""A login with a server by OAuth, in the browser of a person: for `boss mcp login` alone. It loads the SDK."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError, OAuthRegistrationError, OAuthTokenError
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from shared.config.mcp_servers import McpServer
from shared.net import is_loopback_url
from supervisor_worker.mcp import http
from supervisor_worker.mcp.logins import Login
from supervisor_worker.mcp.sessions import SessionEnded, silence_library

PERSON_SECONDS: Final = 300.0
MAX_REQUEST: Final = 16_384
PATH: Final = "/callback"
_DONE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nDone. You can close this page."
)
_NOT_HERE: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HELLO: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bossline", "version": "1"}},
}
"""Any request that needs the login: its refusal says where the login is made."""
silence_library()


async def log_in(server: McpServer, port: int, show: Callable[[str], None]) -> Login:
    """Have a person log in. `show` is given the address that they open; `port` is where their browser comes back to, 0 for a free one.

    Raises SessionEnded with the reason.
    """
    try:
        async with asyncio.timeout(PERSON_SECONDS), _callback(port) as (came_back, address):
            return await _logged_in(server, address, came_back, show)
    except TimeoutError:
        raise SessionEnded("nobody logged in within five minutes") from None
    except (OAuthFlowError, OAuthTokenError, OAuthRegistrationError) as error:
        raise SessionEnded(f"the login failed ({type(error).__name__})") from None
    except (httpx2.HTTPError, OSError, ValueError) as error:
        raise SessionEnded(f"the connection failed ({type(error).__name__})") from None


async def _logged_in(
    server: McpServer, address: str, came_back: asyncio.Future[AuthorizationCodeResult], show: Callable[[str], None]
) -> Login:
    async def redirect(url: str) -> None:
        _check(url)
        show(url)

    async def callback() -> AuthorizationCodeResult:
        return await came_back

    metadata = OAuthClientMetadata(client_name="Bossline", redirect_uris=[AnyUrl(address)])
    provider = OAuthClientProvider(server.url, metadata, _Memory(), redirect, callback)

    async def leaves(request: httpx2.Request) -> None:
        _check(str(request.url))  # the server has named most of them: the code, and the client's secret, go there

    async with http.client(server, provider) as client:
        client.event_hooks = {"request": [leaves]}
        headers = {"Accept": "application/json, text/event-stream"}
        async with client.stream("POST", server.url, json=_HELLO, headers=headers) as response:
            status = response.status_code
    if provider.context.current_tokens is None:
        raise SessionEnded(f"the server does not ask for a login (it answers {status})")
    return _login(server, provider)


def _login(server: McpServer, provider: OAuthClientProvider) -> Login:
    context = provider.context
    tokens, client = context.current_tokens, context.client_info
    assert tokens is not None  # noqa: S101 - for the type checker: the caller has looked
    if client is None or not client.client_id:
        raise SessionEnded("the server registered no client")
    if context.oauth_metadata is not None and context.oauth_metadata.token_endpoint:
        endpoint = str(context.oauth_metadata.token_endpoint)
    else:
        endpoint = urljoin(context.get_authorization_base_url(server.url), "/token")
    return Login(
        url=server.url,
        access_token=tokens.access_token,
        expires_at=time.time() + tokens.expires_in if tokens.expires_in else 0.0,
        refresh_token=tokens.refresh_token or "",
        token_endpoint=endpoint,
        client_id=client.client_id,
        client_secret=client.client_secret or "",
        auth_method=client.token_endpoint_auth_method or "",
        resource=context.get_resource_url() if context.should_include_resource_param(None) else "",
        scope=tokens.scope or "",
    )


def _check(url: str) -> None:
    """Raise SessionEnded for an address at which others can read along."""
    if urlsplit(url).scheme != "https" and not (urlsplit(url).scheme == "http" and is_loopback_url(url)):
        raise SessionEnded("the server names an address for the login that is not https")


class _Memory:
    """What the SDK's provider stores while it works; the login is stored as a whole afterwards."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


@asynccontextmanager
async def _callback(port: int) -> AsyncIterator[tuple[asyncio.Future[AuthorizationCodeResult], str]]:
    """Listen on this machine for the browser that comes back; its address. The SDK compares the state."""
    came_back: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = (await reader.readline()).decode("latin-1").split()
            found = _result(line[1]) if len(line) > 1 else None
            writer.write(_DONE if found else _NOT_HERE)
            if found and not came_back.done():
                came_back.set_result(found)
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # a browser that asks for an icon, or goes away
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", port, limit=MAX_REQUEST)
    try:
        yield came_back, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}{PATH}"
    finally:
        listening.close()


def _result(target: str) -> AuthorizationCodeResult | None:
    """What a browser brings back; None for another request. A refusal has no code, which the SDK makes an error of."""
    parts = urlsplit(target)
    if parts.path != PATH:
        return None
    values: dict[str, Any] = {name: each[0] for name, each in parse_qs(parts.query).items()}
    return AuthorizationCodeResult(code=values.get("code", ""), state=values.get("state"), iss=values.get("iss"))
