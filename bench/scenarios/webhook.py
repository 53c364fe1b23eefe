"""`webhook`: Bossline's `/sms/inbound` beside Flask and FastAPI webhooks that put the same text into other queues.

Each has its own process and port on the same Valkey and stays up; only one is loaded at a time, over 16 kept-alive connections. The
signed requests, each with a MessageSid of its own, are made before the clock starts. CPU is the server's own, with all its
processes. After each round the queue is counted: every text that was acknowledged must be in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, cast

import uvloop
from redis import Redis

from bench.harness.backlog import BacklogWriter
from bench.harness.installation import USERS, BenchEnvironment, BenchInstallation
from bench.harness.load_generator import blast, signed_sms
from bench.harness.measure import cpu_seconds, percentile, pss_mib, redis_counters
from bench.harness.options import BenchOptions
from bench.harness.processes import MeasuredProcess
from bench.harness.report import BenchReport, ratio
from tests.support.processes import answers, free_port
from tests.support.wait import wait_for

CONNECTIONS: Final = 16
SECONDS: Final = 3
MAX_REQUESTS_PER_SECOND: Final = 4000
BOSSLINE: Final = "Bossline /sms/inbound"
MAX_OPEN: Final = 1_000_000
"""No worker runs, and four contenders fill one mailbox: with the default, texts would wait on disk."""
THREADS: Final = (8, 16, 64)
"""Bossline is measured once more under WSGI, with each of these numbers of threads."""
COLUMNS: Final = (
    "webhook", "acks/s", "acks per CPU-second", "CPU us/ack", "p50 ms", "p99 ms", "commands/ack", "reads/ack", "PSS MiB",
    "Bossline's rate x", "Bossline's acks per CPU-second x",
)  # fmt: skip
_NUMBERS: Final = itertools.count(1)


def _listed(key: str) -> Callable[[Redis], int]:
    return lambda redis: int(cast("Any", redis.llen(key)))


QUEUE_LENGTHS: Final[dict[str, Callable[[Redis], int]]] = {
    "rq_peer": _listed("rq:queue:bench"),
    "dramatiq_peer": _listed("dramatiq:bench"),
    "celery_peer": _listed("bench"),
    "arq_peer": lambda redis: int(cast("Any", redis.zcard("bench"))),
}
PEERS: Final = {
    "Flask, nothing enqueued": "",
    "Flask + rq enqueue": "rq_peer",
    "Flask + dramatiq send": "dramatiq_peer",
    "Flask + celery delay": "celery_peer",
    "FastAPI + arq": "arq_peer",
}


@dataclass(frozen=True, slots=True)
class WebhookRound:
    """One round of one contender. CPU, commands and reads are for each acknowledgement; `pss` is in MiB."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    commands: float
    reads: float
    pss: float


@dataclass(slots=True)
class WebhookContender:
    """One running webhook; `queued` counts the texts in its queue."""

    name: str
    port: int
    pid: int
    queued: Callable[[], int]
    acknowledged: int = 0

    def round(self, redis: Redis, seconds: float) -> WebhookRound:
        """Load it as fast as it answers. Raises AssertionError for an answer other than 2xx, or if an acknowledged text is not queued."""
        requests = [signed_sms(next(_NUMBERS), self.port) for _ in range(int(seconds * MAX_REQUESTS_PER_SECOND))]
        cpu, before = cpu_seconds(self.pid), redis_counters(redis)
        result = uvloop.run(blast(self.port, iter(requests), connections=CONNECTIONS, seconds=seconds))
        cpu, used = cpu_seconds(self.pid) - cpu, redis_counters(redis) - before
        result.check()
        self.acknowledged += result.answered
        assert self.queued() == self.acknowledged, f"{self.name}: {self.acknowledged} acknowledged, {self.queued()} in the queue"
        times = [percentile(result.latencies, percent) * 1000 for percent in (50, 99)]
        count = result.answered
        return WebhookRound(
            count / result.seconds, cpu / count * 1e6, times[0], times[1], used.commands / count, used.reads / count, pss_mib(self.pid)
        )


