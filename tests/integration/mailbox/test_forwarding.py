"""Forwarding addresses: what strangers write has a budget of its own, and what is beyond it stands in one digest a day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.mailbox import calls
from shared.mailbox.calls import DAY_MS, Accepted, DayBounds, ForwardingBounds
from shared.mailbox.records import Message
from shared.model.events import EmailReceived
from shared.model.files import File
from shared.model.withheld import line_of
from tests.support.mailbox_driver import PAIR, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION
from tests.support.mailbox_workers import command, received

LIMITED = "forwarding_limited"
MOST_NAMED = 100


def mail(number: int, author: str = "") -> EmailReceived:
    """A stranger's mail; each has its own author unless one is named."""
    event = received(f"m-{number}", "mail")
    assert isinstance(event, EmailReceived)
    author = author or f"a{number}"
    return replace(event, via="contact@example.com", author=f"{author} <{author}@x.example>", subject=f"S{number}", received_at=number)


def forward(
    driver: MailboxDriver, number: int, *, author: str = "", most: int = 4, each: int = 2, sender: str = "f-1", conv: str = "",
    files: tuple[File, ...] = (), **more: Any,
) -> Accepted:  # fmt: skip
    """A stranger's mail comes in; `most` a day are answered, `each` of one author's."""
    event = replace(mail(number, author), files=files)
    bounds = ForwardingBounds(most, each, author or f"a{number}", f"digest {sender}", line_of(event), replace(event, body=""))
    defaults: dict[str, Any] = {"hourly": 1, "pair_hourly": 1, "daily": 1, "turns_per_hour": 1, "pair": PAIR, "user": "u-1"}
    call = calls.accept(event, kind="mail", conversation=conv or f"c-m{number}", sender=sender, forwarded=bounds, **{**defaults, **more})
    return driver.run(call)


def digests(driver: MailboxDriver) -> list[Message]:
    """The digests that there are, by when they are due."""
    names = [key.decode().removeprefix("boss:msg:") for key in driver.redis.scan_iter("boss:msg:n-*")]
    found = [record for name in names if (record := driver.box.message(name)) and record.notice == "forwarding_digest"]
    return sorted(found, key=lambda record: driver.redis.zscore("boss:due", record.conversation) or 0)


def to_midnight(driver: MailboxDriver) -> int:
    """The ms that are left of the day."""
    return DAY_MS - driver.now % DAY_MS


def begin(driver: MailboxDriver, digest: Message, token: str) -> str:
    """Claim a digest; how that ended."""
    return driver.claim(token, conv=digest.conversation, turn=f"t-{token}").outcome


def send(driver: MailboxDriver, digest: Message, token: str) -> Message:
    """Claim a digest, store its reply and end its turn: what it named."""
    claim = driver.claim(token, conv=digest.conversation, turn=f"t-{token}")
    assert claim.turn is not None, claim.outcome
    limits = calls.SendLimits(1_000, 1_000, RETENTION)
    stored = calls.store_reply(digest.conversation, token, claim.turn, command("list"), limits=limits, answers="digest")
    assert driver.run(stored).outcome == "stored"
    driver.finish(token, conv=digest.conversation)
    return claim.turn.messages[0]


def test_a_forwarding_address_has_so_many_mails_a_day_and_one_author_some_of_them(driver: MailboxDriver) -> None:
    """The day is the server's; another address has its own; a second delivery counts once."""
    assert [forward(driver, number, author="eve").reason for number in (1, 1, 2, 3)] == ["", "", "", LIMITED]
    assert [forward(driver, number).reason for number in (4, 5, 6)] == ["", "", LIMITED]
    assert forward(driver, 7, sender="f-2").outcome == "accepted"
    driver.advance(to_midnight(driver) - 1)
    assert forward(driver, 8).reason == LIMITED
    driver.advance(1)
    assert [forward(driver, number, author="eve").reason for number in (9, 10, 11)] == ["", "", LIMITED]
    driver.advance(-10_000)
    assert [forward(driver, number).reason for number in (12, 13, 14)] == ["", "", LIMITED], "a day that came before is the same"
    assert forward(driver, 15, sender="f-3", most=0).reason == LIMITED


def test_what_strangers_write_counts_in_no_bound_of_the_person_s(driver: MailboxDriver) -> None:
    """Nor do those bound it: the person has one turn an hour here, and so has each of their conversations."""
    for number in (1, 2, 3):
        assert forward(driver, number, conv="c-one").outcome == "accepted"
    assert driver.accept("m-own", kind="mail", limit=1, hourly=1, pair_hourly=1, daily=1).outcome == "accepted"
    assert driver.accept("m-more", kind="mail", limit=1, hourly=1, pair_hourly=1, daily=1).reason == "day_limited"
    assert forward(driver, 4).outcome == "accepted"
    assert not driver.redis.exists("boss:rate:f-1")


