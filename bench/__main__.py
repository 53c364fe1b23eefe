"""`make bench`: acknowledgements against a bare Flask route, what Bossline adds to Claude's time, and the bridge against a bare echo.

`python -m bench bridge` measures only that; the parts are `acknowledgements`, `overhead` and `bridge`.

Rounds alternate between the contestants and the median counts, because the machine's noise is larger than many a
difference. The load generator, Valkey and the web process share the machine's cores.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.bare import BareServer
from bench.bridge import bridge
from bench.installation import ACCOUNT, BOSS, TOKEN, USERS, Installation, cpu_seconds, phone
from bench.load import Result, blast, request, signed_sms

ROUNDS = 3
SECONDS = 3.0
CONNECTIONS = 16
CLAUDE_SECONDS = 0.5
RATES = ((1, 20), (20, 200), (60, 600))


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one contestant."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def measure(port: int, pid: int, requests: Iterator[bytes]) -> Round:
    """Blast one server for a round; anything but 2xx ends the measurement."""
    before = cpu_seconds(pid)
    result = asyncio.run(blast(port, requests, connections=CONNECTIONS, seconds=SECONDS))
    cpu = cpu_seconds(pid) - before
    if result.answered != sum(result.statuses.values()):
        sys.exit(f"not all requests were answered with 2xx: {result.statuses}")
    return Round(result.answered / result.seconds, cpu / result.answered * 1e6, *percentiles(result))


def percentiles(result: Result) -> tuple[float, float]:
    """p50 and p99 in ms."""
    cuts = statistics.quantiles(result.latencies, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def acknowledgements() -> None:
    """The webhook against a bare Flask route that answers the same TwiML, both under the product's server settings."""
    rows: dict[str, list[Round]] = {}
    with Installation(worker=False) as boss, BareServer() as bare:
        port = int(boss.url.rpartition(":")[2])
        numbers = itertools.count(1)

        def sign(number: int) -> bytes:
            return signed_sms(number, url=boss.url + "/sms/inbound", account=ACCOUNT, token=TOKEN, from_=phone(number % USERS), to=BOSS)

        def batch() -> Iterator[bytes]:
            return iter([sign(next(numbers)) for _ in range(int(SECONDS * 2500))])

        plain = request("/sms/inbound", sign(0).partition(b"\r\n\r\n")[2])
        contestants: list[tuple[str, Callable[[], Round]]] = [
            ("bare Flask route", lambda: measure(bare.port, bare.pid, itertools.repeat(plain))),
            ("Bossline /sms/inbound", lambda: measure(port, boss.web.pid, batch())),
        ]
        for _ in range(ROUNDS):
            for name, run in contestants:
                rows.setdefault(name, []).append(run())
    print(f"\nAcknowledgements: {CONNECTIONS} connections, {SECONDS:g} s a round, median of {ROUNDS} alternating rounds\n")
    print("| route | acks/s | CPU us/webhook | p50 ms | p99 ms | acks per CPU-second |")
    print("|---|---|---|---|---|---|")
    medians = {name: median(rounds) for name, rounds in rows.items()}
    for name, row in medians.items():
        print(f"| {name} | {row.per_second:.0f} | {row.cpu_us:.0f} | {row.p50_ms:.1f} | {row.p99_ms:.1f} | {1e6 / row.cpu_us:.0f} |")
    bare_row, boss_row = medians["bare Flask route"], medians["Bossline /sms/inbound"]
    rate, cpu = boss_row.per_second / bare_row.per_second, boss_row.cpu_us / bare_row.cpu_us
    print(f"\nBossline / bare: {rate:.2f} of the rate, {cpu:.2f} x the CPU")


def median(rounds: list[Round]) -> Round:
    """The median of each figure."""
    return Round(*(statistics.median(getattr(row, name) for row in rounds) for name in ("per_second", "cpu_us", "p50_ms", "p99_ms")))


def overhead() -> None:
    """From the webhook's first byte to Twilio's API getting the reply, less Claude's own time; settle 0, warm processes."""
    print(f"\nOverhead: webhook to outgoing send, less Claude's {CLAUDE_SECONDS:g} s; settle 0; one worker process\n")
    print("| texts/s | texts | p50 ms | p99 ms | max ms |")
    print("|---|---|---|---|---|")
    with Installation(worker=True) as boss:
        boss.sandbox.knobs(anthropic={"latency_seconds": CLAUDE_SECONDS}, twilio={"status_callbacks": False})
        numbers = itertools.count(1)
        asyncio.run(paced(boss, 10, 20, numbers))
        for rate, texts in RATES:
            added = asyncio.run(paced(boss, rate, texts, numbers))
            cuts = statistics.quantiles(added, n=100)
            print(f"| {rate} | {texts} | {cuts[49]:.1f} | {cuts[98]:.1f} | {max(added):.1f} |")


async def paced(boss: Installation, rate: int, texts: int, numbers: Iterator[int]) -> list[float]:
    """Send `texts` texts, `rate` a second, each from another user; what Bossline added to each, in ms."""
    boss.sandbox.call("DELETE", "/sandbox/journal")
    port = int(boss.url.rpartition(":")[2])
    posted: dict[str, float] = {}
    tasks = []
    start = time.perf_counter()
    for index in range(texts):
        await asyncio.sleep(max(0.0, start + index / rate - time.perf_counter()))
        number = next(numbers)
        data = signed_sms(number, url=boss.url + "/sms/inbound", account=ACCOUNT, token=TOKEN, from_=phone(number % USERS), to=BOSS)
        posted[phone(number % USERS)] = time.time()
        tasks.append(asyncio.create_task(blast(port, iter([data]), connections=1, seconds=30)))
    await asyncio.gather(*tasks)
    sent = boss.sandbox.wait("twilio.create", texts, timeout=60, accepted=True)
    return [(entry["at"] - posted[entry["request"]["to"]] - CLAUDE_SECONDS) * 1000 for entry in sent]


PARTS: dict[str, Callable[[], None]] = {"acknowledgements": acknowledgements, "overhead": overhead, "bridge": bridge}

if __name__ == "__main__":
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    for name in chosen:
        PARTS[name]()
