"""The production server of the web process: granian, one process, one event loop and a few threads (docs/reference/web-server.md)."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from granian.constants import HTTPModes, Interfaces, Loops, TaskImpl
from granian.http import HTTP1Settings
from granian.server import Server
from granian.server.common import AbstractServer

from shared.observability import logs
from shared.runtime import open_runtime
from webhook_api.app import create_app
from webhook_api.http.rsgi import Application

if TYPE_CHECKING:
    from shared.config.settings import Settings

MAX_CONNECTIONS: Final = 2_048
"""A client that sends its headers or its body slowly holds a connection for 10 s."""
GRACE_SECONDS: Final = 3  # more than the 2 s that a webhook may wait for Redis; honcho kills after 5
HEADER_TIMEOUT_MS: Final = 10_000
M_MMAP_THRESHOLD: Final = -3
LARGE_BYTES: Final = 1024 * 1024
MAX_HEAD_BYTES: Final = 65_536
"""A request's line and headers. With more, or over a hundred headers, granian itself answers 431 or 414."""


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished, for at most GRACE_SECONDS.

    The replay of the spool is not stopped in order: a record that is interrupted is a duplicate at the next start. Raises
    ConfigurationError or, when Redis answers, SchemaTooNew before anything listens.
    """
    open_runtime(settings, "web").close()
    _return_large_memory()
    gc.collect()
    gc.freeze()  # else the first collection in the child would copy a third of the pages that it shares with its parent
    build(settings.web_host, settings.port).serve(target_loader=partial(load, settings), wrap_loader=False)  # type: ignore[arg-type] # an RSGI application, not a function


def build(address: str, port: int) -> AbstractServer[Any]:
    """The server with its settings, without an application."""
    return Server(
        "webhook_api",
        address=address,
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop if sys.platform != "win32" else Loops.asyncio,
        task_impl=TaskImpl.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=MAX_CONNECTIONS,
        backpressure=MAX_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=MAX_HEAD_BYTES),
        workers_kill_timeout=GRACE_SECONDS,
        log_access=False,  # it would log the token in the query
        log_enabled=False,
    )


def load(settings: Settings, *_: Any) -> Application:
    """Make the application in the serving process: connections do not survive a fork."""
    logs.configure("web", settings.log_format, settings.secrets)
    _end_with_parent()
    return Application(create_app(open_runtime(settings, "web")), many=MAX_CONNECTIONS)


def _return_large_memory() -> None:
    """Make glibc return every large block to the system as soon as it is freed; the serving process inherits the setting.

    By default the first mail of 30 MB makes glibc keep such blocks in each thread's own heap: 62 MB a thread for good, with 64 threads
    (measured). Other C libraries have neither this call nor this behaviour.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def _end_with_parent() -> None:
    """End the serving process when its parent was killed and could not tell it: no orphan may keep the port."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)  # a thread may wait for ever for a body that no loop reads any more

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
