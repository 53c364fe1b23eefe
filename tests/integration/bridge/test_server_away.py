"""The bridge while Redis is away, and after its own death: nothing is lost, and nobody is kept waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from shared.mailbox import Mailbox
from tests.support.bridge import BridgeProcess, Talker, answer, newest
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

ANSWER_SECONDS = 3.0


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """This module's own: it is stopped and frozen."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def bridge(server: EmbeddedServer) -> Iterator[BridgeProcess]:
    """A bridge of the test's own."""
    with server.client() as redis:
        redis.flushall()
    settings = {"REDIS_URL": server.url, "SANDBOX": "on", "BRIDGE_ANSWER_SECONDS": str(ANSWER_SECONDS), "BRIDGE_BURST": "100"}
    with BridgeProcess(settings) as running:
        yield running


def test_a_killed_bridge_loses_nothing(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """The client repeats its id at the next one, and gets the reply that was stored meanwhile."""
    with Talker(bridge.url) as client, server.client() as redis:
        client.log_in(client="me").text("Hello", id="1").hear()
        bridge.kill9()
        assert client.closed() == 1006
        answer(redis, newest(redis), "Hi there")
        bridge.start()
        with Talker(bridge.url) as again:
            again.log_in(client="me").text("Hello", id="1")
            assert [again.hear()["type"], again.hear()["message"]] == ["message_acknowledged", "Hi there"]
        assert len(Mailbox(redis).recent(9)) == 1


def test_a_restart_of_redis_is_outlasted(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """Clients stay connected, hear at once that nothing can be stored, and get the answers to what was stored before."""
    with Talker(bridge.url) as client:
        client.log_in(client="me").text("Hello", id="1").hear()
        with server.client() as redis:
            message = newest(redis)
        server.kill9()
        start = time.monotonic()
        for number in range(5):
            client.text("Hello", id=f"away {number}")
        client.text("Hello")
        heard = [client.hear() for _ in range(6)]
        assert time.monotonic() - start < 3
        assert [(frame["code"], frame["retryable"]) for frame in heard] == [("storage_unavailable", True)] * 6
        server.start()
        with server.client() as redis:
            answer(redis, message)
        assert client.hear()["in_reply_to"] == "1"
        client.text("Hello", id="away 0")
        assert client.hear()["type"] == "message_acknowledged"


def test_a_frozen_redis_keeps_nobody_waiting(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """Forty requests of four clients are told within the timeouts of two, and pings are answered meanwhile."""
    clients = [Talker(bridge.url).log_in(client=f"c{number}") for number in range(4)]
    server.freeze()
    try:
        start = time.monotonic()
        for client in clients:
            for number in range(10):
                client.text("Hello", id=f"{number}")
            assert client.ask(type="ping") == {"type": "pong"}
        assert time.monotonic() - start < 1
        heard = [client.hear() for client in clients for _ in range(10)]
        assert time.monotonic() - start < 6
        assert {frame["code"] for frame in heard} == {"storage_unavailable"}
    finally:
        server.thaw()
    for client in clients:
        client.text("Hello", id="0")
        assert client.hear()["type"] == "message_acknowledged"
        client.close()


@pytest.mark.parametrize("trouble", ["frozen", "killed"])
def test_an_old_client_hears_its_acknowledgement_without_redis(server: EmbeddedServer, bridge: BridgeProcess, trouble: str) -> None:
    """The limit holds; the message is handed over when Redis is back, so nobody answers it twice."""
    with Talker(bridge.url) as client:
        client.log_in().text("Hello")
        with server.client() as redis:
            message, start = newest(redis), time.monotonic()
        (server.freeze if trouble == "frozen" else server.kill9)()
        try:
            assert client.hear()["type"] == "message_acknowledged"
            assert time.monotonic() - start < ANSWER_SECONDS + 0.3
        finally:
            (server.thaw if trouble == "frozen" else server.start)()
        with server.client() as redis:
            wait_for(lambda: (record := Mailbox(redis).message(message)) and record.state == "handed_over", 5, "the hand-over")


def test_a_ledger_that_went_back_is_followed_again(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """A server whose newest line is older than the one that was read: subscribers are told, and then hear what comes."""
    with Talker(bridge.url) as client:
        client.log_in().ask(type="subscribe")
        with server.client() as redis:
            redis.xadd("boss:ledger", {"type": "x"}, id="99999999999999-0")
            assert client.hear()["seq"] == "99999999999999-0"
            redis.delete("boss:ledger")
        server.kill9()
        server.start()
        bridge.wait_for_output("storage_back")
        with server.client() as redis:
            redis.xadd("boss:ledger", {"type": "paused"})
        assert client.hear()["code"] == "resync_required"
        assert client.hear()["event"] == {"type": "paused"}


def test_a_message_that_redis_lost_is_asked_for_again(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """A server that lost its last second does not know what it had acknowledged: the client repeats it."""
    with Talker(bridge.url) as client, server.client() as redis:
        client.log_in().text("Hello", id="1").hear()
        redis.delete(f"boss:msg:{newest(redis)}", *redis.keys("boss:seen:*"))
        frame = client.hear()
        assert (frame["code"], frame["retryable"], frame["in_reply_to"]) == ("storage_unavailable", True, "1")
        client.text("Hello", id="1")
        assert client.hear()["type"] == "message_acknowledged"


def test_a_line_that_the_ledger_lost_keeps_nobody_waiting(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """The records are asked as well."""
    with Talker(bridge.url) as client, server.client() as redis:
        client.log_in().text("Hello", id="1").hear()
        message = newest(redis)
        redis.hset(f"boss:msg:{message}", mapping={"state": "ignored", "reason": "discarded"})
        assert client.hear()["code"] == "discarded"


def test_a_frozen_redis_does_not_hold_up_the_end(server: EmbeddedServer, bridge: BridgeProcess) -> None:
    """Messages that are being stored are given up: their clients repeat them at the next bridge."""
    with Talker(bridge.url) as client:
        client.log_in(client="me")
        server.freeze()
        try:
            for number in range(20):
                client.text("Hello", id=f"{number}")
            assert client.ask(type="ping") == {"type": "pong"}
            start = time.monotonic()
            assert bridge.terminate() == 0
            assert time.monotonic() - start < 3
            assert client.closed() == 1001
        finally:
            server.thaw()
        assert "Traceback" not in bridge.output
