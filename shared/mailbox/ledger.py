"""The ledger: one stream of what happened, ids and figures only; `boss tail` and whoever waits for a reply follow it.

Every script of the mailbox appends its own lines (see `mailbox/common.lua`), in the same step as the change that they
tell of. Texts are read from the records, never from here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from shared.mailbox import keys

SENDGRID_EVENTS: Final = "sendgrid_events"
BLOCK_MS: Final = 1000
BATCH: Final = 200
READ_AT_ONCE: Final = 1_000
MAX_NUMBER: Final = (1 << 64) - 1
TYPES: Final = frozenset(
    [
        "alarm",
        "always_revoked",
        "answered",
        "approval_asked",
        "approval_ended",
        "backoff",
        "calling",
        "chat_began",
        "chat_taken_up",
        "clock_stepped",
        "copy_stored",
        "delivered",
        "discarded",
        "email_received",
        "erased",
        "erasing",
        "failed",
        "handed_over",
        "ignored",
        "lease_lost",
        "looked_up",
        "lost_leases_taken_back",
        "maybe_duplicate",
        "maybe_sent",
        "message_acknowledged",
        "month_stop",
        "no_answer",
        "not_found",
        "notice",
        "opted_in",
        "opted_out",
        "outgoing_held",
        "outgoing_stored",
        "parked",
        "paused",
        "probe",
        "process_ended",
        "process_silent",
        "reconcile_failed",
        "reconciled",
        "record_missing",
        "refused",
        "refused_by_provider",
        "registry_changed",
        "reminder_cancelled",
        "reminder_due",
        "reminder_held",
        "reminder_moved",
        "reminder_set",
        "reply_stored",
        "reservation_exceeded",
        "resumed",
        "retried",
        "retry_failed",
        "retry_requested",
        "sending",
        "sent",
        "sms_received",
        "spend_near",
        "spend_stop",
        "standby_ended",
        "standby_started",
        "step",
        "summary_put_off",
        "summary_stored",
        "summary_wanted",
        "told_elsewhere",
        "turn_resumed",
        "turn_started",
        "undelivered",
        "unsettled",
        "untold",
    ]
)
"""All types of lines. A test holds them to what the scripts append."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `seq` is the stream's id (ms of Redis TIME, a dash, a number), `fields` are texts."""

    seq: str
    type: str
    fields: dict[str, str]

    @property
    def at_ms(self) -> int:
        """When it happened, in ms of Redis TIME."""
        return int(self.seq.partition("-")[0])


def last_seq(redis: Redis) -> str:
    """The id of the newest line, to follow from here on; "0-0" for an empty ledger."""
    newest: Any = redis.xrevrange(keys.LEDGER, count=1)
    return newest[0][0].decode() if newest else "0-0"


def latest(redis: Redis, count: int) -> list[Line]:
    """The newest `count` lines, oldest first."""
    rows: Any = redis.xrevrange(keys.LEDGER, count=count)
    return [_line(row) for row in reversed(rows)]


def earliest(redis: Redis, since_ms: int, count: int) -> list[Line]:
    """The first `count` lines from a time on, oldest first; `since_ms` is of Redis TIME."""
    rows: Any = redis.xrange(keys.LEDGER, min=str(max(0, since_ms)), count=count)
    return [_line(row) for row in rows]


def backwards(redis: Redis, wanted: Callable[[dict[bytes, bytes]], bool]) -> Iterator[Line]:
    """All kept lines whose fields are `wanted`, newest first, a thousand at a time: the caller stops when it has enough."""
    last = "+"
    while rows := cast("Any", redis.xrevrange(keys.LEDGER, max=last, count=READ_AT_ONCE)):
        yield from (_line(row) for row in rows if wanted(row[1]))
        last = "(" + rows[-1][0].decode()


def of_types(redis: Redis, types: Collection[str], count: int) -> list[Line]:
    """The newest `count` lines of these types, oldest first."""
    names = {kind.encode() for kind in types}
    return list(islice(backwards(redis, lambda fields: fields.get(b"type") in names), count))[::-1]


def before(seq: str) -> str:
    """The place right before a line, to follow from there."""
    ms, number = position(seq)
    return f"{ms}-{number - 1}" if number else f"{ms - 1}-{MAX_NUMBER}"


def follow(redis: Redis, since: str, *, block_ms: int = BLOCK_MS) -> Iterator[Line | None]:
    """Lines after `since` for ever, as they come; None whenever `block_ms` passed without one, so that a caller can stop."""
    while True:
        rows = _rows(redis.xread({keys.LEDGER: since}, count=BATCH, block=block_ms))
        if not rows:
            yield None
        for row in rows:
            line = _line(row)
            since = line.seq
            yield line


async def newest_seq(redis: AsyncRedis) -> str:
    """`last_seq` for an event loop."""
    newest: Any = await redis.xrevrange(keys.LEDGER, count=1)
    return newest[0][0].decode() if newest else "0-0"


async def oldest_seq(redis: AsyncRedis) -> str:
    """The id of the first line that is kept; "0-0" for an empty ledger."""
    oldest: Any = await redis.xrange(keys.LEDGER, count=1)
    return oldest[0][0].decode() if oldest else "0-0"


async def news(redis: AsyncRedis, since: str, *, block_ms: int = BLOCK_MS) -> list[Line]:
    """The next lines after `since`, waited for; none when `block_ms` passed without one."""
    return [_line(row) for row in _rows(await redis.xread({keys.LEDGER: since}, count=BATCH, block=block_ms))]


async def from_line(redis: AsyncRedis, seq: str, *, count: int = BATCH) -> list[Line]:
    """At most `count` lines, from `seq` on, with it: a first line that is not `seq` shows that it is not kept any more."""
    rows: Any = await redis.xrange(keys.LEDGER, min=seq, count=count)
    return [_line(row) for row in rows]


def position(seq: str) -> tuple[int, int]:
    """A line's id as figures that can be compared."""
    ms, _, number = seq.partition("-")
    return int(ms), int(number)


def _rows(answer: Any) -> list[Any]:
    return list(answer[0][1]) if answer else []


def _line(row: Any) -> Line:
    seq, raw = row
    fields = {name.decode(): value.decode() for name, value in raw.items()}
    return Line(seq.decode(), fields.pop("type", ""), fields)
