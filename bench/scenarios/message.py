"""`message`: what one text costs Redis, command by command: its webhook, and its turn with RQ's bookkeeping. One text at a time.

Alone a text shares nothing with others, so this is its highest cost. The reads of client sockets are the round trips; under load one
read carries the commands of many texts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Final

import uvloop
from redis import Redis

from bench.harness.installation import BenchInstallation
from bench.harness.load_generator import blast, signed_sms
from bench.harness.measure import redis_counters
from bench.harness.options import BenchOptions
from bench.harness.report import BenchReport
from tests.support.processes import WorkerProcess

TEXTS: Final = 300
TIMEOUT_SECONDS: Final = 60.0
MIN_CALLS: Final = 0.3
"""Calls for each text from which a command has a row of its own. Those of the sweep and the heartbeats stay below it."""
MEASURING: Final = ("info", "config|resetstat")
_NUMBERS: Final = itertools.count(1)


def message(options: BenchOptions, report: BenchReport) -> None:
    """Count the webhook alone, without a worker, then a whole text; the difference is the turn."""
    texts = options.pick(TEXTS, 20)
    with BenchInstallation(worker=False) as installation:
        _texts(installation, 1)
        webhook, webhook_reads = _counted(installation, texts)
        installation.redis.delete("rq:queue:boss", "boss:due")
        with WorkerProcess(installation.settings, installation.redis):
            _texts(installation, 1, answered=True)
            whole, whole_reads = _counted(installation, texts, answered=True)
    turn = {name: calls - webhook[name] for name, calls in whole.items()}
    names = sorted(whole, key=lambda name: -whole[name])
    shown = [name for name in names if whole[name] >= MIN_CALLS]
    rest = [name for name in names if name not in shown]
    rows: list[tuple[str, float, float]] = [(name, webhook[name], turn[name]) for name in shown]
    rows.append((f"{len(rest)} others", sum(webhook[name] for name in rest), sum(turn[name] for name in rest)))
    rows.append(("**all**", sum(webhook.values()), sum(turn.values())))
    rows.append(("**round trips**", webhook_reads, whole_reads - webhook_reads))
    report.table(
        f"Redis commands of one text, those inside scripts too; {texts} texts, one at a time", ("command", "webhook", "turn and job"), rows
    )


def _counted(installation: BenchInstallation, texts: int, *, answered: bool = False) -> tuple[Counter[str], float]:
    """The calls of each command, and the reads, for one text."""
    installation.redis.config_resetstat()
    before = redis_counters(installation.redis)
    _texts(installation, texts, answered=answered)
    reads = (redis_counters(installation.redis) - before).reads
    return Counter({name: calls / texts for name, calls in _calls(installation.redis)}), reads / texts


def _calls(redis: Redis) -> Iterator[tuple[str, int]]:
    for name, figures in redis.info("commandstats").items():
        command = name.removeprefix("cmdstat_")
        if command not in MEASURING:
            yield command, int(figures["calls"])


def _texts(installation: BenchInstallation, count: int, *, answered: bool = False) -> None:
    """Send `count` texts, each after the one before was accepted, or answered."""
    for _ in range(count):
        installation.providers.reset()
        uvloop.run(
            blast(installation.port, iter([signed_sms(next(_NUMBERS), installation.port)]), connections=1, seconds=TIMEOUT_SECONDS)
        ).check()
        if answered:
            installation.providers.wait_for_sends(1, TIMEOUT_SECONDS)
