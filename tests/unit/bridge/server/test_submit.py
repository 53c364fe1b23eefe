"""A request becomes a message: who may send it, what makes two requests the same, and how it is stored."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from bridge.protocol.codes import ClientFrame
from bridge.protocol.frames import MessageContent
from bridge.protocol.server_session import MessageRequest
from bridge.server.submit import MAX_CONCURRENT_STORES, NotTried, Submitter, event_of, same_content
from shared.config.loading import load_settings
from shared.errors import BadInput, StorageFault, StorageFull, StorageUnavailable
from shared.mailbox import keys
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted
from shared.mailbox.records import Message
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.model.users import LOCAL_USER, User, Users
from shared.runtime import Runtime
from tests.support.fake_mailbox import IDENTITIES, FakeMailbox, ServerClock

OTHER = User(
    username="eve", phone=PhoneNumber("+15550000001"), boss_phone=PhoneNumber("+15550000002"),
    email=EmailAddress("eve@example.com"), boss_email=EmailAddress("other@example.com"),
)  # fmt: skip
USERS = Users([LOCAL_USER, OTHER])
PHONE, BOSS, MAIL, BOSS_MAIL = "+15551234567", "+15559876543", "user@example.com", "boss@example.com"


def request(kind: ClientFrame, request_id: str = "1") -> MessageRequest:
    made = MessageRequest(cast("Any", kind), request_id, "whoever", None)
    made.message_id = "m-" + "0" * 24
    return made


def test_a_text_becomes_the_users_event() -> None:
    """The user's name is the users file's, whatever the request says."""
    event = event_of(request(ClientFrame.SMS), MessageContent(" +1 555 123 4567 ", BOSS, "Hello"), USERS, 5.0)
    assert isinstance(event, SmsReceived)
    assert (event.from_.value, event.to.value, event.message, event.user) == (PHONE, BOSS, "Hello", "user")
    assert (event.id, event.provider_id, event.received_at) == ("m-" + "0" * 24, "1", 5.0)


def test_a_mail_becomes_the_users_event() -> None:
    """Its own ids are kept; without one it gets an id that a repetition gets again."""
    content = MessageContent(f"Ada <{MAIL}>", BOSS_MAIL, "Hello", "s" * 600, in_reply_to="<1@x>", references=("<0@x>",))
    event = event_of(request(ClientFrame.EMAIL), content, USERS, 5.0)
    assert isinstance(event, EmailReceived)
    assert (event.message_id, event.in_reply_to, event.references) == (f"<m-{'0' * 24}@example.com>", "<1@x>", ("<0@x>",))
    assert (event.user, len(event.subject), event.key().thread) == ("user", 500, "<0@x>")
    assert same_content(event, event_of(request(ClientFrame.EMAIL), content, USERS, 99.0))


@pytest.mark.parametrize(
    ("kind", "sender", "recipient", "code"),
    [
        (ClientFrame.SMS, "+15550000001", BOSS, "stranger"),
        (ClientFrame.SMS, "12345", BOSS, "stranger"),
        (ClientFrame.SMS, BOSS, BOSS, "stranger"),
        (ClientFrame.SMS, PHONE, "+15557777777", "unknown_recipient"),
        (ClientFrame.SMS, "12345", "+15557777777", "unknown_recipient"),
        (ClientFrame.SMS, PHONE, "nobody", "unknown_recipient"),
        (ClientFrame.EMAIL, "eve@example.com", BOSS_MAIL, "stranger"),
        (ClientFrame.EMAIL, "a@x.example, b@x.example", BOSS_MAIL, "stranger"),
        (ClientFrame.EMAIL, MAIL, "nobody@example.com", "unknown_recipient"),
        (ClientFrame.EMAIL, MAIL, "@@", "unknown_recipient"),
    ],
)
def test_who_is_no_user_of_that_boss_is_not_taken(kind: ClientFrame, sender: str, recipient: str, code: str) -> None:
    """Another Boss's user is a stranger here."""
    with pytest.raises(BadInput) as refused:
        event_of(request(kind), MessageContent(sender, recipient, "Hello", "Hi"), USERS, 0.0)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "other", [{"text": "Other"}, {"subject": "Other"}, {"in_reply_to": "<9@x>"}, {"references": ("<9@x>",)}, {"message_id": "<9@x>"}]
)
def test_every_word_of_a_mail_counts_for_its_id(other: dict[str, Any]) -> None:
    """Any other word is another request."""
    content = {"sender": MAIL, "recipient": BOSS_MAIL, "text": "Hello", "subject": "Hi"}
    one, two = (event_of(request(ClientFrame.EMAIL), MessageContent(**each), USERS, 0.0) for each in (content, content | other))
    assert not same_content(one, two)
    assert same_content(None, two)


