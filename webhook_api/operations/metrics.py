"""GET /metrics: figures for Prometheus, and nothing but figures.

One look at Redis is two round trips of constant cost, at most one look a second however many ask. Counts of what happened are the
mailbox's own (`boss:counts`, written by the scripts in the same step as the ledger), so they are the same from every web process
and go on after a restart. What the disk and this process hold is this host's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from flask import Request
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job

from shared.mailbox import calls, ledger
from shared.mailbox.wake_queue import QUEUE, QUEUED_MS, waited_ms
from shared.security.password import Login, Verdict
from webhook_api.http.flask_app import Answer
from webhook_api.intake.intake import Intake
from webhook_api.security.authentication import caller_of, from_this_machine

KEPT_SECONDS: Final = 1.0
LIVE_SECONDS: Final = 30.0
"""A worker is heard of every 5 s; `boss doctor` counts the same."""
MOST_WORKERS: Final = 200
MS: Final = 1000
DAY_SECONDS: Final = 86_400
REPLIES: Final = ("sending", "sent", "delivered", "undelivered", "failed", "refused_by_provider")
_QUEUE_KEY: Final = f"rq:queue:{QUEUE}"
_ASK: Final = [("WWW-Authenticate", 'Basic realm="Bossline", charset="UTF-8"')]


@dataclass(frozen=True, slots=True)
class Stored:
    """What one look at Redis saw. Ages are in seconds, by the server's clock; `counts` are by the name that the scripts give."""

    open: int
    due: int
    parked: int
    oldest_open: float
    overdue: float
    paused: bool
    queued: int
    oldest_job: float
    ledger_lines: int
    workers: int
    standbys: int
    spent: tuple[int, ...]
    counts: dict[str, int]


