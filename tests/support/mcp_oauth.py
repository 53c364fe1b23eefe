"""An MCP server with a login of its own: registration, authorization code with proof, and refresh tokens that are good once."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.support.mcp_http import HttpServer


class LoginServer(HttpServer):
    """The tokens that it has given, and those that it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.access: set[str] = set()
        self.refresh = ""
        self.renewals = 0
        self.broken_renewals = 0
        self.reused = 0
        self.lasts = 3600
        self.refuses_people = False
        self.elsewhere: dict[str, str] = {}
        """Addresses in the place of its own, by their names."""
        self.dies_in_a_call = False
        self._made = 0
        self._challenge = ""

    @property
    def origin(self) -> str:
        """The address without its path."""
        return self.url.removesuffix("/mcp")

    async def post(self, request: web.Request) -> web.StreamResponse:
        """As the server without a login, for a token that is good."""
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.access:
            where = f'Bearer resource_metadata="{self.origin}/.well-known/oauth-protected-resource/mcp"'
            return web.Response(status=401, headers={"WWW-Authenticate": where})
        if self.dies_in_a_call and b"tools/call" in await request.read() and request.transport:
            request.transport.abort()
        return await super().post(request)

    async def resource(self, _request: web.Request) -> web.Response:
        """Who gives its tokens."""
        return web.json_response({"resource": self.url, "authorization_servers": [self.origin]})

    async def about(self, _request: web.Request) -> web.Response:
        """Where they are given."""
        return web.json_response(self._about() | self.elsewhere)

    def _about(self) -> dict[str, Any]:
        return {
            "issuer": self.origin, "authorization_endpoint": f"{self.origin}/authorize", "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register", "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"], "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }  # fmt: skip

    async def register(self, request: web.Request) -> web.Response:
        """A client of ours."""
        asked = await request.json()
        mine = {"client_id": "client-1", "client_secret": "client-secret-1", "token_endpoint_auth_method": "client_secret_post"}
        return web.json_response({**asked, **mine}, status=201)

    async def authorize(self, request: web.Request) -> web.Response:
        """The person's browser, which is sent back at once."""
        self._challenge = request.query["code_challenge"]
        answer = {"error": "access_denied"} if self.refuses_people else {"code": "code-1"}
        back = urlencode({**answer, "state": request.query["state"]})
        return web.Response(status=302, headers={"Location": f"{request.query['redirect_uri']}?{back}"})

    async def give(self, request: web.Request) -> web.Response:
        """A token for a code, or for a refresh token that was not used before."""
        form: Any = await request.post()
        proven = form["client_id"] == "client-1" and form["client_secret"] == "client-secret-1"
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            good = form["code"] == "code-1" and urlsafe_b64encode(digest).decode().rstrip("=") == self._challenge
        elif self.broken_renewals:
            self.broken_renewals -= 1
            return web.Response(status=503)
        else:
            good = form["refresh_token"] == self.refresh
            await asyncio.sleep(0.2)  # others come meanwhile
            self.renewals += good
            self.reused += not good
        if not proven or not good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self._made += 1
        self.refresh = f"refresh-{self._made}"
        self.access = {f"access-{self._made}"}
        answer = {"access_token": f"access-{self._made}", "token_type": "Bearer", "expires_in": self.lasts, "refresh_token": self.refresh}
        return web.json_response(answer)


@asynccontextmanager
async def login_server() -> AsyncIterator[LoginServer]:
    """Run one on a free port of this machine."""
    server = LoginServer()
    app = web.Application()
    app.router.add_post("/mcp", server.post)
    app.router.add_get("/.well-known/oauth-protected-resource/mcp", server.resource)
    app.router.add_get("/.well-known/oauth-authorization-server", server.about)
    app.router.add_post("/register", server.register)
    app.router.add_get("/authorize", server.authorize)
    app.router.add_post("/token", server.give)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    try:
        yield server
    finally:
        await runner.cleanup()