class Store:
    """A mailbox whose calls the test lets through, or fails, one at a time."""

    def __init__(self, max_open: int = 50_000) -> None:
        self.mailbox = FakeMailbox()
        self.asked: list[asyncio.Future[None]] = []
        self.mailbox.before["accept"] = self._asked
        settings = load_settings(sandbox="on", max_open_messages=max_open)
        self.users = Users([LOCAL_USER])
        self.people: Any = SimpleNamespace(refresh=lambda: None)
        runtime = SimpleNamespace(settings=settings, identities=IDENTITIES, users=self.users, people=self.people)
        self.submitter = Submitter(cast("Runtime", runtime), self.mailbox)

    def _asked(self, _call: Call[Any]) -> asyncio.Future[None]:
        going_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.asked.append(going_on)
        return going_on

    async def is_asked(self, count: int) -> None:
        """Wait until so many calls were made."""
        async with asyncio.timeout(10):
            while len(self.asked) < count:  # noqa: ASYNC110 - a thread comes between
                await asyncio.sleep(0)

    def message(self, event: Received) -> Message | None:
        """What is stored of a message."""
        return self.mailbox.blocking.message(event.id)


@pytest.fixture
def store(clock: ServerClock) -> Store:
    """An empty mailbox."""
    del clock
    return Store()


def text(number: int = 0) -> Received:
    """One text of many."""
    asked = request(ClientFrame.SMS)
    asked.message_id = f"m-{number:024}"
    return event_of(asked, MessageContent(PHONE, BOSS, "Hello"), USERS, 0.0)


async def begin(store: Store, *events: Received, asked_at: float = 0.0) -> list[asyncio.Task[Accepted]]:
    """Submissions, each as far as it comes by itself."""
    tasks = [asyncio.create_task(accepted(store, event, asked_at)) for event in events]
    await settled()
    return tasks


async def accepted(store: Store, event: Received, asked_at: float) -> Accepted:
    """The mailbox's verdict on a message of somebody who is known."""
    _, found = await store.submitter.submit(lambda _users: event, asked_at)
    return found


async def settled() -> None:
    """Everything has run that can run."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_those_who_wait_behind_a_failure_do_not_try(store: Store) -> None:
    """Who asked before it was found out is told at once; who asks later tries again."""

    async def play() -> None:
        tasks = await begin(store, *map(text, range(MAX_CONCURRENT_STORES + 5)), asked_at=time.monotonic())
        for asked in tuple(store.asked):
            asked.set_exception(RedisAway())
        await settled()
        found = [type(task.exception()) for task in tasks]
        assert found == [StorageUnavailable] * MAX_CONCURRENT_STORES + [NotTried] * 5
        (later,) = await begin(store, text(99), asked_at=time.monotonic() + 100)
        store.asked[-1].set_result(None)
        assert (await later).outcome == "accepted"
        assert len(store.asked) == MAX_CONCURRENT_STORES + 1

    asyncio.run(play())
    assert store.message(text(99))
    assert not any(store.message(text(number)) for number in range(MAX_CONCURRENT_STORES + 5))


def test_so_many_are_stored_at_once_and_no_more(store: Store) -> None:
    """Further ones wait, in the order in which they came."""

    async def play() -> None:
        tasks = await begin(store, *map(text, range(MAX_CONCURRENT_STORES)), text(3), text(99))
        assert len(store.asked) == MAX_CONCURRENT_STORES
        store.asked[3].set_result(None)
        assert (await tasks[3]).outcome == "accepted"
        await settled()
        assert len(store.asked) == MAX_CONCURRENT_STORES + 1
        store.asked[MAX_CONCURRENT_STORES].set_result(None)
        assert (await tasks[MAX_CONCURRENT_STORES]).outcome == "duplicate"
        for task in tasks:
            task.cancel()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ReadOnlyError("READONLY"), StorageUnavailable),
        (OutOfMemoryError("OOM"), StorageUnavailable),
        (TimeoutError(), StorageUnavailable),
        (ResponseError("WRONGTYPE"), StorageFault),
    ],
)
def test_a_mailbox_that_does_not_take_a_message_is_an_unavailable_storage(
    store: Store, fault: Exception, error: type[StorageUnavailable]
) -> None:
    """Never NotTried: it was sent, and only the script's own answer would tell what became of it."""

    async def play() -> None:
        (task,) = await begin(store, text())
        store.asked[0].set_exception(fault)
        await settled()
        assert type(task.exception()) is error

    asyncio.run(play())


