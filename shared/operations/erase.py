"""Erasing what is kept of one user: their records in Redis, and the files of this host that wait for Redis.

A user's records are found by looking through all that there are (`person_records`). Messages and turns go first, which breaks the leases
under which they are worked on; then a request to a provider that is under way is waited for; then the replies go, and the look is repeated
until it finds nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis

from shared import spool_layout
from shared.errors import BadInput
from shared.mailbox import Mailbox, calls, keys
from shared.model import codec
from shared.operations.person_records import BATCH_SIZE, PersonRecord, batches, records_of

MAX_ROUNDS: Final = 5
POLL_SECONDS: Final = 0.2


@dataclass
class Erased:
    """What went. `left` is what a last look still found: messages that came in meanwhile."""

    messages: int = 0
    turns: int = 0
    replies: int = 0
    leases: int = 0
    files: int = 0
    reminders: int = 0
    remembered: int = 0
    unreadable: int = 0
    left: int = 0
    conversations: set[str] = field(default_factory=set)


def erase_records(redis: Redis, *, entry: str, user: str, request_ms: int, waiting: Callable[[int], None]) -> Erased:
    """Erase a user's records; `entry` is their id, `user` the same as Redis has it. Raises RedisError; then it can be called again.

    `request_ms` is the longest that a request to a provider takes; `waiting` is told how many replies are waited for.
    """
    mailbox, erased = Mailbox(redis), Erased()
    for _ in range(MAX_ROUNDS):
        mailbox.run(calls.erase_files(user))
        erased.reminders += mailbox.run(calls.erase_reminders(user))
        mailbox.run(calls.erase_spending(user))
        for conversation, asked in mailbox.run(calls.erase_approvals(user)):  # what others were asked for them
            mailbox.run(calls.erase(conversation, asked))
        erased.remembered += mailbox.run(calls.erase_memory(user))  # in each round: a turn may have remembered something since
        found = list(records_of(redis, entry, user))
        if not found:
            return erased
        _forget_threads(redis, found)
        _remove(mailbox, [record for record in found if record.kind != "reply"], erased)
        replies = [record for record in found if record.kind == "reply"]
        if under_way := [record for record in replies if record.under_way_ms > _now_ms(redis) - request_ms]:
            waiting(len(under_way))
            _wait_for(mailbox, under_way, _now_ms(redis), request_ms)
        _remove(mailbox, replies, erased)
    erased.left = sum(1 for _ in records_of(redis, entry, user))
    return erased


def erase_files(directory: Path, entry: str, erased: Erased) -> None:
    """Remove what of this user waits in a spool directory. A file that cannot be read is counted and stays. Raises OSError."""
    for part in (spool_layout.WAITING, spool_layout.UNREPLICATED, spool_layout.ASIDE):
        for path in sorted((directory / part).glob("*")):
            try:
                value = codec.loads(path.read_bytes())
                event: Any = codec.decode(value["event"]) if isinstance(value, dict) and "event" in value else None
            except FileNotFoundError:  # handed on meanwhile
                continue
            except (BadInput, OSError, TypeError):
                erased.unreadable += 1
                continue
            if event is not None and event.user == entry:
                path.unlink(missing_ok=True)
                erased.files += 1


def _forget_threads(redis: Redis, found: list[PersonRecord]) -> None:
    """Remove what leads mails to the conversations of these records, before the records, which say of whom it is, are gone."""
    conversations = {record.conversation.encode() for record in found}
    for pair in {record.pair for record in found if record.pair}:
        for batch in batches(redis.scan_iter(match=keys.threads(pair), count=BATCH_SIZE)):
            owners = cast("list[bytes | None]", redis.mget(batch))
            if theirs := [key for key, owner in zip(batch, owners, strict=True) if owner in conversations]:
                redis.delete(*theirs)


def _wait_for(mailbox: Mailbox, under_way: list[PersonRecord], now_ms: int, request_ms: int) -> None:
    """Until the provider has answered each of these requests, or no request can be under way any more."""
    end = time.monotonic() + (max(record.under_way_ms for record in under_way) + request_ms - now_ms) / 1000
    while time.monotonic() < end and any((reply := mailbox.reply(record.id)) and reply.pending for record in under_way):
        time.sleep(POLL_SECONDS)


def _remove(mailbox: Mailbox, records: list[PersonRecord], erased: Erased) -> None:
    for conversation in {record.conversation for record in records}:
        ids = [record.id for record in records if record.conversation == conversation]
        for some in batches(ids):
            erased.leases += mailbox.run(calls.erase(conversation, some))
        erased.conversations.add(conversation)
    erased.messages += sum(record.kind == "msg" for record in records)
    erased.turns += sum(record.kind == "turn" for record in records)
    erased.replies += sum(record.kind == "reply" for record in records)


def _now_ms(redis: Redis) -> int:
    seconds, micros = redis.time()
    return int(seconds) * 1000 + int(micros) // 1000
