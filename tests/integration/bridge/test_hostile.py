"""Bad input at the bridge: each has its defined answer, and nothing else happens.

The bridge here has its default limits. Nobody works: whatever came in by mistake would be seen in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.mailbox import keys
from tests.support.bridge import BridgeProcess
from tests.support.installation import JsonObject
from tests.support.loop import in_loop
from tests.support.raw_client import SOON, half_open, handshake, raw_client, resident, response_to, served_within, still_open
from tests.support.server import EmbeddedServer

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else

HALF_OPEN: Final = 1000
MOST_WAITING: Final = 200
SERVED_SECONDS: Final = 1.0
MAX_FRAME: Final = 65_536
GROWTH_MB: Final = 48
"""Less than any of the floods here would leave behind if it were kept."""
NOT_FOR_LOGS: Final = re.compile(rf"\+1555\d|example\.com|says <|{re.escape(EXAMPLE_TOKEN)}|not the token")
SMS: Final[JsonObject] = {"type": "sms_received", "from": "+15551234567", "to": "+15559876543", "message": "hi", "user": "u"}
MAIL: Final[JsonObject] = {
    "type": "email_received",
    "from": "user@example.com",
    "to": "boss@example.com",
    "subject": "s",
    "body": "b",
    "user": "u",
}


@pytest.fixture(scope="module")
def _server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(scope="module")
def _bridge(_server: EmbeddedServer) -> Iterator[BridgeProcess]:
    with BridgeProcess({"REDIS_URL": _server.url, "BOSS_DATA_DIR": str(_server.directory), "SANDBOX": "on"}) as running:
        asyncio.run(served_within(running.url))
        yield running


@pytest.fixture(scope="module")
def memory_before(_bridge: BridgeProcess) -> int:
    """What the bridge needs once it has served somebody, in KiB."""
    return resident(_bridge)


@pytest.fixture
def bridge(_bridge: BridgeProcess, _server: EmbeddedServer, memory_before: int) -> Iterator[BridgeProcess]:
    """The one bridge of this module.

    Whatever is done to it, it lives, stores nothing, keeps its memory, and has nothing to hide in its output.
    """
    yield _bridge
    with _server.client() as redis:
        assert redis.xlen(keys.LEDGER) == 0
    assert _bridge.returncode is None, _bridge.output[-4000:]
    assert resident(_bridge) - memory_before < GROWTH_MB * 1024
    assert not NOT_FOR_LOGS.search(_bridge.output), NOT_FOR_LOGS.search(_bridge.output)
    assert "Traceback" not in _bridge.output, _bridge.output[-4000:]


# Coming in


@in_loop
async def test_a_wrong_token_is_refused_and_the_connection_closed(bridge: BridgeProcess) -> None:
    """`auth_result` with `success` false, then 1008; also for a token that only begins right, an empty one and one beyond ASCII."""
    for token in ("not the token", EXAMPLE_TOKEN[:-1], EXAMPLE_TOKEN + " ", "ünïcöde"):
        async with raw_client(bridge.url, enter=False) as stranger:
            result = await stranger.ask(type="auth", token=token)
            assert (result["type"], result["success"]) == ("auth_result", False)
            assert await stranger.end() == 1008


@in_loop
async def test_without_a_token_only_a_ping_is_answered(bridge: BridgeProcess) -> None:
    """Anything else is an error and changes nothing; the connection stays open, and can still authenticate."""
    async with raw_client(bridge.url, enter=False) as stranger:
        outside: tuple[JsonObject, ...] = (SMS, MAIL, {"type": "subscribe"})
        for frame in outside:
            error = await stranger.ask(**frame)
            assert (error["type"], error["code"], error["message"]) == ("error", "not_authenticated", "Not authenticated")
        for frame in (
            {"type": "auth"},
            {"type": "auth", "token": None},
            {"type": "auth", "token": 12345},
            {"type": "auth", "token": [EXAMPLE_TOKEN]},
        ):
            assert (await stranger.ask(**frame))["code"] == "bad_field"
        assert (await stranger.ask(type="ping"))["type"] == "pong"
        await stranger.enter()


@in_loop
async def test_a_token_that_does_not_come_in_time_closes_the_connection(bridge: BridgeProcess) -> None:
    """After 5 s: 1008, also for one who pings all the while; and a handshake that is never finished is dropped."""
    dumb = await asyncio.open_connection("127.0.0.1", bridge.port)
    async with raw_client(bridge.url, enter=False) as silent, raw_client(bridge.url, enter=False) as busy:

        async def keep_pinging() -> int | None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await busy.ask(type="ping")
                    await asyncio.sleep(0.2)
            return busy.link.close_code

        pinging = asyncio.create_task(keep_pinging())
        assert await silent.end() == 1008
        assert await asyncio.wait_for(pinging, SOON) == 1008
    assert await asyncio.wait_for(dumb[0].read(), 2 * SOON) is not None
    dumb[1].close()


@in_loop
async def test_guessing_is_slowed_down_and_locks_nobody_out(bridge: BridgeProcess) -> None:
    """Fifty wrong tokens at once, none of which succeeds; a good client still comes in, though it may have to wait a moment."""

    async def guess(number: int) -> JsonObject:
        async with raw_client(bridge.url, enter=False) as stranger:
            return await stranger.ask(type="auth", token=f"not the token {number}")

    began = time.monotonic()
    results = await asyncio.gather(*(guess(number) for number in range(50)))
    assert [result["success"] for result in results] == [False] * 50
    assert time.monotonic() - began > 0.5, "nobody was slowed down"
    async with raw_client(bridge.url) as good:
        assert (await good.ask(type="ping"))["type"] == "pong"


@pytest.mark.parametrize("kind", ["TCP alone", "handshake without a token"])
@in_loop
async def test_a_good_client_is_served_beside_a_thousand_half_open_connections(bridge: BridgeProcess, kind: str) -> None:
    """Of more than 200 that have not authenticated the oldest are dropped, and a good client is served within a second."""
    port = bridge.port
    hello = handshake(f"127.0.0.1:{port}") if kind != "TCP alone" else b""
    halves = [await half_open(port, hello) for _ in range(HALF_OPEN)]
    try:
        times = [await served_within(bridge.url) for _ in range(5)]
        assert sorted(times)[2] < SERVED_SECONDS, times
        async with asyncio.timeout(SOON):
            while (left := sum(still_open(half) for half in halves)) > MOST_WAITING:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.02)
        assert left > 0, "those who came last should still be there: nobody has waited 5 s"
        assert still_open(halves[-1])
        assert not still_open(halves[0])
    finally:
        for half in halves:
            half.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9999"},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "localhost:{port}.evil.example"},
        {"Host": "evil.example@127.0.0.1:{port}"},
        {"Host": "127.0.0.1:{port}\r\nHost: evil.example"},
        {"Host": ""},
    ],
    ids=str,
)
@in_loop
async def test_a_foreign_origin_or_host_gets_no_further_than_the_handshake(bridge: BridgeProcess, headers: dict[str, str]) -> None:
    """403 (400 where the request itself is broken), and the connection is closed; a page of the web cannot reach the bridge."""
    port = bridge.port
    host = headers.get("Host", "127.0.0.1:{port}").format(port=port)
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "Host")
    status, rest = await response_to(port, handshake(host, extra))
    assert status == 403 or ("\r\n" in host and status == 400), (status, rest)
    assert EXAMPLE_TOKEN.encode() not in rest
    for line in (b"x-content-type-options: nosniff", b"x-frame-options: deny", b"content-security-policy: default-src 'none'", b"no-store"):
        assert line in rest.lower()
    assert b"server:" not in rest.lower()


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
@in_loop
async def test_a_host_that_names_the_bridge_comes_in(bridge: BridgeProcess, host: str) -> None:
    """The other side of the guard."""
    port = bridge.port
    assert (await response_to(port, handshake(host.format(port=port))))[0] == 101


@in_loop
async def test_a_request_that_is_no_handshake_is_refused(bridge: BridgeProcess) -> None:
    """A plain GET, a POST, TLS, nonsense: an HTTP error or a closed connection, never a way in; a token in the URL opens nothing."""
    port = bridge.port
    host = f"Host: 127.0.0.1:{port}\r\n"
    for request in (
        f"GET / HTTP/1.1\r\n{host}\r\n",
        f"POST / HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\n{{}}",
        "\x16\x03\x01\x02\x00\x01",
        "x" * 20_000,
    ):
        status, _ = await response_to(port, request.encode("latin-1"))
        assert status is None or 400 <= status < 500, (request[:30], status)
    async with raw_client(f"{bridge.url}/?token={EXAMPLE_TOKEN}", enter=False) as stranger:
        assert (await stranger.ask(**SMS))["code"] == "not_authenticated"


@in_loop
async def test_no_compression_is_agreed_upon(bridge: BridgeProcess) -> None:
    """A client offers permessage-deflate, and is not given it: no frame can grow a thousandfold here."""
    async with raw_client(bridge.url, compression="deflate") as good:
        assert good.link.protocol.extensions == []


# Frames

BROKEN: Final = {
    "nothing": "",
    "half": "{",
    "quotes": "{'type': 'ping'}",
    "a comma": '{"type": "ping",}',
    "two": '{"type": "ping"} {"type": "ping"}',
    "null": "null",
    "a number": "1",
    "a text": '"ping"',
    "a list": '[{"type": "ping"}]',
    "deep lists": "[" * 60_000,
    "deep objects": '{"type":' * 8_000,
    "deep and closed": '{"type":"ping","id":' + "[" * 30_000 + "]" * 30_000 + "}",
    "a huge number": '{"type": "ping", "id": ' + "9" * 60_000 + "}",
    "a byte order mark": '\ufeff{"type": "ping"}',
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
@in_loop
async def test_broken_json_is_an_error_and_nothing_else_happens(bridge: BridgeProcess, raw: str) -> None:
    """`bad_json` (what parses but is too deep or too big for a field: `bad_field`); the connection goes on."""
    async with raw_client(bridge.url) as odd:
        await odd.link.send(raw)
        (error,) = await odd.until_pong()
        assert (error["type"], error["retryable"]) == ("error", False)
        assert error["code"] in ("bad_json", "bad_field")
        assert len(error["message"]) < 200


@in_loop
async def test_binary_frames_are_an_error(bridge: BridgeProcess) -> None:
    """`not_text`, even when the bytes are a request; the connection goes on."""
    async with raw_client(bridge.url) as odd:
        for raw in (b"", b"\x00\xff" * 100, json.dumps(SMS).encode()):
            await odd.link.send(raw)
            assert [error["code"] for error in await odd.until_pong()] == ["not_text"]


@pytest.mark.parametrize("raw", [b'{"type": "\xff"}', b"\xc3", b"\xed\xa0\x80", b'{"type": "ping", "id": "\xf8\x88\x80\x80\x80"}'])
@in_loop
async def test_broken_utf8_closes_the_connection_or_is_an_error(bridge: BridgeProcess, raw: bytes) -> None:
    """A text frame that is not UTF-8 breaks the WebSocket protocol itself: 1007, as RFC 6455 (8.1) asks."""
    async with raw_client(bridge.url) as odd:
        await odd.link.send(raw, text=True)
        assert await odd.end() == 1007
    assert await served_within(bridge.url) < SOON


@in_loop
async def test_a_frame_over_the_limit_closes_the_connection(bridge: BridgeProcess) -> None:
    """1009 for a byte more than 64 KiB, for 1 MB, and for many small fragments; a frame of exactly 64 KiB is read."""
    frame = '{"type": "ping", "more": "%s"}'
    fits = frame % ("x" * (MAX_FRAME - len(frame) + 2))
    assert len(fits) == MAX_FRAME
    async with raw_client(bridge.url) as good:
        await good.link.send(fits)
        assert (await good.hear())["type"] == "pong"
    for raw in (fits + " ", "x" * 1_000_000, ["x" * 40_000] * 25):
        async with raw_client(bridge.url) as odd:
            with contextlib.suppress(ConnectionClosed):
                await odd.link.send(raw)
            assert await odd.end() == 1009


@pytest.mark.parametrize(
    "kind",
    [None, 1, 1.5, True, [], ["ping"], {}, "", "Ping", "SMS_RECEIVED", "auth ", "message_acknowledged", "send_sms_response", "x" * 60_000],
)
@in_loop
async def test_an_unknown_type_is_an_error(bridge: BridgeProcess, kind: object) -> None:
    """`unknown_type`, whatever stands there."""
    async with raw_client(bridge.url) as odd:
        await odd.say(**{**SMS, "type": kind})
        assert [error["code"] for error in await odd.until_pong()] == ["unknown_type"]


ODD: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.integers(10**300, 10**400),
    lambda inner: st.lists(inner | st.text(max_size=5), max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
"""Anything that JSON can say, but no text: NaN and Infinity too, which Python's parser takes."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_missing_or_mistyped_field_is_an_error_and_nothing_is_stored(bridge: BridgeProcess, data: st.DataObject) -> None:
    """`bad_field`, whichever fields are wrong; under its id if that can be read."""
    base = data.draw(st.sampled_from([SMS, MAIL]))
    wrong = data.draw(st.lists(st.sampled_from(sorted(base.keys() - {"type"})), min_size=1, unique=True))
    frame = {**base, "id": "one"}
    for name in wrong:
        if data.draw(st.booleans()):
            frame[name] = data.draw(ODD)
        else:
            del frame[name]

    async def tell() -> list[JsonObject]:
        async with raw_client(bridge.url) as odd:
            await odd.link.send(json.dumps(frame))
            return await odd.until_pong()

    (error,) = asyncio.run(tell())
    assert (error["type"], error["code"], error["in_reply_to"], error["retryable"]) == ("error", "bad_field", "one", False)


