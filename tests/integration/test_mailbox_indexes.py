"""The indexes: who writes them, what is in them, and that an entry goes when its record has gone."""

from __future__ import annotations

from typing import Any, cast

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted, indexes
from tests.integration.mailbox_desk import C, Desk
from tests.integration.mailbox_workers import received

DAY = calls.DAY_MS
STRANGER: dict[str, Any] = {"sender": "s-9", "provider_id": "SM9", "who": "+1…99 to +1…43", "index": ["w-9"]}


def listed(desk: Desk, name: str) -> list[str]:
    """The messages of an index, oldest first."""
    return [raw.decode() for raw in cast("list[bytes]", desk.redis.zrange(f"boss:index:{name}", 0, -1))]


def scores(desk: Desk, key: str) -> dict[str, int]:
    """The members of a sorted set, and by how many ms their times lie ahead."""
    found = cast("Any", desk.redis.zrange(key, 0, -1, withscores=True))
    return {name.decode(): int(score) - desk.now for name, score in found}


def forget(desk: Desk, *messages: str) -> None:
    """Their time has come: the records are gone."""
    for message in messages:
        desk.redis.delete(f"boss:msg:{message}")


def test_a_message_is_found_by_its_user_its_sender_and_its_conversation(desk: Desk) -> None:
    """Whatever became of it: also one that is not answered."""
    desk.accept("m-1")
    desk.advance(5)
    desk.accept("m-2", keyword="stop")
    for name in ("u-1", "s-1", C):
        assert listed(desk, name) == ["m-1", "m-2"]
    assert scores(desk, "boss:index:u-1") == {"m-1": -5, "m-2": 0}
    assert set(scores(desk, "boss:indexes")) == {"u-1", "s-1", C}


def test_a_second_delivery_is_not_listed_again(desk: Desk) -> None:
    """The first one's time stays."""
    desk.accept("m-1")
    desk.advance(1_000)
    desk.accept("m-1")
    assert scores(desk, "boss:index:u-1") == {"m-1": -1_000}


def test_a_message_that_had_no_room_is_not_listed(desk: Desk) -> None:
    """Its provider keeps it."""
    desk.accept("m-1")
    assert desk.accept("m-2", most=1).outcome == "full"
    assert listed(desk, "u-1") == ["m-1"]


def test_a_mail_is_found_by_its_message_id(desk: Desk) -> None:
    """By the id that is made of it."""
    desk.run(mail("m-1", index=["i-1"]))
    assert listed(desk, "i-1") == ["m-1"]


def mail(name: str, index: list[str]) -> Call[Accepted]:
    """A mail with a Message-ID."""
    return calls.accept(received(name, "mail"), kind="mail", conversation=C, sender="s-1", pair="p-1", user="u-1", index=index)


def test_a_stranger_is_found_by_their_address_and_by_its_mask(desk: Desk) -> None:
    """And the record says who wrote to whom, masked, and the provider's id: no more than that is kept."""
    desk.run(calls.ignore("m-1", "sms", "stranger", **STRANGER))
    assert listed(desk, "s-9") == listed(desk, "w-9") == ["m-1"]
    record = cast("dict[bytes, bytes]", desk.redis.hgetall("boss:msg:m-1"))
    assert (record.get(b"who", b"").decode(), record.get(b"provider_id"), b"event" in record) == ("+1…99 to +1…43", b"SM9", False)


def test_what_a_user_wrote_and_is_not_answered_keeps_who_wrote_it(desk: Desk) -> None:
    """A STOP has no text in its record; whose it was stands there, so that it is shown, and erased with the rest."""
    desk.accept("m-1", keyword="stop")
    record = cast("dict[bytes, bytes]", desk.redis.hgetall("boss:msg:m-1"))
    assert tuple(record.get(name) for name in (b"user", b"sender", b"provider_id")) == (b"u-1", b"s-1", b"SMm-1")


def test_a_flood_of_strangers_costs_no_index(desk: Desk) -> None:
    """What is counted alone is not listed."""
    for number in range(calls.NOT_ADMITTED_AN_HOUR + 5):
        desk.run(calls.ignore(f"m-{number}", "sms", "stranger", **STRANGER))
    assert len(listed(desk, "s-9")) == calls.NOT_ADMITTED_AN_HOUR


def test_conversations_are_listed_by_their_last_activity(desk: Desk) -> None:
    """A message from either side."""
    desk.accept("m-1")
    desk.advance(10)
    desk.accept("m-2", conv="c-2", kind="mail", pair="p-2")
    assert scores(desk, "boss:conversations") == {C: -10, "c-2": 0}
    desk.advance(10)
    desk.taken("k1")
    desk.store("k1")
    assert scores(desk, "boss:conversations") == {"c-2": -10, C: 0}


