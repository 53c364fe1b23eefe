"""What a program, or the operator, has the Boss write: once a key, within its token's bound, and not in quiet hours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from shared.mailbox import calls
from shared.mailbox.calls import NO_ROUTE, Outgoing, Route
from shared.model.outgoing import OutgoingMessage
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import START
from tests.support.mailbox_workers import received

HOUR, DAY = 3_600_000, 86_400_000
ROUTE: Final = Route(received("m-api-1", "text"), C, "s-1", PAIR)


def message(name: str = "m-api-1", **more: Any) -> OutgoingMessage:
    """A text that ends in a day."""
    given: dict[str, Any] = {"user": "user", "channel": "sms", "text": "the door is open", "expires_ms": START + DAY, "token": "t-1"} | more
    return OutgoingMessage(id=name, **given)


def write(driver: MailboxDriver, name: str = "m-api-1", *, route: Route = ROUTE, key: str = "", body: str = "b", **more: Any) -> Outgoing:
    """One such message."""
    call = {name: more.pop(name) for name in ("quiet", "age_ms", "max_open") if name in more}
    event = replace(route.event, id=name) if route.event else None
    return driver.run(calls.outgoing(message(name, **more), replace(route, event=event), "u-1", key=key, body=body, **call))


def release(driver: MailboxDriver, name: str = "m-api-1", *, route: Route = ROUTE, read_ms: int = 0, quiet: Any = ()) -> str:
    """Its time has come."""
    return driver.run(calls.release(name, "sms", read_ms or driver.now, route, "u-1", quiet=quiet))


def test_what_a_program_says_is_a_message_of_ours_in_the_priority_inbox_once(driver: MailboxDriver) -> None:
    """It is found by its person, and counts in no bound of theirs."""
    assert write(driver) == Outgoing("accepted", "m-api-1")
    assert write(driver) == Outgoing("duplicate", "m-api-1")
    assert driver.priority() == ["m-api-1"]
    assert driver.box.listed("u-1", 9) == ["m-api-1"]
    assert driver.redis.keys("boss:rate:*") == driver.redis.keys("boss:turns:*") == []
    found = driver.claim("k1").turn
    assert found is not None
    assert [(each.kind, each.said.text, each.token) for each in found.messages] == [("outgoing", "the door is open", "t-1")]


def test_a_key_leads_to_its_first_message_for_a_day(driver: MailboxDriver) -> None:
    """With another body it leads nowhere. A call that redis-py repeats is no replay."""
    assert write(driver, key="i-1").outcome == "accepted"
    assert write(driver, key="i-1").outcome == "duplicate"
    assert write(driver, "m-api-2", key="i-1") == Outgoing("replayed", "m-api-1")
    assert write(driver, "m-api-3", key="i-1", body="other").outcome == "key_reused"
    assert driver.priority() == ["m-api-1"]
    assert 0 < driver.ttl("boss:api:key:i-1") <= DAY


def test_a_key_met_first_on_disk_is_judged_when_it_is_replayed(driver: MailboxDriver) -> None:
    """The loser ends visibly, and says which message the key led to."""
    write(driver, key="i-1", age_ms=1)
    assert write(driver, "m-api-2", key="i-1", age_ms=1) == Outgoing("ignored", reason="key_reused")
    assert driver.state("m-api-2") == "ignored(key_reused)"
    found = driver.box.message("m-api-2")
    assert found is not None
    assert (found.first, found.said.text) == ("m-api-1", "")
    assert driver.priority() == ["m-api-1"]


def test_what_is_refused_leaves_nothing_and_takes_no_key(driver: MailboxDriver) -> None:
    """Opted out, or over; what waited on disk ends visibly."""
    driver.run_opt_out(PAIR)
    before = sorted(driver.redis.keys("*"))
    assert write(driver, key="i-1") == Outgoing("refused", reason="opted_out")
    assert write(driver, "m-api-2", expires_ms=START) == Outgoing("refused", reason="expired")
    assert write(driver, "m-api-2", expires_ms=START + 40 * DAY) == Outgoing("refused", reason="expired")
    assert sorted(driver.redis.keys("*")) == before
    assert write(driver, age_ms=1) == Outgoing("ignored", reason="opted_out")
    assert write(driver, "m-api-2", route=NO_ROUTE, age_ms=1) == Outgoing("ignored", reason="address_removed")
    assert [driver.state(name) for name in ("m-api-1", "m-api-2")] == ["ignored(opted_out)", "ignored(address_removed)"]
    assert driver.priority() == []


def test_a_token_has_twenty_messages_to_a_person_within_a_day_unless_urgent(driver: MailboxDriver) -> None:
    """Another token's do not count."""
    for number in range(20):
        assert write(driver, f"m-api-{number}").outcome == "accepted"
        driver.advance(1_000)
    refused = write(driver, "m-api-99")
    assert (refused.outcome, refused.reason, refused.wait_ms) == ("refused", "token_limited", DAY - 20_000)
    assert write(driver, "m-api-98", urgent=True).outcome == "accepted"
    assert write(driver, "m-api-97", token="t-2").outcome == "accepted"
    assert write(driver, "m-api-96", age_ms=1) == Outgoing("ignored", reason="token_limited")
    driver.advance(DAY - 20_000)
    assert write(driver, "m-api-99", expires_ms=START + 2 * DAY).outcome == "accepted"


