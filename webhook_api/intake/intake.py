"""How the webhooks hand over what they took: every message, callback and refusal goes through here, to Redis or to the spool.

When `accept`, `ignore` or `report` returns, the call is on durable storage, and its sender may get a 2xx. When none can be
had (Redis away, and no room on disk) they raise StorageUnavailable. A call that Redis refuses for the call's own sake raises
StorageFault and is not spooled: it would fail there as well, after a 2xx. When as many messages wait as may, a text goes to the
spool, because nobody would send it again, and a mail is refused with StorageFull: SendGrid repeats it for three days.
What Redis has while none of its replicas does is insured, on disk as well: see `unreplicated`.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError

from shared import submit as storing
from shared.errors import StorageFault, StorageFull, StorageUnavailable
from shared.mailbox import calls, keys
from shared.model.channels import CHANNELS
from shared.model.events import Keyword, Received
from shared.observability import logs as telemetry
from shared.process import blocking
from shared.runtime import Runtime
from webhook_api.intake import records as entries
from webhook_api.intake.ordering import Order, Way
from webhook_api.intake.records import Entry, Message, NotAnswered, Reports
from webhook_api.intake.replay import Replayer
from webhook_api.intake.spool import Spool
from webhook_api.intake.unreplicated import Insurance

GIVE_WAY_SECONDS: Final = 0.2
"""How long a call stands behind a backlog that Redis is taking, before it goes to disk as well."""
LOOK_SECONDS: Final = 0.01
QUIET_SECONDS: Final = 5.0
HEARD_SECONDS: Final = 60.0
LOGGED: Final = 30
LOGGED_SECONDS: Final = 60.0
"""So many refusals of one kind stand in the log in that time, as in the ledger: a flood of forged requests fills neither."""
PROBE_MS: Final = 1000
log = telemetry.logger(__name__)


class Intake:
    """One process's way in. `runtime` is open; `start` begins the replay of what waits."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._spool = Spool(runtime.settings)
        self._order = Order(self._spool.begin())
        self._insurance = Insurance(runtime, self._spool)
        self._heard_at = -HEARD_SECONDS
        self._unconfirmed = False
        self._replayer = Replayer(runtime, self._spool, self._order, self._insurance)

    def start(self) -> None:
        """Begin to replay what an earlier life left, and whatever comes to wait."""
        self._replayer.start()

    def close(self) -> None:
        """End the replay; what waits goes on waiting."""
        self._replayer.close()

    @property
    def away(self) -> bool:
        """Whether Redis took nothing when it was last asked, or is behind."""
        return bool(self._replayer.away) or self._spool.depth > 0

    @property
    def slow(self) -> bool:
        """Whether a call waits: behind what is on disk, or for a replica that did not confirm the last one."""
        return self._unconfirmed or self._spool.depth > 0

    def accept(self, event: Received, *, keyword: Keyword = "") -> None:
        """Take a message that is answered."""
        self._hand_over(Message(event, keyword))

    def ignore(self, ignored: NotAnswered) -> None:
        """Record a message that is not answered: its id and the reason, no text, no job."""
        self._hand_over(ignored)

    def report(self, reports: Reports) -> None:
        """Record what became of replies."""
        if reports:
            self._hand_over(reports)

    def heard(self, webhook: str) -> None:
        """Note that a webhook spoke, once a minute at most: `boss doctor` asks. While Redis is away nothing is noted."""
        if self.away or time.monotonic() - self._heard_at < HEARD_SECONDS:
            return
        self._heard_at = time.monotonic()
        with suppress(RedisError, OSError):
            seconds, micros = self.runtime.redis.time()
            self.runtime.redis.hset(keys.HEARD, webhook, str(seconds * 1000 + micros // 1000))

    def _hand_over(self, entry: Entry) -> None:
        seen_empty = self._spool.empty()  # not under the order's lock, where all would wait for each other's system call
        if not seen_empty:
            blocking.in_thread(self._hand_over_to, entry, seen_empty=False)
        else:
            self._hand_over_to(entry, seen_empty=True)

    def _hand_over_to(self, entry: Entry, *, seen_empty: bool) -> None:
        highest = 0 if seen_empty else self._spool.highest()
        ticket, way = self._order.enter(lambda: seen_empty and not self._spool.depth, highest)
        try:
            if way is Way.BEHIND and blocking.in_thread(self._turn_comes, ticket):
                way = Way.DIRECT
            if not (way is Way.DIRECT and self._took(ticket, entry)):
                blocking.in_thread(self._write, ticket, entry)
        finally:
            self._order.ended(ticket)

    def _write(self, ticket: int, entry: Entry) -> None:
        if self._replayer.full and _is_sent_again_for_days(entry):
            raise StorageFull(StorageFull.code)
        self._order.to_disk(ticket)
        self._spool.write(ticket, entries.encode(entry))
        self._replayer.wake()

    def _turn_comes(self, ticket: int) -> bool:
        """Give what is on disk a moment to go back; not while Redis takes nothing."""
        end = time.monotonic() + GIVE_WAY_SECONDS
        while not self._replayer.away and time.monotonic() < end:
            if self._order.go(ticket, self._spool.empty):
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def _took(self, ticket: int, entry: Entry) -> bool:
        """Whether Redis took it; False, with the ticket still held, when Redis is away.

        Raises StorageFault, or StorageUnavailable for what no replica has and the disk does not take.
        """
        try:
            self._send(entry)
        except StorageFault:
            self._order.answered(ticket)
            raise
        except StorageUnavailable as error:
            self._order.to_disk(ticket)
            self._replayer.found_away(error.detail)
            return False
        self._order.answered(ticket)
        self._replayer.away = ""
        self._unconfirmed = not self.runtime.replicas.confirmed
        if self._unconfirmed:
            blocking.in_thread(self._insurance.write, ticket, entry)
        return True

    def _send(self, entry: Entry) -> None:
        """One round trip, but for a long batch of reports."""
        steps = entries.steps(entry, self.runtime)
        if len(steps) == 1:
            storing.run(self.runtime, steps[0])
            return
        fault = next((answer for answer in entries.send(self.runtime, steps) if isinstance(answer, StorageFault)), None)
        if fault:
            raise fault

    def state(self) -> dict[str, Any]:
        """What /readyz tells: `status` is `unavailable` when a message could neither be stored nor spooled now."""
        spool, up = self._spool, self._redis_takes()
        room, depth = spool.room(), spool.depth
        status = "ok" if up and not depth else "spooling" if room else "unavailable"
        oldest = round(spool.oldest_seconds(), 1)
        waits = {"depth": depth, "bytes": spool.bytes, "oldest_seconds": oldest, "aside": spool.set_aside_count(), "room_bytes": room}
        waits["insured"] = self._insurance.count
        return {"status": status, "redis": "ok" if up else "away", "spool": waits}

    def _redis_takes(self) -> bool:
        """Whether Redis answers, and after it has refused: whether it takes a write again. While entries wait the replayer knows."""
        if self._spool.depth:
            return not self._replayer.away
        try:
            if self._replayer.away:
                self.runtime.redis.set(keys.PROBE, "", px=PROBE_MS)
            else:
                self.runtime.redis.ping()
        except (RedisError, OSError):
            return False
        self._replayer.away = ""
        return True


@dataclass(slots=True)
class RefusalLedger:
    """Writes ledger lines for refused requests, and lets Redis be when it is away: a refusal must neither wait for it nor fill the disk."""

    intake: Intake
    _quiet_until: float = field(default=0.0)
    _logged: Counter[tuple[str, str]] = field(default_factory=Counter)
    _logged_until: float = field(default=0.0)

    def record(self, channel: str, reason: str, status: int) -> None:
        """Append one line; never raises for the storage."""
        if self._may_log((channel, reason)):
            log.info("Refused a request.", action="refused", channel=channel, reason=reason, status=status)
        if self.intake.away or time.monotonic() < self._quiet_until:
            return
        try:
            storing.run(self.intake.runtime, calls.refuse(channel, reason, status))
        except StorageUnavailable as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("Could not record a refusal.", action="storage_unavailable", reason=error.detail)

    def _may_log(self, kind: tuple[str, str]) -> bool:
        now = time.monotonic()
        if now > self._logged_until:
            self._logged.clear()
            self._logged_until = now + LOGGED_SECONDS
        self._logged[kind] += 1
        return self._logged[kind] <= LOGGED


def _is_sent_again_for_days(entry: Entry) -> bool:
    return isinstance(entry, Message) and CHANNELS[entry.event.channel].redelivers
