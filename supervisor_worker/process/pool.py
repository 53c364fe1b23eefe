"""`boss worker --processes N`: several worker processes from one command, for machines with several cores.

The SDKs are imported once, here, and the children are forked afterwards, so that they share those pages. Each child is a worker like
any other, with its own name, event loop and connections. A child that dies is replaced, after a growing wait, while the others work on.
A child that may not start (its exit status says so) ends the pool with that status, as a single worker would end.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from shared.backoff import Backoff
from shared.config.settings import Settings
from shared.process import honcho
from shared.process.lifecycle import CANNOT_START, NO_STORAGE, exit_now
from shared.process.parent_death import end_with
from supervisor_worker.process.startup import main as work

POLL_SECONDS: Final = 0.1
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 1.0, 60.0
"""Between a child's death and its successor; after a child that lived longer than the longest wait it is the first one again."""
EXTRA_GRACE_SECONDS: Final = 1.0
"""What children have beyond their own grace; under honcho's 5 s with the default one."""
REFUSALS: Final = (CANNOT_START, NO_STORAGE)


@dataclass(slots=True)
class _Place:
    """One of the N: its process (0: none), since when, and when the next one may start. Times of the monotonic clock."""

    pid: int = 0
    since: float = 0.0
    begin_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS))


class Pool:
    """The parent process. `child` is a child's whole work; its result is the child's exit status."""

    def __init__(self, count: int, child: Callable[[], int], grace: float) -> None:
        self._child = child
        self._grace = grace
        self._places = [_Place() for _ in range(count)]
        self._signals = 0
        self._forwarded = 0

    def run(self) -> int:
        """Keep N children running until told to end; the answer is the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        status = 0
        while not self._signals and not status:
            self._fill()
            status = self._reap()
            time.sleep(POLL_SECONDS)
        self._signals += 1 if status else 0
        self._end()
        return status

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        honcho.TOLD_TO_END.set()

    def _fill(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if not place.pid and now >= place.begin_at:
                place.pid, place.since = self._fork(), now

    def _fork(self) -> int:
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            exit_now(_live(self._child, parent))
        return pid

    def _reap(self) -> int:
        """Collect the children that have ended; the answer is the exit status of one that may not start, else 0."""
        refused = 0
        for place in self._places:
            ended, code = os.waitpid(place.pid, os.WNOHANG) if place.pid else (0, 0)
            if not ended:
                continue
            status = os.waitstatus_to_exitcode(code)
            refused = status if status in REFUSALS and not self._signals else refused
            self._vacate(place, status)
        return refused

    def _vacate(self, place: _Place, status: int) -> None:
        now = time.monotonic()
        if now - place.since > MAX_WAIT_SECONDS:
            place.backoff.reset()
        wait = place.backoff.next()
        if not self._signals:
            with suppress(OSError):  # nobody may read it any more
                sys.stderr.write(f"boss worker: process {place.pid} ended with {status}; another starts in {wait:g} s\n")
                sys.stderr.flush()
        place.pid, place.begin_at = 0, now + wait

    def _end(self) -> None:
        """Forward each signal, wait for the children's grace, and kill those that are left.

        A second signal ends a child's grace, so each one is forwarded once: honcho and a terminal signal the children themselves, too.
        """
        end = time.monotonic() + self._grace + EXTRA_GRACE_SECONDS
        while self._pids() and time.monotonic() < end:
            if self._forwarded < self._signals:
                self._forwarded = self._signals
                self._send(signal.SIGTERM)
            self._reap()
            time.sleep(POLL_SECONDS / 5)
        self._send(signal.SIGKILL)
        for pid in self._pids():
            os.waitpid(pid, 0)

    def _pids(self) -> list[int]:
        return [place.pid for place in self._places if place.pid]

    def _send(self, number: signal.Signals) -> None:
        for pid in self._pids():
            os.kill(pid, number)


def main(settings: Settings, count: int) -> int:
    """Run `count` workers until told to end; the answer is the exit status."""
    if count == 1:
        return work(settings)
    from supervisor_worker.process import worker  # noqa: PLC0415 - the SDKs, once for all children

    del worker
    gc.freeze()  # the children's garbage collectors leave these objects alone, so their pages stay shared
    return Pool(count, lambda: work(settings), settings.shutdown_grace_seconds).run()


def _live(child: Callable[[], int], parent: int) -> int:
    """A child's whole life; the answer is its exit status. No exception may leave it: the parent's frames are below."""
    end_with(parent, orphaned=lambda: os.kill(os.getpid(), signal.SIGTERM))()
    try:
        return child()
    except SystemExit as ended:  # a signal before the loop had handlers of its own
        return ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - whatever it is, the pool needs the child's end alone
        traceback.print_exc()
        return os.EX_SOFTWARE
