"""The Python client against a bridge that misbehaves: each way in which a connection, a token or an answer can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bridge.client import client as module
from bridge.client.client import State, SupervisorClient, get_supervisor_client
from bridge.client.connection import Times
from bridge.client.errors import BridgeClosed, BridgeError, BridgeRefused, BridgeUnavailable, RequestTimeout, RequestTooBig
from shared.errors import ConfigurationError
from tests.support.scripted_bridge import QUICK, TOKEN, Act, Frame, ScriptedBridge, Talk, answers

LONG = Times(open=3, first_wait=30, longest_wait=30, close=0.2)
"""Waits that no test would survive."""
ENDS = ("+15551234567", "+15559876543")


def play(scene: Callable[[SupervisorClient, ScriptedBridge], Awaitable[None]], *acts: Act, times: Times = QUICK, **options: Any) -> None:
    """Connect a client to a bridge with these acts, run the scene, and disconnect."""

    async def whole() -> None:
        async with ScriptedBridge(*acts) as bridge:
            client = SupervisorClient(bridge.url, TOKEN, name="test", times=times, **options)
            try:
                await client.connect()
                await scene(client, bridge)
            finally:
                await client.disconnect()

    asyncio.run(whole())


async def text(client: SupervisorClient, message: str = "hello", **options: Any) -> Frame:
    return await client.send_sms_event(*ENDS, message, "ada", **options)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a condition of another's making
            await asyncio.sleep(0.005)


def test_the_client_introduces_itself_and_gets_its_reply() -> None:
    """Token, protocol and name go first; the reply is the final frame, the acknowledgement is told on the way."""
    heard: list[Frame] = []

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        reply = await text(client, on_acknowledged=heard.append)
        assert (reply["type"], reply["message"], client.is_ready()) == ("send_sms_response", "re: hello", True)
        assert [frame["type"] for frame in heard] == ["message_acknowledged"]
        assert bridge.heard[0] == {"type": "auth", "token": TOKEN, "protocol": 1, "client": "test"}
        assert await client.ping() < 5

    play(scene, answers)


def test_a_mail_carries_its_thread() -> None:
    """The thread's ids are sent when they are given, and left out otherwise."""

    async def mails(talk: Talk) -> None:
        await talk.welcome()
        while True:
            request = await talk.read()
            await talk.say("send_email_response", to="a", subject="Re", body="b", user="u", in_reply_to=request["id"])

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        await client.send_email_event("a@example.com", "b@example.com", "S", "B", "ada")
        await client.send_email_event("a@example.com", "b@example.com", "S", "B", "ada", references=["<1@x>"], in_reply_to="<1@x>")
        plain, threaded = bridge.requests("email_received")
        assert plain.keys() == {"type", "id", "from", "to", "subject", "body", "user"}
        assert (threaded["references"], threaded["in_reply_to"]) == (["<1@x>"], "<1@x>")

    play(scene, mails)


def test_answers_out_of_order_reach_their_own_requests() -> None:
    """Eight requests at once, answered last first, each twice: every caller gets its own."""

    async def reverse(talk: Talk) -> None:
        await talk.welcome()
        requests = [await talk.read() for _ in range(8)]
        for request in (*reversed(requests), *requests):
            await talk.reply(request)
        await answers_on(talk)

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        replies = await asyncio.gather(*(text(client, f"number {number}") for number in range(8)))
        assert [reply["message"] for reply in replies] == [f"re: number {number}" for number in range(8)]
        assert (await text(client, "the next"))["message"] == "re: the next"

    play(scene, reverse)


async def answers_on(talk: Talk) -> None:
    while True:
        await talk.reply(await talk.read())