OPTIONAL: Final = [
    (SMS, "id", [1, 1.5, True, [], {}, "x" * 10_000, float("nan"), 10**400]),
    (MAIL, "message_id", [1, ["<1@example.com>"], "two words", "<a\r\nBcc: b@example.com>", "<" + "x" * 2000 + "@example.com>"]),
    (MAIL, "in_reply_to", [1, {}, "two words", "<a\nb@example.com>"]),
    (MAIL, "references", [1, {}, [1], [None], [["<1@example.com>"]], ["<a\r\nb@example.com>"], "<a b>"]),
    ({"type": "subscribe"}, "since", [1, 1.5, "x", "1", "-1-0", "9" * 5000, "9" * 400 + "-0", "1-0 ", "+", "$", "\u0661-\u0660"]),
    ({"type": "subscribe"}, "conversation", [1, [], "x", "*", "c-" + "z" * 24, "x" * 10_000]),
    ({"type": "ping"}, "id", [1, 0, False, [], {}, "x" * 10_000, float("inf")]),
    (SMS, "user", ["x" * 10_000]),
    (SMS, "message", ["", "   \n", "\u0000\u200b"[:0]]),
    ({"type": "auth", "token": EXAMPLE_TOKEN}, "protocol", ["1", 1.5, True, 0, -1, [], 1e300]),
    ({"type": "auth", "token": EXAMPLE_TOKEN}, "client", [1, [], "x" * 10_000]),
]


