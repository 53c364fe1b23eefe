"""`message`: what one text costs Redis, command by command: its webhook, and its turn with RQ's bookkeeping. One text at a time.

Nothing is shared with other texts then: this is the dearest that a text can be. The reads are those of client sockets, and so the
round trips: under load one read carries the commands of many.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Final

import uvloop
from redis import Redis

from bench.harness.installation import Installation
from bench.harness.load_generator import blast, signed_sms
from bench.harness.measure import traffic
from bench.harness.options import Options
from bench.harness.report import Report
from tests.support.processes import WorkerProcess

TEXTS: Final = 300
PATIENCE: Final = 60.0
SHOWN: Final = 0.3
"""Calls a text from which on a command has a row of its own; the sweep's and the heartbeats' stay below it."""
OWN: Final = ("info", "config|resetstat")
_NUMBERS: Final = itertools.count(1)


def message(options: Options, report: Report) -> None:
    """First the webhook alone, without a worker; then the whole way, from which the webhook's part is taken off."""
    texts = options.pick(TEXTS, 20)
    with Installation(worker=False) as boss:
        _texts(boss, 1)
        webhook, webhook_reads = _counted(boss, texts)
        boss.redis.delete("rq:queue:boss", "boss:due")
        with WorkerProcess(boss.settings, boss.redis):
            _texts(boss, 1, answered=True)
            whole, whole_reads = _counted(boss, texts, answered=True)
    turn = {name: calls - webhook[name] for name, calls in whole.items()}
    names = sorted(whole, key=lambda name: -whole[name])
    shown = [name for name in names if whole[name] >= SHOWN]
    rest = [name for name in names if name not in shown]
    rows: list[tuple[str, float, float]] = [(name, webhook[name], turn[name]) for name in shown]
    rows.append((f"{len(rest)} others", sum(webhook[name] for name in rest), sum(turn[name] for name in rest)))
    rows.append(("**all**", sum(webhook.values()), sum(turn.values())))
    rows.append(("**round trips**", webhook_reads, whole_reads - webhook_reads))
    report.table(
        f"Redis commands of one text, those inside scripts too; {texts} texts, one at a time", ("command", "webhook", "turn and job"), rows
    )


def _counted(boss: Installation, texts: int, *, answered: bool = False) -> tuple[Counter[str], float]:
    """Calls by command, and reads, for each text."""
    boss.redis.config_resetstat()
    before = traffic(boss.redis)
    _texts(boss, texts, answered=answered)
    reads = (traffic(boss.redis) - before).reads
    return Counter({name: calls / texts for name, calls in _calls(boss.redis)}), reads / texts


def _calls(redis: Redis) -> Iterator[tuple[str, int]]:
    for name, figures in redis.info("commandstats").items():
        command = name.removeprefix("cmdstat_")
        if command not in OWN:
            yield command, int(figures["calls"])


def _texts(boss: Installation, count: int, *, answered: bool = False) -> None:
    """So many texts, each when the one before is taken, or answered."""
    for _ in range(count):
        boss.stub.reset()
        uvloop.run(blast(boss.port, iter([signed_sms(next(_NUMBERS), boss.port)]), connections=1, seconds=PATIENCE)).check()
        if answered:
            boss.stub.wait_for_sends(1, PATIENCE)
