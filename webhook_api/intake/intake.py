"""How the webhooks hand over what they received: every message, status report and refusal goes through here, to Redis or to the spool.

When `accept`, `ignore` or `report` returns, the record is on durable storage, and its sender may get a 2xx.

- Redis is away, and there is no room on disk: they raise StorageUnavailable.
- Redis rejects a call because of the record itself: StorageFault. It is not spooled: it would fail there as well, after a 2xx.
- MAX_OPEN_MESSAGES wait already: a text goes to the spool, because nobody would send it again; a mail is rejected with StorageFull, because
  SendGrid repeats it for three days.
- Nobody is known to have a message's address, and Redis is away: it is spooled as it came (`judging`), into at most half of the room, so
  that strangers leave the other half to those who are known.
- Redis has a message and none of its replicas has: a copy is kept on disk as well (`unreplicated`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, TypedDict

from redis.exceptions import RedisError

from shared import submit
from shared.errors import StorageFault, StorageFull, StorageUnavailable
from shared.mailbox import calls, keys
from shared.model.channels import CHANNELS
from shared.model.events import Keyword, Received
from shared.model.files import File
from shared.model.outgoing import OutgoingMessage
from shared.observability import logs
from shared.process import blocking
from shared.runtime import Runtime
from webhook_api.intake import records
from webhook_api.intake.availability import Availability
from webhook_api.intake.file_store import Content, FileStore
from webhook_api.intake.judging import MAX_JUDGEMENTS, ArrivedReaders, Judging, learn
from webhook_api.intake.ordering import Sequencer, Way
from webhook_api.intake.records import ArrivedMessage, IgnoredMessage, JudgedMessage, ReceivedMessage, Reports, UnjudgedMessage
from webhook_api.intake.replay import Replayer
from webhook_api.intake.spool import Spool
from webhook_api.intake.unreplicated import UnreplicatedCopies
from webhook_api.intake.writing import Writing

BEHIND_SECONDS: Final = 0.2
"""How long a request waits behind a backlog that Redis is accepting, before it goes to disk as well."""
POLL_SECONDS: Final = 0.01
"""How often such a request looks whether the backlog has cleared; short beside BEHIND_SECONDS."""
QUIET_SECONDS: Final = 5.0
"""How long refusals are not recorded after Redis has failed to record one."""
HEARD_SECONDS: Final = 60.0
"""How often the time of a webhook's last call is written: a round trip for each call would be too many, and a minute is exact enough."""
MAX_LOGGED: Final = 30
"""Refusals of one kind that are logged in LOGGED_SECONDS: a flood of forged requests must not fill the log."""
LOGGED_SECONDS: Final = 60.0
"""After this time the refusals are counted from zero again."""
WRITE_CHECK_MS: Final = 1000
log = logs.logger(__name__)

StoredRecord = Judging | Writing | JudgedMessage | Reports


class SpoolState(TypedDict):
    """What is on this host's disk. `aside` counts dead letters, `insured` unreplicated copies; `room_bytes` may still be written."""

    depth: int
    bytes: int
    oldest_seconds: float
    aside: int
    room_bytes: int
    insured: int


class IntakeState(TypedDict):
    """What /readyz reports: `unavailable` when a message could neither be stored nor spooled now."""

    status: Literal["ok", "spooling", "unavailable"]
    redis: Literal["ok", "away"]
    spool: SpoolState