def test_a_late_answer_is_nobodys() -> None:
    """A request whose time was over leaves nothing behind that the next could take for its own; its id may be used again."""

    async def late(talk: Talk) -> None:
        await talk.welcome()
        first = await talk.read()
        second = await talk.read()
        await talk.reply(first, "too late")
        await talk.reply(second)
        await talk.reply(await talk.read(), "in time")

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        with pytest.raises(RequestTimeout):
            await text(client, "first", timeout=0.05, id="chosen")
        assert client._requests.waiting == ()
        assert (await text(client, "second"))["message"] == "re: second"
        assert (await text(client, "first", id="chosen"))["message"] == "in time"

    play(scene, late)


def test_what_a_newer_bridge_says_is_passed_over() -> None:
    """Unknown types, unknown fields, and what is no frame at all end neither the connection nor a request."""

    async def modern(talk: Talk) -> None:
        await talk.say("greeting", mood="good")
        await talk.welcome(max_frame="plenty", burst=None)
        request = await talk.read()
        for odd in (
            "[]",
            "nonsense",
            '{"type":["sms"]}',
            '{"in_reply_to":{}}',
            b"\x00",
            '{"type":"send_sms_response","in_reply_to":["x"]}',
        ):
            await talk.raw(odd)
        await talk.say("typing", in_reply_to=request["id"])
        await talk.say("send_email_response", in_reply_to=request["id"])
        await talk.say("send_sms_response", message="yes", confidence=0.9, in_reply_to=request["id"])

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        assert (await text(client))["message"] == "yes"
        assert bridge.connections == 1

    play(scene, modern)


@pytest.mark.parametrize("acknowledged", [False, True])
def test_unanswered_requests_are_repeated_under_their_ids_after_a_loss(acknowledged: bool) -> None:
    """Also those that were acknowledged; the caller hears of its acknowledgement once."""
    heard: list[Frame] = []
    states: list[State] = []

    async def drops(talk: Talk) -> None:
        await talk.welcome()
        for _ in range(3):
            request = await talk.read()
            if acknowledged:
                await talk.acknowledge(request)
        talk.drop()

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        replies = await asyncio.gather(*(text(client, f"n{number}", on_acknowledged=heard.append) for number in range(3)))
        assert [reply["message"] for reply in replies] == ["re: n0", "re: n1", "re: n2"]
        sent = bridge.requests()
        assert sent[:3] == sent[3:]
        assert len({request["id"] for request in sent}) == len(heard) == 3
        assert states == ["connected", "lost", "connected"]

    play(scene, drops, answers, on_state=states.append)


def test_an_acknowledgement_is_the_answer_when_no_other_came_in_time() -> None:
    """As in the first project; without one it is a timeout that may be tried again."""

    async def slow(talk: Talk) -> None:
        await talk.welcome()
        await talk.acknowledge(await talk.read())
        await talk.until_closed()

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        assert (await text(client, timeout=1))["type"] == "message_acknowledged"
        with pytest.raises(RequestTimeout) as caught:
            await text(client, timeout=0.05)
        assert caught.value.retryable

    play(scene, slow)


def test_what_may_pass_is_tried_again_and_what_is_final_is_raised() -> None:
    """The same id and content until it is taken; a final error carries the bridge's code."""

    async def busy(talk: Talk) -> None:
        await talk.welcome()
        request = await talk.read()
        await talk.error("storage_unavailable", retryable=True, in_reply_to=request["id"])
        again = await talk.read()
        assert again == request
        await talk.reply(again)
        for code, retryable in (("stranger", False), ("too_many_requests", True)):
            await talk.error(code, retryable=retryable, in_reply_to=(await talk.read())["id"])
        await talk.until_closed()

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        assert (await text(client))["message"] == "re: hello"
        with pytest.raises(BridgeError) as final:
            await text(client)
        assert (final.value.code, final.value.retryable) == ("stranger", False)
        with pytest.raises(BridgeError) as passing:
            await text(client, timeout=1)
        assert (passing.value.code, passing.value.retryable) == ("too_many_requests", True)

    play(scene, busy)


