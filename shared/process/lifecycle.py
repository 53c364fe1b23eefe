"""How every process of ours begins, stands aside and ends.

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
from shared.observability.redaction import outline

CANNOT_START: Final = 2
"""Exit status of a process whose configuration, or whose data, is not for it."""
NO_STORAGE: Final = 1
"""Exit status of a process for which Redis did not come up in time."""


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
        return CANNOT_START


def leave(status: int) -> NoReturn:
    """End at once: all is closed, and tidying up the SDKs' modules would take the interpreter one of honcho's five seconds."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody may read it any more
            stream.flush()
    os._exit(status)


def message(error: BosslineError) -> str:
    """What the operator reads."""
    return f"boss: {error.code}: {error.detail}" if error.detail else f"boss: {error.code}"


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
