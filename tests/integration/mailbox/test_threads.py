"""Threads: the conversation that a mail goes on is found in the step that takes it, for its own pair and for nobody else's."""

from __future__ import annotations

import random
import zlib
from typing import Any, cast

from shared.mailbox import calls
from shared.mailbox.calls import Accepted
from shared.mailbox.records import Turn
from shared.mailbox.wake_queue import job
from shared.model.threads import ThreadNames
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, SEND_LIMITS
from tests.support.mailbox_workers import command, received

DAY = calls.DAY_MS
OTHER = "p-2"


def mail(
    driver: MailboxDriver,
    message: str,
    conv: str,
    names: str = "",
    *,
    topic: str = "",
    by_topic: bool = False,
    pair: str = PAIR,
    **more: Any,
) -> Accepted:
    """A mail that would begin `conv`, and is known by these names, its own last."""
    thread = ThreadNames(tuple(names.split()), topic, by_topic)
    known: dict[str, Any] = {"kind": "mail", "sender": f"s-{pair}", "user": f"u-{pair}", "retention_ms": RETENTION, "turns_per_hour": 1_000}
    call = calls.accept(
        received(message, "mail"), conversation=conv, pair=pair, thread=thread, wake=job(conv, "email"), **{**known, **more}
    )
    return driver.run(call)


def conversation(driver: MailboxDriver, message: str) -> str:
    """Where a message is."""
    record = driver.box.message(message)
    assert record is not None
    return record.conversation


def answer(driver: MailboxDriver, conv: str, word: str, names: str, topic: str = "") -> None:
    """What waits in a conversation is answered: the reply `r-WORD`, taken by the provider as `pid-WORD`."""
    turn = f"t-{word}"
    assert driver.run(calls.claim(conv, f"k-{word}", turn, lease_ms=LEASE, share=1_000)).outcome == "taken"
    thread = ThreadNames(tuple(names.split()), topic)
    call = calls.store_reply(conv, f"k-{word}", Turn(turn, ()), command("hello"), limits=SEND_LIMITS, attempt=f"a-{word}", thread=thread)
    assert driver.run(call).outcome == "stored"
    taken = calls.outcome(
        f"r-{word}", f"a-{word}", "accepted", provider_id=f"pid-{word}", retention_ms=RETENTION, conversation=conv, token=f"k-{word}"
    )
    assert driver.run(taken).state is not None


def threads(driver: MailboxDriver) -> dict[str, str]:
    """All that leads to conversations."""
    found = [key.decode() for key in driver.redis.scan_iter("boss:thread:*")]
    return {key.removeprefix("boss:thread:"): cast("bytes", driver.redis.get(key)).decode() for key in found}


def test_a_mail_that_names_nothing_known_begins_the_conversation_of_its_root(driver: MailboxDriver) -> None:
    """All that it names lead there from now on, for as long as its text is kept; its subject for two weeks."""
    mail(driver, "m-1", C, "i-0 i-1", topic="j-1")
    assert conversation(driver, "m-1") == C
    assert threads(driver) == {f"{PAIR}:i-0": C, f"{PAIR}:i-1": C, f"{PAIR}:j-1": C}
    for name, life in (("i-0", RETENTION), ("i-1", RETENTION), ("j-1", 14 * DAY)):
        assert life - 5_000 < driver.ttl(f"boss:thread:{PAIR}:{name}") <= life


def test_an_answer_to_our_answer_joins_the_conversation_with_all_that_is_kept_of_it(driver: MailboxDriver) -> None:
    """Though it names neither root nor first mail. Record, index, inbox, agenda, rate and ledger line are of that conversation alone."""
    mail(driver, "m-1", C, "i-1")
    answer(driver, C, "1", "i-r1")
    mail(driver, "m-2", "c-2", "i-r1 i-2")
    assert conversation(driver, "m-2") == C
    assert driver.inbox() == ["m-2"]
    assert driver.due() == 1_000
    assert [line["conv"] for line in driver.lines("email_received")] == [C, C]
    assert driver.redis.zrange(f"boss:index:{C}", 0, -1) == [b"m-1", b"m-2"]
    assert driver.redis.hget(f"boss:conv:{C}", "hour_turns") == b"2"
    assert driver.redis.exists("boss:wake:" + C)
    assert not list(driver.redis.scan_iter("boss:*c-2*"))
    assert driver.redis.zscore("boss:conversations", "c-2") is None
    mail(driver, "m-3", "c-3", "i-2 i-3")
    assert conversation(driver, "m-3") == C


