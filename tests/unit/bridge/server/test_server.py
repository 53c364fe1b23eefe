"""The parts of the bridge's server that need no server: the door, who is admitted, what records mean, hand-overs."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from bridge.protocol.codes import Ask, Close
from bridge.protocol.frames import Auth, Words
from bridge.protocol.server_session import Request
from bridge.server import handover as handing_over
from bridge.server import server
from bridge.server.connection_limits import Door, hosts, origins
from bridge.server.handover import HandOvers
from bridge.server.ledger_follower import Following, outcome
from bridge.server.submit import Acceptor, NotTried, event_of, same_words
from shared.config import settings as knobs
from shared.errors import BadInput, StorageUnavailable
from shared.mailbox import AsyncMailbox
from shared.mailbox.records import Message, MessageState, Reply, ReplyState
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendSmsResponse, SmsReceived
from shared.model.users import LOCAL_USER, User, Users
from shared.runtime import Runtime
from tests.support.wait import wait_for

SETTINGS = {"sandbox": "on"}
REMOTE = {"bridge_allow_remote": "true"}
OTHER = User(
    username="eve", phone=PhoneNumber("+15550000001"), boss_phone=PhoneNumber("+15550000002"),
    email=EmailAddress("eve@example.com"), boss_email=EmailAddress("other@example.com"),
)  # fmt: skip
USERS = Users([LOCAL_USER, OTHER])
PHONE, BOSS, MAIL, BOSS_MAIL = "+15551234567", "+15559876543", "user@example.com", "boss@example.com"


class Guest:
    """A connection that remembers being turned away."""

    def __init__(self) -> None:
        self.turned_away: list[Close] = []

    def turn_away(self, code: Close, reason: str) -> None:
        """Note it."""
        del reason
        self.turned_away.append(code)


def test_the_oldest_that_waits_makes_room() -> None:
    """Who is inside does not count as waiting, and who left does not count at all."""
    door: Door[Guest] = Door(most_waiting=2, most_inside=1)
    inside, gone, first, second, third = (Guest() for _ in range(5))
    for guest in (inside, gone):
        door.came(guest)
    assert door.enter(inside)
    door.left(gone)
    for guest in (first, second, third):
        door.came(guest)
    assert [guest.turned_away for guest in (inside, gone, first, second, third)] == [[], [], [Close.OVERLOADED], [], []]
    assert door.waiting() == (second, third)


def test_the_house_is_full_until_somebody_leaves() -> None:
    """Who authenticates again is inside already."""
    door: Door[Guest] = Door(most_waiting=9, most_inside=1)
    first, second = Guest(), Guest()
    door.came(first)
    door.came(second)
    assert [door.enter(first), door.enter(second), door.enter(first)] == [True, False, True]
    door.left(first)
    assert door.enter(second)


def test_no_repr_of_what_a_client_said_shows_its_token() -> None:
    """It may be the right one."""
    assert "guéss" not in repr(Auth("guéss", 1, "client", ""))


@pytest.mark.parametrize(
    ("settings", "port", "named", "strange"),
    [
        ({}, 9999, {"127.0.0.1:9999", "localhost:9999", "[::1]:9999"}, {"127.0.0.1", "localhost", "0.0.0.0:9999"}),
        ({}, 80, {"127.0.0.1", "localhost:80"}, {"127.0.0.1:9999"}),
        ({"supervisor_url": "wss://Boss.example.com"}, 9999, {"boss.example.com", "boss.example.com:443"}, {"boss.example.com:80"}),
        ({"supervisor_url": "ws://boss.example.com:8000/x", **REMOTE}, 9999, {"boss.example.com:8000"}, {"boss.example.com"}),
        ({"supervisor_host": "::1"}, 9999, {"[::1]:9999"}, {"::1:9999"}),
        ({"supervisor_host": "10.0.0.1", "bridge_allow_remote": True}, 9999, {"10.0.0.1:9999"}, {"10.0.0.2:9999"}),
    ],
)  # fmt: skip
def test_the_names_of_the_bridge(settings: dict[str, Any], port: int, named: set[str], strange: set[str]) -> None:
    """With its port, which may be left out only where it is the scheme's own."""
    found = hosts(knobs.load(**SETTINGS, **settings), port)
    assert named <= found
    assert not strange & found
    assert "" not in found


