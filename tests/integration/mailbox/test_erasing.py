"""An erasure, script by script: what is of before its first step is worked on, stored and brought back no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from shared.mailbox import calls
from shared.mailbox.calls import QuestionMessage, Settled
from shared.mailbox.calls.erasing import Begun, ErasedMessage
from tests.integration.mailbox.test_approvals import PAY, Asking
from tests.integration.mailbox.test_liveness import watched
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, LIFE, RETENTION
from tests.support.mailbox_workers import received

FILE = "ab" * 16


def begin(driver: MailboxDriver, user: str = "u-1", *senders: str, most: int = 500) -> Begun:
    return driver.run(calls.erase_begin(user, senders, most=most))


def waited(driver: MailboxDriver, name: str, age_ms: int, user: str = "u-1") -> tuple[str, str]:
    """A message that lay on a host's disk."""
    call = calls.accept(received(name, "text"), kind="text", conversation=C, sender="s-1", pair=PAIR, user=user, age_ms=age_ms)
    found = driver.run(call)
    return found.outcome, found.reason


# -- the first step


def test_what_waits_is_worked_on_by_nobody_after_the_first_step(driver: MailboxDriver) -> None:
    """Under a lease or not, and in either inbox; who has it stores nothing, and nobody claims it. A notice of ours about it, too."""
    driver.accept("m-1")
    driver.accept("m-2", conv="c-2")
    driver.accept("m-3", conv="c-3", command="status")
    assert driver.taken("k1") == ["m-1"]
    driver.park("k1", notice="error")
    assert driver.taken("k2") == ["n-1"]
    begun = begin(driver)
    assert (begun.ended, begun.leases, begun.more) == (3, 1, False)
    assert driver.store("k2").outcome == "lost"
    assert [driver.claim(f"k{conv}", conv=conv).outcome for conv in (C, "c-2", "c-3")] == ["empty"] * 3
    assert [driver.state(name) for name in ("m-2", "m-3", "n-1")] == ["ignored(erased)"] * 3
    assert driver.redis.zcard("boss:open") == driver.redis.zcard("boss:due") == driver.redis.zcard("boss:priority_due") == 0


def test_the_first_step_raises_the_epoch_whoever_waits(driver: MailboxDriver) -> None:
    """A step, and a summary, of the epoch before are refused."""
    driver.accept("m-1")
    before = driver.claim("k1").turn
    assert before is not None
    begin(driver)
    driver.accept("m-2")
    after = driver.claim("k2").turn
    assert after is not None
    assert (before.epoch, after.epoch, after.person) == ("0", "1", before.person)


def test_the_first_step_ends_so_many_messages_and_says_that_there_are_more(driver: MailboxDriver) -> None:
    """Each call is an erasure of its own: what was made of the rest meanwhile is refused as well."""
    for number in range(5):
        driver.accept(f"m-{number}", conv=f"c-{number}")
    assert [(begun.ended, begun.more) for begun in (begin(driver, most=2) for _ in range(3))] == [(2, True), (2, True), (1, False)]
    assert driver.redis.zcard("boss:open") == 0


def test_what_one_person_wrote_beside_another_waits_on(driver: MailboxDriver) -> None:
    """It was in no turn of theirs; and what was in a turn with what went, of the person's own of later, waits as if it had been in none."""
    driver.accept("m-1")
    driver.accept("m-2")
    assert driver.taken("k1") == ["m-1", "m-2"]
    driver.run(calls.erase(C, ["m-1"]))
    assert driver.state("m-2") == "pending"
    assert driver.taken("k2") == ["m-2"]
    driver.accept("m-3", user="u-2")
    begin(driver)
    assert driver.state("m-3") == "pending"
    assert driver.taken("k3") == ["m-3"]


def test_an_erasure_is_not_before_what_the_clock_has_shown(driver: MailboxDriver) -> None:
    """TIME has stepped back since the last message came: that is of before all the same."""
    driver.accept("m-1")
    at = driver.now
    driver.advance(-3_600_000)
    assert begin(driver).at_ms == at


def test_what_hangs_on_the_person_goes_in_the_first_step(driver: MailboxDriver) -> None:
    """Also that they were asked about their zone, and their files."""
    driver.accept("m-1")
    turn = driver.claim("k1").turn
    assert turn is not None
    driver.redis.hset(f"boss:person:{turn.person}", "asked_zone", "Europe/Berlin")
    driver.redis.sadd("boss:zone_changed", "u-1", "u-2")
    driver.redis.hset(f"boss:always:{turn.person}", "mail__send", 1)
    assert driver.run(calls.file_room("m-9", "u-1", [(FILE, 10)], most=10**9)) == [True]
    assert begin(driver).files == 1
    assert not driver.redis.hexists(f"boss:person:{turn.person}", "asked_zone")
    assert driver.redis.smembers("boss:zone_changed") == {b"u-2"}
    assert driver.redis.exists(f"boss:always:{turn.person}") == driver.redis.exists("boss:files") == 0


