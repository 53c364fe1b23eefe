"""The bridge server's settings against a real socket: sizes, times, who may shake hands, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from boss.checks.bridge import bridge as checked
from bridge.server import connection as connections
from bridge.server.connection import BridgeConnection
from bridge.server.handler import Bridge
from bridge.server.server import announce, close, listen, open_bridge, port_of
from shared.config.loading import load_settings
from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.runtime import open_runtime
from shared.security.password import FREE_GUESSES
from tests.support.bridge import BridgeProcess, Talker
from tests.support.wait import wait_for

LOGIN = '{"type":"auth","token":"' + EXAMPLE_TOKEN + '"}'
PING, PONG = '{"type":"ping"}', '{"type":"pong"}'


def settings_of(redis_url: str, **more: object) -> Settings:
    return load_settings(redis_url=redis_url, sandbox="on", supervisor_port=0, **more)


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Bridge, Server, str]]:
    """The server in this process, so that its inside can be seen."""
    runtime = open_runtime(settings, "bridge")
    try:
        async with open_bridge(runtime) as bridge:
            server = await listen(bridge)
            yield bridge, server, f"ws://127.0.0.1:{port_of(server)}"
            await close(bridge, server)
    finally:
        runtime.close()


async def open_client(url: str, **options: object) -> ClientConnection:
    return await connect(url, proxy=None, close_timeout=0.2, **options)  # type: ignore[arg-type]


async def logged_in(url: str) -> ClientConnection:
    client = await open_client(url)
    await client.send(LOGIN)
    assert '"success":true' in str(await client.recv())
    return client


async def closing(client: ClientConnection, seconds: float = 5) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(seconds):
            while True:
                await client.recv()
    return client.close_code


def test_the_sockets_settings_are_those_of_the_protocol_page(redis_url: str) -> None:
    """Frames of 64 KiB, no compression, small queues, and a ping of WebSocket's own every 20 s that waits as long."""

    async def play() -> None:
        async with served(settings_of(redis_url)) as (_, server, url):
            client = await logged_in(url)
            (inside,) = server.connections
            assert inside.protocol.extensions == []
            assert (inside.protocol.max_message_size, inside.max_queue_high, inside.write_limit_high) == (65_536, 4, 32_768)
            assert (inside.ping_interval, inside.ping_timeout, inside.close_timeout) == (20.0, 20.0, 1.0)
            assert all("Server" not in response.headers for response in [client.response] if response)
            await client.close()

    asyncio.run(play())


@pytest.mark.parametrize(("size", "code"), [(2048, None), (2049, 1009)])
def test_the_largest_frame_is_a_setting(redis_url: str, size: int, code: int | None) -> None:
    """To the byte; what is over it closes the connection."""

    async def play() -> None:
        async with served(settings_of(redis_url, bridge_max_frame=2048)) as (_, _, url):
            client = await logged_in(url)
            await client.send(PING.replace("}", " " * (size - len(PING)) + "}"))
            if code is None:
                assert await client.recv() == PONG
            else:
                assert await closing(client) == code
            await client.close()

    asyncio.run(play())


def test_only_named_pages_may_connect(redis_url: str) -> None:
    """The list is empty by default; `null`, which any sandboxed page has, cannot be put on it."""

    async def status(url: str, **options: object) -> int:
        try:
            await (await open_client(url, **options)).close()
        except InvalidStatus as error:
            return error.response.status_code
        return 101

    async def play() -> None:
        page = "https://chat.example.com"
        async with served(settings_of(redis_url)) as (_, _, url):
            assert [await status(url), await status(url, origin=page)] == [101, 403]
        async with served(settings_of(redis_url, bridge_origins=f" {page}/, null")) as (_, _, url):
            origins = (page, "null", "http://chat.example.com", f"{page}.evil.example")
            assert [await status(url, origin=origin) for origin in origins] == [101, 403, 403, 403]

    asyncio.run(play())


