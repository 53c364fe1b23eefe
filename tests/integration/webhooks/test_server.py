"""The webhooks through the production server: what only a real socket shows."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from shared.mailbox import Mailbox
from shared.security.password import FREE_GUESSES
from tests.payloads import FORM, MULTIPART, form_body, mail_fields, multipart_body, sid, sms_fields
from tests.support.processes import WebProcess, answers
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.webhook_client import PUBLIC_URL, SECRET, twilio_signature
from webhook_api.server import GRACE_SECONDS

LOCAL_TEXT = b"From=%2B15551234567&To=%2B15559876543&Body=Hello"


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedServer]:
    """This module's own server: the web process stays up over all its tests."""
    with EmbeddedServer() as running:
        yield running


def started(server: EmbeddedServer) -> WebProcess:
    return WebProcess({"REDIS_URL": server.url, "SANDBOX": "on", "PUBLIC_URL": PUBLIC_URL, "SMS_SETTLE_SECONDS": "0"})


@pytest.fixture(scope="module")
def web(own_server: EmbeddedServer) -> Iterator[WebProcess]:
    """One web process."""
    with started(own_server).start() as running:
        yield running


@pytest.fixture
def redis(own_server: EmbeddedServer) -> Iterator[Redis]:
    """The server without messages and lines."""
    with own_server.client() as client:
        keys = cast("list[bytes]", client.keys("boss:msg:*")) + cast("list[bytes]", client.keys("boss:seen:*"))
        client.delete("boss:ledger", *keys)
        yield client


def post(web: WebProcess, path: str, body: bytes, headers: dict[str, str], *, timeout: float = 20) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", int(web.settings["PORT"]), timeout=timeout)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def reasons(redis: Redis) -> list[str]:
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange("boss:ledger"))
    return [(fields.get(b"reason") or fields[b"type"]).decode() for _, fields in rows]


@pytest.mark.parametrize("query", ["", "?reply=r-1&attempt=a%2D1", "?a=%c3%a9+%2F&b=&&c", "?reply=%C3%A9%20x&=~"])
def test_the_signature_covers_the_query_as_it_came_over_the_wire(web: WebProcess, query: str) -> None:
    """Percent signs, lower-case escapes, empty pieces: nothing is written anew on the way to the check."""
    body = form_body({"MessageSid": sid(1), "MessageStatus": "sent"})
    right = twilio_signature(f"{PUBLIC_URL}/sms/status{query}", body)
    wrong = twilio_signature(f"{PUBLIC_URL}/sms/status{query}x", body)
    for signature, status in ((right, 204), (wrong, 403)):
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature, "X-Forwarded-Proto": "http", "Host": "other.example"}
        assert post(web, f"/sms/status{query}", body, headers)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"X-Forwarded-For": "127.0.0.1"}, 403), ({"x-forwarded-host": "x"}, 403), ({"Host": "boss.example.com"}, 403)],
)
def test_a_local_call_is_known_by_its_socket(web: WebProcess, redis: Redis, headers: dict[str, str], status: int) -> None:
    """Behind a proxy on this machine nothing counts as local."""
    assert post(web, "/sms/inbound", LOCAL_TEXT, {"Content-Type": FORM, **headers})[0] == status
    assert len(reasons(redis)) == 1


def test_it_listens_on_loopback_only(web: WebProcess) -> None:
    """No other address of this machine answers."""
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]]
    port = f":{int(web.settings['PORT']):04X}"
    assert {address for _, address, _, state, *_ in rows if address.endswith(port) and state == "0A"} == {f"0100007F{port}"}


def test_29_mb_mails_are_taken_in_bounded_memory(web: WebProcess, redis: Redis) -> None:
    """Four at once: two are read, two wait. One of 38 MB is too large, and is taken with what was kept of it."""
    body = multipart_body(mail_fields(attachment1=("big.bin", os.urandom(1_000_000) * 29)))
    own = "From: user@example.com\nMessage-ID: <38@example.com>\n"
    too_large = multipart_body(mail_fields(attachment1=("big.bin", os.urandom(1_000_000) * 38), headers=own))
    headers = {"Content-Type": MULTIPART}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda data: post(web, f"/email/inbound?token={SECRET}", data, headers)[0], [body] * 3 + [too_large]))
    assert answers == [200] * 4
    assert reasons(redis) == ["email_received"] * 2
    assert peak_memory(web.pid) < 400_000_000