def test_an_erased_persons_message_on_disk_is_taken_no_more(driver: MailboxDriver) -> None:
    """What was asked for after the erasure is."""
    driver.run(calls.erase_begin("u-1"))
    assert write(driver, age_ms=5_000) == Outgoing("ignored", reason="erased")
    assert driver.box.message("m-api-1") is None
    driver.advance(10_000)
    assert write(driver, "m-api-2", age_ms=5_000).outcome == "accepted"


def test_no_room_changes_nothing(driver: MailboxDriver) -> None:
    """The caller asks again."""
    driver.accept("m-1")
    assert write(driver, max_open=1).outcome == "full"
    assert driver.box.message("m-api-1") is None


def test_what_quiet_hours_hold_waits_among_the_alarms_and_what_is_urgent_does_not(driver: MailboxDriver) -> None:
    """In no inbox, and nobody counts it as late; it is put when they end, once."""
    quiet = ((START - HOUR, START + HOUR),)
    write(driver, quiet=quiet)
    write(driver, "m-api-2", quiet=quiet, urgent=True)
    assert driver.priority() == ["m-api-2"]
    assert driver.redis.zscore("boss:open", "m-api-1") == START + HOUR
    assert driver.run(calls.alarms()).held == ()
    driver.advance(HOUR)
    read = driver.run(calls.alarms())
    assert [(each.id, each.entry, each.channel) for each in read.held] == [("m-api-1", "u-1", "sms")]
    assert driver.run(calls.alarms()).held == ()
    assert release(driver, read_ms=read.now_ms) == "put"
    assert release(driver, read_ms=read.now_ms) == "gone"
    assert driver.priority() == ["m-api-2", "m-api-1"]
    assert driver.redis.zcard("boss:alarms") == 0


def test_where_it_is_quiet_again_it_waits_on(driver: MailboxDriver) -> None:
    """The person has moved, or changed them."""
    write(driver, quiet=((START, START + HOUR),))
    driver.advance(HOUR)
    assert release(driver, quiet=((START, START + 3 * HOUR),)) == "held"
    assert release(driver) == "again"
    driver.advance(2 * HOUR)
    assert release(driver) == "put"


def ends_when_it_is_over(driver: MailboxDriver, ms: int, reason: str, route: Route = ROUTE) -> None:
    """A message that waits so long does not go, and ends visibly: nothing has it any more."""
    driver.advance(ms)
    assert [each.id for each in driver.run(calls.alarms()).held] == ["m-api-1"]
    assert release(driver, route=route) == reason
    assert driver.state("m-api-1") == f"ignored({reason})"
    assert (driver.priority(), driver.redis.zcard("boss:open"), driver.redis.zcard("boss:alarms")) == ([], 0, 0)


def test_what_is_over_when_the_quiet_hours_end_ends_visibly(driver: MailboxDriver) -> None:
    """At its own time, though these last on."""
    write(driver, quiet=((START, START + 2 * DAY),))
    ends_when_it_is_over(driver, DAY, "expired")