def test_the_host_must_name_the_bridge(redis_url: str) -> None:
    """Its own names with its port, and the one of SUPERVISOR_URL, behind a proxy too; once, and no other."""

    async def status(port: int, *hosts: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13"
        writer.write(f"GET / HTTP/1.1\r\n{lines}Upgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return int(answer.split()[1])

    async def play() -> None:
        async with served(settings_of(redis_url, supervisor_url="wss://boss.example.com")) as (_, server, _):
            port = port_of(server)
            good = ("127.0.0.1", "localhost", "LocalHost", "[::1]", "boss.example.com")
            assert {await status(port, f"{name}:{port}") for name in good} == {101}
            assert {await status(port, name) for name in ("boss.example.com", "boss.example.com:443")} == {101}
            bad = ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1", "", f"127.0.0.1:{port}.evil.example")
            assert {await status(port, name) for name in bad} == {403}
            assert await status(port) == 403
            assert await status(port, f"127.0.0.1:{port}", "evil.example") == 403

    asyncio.run(play())


def test_the_time_to_authenticate_is_a_setting(redis_url: str) -> None:
    """Pings do not buy more of it; who has authenticated is not hurried."""

    async def play() -> None:
        async with served(settings_of(redis_url, bridge_auth_seconds=0.3)) as (_, _, url):
            good, late = await logged_in(url), await open_client(url)
            await late.send(PING)
            assert await closing(late) == 1008
            await good.send(PING)
            assert await good.recv() == PONG
            await good.close()

    asyncio.run(play())


def test_the_house_has_a_limit(redis_url: str) -> None:
    """One too many hears 1013 after the right token; when somebody leaves there is room again."""

    async def play() -> None:
        async with served(settings_of(redis_url, bridge_max_connections=2)) as (_, _, url):
            first, second, third = await logged_in(url), await logged_in(url), await open_client(url)
            await third.send(LOGIN)
            assert await closing(third) == 1013
            await first.close()
            again = await logged_in(url)
            for client in (second, again):
                await client.close()

    asyncio.run(play())


def test_of_those_who_wait_at_the_door_the_oldest_goes(redis_url: str) -> None:
    """Counted from the TCP connection on; who is inside is not touched."""

    async def play() -> None:
        async with served(settings_of(redis_url, bridge_max_unauthenticated=5)) as (bridge, server, url):
            inside = await logged_in(url)
            oldest = await open_client(url)
            silent = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(5)]
            assert await closing(oldest) == 1013
            more = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(5)]
            for reader, _ in silent:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 5) == b""
            assert len(bridge.limiter.unauthenticated()) == 5
            good = await logged_in(url)
            await inside.send(PING)
            assert await inside.recv() == PONG
            for _, writer in silent + more:
                writer.close()
            await good.close()
            await inside.close()

    asyncio.run(play())


def test_wrong_tokens_make_everybody_wait_and_lock_nobody_out(redis_url: str) -> None:
    """Ten cost nothing; after that an attempt is held for a second, the right one too, and it gets in."""

    async def play() -> None:
        async with served(settings_of(redis_url)) as (_, _, url):
            for _ in range(FREE_GUESSES):
                client = await open_client(url)
                await client.send(LOGIN.replace(EXAMPLE_TOKEN, "guess"))
                assert '"success":false' in str(await client.recv())
                assert await closing(client) == 1008
            start = time.monotonic()
            client = await logged_in(url)
            assert time.monotonic() - start >= 0.9
            await client.close()

    asyncio.run(play())


