"""The deadline of a body, on real connections: who brings nothing, or too little, is closed; nobody else is."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from webhook_api import deadline
from webhook_api.deadline import Deadline

SHORT = 0.2


class Served:
    """A listener of this process, and its connections: ours is the client's end, `accepted` the server's."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = int(self._listener.getsockname()[1])

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Both ends."""
        client = self._stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=5))
        accepted, _ = self._listener.accept()
        return client, self._stack.enter_context(accepted)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """With a short deadline, and nobody but the test to look."""
    monkeypatch.setattr(deadline, "SECONDS", SHORT)
    monkeypatch.setattr(deadline, "LOOK_SECONDS", 3600)
    with ExitStack() as stack:
        yield Served(stack)


def closed(client: socket.socket) -> bool:
    """Whether the server has closed it."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def test_who_brings_nothing_or_trickles_is_closed_and_who_brings_enough_is_not(served: Served) -> None:
    """The rate is that of the least; an answer given lately excuses, as between two requests of a connection that is kept."""
    silent, trickling, quick, answered = (served.connect() for _ in range(4))
    watch = Deadline(100)
    with watch.over({"SERVER_PORT": str(served.port)}):
        for client, _ in (silent, trickling):
            client.sendall(b"Fro")
        quick[0].sendall(b"x" * deadline.LEAST_RATE)
        quick[1].recv(deadline.LEAST_RATE)
        for _ in range(3):
            time.sleep(SHORT / 2)  # the deadline itself
            trickling[0].sendall(b"x")
        answered[1].sendall(b"HTTP/1.1 200 OK")
        assert answered[0].recv(100)
        assert watch.look() == 2
    assert [closed(client) for client, _ in (silent, trickling, quick, answered)] == [True, True, False, False]


def test_without_an_overdue_body_no_connection_is_touched(served: Served) -> None:
    """Whatever a connection that is kept open does not say."""
    client, _ = served.connect()
    watch = Deadline(100)
    time.sleep(SHORT)
    assert watch.look() == 0
    with watch.over({"SERVER_PORT": str(served.port)}):
        assert watch.look() == 0
    assert not closed(client)


def test_other_ports_connections_are_not_ours_to_close(served: Served) -> None:
    """Redis's own connection is silent as well."""
    client, _ = served.connect()
    watch = Deadline(100)
    with watch.over({"SERVER_PORT": "1"}):
        time.sleep(SHORT)
        assert watch.look() == 0
    assert not closed(client)


def test_with_many_under_way_each_has_less_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a flood does not use up the threads."""
    monkeypatch.setattr(deadline, "SECONDS", 3600)
    monkeypatch.setattr(deadline, "PRESSED_SECONDS", SHORT)
    client, _ = served.connect()
    watch, environ = Deadline(1), {"SERVER_PORT": str(served.port)}
    with watch.over(environ):
        time.sleep(SHORT)
        assert watch.look() == 0
        with watch.over(environ):
            assert watch.look() == 1
    assert closed(client)


def test_a_read_that_was_closed_ends(served: Served) -> None:
    """The thread that waits in it is free again."""
    _, accepted = served.connect()
    watch, got = Deadline(100), list[bytes]()
    thread = threading.Thread(target=lambda: got.append(accepted.recv(10)))
    with watch.over({"SERVER_PORT": str(served.port)}):
        thread.start()
        time.sleep(SHORT)
        assert watch.look() == 1
        thread.join(5)
    assert got == [b""]