def test_a_mailbox_without_room_is_a_full_storage(clock: ServerClock) -> None:
    """The message is not stored, and its client is told to come again."""
    del clock
    store = Store(max_open=1)

    async def play() -> None:
        first, second = await begin(store, text(1), text(2))
        store.asked[0].set_result(None)
        assert (await first).outcome == "accepted"
        store.asked[1].set_result(None)
        with pytest.raises(StorageFull):
            await second

    asyncio.run(play())
    assert store.message(text(2)) is None


def eve(users: Users) -> Received:
    """A text of Eve's, who is known to some."""
    asked = request(ClientFrame.SMS)
    return event_of(asked, MessageContent("+15550000001", "+15550000002", "Hello"), users, 0.0)


def test_nobody_is_a_stranger_before_it_was_asked_who_is_known_now(store: Store) -> None:
    """Eve was added a moment ago; whom the registry has not either is refused after one question."""
    asked: list[int] = []

    def learn() -> None:
        asked.append(1)
        store.users.replace([LOCAL_USER, OTHER], 1)

    store.people.refresh = learn
    store.mailbox.blocking.redis.hset(keys.REGISTRY_STATE, "version", 1)

    async def play() -> None:
        task = asyncio.create_task(store.submitter.submit(eve, 0.0))
        await store.is_asked(1)
        store.asked[0].set_result(None)
        event, verdict = await task
        assert (event.user, verdict.outcome) == ("eve", "accepted")
        store.people.refresh = lambda: asked.append(1)
        store.users.replace([LOCAL_USER], 1)
        with pytest.raises(BadInput, match="unknown_recipient"):
            await store.submitter.submit(eve, 0.0)

    asyncio.run(play())
    assert len(asked) == 2


def test_while_redis_is_away_a_stranger_is_told_that_it_is_away(store: Store) -> None:
    """Nobody can say who is known now: nothing was tried, and the client comes again."""

    def away() -> None:
        raise RedisAway

    store.people.refresh = away
    with pytest.raises(NotTried):
        asyncio.run(store.submitter.submit(eve, time.monotonic()))


def test_a_message_is_judged_anew_where_its_address_has_changed_hands(store: Store) -> None:
    """The script finds another version of the registry, and the message is the new owner's."""
    tom = User(username="tom", phone=OTHER.phone, boss_phone=OTHER.boss_phone)
    store.users.replace([OTHER], 1)
    store.mailbox.blocking.redis.hset(keys.REGISTRY_STATE, "version", 2)
    store.people.refresh = lambda: store.users.replace([tom], 2)

    async def play() -> None:
        task = asyncio.create_task(store.submitter.submit(eve, 0.0))
        for number in range(2):
            await store.is_asked(number + 1)
            store.asked[number].set_result(None)
        event, verdict = await task
        assert (event.user, verdict.outcome) == ("tom", "accepted")

    asyncio.run(play())
