"""The page: a phone and a mailbox side by side, from hand-written files."""

from __future__ import annotations

from importlib import resources
from typing import Final

from aiohttp import web

FILES: Final = {
    "/": ("index.html", "text/html"),
    "/sandbox/static/style.css": ("style.css", "text/css"),
    **{f"/sandbox/static/{name}": (name, "text/javascript") for name in ("app.js", "dom.js", "faults.js")},
    "/favicon.ico": ("icon.svg", "image/svg+xml"),
}


def routes() -> list[web.RouteDef]:
    """Return the page's routes."""
    return [web.get(path, show) for path in FILES]


async def show(http: web.Request) -> web.Response:
    """Send one of the files."""
    name, content_type = FILES[http.path]
    text = resources.files("sandbox").joinpath("static", name).read_text("utf-8")
    return web.Response(text=text, content_type=content_type, charset="utf-8", headers={"Cache-Control": "no-cache"})
