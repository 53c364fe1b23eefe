"""A cheap load generator: requests are built before the clock starts, and connections are kept alive.

It writes HTTP/1.1 by hand, because a Python client with an HTTP library is slower than the servers that it would measure.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlencode

from bench.harness.http_bytes import HEAD_END, content_length
from bench.harness.installation import ACCOUNT, BOSS, TOKEN, phone

TIMEOUT_SECONDS: Final = 30.0


@dataclass(slots=True)
class LoadResult:
    """The result of one round: answers by status (0: none), seconds of wall time, each answer's latency in seconds."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    not_sent: int = 0
    """Requests of a paced round that were not sent, because all connections were busy."""

    @property
    def answered(self) -> int:
        """Answers with a 2xx."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    def check(self) -> None:
        """Raise AssertionError unless every request was answered with a 2xx."""
        assert self.answered == sum(self.statuses.values()) > 0, f"not all requests were answered with 2xx: {self.statuses}"
        assert not self.not_sent, f"{self.not_sent} requests found no connection"


class LoadConnection(asyncio.Protocol):
    """A kept-alive connection with one request at a time; `idle` is called with it when the answer is complete."""

    def __init__(self, result: LoadResult, idle: Callable[[LoadConnection], None]) -> None:
        self._result, self._idle = result, idle
        self._buffer = b""
        self._sent_at = 0.0
        self.waiting = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        """Close."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Count an answer when it is complete."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(HEAD_END)
        if not separator or len(rest) < content_length(head):
            return
        self._buffer = b""
        self.waiting = False
        status = int(head[9:12])
        self._result.statuses[status] = self._result.statuses.get(status, 0) + 1
        self._result.latencies.append(time.perf_counter() - self._sent_at)
        self._idle(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a request without an answer as status 0."""
        if self.waiting:
            self._result.statuses[0] = self._result.statuses.get(0, 0) + 1
        if not self.closed.done():
            self.closed.set_result(None)


async def _connect(port: int, result: LoadResult, idle: Callable[[LoadConnection], None]) -> LoadConnection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: LoadConnection(result, idle), "127.0.0.1", port)
    return connection


async def blast(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> LoadResult:
    """Send as fast as `connections` kept-alive connections can, for `seconds` or until there are no more requests."""
    result, start = LoadResult(), time.perf_counter()

    def send_next(connection: LoadConnection) -> None:
        request = next(requests, None) if time.perf_counter() < start + seconds else None
        if request is None:
            connection.close()
        else:
            connection.send(request)

    opened = [await _connect(port, result, send_next) for _ in range(connections)]
    start = time.perf_counter()
    for connection in opened:
        send_next(connection)
    await asyncio.wait_for(asyncio.gather(*(connection.closed for connection in opened)), seconds + TIMEOUT_SECONDS)
    result.seconds = time.perf_counter() - start
    return result


class LoadConnectionPool:
    """Kept-alive connections, opened only when needed: each idle one may hold a thread of the server."""

    def __init__(self, port: int, result: LoadResult, limit: int) -> None:
        self._port, self._result, self._limit = port, result, limit
        self._free: list[LoadConnection] = []
        self._opened: list[LoadConnection] = []

    async def get(self) -> LoadConnection | None:
        """An idle connection, or a new one; None when `limit` are busy."""
        while self._free:
            if not (found := self._free.pop()).closed.done():
                return found
        self._opened = [connection for connection in self._opened if not connection.closed.done()]
        if len(self._opened) >= self._limit:
            return None
        connection = await _connect(self._port, self._result, self._free.append)
        self._opened.append(connection)
        return connection

    async def close(self) -> None:
        """Wait for the requests under way, then close; those that take too long count as status 0."""
        end = time.perf_counter() + TIMEOUT_SECONDS
        while self._busy() and time.perf_counter() < end:  # noqa: ASYNC110 - each connection ends by itself
            await asyncio.sleep(0.01)
        for connection in self._opened:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in self._opened))

    def _busy(self) -> bool:
        return any(connection.waiting and not connection.closed.done() for connection in self._opened)


async def paced(port: int, requests: Iterable[bytes], rate: float, *, connections: int = 64) -> tuple[LoadResult, list[float]]:
    """Send `rate` requests a second, however long the answers take; return the result, and when each was sent (epoch seconds).

    A request that finds all connections busy is counted and not sent: waiting for the server would hide its delay.
    """
    result, posted = LoadResult(), list[float]()
    pool, start = LoadConnectionPool(port, result, connections), time.perf_counter()
    for index, request in enumerate(requests):
        if (wait := start + index / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        posted.append(time.time())
        connection = await pool.get()
        if connection:
            connection.send(request)
        else:
            result.not_sent += 1
            await asyncio.sleep(0)
    result.seconds = time.perf_counter() - start
    await pool.close()
    return result, posted


def request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """An HTTP/1.1 POST of a form, as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + HEAD_END + body


def signed_sms(number: int, port: int) -> bytes:
    """Twilio's webhook with its real set of 19 fields, signed as Twilio signs; `number` makes the MessageSid and the sender."""
    sid = f"SM{number:032x}"
    form = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "", "SmsSid": sid,
        "FromState": "", "SmsStatus": "received", "FromCity": "", "Body": f"What is on my list today? ({number})", "FromCountry": "US",
        "To": BOSS, "ToZip": "", "NumSegments": "1", "MessageSid": sid, "AccountSid": ACCOUNT, "From": phone(number),
        "ApiVersion": "2010-04-01",
    }  # fmt: skip
    text = f"http://127.0.0.1:{port}/sms/inbound" + "".join(name + form[name] for name in sorted(form))
    signature = b64encode(hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return request("/sms/inbound", urlencode(form).encode(), {"X-Twilio-Signature": signature})
