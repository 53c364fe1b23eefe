"""Many threads that may wait, and a few that work.

A read of `wsgi.input` has no end, so with few threads as many clients that never end their body stop the service; and many threads
that work cost more, since all want Python's lock. So the server has many, made when needed, and what one does with a small signed body
is to read it, give the request to one of a few workers, and be free again. A slow body holds such a thread, without the lock, until it
has come or `deadline` closes its connection. What has to wait for other reasons, or has a large body, stays where it may wait.

granian gives a WSGI application no way to answer from another thread, so `Handler` takes the place of its wrapper: it gets the server's
own two objects, `scope` (most of an environ) and `proto`, which answers from any thread. It must not return before the body is read.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from shared import telemetry
from webhook_api.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SMALL_BODY: Final = 65_536
STALL_SECONDS: Final = 0.25
"""Where the workers have ended nothing for so long, whoever comes does not wait for them."""
FAILED: Final = 500
log = telemetry.logger(__name__)

Environ = dict[str, Any]


class Handler:
    """The server's callback."""

    def __init__(self, app: WSGIApplication, *, workers: int, many: int) -> None:
        """The workers begin. With more than half of `many` bodies under way the deadline is shorter.

        `app.reads` says whether an environ is one whose body is to be read before it is worked on, and `app.slow` whether work waits.
        """
        self._app = app
        self._reads: Callable[[Environ], bool] = getattr(app, "reads", lambda _environ: True)
        self._slow: Callable[[], bool] = getattr(app, "slow", lambda: False)
        self._work: SimpleQueue[tuple[Any, Environ]] = SimpleQueue()
        self._ended_at = 0.0  # when a worker last ended something, or the first request came that waits for one
        self._deadline = Deadline(many // 2)
        self._base: Environ = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_NAME": "", "SERVER_SOFTWARE": "", "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True, "wsgi.multiprocess": False, "wsgi.multithread": True, "wsgi.run_once": False,
            "wsgi.version": (1, 0),
        }  # fmt: skip
        for number in range(workers):
            threading.Thread(target=self._worker, name=f"worker-{number}", daemon=True).start()

    def __call__(self, proto: Any, scope: Environ) -> None:
        """Answer a request, or have it answered; in one of the server's threads."""
        environ = self._base | scope
        length = environ.get("CONTENT_LENGTH", "")
        small = length.isdecimal() and int(length) <= SMALL_BODY and "HTTP_TRANSFER_ENCODING" not in environ
        with self._deadline.over(environ):
            if not (small and self._reads(environ)):
                self._answer(proto, environ)
                return
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
        if self._slow() or self._stalled():
            self._answer(proto, environ)
        else:
            if self._work.empty():
                self._ended_at = time.monotonic()
            self._work.put((proto, environ))

    def _stalled(self) -> bool:
        return not self._work.empty() and time.monotonic() - self._ended_at > STALL_SECONDS

    def _worker(self) -> None:
        while True:
            proto, environ = self._work.get()
            try:
                self._answer(proto, environ)
            except Exception as error:  # noqa: BLE001 - the server would log it with its text
                log.error("A request failed.", action="failed", error=type(error).__name__)  # noqa: TRY400
                proto.response_bytes(FAILED, [("Content-Length", "0")], b"")
            self._ended_at = time.monotonic()
            del proto, environ

    def _answer(self, proto: Any, environ: Environ) -> None:
        said: list[Any] = []
        content = self._app(environ, lambda status, headers, _error=None: said.extend((status, headers)))  # type: ignore[arg-type]
        status, headers = said
        proto.response_bytes(int(status[:3]), headers, _joined(content))


def _joined(content: Iterable[bytes]) -> bytes:
    try:
        return b"".join(content)
    finally:
        close = getattr(content, "close", None)
        if close is not None:
            close()
