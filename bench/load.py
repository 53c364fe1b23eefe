"""A load generator that costs little: requests are built before the clock starts, connections are kept alive.

It must not be what is measured: a Python client with an HTTP library tops out below what a bare route answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Result:
    """What one round gave: answers by status, seconds of wall time, each answer's latency in seconds."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Answers with a 2xx."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, requests: Iterator[bytes], deadline: float, result: Result, done: asyncio.Future[None]) -> None:
        self.requests, self.deadline, self.result, self.done = requests, deadline, result, done
        self.buffer = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self.requests, None)
        if request is None or time.perf_counter() >= self.deadline:
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(HEAD_END)
        if not separator or len(rest) < _content_length(head):
            return
        self.buffer = b""
        status = int(head[9:12])
        self.result.statuses[status] = self.result.statuses.get(status, 0) + 1
        self.result.latencies.append(time.perf_counter() - self.sent_at)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def blast(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Result:
    """Send as fast as `connections` kept-alive connections can for `seconds`."""
    loop = asyncio.get_running_loop()
    result, start = Result(), time.perf_counter()
    waiting = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda done=done: _Connection(requests, start + seconds, result, done), "127.0.0.1", port)  # type: ignore[misc]
        waiting.append(done)
    await asyncio.wait_for(asyncio.gather(*waiting), seconds + 30)
    result.seconds = time.perf_counter() - start
    return result


def request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """One HTTP/1.1 POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + HEAD_END + body


def signed_sms(number: int, *, url: str, account: str, token: str, from_: str, to: str) -> bytes:
    """Twilio's webhook with its real set of 19 fields, signed as Twilio signs; `number` makes its MessageSid."""
    sid = f"SM{number:032x}"
    form = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "", "SmsSid": sid,
        "FromState": "", "SmsStatus": "received", "FromCity": "", "Body": f"What is on my list today? ({number})", "FromCountry": "US",
        "To": to, "ToZip": "", "NumSegments": "1", "MessageSid": sid, "AccountSid": account, "From": from_, "ApiVersion": "2010-04-01",
    }  # fmt: skip
    text = url + "".join(name + form[name] for name in sorted(form))
    signature = b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return request("/sms/inbound", urlencode(form).encode(), {"X-Twilio-Signature": signature})
