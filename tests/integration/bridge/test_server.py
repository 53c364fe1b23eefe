"""The bridge's semantics over a real socket and a real server; the worker is played by the test, so that it is never in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis import Redis

from shared.mailbox import Mailbox, calls, ledger
from shared.mailbox.records import Message
from shared.model.events import EmailReceived, SmsReceived
from supervisor_worker.channels import formats
from tests.support.bridge import BridgeProcess, Talker, answer, newest, park
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

ANSWER_SECONDS = 1.0


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedServer]:
    """This module's own server: it is killed, frozen and emptied."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(scope="module")
def bridge(own_server: EmbeddedServer) -> Iterator[BridgeProcess]:
    """One bridge for the whole module."""
    settings = {"REDIS_URL": own_server.url, "SANDBOX": "on", "BRIDGE_ANSWER_SECONDS": str(ANSWER_SECONDS), "BRIDGE_BURST": "50"}
    with BridgeProcess(settings) as running:
        yield running


@pytest.fixture
def redis(own_server: EmbeddedServer) -> Iterator[Redis]:
    """The server without messages; the ledger and the salt stay, as they do in life."""
    with own_server.client() as client:
        keys = [key for key in cast("list[bytes]", client.keys("boss:*")) if key not in (b"boss:ledger", b"boss:salt", b"boss:schema")]
        if keys:
            client.delete(*keys)
        yield client


@pytest.fixture
def client(bridge: BridgeProcess, redis: Redis) -> Iterator[Talker]:
    """One that is logged in and has a name."""
    del redis
    with Talker(bridge.url) as talker:
        yield talker.log_in(protocol=1, client="laptop")


def record(redis: Redis, message: str) -> Message:
    found = Mailbox(redis).message(message)
    assert found is not None
    return found


def silent(talker: Talker) -> bool:
    """Nothing was said to this client that it has not read: a pong is the next thing that it hears."""
    return talker.ask(type="ping") == {"type": "pong"}


def test_a_request_with_an_id_is_acknowledged_and_answered(client: Talker, redis: Redis) -> None:
    """The reply comes when it is stored; nothing goes out by a provider."""
    acknowledged = client.text("Hello", id="1", user="me").hear()
    assert (acknowledged["type"], acknowledged["message_type"], acknowledged["user"]) == ("message_acknowledged", "sms", "me")
    assert acknowledged["in_reply_to"] == "1"
    message = newest(redis)
    event = record(redis, message).event
    assert isinstance(event, SmsReceived)
    assert (event.message, event.user, event.provider_id) == ("Hello", "user", "1")
    assert answer(redis, message, "Hi there") == "finished"
    reply = {"type": "send_sms_response", "to": "+15551234567", "message": "Hi there", "user": "me", "in_reply_to": "1"}
    assert client.hear() == reply
    assert record(redis, message).state == "answered"
    assert silent(client)


def test_a_mail_is_answered_as_a_mail(client: Talker, redis: Redis) -> None:
    """One without a message id starts a thread of its own; one that names a thread is in it."""
    client.mail("Hello", id="1").hear()
    message = newest(redis)
    event = record(redis, message).event
    assert isinstance(event, EmailReceived)
    assert event.message_id == f"<{message}@example.com>"
    answer(redis, message, "Hi")
    frame = client.hear()
    assert (frame["type"], frame["to"], frame["subject"], frame["body"]) == ("send_email_response", "user@example.com", "Re: Hi", "Hi")
    client.mail("And?", id="2", in_reply_to=event.message_id, references=[event.message_id]).hear()
    assert record(redis, newest(redis)).conversation == record(redis, message).conversation


def test_a_client_that_was_away_repeats_its_id(bridge: BridgeProcess, client: Talker, redis: Redis) -> None:
    """It is the same message: acknowledged again, and answered at once, also under another connection."""
    client.text("Hello", id="1").hear()
    client.close()
    message = newest(redis)
    answer(redis, message)
    with Talker(bridge.url) as again:
        again.log_in(client="laptop").text("Hello", id="1")
        assert [again.hear()["type"], again.hear()["type"]] == ["message_acknowledged", "send_sms_response"]
        assert silent(again)
    assert Mailbox(redis).recent(9) == [message]


def test_a_repetition_while_it_waits_gets_one_reply(client: Talker, redis: Redis) -> None:
    """Acknowledged each time, answered once."""
    for _ in range(3):
        assert client.text("Hello", id="1").hear()["type"] == "message_acknowledged"
    answer(redis, newest(redis))
    assert client.hear()["type"] == "send_sms_response"
    assert silent(client)


def test_an_id_with_other_words_is_refused(client: Talker, redis: Redis) -> None:
    """The first message is left as it is, and answered."""
    client.text("Hello", id="1").hear()
    for more in ({"message": "Other"}, {"message": "Other", "user": "x"}):
        assert client.text(id="1", **more).hear()["code"] == "id_reused"
    assert client.mail("Hello", id="1").hear()["code"] == "id_reused"
    answer(redis, newest(redis))
    assert client.hear()["type"] == "send_sms_response"


