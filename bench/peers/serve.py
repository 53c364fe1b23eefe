"""Serves a contestant's webhook: `python -m bench.peers.serve same|stock [PEER]`.

`same`: the product's own server with the product's settings. `stock`: gunicorn with 16 threads, or uvicorn with uvloop and httptools.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server import Server

from bench.peers import web_flask
from webhook_api import server

STOCK_THREADS = 16


def same(peer: str, port: int) -> None:
    """Under granian: WSGI as the product has it, ASGI with the same limits on uvloop."""
    if peer != "arq_peer":
        server.build("127.0.0.1", port).serve(target_loader=partial(web_flask.load, peer), wrap_loader=False)
        return
    asgi: Any = Server(
        "bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=server.CONNECTIONS,
        backpressure=server.CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=server.HEADER_TIMEOUT_MS),
        workers_kill_timeout=server.GRACE_SECONDS,
        log_access=False,
        log_enabled=False,
    )
    asgi.serve(target_loader=_load_fastapi, wrap_loader=False)


def _load_fastapi(*_: Any) -> Any:
    from bench.peers import web_fastapi  # noqa: PLC0415 - the others do not have it

    return web_fastapi.load()


def stock(peer: str, port: int) -> None:
    """In place of this process."""
    if peer == "arq_peer":
        where = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        more = ["uvicorn", "--factory", "bench.peers.web_fastapi:stock_app", *where, "--no-access-log", "--log-level", "error"]
    else:
        where = ["-b", f"127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", str(STOCK_THREADS)]
        more = ["gunicorn", *where, "--log-level", "error", f"bench.peers.web_flask:load('{peer}', stock=True)"]
    os.execv(sys.executable, [sys.executable, "-m", *more])  # noqa: S606 - our own program


if __name__ == "__main__":
    {"same": same, "stock": stock}[sys.argv[1]](sys.argv[2], int(os.environ["PORT"]))
