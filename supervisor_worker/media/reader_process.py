"""Runs one child that reads a file: feeds it, reads what it says up to a bound, and ends it with all of its group when it is late.

Blocking: for a thread. A new program is started (not a fork), so that nothing that the worker has in its memory (keys, other people's
messages) is in the child's.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START: Final = "import sys; sys.path += sys.argv[2:]; from supervisor_worker.media.readers.child import main; main()"
MAX_OUTPUT: Final = 5_000_000
"""Bytes that a child may say: the text and a picture."""
_PIECE: Final = 65_536
_LOOK_SECONDS: Final = 0.25
_END_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Output:
    """What a child said, whether it was late, and how it ended (as `Popen.returncode`)."""

    data: bytes
    late: bool
    code: int


def run(request: bytes, content: bytes, seconds: float, stopped: threading.Event) -> Output:
    """Start a child, give it the request and the content, and return what it said in `seconds`. `stopped` ends it early.

    Raises OSError where no process can be started.
    """
    end = time.monotonic() + seconds
    process = subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-I", "-S", "-B", "-c", START, str(os.getpid()), *(str(Path(each).resolve()) for each in sys.path if each)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        bufsize=0,
        close_fds=True,
        start_new_session=True,
    )
    try:
        data, late = _exchange(process, request, content, end, stopped)
        if not late:
            late = not _ended(process, max(_LOOK_SECONDS, min(_END_SECONDS, end - time.monotonic())))
    finally:
        _kill(process)
    return Output(data, late, process.returncode)


def _exchange(process: subprocess.Popen[bytes], request: bytes, content: bytes, end: float, stopped: threading.Event) -> tuple[bytes, bool]:
    """Write and read until the child has closed its output, said too much or is late (True)."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert stdout is not None  # noqa: S101
    said, rest = bytearray(), [memoryview(request), memoryview(content)]
    with stdin, stdout, selectors.DefaultSelector() as ready:
        for pipe, event in ((stdin, selectors.EVENT_WRITE), (stdout, selectors.EVENT_READ)):
            os.set_blocking(pipe.fileno(), False)
            ready.register(pipe, event)
        while time.monotonic() < end and not stopped.is_set():
            for key, _ in ready.select(min(_LOOK_SECONDS, max(0.0, end - time.monotonic()))):
                if key.fileobj is stdout:
                    piece = os.read(key.fd, _PIECE)
                    said += piece
                    if not piece or len(said) > MAX_OUTPUT:
                        return bytes(said), False
                elif not _sent(key.fd, rest):
                    ready.unregister(stdin)
                    stdin.close()
    return bytes(said), True


def _sent(descriptor: int, rest: list[memoryview]) -> bool:
    """Write a piece of the rest; False when nothing is left to write, or nobody reads it."""
    while rest and not rest[0]:
        del rest[0]
    if not rest:
        return False
    try:
        written = os.write(descriptor, rest[0][:_PIECE])
    except BlockingIOError:
        return True
    except BrokenPipeError:  # the child has seen enough, or is gone: what it said is still read
        return False
    rest[0] = rest[0][written:]
    return True


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the child ended by itself: how it did says why it said nothing."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it has started in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
