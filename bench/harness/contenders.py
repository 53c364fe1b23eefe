"""Who is measured in `worker`: how each is started, fed and how many turns it gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.harness.backlog import Crowd
from bench.harness.installation import House
from bench.harness.processes import Program
from tests.support.processes import ROOT, clean_environment

SDKS: Final = {"BENCH_SDKS": "1"}
BOSSLINE: Final = "Bossline"
STOCK: Final = "rq worker"


@dataclass(frozen=True, slots=True)
class Queue:
    """One contestant. `turns` are fewer where it cannot do more, `warm` fill all of its processes beforehand."""

    name: str
    peer: str
    command: tuple[str, ...]
    turns: int = 500
    warm: int = 2
    function: str = ""

    def program(self, house: House, kind: str) -> Program:
        """Its worker, not started. For whole turns every contestant imports the SDKs at its start, before any fork."""
        if self.name == BOSSLINE and kind == "whole":
            return house.boss("worker", WORKER_CONCURRENCY="500")
        command = tuple(kind if word == "KIND" else word for word in self.command)
        more = SDKS if kind == "whole" or self.name.endswith("SDKs") else {}
        return Program(*command, settings={**house.settings, "WORKER_CONCURRENCY": "500", **more})

    def feed(self, house: House, crowd: Crowd, kind: str, users: Sequence[int], tag: str) -> list[str]:
        """Enqueue a turn for each user; what the stub will have seen when they are done."""
        if kind == "light":
            names = [f"{tag}{user}" for user in users]
            self._send(house, kind, names)
            return names
        conversations = crowd.write(users, tag)
        if self.name != BOSSLINE:  # whose accept has enqueued them already
            house.redis.delete("rq:queue:boss")
            self._send(house, kind, conversations)
        return [str(crowd.event(user).from_) for user in users]

    def _send(self, house: House, kind: str, names: Sequence[str]) -> None:
        """By its own client, in a process that has its settings."""
        more = (self.function,) if self.function and kind == "light" else ()
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "bench.peers.send", self.peer, kind, *more],
            input="\n".join(names),
            text=True,
            check=True,
            timeout=60,
            env=clean_environment(**house.settings, PYTHONPATH=str(ROOT)),
        )


def _rq(*arguments: str) -> tuple[str, ...]:
    return ("-m", "bench.peers.rq_peer", *arguments)


OURS: Final = Queue(BOSSLINE, "rq_peer", _rq("async"), function="bench.peers.turns.light")
PEERS: Final = (
    Queue(STOCK, "rq_peer", _rq("worker", "KIND"), turns=20),
    Queue("rq worker-pool -n 8", "rq_peer", _rq("worker-pool", "KIND", "-n", "8"), turns=64, warm=16),
    Queue("celery threads", "celery_peer", ("-m", "celery", "-A", "bench.peers.celery_peer", "worker", "-P", "threads", "-c", "500",
          "--without-gossip", "--without-mingle", "--loglevel", "ERROR", "-Q", "bench")),
    Queue("dramatiq threads", "dramatiq_peer", ("-m", "dramatiq", "bench.peers.dramatiq_peer", "-p", "1", "-t", "500")),
    Queue("arq", "arq_peer", ("-m", "bench.peers.arq_peer")),
    Queue("taskiq", "taskiq_peer", ("-m", "taskiq", "worker", "bench.peers.taskiq_peer:broker", "--workers", "1",
          "--max-async-tasks", "500", "--log-level", "ERROR")),
)  # fmt: skip
WITH_SDKS: Final = Queue("rq worker, SDKs", "rq_peer", _rq("worker", "KIND"), turns=20)


def contestants(kind: str, *, peers: bool) -> list[Queue]:
    """All that take part."""
    if not peers:
        return [OURS]
    return [OURS, *PEERS, *([WITH_SDKS] if kind == "light" else [])]
