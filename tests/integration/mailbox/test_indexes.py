"""The indexes: who writes them, what is in them, and that an entry goes when its record has gone."""

from __future__ import annotations

from typing import Any, cast

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted, indexes
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_workers import received

DAY = calls.DAY_MS
STRANGER: dict[str, Any] = {"sender": "s-9", "provider_id": "SM9", "who": "+1…99 to +1…43", "index": ["w-9"]}


def listed(driver: MailboxDriver, name: str) -> list[str]:
    """The messages of an index, oldest first."""
    return [raw.decode() for raw in cast("list[bytes]", driver.redis.zrange(f"boss:index:{name}", 0, -1))]


def scores(driver: MailboxDriver, key: str) -> dict[str, int]:
    """The members of a sorted set, and by how many ms their times lie ahead."""
    found = cast("Any", driver.redis.zrange(key, 0, -1, withscores=True))
    return {name.decode(): int(score) - driver.now for name, score in found}


def forget(driver: MailboxDriver, *messages: str) -> None:
    """Their time has come: the records are gone."""
    for message in messages:
        driver.redis.delete(f"boss:msg:{message}")


def test_a_message_is_found_by_its_user_its_sender_and_its_conversation(driver: MailboxDriver) -> None:
    """Whatever became of it: also one that is not answered."""
    driver.accept("m-1")
    driver.advance(5)
    driver.accept("m-2", keyword="stop")
    for name in ("u-1", "s-1", C):
        assert listed(driver, name) == ["m-1", "m-2"]
    assert scores(driver, "boss:index:u-1") == {"m-1": -5, "m-2": 0}
    assert set(scores(driver, "boss:indexes")) == {"u-1", "s-1", C}


def test_a_second_delivery_is_not_listed_again(driver: MailboxDriver) -> None:
    """The first one's time stays."""
    driver.accept("m-1")
    driver.advance(1_000)
    driver.accept("m-1")
    assert scores(driver, "boss:index:u-1") == {"m-1": -1_000}


def test_a_message_that_had_no_room_is_not_listed(driver: MailboxDriver) -> None:
    """Its provider keeps it."""
    driver.accept("m-1")
    assert driver.accept("m-2", most=1).outcome == "full"
    assert listed(driver, "u-1") == ["m-1"]


def test_a_mail_is_found_by_its_message_id(driver: MailboxDriver) -> None:
    """By the id that is made of it."""
    driver.run(mail("m-1", index=["i-1"]))
    assert listed(driver, "i-1") == ["m-1"]


def mail(name: str, index: list[str]) -> Call[Accepted]:
    """A mail with a Message-ID."""
    return calls.accept(received(name, "mail"), kind="mail", conversation=C, sender="s-1", pair="p-1", user="u-1", index=index)


def test_a_stranger_is_found_by_their_address_and_by_its_mask(driver: MailboxDriver) -> None:
    """And the record says who wrote to whom, masked, and the provider's id: no more than that is kept."""
    driver.run(calls.ignore("m-1", "sms", "stranger", **STRANGER))
    assert listed(driver, "s-9") == listed(driver, "w-9") == ["m-1"]
    record = cast("dict[bytes, bytes]", driver.redis.hgetall("boss:msg:m-1"))
    assert (record.get(b"who", b"").decode(), record.get(b"provider_id"), b"event" in record) == ("+1…99 to +1…43", b"SM9", False)


def test_what_a_user_wrote_and_is_not_answered_keeps_who_wrote_it(driver: MailboxDriver) -> None:
    """A STOP has no text in its record; whose it was stands there, so that it is shown, and erased with the rest."""
    driver.accept("m-1", keyword="stop")
    record = cast("dict[bytes, bytes]", driver.redis.hgetall("boss:msg:m-1"))
    assert tuple(record.get(name) for name in (b"user", b"sender", b"provider_id")) == (b"u-1", b"s-1", b"SMm-1")


def test_a_flood_of_strangers_costs_no_index(driver: MailboxDriver) -> None:
    """What is counted alone is not listed."""
    for number in range(calls.NOT_ADMITTED_AN_HOUR + 5):
        driver.run(calls.ignore(f"m-{number}", "sms", "stranger", **STRANGER))
    assert len(listed(driver, "s-9")) == calls.NOT_ADMITTED_AN_HOUR


def test_conversations_are_listed_by_their_last_activity(driver: MailboxDriver) -> None:
    """A message from either side."""
    driver.accept("m-1")
    driver.advance(10)
    driver.accept("m-2", conv="c-2", kind="mail", pair="p-2")
    assert scores(driver, "boss:conversations") == {C: -10, "c-2": 0}
    driver.advance(10)
    driver.taken("k1")
    driver.store("k1")
    assert scores(driver, "boss:conversations") == {"c-2": -10, C: 0}