def test_what_is_beyond_the_budget_is_named_in_one_digest_when_the_day_ends(driver: MailboxDriver) -> None:
    """With what comes until then. It waits without being overdue or old, and nobody can take it before."""
    assert forward(driver, 1, most=1).outcome == "accepted"
    for number in (2, 3):
        assert forward(driver, number, most=1).reason == LIMITED
        driver.advance(60_000)
    (digest,) = digests(driver)
    left = to_midnight(driver)
    assert driver.due(digest.conversation) == left
    assert driver.redis.zscore("boss:open", digest.id) == driver.now + left
    assert begin(driver, digest, "k-early") == "early"
    driver.advance(left - 1)
    assert begin(driver, digest, "k-early2") == "early"
    assert forward(driver, 4, most=1).reason == LIMITED
    driver.advance(1)
    assert [due.conversation for due in driver.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE)).due].count(digest.conversation) == 1
    named = send(driver, digest, "k-1")
    assert named.age_ms == 0
    assert [(each.at, each.author, each.subject) for each in named.withheld] == [(n, f"a{n} <a{n}@x.example>", f"S{n}") for n in (2, 3, 4)]
    assert named.withheld_count == 3
    assert driver.state(digest.id) == "answered"
    assert begin(driver, digest, "k-2") == "empty"
    reply = driver.box.reply("r-k-1")
    assert reply is not None
    assert reply.answers == "digest"


def test_what_is_withheld_is_kept_and_shown_to_who_asks_about_the_digest(driver: MailboxDriver) -> None:
    """It starts no turn, and stands in the digest's own history, before the digest."""
    forward(driver, 1, most=1)
    for number in (2, 3):
        forward(driver, number, most=1)
        assert driver.state(f"m-{number}") == f"ignored({LIMITED})"
        assert driver.redis.llen(f"boss:inbox:c-m{number}") == 0
        kept = driver.box.message(f"m-{number}")
        assert kept is not None
        assert kept.event == mail(number)
    (digest,) = digests(driver)
    driver.advance(to_midnight(driver))
    send(driver, digest, "k-1")
    call = calls.accept(received("m-ask", "mail"), kind="mail", conversation=digest.conversation, sender="s-1", pair=PAIR)
    assert driver.run(call).outcome == "accepted"
    asked = driver.claim("k-2", conv=digest.conversation).turn
    assert asked is not None
    assert [record.id for record in asked.history] == ["m-2", "m-3", "r-k-1"]


def test_what_comes_while_a_digest_is_on_its_way_is_in_the_next_day_s(driver: MailboxDriver) -> None:
    """TIME has stepped back over midnight: what was said of the day is said, and nothing is lost."""
    forward(driver, 1, most=0)
    (first,) = digests(driver)
    driver.advance(to_midnight(driver))
    assert begin(driver, first, "k-1") == "taken"
    driver.advance(-5_000)
    forward(driver, 2, most=0)
    kept = driver.box.message(first.id)
    assert kept is not None
    assert kept.withheld_count == 1
    (second,) = [each for each in digests(driver) if each.id != first.id]
    assert driver.due(second.conversation) == to_midnight(driver) + DAY_MS
    assert [each.subject for each in second.withheld] == ["S2"]


def test_each_day_and_each_address_has_a_digest_of_its_own(driver: MailboxDriver) -> None:
    """One that was held up is not what the next day's is named in."""
    forward(driver, 1, most=0)
    forward(driver, 2, most=0, sender="f-2")
    driver.advance(to_midnight(driver))
    forward(driver, 3, most=0)
    found = digests(driver)
    assert sorted([each.subject for each in digest.withheld] for digest in found) == [["S1"], ["S2"], ["S3"]]
    assert len({digest.conversation for digest in found}) == 3


def test_a_digest_names_a_hundred_mails_and_counts_the_others(driver: MailboxDriver) -> None:
    """Those cost no record and no mark, and of a thousand of them one has a line."""
    for number in range(1, MOST_NAMED + 3):
        assert forward(driver, number, most=0).reason == LIMITED
    (digest,) = digests(driver)
    assert len(digest.withheld) == MOST_NAMED
    assert digest.withheld_count == MOST_NAMED + 2
    assert driver.box.message(f"m-{MOST_NAMED}") is not None
    assert driver.box.message(f"m-{MOST_NAMED + 1}") is None
    assert not driver.redis.exists(f"boss:seen:m-{MOST_NAMED + 1}")
    assert len(driver.lines("ignored")) == MOST_NAMED
    assert driver.redis.hget("boss:counts", f"ignored:{LIMITED}") == b"102"
    driver.redis.hset(f"boss:msg:{digest.id}", "withheld", 999)
    forward(driver, 9_000, most=0)
    assert [line.get("n") for line in driver.lines("ignored")[MOST_NAMED:]] == ["1000"]