def test_origins_are_named_one_by_one() -> None:
    """Blanks and a slash at the end do not matter; `null` names nobody."""
    assert origins(knobs.load(**SETTINGS)) == ()
    assert origins(knobs.load(**SETTINGS, bridge_origins=" https://A.example/, ,null,http://b.example:1 ")) == (
        "https://a.example",
        "http://b.example:1",
    )


def request(kind: Ask, request_id: str = "1") -> Request:
    made = Request(cast("Any", kind), request_id, "whoever", None)
    made.message_id = "m-" + "0" * 24
    return made


def test_a_text_becomes_the_users_event() -> None:
    """The user's name is the users file's, whatever the request says."""
    event = event_of(request(Ask.SMS), Words(" +1 555 123 4567 ", BOSS, "Hello"), USERS, 5.0)
    assert isinstance(event, SmsReceived)
    assert (event.from_.value, event.to.value, event.message, event.user) == (PHONE, BOSS, "Hello", "user")
    assert (event.id, event.provider_id, event.received_at) == ("m-" + "0" * 24, "1", 5.0)


def test_a_mail_becomes_the_users_event() -> None:
    """Its own ids are kept; without one it gets an id that a repetition gets again."""
    words = Words(f"Ada <{MAIL}>", BOSS_MAIL, "Hello", "s" * 600, in_reply_to="<1@x>", references=("<0@x>",))
    event = event_of(request(Ask.EMAIL), words, USERS, 5.0)
    assert isinstance(event, EmailReceived)
    assert (event.message_id, event.in_reply_to, event.references) == (f"<m-{'0' * 24}@example.com>", "<1@x>", ("<0@x>",))
    assert (event.user, len(event.subject), event.key().thread) == ("user", 500, "<0@x>")
    assert same_words(event, event_of(request(Ask.EMAIL), words, USERS, 99.0))


@pytest.mark.parametrize(
    ("kind", "sender", "recipient", "code"),
    [
        (Ask.SMS, "+15550000001", BOSS, "stranger"),
        (Ask.SMS, "12345", BOSS, "stranger"),
        (Ask.SMS, BOSS, BOSS, "stranger"),
        (Ask.SMS, PHONE, "+15557777777", "unknown_recipient"),
        (Ask.SMS, "12345", "+15557777777", "unknown_recipient"),
        (Ask.SMS, PHONE, "nobody", "unknown_recipient"),
        (Ask.EMAIL, "eve@example.com", BOSS_MAIL, "stranger"),
        (Ask.EMAIL, "a@x.example, b@x.example", BOSS_MAIL, "stranger"),
        (Ask.EMAIL, MAIL, "nobody@example.com", "unknown_recipient"),
        (Ask.EMAIL, MAIL, "@@", "unknown_recipient"),
    ],
)
def test_who_is_no_user_of_that_boss_is_not_taken(kind: Ask, sender: str, recipient: str, code: str) -> None:
    """Another Boss's user is a stranger here."""
    with pytest.raises(BadInput) as refused:
        event_of(request(kind), Words(sender, recipient, "Hello", "Hi"), USERS, 0.0)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "other", [{"text": "Other"}, {"subject": "Other"}, {"in_reply_to": "<9@x>"}, {"references": ("<9@x>",)}, {"message_id": "<9@x>"}]
)
def test_every_word_of_a_mail_counts_for_its_id(other: dict[str, Any]) -> None:
    """Any other word is another request."""
    words = {"sender": MAIL, "recipient": BOSS_MAIL, "text": "Hello", "subject": "Hi"}
    one, two = (event_of(request(Ask.EMAIL), Words(**each), USERS, 0.0) for each in (words, words | other))
    assert not same_words(one, two)
    assert same_words(None, two)


def message(state: MessageState, reason: str = "") -> Message:
    return Message(id="m-1", conversation="c-1", kind="bridge", state=state, reason=reason, turn="t-1")


REPLY = Reply(
    "r-1", "c-1", "t-1", SendSmsResponse(to=PhoneNumber(PHONE), from_=PhoneNumber(BOSS), message="Hi", user="u"), ReplyState.STORED
)


@pytest.mark.parametrize(
    ("record", "reply", "code"),
    [
        (None, None, "expired"),
        (message(MessageState.ANSWERED), None, "expired"),
        (message(MessageState.IGNORED, "rate_limited"), None, "rate_limited"),
        (message(MessageState.IGNORED), None, "ignored"),
        (message(MessageState.PARKED, "attempts"), REPLY, "parked"),
        (message(MessageState.HANDED_OVER), None, "handed_over"),
    ],
)
def test_an_end_without_a_reply_has_a_code(record: Message | None, reply: Reply | None, code: str) -> None:
    """Also one of which nothing is kept."""
    ended = outcome(record, reply)
    assert ended is not None
    assert (ended.code, ended.reply) == (code, None)