# -- what comes late


def test_what_waited_on_a_disk_since_before_is_accepted_by_nobody(driver: MailboxDriver) -> None:
    """Nothing of it is kept but that it is known; what was written later is accepted, and so is another's."""
    driver.run(calls.file_room("m-1", "u-1", [(FILE, 10)], most=10**9))
    begin(driver)
    driver.advance(1_000)
    assert waited(driver, "m-1", 1_000) == ("ignored", "erased")
    assert driver.box.message("m-1") is None
    assert driver.redis.zcard("boss:index:u-1") == 0
    assert waited(driver, "m-1", 0) == ("duplicate", "")
    assert waited(driver, "m-2", 999) == ("accepted", "")
    assert waited(driver, "m-3", 5_000, user="u-2") == ("accepted", "")
    assert waited(driver, "m-4", 0) == ("accepted", "")
    assert [line["reason"] for line in driver.lines("ignored")] == ["erased"]


def test_what_comes_by_its_webhook_in_the_very_moment_is_accepted(driver: MailboxDriver) -> None:
    """Nobody can say what was first; and no clock that has stepped back makes a new message one of before."""
    driver.accept("m-0")
    driver.advance(-1_000)
    begin(driver)
    assert waited(driver, "m-1", 0) == ("accepted", "")


def test_the_files_of_what_waited_go_with_it(driver: MailboxDriver) -> None:
    """They were written after the first step, by a web process that had the mail in hand."""
    begin(driver)
    driver.run(calls.file_room("m-1", "u-1", [(FILE, 10)], most=10**9))
    driver.advance(10)
    event = received("m-1", "mail")
    call = calls.accept(event, kind="mail", conversation=C, sender="s-1", pair=PAIR, user="u-1", age_ms=20)
    assert driver.run(replace(call, args={**call.args, "files": FILE})).reason == "erased"
    assert not driver.redis.exists("boss:files")


def test_what_a_host_has_dropped_is_known(driver: MailboxDriver) -> None:
    """As if it had been accepted, as long as its provider brings it again; its files go."""
    driver.run(calls.file_room("m-1", "u-1", [(FILE, 10)], most=10**9))
    assert driver.run(calls.mark_erased([ErasedMessage("m-1", 60_000, [FILE]), ErasedMessage("m-2", 60_000)])) == 2
    assert [driver.accept(name).outcome for name in ("m-1", "m-2", "m-3")] == ["duplicate", "duplicate", "accepted"]
    assert 0 < driver.ttl("boss:seen:m-1") <= 60_000
    assert not driver.redis.exists("boss:files")
    driver.redis.set("boss:seen:m-4", "1")
    driver.run(calls.mark_erased([ErasedMessage("m-4", 60_000)]))
    assert driver.ttl("boss:seen:m-4") == -1


def test_a_worker_whose_lease_was_broken_keeps_no_files(driver: MailboxDriver) -> None:
    """Those of a copy that it was about to send."""
    driver.accept("m-1")
    driver.taken("k1")

    def room(token: str) -> Any:
        return driver.run(calls.file_room("r-k1", "u-1", [(FILE, 10)], most=10**9, conversation=C, token=token))

    assert room("k1") == [True]
    begin(driver)
    assert room("k1") == [False]
    assert not driver.redis.exists("boss:files")


def test_a_call_to_the_model_that_nobody_has_told_of_is_taken_out_of_the_person_s_books(driver: MailboxDriver) -> None:
    """The truth comes late, and counts in the books of all; of what was told nothing says whose it was."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.advance(LEASE + 1)
    driver.claim("k2", amount=100)
    driver.store("k2", settled=Settled("q-k2", 20, "good", 20))
    assert driver.redis.get("boss:call:q-k2") == f"settled {driver.now // calls.DAY_MS} 100 - - -".encode()
    assert b"s-1" in cast("bytes", driver.redis.get("boss:call:q-k1"))
    driver.run(calls.erase_spending("u-1", ["s-1"]))
    assert not [word for word in (b"s-1", b"per-", b"c-1", b"k1") if word in cast("bytes", driver.redis.get("boss:call:q-k1"))]
    driver.run(calls.settle(Settled("q-k1", 30, "good", 30)))
    assert driver.book("2023-11")["tokens"] == 50
    assert driver.redis.keys("boss:spent:per-*") == []
    assert driver.redis.zcard("boss:ended") == 0


def test_a_mail_by_a_forwarding_address_is_its_persons_in_the_books_too(driver: MailboxDriver) -> None:
    """It is in no person's books, and its call names the address by its id."""
    driver.accept("m-1", kind="mail", sender="f-1")
    driver.claim("k1", amount=100)
    driver.run(calls.erase_spending("u-1", ["f-1"]))
    assert b"f-1" not in cast("bytes", driver.redis.get("boss:call:q-k1"))
    assert driver.redis.zcard("boss:reserved") == 0


