"""The browser of the end-to-end tests, and a proxy that notes all that it asks for."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


ITS_OWN = (".google.com:443", ".googleapis.com:443")
"""Whom a Chromium asks by itself, whatever it shows."""


def installed() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def counting_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that leads nowhere: its address, and what it was asked for, each as method and target."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> object:
            """Every method is the same: noted, and refused."""
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self._refuse

        def _refuse(self) -> None:
            if not self.path.endswith(ITS_OWN):
                asked.append(f"{self.command} {self.path}")
            self.send_error(502)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