def test_two_clients_with_one_id_share_one_message(bridge: BridgeProcess, client: Talker, redis: Redis) -> None:
    """Those of one name do; another name is another scope."""
    with Talker(bridge.url) as twin, Talker(bridge.url) as other:
        twin.log_in(client="laptop")
        other.log_in(client="phone")
        for talker in (client, twin, other):
            assert talker.text("Hello", id="1").hear()["type"] == "message_acknowledged"
        own = newest(redis)
        assert len(Mailbox(redis).recent(9)) == 2
        (shared,) = set(Mailbox(redis).recent(9)) - {own}
        answer(redis, shared, "for both")
        assert [client.hear()["message"], twin.hear()["message"]] == ["for both", "for both"]
        assert silent(other)


def test_requests_are_accepted_in_their_order(client: Talker, redis: Redis) -> None:
    """Twenty at once, stored by several threads."""
    for number in range(20):
        client.text(f"{number}", id=f"{number}")
    heard = [client.hear() for _ in range(20)]
    assert [frame["in_reply_to"] for frame in heard] == [f"{number}" for number in range(20)]
    inbox = cast("list[bytes]", redis.lrange("boss:inbox:" + record(redis, newest(redis)).conversation, 0, -1))
    events = [record(redis, name.decode()).event for name in inbox]
    assert [event.message for event in events if isinstance(event, SmsReceived)] == [f"{number}" for number in range(20)]


def test_without_an_id_the_reply_is_the_only_answer(client: Talker, redis: Redis) -> None:
    """No acknowledgement comes before it: an old client would take that for the answer."""
    client.text("Hello")
    message = newest(redis)
    answer(redis, message)
    frame = client.hear()
    assert (frame["type"], frame["message"]) == ("send_sms_response", "Hi")
    assert "in_reply_to" not in frame
    assert silent(client)


def test_without_an_id_and_a_reply_in_time_the_message_is_handed_over(client: Talker, redis: Redis) -> None:
    """A bare acknowledgement within the limit, and never anything more: nobody can answer that message now."""
    start = time.monotonic()
    client.text("Hello", user="me")
    frame = client.hear()
    assert time.monotonic() - start < ANSWER_SECONDS + 0.5
    assert (frame["type"], frame["user"]) == ("message_acknowledged", "me")
    message = newest(redis)
    assert record(redis, message).state == "handed_over"
    assert redis.llen("boss:inbox:" + record(redis, message).conversation) == 0
    assert silent(client)


def test_a_reply_that_comes_while_it_is_handed_over_is_not_sent(client: Talker, redis: Redis) -> None:
    """The worker that thinks about it meanwhile may not store its reply."""
    client.text("Hello")
    message = newest(redis)
    conversation, mailbox = record(redis, message).conversation, Mailbox(redis)
    turn = mailbox.run(calls.claim(conversation, "k1", "t-1", lease_ms=60_000)).turn
    assert turn is not None
    assert client.hear()["type"] == "message_acknowledged"
    event = turn.messages[0].event
    assert event is not None
    command = formats.reply(event, "late", turn.reply_id)
    assert mailbox.run(calls.store_reply(conversation, "k1", turn, command, limits=calls.SendLimits(1, 1, 60_000))).outcome == "handed_over"
    assert silent(client)


def test_answers_without_ids_keep_the_order_of_the_requests(client: Talker, redis: Redis) -> None:
    """The mail's reply is there first and waits for the text's; an error in between waits, too."""
    client.text("slow")
    text = newest(redis)
    client.mail("quick").text("", user="nobody").say(type="nonsense")
    mail = wait_for(lambda: next((name for name in Mailbox(redis).recent(9) if name != text), None), 5, "the mail")
    answer(redis, mail, "B")
    assert silent(client)
    answer(redis, text, "A")
    heard = [client.hear() for _ in range(4)]
    assert [frame["type"] for frame in heard] == ["send_sms_response", "send_email_response", "error", "error"]


def test_a_client_that_left_leaves_its_message_in_the_mailbox(bridge: BridgeProcess, client: Talker, redis: Redis) -> None:
    """Nobody has heard an acknowledgement, so nobody else answers: it is not handed over."""
    client.text("Hello")
    message = newest(redis)
    client.close()
    with Talker(bridge.url) as other:
        other.log_in().text("Later", from_="+15551234567")
        assert other.hear()["type"] == "message_acknowledged"
    assert record(redis, message).state == "pending"
    assert answer(redis, message) == "finished"