@pytest.mark.parametrize(("token", "length", "status"), [("wrong", 30_000_000, b"403"), (SECRET, 300_000_000, b"413")])
def test_a_body_that_is_not_wanted_is_not_read(web: WebProcess, token: str, length: int, status: bytes) -> None:
    """The answer is there when the headers are: a stranger cannot make us take 30 MB."""
    head = f"POST /email/inbound?token={token} HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\nContent-Length: {length}\r\n\r\n--"
    with half_a_request(web, head.encode()) as client:
        assert client.recv(12).split()[1] == status


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /livez HTTP/1.1", 0, 200),
        ("GET /livez HTTP/1.1", 40_000, 200),
        ("GET /livez HTTP/1.1", 200_000, 431),
        (f"GET /livez?{'x' * 100_000} HTTP/1.1", 0, 414),
        (f"POST /sms/inbound?{'x' * 5_000} HTTP/1.1", 0, 414),
        ("GET /livez NONSENSE", 0, 400),
        ("GET /nowhere HTTP/1.1", 0, 404),
    ],
    ids=lambda value: str(value)[:30],
)
def test_heads_have_a_limit_and_no_answer_names_the_server(web: WebProcess, line: str, headers: int, status: int) -> None:
    """64 KiB for the line and the headers, 4 KiB of them for a webhook's query; granian does not say what it is."""
    with half_a_request(web, f"{line}\r\nHost: x\r\nX-More: {'x' * headers}\r\n\r\n".encode()) as client:
        head = client.recv(4096).partition(b"\r\n\r\n")[0].decode().lower()
    assert int(head.split()[1]) == status
    assert "granian" not in head
    ours = status in (200, 404) or "sms" in line
    assert ("x-content-type-options: nosniff\r\n" in head) is ours
    assert "server: \r\n" in head or not ours


def test_a_hundred_headers_are_enough(web: WebProcess) -> None:
    """More are refused before anybody looks at them."""
    with half_a_request(web, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(150)) + b"\r\n") as client:
        assert client.recv(12).split()[1] == b"431"


def peak_memory(pid: int) -> int:
    children = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    lines = [line for child in children for line in Path(f"/proc/{child}/status").read_text().splitlines()]
    return max(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def half_a_request(web: WebProcess, head: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(web.settings["PORT"])), timeout=10)
    client.sendall(head)
    return client


def test_half_a_mail_is_not_taken(web: WebProcess, redis: Redis) -> None:
    """A connection that breaks leaves nothing: the retry brings the whole."""
    body = multipart_body(mail_fields())
    head = f"POST /email/inbound?token={SECRET} HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    for cut in (len(body) - 3, len(body) // 2):
        half_a_request(web, head.encode() + body[:cut]).close()
    chunked = head.replace(f"Content-Length: {len(body)}", "Transfer-Encoding: chunked").encode()
    half_a_request(web, chunked + f"{len(body) - 9:x}\r\n".encode() + body[:-9] + b"\r\n").close()
    wait_for(lambda: reasons(redis).count("truncated") == 3, 5, "three refusals")
    assert "email_received" not in reasons(redis)
    assert post(web, f"/email/inbound?token={SECRET}", body, {"Content-Type": MULTIPART})[0] == 200
    assert reasons(redis).count("email_received") == 1


def test_half_a_text_is_not_taken(web: WebProcess, redis: Redis) -> None:
    """A body that is shorter than its Content-Length gets a 503, not an answer to half a text."""
    head = f"POST /sms/inbound HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\nContent-Length: 500\r\n\r\n".encode()
    with half_a_request(web, head + LOCAL_TEXT) as client:
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda: "truncated" in reasons(redis), 5, "the refusal")
    assert "sms_received" not in reasons(redis)


