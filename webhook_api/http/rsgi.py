"""The application as granian calls it (RSGI): an event loop that waits, and threads for what blocks.

A read of WSGI's `wsgi.input` has no end and holds a thread, so bodies are read on the loop, where one that does not come holds nothing
but its connection. There too, one after the other and without a fight for Python's lock, runs what is short and waits for nothing
but Redis: Flask and all behind it, in greenlets (`shared.process.blocking`). Everything else has a thread: mails, pages of figures,
whatever waits behind a backlog. A body that is large or comes in chunks is read by its thread while it comes; only so many are at a time.
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

from shared.observability import logs as telemetry
from shared.process import blocking
from webhook_api.http.body_deadline import Deadline, Reading
from webhook_api.http.flask_app import SECURITY

if TYPE_CHECKING:
    from granian.rsgi import Scope

SMALL_BODY: Final = 65_536
THREADS: Final = 32
"""For requests whose body is there, and for writing to disk."""
LARGE_AT_ONCE: Final = 64
"""For requests whose body comes while it is read."""
FAILED: Final = (500, [*SECURITY, ("Content-Length", "0")], b"")
UNAVAILABLE: Final = (503, [*SECURITY, ("Retry-After", "5"), ("Content-Length", "0")], b"")
log = telemetry.logger(__name__)

Environ = dict[str, Any]
Answered = tuple[int, list[tuple[str, str]], bytes]


class RsgiProtocol(Protocol):
    """granian's: the body, whole or in pieces, and the answer. Reading raises `granian.rsgi.ProtocolClosed` where the connection broke."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's pieces."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """The answer."""


class WebApplication(Protocol):
    """A WSGI application that says what its requests need."""

    reads: Callable[[Environ], bool]
    """Whether a request's body is to be read before it is worked on."""
    quick: Callable[[Environ], bool]
    """Whether what it does is short and waits for nothing but by `shared.process.blocking`."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """PEP 3333."""
        ...


class Application:
    """granian's callback; `many` is how many connections there may be."""

    def __init__(self, app: WebApplication, *, many: int) -> None:
        self._app = app
        self._deadline = Deadline(many // 2)
        self._pool = ThreadPoolExecutor(THREADS, "request")
        self._large_pool = ThreadPoolExecutor(LARGE_AT_ONCE, "large-body")
        self._large = 0
        self._base: Environ = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_NAME": "", "SERVER_SOFTWARE": "", "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True, "wsgi.multiprocess": False, "wsgi.multithread": True, "wsgi.run_once": False,
            "wsgi.version": (1, 0),
        }  # fmt: skip

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Before the first request."""
        loop.set_default_executor(self._pool)
        self._watch = loop.create_task(self._deadline.watch())

    async def __rsgi__(self, scope: Scope, proto: RsgiProtocol) -> None:
        """Answer a request."""
        environ = self._environ(scope)
        try:
            status, headers, content = await self._answer(environ, proto)
        except Exception as error:  # noqa: BLE001 - the server would log it with its text
            log.error("A request failed.", action="failed", error=type(error).__name__)  # noqa: TRY400
            status, headers, content = FAILED
        proto.response_bytes(status, headers, content)

    async def _answer(self, environ: Environ, proto: RsgiProtocol) -> Answered:
        loop, length = asyncio.get_running_loop(), environ.get("CONTENT_LENGTH", "0")
        if "HTTP_TRANSFER_ENCODING" in environ or not length.isdecimal() or int(length) > SMALL_BODY:
            return await self._with_large_body(environ, proto, loop)
        body = b""  # and so it stays where it did not come in time, or the connection broke: that is refused as half of one
        if length != "0" and self._app.reads(environ):
            with suppress(TimeoutError, ProtocolClosed):
                body = await self._deadline.within(Reading(), proto())
        environ["wsgi.input"] = io.BytesIO(body)
        if self._app.quick(environ):
            return await blocking.run(self._called, environ)
        return await loop.run_in_executor(self._pool, self._called, environ)

    async def _with_large_body(self, environ: Environ, proto: RsgiProtocol, loop: asyncio.AbstractEventLoop) -> Answered:
        if self._large >= LARGE_AT_ONCE:
            return UNAVAILABLE
        self._large += 1
        try:
            environ["wsgi.input"] = io.BufferedReader(_Stream(loop, proto, self._deadline), SMALL_BODY)
            return await loop.run_in_executor(self._large_pool, self._called, environ)
        finally:
            self._large -= 1

    def _called(self, environ: Environ) -> Answered:
        said: list[Any] = []
        content = self._app(environ, lambda status, headers, _error=None: said.extend((status, headers)))
        try:
            body = b"".join(content)
        finally:
            close = getattr(content, "close", None)
            if close is not None:
                close()
        status, headers = said
        return int(status[:3]), headers, body

    def _environ(self, scope: Scope) -> Environ:
        """WSGI's environ.

        A header that stands several times is one, with commas (RFC 9110, 5.3); one whose bytes are not ASCII is empty.
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
        if readable < len(headers):  # type: ignore[arg-type] # the number of names
            for name in headers.keys():  # noqa: SIM118 - no dict
                environ.setdefault(_key(name), "")
        if scope.authority:
            environ.setdefault("HTTP_HOST", scope.authority)
        environ.pop("", None)
        return environ


class _Stream(io.RawIOBase):
    """A body that a thread reads while it comes. It ends where it comes too slowly or the connection breaks: then it is half of one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proto: RsgiProtocol, deadline: Deadline) -> None:
        self._loop = loop
        self._pieces = proto.__aiter__()
        self._deadline = deadline
        self._reading = Reading()
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What is there, or comes next, as far as it fits; 0 at the end."""
        while not self._left and not self._ended:
            piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            self._ended = piece is None
            self._left = memoryview(piece or b"")
        taken = min(len(buffer), len(self._left))
        buffer[:taken], self._left = self._left[:taken], self._left[taken:]
        return taken

    async def _next(self) -> bytes | None:
        try:
            piece: bytes = await self._deadline.within(self._reading, self._pieces.__anext__())
        except (StopAsyncIteration, TimeoutError, ProtocolClosed):
            return None
        self._reading.received += len(piece)
        return piece


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    """A header's name in an environ; '' for one that has an underscore: it would look like another header."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key
