"""What keeps a worker or the bridge from starting, and the exit status that tells a supervisor which of the two kinds it was."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

from redis.exceptions import RedisError

from shared.errors import ConfigurationError, SchemaTooNew, StorageUnavailable
from shared.process.lifecycle import CANNOT_START, NO_STORAGE

START_ERRORS: Final = (ConfigurationError, SchemaTooNew, StorageUnavailable, RedisError)
"""What `shared.runtime.open_runtime` raises."""


def report(error: Exception, say: Callable[[str], None]) -> int:
    """Tell the operator one of START_ERRORS; the exit status for it.

    NO_STORAGE is for what another start may mend, CANNOT_START for what only the operator can.
    """
    say(str(error))
    return CANNOT_START if isinstance(error, ConfigurationError | SchemaTooNew) else NO_STORAGE


def stderr_writer(process: str) -> Callable[[str], None]:
    """A function that writes a sentence on stderr, marked with the name by which `boss` starts the process."""

    def say(sentence: str) -> None:
        with suppress(OSError):  # its reader may have gone
            sys.stderr.write(f"boss {process}: {sentence}\n")
            sys.stderr.flush()

    return say


def exit_on_signals() -> None:
    """End with status 0 on SIGTERM or SIGINT, until the event loop has handlers of its own: before that there is nothing to release."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