def test_a_conversation_of_which_nothing_is_kept_is_not_listed_by_its_reply(driver: MailboxDriver) -> None:
    """As one that holds a notice of ours alone, or whose messages were erased meanwhile."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.redis.delete("boss:conversations")
    driver.store("k1")
    assert scores(driver, "boss:conversations") == {}


def test_an_entry_goes_when_its_record_has_gone(driver: MailboxDriver) -> None:
    """With the sweep, a day later at most; what is left stays listed, however old it is."""
    driver.accept("m-1")
    driver.accept("m-2")
    driver.accept("m-3")
    forget(driver, "m-1", "m-3")
    driver.sweep()
    assert listed(driver, "u-1") == ["m-1", "m-2", "m-3"]
    driver.advance(DAY)
    driver.sweep()
    for name in ("u-1", "s-1", C):
        assert listed(driver, name) == ["m-2"]
    assert set(scores(driver, "boss:indexes").values()) == {DAY}
    assert scores(driver, "boss:conversations") == {C: -DAY}


def test_an_index_of_nothing_is_gone(driver: MailboxDriver) -> None:
    """And its name with it, and its conversation."""
    driver.accept("m-1")
    forget(driver, "m-1")
    driver.advance(DAY)
    driver.sweep()
    assert not driver.redis.exists("boss:index:u-1", "boss:index:s-1", f"boss:index:{C}", "boss:indexes", "boss:conversations")


def test_an_index_is_looked_through_when_its_first_record_ends(driver: MailboxDriver) -> None:
    """Not once a day for each mail that is kept for ninety."""
    driver.accept("m-1")
    driver.redis.pexpire("boss:msg:m-1", 9 * DAY)
    driver.advance(DAY)
    driver.sweep()
    assert all(8 * DAY < ahead <= 9 * DAY for ahead in scores(driver, "boss:indexes").values())


def test_an_index_whose_first_hundred_have_gone_is_looked_through_at_once(driver: MailboxDriver) -> None:
    """A few at a time, until what is kept begins."""
    for number in range(130):
        driver.accept(f"m-{number:03}", limit=1_000)
    forget(driver, *(f"m-{number:03}" for number in range(120)))
    driver.advance(DAY)
    driver.sweep()
    assert len(listed(driver, "u-1")) == 30
    driver.sweep()
    assert len(listed(driver, "u-1")) == 10


def test_what_is_erased_is_not_listed(driver: MailboxDriver) -> None:
    """Of that person; what another one wrote in that conversation stays."""
    driver.run(mail("m-1", index=["i-1"]))
    driver.accept("m-2", user="u-2", sender="s-2", pair="p-2")
    driver.run(calls.erase(C, ["m-1"]))
    assert listed(driver, C) == listed(driver, "u-2") == ["m-2"]
    assert not driver.redis.exists("boss:index:u-1", "boss:index:s-1", "boss:index:i-1")
    assert set(scores(driver, "boss:indexes")) == {"u-2", "s-2", C}
    assert C in scores(driver, "boss:conversations")
    driver.run(calls.erase(C, ["m-2"]))
    assert not driver.redis.exists("boss:indexes", "boss:conversations")


# -- what a version without indexes has stored


def without_indexes(driver: MailboxDriver) -> None:
    """As the version before left it."""
    for key in driver.redis.scan_iter("boss:ind*"):
        driver.redis.delete(key)
    driver.redis.delete("boss:conversations")


def test_stored_messages_are_listed_once_with_what_their_records_do_not_say(driver: MailboxDriver) -> None:
    """By when they came. A notice is listed for its person alone; what has gone meanwhile is not."""
    driver.accept("m-1")
    driver.accept("m-2", conv="c-2", kind="mail", pair="p-2")
    driver.redis.hdel("boss:msg:m-2", "user", "sender")
    driver.redis.hset("boss:msg:n-1", mapping={"id": "n-1", "kind": "notice", "conv": C, "user": "u-1", "accepted_at": 5})
    without_indexes(driver)
    driver.advance(700)
    entries = [("m-1", ""), ("m-2", "u-2 s-2 i-2"), ("m-9", "u-2"), ("n-1", "")]
    assert [driver.run(indexes.list_stored(entries, ended="7")) for _ in range(2)] == [3, 0]
    assert scores(driver, "boss:index:u-1") == scores(driver, "boss:index:s-1") == scores(driver, f"boss:index:{C}") == {"m-1": -700}
    assert listed(driver, "u-2") == listed(driver, "i-2") == listed(driver, "c-2") == ["m-2"]
    assert scores(driver, "boss:conversations") == {C: -700, "c-2": -700}
    assert listed(driver, "o-1") == ["n-1"]
    driver.run(calls.erase("c-2", ["m-2"]))
    assert not driver.redis.exists("boss:index:u-2", "boss:index:i-2", "boss:index:c-2")


def test_listing_stored_messages_makes_no_conversation_older(driver: MailboxDriver) -> None:
    """A new version's message came to it meanwhile."""
    driver.accept("m-1")
    driver.advance(50)
    driver.accept("m-2")
    for name in ("u-1", "s-1", C):
        driver.redis.zrem(f"boss:index:{name}", "m-1")
    assert driver.run(indexes.list_stored([("m-1", "")], ended="7")) == 1
    assert scores(driver, "boss:conversations") == {C: 0}


def progress(driver: MailboxDriver) -> indexes.Progress:
    """How far the stored messages are listed."""
    found = cast("dict[bytes, bytes]", driver.redis.hgetall("boss:indexing"))
    return indexes.progress_from({name.decode(): value.decode() for name, value in found.items()})


def test_the_listing_goes_on_where_the_last_step_ended(driver: MailboxDriver) -> None:
    """Of two workers that made the same step one moves it on; who is behind moves nothing."""
    began = driver.now
    driver.run(indexes.list_stored([], ended="7"))
    driver.advance(5)
    driver.run(indexes.list_stored([], begun="7", ended="9"))
    driver.run(indexes.list_stored([], begun="7", ended="8"))
    assert progress(driver) == indexes.Progress("9", began, driver.now)
    driver.advance(5)
    driver.run(indexes.list_stored([("m-1", "")], begun="9"))
    assert progress(driver).at == "9"
