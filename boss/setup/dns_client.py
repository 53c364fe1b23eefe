"""One question to a DNS server: CNAME, MX or TXT of a name (RFC 1035), by UDP, and by TCP where the answer was cut.

The system's resolver tells addresses alone; these records are what SendGrid asks for. An answer is read as what a stranger wrote: every
length and every jump is bounded.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import BosslineError

KINDS: Final = {"CNAME": 5, "MX": 15, "TXT": 16}
SECONDS: Final = 3.0
MAX_SERVERS: Final = 3
MAX_ANSWER: Final = 65_535
MAX_NAME: Final = 255
MAX_LABEL: Final = 63
MAX_JUMPS: Final = 32
PORT: Final = 53
RESOLV_CONF: Final = Path("/etc/resolv.conf")
_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!2HIH")
_ANSWER, _CUT, _CODE, _WANTED = 0x8000, 0x0200, 0x000F, 0x0100
_NO_ERROR, _NO_NAME, _INTERNET, _POINTER = 0, 3, 1, 0xC0

Server = tuple[str, int]


class DnsUnanswered(BosslineError):
    """No server has answered the question."""

    code = "dns_unanswered"


class BadAnswer(ValueError):
    """A datagram that is no answer to the question."""


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """One record's data: a name in lower case without its last dot, or a text."""

    data: str
    priority: int | None = None


def system_servers(path: Path = RESOLV_CONF) -> tuple[Server, ...]:
    """The servers that this machine asks, in their order."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple((found[1], PORT) for found in words if len(found) > 1 and found[0] == "nameserver")[:MAX_SERVERS]


def server_of(text: str) -> Server:
    """HOST or HOST:PORT; an IPv6 address with a port is in brackets. Raises ValueError."""
    host, mark, port = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "")
    if not mark or text.endswith("]"):
        return str(ipaddress.ip_address(text.strip("[]"))), PORT
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)


def query(name: str, kind: str, servers: Sequence[Server], seconds: float = SECONDS) -> list[FoundRecord]:
    """The records of a name, [] where there are none. Raises DnsUnanswered."""
    why = "there is no DNS server in /etc/resolv.conf"
    for server in servers:
        question = _question(name, KINDS[kind])
        try:
            answer = _by_udp(server, question, seconds)
            return _records(answer, name, KINDS[kind])
        except (OSError, BadAnswer, struct.error) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    raise DnsUnanswered(why)


def _question(name: str, kind: int) -> bytes:
    labels = (
        [label.encode("idna") for label in name.rstrip(".").split(".")]
        if not name.isascii()
        else [each.encode() for each in name.rstrip(".").split(".")]
    )
    if any(not 0 < len(label) <= MAX_LABEL for label in labels):
        raise DnsUnanswered("the name is none of a host")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(secrets.randbelow(1 << 16), _WANTED, 1, 0, 0, 0) + encoded + struct.pack("!2H", kind, _INTERNET)


def _by_udp(server: Server, question: bytes, seconds: float) -> bytes:
    """The answer; a datagram that is not for this question is passed over."""
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(seconds)
        datagrams.connect(server)
        datagrams.send(question)
        for _ in range(8):
            answer = datagrams.recv(MAX_ANSWER)
            if answer[:2] == question[:2] and _echoes(answer, question):
                return _by_tcp(server, question, seconds) if _HEADER.unpack_from(answer)[1] & _CUT else answer
    raise BadAnswer("other datagrams only")


def _echoes(answer: bytes, question: bytes) -> bool:
    """Whether an answer repeats the question."""
    asked = question[_HEADER.size :]
    return len(answer) >= _HEADER.size and answer[_HEADER.size : _HEADER.size + len(asked)].lower() == asked.lower()


def _by_tcp(server: Server, question: bytes, seconds: float) -> bytes:
    with socket.create_connection(server, timeout=seconds) as stream:
        stream.sendall(struct.pack("!H", len(question)) + question)
        (length,) = struct.unpack("!H", _exactly(stream, 2))
        answer = _exactly(stream, length)
    if answer[:2] != question[:2] or not _echoes(answer, question):
        raise BadAnswer("another answer")
    return answer


def _exactly(stream: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = stream.recv(length - len(found))
        if not piece:
            raise BadAnswer("the answer ends early")
        found += piece
    return found


def _records(answer: bytes, name: str, kind: int) -> list[FoundRecord]:
    """The records of that kind in an answer. Raises BadAnswer, struct.error."""
    _, flags, questions, count, _, _ = _HEADER.unpack_from(answer)
    code = flags & _CODE
    if not flags & _ANSWER or code not in (_NO_ERROR, _NO_NAME):
        raise BadAnswer(f"code {code}")
    place = _HEADER.size
    for _ in range(questions):
        _, place = _name(answer, place)
        place += 4
    return list(_read(answer, place, count, name.rstrip(".").lower(), kind))


def _read(answer: bytes, place: int, count: int, asked: str, kind: int) -> Iterator[FoundRecord]:
    for _ in range(count):
        owner, place = _name(answer, place)
        found, network, _, length = _RECORD.unpack_from(answer, place)
        place += _RECORD.size
        end = place + length
        if end > len(answer):
            raise BadAnswer("a record ends behind the answer")
        if (found, network) == (kind, _INTERNET) and (kind != KINDS["CNAME"] or owner == asked):
            yield _data(answer, place, end, kind)
        place = end


def _data(answer: bytes, place: int, end: int, kind: int) -> FoundRecord:
    if kind == KINDS["MX"]:
        (priority,) = struct.unpack_from("!H", answer, place)
        return FoundRecord(_name(answer, place + 2)[0], priority)
    if kind == KINDS["TXT"]:
        pieces = []
        while place < end:
            pieces.append(answer[place + 1 : min(place + 1 + answer[place], end)])
            place += 1 + answer[place]
        return FoundRecord(b"".join(pieces).decode("utf-8", "replace"))
    return FoundRecord(_name(answer, place)[0])


def _name(answer: bytes, place: int) -> tuple[str, int]:
    """The name at a place, and the place behind it. A pointer is followed; names that go in circles end."""
    labels: list[str] = []
    behind, jumps, size = -1, 0, 0
    while True:
        if place >= len(answer):
            raise BadAnswer("a name ends behind the answer")
        length = answer[place]
        if length >= _POINTER:
            if place + 1 >= len(answer) or jumps == MAX_JUMPS:
                raise BadAnswer("a name without an end")
            behind = place + 2 if behind < 0 else behind
            place, jumps = ((length & ~_POINTER) << 8) | answer[place + 1], jumps + 1
            continue
        place += 1
        if not length:
            return ".".join(labels).lower(), place if behind < 0 else behind
        size += length + 1
        if length > MAX_LABEL or size > MAX_NAME:
            raise BadAnswer("a name that is too long")
        labels.append(answer[place : place + length].decode("ascii", "replace"))
        place += length
