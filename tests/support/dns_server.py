"""A DNS server on loopback for a test: it answers from a table, by UDP, and by TCP where an answer is to be cut."""

from __future__ import annotations

import socketserver
import struct
import threading
from types import TracebackType
from typing import Any, Self, cast

KINDS = {5: "CNAME", 15: "MX", 16: "TXT"}
Records = dict[tuple[str, str], list[str]]
"""(name, kind) to data: a name, "10 name" for an MX, a text."""


class DnsServer:
    """Answers what is in `records`, NXDOMAIN for a name that is not; `cut` names are answered whole by TCP alone."""

    def __init__(self, records: Records | None = None) -> None:
        self.records: Records = records or {}
        self.cut: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []
        self.answer: bytes | None = None
        """What is answered instead, behind the question's id."""
        self._servers: list[socketserver.BaseServer] = []

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = cast("Any", self._servers[0].server_address)[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        """Listen on one port by both ways."""
        room = self

        class ByUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                question, socket = cast("Any", self.request)
                socket.sendto(room.reply(question, "udp"), self.client_address)

        class ByTcp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                (length,) = struct.unpack("!H", self.request.recv(2))
                answer = room.reply(self.request.recv(length), "tcp")
                self.request.sendall(struct.pack("!H", len(answer)) + answer)

        self._servers = [*_on_one_port(ByUdp, ByTcp)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def reply(self, question: bytes, way: str) -> bytes:
        """The answer to a question."""
        if self.answer is not None:
            return question[:2] + self.answer
        name, place = read_name(question, 12)
        (kind,) = struct.unpack_from("!H", question, place)
        word = KINDS.get(kind, str(kind))
        self.asked.append((name, word, way))
        known = {each for each, _ in self.records}
        found = self.records.get((name, word), [])
        cut = name in self.cut and way == "udp"
        flags = 0x8180 | (0x0200 if cut else 0) | (0 if name in known else 3)
        answers = b"" if cut else b"".join(encoded(kind, each) for each in found)
        return question[:2] + struct.pack("!5H", flags, 1, 0 if cut else len(found), 0, 0) + question[12:] + answers


def _on_one_port(
    by_udp: type[socketserver.BaseRequestHandler], by_tcp: type[socketserver.BaseRequestHandler]
) -> tuple[socketserver.BaseServer, socketserver.BaseServer]:
    """Two servers on a port that is free for both."""
    for _ in range(50):
        udp = socketserver.UDPServer(("127.0.0.1", 0), by_udp)
        try:
            return udp, socketserver.TCPServer(udp.server_address[:2], by_tcp)
        except OSError:
            udp.server_close()
    raise AssertionError("no port is free for both")


def read_name(data: bytes, place: int) -> tuple[str, int]:
    labels = []
    while data[place]:
        labels.append(data[place + 1 : place + 1 + data[place]].decode())
        place += 1 + data[place]
    return ".".join(labels).lower(), place + 1


def encoded(kind: int, data: str) -> bytes:
    """A record whose owner points to the question's name."""
    if kind == 16:
        body = bytes([len(data)]) + data.encode()
    elif kind == 15:
        priority, _, host = data.partition(" ")
        body = struct.pack("!H", int(priority)) + name_of(host)
    else:
        body = name_of(data)
    return b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, len(body)) + body


def name_of(host: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0"