def test_slow_clients_do_not_hold_up_the_others(web: WebProcess) -> None:
    """Five hundred that never finish their headers cost no thread, thirty that never finish their body one each."""
    heads = [half_a_request(web, b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(500)]
    bodies = [half_a_request(web, b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nFrom=") for _ in range(30)]
    try:
        times = []
        for _ in range(20):
            start = time.monotonic()
            assert post(web, "/sms/inbound", LOCAL_TEXT, {"Content-Type": FORM})[0] == 200
            times.append(time.monotonic() - start)
        assert max(times) < 1
    finally:
        for client in heads + bodies:
            client.close()


def test_nothing_of_the_requests_is_printed(web: WebProcess, redis: Redis) -> None:
    """No access log: it would hold the token, and tracebacks would hold texts."""
    post(web, "/sms/inbound", form_body(sms_fields(Body="canary words")), {"Content-Type": FORM, "X-Twilio-Signature": "x"})
    post(web, "/email/inbound?token=canary-token", multipart_body(mail_fields(text="canary words")), {"Content-Type": MULTIPART})
    post(web, "/sms/inbound", LOCAL_TEXT, {"Content-Type": FORM})
    wait_for(lambda: {"bad_signature", "bad_secret", "sms_received"} <= set(reasons(redis)), 5, "three lines")
    assert not [word for word in ("canary", "5551234567", SECRET, "example.com") if word in web.output]


def test_sigterm_finishes_what_is_in_flight_and_ends_in_its_grace(own_server: EmbeddedServer, redis: Redis) -> None:
    """A webhook whose Redis stalls gets its answer; a client that sends half a body and waits holds nothing up."""
    with started(own_server).start() as web, ThreadPoolExecutor(1) as pool:
        waiting = half_a_request(web, b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nFrom=")
        own_server.freeze()
        thawing = threading.Timer(0.6, own_server.thaw)
        thawing.start()
        running = pool.submit(post, web, "/sms/inbound", LOCAL_TEXT, {"Content-Type": FORM})
        time.sleep(0.2)  # the request is on its way to Redis, which does not answer
        start = time.monotonic()
        web.signal(signal.SIGTERM)
        assert running.result(10)[0] == 200
        assert web.wait(10) == 0
        assert time.monotonic() - start < GRACE_SECONDS + 1.5
        assert not answers(f"{web.url}/livez")
        waiting.close()
    thawing.join()
    (key,) = cast("list[bytes]", redis.keys("boss:msg:*"))
    assert Mailbox(redis).message(key.decode().rpartition(":")[2]) is not None


def test_no_orphan_keeps_the_port(own_server: EmbeddedServer) -> None:
    """Killed without a chance to tell its child, the server ends all the same."""
    with started(own_server).start() as web:
        os.kill(web.pid, signal.SIGKILL)
        web.wait()
        wait_for(lambda: not answers(f"{web.url}/livez"), 5, "the end of the serving process")


def through_proxy(web: WebProcess, token: str, caller: str, **changes: str) -> int:
    """A mail's status, as a proxy of ours passes it on for a caller."""
    headers = {"Content-Type": MULTIPART, "X-Forwarded-For": f"192.0.2.99, {caller}"}
    return post(web, f"/email/inbound?token={token}", multipart_body(mail_fields(**changes)), headers)[0]


def test_guessing_the_mail_secret_is_slow_and_holds_up_nobody(own_server: EmbeddedServer) -> None:
    """Two seconds of guesses as fast as they go: a few are judged. Others' mails and texts go on, and a genuine one from the guesser's own
    place is never told that it is wrong, only to come again, until it is in.
    """  # noqa: D205 - two promises
    with started(own_server).start() as web:
        assert through_proxy(web, SECRET, "203.0.113.1", **{"Message-ID": "<first@example.com>"}) == 200
        statuses: list[int] = []
        end = time.monotonic() + 2

        def guess() -> None:
            while time.monotonic() < end:
                statuses.append(through_proxy(web, "guess", "198.51.100.1"))

        others: list[tuple[int, float]] = []
        with ThreadPoolExecutor(8) as pool:
            guessers = [pool.submit(guess) for _ in range(8)]
            while time.monotonic() < end:
                begun = time.monotonic()
                others.append((through_proxy(web, SECRET, "203.0.113.1"), time.monotonic() - begun))
                begun = time.monotonic()
                others.append((post(web, "/sms/inbound", LOCAL_TEXT, {"Content-Type": FORM})[0], time.monotonic() - begun))
            for each in guessers:
                each.result()
        assert set(statuses) == {403, 503}
        assert statuses.count(403) <= FREE_GUESSES + 6
        assert statuses.count(503) > 3 * statuses.count(403)
        assert {status for status, _ in others} == {200}
        assert sorted(seconds for _, seconds in others)[len(others) * 9 // 10] < 0.5

        def tried() -> int:
            return through_proxy(web, SECRET, "198.51.100.1")

        tries = [tried()]
        while tries[-1] != 200:
            tries.append(tried())
        assert set(tries[:-1]) <= {503}
        assert through_proxy(web, SECRET, "198.51.100.1") == 200