def test_the_job_of_a_mail_looks_at_the_conversation_that_was_found(driver: MailboxDriver) -> None:
    """Its records are those that RQ writes, and a job made for that conversation at once differs by its id and its time alone."""
    found, begun = "c-" + "5" * 24, "c-" + "a" * 24
    mail(driver, "m-1", found, "i-1")
    answer(driver, found, "1", "i-r1")
    mail(driver, "m-2", begun, "i-r1 i-2")
    queue = cast("list[bytes]", driver.redis.lrange("rq:queue:boss", 0, -1))
    first, second = (cast("dict[bytes, bytes]", driver.redis.hgetall(b"rq:job:" + name)) for name in queue)
    same = (b"data", b"description", b"origin", b"timeout", b"status")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    made = job(found, "email")
    assert (second[b"data"], second[b"description"].decode()) == (made[5], made[6])
    assert found in zlib.decompress(second[b"data"]).decode()
    assert begun.encode() not in b"".join(second.values())


def test_a_mail_joins_the_conversation_of_the_first_of_its_names_that_is_known(driver: MailboxDriver) -> None:
    """And an id stays with the conversation in which it was first seen."""
    mail(driver, "m-1", C, "i-1")
    mail(driver, "m-2", "c-2", "i-2")
    mail(driver, "m-3", "c-3", "i-9 i-2 i-1 i-3")
    assert conversation(driver, "m-3") == "c-2"
    found = threads(driver)
    assert {name: found[f"{PAIR}:{name}"] for name in ("i-1", "i-2", "i-3", "i-9")} == {"i-1": C, "i-2": "c-2", "i-3": "c-2", "i-9": "c-2"}


def test_a_mail_that_comes_after_the_answer_to_it_joins_the_answer(driver: MailboxDriver) -> None:
    """Its own id was named before it came."""
    mail(driver, "m-2", "c-2", "i-1 i-2")
    mail(driver, "m-1", "c-1", "i-1")
    assert conversation(driver, "m-1") == "c-2"


def test_an_id_of_somebody_else_s_conversation_joins_nothing(driver: MailboxDriver) -> None:
    """Neither that of their mail, nor of our answer to them, nor their subject; and theirs stay theirs."""
    mail(driver, "m-1", C, "i-1", topic="j-1")
    answer(driver, C, "1", "i-r1", "j-1")
    before = threads(driver)
    mail(driver, "m-2", "c-2", "i-r1 i-1 i-2", topic="j-1", pair=OTHER)
    mail(driver, "m-3", "c-3", "i-3", topic="j-1", by_topic=True, pair="p-3")
    assert [conversation(driver, name) for name in ("m-2", "m-3")] == ["c-2", "c-3"]
    assert {name: conv for name, conv in threads(driver).items() if name.startswith(PAIR)} == before
    mail(driver, "m-4", "c-4", "i-r1 i-4")
    assert conversation(driver, "m-4") == C


def test_a_mail_with_nothing_but_its_subject_joins_the_latest_of_two_weeks(driver: MailboxDriver) -> None:
    """If it says that it is an answer. A reply of ours makes its conversation the latest."""
    mail(driver, "m-1", C, "i-1", topic="j-1")
    answer(driver, C, "1", "i-r1", "j-1")
    mail(driver, "m-2", "c-2", "i-2", topic="j-1")
    assert conversation(driver, "m-2") == "c-2"
    mail(driver, "m-3", "c-3", "i-3", topic="j-1", by_topic=True)
    assert conversation(driver, "m-3") == "c-2"
    mail(driver, "m-4", "c-4", "i-4", topic="j-4")
    answer(driver, "c-4", "4", "i-r4", "j-1")
    mail(driver, "m-5", "c-5", "i-5", topic="j-1", by_topic=True)
    assert conversation(driver, "m-5") == "c-4"
    driver.redis.delete(f"boss:thread:{PAIR}:j-1")  # two weeks later
    mail(driver, "m-6", "c-6", "i-6", topic="j-1", by_topic=True)
    assert conversation(driver, "m-6") == "c-6"


def test_a_name_lives_as_long_as_the_last_text_that_named_it(driver: MailboxDriver) -> None:
    """A thread that goes on for a year is one conversation."""
    mail(driver, "m-1", C, "i-1")
    driver.redis.pexpire(f"boss:thread:{PAIR}:i-1", 5_000)
    mail(driver, "m-2", "c-2", "i-1 i-2")
    assert driver.ttl(f"boss:thread:{PAIR}:i-1") > RETENTION - 5_000


def test_the_id_that_a_provider_gave_our_mail_belongs_to_its_conversation(driver: MailboxDriver) -> None:
    """As it reports it, whichever report comes first, and whether the reply is named or known by the provider's id."""
    mail(driver, "m-1", C, "i-1")
    answer(driver, C, "1", "i-r1")
    for report in range(2):
        call = calls.status("pid-1", "delivered", retention_ms=RETENTION, thread=ThreadNames(("i-smtp",)), reply="r-1" if report else "")
        assert driver.run(call).state is not None
    mail(driver, "m-2", "c-2", "i-smtp i-2")
    assert conversation(driver, "m-2") == C
    assert RETENTION - 5_000 < driver.ttl(f"boss:thread:{PAIR}:i-smtp") <= RETENTION
    before = threads(driver)
    driver.run(calls.status("pid-9", "delivered", retention_ms=RETENTION, thread=ThreadNames(("i-smtp9",)), reply="r-9"))
    assert threads(driver) == before


