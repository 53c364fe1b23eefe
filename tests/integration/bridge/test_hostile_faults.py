"""Too much, too slow, and killed in between: the bridge bears it, nothing is lost, nothing answered twice, and memory stays flat.

The bridge here has its default limits, a worker answers, and whoever is good is served beside who is not.
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
from websockets.exceptions import ConnectionClosed

from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.mailbox import keys
from tests.support.bridge import BridgeProcess
from tests.support.installation import Installation
from tests.support.loop import in_loop
from tests.support.processes import free_port
from tests.support.raw_client import SOON, client_frame, connections, deaf_client, raw_client, resident, served_within
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE

pytestmark = pytest.mark.timeout(180)  # two cores may be shared with much else

GROWTH_MB: Final = 48
"""Less than any of the floods here would leave behind if it were kept."""
NOT_FOR_LOGS: Final = re.compile(rf"\+1555\d|example\.com|says <|{re.escape(EXAMPLE_TOKEN)}")


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Server, sandbox and one worker for all tests here."""
    with Installation(web=False) as running:
        running.fork()
        yield running


@pytest.fixture(scope="module")
def _bridge(installation: Installation) -> Iterator[BridgeProcess]:
    with BridgeProcess(installation.settings) as running:
        yield running


@pytest.fixture(scope="module")
def memory_before(_bridge: BridgeProcess) -> int:
    """What the bridge needs once it has served somebody, in KiB."""
    asyncio.run(served_within(_bridge.url))
    return resident(_bridge)


@pytest.fixture
def bridge(_bridge: BridgeProcess, memory_before: int) -> Iterator[BridgeProcess]:
    """The one bridge of this module. Whatever is done to it, it lives, keeps its memory, and has nothing to hide in its output."""
    yield _bridge
    assert _bridge.returncode is None, _bridge.output[-4000:]
    assert resident(_bridge) - memory_before < GROWTH_MB * 1024
    assert not NOT_FOR_LOGS.search(_bridge.output), NOT_FOR_LOGS.search(_bridge.output)
    assert "Traceback" not in _bridge.output, _bridge.output[-4000:]


# Too much


@in_loop
async def test_odd_but_valid_text_is_answered(bridge: BridgeProcess, installation: Installation) -> None:
    """Halves of surrogate pairs, zero bytes, emoji, right-to-left marks, 60,000 characters: text is text."""
    person = installation.person()
    async with raw_client(bridge.url) as good:
        for number, word in enumerate(("\ud83d", "a\u0000b", "👩‍👩‍👧‍👦", "\u202eabc", "x" * 60_000)):
            await good.say(
                type="sms_received",
                from_=person.phone,
                to=BOSS_PHONE,
                message=f"{number} {word}",
                user="\udc00",
                id=f"odd {person.tag} {number}",
            )
            answer = await good.answer()
            assert answer["type"] == "send_sms_response", answer
            assert f"{number} " in answer["message"]


@in_loop
async def test_a_flood_of_requests_is_refused_and_whoever_goes_on_is_sent_away(bridge: BridgeProcess, installation: Installation) -> None:
    """Ten a second, twenty at once: each of the others gets `too_many_requests`, may come again, and is then answered once."""
    person = installation.person()
    async with raw_client(bridge.url, auth={"client": "flood"}) as eager, raw_client(bridge.url) as good:
        for number in range(60):
            await eager.text(person, number, f"flood {person.tag} {number}")
        assert (await good.ask(type="ping"))["type"] == "pong"
        refused, answered = set[str](), set[str]()
        while len(refused) + len(answered) < 60:
            frame = await eager.answer()
            if frame["type"] == "error":
                assert (frame["code"], frame["retryable"]) == ("too_many_requests", True)
            (refused if frame["type"] == "error" else answered).add(frame["in_reply_to"])
        assert refused.isdisjoint(answered)
        assert 15 <= len(answered) <= 45
        again = min(refused)
        await asyncio.sleep(0.3)  # three requests' worth of patience
        await eager.text(person, again.rpartition(" ")[2], again)
        assert (await eager.answer())["type"] == "send_sms_response"
    async with raw_client(bridge.url) as flooding:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(500):
                await flooding.say(type="sms_received")
        assert await flooding.end() == 1013
    assert await served_within(bridge.url) < SOON