def look(redis: Redis) -> Stored:
    """One look. Raises RedisError or OSError."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for key in ("boss:open", "boss:due"):
            pipe.zcard(key)
            pipe.zrange(key, 0, 0, withscores=True)
        pipe.zcard("boss:parked")
        pipe.hexists("boss:pause", "since")
        pipe.hgetall("boss:counts")
        pipe.xlen(ledger.STREAM)
        pipe.llen(_QUEUE_KEY)
        pipe.lindex(_QUEUE_KEY, 0)
        pipe.smembers("rq:workers")
        clock, waiting, first, due, next_due, parked, paused, counts, lines, queued, job, names = pipe.execute()
    now = clock[0] + clock[1] / 1_000_000
    workers = sorted(names)[:MOST_WORKERS]
    with redis.pipeline(transaction=False) as pipe:
        pipe.hget(Job.key_for(job.decode() if job else ""), QUEUED_MS)
        for name in workers:
            pipe.hget(name, "last_heartbeat")
        pipe.hmget(f"boss:spent:{clock[0] // DAY_SECONDS}", "tokens", "reserved", "calls", "failed")
        queued_ms, *beats, spending = pipe.execute()
    live = [name for name, beat in zip(workers, beats, strict=True) if now - _moment(beat) <= LIVE_SECONDS]
    spent = tuple(int(value or 0) for value in spending)
    standbys = sum(1 for name in live if name.rpartition(b":")[2].startswith(calls.STANDBY.encode()))
    return Stored(
        open=waiting,
        due=due,
        parked=parked,
        oldest_open=max(0.0, now - first[0][1] / MS) if first else 0.0,
        overdue=max(0.0, now - next_due[0][1] / MS) if next_due else 0.0,
        paused=bool(paused),
        queued=queued,
        oldest_job=waited_ms(queued_ms, clock) / MS,
        ledger_lines=lines,
        workers=len(live) - standbys,
        standbys=standbys,
        spent=spent,
        counts={name.decode(): int(number) for name, number in counts.items()},
    )


def _moment(written: bytes | None) -> float:
    """A time as RQ writes it, in seconds; 0 for none, or for something else."""
    try:
        return datetime.fromisoformat((written or b"").decode()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


class Figures:
    """Everything that is shown, as text; made anew once a second at most."""

    def __init__(self, intake: Intake, clock: Callable[[], float] = time.monotonic) -> None:
        self._intake, self._clock = intake, clock
        self._lock = threading.Lock()
        self._text, self._made_at = b"", -KEPT_SECONDS
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(cast("Any", self))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The figures, in Prometheus's text format 0.0.4."""
        with self._lock:  # one looks, the others wait for what it sees
            if self._clock() - self._made_at >= KEPT_SECONDS:
                self._text = generate_latest(self._registry)
                self._made_at = self._clock()
            return self._text

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures as the library takes them. Without Redis its own are left out: an old one would look like a new one."""
        state = self._intake.state()
        yield _gauge("redis_up", "1 while Redis takes what comes in.", state["redis"] == "ok")
        spool = state["spool"]
        yield _gauge("spool_entries", "Calls that wait on this host's disk for Redis.", spool["depth"])
        yield _gauge("spool_bytes", "What they take, in bytes.", spool["bytes"])
        yield _gauge("spool_oldest_seconds", "How long the oldest of them has waited.", spool["oldest_seconds"])
        yield _gauge("spool_aside", "Entries that could not be replayed and wait for the operator.", spool["aside"])
        yield _gauge("spool_room_bytes", "What may still be written there.", spool["room_bytes"])
        if state["redis"] == "ok":
            try:
                stored = look(self._intake.runtime.redis)
            except (RedisError, OSError):
                return
            yield from _now(stored)
            yield from _so_far(stored.counts)


def _now(stored: Stored) -> Iterator[Metric]:
    yield _gauge("messages_open", "Messages that wait for their answer.", stored.open)
    yield _gauge("messages_open_oldest_seconds", "How long the oldest of them has waited.", stored.oldest_open)
    yield _gauge("messages_parked", "Messages that wait for the operator.", stored.parked)
    yield _gauge("conversations_due", "Conversations with work.", stored.due)
    yield _gauge("conversations_overdue_seconds", "By how much the most overdue of them is late.", stored.overdue)
    yield _gauge("sending_paused", "1 while all sending is paused.", stored.paused)
    yield _gauge("workers", "Regular workers that were heard of in the last 30 s.", stored.workers)
    yield _gauge("standbys_working", "Standby processes that work.", stored.standbys)
    yield _gauge("queue_jobs", "Wake-ups in RQ's queue.", stored.queued)
    yield _gauge("queue_oldest_seconds", "How long the first of them has waited.", stored.oldest_job)
    tokens, reserved, calls_made, failed = stored.spent
    yield _gauge("tokens_today", "Tokens that questions to the model have used this day (UTC).", tokens)
    yield _gauge("tokens_reserved", "Tokens that questions under way may use at most.", reserved)
    yield _gauge("model_calls_today", "Questions that the model was asked this day.", calls_made)
    yield _gauge("model_calls_failed_today", "Those of them that gave no answer that could be used.", failed)
    yield _gauge("ledger_lines", "Lines that the ledger keeps.", stored.ledger_lines)


def _so_far(counts: dict[str, int]) -> Iterator[Metric]:
    refused = CounterMetricFamily("bossline_refused", "Requests that were refused, by channel and reason.", labels=["channel", "reason"])
    replies = CounterMetricFamily("bossline_replies", "Replies that came to a state: attempts, and what became of them.", labels=["state"])
    ignored = CounterMetricFamily("bossline_ignored", "Messages that were not answered, by reason.", labels=["reason"])
    lines = CounterMetricFamily("bossline_events", "What happened, by the type of its line in the ledger.", labels=["type"])
    for name, number in sorted(counts.items()):
        kind, _, rest = name.partition(":")
        if kind == "ignored" and rest:
            ignored.add_metric([rest], number)
        elif rest:
            refused.add_metric(rest.partition(":")[::2], number)
        elif kind in REPLIES:
            replies.add_metric([kind], number)
        else:
            lines.add_metric([kind], number)
    yield from (refused, replies, ignored, lines)
    yield CounterMetricFamily("bossline_leases_lost", "Turns whose worker died or froze.", value=counts.get("lease_lost", 0))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bossline_{name}", text, value=float(value))


def metrics(figures: Figures, login: Login, request: Request) -> Answer:
    """The figures, for a program on this machine or for who knows CONSOLE_PASSWORD; to anybody else there is no such page."""
    if not from_this_machine(request.environ):
        if not login.wanted:
            return Answer(status=404)
        if "Authorization" not in request.headers:
            return Answer(status=401, headers=_ASK)
        given = request.authorization
        verdict = login.judge(given.password if given else None, caller_of(request.environ))
        if verdict is Verdict.BUSY:
            return Answer(status=429, headers=[("Retry-After", "1")])
        if verdict is Verdict.WRONG:
            return Answer(status=401, headers=_ASK)
    text = figures.text()
    return Answer(text, headers=[("Content-Type", CONTENT_TYPE_PLAIN_0_0_4), ("Content-Length", str(len(text)))])
