"""A client in the first dialect works unchanged: the checks of the first project's script, and what it could never have borne.

What such a client cannot bear is a frame that it did not ask for: it takes the first answer of the right type for its own.
So in every test here no such frame may come, and nothing may go out by a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.config.settings import Settings
from tests.support.bridge import BridgeProcess
from tests.support.installation import Installation, Person
from tests.support.loop import in_loop
from tests.support.old_client import PATIENCE_SECONDS, WAITS, JsonObject, OldClient, OldClientError
from tests.support.processes import free_port
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else

ACKNOWLEDGED: Final = {"type", "message_type", "user", "timestamp"}
SMS_RESPONSE: Final = {"type", "to", "message", "user"}
EMAIL_RESPONSE: Final = {"type", "to", "subject", "body", "user"}
STRANGER: Final = "+15550009999"
SLOW_SECONDS: Final = 9
SHORT_SECONDS: Final = 1


@pytest.fixture(scope="module")
def _installation() -> Iterator[Installation]:
    with Installation(web=False) as running:
        yield running


@pytest.fixture(scope="module")
def bridge(_installation: Installation) -> Iterator[BridgeProcess]:
    """One bridge with the times that it has by default."""
    with BridgeProcess(_installation.settings) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _worker(_installation: Installation, bridge: BridgeProcess) -> None:
    assert bridge.returncode is None
    _installation.fork()


@pytest.fixture
def installation(_installation: Installation) -> Iterator[Installation]:
    """The whole with people whom no other test has met. No reply to the bridge may have gone out by a provider."""
    yield _installation
    _installation.sandbox.faults(anthropic={"latency_seconds": 0})
    _installation.quiet()
    assert _installation.sandbox.journal("twilio.create") == []
    assert _installation.sandbox.journal("sendgrid.send") == []


@asynccontextmanager
async def old_client(url: str, *, token: str = EXAMPLE_TOKEN, **times: Any) -> AsyncIterator[OldClient]:
    """A connected client; at its end no frame may have come that was nobody's answer."""
    client = OldClient(url, token, **times)
    await client.connect()
    try:
        yield client
        await client.ping()  # what was under way before its pong has come by then
        await until(lambda: client.count("pong") and client._pings == 0)
        assert client.strays == []
    finally:
        await client.disconnect()


@in_loop
async def test_it_connects_and_authenticates_and_its_status_says_so(bridge: BridgeProcess, installation: Installation) -> None:
    """`auth_result` has the first dialect's fields and no others; before and after, `isReady` is false."""
    assert installation.redis.ping()
    client = OldClient(bridge.url, EXAMPLE_TOKEN)
    assert not client.is_ready()
    await client.connect()
    assert client.is_ready()
    (result,) = client.frames
    assert set(result) == {"type", "success", "message"}
    assert isinstance(result["message"], str)
    await client.disconnect()
    await until(lambda: not client.is_ready())


@in_loop
async def test_a_wrong_token_is_refused_with_a_sentence_and_the_connection_is_closed(
    bridge: BridgeProcess, installation: Installation
) -> None:
    """`auth_result` with `success` false, then close 1008, and nothing else; the client is not ready."""
    assert installation.redis.ping()
    client = OldClient(bridge.url, "not the token")
    with pytest.raises(OldClientError) as refused:
        await client.connect()
    assert refused.value.frame["type"] == "auth_result"
    assert set(refused.value.frame) == {"type", "success", "message"}
    assert refused.value.frame["message"]
    assert client.closes == [1008]
    assert client.strays == []
    assert not client.is_ready()


@in_loop
async def test_a_text_is_answered_by_its_reply(bridge: BridgeProcess, installation: Installation) -> None:
    """One frame: the reply, to the one who wrote, with the name that the request gave."""
    person = installation.person()
    async with old_client(bridge.url) as client:
        answer = await text(client, person, "hello", user="the name given")
        assert set(answer) == SMS_RESPONSE
        assert (answer["type"], answer["to"], answer["user"]) == ("send_sms_response", person.phone, "the name given")
        assert person.words(answer["message"]) == ["hello"]
        assert client.count("message_acknowledged") == 0
    assert [line.type for line in installation.lines(installation.conversation(person), "answered", "handed_over")] == ["answered"]