@in_loop
async def test_pings_are_not_counted(bridge: BridgeProcess) -> None:
    """Five hundred at once, five hundred pongs."""
    async with raw_client(bridge.url) as good:

        async def send() -> None:
            for _ in range(500):
                await good.say(type="ping")

        sending = asyncio.create_task(send())
        assert [(await good.hear())["type"] for _ in range(500)] == ["pong"] * 500
        await sending


def test_clients_that_never_read_are_disconnected_and_others_miss_nothing(bridge: BridgeProcess, installation: Installation) -> None:
    """One pings as fast as it can, one follows the ledger; both are dropped before they cost memory.

    Beside them a good client is served, and a subscriber who reads gets ten megabytes of events, all of them and in order.
    """
    pings = client_frame(json.dumps({"type": "ping", "id": "x" * 128})) * 200
    with deaf_client(bridge.port) as pinging, deaf_client(bridge.port) as following:
        assert connections(bridge) == 2
        pinging.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(2000):
                pinging.sendall(pings)
        following.sendall(client_frame('{"type": "subscribe"}'))
        try:
            asyncio.run(_read_events(bridge, installation, 5000))
            assert asyncio.run(served_within(bridge.url)) < SOON
            _all_gone(bridge)
        finally:
            installation.redis.xtrim(keys.LEDGER, maxlen=0)


async def _read_events(bridge: BridgeProcess, installation: Installation, lines: int) -> None:
    """Subscribe, let so many lines of 2 kB be written to the ledger, and read them."""

    def write() -> None:
        for start in range(0, lines, 500):
            pipe = installation.redis.pipeline(transaction=False)
            for number in range(start, start + 500):
                pipe.xadd(keys.LEDGER, {"type": "filler", "number": number, "filler": "x" * 2000})
            pipe.execute()

    async with raw_client(bridge.url) as good:
        assert (await good.ask(type="subscribe"))["type"] == "subscribed"
        await asyncio.to_thread(write)
        numbers = [int((await good.hear())["event"]["number"]) for _ in range(lines)]
        assert numbers == list(range(lines))


def _all_gone(bridge: BridgeProcess, seconds: float = 30) -> None:
    """Wait until the bridge has no connection any more. The kernel's table is long, so it is not read all the time."""
    end = time.monotonic() + seconds
    while (left := connections(bridge)) and time.monotonic() < end:
        time.sleep(0.2)
    assert left == 0


# Faults


@in_loop
async def test_a_bridge_killed_in_the_midst_of_a_request_loses_nothing(installation: Installation) -> None:
    """Kill -9 while Claude thinks: the client repeats its id at the new bridge and gets one reply; no provider sends anything."""
    person, identity = installation.person(), "survives"
    mine = BridgeProcess(installation.settings | {"SUPERVISOR_PORT": str(free_port())})
    with mine, slow_claude(installation, 2):
        async with raw_client(mine.url, auth={"client": "killed"}) as first:
            await first.text(person, "once", identity)
            assert (await first.hear())["type"] == "message_acknowledged"
            await asyncio.to_thread(installation.wait_for_questions, person)
            mine.kill9()
            await first.end()
        mine.start()
        async with raw_client(mine.url, auth={"client": "killed"}) as second:
            await second.text(person, "once", identity)
            acknowledged, reply = await second.hear(), await second.hear()
            assert (acknowledged["type"], acknowledged["in_reply_to"]) == ("message_acknowledged", identity)
            assert (reply["type"], reply["in_reply_to"]) == ("send_sms_response", identity)
            assert person.words(reply["message"]) == ["once"]
            assert await second.until_pong() == []
    assert len(installation.questions(person)) == 1
    assert_no_provider(installation)


@pytest.mark.parametrize("trouble", ["restarted", "killed", "frozen"])
@in_loop
async def test_redis_in_trouble_under_the_bridge_costs_only_time(bridge: BridgeProcess, installation: Installation, trouble: str) -> None:
    """What was accepted before is answered after; meanwhile a request gets `storage_unavailable`, and under its id it may come again."""
    person, server = installation.person(), installation.server
    async with raw_client(bridge.url, auth={"client": trouble}) as good:
        with slow_claude(installation, 1.5):
            await good.text(person, "before", f"before {trouble}")
            assert (await good.hear())["type"] == "message_acknowledged"
            await asyncio.to_thread(installation.wait_for_questions, person)
        {"restarted": server.stop, "killed": server.kill9, "frozen": server.freeze}[trouble]()
        try:
            await good.text(person, "meanwhile", f"meanwhile {trouble}")
            error = await good.hear()
            assert (error["type"], error["code"], error["retryable"]) == ("error", "storage_unavailable", True)
            assert error["in_reply_to"] == f"meanwhile {trouble}"
            assert (await good.ask(type="ping"))["type"] == "pong"
        finally:
            server.thaw() if trouble == "frozen" else server.start()
        reply = await good.answer()
        assert (reply["type"], reply["in_reply_to"]) == ("send_sms_response", f"before {trouble}")
        await good.text(person, "meanwhile", f"meanwhile {trouble}")
        reply = await good.answer()
        assert (reply["type"], reply["in_reply_to"]) == ("send_sms_response", f"meanwhile {trouble}")
        assert person.words(reply["message"]) == ["meanwhile"]
        await asyncio.to_thread(installation.quiet)
        assert await good.until_pong() == []
    answered = [word for entry in installation.questions(person) for word in person.words(entry["request"]["text"])]
    assert sorted(set(answered)) == ["before", "meanwhile"]
    assert_no_provider(installation)


