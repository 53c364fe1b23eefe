"""A guest of the bridge who says what a test wants, and can be as rude as a socket allows: for tests of bad input and faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared.config.secret_rules import EXAMPLE_TOKEN
from tests.support.bridge import BridgeProcess
from tests.support.installation import JsonObject, Person
from tests.support.users_file import BOSS_PHONE

ESTABLISHED: Final = "01"
SOON: Final = 10.0
"""Patience with an answer that comes at once."""


class RawClient:
    """One connection, frame by frame."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link

    async def say(self, **frame: object) -> None:
        """Send an object; `from_` for `from`."""
        await self.link.send(json.dumps({name.rstrip("_"): value for name, value in frame.items()}))

    async def hear(self) -> JsonObject:
        """The next frame."""
        raw = await asyncio.wait_for(self.link.recv(), SOON)
        assert isinstance(raw, str)
        found: JsonObject = json.loads(raw)
        return found

    async def ask(self, **frame: object) -> JsonObject:
        """The frame that answers this one."""
        await self.say(**frame)
        return await self.hear()

    async def enter(self, **more: object) -> JsonObject:
        """Authenticate."""
        result = await self.ask(type="auth", token=EXAMPLE_TOKEN, **more)
        assert result["success"] is True, result
        return result

    async def until_pong(self) -> list[JsonObject]:
        """What came before the pong of a ping that is sent now: the bridge has judged all frames before."""
        await self.say(type="ping", id="the end")
        heard = [await self.hear()]
        while (heard[-1]["type"], heard[-1].get("in_reply_to")) != ("pong", "the end"):
            heard.append(await self.hear())
        return heard[:-1]

    async def end(self) -> int | None:
        """Wait until the bridge has closed; the close code."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(SOON):
                while True:
                    await self.link.recv()
        return self.link.close_code

    async def text(self, person: Person, word: object, identity: str = "") -> None:
        """Somebody's text, under an id if there is one."""
        more = {"id": identity} if identity else {}
        await self.say(type="sms_received", from_=person.phone, to=BOSS_PHONE, message=person.says(word), user=person.tag, **more)

    async def answer(self) -> JsonObject:
        """The next frame that is no acknowledgement."""
        while (frame := await self.hear())["type"] == "message_acknowledged":
            pass
        return frame


@asynccontextmanager
async def raw_client(url: str, *, enter: bool = True, auth: JsonObject | None = None, **arguments: Any) -> AsyncIterator[RawClient]:
    """A connection, authenticated unless told otherwise."""
    async with connect(url, proxy=None, ping_interval=None, close_timeout=1, **arguments) as link:
        found = RawClient(link)
        if enter:
            await found.enter(**(auth or {}))
        yield found


async def served_within(url: str) -> float:
    """A client comes, authenticates and pings; the seconds that this took."""
    began = time.monotonic()
    async with raw_client(url) as good:
        assert (await good.ask(type="ping"))["type"] == "pong"
        return time.monotonic() - began


def resident(bridge: BridgeProcess) -> int:
    """The bridge's resident memory in KiB."""
    status = Path(f"/proc/{bridge.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def connections(bridge: BridgeProcess) -> int:
    """How many connections the bridge has with clients, as the kernel counts them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[1].endswith(f":{bridge.port:04X}") and row[3] == ESTABLISHED for row in rows)


def handshake(host: str, extra: str = "") -> bytes:
    """A WebSocket handshake, with these headers whatever they are."""
    return (
        f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{extra}"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode("latin-1")


async def response_to(port: int, request: bytes) -> tuple[int | None, bytes]:
    """The HTTP status of what comes back, None without one, and the whole; the bridge closes all but an upgrade."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        async with asyncio.timeout(SOON):
            head = await reader.readuntil(b"\r\n")
            status = int(head.split()[1])
            rest = b"" if status == 101 else await reader.read()
            writer.close()
            return status, rest
    writer.close()
    return None, b""


async def half_open(port: int, hello: bytes) -> socket.socket:
    """A connection that says no more than this."""
    half = socket.socket()
    half.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(half, ("127.0.0.1", port))
    if hello:
        with contextlib.suppress(ConnectionError):
            await loop.sock_sendall(half, hello)
    return half


def still_open(half: socket.socket) -> bool:
    """Whether the other side has not closed it."""
    try:
        while half.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def deaf_client(port: int) -> Iterator[socket.socket]:
    """An authenticated client with a small buffer that reads nothing more."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(SOON)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(handshake(f"127.0.0.1:{port}"))
        assert b" 101 " in deaf.recv(4096)
        deaf.sendall(client_frame(json.dumps({"type": "auth", "token": EXAMPLE_TOKEN})))
        assert b'"success": true' in deaf.recv(4096).replace(b'":true', b'": true')
        yield deaf


def client_frame(text: str) -> bytes:
    """A masked text frame; a mask of zeros leaves the text as it is."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data
