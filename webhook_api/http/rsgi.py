"""The application as granian calls it (RSGI): an event loop that waits, and threads for what blocks.

- Bodies are read on the loop, where a slow one holds only its connection. A read of WSGI's `wsgi.input` would hold a thread.
- Short requests that wait for nothing but Redis run on the loop as well, in greenlets (`shared.process.blocking`): one after the other,
  without contention for Python's lock.
- Every other request has a thread: mails, /metrics, whatever waits behind a backlog.
- A large or chunked body is read by its request's thread as it arrives; at most MAX_LARGE_BODIES at a time.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # its documented name

from shared.observability import logs
from shared.process import blocking
from webhook_api.http.body_deadline import BodyDeadlines, BodyProgress
from webhook_api.http.flask_app import SECURITY_HEADERS

if TYPE_CHECKING:
    from granian.rsgi import Scope

SMALL_BODY_BYTES: Final = 65_536
THREADS: Final = 32
"""For requests whose body has arrived, and for writing to disk."""
MAX_LARGE_BODIES: Final = 64
"""Each has a thread of its own, in which its body is read as it arrives."""
FAILED: Final = (500, [*SECURITY_HEADERS, ("Content-Length", "0")], b"")
UNAVAILABLE: Final = (503, [*SECURITY_HEADERS, ("Retry-After", "5"), ("Content-Length", "0")], b"")
log = logs.logger(__name__)

Environ = dict[str, Any]
ServerResponse = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and content."""


class RsgiProtocol(Protocol):
    """granian's side of one request: its body, at once or in chunks, and the answer.

    To read raises `granian.rsgi.ProtocolClosed` when the connection broke.
    """

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's chunks."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""


class WebApplication(Protocol):
    """A WSGI application that says how its requests are to be run."""

    reads: Callable[[Environ], bool]
    """Whether a request's body is worth reading: from a caller without any credential nothing more is read."""
    quick: Callable[[Environ], bool]
    """Whether a request is short, and waits only by `shared.process.blocking`: then it runs on the loop."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """PEP 3333."""
        ...


class Application:
    """granian's callback; `many` is the largest number of connections."""

    def __init__(self, app: WebApplication, *, many: int) -> None:
        self._app = app
        self._deadlines = BodyDeadlines(many // 2)
        self._pool = ThreadPoolExecutor(THREADS, "request")
        self._large_pool = ThreadPoolExecutor(MAX_LARGE_BODIES, "large-body")
        self._large = 0
        self._base: Environ = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_NAME": "", "SERVER_SOFTWARE": "", "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True, "wsgi.multiprocess": False, "wsgi.multithread": True, "wsgi.run_once": False,
            "wsgi.version": (1, 0),
        }  # fmt: skip

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called before the first request."""
        loop.set_default_executor(self._pool)
        self._watch = loop.create_task(self._deadlines.watch())

    async def __rsgi__(self, scope: Scope, proto: RsgiProtocol) -> None:
        """Answer a request."""
        environ = self._environ(scope)
        try:
            status, headers, content = await self._answer(environ, proto)
        except Exception as error:  # noqa: BLE001 - granian would log its message, which may quote a text
            log.error("A request failed.", action="failed", error=type(error).__name__)  # noqa: TRY400
            status, headers, content = FAILED
        proto.response_bytes(status, headers, content)

    async def _answer(self, environ: Environ, proto: RsgiProtocol) -> ServerResponse:
        loop, length = asyncio.get_running_loop(), environ.get("CONTENT_LENGTH", "0")
        if "HTTP_TRANSFER_ENCODING" in environ or not length.isdecimal() or int(length) > SMALL_BODY_BYTES:
            return await self._with_large_body(environ, proto, loop)
        body = b""  # unchanged when the body is late or the connection broke: the route then refuses it as incomplete
        if length != "0" and self._app.reads(environ):
            with suppress(TimeoutError, ProtocolClosed):
                body = await self._deadlines.within(BodyProgress(), proto())
        environ["wsgi.input"] = io.BytesIO(body)
        if self._app.quick(environ):
            return await blocking.run(self._call_app, environ)
        return await loop.run_in_executor(self._pool, self._call_app, environ)

    async def _with_large_body(self, environ: Environ, proto: RsgiProtocol, loop: asyncio.AbstractEventLoop) -> ServerResponse:
        if self._large >= MAX_LARGE_BODIES:
            return UNAVAILABLE
        self._large += 1
        try:
            environ["wsgi.input"] = io.BufferedReader(_Stream(loop, proto, self._deadlines), SMALL_BODY_BYTES)
            return await loop.run_in_executor(self._large_pool, self._call_app, environ)
        finally:
            self._large -= 1

    def _call_app(self, environ: Environ) -> ServerResponse:
        started: list[Any] = []
        content = self._app(environ, lambda status, headers, _error=None: started.extend((status, headers)))
        try:
            body = b"".join(content)
        finally:
            close = getattr(content, "close", None)
            if close is not None:
                close()
        status, headers = started
        return int(status[:3]), headers, body

    def _environ(self, scope: Scope) -> Environ:
        """WSGI's environ (PEP 3333).

        Repeated headers are joined by commas (RFC 9110, 5.3). A header whose bytes are not ASCII is present and empty: granian's `items`
        leaves it out, its `keys` does not, and a signature that cannot be read must not look like a missing one.
        """
        environ = self._base.copy()
        environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"] = scope.method, scope.path, scope.query_string
        environ["SERVER_PROTOCOL"], environ["wsgi.url_scheme"] = "HTTP/" + scope.http_version, scope.scheme
        environ["REMOTE_ADDR"] = scope.client.rpartition(":")[0].strip("[]")
        environ["SERVER_NAME"], _, environ["SERVER_PORT"] = scope.server.rpartition(":")
        headers, readable = scope.headers, 0
        for name, value in headers.items():
            key = _key(name)
            if key in environ:
                environ[key] = f"{environ[key]},{value}"
            else:
                environ[key] = value
                readable += 1
        if readable < len(headers):  # type: ignore[arg-type] # granian's, which has a length
            for name in headers.keys():  # noqa: SIM118 - not a dict
                environ.setdefault(_key(name), "")
        if scope.authority:
            environ.setdefault("HTTP_HOST", scope.authority)
        environ.pop("", None)  # headers with an underscore in their name: see `_key`
        return environ


class _Stream(io.RawIOBase):
    """A body that a thread reads as it arrives.

    It ends early when the deadline passes or the connection breaks; the route notices that it is incomplete.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, proto: RsgiProtocol, deadlines: BodyDeadlines) -> None:
        self._loop = loop
        self._chunks = proto.__aiter__()
        self._deadlines = deadlines
        self._progress = BodyProgress()
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from the current or the next chunk; 0 at the end."""
        while not self._left and not self._ended:
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            self._ended = chunk is None
            self._left = memoryview(chunk or b"")
        taken = min(len(buffer), len(self._left))
        buffer[:taken], self._left = self._left[:taken], self._left[taken:]
        return taken

    async def _next(self) -> bytes | None:
        try:
            chunk: bytes = await self._deadlines.within(self._progress, self._chunks.__anext__())
        except (StopAsyncIteration, TimeoutError, ProtocolClosed):
            return None
        self._progress.received += len(chunk)
        return chunk


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    """A header's name in an environ; '' for a name with an underscore, which would become the key of another header."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key
