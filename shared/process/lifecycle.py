"""How every process of ours begins, waits and ends.

Whatever goes wrong before the work begins is one clear message on stderr and exit status 2, never a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, NoReturn

from shared.errors import BosslineError
from shared.observability.redaction import summarize

CANNOT_START: Final = 2
"""Exit status of a process that may not run with this configuration or on this data."""
NO_STORAGE: Final = 1
"""Exit status of a process for which Redis did not come up in time."""
POLL_SECONDS: Final = 0.2


def hide_error_messages() -> None:
    """Print an unexpected error that ends the process without its own message, which may quote a text or a key."""

    def print_summary(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        last_words = f"{summarize(error)}boss: an error that nobody expected: please report it"
        print(last_words, file=sys.stderr, flush=True)  # noqa: T201 - the process ends with it

    sys.excepthook = print_summary


def guarded(main: Callable[[], int | None]) -> int:
    """Run `main` and return its exit status; for an error that we raise on purpose: one message on stderr, and CANNOT_START."""
    hide_error_messages()
    try:
        return main() or 0
    except BosslineError as error:
        print(message(error), file=sys.stderr, flush=True)  # noqa: T201 - the process ends with it
        return CANNOT_START


def exit_now(status: int) -> NoReturn:
    """End the process at once. Call it when everything is closed.

    An orderly end of the interpreter would take one of honcho's five seconds to tear down the SDKs' modules.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # its reader may have gone
            stream.flush()
    os._exit(status)


def message(error: BosslineError) -> str:
    """What the operator reads."""
    return f"boss: {error.code}: {error.detail}" if error.detail else f"boss: {error.code}"


class StopSignal:
    """SIGTERM or SIGINT as a flag that a loop can read: calling the object tells whether the process was asked to end."""

    def __init__(self) -> None:
        """Install the signal handlers."""
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Whether the process was asked to end."""
        return self.asked

    def wait(self) -> None:
        """Block until the process is asked to end."""
        while not self.asked:
            time.sleep(POLL_SECONDS)  # Python resumes a sleep after a signal's handler has run, so each one is short

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
