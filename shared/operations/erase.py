"""Erasing what is kept of one person in Redis.

The first step raises the person's epoch, takes what waits out of its inboxes and breaks the leases under which it is worked on: from
there on nothing more is stored that is made of what they said. Then records are erased, conversation by conversation; a request to a
provider that is under way is waited for, since its answer has to find its record. What the person writes after the first step is not
touched. Whoever runs an erasure that another one did not finish begins anew, and finds the rest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from redis import Redis

from shared.mailbox import Mailbox, calls, keys
from shared.mailbox.key_names import NAMES
from shared.operations.person_ids import gather
from shared.operations.person_keys import keys_of
from shared.operations.person_records import PersonRecord, PersonRecords, Whose, batches, now_ms

MAX_ROUNDS: Final = 5
OF_RECORDS: Final = {"message", "turn", "reply", "provider_id", "reminder", "approval", "file", "request"}
"""Whose keys are gone for certain after an erasure: an id of these is given once. All others may have been written anew meanwhile."""
MAX_STEPS: Final = 200
"""First steps: each takes out five hundred messages that wait, and no more than 50,000 do."""
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What to erase. `pairs` are the ids of the person's ways to the Boss, as far as they are known; `masks` how their addresses are shown.

    `request_ms` is the longest that a request to a provider takes, `retention_ms` how long records are kept at most.
    """

    whose: Whose
    pairs: Collection[str]
    masks: Collection[str]
    request_ms: int
    retention_ms: int


@dataclass
class Erased:
    """What went; `at_ms` is when it began, in ms of Redis TIME. `left` are the keys of it that are still there."""

    at_ms: int = 0
    messages: int = 0
    turns: int = 0
    replies: int = 0
    leases: int = 0
    files: int = 0
    reminders: int = 0
    remembered: int = 0
    left: int = 0
    conversations: set[str] = field(default_factory=set)
    senders: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)

    @property
    def nothing(self) -> bool:
        """Whether nothing was there."""
        return not (self.conversations or self.remembered or self.reminders or self.files)


def erase_records(
    redis: Redis, request: ErasureRequest, *, waiting: Callable[[int], None], seen: Callable[[list[PersonRecord]], None] | None = None
) -> Erased:
    """Erase a person's records. Raises RedisError; then it can be called again.

    `waiting` is told how many replies are waited for; `seen` is shown all records before they go.
    """
    mailbox, user = Mailbox(redis), request.whose.user
    erased = Erased(senders=set(request.whose.senders), pairs=set(request.pairs))
    before = gather(PersonRecords(redis, request.whose, request.retention_ms))
    _begin(mailbox, user, before.senders, erased)
    look = PersonRecords(redis, request.whose, request.retention_ms, erased.at_ms)
    for _ in range(MAX_ROUNDS):
        for conversation, asked in mailbox.run(calls.erase_approvals(user, erased.at_ms)):  # what others were asked for them
            mailbox.run(calls.erase(conversation, asked))
        found = list(look.records())
        if not found:
            break
        if seen:
            seen(found)
        _forget_threads(look, found)
        _erase(mailbox, found, erased, request.request_ms, waiting)
    mailbox.run(calls.erase_spending(user, erased.senders))
    mailbox.run(calls.erase_ends(user, erased.at_ms, senders=erased.senders, pairs=erased.pairs))
    _forget_shown(redis, request.masks)
    erased.left = sum(1 for each in keys_of(redis, before) if not each.stays and NAMES[each.name].owner in OF_RECORDS)
    return erased


def _begin(mailbox: Mailbox, user: str, senders: Collection[str], erased: Erased) -> None:
    """The first step, until nothing waits any more."""
    for _ in range(MAX_STEPS):
        begun = mailbox.run(calls.erase_begin(user, sorted(senders)))
        erased.at_ms = begun.at_ms
        erased.remembered += begun.forgotten
        erased.reminders += begun.reminders
        erased.files += begun.files
        erased.leases += begun.leases
        if not begun.more:
            return


def _erase(mailbox: Mailbox, found: list[PersonRecord], erased: Erased, request_ms: int, waiting: Callable[[int], None]) -> None:
    """Erase these; a conversation with a request under way last, when its provider has answered or cannot answer any more."""
    now = now_ms(mailbox.redis)
    under_way = [record for record in found if record.under_way_ms > now - request_ms]
    busy = {record.conversation for record in under_way}
    _remove(mailbox, [record for record in found if record.conversation not in busy], erased)
    if under_way:
        waiting(len(under_way))
        _wait_for(mailbox, under_way, now, request_ms)
    _remove(mailbox, [record for record in found if record.conversation in busy], erased)


def _remove(mailbox: Mailbox, records: Iterable[PersonRecord], erased: Erased) -> None:
    """Erase records, each message's turns and replies before or with it: who is interrupted finds by a message what is left of it."""
    of: dict[str, list[PersonRecord]] = defaultdict(list)
    for record in records:
        of[record.conversation].append(record)
    for conversation, theirs in of.items():
        theirs.sort(key=lambda record: record.kind == "msg")
        for some in batches(theirs):
            erased.leases += mailbox.run(calls.erase(conversation, [record.id for record in some]))
        erased.conversations.add(conversation)
        erased.senders |= {record.sender for record in theirs if record.sender}
        erased.pairs |= {record.pair for record in theirs if record.pair}
        erased.messages += sum(record.kind == "msg" for record in theirs)
        erased.turns += sum(record.kind == "turn" for record in theirs)
        erased.replies += sum(record.kind == "reply" for record in theirs)


def _wait_for(mailbox: Mailbox, under_way: list[PersonRecord], now: int, request_ms: int) -> None:
    """Until the provider has answered each of these requests, or no request can be under way any more."""
    end = time.monotonic() + (max(record.under_way_ms for record in under_way) + request_ms - now) / 1000
    while time.monotonic() < end and any((reply := mailbox.reply(record.id)) and reply.pending for record in under_way):
        time.sleep(POLL_SECONDS)


def _forget_threads(look: PersonRecords, found: list[PersonRecord]) -> None:
    """Remove what an older version has noted of which mails belong to these conversations; what this one notes, `erase` finds itself."""
    if not look.is_upgraded():
        return
    conversations = {record.conversation.encode() for record in found}
    for pair in {record.pair for record in found if record.pair}:
        for batch in batches(look.redis.scan_iter(match=keys.threads(pair), count=1_000)):
            owners = cast("list[bytes | None]", look.redis.mget(batch))
            if theirs := [key for key, owner in zip(batch, owners, strict=True) if owner in conversations]:
                look.redis.delete(*theirs)


def _forget_shown(redis: Redis, masks: Collection[str]) -> None:
    """Take the person's addresses, masked, out of the list of the last senders who were not admitted."""
    if not masks:
        return
    listed = cast("list[bytes]", redis.zrange(keys.STRANGERS, 0, -1))
    if theirs := [name for name in listed if not set(masks).isdisjoint(name.decode().split())]:
        redis.zrem(keys.STRANGERS, *theirs)
