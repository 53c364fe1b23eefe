"""How every process of ours begins, stands aside and ends.

Whatever goes wrong before the work begins is one clear message on stderr and exit status 2, never a traceback.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, NoReturn

from shared.errors import BosslineError, ConfigurationError
from shared.redaction import outline

REFUSED: Final = 2
PR_SET_PDEATHSIG: Final = 1


def tell_in_outline() -> None:
    """Let an error that nobody expected end the process without the error's words, which may quote a message or a key."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        print(f"{outline(error)}boss: an error that nobody expected: please report it", file=sys.stderr, flush=True)  # noqa: T201 - its last word

    sys.excepthook = tell


def guarded(main: Callable[[], int | None]) -> int:
    """Run `main` and return its exit status; 2 and one message for an error that we raise on purpose."""
    tell_in_outline()
    try:
        return main() or 0
    except BosslineError as error:
        print(message(error), file=sys.stderr, flush=True)  # noqa: T201 - the process's own last word
        return REFUSED


def leave(status: int) -> NoReturn:
    """End at once: all is closed, and tidying up the SDKs' modules would take the interpreter one of honcho's five seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def message(error: BosslineError) -> str:
    """What the operator reads."""
    return f"boss: {error.code}: {error.detail}" if error.detail else f"boss: {error.code}"


def end_with_parent() -> None:
    """Under honcho, end when its process for us dies, as it does when the terminal is closed. Linux only."""
    if "HONCHO_PROCESS_NAME" in os.environ and sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def require_free_port(host: str, port: int, setting: str) -> None:
    """ConfigurationError that names the port and its setting when the port cannot be bound."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        reason = "is used by another program" if error.errno == errno.EADDRINUSE else f"cannot be bound ({error.strerror})"
        raise ConfigurationError(f"{setting}: port {port} of {host} {reason}; end that program, or set {setting} to another port") from None


class Stop:
    """Turns SIGTERM and SIGINT into something that a loop can look at."""

    def __init__(self) -> None:
        """Nothing was asked yet; the handlers are set now."""
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Whether the process was asked to end."""
        return self.asked

    def wait(self) -> None:
        """Wait until then."""
        while not self.asked:
            time.sleep(0.2)  # a signal ends the sleep early only for its handler, so it is short

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