def webhook(options: BenchOptions, report: BenchReport) -> None:
    """Measure all contenders, one after the other in each round."""
    with (
        BenchInstallation(worker=False, MAX_OPEN_MESSAGES=str(MAX_OPEN)) as installation,
        closing(BacklogWriter(installation.settings)) as backlog,
        ExitStack() as stack,
    ):
        inboxes = [f"boss:inbox:{backlog.conversation(user)}" for user in range(USERS)]
        contenders = [WebhookContender(BOSSLINE, installation.port, installation.web.pid, int), *_with_threads(installation, stack)]
        for ours in contenders:
            ours.queued = _stored(installation.redis, inboxes, ours, tuple(contenders))
        if options.peers:
            contenders += _peers(installation, stack)
        seconds = options.pick(SECONDS, 1)
        rounds: dict[str, list[WebhookRound]] = {}
        for turn in range(-1, options.rounds):  # the first one warms, and is not counted
            for contender in contenders:
                found = contender.round(installation.redis, seconds if turn >= 0 else 0.5)
                if turn >= 0:
                    rounds.setdefault(contender.name, []).append(found)
    _show(report, {name: _median(found) for name, found in rounds.items()}, seconds, options.rounds)


def _with_threads(environment: BenchEnvironment, stack: ExitStack) -> Iterator[WebhookContender]:
    for threads in THREADS:
        port = free_port()
        settings = {**environment.settings, "PORT": str(port), "BOSS_DATA_DIR": str(environment.folder / f"{threads}-threads")}
        program = stack.enter_context(MeasuredProcess("-m", "bench.peers.serve", "threads", str(threads), settings=settings))
        wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/livez"), 30, f"{threads} threads")  # type: ignore[misc]
        yield WebhookContender(f"the same, WSGI with {threads} threads", port, program.pid, int)


def _stored(redis: Redis, inboxes: list[str], mine: WebhookContender, all_of_ours: tuple[WebhookContender, ...]) -> Callable[[], int]:
    """Counts the texts in the mailbox, without those of our other contenders."""
    return lambda: _waiting(redis, inboxes) - sum(other.acknowledged for other in all_of_ours if other is not mine)


def _waiting(redis: Redis, inboxes: list[str]) -> int:
    pipeline = redis.pipeline(transaction=False)
    for inbox in inboxes:
        pipeline.llen(inbox)
    return sum(pipeline.execute())


def _peers(environment: BenchEnvironment, stack: ExitStack) -> Iterator[WebhookContender]:
    """Every other webhook twice: on the same server, parser and client as Bossline, and on stock ones. Both use one queue."""
    for parts, (name, peer) in itertools.product(("same", "stock"), PEERS.items()):
        port = free_port()
        settings = {**environment.settings, "PORT": str(port)}
        program = stack.enter_context(MeasuredProcess("-m", "bench.peers.serve", parts, peer, settings=settings))
        wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/livez"), 30, name)  # type: ignore[misc]
        contender = WebhookContender(name if parts == "same" else f"{name}, stock parts", port, program.pid, int)
        contender.queued = _drained(environment.redis, peer, contender)
        yield contender


def _drained(redis: Redis, peer: str, contender: WebhookContender) -> Callable[[], int]:
    """Counts all texts that this contender has ever queued: after each of its rounds its queue is counted and emptied."""
    total = 0

    def queued() -> int:
        nonlocal total
        if not peer:
            return contender.acknowledged
        total += QUEUE_LENGTHS[peer](redis)
        redis.delete("rq:queue:bench", "dramatiq:bench", "dramatiq:bench.msgs", "bench")
        return total

    return queued


def _median(rounds: list[WebhookRound]) -> WebhookRound:
    names = ("per_second", "cpu_us", "p50_ms", "p99_ms", "commands", "reads", "pss")
    return WebhookRound(*(median(getattr(found, name) for found in rounds) for name in names))


def _show(report: BenchReport, rounds: dict[str, WebhookRound], seconds: float, count: int) -> None:
    ours = rounds[BOSSLINE]
    report.table(
        f"Webhooks: {CONNECTIONS} connections, {seconds:g} s a round, median of {count} alternating rounds",
        COLUMNS,
        [
            (name, row.per_second, 1e6 / row.cpu_us, row.cpu_us, row.p50_ms, row.p99_ms, row.commands, row.reads, row.pss,
             ratio(ours.per_second, row.per_second), ratio(row.cpu_us, ours.cpu_us))
            for name, row in rounds.items()
        ],
    )  # fmt: skip
    report.chart("Acknowledged webhooks for each second of the server's CPU", [(name, 1e6 / row.cpu_us) for name, row in rounds.items()])
