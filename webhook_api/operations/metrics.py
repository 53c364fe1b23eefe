"""GET /metrics: figures for Prometheus, and nothing but figures.

The mailbox's figures come from `shared.mailbox.statistics`, read at most once a second however many ask. Those of disk and process are this
host's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

from flask import Request
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from redis.exceptions import RedisError

from shared.config.settings import Settings
from shared.mailbox import statistics
from shared.mailbox.statistics import Figures
from shared.model.prices import MICROS_PER_DOLLAR
from shared.security.password import PasswordVerifier, Verdict
from webhook_api.http.flask_app import CompleteResponse
from webhook_api.intake.intake import Intake
from webhook_api.security.authentication import caller_of, from_this_machine

CACHE_SECONDS: Final = 1.0
REPLIES: Final = ("sending", "sent", "delivered", "undelivered", "failed", "refused_by_provider")
_ASK: Final = [("WWW-Authenticate", 'Basic realm="Bossline", charset="UTF-8"')]


class MetricsPage:
    """The whole page as text, generated at most once a second."""

    def __init__(self, intake: Intake, clock: Callable[[], float] = time.monotonic) -> None:
        self._intake, self._clock = intake, clock
        self._lock = threading.Lock()
        self._text, self._made_at = b"", -CACHE_SECONDS
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(cast("Any", self))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The figures, in Prometheus's text format 0.0.4."""
        with self._lock:  # one caller generates it, the others wait for the result
            if self._clock() - self._made_at >= CACHE_SECONDS:
                self._text = generate_latest(self._registry)
                self._made_at = self._clock()
            return self._text

    def describe(self) -> Iterable[Metric]:
        """Nothing: the library must not collect at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures, as the library expects them. While Redis is away the mailbox's are left out: old ones would look current."""
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
                stored = statistics.look(self._intake.runtime.redis)
            except (RedisError, OSError):
                return
            yield from _now(stored)
            yield from _models(stored)
            yield _bounds(self._intake.runtime.settings)
            yield from _so_far(stored.counts)


def _now(stored: Figures) -> Iterator[Metric]:
    yield _gauge("messages_open", "Messages that wait for their answer.", stored.messages.count)
    yield _gauge("messages_open_oldest_seconds", "How long the oldest of them has waited.", stored.messages.oldest_seconds)
    yield _gauge("messages_parked", "Messages that wait for the operator.", stored.parked)
    yield _gauge("conversations_due", "Conversations with work.", stored.due)
    yield _gauge("conversations_overdue_seconds", "By how much the most overdue of them is late.", stored.most_overdue_seconds)
    yield _gauge("reminders", "Reminders that wait for their time.", stored.reminders.count)
    yield _gauge("reminders_overdue", "Reminders that should have rung a minute ago.", stored.reminders.overdue)
    yield _gauge("reminders_held", "Those of them whose person cannot be reached, or has the one before unsent.", stored.reminders.held)
    yield _gauge("reminders_overdue_seconds", "By how much the most overdue of them is late.", stored.reminders.most_overdue_seconds)
    yield _gauge("sending_paused", "1 while all sending is paused.", stored.paused)
    yield _gauge("workers", "Regular workers that were heard of in the last 30 s.", stored.workers)
    yield _gauge("standbys_working", "Standby processes that work.", stored.standbys)
    yield _gauge("queue_jobs", "Wake-ups in RQ's queue.", stored.jobs.count)
    yield _gauge("queue_oldest_seconds", "How long the first of them has waited.", stored.jobs.oldest_seconds)
    spent = stored.spent
    yield _gauge("tokens_today", "Tokens that questions to the model have used this day (UTC).", spent.tokens)
    yield _gauge("tokens_reserved", "Tokens that questions under way may use at most.", spent.reserved)
    yield _gauge("dollars_today", "Dollars that questions to models have cost this day (UTC).", spent.money / MICROS_PER_DOLLAR)
    yield _gauge("dollars_this_month", "The same of this month.", spent.month / MICROS_PER_DOLLAR)
    yield _gauge("dollars_reserved", "Dollars that questions under way may cost at most.", spent.money_reserved / MICROS_PER_DOLLAR)
    yield _gauge("model_calls_today", "Questions that the model was asked this day.", spent.calls)
    yield _gauge("model_calls_failed_today", "Those of them that gave no answer that could be used.", spent.failed)
    yield _gauge("ledger_lines", "Lines that the ledger keeps.", stored.ledger_lines)