@in_loop
async def test_two_clients_with_one_id_and_the_same_words_both_get_the_one_reply(bridge: BridgeProcess, installation: Installation) -> None:
    """One message, asked of Claude once; a third who comes later with the same gets it at once."""
    person = installation.person()
    with slow_claude(installation, 0.5):
        async with raw_client(bridge.url) as one, raw_client(bridge.url) as other:
            await asyncio.gather(one.text(person, "same", "shared"), other.text(person, "same", "shared"))
            replies = await asyncio.gather(one.answer(), other.answer())
            assert replies[0] == replies[1]
            assert person.words(replies[0]["message"]) == ["same"]
            assert await one.until_pong() == await other.until_pong() == []
        async with raw_client(bridge.url) as late:
            await late.text(person, "same", "shared")
            assert await late.answer() == replies[0]
    assert len(installation.questions(person)) == 1


@in_loop
async def test_one_id_with_other_words_is_refused(bridge: BridgeProcess, installation: Installation) -> None:
    """`id_reused`, while the first is pending and after it was answered, whichever field differs; the first keeps its answer."""
    person, another = installation.person(), installation.person()
    with slow_claude(installation, 0.5):
        async with raw_client(bridge.url) as one, raw_client(bridge.url) as other:
            await one.text(person, "first", "taken")
            assert (await one.hear())["type"] == "message_acknowledged"
            for writer, word in ((person, "second"), (another, "first")):
                await other.text(writer, word, "taken")
                error = await other.hear()
                assert (error["type"], error["code"], error["retryable"], error["in_reply_to"]) == ("error", "id_reused", False, "taken")
            await other.say(type="email_received", from_=person.email, to=BOSS_EMAIL, subject="s", body="first", user="u", id="taken")
            assert (await other.hear())["code"] == "id_reused"
            assert person.words((await one.answer())["message"]) == ["first"]
            await other.text(person, "second", "taken")
            assert (await other.hear())["code"] == "id_reused"
    asked = [word for who in (person, another) for entry in installation.questions(who) for word in who.words(entry["request"]["text"])]
    assert asked == ["first"]


@in_loop
async def test_one_id_of_two_differently_named_clients_is_two_messages(bridge: BridgeProcess, installation: Installation) -> None:
    """Ids are scoped by `auth.client`."""
    person = installation.person()
    async with raw_client(bridge.url, auth={"client": "a"}) as one, raw_client(bridge.url, auth={"client": "b"}) as other:
        await one.text(person, "a's", "scoped")
        await other.text(person, "b's", "scoped")
        assert person.words((await one.answer())["message"]) == ["a's"]
        assert person.words((await other.answer())["message"]) == ["b's"]


def test_after_all_of_it_nothing_went_out_and_nothing_is_left_open(bridge: BridgeProcess, installation: Installation) -> None:
    """Whatever the tests before did: nothing went out, nothing waits, and the bridge has as many files open as at its start."""
    installation.quiet()
    assert_no_provider(installation)
    _all_gone(bridge)


def assert_no_provider(installation: Installation) -> None:
    assert installation.sandbox.journal("twilio.create") == []
    assert installation.sandbox.journal("sendgrid.send") == []


@contextlib.contextmanager
def slow_claude(installation: Installation, seconds: float) -> Iterator[None]:
    """Claude takes its time for the questions that are asked meanwhile."""
    installation.sandbox.faults(anthropic={"latency_seconds": seconds})
    try:
        yield
    finally:
        installation.sandbox.faults(anthropic={"latency_seconds": 0})
