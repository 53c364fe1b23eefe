"""`bridge`: the bridge's `ping` and a bare `websockets` echo: round trips a second, CPU and memory of a connection, in one run.

The client writes WebSocket frames by hand (RFC 6455, section 5.2), because a Python client library costs as much as the
server that is measured. Each connection has one request at a time.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.harness.measure import cpu_seconds, pss_kib
from bench.harness.options import BenchOptions
from bench.harness.report import BenchReport, Cell
from bench.harness.websocket_echo import EchoServer
from tests.support.bridge import BridgeProcess
from tests.support.processes import free_port
from tests.support.server import EmbeddedServer

SECONDS = 3.0
CONNECTION_COUNTS = (1, 100, 1000)
CONNECT_BATCH = 100
"""Connections that are opened at once."""
OURS = "Bossline's bridge"
TOKEN = "bench-token-of-the-bridge"  # noqa: S105 - an example
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FIN, TEXT, PING, PONG, SHORT = 0x80, 0x1, 0x9, 0xA, 126


@dataclass(frozen=True, slots=True)
class BridgeRound:
    """One round of one server with one number of connections: round trips, CPU of each, memory of a connection."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    kib: float


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One short frame. A client must mask its frames; zeros are a valid mask."""
    assert len(payload) < SHORT
    return bytes((FIN | opcode, FIN | len(payload))) + bytes(4) + payload


class _PingClient(asyncio.Protocol):
    """One connection: upgrade, authenticate, then the next request as soon as the last one is answered."""

    def __init__(self, port: int, greeting: bytes) -> None:
        self.port, self.greeting = port, greeting
        self.request = frame(b'{"type":"ping"}')
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.upgraded = False
        self.latencies: list[float] = []
        self.deadline = self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(UPGRADE.format(port=self.port).encode())

    def begin(self, deadline: float) -> None:
        """Send requests until `deadline`."""
        self.deadline, self.latencies = deadline, []
        self.done = asyncio.get_running_loop().create_future()
        self._next()

    def _next(self) -> None:
        self.sent_at = time.perf_counter()
        if self.sent_at >= self.deadline:
            self.done.set_result(None)
        else:
            self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.upgraded:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.partition(b"\r\n")[0], head
            self.upgraded, self.buffer = True, rest
            if self.greeting:
                self.transport.write(self.greeting)
            else:
                self._answered()
        while (payload := self._frame()) is not None:
            self._answered(payload)

    def _frame(self) -> bytes | None:
        """The next text frame's payload; answers the server's own pings."""
        size = self._size()
        if size is None:
            return None
        start, end = size
        opcode, payload = self.buffer[0] & 0xF, self.buffer[start:end]
        self.buffer = self.buffer[end:]
        if opcode == PING:
            self.transport.write(frame(payload, PONG))
            return self._frame()
        assert opcode == TEXT, opcode
        return payload

    def _size(self) -> tuple[int, int] | None:
        """Where the payload of the first whole frame begins and ends."""
        if len(self.buffer) < 4:
            return None
        length, start = self.buffer[1], 2
        if length == SHORT:
            length, start = int.from_bytes(self.buffer[2:4], "big"), 4
        return (start, start + length) if len(self.buffer) >= start + length else None

    def _answered(self, payload: bytes = b"") -> None:
        if not self.ready.done():
            assert not self.greeting or json.loads(payload)["success"], payload
            self.ready.set_result(None)
            return
        self.latencies.append(time.perf_counter() - self.sent_at)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in (self.ready, self.done):
            if not waiting.done():
                waiting.set_exception(error or ConnectionError("the server closed"))


async def measure(port: int, pid: int, count: int, greeting: bytes) -> BridgeRound:
    """Open `count` connections, measure the server's memory, and let all of them ping."""
    before = pss_kib(pid)
    clients: list[_PingClient] = []
    for first in range(0, count, CONNECT_BATCH):
        batch = [await _open(port, greeting) for _ in range(min(CONNECT_BATCH, count - first))]
        await asyncio.wait_for(asyncio.gather(*(client.ready for client in batch)), 30)
        clients += batch
    kib = (pss_kib(pid) - before) / count
    cpu, start = cpu_seconds(pid), time.perf_counter()
    for client in clients:
        client.begin(start + SECONDS)
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), SECONDS + 30)
    seconds, cpu = time.perf_counter() - start, cpu_seconds(pid) - cpu
    latencies = [latency for client in clients for latency in client.latencies]
    for client in clients:
        client.transport.abort()
    cuts = statistics.quantiles(latencies, n=100)
    return BridgeRound(len(latencies) / seconds, cuts[49] * 1000, cuts[98] * 1000, cpu / len(latencies) * 1e6, kib)


async def _open(port: int, greeting: bytes) -> _PingClient:
    _, client = await asyncio.get_running_loop().create_connection(lambda: _PingClient(port, greeting), "127.0.0.1", port)
    return client


def one_round(name: str, count: int, server: EmbeddedServer) -> BridgeRound:
    """Run one round on a new server process, so that none inherits another's memory."""
    if name == "bare echo":
        with EchoServer() as echo:
            return asyncio.run(measure(echo.port, echo.pid, count, b""))
    settings = {
        "REDIS_URL": server.url, "BOSS_DATA_DIR": str(server.directory), "SUPERVISOR_PORT": str(free_port()), "SUPERVISOR_TOKEN": TOKEN,
        "BRIDGE_MAX_CONNECTIONS": "2000", "BRIDGE_MAX_UNAUTHENTICATED": "2000", "LOG_FORMAT": "json",
    }  # fmt: skip
    with BridgeProcess(settings) as bridge:
        greeting = frame(json.dumps({"type": "auth", "token": TOKEN}).encode())
        return asyncio.run(measure(int(settings["SUPERVISOR_PORT"]), bridge.pid, count, greeting))


def bridge(options: BenchOptions, report: BenchReport) -> None:
    """Measure both servers with each number of connections."""
    rows, ratios = list[tuple[Cell, ...]](), list[str]()
    with EmbeddedServer() as server:
        for count in CONNECTION_COUNTS[:1] if options.quick else CONNECTION_COUNTS:
            rounds: dict[str, list[BridgeRound]] = {"bare echo": [], OURS: []}
            for _ in range(options.rounds):
                for name, found in rounds.items():
                    found.append(one_round(name, count, server))
            medians = {name: _median(found) for name, found in rounds.items()}
            rows += [(name, str(count), row.per_second, row.p50_ms, row.p99_ms, row.cpu_us, row.kib) for name, row in medians.items()]
            bare, ours = medians["bare echo"], medians[OURS]
            ratios.append(f"{count}: {ours.per_second / bare.per_second:.2f} of the rate, {ours.kib - bare.kib:+.1f} KiB a connection")
    report.table(
        f"Bridge: ping round trips, {SECONDS:g} s a round, median of {options.rounds} alternating rounds",
        ("server", "connections", "round trips/s", "p50 ms", "p99 ms", "CPU us each", "KiB a connection"),
        rows,
    )
    report.note("Bridge / bare echo at " + "; ".join(ratios))


def _median(rounds: list[BridgeRound]) -> BridgeRound:
    pick: Callable[[str], float] = lambda name: statistics.median(getattr(row, name) for row in rounds)  # noqa: E731
    return BridgeRound(pick("per_second"), pick("p50_ms"), pick("p99_ms"), pick("cpu_us"), pick("kib"))