def test_the_texts_of_what_is_withheld_have_a_bound(driver: MailboxDriver) -> None:
    """Beyond it a mail is named, and its text not kept."""
    forward(driver, 1, most=0)
    (digest,) = digests(driver)
    driver.redis.hset(f"boss:msg:{digest.id}", "bytes", 2_000_000)
    forward(driver, 2, most=0)
    named = digests(driver)[0].withheld
    assert [each.subject for each in named] == ["S1", "S2"]
    for message, kept in (("m-1", True), ("m-2", False)):
        record = driver.box.message(message)
        assert record is not None
        assert (record.event is not None) is kept
    assert driver.redis.lrange(f"boss:history:{digest.conversation}", 0, -1) == [b"m:m-1"]


def test_a_mail_that_is_withheld_keeps_no_file(driver: MailboxDriver) -> None:
    """Named in its digest or counted alone."""
    forward(driver, 1, most=0)
    (digest,) = digests(driver)
    for number, withheld in ((2, 1), (3, MOST_NAMED)):
        driver.redis.hset(f"boss:msg:{digest.id}", "withheld", withheld)
        key = f"{number:032x}"
        assert driver.run(calls.file_room(f"m-{number}", "u-1", [(key, 3)], most=1_000_000)) == [True]
        assert forward(driver, number, most=0, files=(File(key, "a.txt", "text/plain", 3),)).reason == LIMITED
        assert not driver.redis.hexists("boss:files", key)


def test_who_wants_no_mail_is_told_of_none(driver: MailboxDriver) -> None:
    """An opt-out is before the budget, and uses nothing of it."""
    driver.run_opt_out(PAIR)
    assert [forward(driver, number, most=1).reason for number in (1, 2)] == ["opted_out", "opted_out"]
    assert digests(driver) == []
    assert not driver.redis.exists("boss:forwarded:f-1")


def test_a_digest_that_cannot_be_sent_waits_for_an_operator(driver: MailboxDriver) -> None:
    """Another notice is not worth that; this one alone says what came."""
    forward(driver, 1, most=0)
    (digest,) = digests(driver)
    driver.advance(to_midnight(driver))
    assert begin(driver, digest, "k-1") == "taken"
    driver.run(calls.park(digest.conversation, "k-1", "outage", looked_up=True, notice="outage", retention_ms=RETENTION))
    assert driver.state(digest.id) == "parked(outage)"
    assert driver.redis.llen(f"boss:inbox:{digest.conversation}") == 0, "and nobody is told that it could not be sent"
    driver.run(calls.retry(digest.id, "o-1", retention_ms=RETENTION))
    assert [each.subject for each in send(driver, digest, "k-2").withheld] == ["S1"]


def test_all_forwarding_addresses_together_have_one_share_of_the_day_s_tokens(driver: MailboxDriver) -> None:
    """However many there are; what the person may use is not touched, though the person is the only user."""
    bounds = DayBounds(tokens=1_000, forwarded=100)

    def asks(conv: str, token: str, amount: int) -> str:
        call = calls.claim(conv, token, f"t-{token}", lease_ms=LEASE, bounds=bounds, dearest=calls.Dearest(fixed=amount))
        return driver.run(call).outcome

    forward(driver, 1, sender="f-1")
    forward(driver, 2, sender="f-2")
    assert asks("c-m1", "k-1", 60) == "taken"
    assert asks("c-m2", "k-2", 60) == "reserved"
    assert driver.spent() == {"reserved": 60, "reserved:forwarded": 60, "open": 1}
    driver.accept("m-own")
    assert asks("c-1", "k-3", 900) == "taken"


def test_a_forwarded_mail_waits_in_no_line_with_the_person_s(driver: MailboxDriver) -> None:
    """The share of turns at once is the address's own."""
    forward(driver, 1)
    forward(driver, 2)
    assert driver.claim("k-1", conv="c-m1", share=1).outcome == "taken"
    assert driver.claim("k-2", conv="c-m2", share=1).outcome == "busy"
    driver.accept("m-own", sender="s-1")
    assert driver.claim("k-3", share=1).outcome == "taken"
