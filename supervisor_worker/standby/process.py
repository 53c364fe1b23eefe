"""`boss standby`: watch the regular workers, and run a worker of our own while none of them lives.

This process stays light: only the child that works loads the SDKs. It polls twice a second, in one round trip, and never ends because
Redis is away. Two standbys on two hosts may work at once: the leases keep them apart, as they do any two workers.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from shared.backoff import Backoff
from shared.config.settings import Settings
from shared.mailbox import Mailbox, calls
from shared.mailbox.calls import STANDBY, Standing
from shared.mailbox.wake_queue import QUEUE
from shared.observability import logs
from shared.observability.outage import Outage
from shared.process.lifecycle import StopSignal
from shared.registry import declared_people
from shared.runtime import redis_url
from shared.storage.clients import for_web
from supervisor_worker.standby.child_worker import DRAIN, WORK, ChildWorker
from supervisor_worker.standby.worker_monitor import WorkerMonitor

LOG: Final = logs.logger(__name__)
POLL_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 150.0
"""How long running turns may take to end when a regular worker is back: two long requests to Claude. Then they are handed over."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 5.0, 60.0
"""Between two workers of ours that ended by themselves."""


def main(settings: Settings) -> int:
    """Stand by until told to end; the answer is the exit status. Raises ConfigurationError for what would stop a worker later."""
    stop = StopSignal()
    if settings.local_fallback == "off":
        sys.stdout.write("standby stands aside: LOCAL_FALLBACK=off\n")
        sys.stdout.flush()
        stop.wait()
        return 0
    logs.configure("standby", settings.log_format, settings.secrets)
    declared_people(settings)
    with for_web(redis_url(settings)) as redis:
        standby = Standby(settings, Mailbox(redis))
        while not stop():
            standby.step()
            time.sleep(standby.poll_seconds)
        standby.end()
    return 0


class Standby:
    """The decisions of the process, and its own worker or none.

    watching ── no regular worker lives ──▶ working ── one lives again ──▶ draining ── the child has ended ──▶ watching
                                               ▲                              │
                                               └── no regular worker lives ───┘
    """

    def __init__(
        self,
        settings: Settings,
        mailbox: Mailbox,
        start_worker: Callable[[float], ChildWorker] = ChildWorker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start_worker` takes the grace that the worker has at its end, and raises OSError."""
        self.poll_seconds = min(POLL_SECONDS, settings.standby_after_seconds / 6)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._grace = settings.shutdown_grace_seconds
        self._mailbox = mailbox
        self._start_worker = start_worker
        self._clock = clock
        self._monitor = WorkerMonitor(settings.standby_after_seconds, clock())
        self._child: ChildWorker | None = None
        self._draining_since: float | None = None
        self._next_start_at = 0.0
        self._backoff = Backoff(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS)
        self._outage = Outage(under_way=True)
        """Under way until the first poll succeeds: all processes of an installation start at once, its Redis too."""

    @property
    def standing(self) -> Standing:
        """The state, in the word that is stored: `retiring` is draining."""
        if self._child is None:
            return "watching"
        return "working" if self._draining_since is None else "retiring"

    def step(self) -> None:
        """One poll, and what follows from it."""
        self._observe()
        now = self._clock()
        if self._child is None:
            if self._monitor.none_alive(now) and now >= self._next_start_at:
                self._start(now)
        elif (status := self._child.status) is not None:
            self._ended(status, now)
        elif self._draining_since is None:
            if self._monitor.any_alive(now):
                self._drain(self._child, now)
        else:
            self._while_draining(self._child, now, self._draining_since)

    def end(self) -> None:
        """Told to end: our worker ends as any other would."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if not self._outage:  # a server that is away is not waited for; the standby's record in Redis expires by itself
            self._report("gone")
        LOG.info("The standby ends", action="standby_stopped")

    def _observe(self) -> None:
        heartbeats = self._report(self.standing)
        now = self._clock()
        if heartbeats is None:
            self._monitor.interrupted(now)
        else:
            self._monitor.observe(heartbeats, now)

    def _report(self, standing: Standing) -> dict[str, str] | None:
        """Store our state; the answer is the regular workers' heartbeats, None while Redis is away."""
        child = self._child.name if self._child else ""
        try:
            heartbeats = self._mailbox.run(calls.standby(self._name, standing, child, queue=QUEUE))
        except (RedisError, OSError) as error:
            if self._outage.begins():
                LOG.warning("Redis is away: the standby sees nobody, and waits", action="standby_blind", error=type(error).__name__)
            return None
        if self._outage.ends():
            LOG.info("The standby watches: every worker has the full time from now on", action="standby_watches")
        return heartbeats

    def _start(self, now: float) -> None:
        try:
            self._child = self._start_worker(self._grace)
            LOG.warning(
                "No regular worker lives: the standby works", action="standby_started", worker=self._child.name.removeprefix(STANDBY)
            )
        except OSError as error:
            LOG.error("The standby's worker could not be started", action="standby_failed", error=type(error).__name__)  # noqa: TRY400 - one line
            self._delay_next_start(now)

    def _drain(self, child: ChildWorker, now: float) -> None:
        LOG.info("A regular worker is back: the standby finishes its turns", action="standby_retires")
        child.send(DRAIN)
        self._draining_since = now

    def _while_draining(self, child: ChildWorker, now: float, since: float) -> None:
        """Wait for the last turn, up to DRAIN_SECONDS; go on working when no regular worker lives any more."""
        if now - since > DRAIN_SECONDS + self._grace:
            child.stop()
        elif now - since > DRAIN_SECONDS:  # from here on it has its grace; a stop would hold up this loop for so long
            child.close_pipe()
        elif self._monitor.none_alive(now):
            LOG.warning("No regular worker lives any more: the standby works on", action="standby_resumed")
            child.send(WORK)
            self._draining_since = None

    def _ended(self, status: int, now: float) -> None:
        """Our worker has ended: as it was told, or by itself; then the next one is not started at once."""
        drained, self._child, self._draining_since = self._draining_since is not None, None, None
        if drained or status == 0:
            self._backoff.reset()
            LOG.info("The standby watches again", action="standby_ended")
        else:
            LOG.error("The standby's worker ended by itself", action="standby_failed", status=status)
            self._delay_next_start(now)

    def _delay_next_start(self, now: float) -> None:
        self._next_start_at = now + self._backoff.next()