@pytest.mark.parametrize("kind", ["ping", "nonsense"])
def test_who_does_not_read_is_disconnected(redis_url: str, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """After the time of a stall, with no more kept for it than its buffers; others are served meanwhile."""
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    frame, most = json.dumps({"type": kind, "id": "x" * 100}), 0

    async def write_for_ever(client: ClientConnection) -> None:
        client.transport.pause_reading()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.send(frame)

    async def play() -> None:
        nonlocal most
        settings = settings_of(redis_url, bridge_requests_per_second=1e9, bridge_burst=1_000_000)
        async with served(settings) as (_, server, url):
            deaf, good = await logged_in(url), await logged_in(url)
            writing = asyncio.create_task(write_for_ever(deaf))
            end = time.monotonic() + 15
            while len(server.connections) > 1 and time.monotonic() < end:
                await good.send(PING)
                assert await good.recv() == PONG
                most = max(most, *(inside.transport.get_write_buffer_size() for inside in server.connections))
            left = len(server.connections)
            deaf.transport.abort()
            await writing
            assert left == 1
            await good.close()

    asyncio.run(play())
    assert 0 < most < 4 * 65_536


def test_a_client_that_gets_more_than_it_can_read_is_disconnected_at_once(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that nobody waits for are bounded by their size, not only by time."""
    monkeypatch.setattr(connections, "MAX_UNREAD", 100_000)

    async def play() -> None:
        async with served(settings_of(redis_url)) as (_, server, url):
            deaf = await logged_in(url)
            deaf.transport.pause_reading()
            (inside,) = server.connections
            assert isinstance(inside, BridgeConnection)
            for _ in range(1000):
                inside.send_nowait("x" * 50_000)
                assert inside.transport.get_write_buffer_size() < 200_000
            assert inside.transport.is_closing()
            deaf.transport.abort()

    asyncio.run(play())


def test_the_rate_of_a_user_is_an_error_here(redis_url: str) -> None:
    """The mailbox's own verdict is the code; with an id and without one."""

    async def play() -> None:
        async with served(settings_of(redis_url, sender_turns_per_hour=1)) as (_, _, url):
            client = await logged_in(url)
            text = '{"type":"sms_received","from":"+15551234567","to":"+15559876543","message":"Hello","user":"me"'
            await client.send(text + ',"id":"1"}')
            assert "message_acknowledged" in str(await client.recv())
            for end in (',"id":"2"}', ',"id":"2"}', "}"):
                await client.send(text + end)
                assert '"code":"rate_limited","retryable":false' in str(await client.recv())
            await client.close()

    asyncio.run(play())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_told_to_all_and_waits_for_nobody(redis_url: str, number: signal.Signals) -> None:
    """1001 to clients, also when another one never answers and a third never finished its handshake."""
    with BridgeProcess({"REDIS_URL": redis_url, "SANDBOX": "on"}) as bridge:
        with Talker(bridge.url) as client, Talker(bridge.url) as deaf, socket.create_connection(("127.0.0.1", bridge.port)) as silent:
            client.log_in()
            deaf.log_in().connection.socket.shutdown(socket.SHUT_WR)
            silent.sendall(b"GET / HTTP/1.1\r\n")
            start = time.monotonic()
            bridge.signal(number)
            assert client.closed() == 1001
            assert bridge.wait(5) == 0
            assert time.monotonic() - start < 3
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", bridge.port)).close()


def test_subscribers_do_not_keep_a_message_from_being_stored(redis_url: str) -> None:
    """Every connection to Redis that reads the ledger is in use, and a message is stored all the same."""

    async def play() -> None:
        async with served(settings_of(redis_url)) as (bridge, _, url):
            client = await logged_in(url)
            pool: Any = bridge.follower.mailbox.redis.connection_pool
            held = [await pool.get_connection() for _ in range(pool.max_connections - 1)]  # the follower has the last one
            frame = {"type": "sms_received", "from": "+15551234567", "to": "+15559876543", "message": "Hello", "user": "user", "id": "1"}
            await client.send(json.dumps(frame))
            assert json.loads(await client.recv())["type"] == "message_acknowledged"
            for connection in held:
                await pool.release(connection)
            await client.close()

    asyncio.run(play())


def test_a_handshake_that_never_ends_does_not_hold_up_the_end(redis_url: str) -> None:
    """The library itself would give it its five seconds."""

    async def play() -> None:
        async with served(settings_of(redis_url)) as (bridge, server, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(b"GET / HTTP/1.1\r\n")
            await asyncio.to_thread(wait_for, bridge.limiter.unauthenticated, 5, "the connection")
            await close(bridge, server)
            assert server.handlers_waiter.done()
            writer.close()

    asyncio.run(play())


def test_nothing_of_what_is_said_is_printed(redis_url: str) -> None:
    """No token, no text, no address; websockets' own log says nothing of frames."""
    with BridgeProcess({"REDIS_URL": redis_url, "SANDBOX": "on"}) as bridge:
        with Talker(bridge.url + "/?token=canary-token") as client:
            client.log_in(client="canary-client").text("canary words", id="canary-id").hear()
            client.text("canary words", from_="+15550000077", id="2").hear()
        with Talker(bridge.url) as wrong:
            wrong.say(type="auth", token="canary-token")
            assert wrong.closed() == 1008
        assert bridge.terminate() == 0
        assert not [word for word in ("canary", "0000077", "5551234567", EXAMPLE_TOKEN) if word in bridge.output]


def test_without_redis_it_does_not_listen() -> None:
    """It waits for a moment, then says what is missing; nobody is told to come to a bridge that can store nothing."""
    settings = {"REDIS_URL": "unix:///nowhere.sock", "SANDBOX": "on", "STARTUP_WAIT_SECONDS": "0.1"}
    with pytest.raises(AssertionError, match="REDIS_URL"), BridgeProcess(settings) as bridge:
        assert bridge.returncode == 1


def test_the_doctor_sees_what_a_client_would(redis_url: str) -> None:
    """There, there with another token, another program, nobody."""

    def found(port: int, **more: object) -> list[tuple[str, str]]:
        return [(finding.status, finding.detail) for finding in checked(load_settings(supervisor_port=port, **{"sandbox": "on"} | more))]

    with BridgeProcess({"REDIS_URL": redis_url, "SANDBOX": "on"}) as bridge:
        assert found(bridge.port) == [("ok", f"{bridge.url} took the token and answered a ping")]
        assert found(bridge.port, supervisor_token="another") == [("fail", f"{bridge.url} has another token")]
        ((status, detail),) = found(bridge.port, supervisor_url=f"ws://127.0.0.2:{bridge.port}", supervisor_token="another")
        assert (status, "nobody listens" in detail) == ("warn", True)
    ((status, detail),) = found(bridge.port)
    assert (status, "nobody listens" in detail) == ("warn", True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        answering = threading.Thread(target=lambda: other.accept()[0].sendall(b"HTTP/1.1 200 OK\r\n\r\n"))
        answering.start()
        ((status, _),) = found(other.getsockname()[1])
        answering.join()
    assert status == "fail"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that trusts itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bridge")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def test_with_a_certificate_it_speaks_tls_and_nothing_else(redis_url: str, certificate: tuple[Path, Path]) -> None:
    """A client that trusts the certificate gets its pong; one that speaks in the clear gets nothing."""

    async def play() -> None:
        cert, key = certificate
        async with served(settings_of(redis_url, bridge_tls_cert=cert, bridge_tls_key=key)) as (_, server, url):
            trust = ssl.create_default_context(cafile=str(cert))
            client = await open_client(url.replace("ws:", "wss:"), ssl=trust)
            await client.send(PING)
            assert await client.recv() == PONG
            await client.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert b"HTTP" not in await asyncio.wait_for(reader.read(), 5)
            writer.close()

    asyncio.run(play())


def test_a_certificate_that_cannot_be_used_is_named(redis_url: str, tmp_path: Path) -> None:
    """Without its content, before anything listens."""
    (tmp_path / "cert.pem").write_text("no certificate")

    async def play() -> None:
        cert = tmp_path / "cert.pem"
        async with served(settings_of(redis_url, bridge_tls_cert=cert, bridge_tls_key=cert)):
            pass

    with pytest.raises(ConfigurationError, match="BRIDGE_TLS_CERT"):
        asyncio.run(play())


def test_a_port_that_is_taken_is_named(redis_url: str) -> None:
    """By its setting."""

    async def play() -> None:
        async with served(settings_of(redis_url)) as (_, server, _):
            taken = load_settings(redis_url=redis_url, sandbox="on", supervisor_port=port_of(server))
            await asyncio.wait_for(served(taken).__aenter__(), 5)

    with pytest.raises(ConfigurationError, match="SUPERVISOR_PORT"):
        asyncio.run(play())


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1:9999"), ("::1", "[::1]:9999"), ("[::1]", "[::1]:9999")])
def test_the_line_says_where_it_listens(host: str, shown: str) -> None:
    """Word for word as in the first project."""
    said: list[str] = []
    announce(load_settings(supervisor_host=host, sandbox="on"), 9999, said.append)
    assert said == [f"Supervisor WebSocket server listening on {shown}\n"]