# -- what leads to what is to go


def test_a_turn_that_was_retried_is_found_by_its_message(driver: MailboxDriver) -> None:
    """Its reply was never sent, and is kept beside the next one's."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.park("k1")
    driver.run(calls.retry("m-1", "o-1"))
    assert driver.redis.hget("boss:msg:m-1", "turns") == b"t-k1 "
    driver.taken("k2")
    driver.park("k2")
    driver.run(calls.retry("m-1", "o-2"))
    assert driver.redis.hget("boss:msg:m-1", "turns") == b"t-k1 t-k2 "


def test_what_another_is_asked_is_listed_for_who_asked_for_it(driver: MailboxDriver) -> None:
    """It stands in the other's conversation, as long as a text does; the question's own record is gone after a day."""
    asking = Asking(driver)
    driver.accept("m-1", user="u-1")
    message = QuestionMessage("c-2", "s-2", "p-2", received("n-q", "text"))
    driver.claim("k1")
    asking.store("k1", asking.question("k1", PAY, approver="u-2", named=True, message=message))
    assert driver.redis.zrange("boss:index:o-1", 0, -1) == [b"n-q"]
    assert b"n-q" in cast("list[bytes]", driver.redis.zrange("boss:index:u-2", 0, -1))
    driver.redis.hset("boss:people", "u-2", "per-2")
    driver.redis.zadd("boss:talks:per-2", {"c-2": 1, "c-9": 1})
    driver.run(calls.erase("c-2", ["n-q"]))
    assert not driver.redis.exists("boss:index:o-1", "boss:index:u-2")
    assert driver.redis.zrange("boss:talks:per-2", 0, -1) == [b"c-9"], "a conversation that is gone is none of theirs"


def test_a_notice_is_listed_for_its_person(driver: MailboxDriver) -> None:
    """It repeats their words, and a find does not show it."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.park("k1", notice="error")
    assert driver.redis.zrange("boss:index:o-1", 0, -1) == [b"n-1"]
    assert driver.redis.zrange("boss:index:u-1", 0, -1) == [b"m-1"]


def test_what_is_erased_takes_what_leads_to_it_along(driver: MailboxDriver) -> None:
    """A provider's id of the reply, requests for a retry, and that a silent process is doubted; of another's nothing."""
    watched(driver, "p:1")
    driver.held_by("p:1", "k1")
    driver.watch(LIFE)
    assert driver.claim("k2", process="p:2", life=LIFE).outcome == "taken"
    driver.accept("m-2", conv="c-2")
    assert b"m-1" in cast("set[bytes]", driver.redis.smembers("boss:doubted:p:1"))
    driver.store("k2")
    driver.sending("k2", "a1")
    driver.outcome("k2", "a1", "accepted", "SM1", token="k2")
    driver.redis.hset("boss:msg:m-1", "state", "parked")
    driver.run(calls.request_retry("m-1", "o-1", by="ops"))
    driver.run(calls.erase(C, ["t-k2", "r-k2", "m-1"]))
    for key in ("boss:provider:SM1", "boss:retry:o-1", "boss:retries", "boss:doubted:p:1", f"boss:conv:{C}", f"boss:index:{C}"):
        assert not driver.redis.exists(key), key
    assert driver.state("m-2") == "pending"


def test_a_conversation_goes_whole_where_nothing_of_it_is_left(driver: MailboxDriver) -> None:
    """Its history may name records that have expired."""
    driver.accept("m-1", says="aa")
    driver.taken("k1")
    driver.store("k1")
    driver.finish("k1")
    driver.redis.rpush(f"boss:history:{C}", "m:m-0", "b:r-0")
    driver.redis.hset("boss:alone", mapping={"conv": C, "token": "k9"})
    driver.redis.zadd("boss:waiting:s-1", {C: 1})
    driver.redis.delete("boss:msg:m-1", "boss:index:u-1", "boss:index:s-1")
    driver.run(calls.erase(C, ["t-k1", "r-k1"]))
    left = [key.decode() for key in cast("list[bytes]", driver.redis.keys("boss:*")) if b"c-1" in key]
    assert left == []
    assert not driver.redis.exists("boss:alone", "boss:waiting:s-1")
    assert driver.redis.zscore("boss:conversations", C) is None