def test_an_answer_is_the_reply_and_an_open_message_has_none() -> None:
    """A stored reply alone is no end: the message says when it is answered."""
    ended = outcome(message(MessageState.ANSWERED), REPLY)
    assert ended is not None
    assert ended.reply == REPLY.command
    assert outcome(message(MessageState.PENDING), None) is outcome(message(MessageState.IN_TURN), REPLY) is None


def test_a_record_that_cannot_be_read_keeps_no_other_back() -> None:
    """A newer version's, or a broken one: its own client hears of it."""

    class Records:
        async def messages(self, names: list[str]) -> list[Message | None]:
            if "broken" in names:
                raise BadInput
            return [message(MessageState.PARKED) for _ in names]

        async def replies(self, names: list[str]) -> list[Reply | None]:
            return [None for _ in names]

    async def play() -> dict[str, str]:
        found = await Following(cast("AsyncMailbox", Records())).outcomes(["a", "broken", "b"])
        return {name: ended.code for name, ended in found.items() if ended}

    assert asyncio.run(play()) == {"a": "parked", "broken": "unreadable", "b": "parked"}


def test_those_who_wait_behind_a_failure_do_not_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked before it was found out is told at once; who asks later tries again."""
    tried: list[str] = []

    def away(*_args: Any, **_more: Any) -> None:
        tried.append("once")
        raise StorageUnavailable

    monkeypatch.setattr("shared.submit.accept", away)
    event = event_of(request(Ask.SMS), Words(PHONE, BOSS, "Hello"), USERS, 0.0)

    async def play() -> list[type[Exception]]:
        acceptor = Acceptor(cast("Runtime", None))
        asked = time.monotonic()
        found: list[type[Exception]] = []
        for at in (asked, asked, time.monotonic() + 100):
            try:
                await acceptor.accept(event, at)
            except StorageUnavailable as error:
                found.append(type(error))
        acceptor.close()
        return found

    assert asyncio.run(play()) == [StorageUnavailable, NotTried, StorageUnavailable]
    assert tried == ["once", "once"]


class Desk:
    """A mailbox that takes hand-overs when it is there."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.taken: list[str] = []

    async def run(self, call: Any) -> str:
        """One call."""
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(call.args["id"])
        return "handed_over"


def handed_over(desk: Desk, *messages: str) -> list[str]:
    async def play() -> list[str]:
        hand_overs = HandOvers(cast("AsyncMailbox", desk), 1000)
        running = asyncio.create_task(hand_overs.run())
        for name in messages:
            hand_overs.later(name)
        await asyncio.to_thread(wait_for, lambda: not hand_overs._left, 5, "the last hand-over")
        running.cancel()
        return desk.taken

    return asyncio.run(play())


def test_a_hand_over_is_tried_until_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were asked for; one that is asked for twice is one."""
    monkeypatch.setattr(handing_over, "AGAIN_SECONDS", 0.0)
    desk = Desk(RedisAway(), TimeoutError(), ResponseError("LOADING"))
    assert handed_over(desk, "m-1", "m-2", "m-1") == ["m-1", "m-2"]


def test_a_hand_over_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded in time and in number."""
    monkeypatch.setattr(handing_over, "KEEP_TRYING_SECONDS", 0.0)
    assert handed_over(Desk(RedisAway()), "m-1", "m-2") == ["m-2"]
    monkeypatch.setattr(handing_over, "MOST", 2)
    assert handed_over(Desk(), "m-1", "m-2", "m-3") == ["m-2", "m-3"]


def test_a_fault_of_ours_does_not_end_the_following(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge that takes messages and hears nothing of them would be worse than none."""
    monkeypatch.setattr(server, "LOOP_SECONDS", 0.0)
    runs: list[int] = []

    async def loop() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ValueError
        await asyncio.Event().wait()

    async def play() -> None:
        running = asyncio.create_task(server.for_ever(loop))
        await asyncio.to_thread(wait_for, lambda: len(runs) == 3, 5, "the third run")
        running.cancel()

    asyncio.run(play())