class Intake:
    """One process's way in. `runtime` is open; `start` begins the replay of the spool. `readers` read what was spooled as it came."""

    def __init__(self, runtime: Runtime, readers: ArrivedReaders) -> None:
        self.runtime = runtime
        self._spool = Spool(runtime.settings)
        self._sequencer = Sequencer(self._spool.highest_on_disk())
        self._unreplicated = UnreplicatedCopies(runtime, self._spool, readers)
        self._heard_at = -HEARD_SECONDS
        self._last_unreplicated = False
        self._availability = Availability()
        self._files = FileStore(runtime)
        self._replayer = Replayer(runtime, self._spool, self._sequencer, self._unreplicated, self._availability, readers=readers)

    def start(self) -> None:
        """Begin to replay what an earlier run left, and what will be spooled."""
        self._replayer.start()

    def close(self) -> None:
        """End the replay; what is spooled stays there."""
        self._replayer.close()
        self._files.close()

    @property
    def away(self) -> bool:
        """Whether Redis accepted nothing when it was last asked, or has a backlog to accept."""
        return self._availability.away or self._spool.depth > 0

    @property
    def slow(self) -> bool:
        """Whether a request may have to wait: behind what is on disk, or for a replica, which the last one had to."""
        return self._last_unreplicated or self._spool.depth > 0

    def keep_files(
        self, message: str, username: str, names: Sequence[str], contents: Sequence[Content], *, forwarded: bool = False
    ) -> tuple[File, ...]:
        """Store the files of a mail that will be accepted under that id; each as its record names it. None is waited for on disk.

        `forwarded`: somebody else's, by a forwarding address.
        """
        return self._files.keep(message, username, names, contents, away=self.away, forwarded=forwarded) if contents else ()

    def take(self, message: ArrivedMessage) -> str:
        """Store a message, or record why it is not answered; its id."""
        judging = Judging(message, self.runtime)
        self._store_or_spool(judging)
        return judging.record.id if isinstance(judging.record, IgnoredMessage) else judging.record.event.id

    def learn(self) -> None:
        """Take in what has changed of the people who are known, unless Redis is away."""
        with suppress(StorageUnavailable):
            if not self.away:
                learn(self.runtime)

    def accept(self, event: Received, *, keyword: Keyword = "") -> None:
        """Store a message that will be answered."""
        self._store_or_spool(ReceivedMessage(event, keyword))

    def ignore(self, ignored: IgnoredMessage) -> None:
        """Record a message that is not answered: its id and the reason, no text, no job."""
        self._store_or_spool(ignored)

    def write(self, message: OutgoingMessage) -> calls.Outgoing | None:
        """Take in what a program has the Boss write: the script's word; None for what waits on disk."""
        record = Writing(message)
        self._store_or_spool(record)
        return record.answer

    def report(self, reports: Reports) -> None:
        """Record what became of replies."""
        if reports:
            self._store_or_spool(reports)

    def heard(self, webhook: str) -> None:
        """Note for `boss doctor` when a webhook was last called, once a minute at most; nothing while Redis is away."""
        if self.away or time.monotonic() - self._heard_at < HEARD_SECONDS:
            return
        self._heard_at = time.monotonic()
        with suppress(RedisError, OSError):
            seconds, micros = self.runtime.redis.time()
            self.runtime.redis.hset(keys.HEARD, webhook, str(seconds * 1000 + micros // 1000))

    def _store_or_spool(self, record: StoredRecord) -> None:
        # A look at the directory also sees what other processes wrote. It is taken before the sequencer's lock: under it, every request
        # would wait for every other one's system call.
        seen_empty = self._spool.is_empty()
        if not seen_empty:
            blocking.in_thread(self._store_or_spool_in_order, record, seen_empty=False)
        else:
            self._store_or_spool_in_order(record, seen_empty=True)

    def _store_or_spool_in_order(self, record: StoredRecord, *, seen_empty: bool) -> None:
        highest = 0 if seen_empty else self._spool.highest()
        # Asked again, by the count of what this process wrote: it may have written since the directory was looked at.
        ticket, way = self._sequencer.take_ticket(lambda: seen_empty and not self._spool.depth, highest)
        try:
            if way is Way.BEHIND and blocking.in_thread(self._backlog_clears, ticket):
                way = Way.DIRECT
            if not (way is Way.DIRECT and self._stored(ticket, record)):
                blocking.in_thread(self._write, ticket, record)
        finally:
            self._sequencer.release(ticket)

    def _write(self, ticket: int, record: StoredRecord) -> None:
        if self._availability.full and _is_redelivered(record):
            raise StorageFull(StorageFull.code)
        self._sequencer.to_disk(ticket)
        spooled = record.spooled if isinstance(record, Judging) else record.message if isinstance(record, Writing) else record
        if isinstance(spooled, UnjudgedMessage) and not self._spool.has_room_for_strangers():
            raise StorageUnavailable("no_room")
        self._spool.write(ticket, records.encode(spooled))
        self._replayer.wake()

    def _backlog_clears(self, ticket: int) -> bool:
        """Wait up to BEHIND_SECONDS for what is on disk to be replayed; not while Redis is away."""
        end = time.monotonic() + BEHIND_SECONDS
        while not self._availability.away and time.monotonic() < end:
            if self._sequencer.may_go_direct(ticket, self._spool.is_empty):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _stored(self, ticket: int, record: StoredRecord) -> bool:
        """Whether Redis accepted it; False, with the ticket being written to disk, when Redis is away.

        Raises StorageFault, or StorageUnavailable for a record that no replica has and that the disk does not take.
        """
        try:
            replicated = self._send(record)
        except StorageFault:
            self._sequencer.redis_replied(ticket)
            raise
        except StorageUnavailable as error:
            # Before anything else: from here until the file is there, nothing with a later ticket may go to Redis.
            self._sequencer.to_disk(ticket)
            self._availability.went_away(error.detail, self._spool.depth)
            return False
        self._sequencer.redis_replied(ticket)
        self._availability.restored()
        self._last_unreplicated = not replicated
        if not replicated:
            kept = record.record if isinstance(record, Judging) else record.message if isinstance(record, Writing) else record
            blocking.in_thread(self._unreplicated.write, ticket, kept)
        return True

    def _send(self, record: StoredRecord) -> bool:
        """Store a record, in one round trip unless it is a long batch of reports, or other people are known; whether a replica has it.

        Raises StorageFault, or StorageUnavailable.
        """
        if isinstance(record, Judging):
            return self._send_judged(record)
        if isinstance(record, Writing):
            return record.send(self.runtime)
        batch = records.to_calls(record, self.runtime)
        if len(batch) == 1:
            return submit.run(self.runtime, batch[0]).replicated
        answers, replicated = records.send(self.runtime, batch)
        fault = next((answer for answer in answers if isinstance(answer, StorageFault)), None)
        if fault:
            raise fault
        return replicated

    def _send_judged(self, judging: Judging) -> bool:
        for _ in range(MAX_JUDGEMENTS):
            accepted, replicated = submit.run(self.runtime, judging.call())
            if accepted.outcome != "stale":
                return replicated
            blocking.in_thread(learn, self.runtime)
            judging.judge()
        raise StorageUnavailable("users_change")

    def state(self) -> IntakeState:
        """What /readyz reports."""
        spool, up = self._spool, self._redis_accepts()
        room, depth = spool.free_bytes(), spool.depth
        on_disk: SpoolState = {
            "depth": depth,
            "bytes": spool.bytes,
            "oldest_seconds": round(spool.oldest_seconds(), 1),
            "aside": spool.count_aside(),
            "room_bytes": room,
            "insured": self._unreplicated.count,
        }
        return {
            "status": "ok" if up and not depth else "spooling" if room else "unavailable",
            "redis": "ok" if up else "away",
            "spool": on_disk,
        }

    def _redis_accepts(self) -> bool:
        """Whether Redis answers; after it has rejected a write, whether it accepts one again. While records wait the replayer knows."""
        if self._spool.depth:
            return not self._availability.away
        try:
            if self._availability.away:
                self.runtime.redis.set(keys.WRITE_CHECK, "", px=WRITE_CHECK_MS)
            else:
                self.runtime.redis.ping()
        except (RedisError, OSError):
            return False
        self._availability.restored()
        return True


@dataclass(slots=True)
class RefusalLedger:
    """Writes ledger lines for refused requests, but not while Redis is away: a refusal must neither wait for it nor fill the disk."""

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
            submit.run(self.intake.runtime, calls.refuse(channel, reason, status))
        except StorageUnavailable as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("Could not record a refusal.", action="storage_unavailable", reason=error.detail)

    def _may_log(self, kind: tuple[str, str]) -> bool:
        now = time.monotonic()
        if now > self._logged_until:
            self._logged.clear()
            self._logged_until = now + LOGGED_SECONDS
        self._logged[kind] += 1
        return self._logged[kind] <= MAX_LOGGED


def _is_redelivered(record: StoredRecord) -> bool:
    """Whether whoever sent it sends it again when they get no 2xx, a provider for days."""
    if isinstance(record, Writing):
        return True
    if isinstance(record, Judging):
        return record.redelivered and CHANNELS[record.channel].redelivers
    return isinstance(record, ReceivedMessage) and CHANNELS[record.event.channel].redelivers