def test_a_conversation_of_which_nothing_is_kept_is_not_listed_by_its_reply(desk: Desk) -> None:
    """As one that holds a notice of ours alone, or whose messages were erased meanwhile."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.redis.delete("boss:conversations")
    desk.store("k1")
    assert scores(desk, "boss:conversations") == {}


def test_an_entry_goes_when_its_record_has_gone(desk: Desk) -> None:
    """With the sweep, a day later at most; what is left stays listed, however old it is."""
    desk.accept("m-1")
    desk.accept("m-2")
    desk.accept("m-3")
    forget(desk, "m-1", "m-3")
    desk.sweep()
    assert listed(desk, "u-1") == ["m-1", "m-2", "m-3"]
    desk.advance(DAY)
    desk.sweep()
    for name in ("u-1", "s-1", C):
        assert listed(desk, name) == ["m-2"]
    assert set(scores(desk, "boss:indexes").values()) == {DAY}
    assert scores(desk, "boss:conversations") == {C: -DAY}


def test_an_index_of_nothing_is_gone(desk: Desk) -> None:
    """And its name with it, and its conversation."""
    desk.accept("m-1")
    forget(desk, "m-1")
    desk.advance(DAY)
    desk.sweep()
    assert not desk.redis.exists("boss:index:u-1", "boss:index:s-1", f"boss:index:{C}", "boss:indexes", "boss:conversations")


def test_an_index_is_looked_through_when_its_first_record_ends(desk: Desk) -> None:
    """Not once a day for each mail that is kept for ninety."""
    desk.accept("m-1")
    desk.redis.pexpire("boss:msg:m-1", 9 * DAY)
    desk.advance(DAY)
    desk.sweep()
    assert all(8 * DAY < ahead <= 9 * DAY for ahead in scores(desk, "boss:indexes").values())


def test_an_index_whose_first_hundred_have_gone_is_looked_through_at_once(desk: Desk) -> None:
    """A few at a time, until what is kept begins."""
    for number in range(130):
        desk.accept(f"m-{number:03}", limit=1_000)
    forget(desk, *(f"m-{number:03}" for number in range(120)))
    desk.advance(DAY)
    desk.sweep()
    assert len(listed(desk, "u-1")) == 30
    desk.sweep()
    assert len(listed(desk, "u-1")) == 10


def test_what_is_erased_is_not_listed(desk: Desk) -> None:
    """Of that person; what another one wrote in that conversation stays."""
    desk.run(mail("m-1", index=["i-1"]))
    desk.accept("m-2", user="u-2", sender="s-2", pair="p-2")
    desk.run(calls.erase(C, ["m-1"]))
    assert listed(desk, C) == listed(desk, "u-2") == ["m-2"]
    assert not desk.redis.exists("boss:index:u-1", "boss:index:s-1", "boss:index:i-1")
    assert set(scores(desk, "boss:indexes")) == {"u-2", "s-2", C}
    assert C in scores(desk, "boss:conversations")
    desk.run(calls.erase(C, ["m-2"]))
    assert not desk.redis.exists("boss:indexes", "boss:conversations")


# -- what a version without indexes has stored


def without_indexes(desk: Desk) -> None:
    """As the version before left it."""
    for key in desk.redis.scan_iter("boss:ind*"):
        desk.redis.delete(key)
    desk.redis.delete("boss:conversations")


def test_stored_messages_are_listed_once_with_what_their_records_do_not_say(desk: Desk) -> None:
    """By when they came. A notice is none, and what has gone meanwhile neither."""
    desk.accept("m-1")
    desk.accept("m-2", conv="c-2", kind="mail", pair="p-2")
    desk.redis.hdel("boss:msg:m-2", "user", "sender")
    desk.redis.hset("boss:msg:n-1", mapping={"id": "n-1", "kind": "notice", "conv": C, "user": "u-1", "accepted_at": 5})
    without_indexes(desk)
    desk.advance(700)
    entries = [("m-1", ""), ("m-2", "u-2 s-2 i-2"), ("m-9", "u-2"), ("n-1", "")]
    for _ in range(2):
        assert desk.run(indexes.list_stored(entries, ended="7")) == 2
    assert scores(desk, "boss:index:u-1") == scores(desk, "boss:index:s-1") == scores(desk, f"boss:index:{C}") == {"m-1": -700}
    assert listed(desk, "u-2") == listed(desk, "i-2") == listed(desk, "c-2") == ["m-2"]
    assert scores(desk, "boss:conversations") == {C: -700, "c-2": -700}
    desk.run(calls.erase("c-2", ["m-2"]))
    assert not desk.redis.exists("boss:index:u-2", "boss:index:i-2", "boss:index:c-2")


def test_listing_stored_messages_makes_no_conversation_older(desk: Desk) -> None:
    """A new version's message came to it meanwhile."""
    desk.accept("m-1")
    desk.advance(50)
    desk.accept("m-2")
    desk.run(indexes.list_stored([("m-1", "")], ended="7"))
    assert scores(desk, "boss:conversations") == {C: 0}


def progress(desk: Desk) -> indexes.Progress:
    """How far the stored messages are listed."""
    found = cast("dict[bytes, bytes]", desk.redis.hgetall("boss:indexing"))
    return indexes.progress_from({name.decode(): value.decode() for name, value in found.items()})


def test_the_listing_goes_on_where_the_last_step_ended(desk: Desk) -> None:
    """Of two workers that made the same step one moves it on; who is behind moves nothing."""
    began = desk.now
    desk.run(indexes.list_stored([], ended="7"))
    desk.advance(5)
    desk.run(indexes.list_stored([], begun="7", ended="9"))
    desk.run(indexes.list_stored([], begun="7", ended="8"))
    assert progress(desk) == indexes.Progress("9", began, desk.now)
    desk.advance(5)
    desk.run(indexes.list_stored([("m-1", "")], begun="9"))
    assert progress(desk).at == "9"