def _models(stored: Figures) -> Iterator[Metric]:
    tokens = GaugeMetricFamily("bossline_model_tokens_this_month", "Tokens that each model has used this month (UTC).", labels=["model"])
    dollars = GaugeMetricFamily("bossline_model_dollars_this_month", "What they have cost.", labels=["model"])
    for name, used in stored.models.items():
        tokens.add_metric([name], used.tokens)
        dollars.add_metric([name], used.money / MICROS_PER_DOLLAR)
    yield from (tokens, dollars)


def _bounds(settings: Settings) -> Metric:
    found = GaugeMetricFamily("bossline_spending_bound", "The bounds in force, by their settings' names; 0 for none.", labels=["bound"])
    dollars = zip(settings.dollar_settings, settings.dollar_bounds, strict=True)
    tokens = zip(("daily_tokens", "daily_turns"), settings.spending_bounds, strict=True)
    for name, bound in (*((name, bound / MICROS_PER_DOLLAR) for name, bound in dollars), *tokens):
        found.add_metric([name], bound)
    return found


def _so_far(counts: dict[str, int]) -> Iterator[Metric]:
    refused = CounterMetricFamily("bossline_refused", "Requests that were refused, by channel and reason.", labels=["channel", "reason"])
    replies = CounterMetricFamily("bossline_replies", "Replies that came to a state: attempts, and what became of them.", labels=["state"])
    ignored = CounterMetricFamily("bossline_ignored", "Messages that were not answered, by reason.", labels=["reason"])
    segments = CounterMetricFamily(
        "bossline_sms_segments", "Segments that Twilio took and bills, by country and encoding.", labels=["price_class", "encoding"]
    )
    lines = CounterMetricFamily("bossline_events", "What happened, by the type of its line in the ledger.", labels=["type"])
    for name, number in sorted(counts.items()):
        kind, _, rest = name.partition(":")
        if kind == "ignored" and rest:
            ignored.add_metric([rest], number)
        elif kind == "segments" and rest:
            segments.add_metric(rest.partition(":")[::2], number)
        elif rest:
            refused.add_metric(rest.partition(":")[::2], number)
        elif kind in REPLIES:
            replies.add_metric([kind], number)
        else:
            lines.add_metric([kind], number)
    yield from (refused, replies, ignored, segments, lines)
    yield CounterMetricFamily("bossline_leases_lost", "Turns whose worker died or froze.", value=counts.get("lease_lost", 0))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bossline_{name}", text, value=float(value))


def metrics(figures: MetricsPage, console: PasswordVerifier, request: Request) -> CompleteResponse:
    """The page, for a program on this machine or with CONSOLE_PASSWORD; without a password set, 404 for all others."""
    if not from_this_machine(request.environ):
        if not console.is_set:
            return CompleteResponse(status=404)
        if "Authorization" not in request.headers:
            return CompleteResponse(status=401, headers=_ASK)
        given = request.authorization
        verdict = console.verify(given.password if given else None, caller_of(request.environ))
        if verdict is Verdict.BUSY:
            return CompleteResponse(status=429, headers=[("Retry-After", "1")])
        if verdict is Verdict.WRONG:
            return CompleteResponse(status=401, headers=_ASK)
    text = figures.text()
    return CompleteResponse(text, headers=[("Content-Type", CONTENT_TYPE_PLAIN_0_0_4), ("Content-Length", str(len(text)))])
