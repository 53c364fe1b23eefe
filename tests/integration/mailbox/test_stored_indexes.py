"""What a version without indexes has stored is listed once, by whichever workers there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis

from shared.mailbox import AsyncMailbox, Mailbox
from shared.mailbox.calls import END
from shared.model import codec
from shared.model.addresses import EmailAddress, Identities, PhoneNumber
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.runtime import identity_salt
from shared.storage.clients import for_loop
from supervisor_worker.process.stored_indexes import StoredIndexes
from tests.support.server import EmbeddedServer

USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
MAIL_USER, MAIL_BOSS = EmailAddress("user@example.com"), EmailAddress("boss@example.com")
HEADER = "<one@user.example>"


class Old:
    """A mailbox as the version before left it."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.identities = Identities(identity_salt(redis))

    def text(self, name: str) -> str:
        """A text."""
        return self._store(SmsReceived(id=name, from_=USER, to=BOSS, message="hello", user="user", provider_id="SM1"))

    def mail(self, name: str) -> str:
        """A mail."""
        event = EmailReceived(id=name, from_=MAIL_USER, to=MAIL_BOSS, subject="s", body="b", user="user", message_id=HEADER)
        return self._store(event)

    def _store(self, event: Received) -> str:
        conversation = self.identities.conversation(event.key())
        fields = {
            "id": event.id, "conv": conversation, "channel": event.channel, "kind": "text", "state": "answered", "accepted_at": "1000",
            "event": codec.encode(event),
        }  # fmt: skip
        self.redis.hset(f"boss:msg:{event.id}", mapping=cast("Any", fields))
        self.redis.zadd("boss:recent", {event.id: self._now()})
        return event.id

    def _now(self) -> int:
        seconds, micros = cast("Any", self.redis.time())
        return int(seconds) * 1000 + int(micros) // 1000

    def listed(self, name: str) -> set[str]:
        """The messages of an index."""
        return set(Mailbox(self.redis).listed(name, 10_000))


@asynccontextmanager
async def worker(url: str, identities: Identities) -> AsyncIterator[StoredIndexes]:
    """A process's part."""
    redis = for_loop(url)
    context = SimpleNamespace(identities=identities, stopping=asyncio.Event())
    try:
        yield StoredIndexes(cast("Any", SimpleNamespace(redis=redis, mailbox=AsyncMailbox(redis), context=context)))
    finally:
        await redis.aclose()


async def finish(process: StoredIndexes, steps: int = 500) -> int:
    """Make steps until all is listed; how many there were."""
    for number in range(steps):
        if (await process._progress()).at == END:
            return number
        await process.step()
    raise AssertionError(f"not listed in {steps} steps")


@pytest.fixture
def old(redis: Redis) -> Old:
    return Old(redis)


def test_messages_are_listed_by_everything_that_they_are_found_by(old: Old, redis_url: str) -> None:
    """Also where the record does not say whose it is."""
    text, mail = old.text("m-1"), old.mail("m-2")

    async def run() -> None:
        async with worker(redis_url, old.identities) as process:
            await finish(process)

    asyncio.run(run())
    identities = old.identities
    assert old.listed(identities.user("user")) == {text, mail}
    assert old.listed(identities.sender(USER)) == {text}
    assert old.listed(identities.sender(MAIL_USER)) == old.listed(identities.message_id(HEADER)) == {mail}
    assert {name for name, _ in Mailbox(old.redis).conversations(10)} == {
        cast("bytes", old.redis.hget(f"boss:msg:{name}", "conv")).decode() for name in (text, mail)
    }


def test_a_worker_goes_on_where_another_one_ended(old: Old, redis_url: str) -> None:
    """Steps are small, and their place stands in Redis."""
    names = {old.text(f"m-{number:04}") for number in range(1_500)}

    async def run() -> tuple[int, int]:
        async with worker(redis_url, old.identities) as first:
            await first.step()
        listed = len(old.listed(old.identities.user("user")))
        async with worker(redis_url, old.identities) as second:
            return listed, await finish(second)

    listed, steps = asyncio.run(run())
    assert 0 < listed < 1_500
    assert steps >= 2
    assert old.listed(old.identities.user("user")) == names


def test_two_workers_at_once_leave_nothing_out(old: Old, redis_url: str) -> None:
    """Whoever is faster moves it on."""
    names = {old.text(f"m-{number:04}") for number in range(3_000)}

    async def run() -> None:
        async with worker(redis_url, old.identities) as first, worker(redis_url, old.identities) as second:
            await asyncio.gather(finish(first), finish(second))

    asyncio.run(run())
    assert old.listed(old.identities.user("user")) == names


def test_a_process_of_the_older_version_may_still_write(old: Old, redis_url: str) -> None:
    """For a day what came since is looked at again; then it ends for ever."""
    old.text("m-early")

    async def run() -> tuple[float | None, float | None]:
        async with worker(redis_url, old.identities) as process:
            await finish(process)
            old.text("m-late")
            following = await process.step()
            old.redis.hset("boss:indexing", "moved", "1")
            return following, await process.step()

    following, ended = asyncio.run(run())
    assert following is not None
    assert ended is None
    assert old.listed(old.identities.user("user")) == {"m-early", "m-late"}


def test_a_mailbox_that_has_nothing_is_listed_at_once(old: Old, redis_url: str) -> None:
    """A new installation's."""

    async def run() -> tuple[int, float | None]:
        async with worker(redis_url, old.identities) as process:
            return await finish(process), await process.step()

    assert asyncio.run(run()) == (1, None)  # no older version was there, and none is waited for


@pytest.fixture
def other() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def test_a_failover_begins_anew(old: Old, redis_url: str, other: EmbeddedServer) -> None:
    """A place in one server's records is none in another's."""
    for number in range(1_500):
        old.text(f"m-{number:04}")

    async def run() -> None:
        async with worker(redis_url, old.identities) as process:
            await process.step()
        with other.client() as redis:
            for key in old.redis.scan_iter():
                redis.restore(key, 0, cast("Any", old.redis.dump(key)))
            for key in redis.scan_iter("boss:index:*"):
                redis.delete(key)
        async with worker(other.url, old.identities) as process:
            await finish(process)

    asyncio.run(run())
    with other.client() as redis:
        assert len(Mailbox(redis).listed(old.identities.user("user"), 10_000)) == 1_500


def test_records_that_cannot_be_read_hold_nothing_up(old: Old, redis_url: str) -> None:
    """They are listed by what they say."""
    old.text("m-1")
    for name, content in (("m-2", "{"), ("m-3", ""), ("m-4", codec.dumps({"v": 1, "type": "unknown"}))):
        old.redis.hset(f"boss:msg:{name}", mapping={"id": name, "user": "u-7", "conv": "c-7", "accepted_at": "5", "event": content})

    async def run() -> None:
        async with worker(redis_url, old.identities) as process:
            await finish(process)

    asyncio.run(run())
    assert old.listed("u-7") == old.listed("c-7") == {"m-2", "m-3", "m-4"}
