"""A stub of Claude and Twilio for measurements: valid answers after a settable delay, at a fraction of the sandbox's cost.

One process, one loop, HTTP/1.1 by hand. It counts the requests and records when and to whom each text was sent, so that a
measurement ends with the last one and finds those that came twice. Jobs that do not call Twilio send a datagram, which counts as
a send. Unlike the sandbox it checks nothing.

    POST /v1/messages                 Claude, after the delay
    POST .../Messages.json            Twilio: 201 with an id of its own
    GET  .../Messages.json            Twilio's list: always empty
    POST /delay/SECONDS               set Claude's delay
    POST /reset                       forget everything but the delay
    GET  /counts                      `ProviderCounts` as JSON
    GET  /sends/FROM                  the sends from number FROM on, one line each: time, recipient
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Final, cast
from urllib.parse import parse_qs

import uvloop

from bench.harness.http_bytes import HEAD_END, content_length

ANSWER: Final = "Milk, bread, and the letter to the bank."
MESSAGE: Final = json.dumps({
    "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-bench", "content": [{"type": "text", "text": ANSWER}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 100, "output_tokens": 20},
}).encode()  # fmt: skip
CREATED: Final = (
    b'{"sid": "SM%032x", "account_sid": "AC", "api_version": "2010-04-01", "body": "", "date_created": "Mon, 01 Jan 2024 00:00:00 +0000", '
    b'"date_updated": null, "date_sent": null, "direction": "outbound-api", "error_code": null, "error_message": null, "from": "", '
    b'"messaging_service_sid": null, "num_media": "0", "num_segments": "1", "price": null, "price_unit": "USD", "status": "queued", '
    b'"subresource_uris": {}, "to": "", "uri": ""}'
)
EMPTY_LIST: Final = b'{"messages": [], "next_page_uri": null, "page": 0, "page_size": 100, "uri": "", "first_page_uri": ""}'


@dataclass(slots=True)
class ProviderCounts:
    """The requests since the last reset. `asked` are those to Claude, `sent` the sends; times are seconds of the epoch."""

    asked: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    first_asked: float = 0.0
    last_asked: float = 0.0
    sent: int = 0


@dataclass(slots=True)
class ProviderState:
    """The process's state."""

    delay: float = 0.0
    counts: ProviderCounts = field(default_factory=ProviderCounts)
    sends: list[tuple[float, str]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, to: str) -> None:
        """Record a send."""
        self.sends.append((time.time(), to))
        self.counts.sent += 1

    def count_request(self) -> None:
        """Count a request to Claude."""
        counts, now = self.counts, time.time()
        counts.asked += 1
        counts.in_flight += 1
        counts.max_in_flight = max(counts.max_in_flight, counts.in_flight)
        counts.first_asked = counts.first_asked or now
        counts.last_asked = now

    def reset(self) -> None:
        """Forget the counts and sends; what is in flight stays counted."""
        self.counts = ProviderCounts(in_flight=self.counts.in_flight, max_in_flight=self.counts.in_flight)
        self.sends = []


class ProviderConnection(asyncio.Protocol):
    """One kept-alive connection with one request at a time."""

    def __init__(self, state: ProviderState) -> None:
        self._state = state
        self._buffer = b""
        self._asking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(HEAD_END)
            if not found:
                return
            length = content_length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head[: head.index(b"\r\n")], rest[:length])

    def _answer(self, line: bytes, body: bytes) -> None:
        method, path, _ = line.split(b" ", 2)
        if path == b"/v1/messages":
            self._state.count_request()
            self._asking = True
            asyncio.get_running_loop().call_later(self._state.delay, self._answer_as_claude)
        elif path.partition(b"?")[0].endswith(b"/Messages.json"):
            self._answer_as_twilio(method, body)
        else:
            self._write(b"200 OK", control(self._state, path.decode()))

    def _answer_as_claude(self) -> None:
        if self._asking:
            self._asking = False
            self._state.counts.in_flight -= 1
            self._write(b"200 OK", MESSAGE)

    def _answer_as_twilio(self, method: bytes, body: bytes) -> None:
        if method == b"GET":
            self._write(b"200 OK", EMPTY_LIST)
            return
        self._state.send(parse_qs(body.decode())["To"][0])
        self._write(b"201 Created", CREATED % next(self._state.numbers))

    def _write(self, status: bytes, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def connection_lost(self, _error: Exception | None) -> None:
        """A request whose client is gone is no longer in flight."""
        if self._asking:
            self._asking = False
            self._state.counts.in_flight -= 1


def receive_marks(marks: socket.socket, state: ProviderState) -> None:
    """Record the datagrams that have come, from jobs that do not call Twilio, as sends."""
    with contextlib.suppress(BlockingIOError):
        while True:
            state.send(marks.recv(200).decode())


def control(state: ProviderState, path: str) -> bytes:
    """Answer a request of the measurement."""
    _, word, value = f"{path}/".split("/", 2)
    if word == "delay":
        state.delay = float(value.strip("/"))
    elif word == "reset":
        state.reset()
    elif word == "sends":
        return "".join(f"{at:.6f} {to}\n" for at, to in state.sends[int(value.strip("/")) :]).encode()
    return json.dumps(asdict(state.counts)).encode()


async def main(port: int, marks: str) -> None:
    """Serve until killed."""
    loop, state = asyncio.get_running_loop(), ProviderState()
    server = await loop.create_server(lambda: ProviderConnection(state), "127.0.0.1", port, backlog=4096)
    marks_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    marks_socket.setblocking(False)
    marks_socket.bind(marks)
    loop.add_reader(marks_socket, receive_marks, marks_socket, state)
    async with server:
        print("listening", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