def test_a_wrong_token_stops_the_client_for_good() -> None:
    """Everybody who waits is told, nobody knocks again, and later requests hear it at once."""
    states: list[State] = []

    async def refuses(talk: Talk) -> None:
        await talk.read()
        await talk.say("auth_result", success=False, message="Authentication failed")
        await talk.close(1008)

    async def scene() -> None:
        async with ScriptedBridge(refuses) as bridge:
            client = SupervisorClient(bridge.url, "wrong", times=QUICK, on_state=states.append)
            waiting = asyncio.create_task(text(client))
            with pytest.raises(BridgeRefused):
                await client.connect()
            with pytest.raises(BridgeRefused):
                await waiting
            with pytest.raises(BridgeRefused):
                await text(client)
            with pytest.raises(BridgeRefused):
                await anext(client.events())
            await asyncio.wait_for(asyncio.shield(runner_of(client)), 5)
            assert (bridge.connections, states, client.is_ready()) == (1, ["refused"], False)

    asyncio.run(scene())


def runner_of(client: SupervisorClient) -> asyncio.Task[None]:
    assert client._runner is not None
    return client._runner


def test_a_policy_close_is_not_argued_with() -> None:
    """1008 on an authenticated connection ends the client; waiting requests are told so."""

    async def expels(talk: Talk) -> None:
        await talk.welcome()
        await talk.read()
        await talk.close(1008)

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        with pytest.raises(BridgeRefused):
            await text(client)
        assert bridge.connections == 1

    play(scene, expels)


def test_a_restart_is_met_at_once() -> None:
    """After 1012 the client is back long before its first wait of half a minute would be over."""

    async def restarts(talk: Talk) -> None:
        await talk.welcome()
        await talk.read()
        await talk.close(1012)

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        assert (await text(client))["message"] == "re: hello"

    play(scene, restarts, answers, times=LONG)


def test_a_missed_pong_is_a_broken_connection() -> None:
    """A bridge that reads and says nothing is left, and the request is repeated on the next connection."""

    async def mute(talk: Talk) -> None:
        await talk.welcome()
        while True:
            await talk.read()

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        assert (await text(client))["message"] == "re: hello"
        assert bridge.connections == 2
        assert bridge.requests("ping")

    play(scene, mute, answers, times=Times(open=3, ping=0.05, pong=0.5, first_wait=0.01, longest_wait=0.05, close=0.2))


def test_a_pong_that_names_no_ping_counts() -> None:
    """A bridge of the first dialect pongs without ids: it lives."""

    async def first_dialect(talk: Talk) -> None:
        await talk.welcome()
        while True:
            await talk.read()
            await talk.say("pong")

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        await until(lambda: len(bridge.requests("ping")) > 3)
        assert await client.ping() < 2
        assert bridge.connections == 1

    play(scene, first_dialect, times=Times(open=3, ping=0.02, pong=2))


def test_nobody_there_is_said_and_tried_on() -> None:
    """connect() gives up in time; the client does not: a request made meanwhile is answered when the bridge comes."""

    async def scene() -> None:
        bridge = ScriptedBridge(answers)
        client = SupervisorClient(bridge.url, TOKEN, times=QUICK)
        with pytest.raises(BridgeUnavailable):
            await text(client)  # before connect(): nothing would ever come of it
        with pytest.raises(BridgeUnavailable):
            await client.connect(timeout=0.05)
        with pytest.raises(BridgeUnavailable):
            await client.ping()
        waiting = asyncio.create_task(text(client))
        async with bridge:
            assert (await waiting)["message"] == "re: hello"
            await client.connect()
            await client.disconnect()

    asyncio.run(scene())


def test_a_request_over_the_limit_is_not_sent() -> None:
    """The bridge's own limit holds, as it was told; the others' requests are not disturbed."""

    async def narrow(talk: Talk) -> None:
        await talk.welcome(max_frame=400)
        await answers_on(talk)

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        with pytest.raises(RequestTooBig):
            await text(client, "x" * 400)
        assert (await text(client, "short"))["message"] == "re: short"
        assert (bridge.connections, len(bridge.requests())) == (1, 1)

    play(scene, narrow)


