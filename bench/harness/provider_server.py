"""Plays Claude and Twilio for measurements: valid answers after a settable delay, at a fraction of the sandbox's cost.

One process, one loop, HTTP/1.1 by hand. It counts what it is asked and keeps when and to whom each text was sent, so that a
measurement ends when the last one arrived and knows whether any came twice. Jobs without Twilio in them send a datagram, which
counts as a send. It is no sandbox: nothing is checked.

    POST /v1/messages                 Claude, after the delay
    POST .../Messages.json            Twilio: 201 with an id of its own
    GET  .../Messages.json            Twilio's list: always empty
    POST /delay/SECONDS               how long Claude takes from now on
    POST /reset                       forget everything but the delay
    GET  /counts, GET /sends/FROM     what was counted; the sends from number FROM on, one line each: time, recipient
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

HEAD_END: Final = b"\r\n\r\n"
ANSWER: Final = "Milk, bread, and the letter to the bank."
MESSAGE: Final = json.dumps({
    "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-bench", "content": [{"type": "text", "text": ANSWER}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 100, "output_tokens": 20},
}).encode()  # fmt: skip
SENT: Final = (
    b'{"sid": "SM%032x", "account_sid": "AC", "api_version": "2010-04-01", "body": "", "date_created": "Mon, 01 Jan 2024 00:00:00 +0000", '
    b'"date_updated": null, "date_sent": null, "direction": "outbound-api", "error_code": null, "error_message": null, "from": "", '
    b'"messaging_service_sid": null, "num_media": "0", "num_segments": "1", "price": null, "price_unit": "USD", "status": "queued", '
    b'"subresource_uris": {}, "to": "", "uri": ""}'
)
NONE_SENT: Final = b'{"messages": [], "next_page_uri": null, "page": 0, "page_size": 100, "uri": "", "first_page_uri": ""}'


@dataclass(slots=True)
class Counts:
    """What came in since the last reset; times are seconds of the epoch."""

    asked: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    first_asked: float = 0.0
    last_asked: float = 0.0
    sent: int = 0


@dataclass(slots=True)
class State:
    """All that the process remembers."""

    delay: float = 0.0
    counts: Counts = field(default_factory=Counts)
    sends: list[tuple[float, str]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, to: str) -> None:
        """Keep a send."""
        self.sends.append((time.time(), to))
        self.counts.sent += 1

    def begin(self) -> None:
        """Claude is asked."""
        counts, now = self.counts, time.time()
        counts.asked += 1
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        counts.first_asked = counts.first_asked or now
        counts.last_asked = now

    def reset(self) -> None:
        """Forget; what is still in flight stays counted."""
        self.counts = Counts(in_flight=self.counts.in_flight, most_in_flight=self.counts.in_flight)
        self.sends = []


class Connection(asyncio.Protocol):
    """One kept-alive connection; its requests come one after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""
        self._asked_here = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
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
            self._state.begin()
            self._asked_here = True
            asyncio.get_running_loop().call_later(self._state.delay, self._said)
        elif path.partition(b"?")[0].endswith(b"/Messages.json"):
            self._twilio(method, body)
        else:
            self._write(b"200 OK", control(self._state, path.decode()))

    def _said(self) -> None:
        if self._asked_here:
            self._asked_here = False
            self._state.counts.in_flight -= 1
            self._write(b"200 OK", MESSAGE)

    def _twilio(self, method: bytes, body: bytes) -> None:
        if method == b"GET":
            self._write(b"200 OK", NONE_SENT)
            return
        self._state.send(parse_qs(body.decode())["To"][0])
        self._write(b"201 Created", SENT % next(self._state.numbers))

    def _write(self, status: bytes, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def connection_lost(self, _error: Exception | None) -> None:
        """Who asked and went away is not in flight."""
        if self._asked_here:
            self._asked_here = False
            self._state.counts.in_flight -= 1


def take_marks(marks: socket.socket, state: State) -> None:
    """Keep the datagrams that wait, of jobs that send nothing else, as sends."""
    with contextlib.suppress(BlockingIOError):
        while True:
            state.send(marks.recv(200).decode())


def content_length(head: bytes) -> int:
    """A request's Content-Length, 0 without one."""
    start = head.lower().find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    end = head.find(b"\r\n", start + 17)
    return int(head[start + 17 : end if end > 0 else None])


def control(state: State, path: str) -> bytes:
    """Do what a measurement asks for."""
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
    loop, state = asyncio.get_running_loop(), State()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", port, backlog=4096)
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    box.setblocking(False)
    box.bind(marks)
    loop.add_reader(box, take_marks, box, state)
    async with server:
        print("listening", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