def test_a_parked_message_is_an_error(client: Talker, redis: Redis) -> None:
    """With and without an id; asking again tells it again."""
    client.text("Hello", id="1").hear()
    park(redis, newest(redis))
    frame = client.hear()
    assert (frame["code"], frame["retryable"], frame["in_reply_to"]) == ("parked", False, "1")
    client.text("Hello", id="1")
    assert [client.hear()["type"], client.hear()["code"]] == ["message_acknowledged", "parked"]
    client.mail("Hello")
    wait_for(lambda: len(Mailbox(redis).recent(9)) == 2, 5, "the mail")
    park(redis, newest(redis))
    assert client.hear()["code"] == "parked"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"from_": "+15550000001"}, "stranger"),
        ({"from_": "12345"}, "stranger"),
        ({"to": "+15550000001"}, "unknown_recipient"),
        ({"to": "boss@example.com"}, "unknown_recipient"),
        ({"to": "+15551234567", "from_": "+15559876543"}, "unknown_recipient"),
    ],
)
def test_only_a_user_is_answered_and_only_by_their_own_boss(client: Talker, redis: Redis, fields: dict[str, Any], code: str) -> None:
    """The same rule as for the webhooks; nothing is stored."""
    assert client.text("Hello", id="1", **fields).hear()["code"] == code
    assert Mailbox(redis).recent(9) == []


def test_stop_is_a_word_like_any_other(client: Talker, redis: Redis) -> None:
    """Nothing goes to a phone, so there is nothing to opt out of."""
    client.text("STOP", id="1").hear()
    assert record(redis, newest(redis)).state == "pending"


def test_a_subscriber_hears_everything_from_then_on(client: Talker, redis: Redis) -> None:
    """`subscribed` first, then each line once, in order."""
    begin = client.ask(type="subscribe", id="s")
    assert (begin["type"], begin["in_reply_to"], begin["seq"]) == ("subscribed", "s", ledger.last_seq(redis))
    client.text("Hello", id="1")
    heard = [client.hear() for _ in range(2)]
    message = newest(redis)
    answer(redis, message)
    while heard[-1]["type"] != "send_sms_response" or sum(frame["type"] == "event" for frame in heard) < 5:
        heard.append(client.hear())
    events = [frame for frame in heard if frame["type"] == "event"]
    kept = [line.seq for line in ledger.latest(redis, 100) if ledger.position(line.seq) > ledger.position(begin["seq"])]
    assert [frame["seq"] for frame in events] == kept[: len(events)]
    assert [frame["event"]["type"] for frame in events[:2]] == ["sms_received", "turn_started"]
    assert events[0]["event"]["msg"] == message


def test_since_is_gapless(bridge: BridgeProcess, client: Talker, redis: Redis) -> None:
    """What happened while the client was away comes first, then what happens."""
    begin = client.ask(type="subscribe")["seq"]
    client.close()
    for number in range(250):
        redis.xadd("boss:ledger", {"type": "paused", "n": str(number)})
    with Talker(bridge.url) as again:
        assert again.log_in().ask(type="subscribe", since=begin) == {"type": "subscribed", "seq": begin}
        redis.xadd("boss:ledger", {"type": "paused", "n": "250"})
        assert [again.hear()["event"]["n"] for _ in range(251)] == [str(number) for number in range(251)]


def test_a_subscriber_of_one_conversation_hears_no_other(client: Talker, redis: Redis) -> None:
    """Nor lines that belong to none."""
    conversation = "c-" + "0" * 24
    client.ask(type="subscribe", conversation=conversation)
    for name, value in (("conv", "c-" + "1" * 24), ("n", "1"), ("conv", conversation)):
        redis.xadd("boss:ledger", {"type": "x", name: value})
    assert client.hear()["event"] == {"type": "x", "conv": conversation}


@pytest.mark.parametrize("since", ["5-0", "99999999999999-0"])
def test_a_place_that_is_not_kept_needs_a_resync(client: Talker, redis: Redis, since: str) -> None:
    """Older than the first line or newer than the last: said, and then from the oldest on."""
    redis.xadd("boss:ledger", {"type": "paused"})
    oldest = cast("Any", redis.xrange("boss:ledger", count=1))[0][0].decode()
    assert client.ask(type="subscribe", since=since)["type"] == "subscribed"
    assert client.hear()["code"] == "resync_required"
    assert client.hear()["seq"] == oldest


def test_what_was_trimmed_before_it_was_read_is_not_passed_over(client: Talker, redis: Redis) -> None:
    """A subscriber whose place is gone is told so."""
    client.ask(type="subscribe")
    redis.xadd("boss:ledger", {"type": "x", "n": "0"})
    assert client.hear()["event"]["n"] == "0"
    pipe = redis.pipeline(transaction=True)
    for number in range(1, 5):
        pipe.xadd("boss:ledger", {"type": "x", "n": str(number)})
    pipe.xtrim("boss:ledger", maxlen=2, approximate=False)
    pipe.execute()
    assert client.hear()["code"] == "resync_required"
    assert [client.hear()["event"]["n"] for _ in range(2)] == ["3", "4"]


def test_nobody_hears_what_was_not_asked_for(client: Talker, redis: Redis) -> None:
    """A client that did not subscribe hears no events and no resync."""
    redis.xadd("boss:ledger", {"type": "x"})
    redis.xtrim("boss:ledger", maxlen=0, approximate=False)
    client.text("Hello", id="1")
    assert client.hear()["type"] == "message_acknowledged"
    assert silent(client)
