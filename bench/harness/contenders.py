"""The queues that `worker` compares: how each worker is started, how its jobs are enqueued, and how many turns it gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.harness.backlog import BacklogWriter
from bench.harness.installation import BenchEnvironment
from bench.harness.processes import MeasuredProcess
from tests.support.processes import ROOT, clean_environment

SDKS: Final = {"BENCH_SDKS": "1"}
"""Makes a contender import the providers' SDKs at its start."""
BOSSLINE: Final = "Bossline"
STOCK: Final = "rq worker"


@dataclass(frozen=True, slots=True)
class QueueContender:
    """One queue with its worker.

    `turns` are fewer for a contender that cannot do 500 in time. `warm` turns before the clock starts reach all of its processes.
    """

    name: str
    peer: str
    command: tuple[str, ...]
    turns: int = 500
    warm: int = 2
    function: str = ""

    def worker(self, environment: BenchEnvironment, kind: str) -> MeasuredProcess:
        """The worker, not started. For whole turns every contender imports the SDKs at its start, before any fork."""
        if self.name == BOSSLINE and kind == "whole":
            return environment.boss_process("worker", WORKER_CONCURRENCY="500")
        command = tuple(kind if word == "KIND" else word for word in self.command)
        more = SDKS if kind == "whole" or self.name.endswith("SDKs") else {}
        return MeasuredProcess(*command, settings={**environment.settings, "WORKER_CONCURRENCY": "500", **more})

    def enqueue(self, environment: BenchEnvironment, backlog: BacklogWriter, kind: str, users: Sequence[int], tag: str) -> list[str]:
        """Enqueue a turn for each user; return the recipients that the stub providers see when all are done."""
        if kind == "light":
            names = [f"{tag}{user}" for user in users]
            self._send(environment, kind, names)
            return names
        conversations = backlog.write(users, tag)
        if self.name != BOSSLINE:  # Bossline's accept has enqueued its jobs already
            environment.redis.delete("rq:queue:boss")
            self._send(environment, kind, conversations)
        return [str(backlog.event(user).from_) for user in users]

    def _send(self, environment: BenchEnvironment, kind: str, names: Sequence[str]) -> None:
        """Enqueue by the contender's own client, in a process with its settings."""
        more = (self.function,) if self.function and kind == "light" else ()
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "bench.peers.send", self.peer, kind, *more],
            input="\n".join(names),
            text=True,
            check=True,
            timeout=60,
            env=clean_environment(**environment.settings, PYTHONPATH=str(ROOT)),
        )


def _rq(*arguments: str) -> tuple[str, ...]:
    return ("-m", "bench.peers.rq_peer", *arguments)


OURS: Final = QueueContender(BOSSLINE, "rq_peer", _rq("async"), function="bench.peers.turns.light")
PEERS: Final = (
    QueueContender(STOCK, "rq_peer", _rq("worker", "KIND"), turns=20),
    QueueContender("rq worker-pool -n 8", "rq_peer", _rq("worker-pool", "KIND", "-n", "8"), turns=64, warm=16),
    QueueContender("celery threads", "celery_peer", ("-m", "celery", "-A", "bench.peers.celery_peer", "worker", "-P", "threads",
          "-c", "500", "--without-gossip", "--without-mingle", "--loglevel", "ERROR", "-Q", "bench")),
    QueueContender("dramatiq threads", "dramatiq_peer", ("-m", "dramatiq", "bench.peers.dramatiq_peer", "-p", "1", "-t", "500")),
    QueueContender("arq", "arq_peer", ("-m", "bench.peers.arq_peer")),
    QueueContender("taskiq", "taskiq_peer", ("-m", "taskiq", "worker", "bench.peers.taskiq_peer:broker", "--workers", "1",
          "--max-async-tasks", "500", "--log-level", "ERROR")),
)  # fmt: skip
WITH_SDKS: Final = QueueContender("rq worker, SDKs", "rq_peer", _rq("worker", "KIND"), turns=20)


def contenders(kind: str, *, peers: bool) -> list[QueueContender]:
    """All contenders for one kind of turn, `light` or `whole`."""
    if not peers:
        return [OURS]
    return [OURS, *PEERS, *([WITH_SDKS] if kind == "light" else [])]
