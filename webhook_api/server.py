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

CONNECTIONS: Final = 2_048
"""A client that sends its headers slowly holds one for 10 s, and so does one that sends its body slowly."""
GRACE_SECONDS: Final = 3  # beyond the 2 s for which a webhook may wait for Redis; honcho kills after 5
HEADER_TIMEOUT_MS: Final = 10_000
M_MMAP_THRESHOLD: Final = -3
LARGE_BYTES: Final = 1024 * 1024
MAX_HEAD: Final = 65_536
"""Bytes of a request's line and headers; more, or over a hundred headers, and granian answers 431 or 414 by itself."""


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight is finished, for at most 3 s.

    The replay of the spool needs no farewell: a call that is cut off is a duplicate at the next start. Raises
    ConfigurationError or, when Redis is there to tell, SchemaTooNew before anything listens.
    """
    open_runtime(settings, "web").close()
    _return_large_memory()
    gc.collect()
    gc.freeze()  # what is loaded stays; a collector that walked over it would copy a third of the parent's pages into the child
    build(settings.web_host, settings.port).serve(target_loader=partial(load, settings), wrap_loader=False)  # type: ignore[arg-type] # no function: an RSGI application


def build(address: str, port: int) -> AbstractServer[Any]:
    """The server with its settings, before it has an application."""
    return Server(
        "webhook_api",
        address=address,
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop if sys.platform != "win32" else Loops.asyncio,
        task_impl=TaskImpl.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=MAX_HEAD),
        workers_kill_timeout=GRACE_SECONDS,
        log_access=False,  # it would write the query's token
        log_enabled=False,
    )


def load(settings: Settings, *_: Any) -> Application:
    """The application, in the serving process: connections do not survive a fork."""
    logs.configure("web", settings.log_format, settings.secrets)
    _end_with_parent()
    return Application(create_app(open_runtime(settings, "web")), many=CONNECTIONS)


def _return_large_memory() -> None:
    """Let glibc give every large block back to the system as soon as it is free; the serving process inherits it.

    By itself it learns from the first mail of 30 MB to keep such blocks, in each thread's own heap: 62 MB a thread for good, with
    64 threads (measured). Elsewhere than on glibc there is no such call, and no such habit.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def _end_with_parent() -> None:
    """Let the serving process end when its parent was killed and could not tell it: no orphan may keep the port."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)  # nobody else would end it: a thread waits for a body that no loop reads any more

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
