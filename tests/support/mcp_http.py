"""An MCP server behind an address, without a library: what it answers to a call is the test's. For the test's own loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

ARGUMENTS = {"type": "object", "properties": {"text": {"type": "string"}}}
Called = Callable[[web.Request, str, dict[str, Any]], Awaitable[web.StreamResponse]]


def result(number: object, text: str) -> web.Response:
    """The answer to a call."""
    return web.json_response({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}})


class HttpServer:
    """What it was asked, and how it answers."""

    def __init__(self, called: Called | None = None) -> None:
        self.called = called
        self.tools: list[dict[str, Any]] = [{"name": "echo", "description": "Echoes.", "inputSchema": ARGUMENTS}]
        self.opened = 0
        self.authorizations: list[str] = []
        self.token = ""
        self.url = ""

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Answer one message."""
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        message = await request.json()
        method, number = message["method"], message.get("id")
        if method == "initialize":
            self.opened += 1
            about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "h", "version": "1"}}
            return web.json_response({"jsonrpc": "2.0", "id": number, "result": about})
        if number is None:
            return web.Response(status=202)
        if method == "tools/list":
            return web.json_response({"jsonrpc": "2.0", "id": number, "result": {"tools": self.tools}})
        if method == "tools/call":
            arguments = message["params"].get("arguments") or {}
            return await self.called(request, number, arguments) if self.called else result(number, json.dumps(arguments))
        return web.json_response({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "Method not found"}})


@asynccontextmanager
async def http_server(called: Called | None = None) -> AsyncIterator[HttpServer]:
    """Run one on a free port of this machine."""
    server = HttpServer(called)
    app = web.Application(client_max_size=10_000_000)
    app.router.add_post("/mcp", server.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    try:
        yield server
    finally:
        await runner.cleanup()
