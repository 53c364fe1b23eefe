"""`boss standby`: watch the regular workers, and have a worker of our own while none of them lives.

This process stays light: the SDKs are loaded by the child that works. It looks twice a second, in one round trip, and never ends
because Redis is away. Two standbys on two hosts may work at once; the lease keeps them apart, as it does any two workers.
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
from shared.model import users as users_file
from shared.observability import logs as telemetry
from shared.observability.outage import Outage
from shared.process.lifecycle import Stop
from shared.runtime import redis_url
from shared.storage import clients as connections
from supervisor_worker.standby.child_worker import REST, WORK, Shift
from supervisor_worker.standby.liveness import Watcher

LOG: Final = telemetry.logger(__name__)
POLL_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 150.0
"""How long running turns may take to end when a regular worker is back: two long questions to Claude. Then they are handed over."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 5.0, 60.0
"""Between two workers of ours that ended by themselves."""


def main(settings: Settings) -> int:
    """Stand by until told to end; the answer is the exit status. Raises ConfigurationError for what would stop a worker later."""
    stop = Stop()
    if settings.local_fallback == "off":
        sys.stdout.write("standby stands aside: LOCAL_FALLBACK=off\n")
        sys.stdout.flush()
        stop.wait()
        return 0
    telemetry.configure("standby", settings.log_format, settings.secrets)
    users_file.load(settings.boss_users_file)
    with connections.for_web(redis_url(settings)) as redis:
        standby = Standby(settings, Mailbox(redis))
        while not stop():
            standby.step()
            time.sleep(standby.look_seconds)
        standby.end()
    return 0


class Standby:
    """What the process knows and holds: the watcher, and its own worker or none."""

    def __init__(
        self, settings: Settings, mailbox: Mailbox, hire: Callable[[float], Shift] = Shift, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`hire` starts a worker; its argument is the grace that it has at its end."""
        self.look_seconds = min(POLL_SECONDS, settings.standby_after_seconds / 6)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._grace = settings.shutdown_grace_seconds
        self._mailbox = mailbox
        self._hire = hire
        self._clock = clock
        self._watcher = Watcher(settings.standby_after_seconds, clock())
        self._shift: Shift | None = None
        self._retires_since: float | None = None
        self._next_start_at = 0.0
        self._backoff = Backoff(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS)
        self._outage = Outage(under_way=True)
        """Under way until the first poll succeeds: all processes of an installation start at once, its Redis too."""

    @property
    def standing(self) -> Standing:
        """What it does."""
        if self._shift is None:
            return "watching"
        return "working" if self._retires_since is None else "retiring"

    def step(self) -> None:
        """One look, and what follows from it."""
        self._look()
        now = self._clock()
        if self._shift is None:
            if self._watcher.alone(now) and now >= self._next_start_at:
                self._begin(now)
        elif (status := self._shift.status) is not None:
            self._ended(status, now)
        elif self._retires_since is None:
            if self._watcher.regular_lives(now):
                self._retire(now)
        else:
            self._see_it_out(now, self._retires_since)

    def end(self) -> None:
        """Told to end: the worker goes as any other would."""
        if self._shift is not None:
            self._shift.end()
            self._shift = None
        if not self._outage:  # nobody waits for a server that does not answer; the entry in the book ends by itself
            self._note("gone")
        LOG.info("The standby ends", action="standby_stopped")

    def _look(self) -> None:
        beats = self._note(self.standing)
        now = self._clock()
        if beats is None:
            self._watcher.blind(now)
        else:
            self._watcher.see(beats, now)

    def _note(self, standing: Standing) -> dict[str, str] | None:
        """Say how we stand, and hear who lives; None while Redis does not let us."""
        shift = self._shift.name if self._shift else ""
        try:
            beats = self._mailbox.run(calls.standby(self._name, standing, shift, queue=QUEUE))
        except (RedisError, OSError) as error:
            if self._outage.begins():
                LOG.warning("Redis is away: the standby sees nobody, and waits", action="standby_blind", error=type(error).__name__)
            return None
        if self._outage.ends():
            LOG.info("The standby watches: every worker has the full time from now on", action="standby_watches")
        return beats

    def _begin(self, now: float) -> None:
        try:
            self._shift = self._hire(self._grace)
            LOG.warning(
                "No regular worker lives: the standby works", action="standby_started", worker=self._shift.name.removeprefix(STANDBY)
            )
        except OSError as error:
            LOG.error("The standby's worker could not be started", action="standby_failed", error=type(error).__name__)  # noqa: TRY400 - one line
            self._delay_next_start(now)

    def _retire(self, now: float) -> None:
        if self._shift is not None:
            LOG.info("A regular worker is back: the standby finishes its turns", action="standby_retires")
            self._shift.order(REST)
            self._retires_since = now

    def _see_it_out(self, now: float, since: float) -> None:
        """Until the last turn has ended; shorter when the regular workers are gone again, and not for ever."""
        if self._shift is None:
            return
        if now - since > DRAIN_SECONDS + self._grace:
            self._shift.end()
        elif now - since > DRAIN_SECONDS:
            self._shift.let_go()
        elif self._watcher.alone(now):
            LOG.warning("No regular worker lives any more: the standby works on", action="standby_resumed")
            self._shift.order(WORK)
            self._retires_since = None

    def _ended(self, status: int, now: float) -> None:
        """Its worker has ended: because it was told to, or by itself, which it will not repeat at once."""
        retired, self._shift, self._retires_since = self._retires_since is not None, None, None
        if retired or status == 0:
            self._backoff.reset()
            LOG.info("The standby watches again", action="standby_ended")
        else:
            LOG.error("The standby's worker ended by itself", action="standby_failed", status=status)
            self._delay_next_start(now)

    def _delay_next_start(self, now: float) -> None:
        self._next_start_at = now + self._backoff.next()
