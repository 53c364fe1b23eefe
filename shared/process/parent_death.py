"""How a child process ends with its parent, also when the parent was killed. Linux only: `prctl(2)`, PR_SET_PDEATHSIG.

Elsewhere nothing is asked for; whoever starts such a child finds the orphan at the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def end_with(parent: int, orphaned: Callable[[], None]) -> Callable[[], None]:
    """What a new child calls so that the kernel sends it SIGTERM when `parent` (a process id) ends.

    `orphaned` is called where the parent ended before the kernel was asked. The library is loaded here, before the fork: between a
    fork and an exec nothing may be imported.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            orphaned()

    return ask