# -- a person's ends


def test_what_counts_in_the_bounds_of_an_address_goes(driver: MailboxDriver) -> None:
    """But who has opted out stays so, and a pause is the operator's."""
    driver.accept("m-1", limit=1)
    driver.accept("m-2", limit=1)
    driver.claim("k1", amount=100, sender_tokens=1_000)
    driver.redis.set("boss:told:elsewhere:p-1", "1")
    driver.redis.set(f"boss:told:month:{driver.now // calls.DAY_MS}:s-1", "1")
    driver.redis.hset("boss:denied:claude", "sender", "s-1")
    driver.redis.hset("boss:pause", "refused", "s-1")
    driver.redis.rpush("boss:owed:p-1", "r-gone")
    driver.redis.zadd("boss:asked:p-1", {"ap-gone": 1})
    driver.redis.zadd("boss:busy:s-1", {"c-gone": 1})
    driver.run(calls.opt_out(PAIR, out=True))
    driver.run(calls.pause("busy", user="u-1", pairs=[PAIR]))
    at = begin(driver, "u-1", "s-1").at_ms
    driver.run(calls.erase(C, ["n-2", "m-1", "m-2", "t-k1"]))
    driver.run(calls.erase_spending("u-1", ["s-1"]))
    driver.run(calls.erase_ends("u-1", at, senders=["s-1"], pairs=[PAIR]))
    left = {key.decode() for key in cast("list[bytes]", driver.redis.keys("boss:*")) if b"s-1" in key or b"p-1" in key or b"u-1" in key}
    assert left == {"boss:optout:p-1", "boss:pause:p-1"}
    assert [driver.redis.exists(f"boss:denied:{name}") for name in ("claude", "twilio")] == [0, 0]
    assert driver.redis.hget("boss:pause", "refused") == b""
    assert not [field for field in driver.spent() if "s-1" in field]


def test_who_shares_an_address_keeps_their_places(driver: MailboxDriver) -> None:
    """A conversation that there is, a question that waits, and what is listed of it."""
    driver.accept("m-1")
    driver.accept("m-2", conv="c-2", user="u-2")
    driver.claim("k2", conv="c-2")
    at = begin(driver).at_ms
    driver.run(calls.erase(C, ["m-1"]))
    driver.run(calls.erase_ends("u-1", at, senders=["s-1"], pairs=[PAIR]))
    assert driver.redis.zrange("boss:busy:s-1", 0, -1) == [b"c-2"]
    assert driver.redis.zrange("boss:index:s-1", 0, -1) == [b"m-2"]
    driver.advance(1)
    driver.accept("m-3")
    driver.run(calls.erase_ends("u-1", at, senders=["s-1"], pairs=[PAIR]))
    assert driver.redis.zrange("boss:index:u-1", 0, -1) == [b"m-3"]


# -- web hosts


def test_a_host_hears_who_was_erased_and_takes_no_confirmation_back(driver: MailboxDriver) -> None:
    """By which ids, and when; one that ends with nothing on its disk is asked no more."""
    at = begin(driver, "u-1", "s-1").at_ms

    def look(looked: int, since: int = 0, *, gone: bool = False) -> dict[str, int]:
        return driver.run(calls.erasures("h-1", "here", looked_ms=looked, since_ms=since, gone=gone)).at_ms

    assert look(0) == {"u-1": at, "s-1": at}
    driver.advance(1)
    later = begin(driver, "u-2").at_ms
    assert look(at, at + 1) == {"u-2": later}
    look(5)
    assert driver.redis.hget("boss:hosts", "h-1") == f"{at} {driver.now} here".encode()
    look(0, gone=True)
    assert not driver.redis.exists("boss:hosts")
    driver.advance(400 * calls.DAY_MS)
    begin(driver, "u-3")
    assert set(look(0)) == {"u-3"}


def test_mails_find_an_erased_conversation_by_no_name(driver: MailboxDriver) -> None:
    """What was named in it, as long as it is known; what leads elsewhere stays."""
    driver.redis.set("boss:thread:p-1:i-1", C)
    driver.redis.set("boss:thread:p-1:i-2", "c-2")
    driver.redis.zadd(f"boss:threads:{C}", {"boss:thread:p-1:i-1": driver.now + RETENTION, "boss:thread:p-1:i-2": driver.now + RETENTION})
    driver.accept("m-1")
    driver.run(calls.erase(C, ["m-1"]))
    assert driver.redis.keys("boss:thread*") == [b"boss:thread:p-1:i-2"]