@in_loop
async def test_a_mail_is_answered_by_its_reply(bridge: BridgeProcess, installation: Installation) -> None:
    """One frame, with the subject of an answer."""
    person = installation.person()
    async with old_client(bridge.url) as client:
        answer = await mail(client, person, "hello")
        assert set(answer) == EMAIL_RESPONSE
        assert (answer["type"], answer["to"], answer["user"]) == ("send_email_response", person.email, person.tag)
        assert answer["subject"] == "Re: A question"
        assert person.words(answer["body"]) == ["hello"]
        assert client.count("message_acknowledged") == 0


@in_loop
async def test_a_ping_is_answered_at_once_beside_a_request_that_waits(bridge: BridgeProcess, installation: Installation) -> None:
    """`pong` does not queue behind an answer; the keepalive sends pings by itself."""
    installation.sandbox.faults(anthropic={"latency_seconds": 1})
    person = installation.person()
    async with old_client(bridge.url, ping_seconds=0.2) as client:
        asking = asyncio.create_task(text(client, person, "slow"))
        await until(lambda: client.count("pong") >= 2)
        assert not asking.done()
        assert person.words((await asking)["message"]) == ["slow"]


@in_loop
async def test_it_comes_back_by_itself_after_the_bridge_was_restarted(installation: Installation) -> None:
    """A request that was under way is refused by the lost connection; the next one, after the return, gets its own answer."""
    person = installation.person()
    with BridgeProcess(installation.settings | {"SUPERVISOR_PORT": str(free_port())}) as mine:
        async with old_client(mine.url) as client:
            await text(client, person, "before")
            installation.sandbox.faults(anthropic={"latency_seconds": 1})
            asking = asyncio.create_task(text(client, person, "meanwhile"))
            await asyncio.to_thread(installation.wait_for_questions, person, 2)
            mine.terminate()
            with pytest.raises(OldClientError, match="the connection was lost"):
                await asking
            mine.start()
            await until(client.is_ready, sum(WAITS))
            assert client.closes == [1001]
            assert client.tries == list(WAITS[: len(client.tries)])
            installation.sandbox.faults(anthropic={"latency_seconds": 0})
            assert person.words((await text(client, person, "after"))["message"]) == ["after"]


@in_loop
async def test_with_claude_at_9_s_it_gets_a_bare_acknowledgement_and_never_a_late_frame(
    bridge: BridgeProcess, installation: Installation
) -> None:
    """At the default times: acknowledged before its 10 s are over, then silence; its next requests get their own answers."""
    assert Settings.model_fields["bridge_answer_seconds"].default == 8
    installation.sandbox.faults(anthropic={"latency_seconds": SLOW_SECONDS})
    person, loop = installation.person(), asyncio.get_running_loop()
    async with old_client(bridge.url) as client:
        began, asked_at = loop.time(), datetime.now(UTC)
        asking = [asyncio.create_task(text(client, person, "first")), asyncio.create_task(mail(client, person, "first"))]
        await asyncio.to_thread(installation.wait_for_questions, person, 2)
        installation.sandbox.faults(anthropic={"latency_seconds": 0})
        answers = await asyncio.gather(*asking)
        assert 6 < loop.time() - began < PATIENCE_SECONDS
        for answer, kind in zip(answers, ("sms", "email"), strict=True):
            assert_bare(answer, kind, person, asked_at)
        next_ones = await asyncio.gather(text(client, person, "second"), mail(client, person, "second"))
        assert person.words(next_ones[0]["message"]) == ["second"]
        assert person.words(next_ones[1]["body"]) == ["second"]
        await asyncio.to_thread(installation.quiet)
    await asyncio.to_thread(assert_handed_over, installation, person, 1)


@in_loop
async def test_after_bare_acknowledgements_every_later_request_gets_its_own_answer(installation: Installation) -> None:
    """The same with short times, again and again in one conversation: acknowledged, handed over, and then answered as it should be."""
    installation.sandbox.faults(anthropic={"latency_seconds": SHORT_SECONDS * 1.5})
    person = installation.person()
    short = {"SUPERVISOR_PORT": str(free_port()), "BRIDGE_ANSWER_SECONDS": str(SHORT_SECONDS)}
    with BridgeProcess(installation.settings | short) as mine:
        async with old_client(mine.url) as client:
            slow = await asyncio.gather(*(text(client, person, f"slow {number}") for number in range(3)))
            assert [answer["type"] for answer in slow] == ["message_acknowledged"] * 3
            await asyncio.to_thread(installation.quiet)
            installation.sandbox.faults(anthropic={"latency_seconds": 0})
            for number in range(3):
                answer = await text(client, person, f"quick {number}")
                assert person.words(answer["message"]) == [f"quick {number}"]
    await asyncio.to_thread(assert_handed_over, installation, person, 3)