def test_a_frame_that_the_bridge_finds_too_big_is_not_sent_for_ever() -> None:
    """A bridge with a limit of its own closes with 1009: the largest request fails, the other one is answered."""

    async def strict(talk: Talk) -> None:
        await talk.welcome()
        await talk.read()
        await talk.read()
        await talk.close(1009)

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        large, small = await asyncio.gather(text(client, "x" * 900), text(client, "small"), return_exceptions=True)
        assert isinstance(large, RequestTooBig)
        assert isinstance(small, dict)

    play(scene, strict, answers)


def test_disconnect_is_final() -> None:
    """Whoever waits is told, an iteration over events ends, and the client does not open again."""

    async def silent(talk: Talk) -> None:
        await talk.welcome()
        while True:
            await talk.read()

    async def scene(client: SupervisorClient, bridge: ScriptedBridge) -> None:
        async def listen() -> list[object]:
            return [event async for event in client.events()]

        waiting, listening = asyncio.create_task(text(client)), asyncio.create_task(listen())
        await until(lambda: bridge.requests() and bridge.requests("subscribe"))
        await client.disconnect()
        with pytest.raises(BridgeClosed):
            await waiting
        assert await listening == []
        with pytest.raises(BridgeClosed):
            await client.connect()
        with pytest.raises(BridgeClosed):
            await text(client)
        assert runner_of(client).done()

    play(scene, silent)


def test_events_go_on_where_they_stopped() -> None:
    """After a loss the subscription names the last line that was read; where the bridge cannot go on, that is seen."""

    async def first(talk: Talk) -> None:
        await talk.welcome()
        assert (await talk.read())["since"] == "1-0"
        await talk.say("subscribed", seq="1-0")
        for number in (2, 3):
            await talk.say("event", seq=f"{number}-0", event={"type": "accepted"})
        talk.drop()

    async def second(talk: Talk) -> None:
        await talk.welcome()
        request = await talk.read()
        assert request["since"] == "3-0"
        await talk.error("too_many_requests", retryable=True, in_reply_to=request["id"])
        request = await talk.read()
        assert (request["since"], request["conversation"]) == ("3-0", "c-1")
        await talk.error("resync_required", in_reply_to=request["id"])
        await talk.say("subscribed", seq="7-0")
        await talk.say("event", seq="8-0", event={"type": "answered"})
        await talk.until_closed()

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        seen = []
        async for event in client.events(since="1-0", conversation="c-1"):
            seen.append((event.seq, event.event.get("type"), event.resync))
            if event.seq == "8-0":
                break
        assert seen == [("2-0", "accepted", False), ("3-0", "accepted", False), ("", None, True), ("8-0", "answered", False)]

    play(scene, first, second)


def test_a_refused_subscription_is_raised() -> None:
    """A `since` that is none: the bridge's code reaches the reader. A second subscription beside the first is refused."""

    async def strict(talk: Talk) -> None:
        await talk.welcome()
        await talk.error("bad_field", in_reply_to=(await talk.read())["id"])
        await talk.until_closed()

    async def scene(client: SupervisorClient, _bridge: ScriptedBridge) -> None:
        with pytest.raises(BridgeError) as caught:
            await anext(client.events(since="nonsense"))
        assert caught.value.code == "bad_field"

    play(scene, strict)


def test_a_process_has_one_shared_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made from the settings, the same for everybody, refused for another bridge, and new after its end."""
    monkeypatch.setattr(module, "_shared", None)
    monkeypatch.setenv("SUPERVISOR_PORT", "4321")
    first = get_supervisor_client()
    assert (first.url, first.token) == ("ws://127.0.0.1:4321", TOKEN)
    assert get_supervisor_client("ws://127.0.0.1:4321", TOKEN) is get_supervisor_client() is first
    with pytest.raises(ConfigurationError):
        get_supervisor_client(token="another")
    asyncio.run(first.disconnect())
    assert get_supervisor_client() is not first
    with pytest.raises(ConfigurationError):
        SupervisorClient("http://127.0.0.1:1", TOKEN)
