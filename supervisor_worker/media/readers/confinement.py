"""What a child that reads files may use: set by the child itself, before it has seen a byte of the file."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Final

from shared.process.parent_death import end_with

MEMORY_BYTES: Final = 512 * 1024 * 1024
"""Of address space: what is mapped counts, used or not (the libraries alone map 80 to 150 MB)."""
CPU_SECONDS: Final = 20
OPEN_FILES: Final = 32
"""Enough to import and to map libraries."""
_OURS: Final = 3
_MOST_DESCRIPTORS: Final = 1 << 20
_PR_SET_NO_NEW_PRIVS: Final = 38
_M_ARENA_MAX: Final = -8


def forbid_processes() -> None:
    """No new process and no new thread: for readers that need no threads. The kernel does not hold root to it."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def confine(parent: int) -> None:
    """Give up what a reader does not need. `parent` is the process with which this one ends."""
    os.closerange(_OURS, _MOST_DESCRIPTORS)
    end_with(parent, lambda: os._exit(1))()
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.mallopt(_M_ARENA_MAX, 1)  # each arena of a thread would map 64 MB of what may be mapped
    for name, soft, hard in (
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        most = resource.getrlimit(name)[1]
        resource.setrlimit(name, (soft, hard) if most == resource.RLIM_INFINITY else (min(soft, most), min(hard, most)))
