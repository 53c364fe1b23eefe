"""`overhead`: from a webhook's first byte to Twilio's API getting the answer, less Claude's own second; nothing waits to settle.

Beside it stock RQ in the same run, at the rate that its one fork worker can bear: Flask under gunicorn with RQ's enqueue and a job
that asks Claude and marks its end, in a worker as light as that and in one that has imported the SDKs, as a worker with a whole
turn has; and Bossline's own webhook with its whole turn in a stock `rq worker`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.harness.contenders import PEERS, SDKS, STOCK
from bench.harness.installation import House, Installation, phone
from bench.harness.load_generator import paced, signed_sms
from bench.harness.measure import percentile
from bench.harness.options import Options
from bench.harness.processes import Program
from bench.harness.provider_client import once_each
from bench.harness.report import Report, ratio
from tests.support.processes import answers, free_port
from tests.support.wait import wait_for

CLAUDE_SECONDS: Final = 1.0
RATES: Final = ((1.0, 20), (60.0, 600), (200.0, 2000))
STOCK_LIGHT: Final = (0.7, 28)
STOCK_WHOLE: Final = (0.5, 20)
HELD: Final = "500"
"""At 200 texts a second and a second of Claude's, 200 turns are under way: the default would be the bound."""
PATIENCE: Final = 120.0
OURS: Final = "Bossline"
CONNECTIONS: Final = 512
"""At most; opened when all others wait, so that a slow moment of the machine does not end the run."""
COLUMNS: Final = ("system", "texts/s", "texts", "p50 ms", "p99 ms", "longest ms", "ack p50 ms", "ack p99 ms")
_NUMBERS: Final = itertools.count(1)
Ended = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Step:
    """One system at one rate; times in ms."""

    name: str
    rate: float
    added: list[float]
    acknowledged: list[float]

    def row(self) -> tuple[str | float, ...]:
        """Its line of the table."""
        added = (percentile(self.added, 50), percentile(self.added, 99), max(self.added))
        return (self.name, self.rate, len(self.added), *added, percentile(self.acknowledged, 50), percentile(self.acknowledged, 99))


def step(name: str, house: House, port: int, rate: float, *, texts: int, ended: Ended) -> Step:
    """Send texts at a rate, each from another user; `ended` is what the stub sees of each. AssertionError unless all end once."""
    house.stub.reset()
    house.stub.delay(CLAUDE_SECONDS)
    numbers = [next(_NUMBERS) for _ in range(texts)]
    result, posted = uvloop.run(paced(port, [signed_sms(number, port) for number in numbers], rate, connections=CONNECTIONS))
    result.check()
    sends = house.stub.wait_for_sends(texts, PATIENCE)
    expected = [ended(number) for number in numbers]
    once_each(sends, expected)
    began = dict(zip(expected, posted, strict=True))
    added = [(at - began[to] - CLAUDE_SECONDS) * 1000 for at, to in sends]
    return Step(name, rate, added, [seconds * 1000 for seconds in result.latencies])


def overhead(options: Options, report: Report) -> None:
    """Bossline at three rates, then stock RQ at the one that it can bear."""
    rates = [(rate, options.pick(texts, 10)) for rate, texts in RATES]
    steps: list[Step] = []
    with Installation(worker=True, WORKER_CONCURRENCY=HELD) as boss:
        step("warm", boss, boss.port, 20, texts=20, ended=phone)
        for rate, texts in rates[1:2] if options.quick else rates:
            steps.append(step(OURS, boss, boss.port, rate, texts=texts, ended=phone))
        if options.peers:
            _end_worker(boss)
            steps.append(_stock_light(boss, options, "Flask + rq, light turn", {}))
            steps.append(_stock_light(boss, options, "Flask + rq, light turn, SDKs imported", SDKS))
            steps.append(_stock_whole(boss, options))
    report.table("Overhead: webhook to outgoing send, less Claude's 1 s", COLUMNS, [each.row() for each in steps])
    if options.peers:
        _compare(report, steps)
        report.chart(
            "Webhook to send, less Claude's time: p50 in ms", [(f"{e.name}, {e.rate:g}/s", percentile(e.added, 50)) for e in steps]
        )


def _compare(report: Report, steps: list[Step]) -> None:
    """Each of Bossline's rates as a part of each of stock RQ's."""
    for stock in (each for each in steps if each.name != OURS):
        for ours in (each for each in steps if each.name == OURS):
            p50, p99 = (ratio(percentile(ours.added, percent), percentile(stock.added, percent)) for percent in (50, 99))
            report.note(f"{OURS} at {ours.rate:g}/s: {p50:.2f} of the p50 and {p99:.2f} of the p99 of {stock.name}.")


def _end_worker(boss: Installation) -> None:
    """When nothing is left to do; wake-ups that came too late would hold a fork each."""
    wait_for(lambda: not boss.redis.zcard("boss:due"), PATIENCE, "the end of all turns")
    boss.worker.close()
    boss.redis.delete("rq:queue:boss")


def _stock_light(boss: Installation, options: Options, name: str, more: Mapping[str, str]) -> Step:
    """Flask and gunicorn, RQ's enqueue, a forked job; `more` settings for its worker."""
    rate, texts = STOCK_LIGHT[0], options.pick(STOCK_LIGHT[1], 3)
    port = free_port()
    with ExitStack() as stack:
        settings = {**boss.settings, "PORT": str(port), "BENCH_WORK": "1"}
        stack.enter_context(Program("-m", "bench.peers.serve", "stock", "rq_peer", settings=settings))
        stack.enter_context(Program("-m", "bench.peers.rq_peer", "worker", "text", settings={**boss.settings, **more}))
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/livez"), 30, "Flask")
        step("warm", boss, port, rate, texts=1, ended=lambda number: f"SM{number:032x}")
        return step(name, boss, port, rate, texts=texts, ended=lambda number: f"SM{number:032x}")


def _stock_whole(boss: Installation, options: Options) -> Step:
    """Bossline's webhook, and its jobs in `rq worker`."""
    rate, texts = STOCK_WHOLE[0], options.pick(STOCK_WHOLE[1], 3)
    stock = next(queue for queue in PEERS if queue.name == STOCK)
    with stock.program(boss, "whole"):
        step("warm", boss, boss.port, rate, texts=1, ended=phone)
        return step("rq worker behind Bossline's webhook, whole turn", boss, boss.port, rate, texts=texts, ended=phone)
