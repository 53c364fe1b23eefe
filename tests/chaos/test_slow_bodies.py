"""Hundreds of connections with three bytes of a body each, large and small: webhooks go on, and the slow ones are closed."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.table import FULL
from tests.support.processes import WebProcess
from tests.support.server import EmbeddedServer
from tests.support.texters import text, users
from tests.support.wait import wait_for

CONNECTIONS: Final = 500 if FULL else 150
LOOK: Final = 14.0 if FULL else 3.0
IN_TIME: Final = 3.0
SIZES: Final = (b"500", b"500000")
HEAD: Final = b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\nX-Twilio-Signature: " + b"A" * 27 + b"=\r\n\r\nFro"
MAIL: Final = b"POST /email/inbound HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %s\r\n\r\n--x"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebProcess]:
    """A web process with one user."""
    (tmp_path / "users.toml").write_text(users(1))
    with EmbeddedServer() as server:
        settings = {"REDIS_URL": server.url, "BOSS_DATA_DIR": str(tmp_path / "data"), "BOSS_USERS_FILE": str(tmp_path / "users.toml")}
        with WebProcess({**settings, "SANDBOX": "on", "SMS_SETTLE_SECONDS": "0"}) as running:
            yield running


def test_webhooks_go_on_behind_hundreds_of_slow_bodies(web: WebProcess) -> None:
    """Each text is taken in time meanwhile; after the deadline the connections are closed (in `make chaos`)."""
    with contextlib.ExitStack() as stack:
        slow = []
        for number in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", int(web.settings["PORT"])), timeout=5))
            client.sendall((HEAD, MAIL)[number // 2 % 2] % SIZES[number % 2])
            slow.append(client)
        times, end, number = list[float](), time.monotonic() + LOOK, 0
        while time.monotonic() < end:
            began = time.monotonic()
            assert text(web, 0, number) == 200
            times.append(time.monotonic() - began)
            number += 1
        assert max(times) < IN_TIME
        if FULL:
            wait_for(lambda: all(map(_closed, slow)), 20, "all slow connections to be closed", every=0.5)
            assert "slow_bodies" in web.output


def _closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(4096):
            pass  # the answer, before the end
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