@in_loop
async def test_several_requests_in_flight_keep_their_order_errors_among_them_too(bridge: BridgeProcess, installation: Installation) -> None:
    """The first is slow, an unknown sender's and an empty one fail at once, the others are quick: the answers keep the requests' order."""
    slow, *quick = (installation.person() for _ in range(4))
    installation.sandbox.faults(anthropic={"latency_seconds": 1})
    async with old_client(bridge.url) as client:
        asking = [asyncio.create_task(text(client, slow, 0))]
        await asyncio.to_thread(installation.wait_for_questions, slow)
        installation.sandbox.faults(anthropic={"latency_seconds": 0})
        wrong = [{"from_": STRANGER, "message": "who am I"}, {"from_": slow.phone, "message": ""}]
        asking += [asyncio.create_task(client.send_sms_event(to=BOSS_PHONE, user="nobody", **request)) for request in wrong]
        asking.append(asyncio.create_task(mail(client, quick[0], 3)))
        asking += [asyncio.create_task(text(client, person, number)) for number, person in enumerate(quick, 4)]
        first, *errors_and_rest = await asyncio.gather(*asking, return_exceptions=True)
        errors, rest = errors_and_rest[:2], errors_and_rest[2:]
        assert [error.frame["code"] for error in errors if isinstance(error, OldClientError)] == ["stranger", "bad_field"]
        words = [client_words(answer, who) for answer, who in zip([first, *rest], [slow, quick[0], *quick], strict=True)]
        assert words == ["0", "3", "4", "5", "6"]
        frames = [frame for frame in client.frames if frame["type"].startswith(("send", "error", "message"))]
        assert [frame["type"] for frame in frames] == [
            "send_sms_response",
            "error",
            "error",
            "send_email_response",
            *["send_sms_response"] * 3,
        ]
        assert all(set(frame) == {"type", "message", "code", "retryable"} for frame in frames[1:3])


@in_loop
async def test_fifteen_requests_of_one_person_are_answered_in_their_order(bridge: BridgeProcess, installation: Installation) -> None:
    """In one conversation, all at once: each its own turn, each promise its own answer."""
    person = installation.person()
    async with old_client(bridge.url) as client:
        answers = await asyncio.gather(*(text(client, person, number) for number in range(15)))
        assert [client_words(answer, person) for answer in answers] == [str(number) for number in range(15)]


async def text(client: OldClient, person: Person, word: object, user: str = "") -> JsonObject:
    """Somebody's text over the bridge; the answer."""
    return await client.send_sms_event(from_=person.phone, to=BOSS_PHONE, message=person.says(word), user=user or person.tag)


async def mail(client: OldClient, person: Person, word: object) -> JsonObject:
    """Somebody's mail over the bridge; the answer."""
    return await client.send_email_event(from_=person.email, to=BOSS_EMAIL, subject="A question", body=person.says(word), user=person.tag)


def client_words(answer: object, person: Person) -> str:
    """The one word of theirs that an answer echoes."""
    assert isinstance(answer, dict), answer
    (word,) = person.words(answer.get("message") or answer.get("body"))
    return word


def assert_bare(answer: JsonObject, kind: str, person: Person, asked_at: datetime) -> None:
    """The answer tells only that the message was accepted, and when."""
    assert set(answer) == ACKNOWLEDGED
    assert (answer["type"], answer["message_type"], answer["user"]) == ("message_acknowledged", kind, person.tag)
    at = datetime.fromisoformat(answer["timestamp"])
    assert at.utcoffset() == timedelta(0)
    assert timedelta(seconds=-5) < at - asked_at < timedelta(seconds=PATIENCE_SECONDS + 5)


def assert_handed_over(installation: Installation, person: Person, texts: int) -> None:
    """So many of somebody's texts ended handed over, none of them was answered as well, and all others were answered."""
    lines = installation.lines(installation.conversation(person), "sms_received", "handed_over", "answered")
    ends = {kind: [line.fields["msg"] for line in lines if line.type == kind] for kind in ("sms_received", "handed_over", "answered")}
    assert len(ends["handed_over"]) == texts
    assert sorted(ends["handed_over"] + ends["answered"]) == sorted(ends["sms_received"])


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait for a condition without holding up the client."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - the condition is the client's, which tells nobody of its changes
            await asyncio.sleep(0.01)
