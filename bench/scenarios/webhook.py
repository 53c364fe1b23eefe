"""`webhook`: Bossline's `/sms/inbound` beside Flask and FastAPI webhooks that put the same text into other queues.

Each has its own process and port on the same Valkey and stays up; only one is asked at a time, over 16 kept-alive connections. The
signed requests, each with a MessageSid of its own, are made before the clock starts. CPU is the server's own, with all its
processes. Afterwards each queue is looked at: what was acknowledged must be in it.
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

from bench.harness.backlog import Crowd
from bench.harness.installation import USERS, House, Installation
from bench.harness.load_generator import blast, signed_sms
from bench.harness.measure import cpu_seconds, percentile, pss_mib, traffic
from bench.harness.options import Options
from bench.harness.processes import Program
from bench.harness.report import Report, ratio
from tests.support.processes import answers, free_port
from tests.support.wait import wait_for

CONNECTIONS: Final = 16
SECONDS: Final = 3
MOST_A_SECOND: Final = 4000
BOSSLINE: Final = "Bossline /sms/inbound"
MAX_OPEN: Final = 1_000_000
"""Nobody answers here, and four contestants fill one mailbox: with the default, texts would wait on disk."""
THREADS: Final = (8, 16, 64)
"""Bossline once more under WSGI, with so many threads that read and work."""
COLUMNS: Final = (
    "webhook", "acks/s", "acks per CPU-second", "CPU us/ack", "p50 ms", "p99 ms", "commands/ack", "reads/ack", "PSS MiB",
    "Bossline's rate x", "Bossline's acks per CPU-second x",
)  # fmt: skip
_NUMBERS: Final = itertools.count(1)


def _listed(key: str) -> Callable[[Redis], int]:
    return lambda redis: int(cast("Any", redis.llen(key)))


HELD: Final[dict[str, Callable[[Redis], int]]] = {
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
class Round:
    """One round of one contestant; times as the names say, the rest for each acknowledgement."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    commands: float
    reads: float
    pss: float


@dataclass(slots=True)
class Contestant:
    """One running webhook; `held` counts what is in its queue."""

    name: str
    port: int
    pid: int
    held: Callable[[], int]
    acknowledged: int = 0

    def round(self, redis: Redis, seconds: float) -> Round:
        """Ask it as fast as it answers; AssertionError for any answer but 2xx, or for one whose text is in no queue."""
        requests = [signed_sms(next(_NUMBERS), self.port) for _ in range(int(seconds * MOST_A_SECOND))]
        cpu, before = cpu_seconds(self.pid), traffic(redis)
        result = uvloop.run(blast(self.port, iter(requests), connections=CONNECTIONS, seconds=seconds))
        cpu, used = cpu_seconds(self.pid) - cpu, traffic(redis) - before
        result.check()
        self.acknowledged += result.answered
        assert self.held() == self.acknowledged, f"{self.name}: {self.acknowledged} acknowledged, {self.held()} in the queue"
        times = [percentile(result.latencies, percent) * 1000 for percent in (50, 99)]
        count = result.answered
        return Round(
            count / result.seconds, cpu / count * 1e6, times[0], times[1], used.commands / count, used.reads / count, pss_mib(self.pid)
        )


def webhook(options: Options, report: Report) -> None:
    """All contestants, one after the other in each round."""
    with Installation(worker=False, MAX_OPEN_MESSAGES=str(MAX_OPEN)) as boss, closing(Crowd(boss.settings)) as crowd, ExitStack() as stack:
        inboxes = [f"boss:inbox:{crowd.conversation(user)}" for user in range(USERS)]
        contestants = [Contestant(BOSSLINE, boss.port, boss.web.pid, int), *_with_threads(boss, stack)]
        for ours in contestants:
            ours.held = _stored(boss.redis, inboxes, ours, tuple(contestants))
        if options.peers:
            contestants += _peers(boss, stack)
        seconds = options.pick(SECONDS, 1)
        rounds: dict[str, list[Round]] = {}
        for turn in range(-1, options.rounds):  # the first one warms, and is not counted
            for contestant in contestants:
                found = contestant.round(boss.redis, seconds if turn >= 0 else 0.5)
                if turn >= 0:
                    rounds.setdefault(contestant.name, []).append(found)
    _show(report, {name: _middle(found) for name, found in rounds.items()}, seconds, options.rounds)


def _with_threads(house: House, stack: ExitStack) -> Iterator[Contestant]:
    for threads in THREADS:
        port = free_port()
        settings = {**house.settings, "PORT": str(port), "BOSS_DATA_DIR": str(house.folder / f"{threads}-threads")}
        program = stack.enter_context(Program("-m", "bench.peers.serve", "threads", str(threads), settings=settings))
        wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/livez"), 30, f"{threads} threads")  # type: ignore[misc]
        yield Contestant(f"the same, WSGI with {threads} threads", port, program.pid, int)


def _stored(redis: Redis, inboxes: list[str], mine: Contestant, all_of_ours: tuple[Contestant, ...]) -> Callable[[], int]:
    """What is in the mailbox, without what the others of ours put there."""
    return lambda: _waiting(redis, inboxes) - sum(other.acknowledged for other in all_of_ours if other is not mine)


def _waiting(redis: Redis, inboxes: list[str]) -> int:
    pipeline = redis.pipeline(transaction=False)
    for inbox in inboxes:
        pipeline.llen(inbox)
    return sum(pipeline.execute())


def _peers(house: House, stack: ExitStack) -> Iterator[Contestant]:
    """Every other webhook twice: on the same parts as Bossline, and on stock parts. Both of a queue's clients feed one queue."""
    for parts, (name, peer) in itertools.product(("same", "stock"), PEERS.items()):
        port = free_port()
        settings = {**house.settings, "PORT": str(port)}
        program = stack.enter_context(Program("-m", "bench.peers.serve", parts, peer, settings=settings))
        wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/livez"), 30, name)  # type: ignore[misc]
        contestant = Contestant(name if parts == "same" else f"{name}, stock parts", port, program.pid, int)
        contestant.held = _drained(house.redis, peer, contestant)
        yield contestant


def _drained(redis: Redis, peer: str, contestant: Contestant) -> Callable[[], int]:
    """All that this contestant ever put into its queue: the queue is counted and emptied after each of its rounds."""
    total = 0

    def held() -> int:
        nonlocal total
        if not peer:
            return contestant.acknowledged
        total += HELD[peer](redis)
        redis.delete("rq:queue:bench", "dramatiq:bench", "dramatiq:bench.msgs", "bench")
        return total

    return held


def _middle(rounds: list[Round]) -> Round:
    names = ("per_second", "cpu_us", "p50_ms", "p99_ms", "commands", "reads", "pss")
    return Round(*(median(getattr(found, name) for found in rounds) for name in names))


def _show(report: Report, rounds: dict[str, Round], seconds: float, count: int) -> None:
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