def test_who_has_no_such_channel_any_more_when_the_quiet_hours_end_gets_nothing(driver: MailboxDriver) -> None:
    """Nor who has left."""
    write(driver, quiet=((START, START + HOUR),))
    ends_when_it_is_over(driver, HOUR, "address_removed", NO_ROUTE)


def test_who_has_opted_out_when_the_quiet_hours_end_gets_nothing(driver: MailboxDriver) -> None:
    """Their word counts for what waits."""
    write(driver, quiet=((START, START + HOUR),))
    driver.run_opt_out(PAIR)
    ends_when_it_is_over(driver, HOUR, "opted_out")


def test_a_clock_that_has_stepped_back_releases_nothing_and_the_alarm_comes_again(driver: MailboxDriver) -> None:
    """What was read lies ahead of now."""
    write(driver, quiet=((START, START + HOUR),))
    driver.advance(2 * HOUR)
    read = driver.run(calls.alarms())
    driver.advance(-1_000)
    assert release(driver, read_ms=read.now_ms) == "again"
    assert [each.id for each in driver.run(calls.alarms()).held] == ["m-api-1"]


def test_an_alarm_read_by_a_clock_that_stepped_back_since_is_due_again_at_its_own_time(driver: MailboxDriver) -> None:
    """However late that clock was."""
    write(driver, quiet=((START, START + HOUR),))
    driver.advance(5 * HOUR)
    driver.run(calls.alarms())
    driver.advance(-3 * HOUR)
    assert [each.id for each in driver.run(calls.alarms()).held] == ["m-api-1"]


def test_what_is_over_when_it_is_to_be_sent_is_not_sent(driver: MailboxDriver) -> None:
    """The permit is refused; it is set aside for nobody, and nobody is told of it but the program."""
    write(driver)
    driver.advance(2_000)
    driver.taken("k1")
    driver.store("k1")
    driver.redis.hset("boss:msg:m-api-1", "expires_at", driver.now)
    assert driver.sending("k1", "a1").outcome == "too_old"
    driver.run(calls.park(C, "k1", "expired", looked_up=True, notice="error", retention_ms=DAY))
    assert driver.state("m-api-1") == "ignored(expired)"
    assert driver.inbox() == []


def test_what_cannot_be_sent_is_parked_without_an_apology_and_told_nowhere_else(driver: MailboxDriver) -> None:
    """An operator may have it tried again, where it stood."""
    write(driver)
    driver.taken("k1")
    driver.store("k1", attempt="a1")
    driver.outcome("k1", "a1", "refused", code="21610")
    driver.run(calls.park(C, "k1", "twilio_1", looked_up=True, notice="error", retention_ms=DAY))
    assert (driver.state("m-api-1"), driver.inbox(), driver.untold()) == ("parked(twilio_1)", [], [])
    driver.run(calls.retry("m-api-1", "o-1", retention_ms=DAY))
    assert driver.priority() == ["m-api-1"]


def test_what_cannot_be_sent_is_told_nowhere_else(driver: MailboxDriver) -> None:
    """A report that it did not arrive is the program's alone."""
    write(driver)
    driver.taken("k1")
    driver.store("k1", attempt="a1")
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    driver.status("SM1", "undelivered", "k1", "a1")
    assert driver.reply("k1").state == "undelivered"
    assert driver.untold() == []


def test_an_erasure_takes_the_message_its_key_its_alarm_and_the_tokens_count(driver: MailboxDriver) -> None:
    """Nothing that names it is left."""
    write(driver, key="i-1", quiet=((START, START + HOUR),))
    driver.run(calls.erase_begin("u-1"))
    driver.run(calls.erase(C, ["m-api-1"]))
    driver.run(calls.erase_ends("u-1", driver.now, senders=["s-1"], pairs=[PAIR]))
    assert driver.redis.keys("boss:api:key:*") == driver.redis.keys("boss:outgoing:*") == driver.redis.keys("boss:msg:*") == []
    assert driver.redis.zcard("boss:alarms") == driver.redis.zcard("boss:open") == 0
