"""`overhead`: the time from a webhook's first byte to the request at Twilio's API, less Claude's own second; texts do not settle.

Stock RQ is measured in the same run, at a rate that its one fork worker can keep up with: Flask under gunicorn with RQ's enqueue and a
job that asks Claude and marks its end, in a light worker and in one that has imported the SDKs, as a worker with a whole turn has;
and Bossline's own webhook with its whole turn in a stock `rq worker`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.harness.contenders import PEERS, SDKS, STOCK
from bench.harness.installation import BenchEnvironment, BenchInstallation, phone
from bench.harness.load_generator import paced, signed_sms
from bench.harness.measure import percentile
from bench.harness.options import BenchOptions
from bench.harness.processes import MeasuredProcess
from bench.harness.provider_client import once_each
from bench.harness.report import BenchReport, ratio
from tests.support.processes import answers, free_port
from tests.support.wait import wait_for

CLAUDE_SECONDS: Final = 1.0
RATES: Final = ((1.0, 20), (60.0, 600), (200.0, 2000))
STOCK_LIGHT: Final = (0.7, 28)
STOCK_WHOLE: Final = (0.5, 20)
WORKER_CONCURRENCY: Final = "500"
"""At 200 texts a second and one second of Claude, 200 turns are under way: the default would limit them."""
TIMEOUT_SECONDS: Final = 120.0
OURS: Final = "Bossline"
CONNECTIONS: Final = 512
"""At most. One is opened when all others are busy, so that a slow moment of the machine does not end the run."""
COLUMNS: Final = ("system", "texts/s", "texts", "p50 ms", "p99 ms", "longest ms", "ack p50 ms", "ack p99 ms")
_NUMBERS: Final = itertools.count(1)
Recipient = Callable[[int], str]
"""What the stub providers see when the text of this number is done."""


@dataclass(frozen=True, slots=True)
class OverheadResult:
    """The result of one system at one rate; times in ms."""

    name: str
    rate: float
    added: list[float]
    acknowledged: list[float]

    def row(self) -> tuple[str | float, ...]:
        """The row of the table."""
        added = (percentile(self.added, 50), percentile(self.added, 99), max(self.added))
        return (self.name, self.rate, len(self.added), *added, percentile(self.acknowledged, 50), percentile(self.acknowledged, 99))


def measure(name: str, environment: BenchEnvironment, port: int, rate: float, *, texts: int, recipient: Recipient) -> OverheadResult:
    """Send texts at a rate, each from another user. Raises AssertionError unless each is done exactly once."""
    environment.providers.reset()
    environment.providers.delay(CLAUDE_SECONDS)
    numbers = [next(_NUMBERS) for _ in range(texts)]
    result, posted = uvloop.run(paced(port, [signed_sms(number, port) for number in numbers], rate, connections=CONNECTIONS))
    result.check()
    sends = environment.providers.wait_for_sends(texts, TIMEOUT_SECONDS)
    expected = [recipient(number) for number in numbers]
    once_each(sends, expected)
    began = dict(zip(expected, posted, strict=True))
    added = [(at - began[to] - CLAUDE_SECONDS) * 1000 for at, to in sends]
    return OverheadResult(name, rate, added, [seconds * 1000 for seconds in result.latencies])


def overhead(options: BenchOptions, report: BenchReport) -> None:
    """Measure Bossline at three rates, then stock RQ at the rate that it can keep up with."""
    rates = [(rate, options.pick(texts, 10)) for rate, texts in RATES]
    results: list[OverheadResult] = []
    with BenchInstallation(worker=True, WORKER_CONCURRENCY=WORKER_CONCURRENCY) as installation:
        measure("warm", installation, installation.port, 20, texts=20, recipient=phone)
        for rate, texts in rates[1:2] if options.quick else rates:
            results.append(measure(OURS, installation, installation.port, rate, texts=texts, recipient=phone))
        if options.peers:
            _end_worker(installation)
            results.append(_stock_light(installation, options, "Flask + rq, light turn", {}))
            results.append(_stock_light(installation, options, "Flask + rq, light turn, SDKs imported", SDKS))
            results.append(_stock_whole(installation, options))
    report.table("Overhead: webhook to outgoing send, less Claude's 1 s", COLUMNS, [each.row() for each in results])
    if options.peers:
        _compare(report, results)
        report.chart(
            "Webhook to send, less Claude's time: p50 in ms", [(f"{e.name}, {e.rate:g}/s", percentile(e.added, 50)) for e in results]
        )


def _compare(report: BenchReport, results: list[OverheadResult]) -> None:
    """Note Bossline's times as a share of stock RQ's."""
    for stock in (each for each in results if each.name != OURS):
        for ours in (each for each in results if each.name == OURS):
            p50, p99 = (ratio(percentile(ours.added, percent), percentile(stock.added, percent)) for percent in (50, 99))
            report.note(f"{OURS} at {ours.rate:g}/s: {p50:.2f} of the p50 and {p99:.2f} of the p99 of {stock.name}.")


def _end_worker(installation: BenchInstallation) -> None:
    """End the worker when all turns have ended, and drop the jobs that are left: each would take a fork of the next worker."""
    wait_for(lambda: not installation.redis.zcard("boss:due"), TIMEOUT_SECONDS, "the end of all turns")
    installation.worker.close()
    installation.redis.delete("rq:queue:boss")


def _stock_light(installation: BenchInstallation, options: BenchOptions, name: str, more: Mapping[str, str]) -> OverheadResult:
    """Measure Flask under gunicorn, RQ's enqueue and a forked job, with `more` settings for its worker."""
    rate, texts = STOCK_LIGHT[0], options.pick(STOCK_LIGHT[1], 3)
    port = free_port()
    with ExitStack() as stack:
        settings = {**installation.settings, "PORT": str(port), "BENCH_WORK": "1"}
        stack.enter_context(MeasuredProcess("-m", "bench.peers.serve", "stock", "rq_peer", settings=settings))
        stack.enter_context(MeasuredProcess("-m", "bench.peers.rq_peer", "worker", "text", settings={**installation.settings, **more}))
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/livez"), 30, "Flask")
        measure("warm", installation, port, rate, texts=1, recipient=lambda number: f"SM{number:032x}")
        return measure(name, installation, port, rate, texts=texts, recipient=lambda number: f"SM{number:032x}")


def _stock_whole(installation: BenchInstallation, options: BenchOptions) -> OverheadResult:
    """Measure Bossline's webhook with its jobs in `rq worker`."""
    rate, texts = STOCK_WHOLE[0], options.pick(STOCK_WHOLE[1], 3)
    stock = next(queue for queue in PEERS if queue.name == STOCK)
    with stock.worker(installation, "whole"):
        measure("warm", installation, installation.port, rate, texts=1, recipient=phone)
        return measure(
            "rq worker behind Bossline's webhook, whole turn", installation, installation.port, rate, texts=texts, recipient=phone
        )
