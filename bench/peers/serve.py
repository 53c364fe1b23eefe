"""Serves a contender's webhook: `python -m bench.peers.serve same|stock [PEER]`, or `threads COUNT` for Bossline's own.

`same`: the product's server, granian, with the product's limits. `stock`: gunicorn with 16 threads, or uvicorn with uvloop and httptools.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server import Server

from bench.peers import web_flask
from shared.config.loading import load_settings
from shared.runtime import open_runtime
from tests.support.fork_server import die_with_parent
from webhook_api import server
from webhook_api.app import create_app

SAME_THREADS = 64
"""Of granian."""
STOCK_THREADS = 16
"""Of gunicorn."""


def same(peer: str, port: int) -> None:
    """Under granian: WSGI with 64 threads, ASGI on uvloop."""
    if peer == "arq_peer":
        _granian(port, _load_fastapi, interface=Interfaces.ASGI, loop=Loops.uvloop)
    else:
        _granian(port, partial(web_flask.load, peer), interface=Interfaces.WSGI, blocking_threads=SAME_THREADS)


def threads(count: str, port: int) -> None:
    """The product's application, with threads instead of its loop."""
    _granian(port, _load_bossline, interface=Interfaces.WSGI, blocking_threads=int(count))


def _granian(port: int, load_app: Callable[..., Any], **how: Any) -> None:
    granian: Any = Server(
        "bench",
        address="127.0.0.1",
        port=port,
        http=HTTPModes.http1,
        websockets=False,
        backlog=server.MAX_CONNECTIONS,
        backpressure=server.MAX_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=server.HEADER_TIMEOUT_MS),
        workers_kill_timeout=server.GRACE_SECONDS,
        log_access=False,
        log_enabled=False,
        **how,
    )

    def load_in_child(*_: Any) -> Any:
        die_with_parent()  # granian serves in a child, which would outlive a bench that is killed
        return load_app()

    granian.serve(target_loader=load_in_child, wrap_loader=False)


def _load_bossline(*_: Any) -> Any:
    return create_app(open_runtime(load_settings(_env_file=None), "web"))


def _load_fastapi(*_: Any) -> Any:
    from bench.peers import web_fastapi  # noqa: PLC0415 - the others do not have it

    return web_fastapi.load()


def stock(peer: str, port: int) -> None:
    """Serve under gunicorn or uvicorn, which take the place of this process."""
    if peer == "arq_peer":
        where = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        more = ["uvicorn", "--factory", "bench.peers.web_fastapi:stock_app", *where, "--no-access-log", "--log-level", "error"]
    else:
        where = ["-b", f"127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", str(STOCK_THREADS)]
        more = ["gunicorn", *where, "--log-level", "error", f"bench.peers.web_flask:load_settings('{peer}', stock=True)"]
    os.execv(sys.executable, [sys.executable, "-m", *more])  # noqa: S606 - our own program


if __name__ == "__main__":
    {"same": same, "stock": stock, "threads": threads}[sys.argv[1]](sys.argv[2], int(os.environ["PORT"]))