def test_what_is_not_taken_leads_nowhere(driver: MailboxDriver) -> None:
    """A second delivery, a mail without room, one over the rate: nothing of it is known, though its notice goes to the thread."""
    mail(driver, "m-1", C, "i-1")
    before = threads(driver)
    mail(driver, "m-1", "c-2", "i-2")
    assert mail(driver, "m-3", "c-3", "i-1 i-3", max_open=1).outcome == "full"
    assert mail(driver, "m-4", "c-4", "i-1 i-4", hourly=1).reason == "rate_limited"
    assert threads(driver) == before
    assert conversation(driver, "m-4") == C
    assert [line["conv"] for line in driver.lines("notice")] == [C]


def test_what_came_back_and_is_kept_leads_to_its_conversation(driver: MailboxDriver) -> None:
    """A robot's echo is judged by the conversation that was found."""
    mail(driver, "m-0", C, "i-0", digest="d-0")
    for turn in range(1, 4):
        answer(driver, C, str(turn), f"i-r{turn}")
        said = cast("bytes", driver.redis.hget(f"boss:conv:{C}", "said")).decode()
        mail(driver, f"m-{turn}", f"c-9{turn}", f"i-r{turn} i-{turn}", digest=said)
    assert driver.state("m-3") == "ignored(echo)"
    assert threads(driver).get(f"{PAIR}:i-3") == C


def test_a_text_costs_nothing_for_threads(driver: MailboxDriver) -> None:
    """No command more, no key."""
    driver.accept("m-1")
    driver.redis.config_resetstat()
    driver.accept("m-2")
    driver.taken("k1")
    driver.store("k1")
    stats = driver.redis.info("commandstats")
    assert "cmdstat_mget" not in stats
    assert threads(driver) == {}


def test_many_threads_of_two_pairs_never_meet_and_each_mail_that_names_its_own_joins_it(driver: MailboxDriver) -> None:
    """Random mails that name ids of their own, of each other's and of nobody's conversations, in any order."""
    dice = random.Random(20_261_130)  # noqa: S311 - a test's dice
    books: dict[str, dict[str, str]] = {PAIR: {}, OTHER: {}}
    homes: dict[str, str] = {}
    joined = 0
    for number in range(250):
        pair = dice.choice((PAIR, OTHER))
        own, begun = f"i-{number}", f"c-{number}"
        pool = [*books[PAIR], *books[OTHER], *(f"i-f{dice.randrange(40)}" for _ in range(10))]
        names = [*dict.fromkeys([*dice.sample(pool, min(len(pool), dice.randrange(5))), own])]
        mail(driver, f"m-{number}", begun, " ".join(names), pair=pair)
        known = [books[pair][name] for name in names if name in books[pair]]
        conv = conversation(driver, f"m-{number}")
        assert conv == (known[0] if known else begun)
        assert homes.setdefault(conv, pair) == pair
        joined += bool(known)
        for name in names:
            books[pair].setdefault(name, conv)
    assert joined > 100


def test_a_conversation_knows_by_which_names_mails_find_it(driver: MailboxDriver) -> None:
    """As long as each leads there, so that an erasure finds them; a name that leads elsewhere is that conversation's."""
    mail(driver, "m-1", C, "i-1 i-2", topic="j-1")
    mail(driver, "m-2", "c-2", "i-3")
    driver.advance(RETENTION - 1)
    mail(driver, "m-3", C, "i-1 i-3", topic="j-2")

    def named(conv: str) -> set[str]:
        return {raw.decode().rpartition(":")[2] for raw in cast("list[bytes]", driver.redis.zrange(f"boss:threads:{conv}", 0, -1))}

    assert named(C) == {"i-1", "i-2", "j-1", "j-2"}
    assert named("c-2") == {"i-3"}
    driver.advance(2)
    mail(driver, "m-4", C, "i-1")
    assert named(C) == {"i-1", "j-1", "j-2"}
    assert driver.ttl(f"boss:threads:{C}") > RETENTION
    driver.run(calls.erase(C, ["m-1", "m-3", "m-4"]))
    left = {key.decode().rpartition(":")[2] for key in cast("list[bytes]", driver.redis.keys("boss:thread:*"))}
    assert left == {"i-2", "i-3"}, "the second's time is over by the clock of this test, and not by the server's"
