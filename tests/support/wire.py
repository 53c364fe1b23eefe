"""A host's way to the server: a socket that leads to the server's own, and can be cut and mended."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CHUNK: Final = 65_536


class Wire:
    """For `with`: while it is cut nobody is let through, and whoever was is thrown out."""

    def __init__(self, server_url: str) -> None:
        """`server_url` is the server's, by a unix socket."""
        self._target = server_url.removeprefix("unix://").partition("?")[0]
        self._directory = Path(tempfile.mkdtemp(prefix="boss-wire-"))
        self._path = self._directory / "s"
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The REDIS_URL of who goes by it."""
        return f"unix://{self._path}"

    def __enter__(self) -> Self:
        return self.mend()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cut()
        self._directory.rmdir()

    def mend(self) -> Self:
        """Let through whoever comes from now on."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return self

    def cut(self) -> None:
        """From now on the server is away."""
        if self._listener is not None:
            self._path.unlink(missing_ok=True)
            _end(self._listener)
            self._listener = None
        with self._lock:
            ended, self._open = self._open, []
        for each in ended:
            _end(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
            except OSError:
                return
            with self._lock:
                self._open += [here, there]
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    _end(target)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
