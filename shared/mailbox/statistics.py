"""The figures of the mailbox and of its queue: for /metrics, for `boss doctor`, for whoever asks how it goes.

One look is two round trips of constant cost. Counts of what happened are the scripts' own, written in the same step as the ledger, so they
are the same for everybody who looks and go on after a restart. Ages are in seconds, by the server's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis
from rq import Worker
from rq.job import Job

from shared.mailbox import calls, keys
from shared.mailbox.books import Used, by_model
from shared.mailbox.wake_queue import QUEUE, QUEUE_KEY, QUEUED_MS, waited_ms

LIVE_SECONDS: Final = 30.0
"""A worker sends a sign of life every 5 s."""
MOST_WORKERS: Final = 200
WORKERS_KEY: Final = Worker.redis_workers_keys
QUEUE_WORKERS_KEY: Final = f"{WORKERS_KEY}:{QUEUE}"
"""A set: the keys of the workers that were told to look at the queue."""
MS: Final = 1000
OVERDUE_SECONDS: Final = 60.0
"""From when on a reminder that has not rung is overdue; it should take 5 s."""
MOST_ALARMS: Final = 200
"""Reminders of which one look asks when they were due: of those that nobody has read for long, and of those that were and have not rung."""
AGENDAS: Final = (keys.DUE, keys.PRIORITY_DUE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and for how long the first of them; 0 for none."""

    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What answering has cost this day (UTC); `reserved` are the tokens that questions under way may use at most.

    In microdollars: `money` and `money_reserved` of this day, `month` and `month_reserved` of this month.
    """

    tokens: int
    turns: int
    reserved: int
    calls: int
    failed: int
    money: int = 0
    money_reserved: int = 0
    month: int = 0
    month_reserved: int = 0


@dataclass(frozen=True, slots=True)
class Reminders:
    """How many wait for their time, and how many of those are overdue: by how much the first, and why.

    `held` of them wait for their person: paused, opted out, out of reach, or with the one before unsent. Nobody rings the others.
    """

    count: int = 0
    overdue: int = 0
    held: int = 0
    most_overdue_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one look saw. `counts` are by the name that the scripts give."""

    messages: Waiting
    jobs: Waiting
    due: int
    overdue: int
    most_overdue_seconds: float
    parked: int
    paused: bool
    ledger_lines: int
    workers: int
    standbys: int
    spent: Spent
    counts: dict[str, int]
    reminders: Reminders = Reminders()
    models: Mapping[str, Used] = field(default_factory=dict)
    """What each model has used this month (UTC)."""


def look(redis: Redis) -> Figures:
    """One look. Raises RedisError or OSError."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for key in (keys.OPEN, *AGENDAS):
            pipe.zcard(key)
            pipe.zrange(key, 0, 0, withscores=True)
        pipe.zcard(keys.PARKED)
        pipe.hexists(keys.PAUSE, "since")
        pipe.hgetall(keys.COUNTS)
        pipe.xlen(keys.LEDGER)
        pipe.llen(QUEUE_KEY)
        pipe.lindex(QUEUE_KEY, 0)
        pipe.zcard(keys.ALARMS)
        pipe.zrange(keys.ALARMS, 0, MOST_ALARMS - 1, withscores=True)
        pipe.zrange(keys.ALARMS_READ, 0, MOST_ALARMS - 1)
        pipe.smembers(WORKERS_KEY)
        clock, waiting, first, due, next_due, at_once, next_at_once, parked, paused, counts, lines, queued, job, *alarms, names = (
            pipe.execute()
        )
    now = clock[0] + clock[1] / 1_000_000
    workers = sorted(names)[:MOST_WORKERS]
    with redis.pipeline(transaction=False) as pipe:
        pipe.hget(Job.key_for(job.decode() if job else ""), QUEUED_MS)
        for key in AGENDAS:
            pipe.zcount(key, "-inf", int(now * MS))
        for name in workers:
            pipe.hget(name, "last_heartbeat")
        pipe.hmget(keys.spent(clock[0]), "tokens", "turns", "reserved", "calls", "failed", "money", "money_reserved")
        pipe.hgetall(keys.spent_month(f"{datetime.fromtimestamp(now, UTC):%Y-%m}"))
        for name in {name for name, score in alarms[1] if score / MS < now - OVERDUE_SECONDS} | set(alarms[2]):
            pipe.hmget(keys.reminder(name.decode()), "due", "held")
        queued_ms, overdue, overdue_at_once, *rest = pipe.execute()
    beats, (spending, month, *late) = rest[: len(workers)], rest[len(workers) :]
    live = [name for name, beat in zip(workers, beats, strict=True) if now - _moment(beat) <= LIVE_SECONDS]
    standbys = sum(1 for name in live if name.rpartition(b":")[2].startswith(calls.STANDBY.encode()))
    return Figures(
        messages=Waiting(waiting, _age(first, now)),
        jobs=Waiting(queued, waited_ms(queued_ms, clock) / MS),
        due=due + at_once,
        overdue=overdue + overdue_at_once,
        most_overdue_seconds=max(_age(next_due, now), _age(next_at_once, now)),
        parked=parked,
        paused=bool(paused),
        ledger_lines=lines,
        workers=len(live) - standbys,
        standbys=standbys,
        spent=Spent(*(int(value or 0) for value in (*spending, month.get(b"money"), month.get(b"money_reserved")))),
        models=by_model(month),
        counts={name.decode(): int(number) for name, number in counts.items()},
        reminders=_reminders(alarms[0], late, now),
    )


def _reminders(count: int, late: list[Any], now: float) -> Reminders:
    """`late`: due time and `held` of those that may be. A reminder's age is what its due time says: who reads it scores it later."""
    ages = [(now - int(due) / MS, bool(held)) for due, held in late if due and now - int(due) / MS > OVERDUE_SECONDS]
    return Reminders(count, len(ages), sum(held for _, held in ages), max((age for age, _ in ages), default=0.0))


def _age(first: Any, now: float) -> float:
    return max(0.0, now - first[0][1] / MS) if first else 0.0


def _moment(written: bytes | None) -> float:
    """A time as RQ writes it, in seconds; 0 for none, or for something else."""
    try:
        return datetime.fromisoformat((written or b"").decode()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
