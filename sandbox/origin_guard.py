"""Keeps other web sites out: their pages must not reach the sandbox through the user's browser.

Every answer, errors included, carries the same security headers, and none names the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.engine.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": ("default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers just before an answer begins; a header that an answer has set itself stays."""
    response.headers.popall("Server", None)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def reject_other_origins(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Reject a Host that does not name this machine (DNS rebinding), and a post from a page of another origin."""
    if not _names_this_machine(request.host):
        return web.json_response({"error": "the Host header must name this machine"}, status=421)
    origin = request.headers.get("Origin")
    if origin is not None and request.method not in SAFE_METHODS and origin != f"{request.scheme}://{request.host}":
        return web.json_response({"error": "cross-origin requests are refused"}, status=403)
    return await handler(request)


def _names_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