@pytest.mark.parametrize(("frame", "name", "values"), OPTIONAL, ids=[f"{frame['type']}.{name}" for frame, name, _ in OPTIONAL])
@in_loop
async def test_an_optional_field_of_the_wrong_kind_is_an_error(
    bridge: BridgeProcess, frame: JsonObject, name: str, values: list[object]
) -> None:
    """`bad_field`, and nothing is stored or followed."""
    for value in values:
        async with raw_client(bridge.url) as odd:
            await odd.link.send(json.dumps({**frame, name: value}))
            assert [(error["type"], error.get("code")) for error in await odd.until_pong()] == [("error", "bad_field")], value


@in_loop
async def test_a_stranger_and_an_unknown_boss_are_errors(bridge: BridgeProcess) -> None:
    """The bridge answers the users of the users file, each from their own Boss, and nobody else."""
    cases = [
        (SMS, {"from": "+15550009999"}, "stranger"),
        (SMS, {"from": "+15552000400"}, "stranger"),  # that user's Boss is another
        (SMS, {"from": "not a number"}, "stranger"),
        (SMS, {"to": "+15550009999"}, "unknown_recipient"),
        (SMS, {"to": "\u0000"}, "unknown_recipient"),
        (MAIL, {"from": "nobody@example.com"}, "stranger"),
        (MAIL, {"to": "nobody@example.com"}, "unknown_recipient"),
        (MAIL, {"to": "boss@example.com\r\nBcc: u0002@example.com"}, "unknown_recipient"),
    ]
    async with raw_client(bridge.url) as odd:
        for number, (frame, change, code) in enumerate(cases):
            error = await odd.ask(**{**frame, **change, "id": f"stranger {number}"})
            assert (error["type"], error["code"], error["retryable"]) == ("error", code, False), change
