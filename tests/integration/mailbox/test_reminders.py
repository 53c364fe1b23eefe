"""Reminders: set, moved and cancelled by effects, read by whoever looks, and rung once, whatever the clock and the processes do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

from shared.mailbox import calls, statistics
from shared.mailbox.calls import Alarm, Alarms, Fired, Firing
from shared.model.recurrence import MINUTE, Occurrence
from tests.support.effects import PERSON, USER, run_effect
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import RETENTION
from tests.support.mailbox_workers import received

HOUR, DAY = 3_600_000, 86_400_000
DAILY: Final = '{"every":"daily"}'
"""A rule, of which the scripts know no more than that there is one."""


def timed(at_ms: int) -> dict[str, str]:
    """A time as an effect gets it."""
    return {"due": str(at_ms), "local": datetime.fromtimestamp(at_ms / 1000, UTC).strftime(MINUTE), "zone": "UTC"}


def remind(
    driver: MailboxDriver, wait: int = HOUR, *, call: str = "call-1", recurrence: str = "", text: str = "tea", **context: Any
) -> Any:
    """A reminder that is due then; the answer is the effect's."""
    args = {"text": text, "kind": "reminder", "channel": "sms", "source": "", "recurrence": recurrence, **timed(driver.now + wait)}
    return run_effect(driver.scripts, "remind", args, call=call, **context)


def set_one(driver: MailboxDriver, wait: int = HOUR, **more: Any) -> str:
    """Its id."""
    result = remind(driver, wait, **more)
    assert result["ok"], result
    return cast("str", result["reminder"]["id"])


def change(driver: MailboxDriver, kind: str, name: str, wait: int = HOUR, *, recurrence: str = "", **context: Any) -> Any:
    """An effect on a reminder that there is."""
    return run_effect(driver.scripts, kind, {"id": name, "recurrence": recurrence, **timed(driver.now + wait)}, **context)


def look(driver: MailboxDriver, person: str = "") -> Alarms:
    """What is due."""
    return driver.run(calls.alarms(person))


def names(found: Alarms) -> list[str]:
    """The reminders that were read."""
    return [alarm.id for alarm in found.due]


def firing(alarm: Alarm, next_ms: int = 0) -> Firing:
    """Its occurrence, and the one after it."""
    local = datetime(2027, 3, 1, 9, 0)  # noqa: DTZ001 - by the wall's clock
    return Firing(alarm, Occurrence(alarm.due_ms, alarm.local), Occurrence(next_ms, local) if next_ms else None)


def fire(driver: MailboxDriver, read: Alarms, *firings: Firing, message: str = "m-r1", conv: str = C, pair: str = PAIR) -> list[Fired]:
    """Ring."""
    return driver.run(calls.fire(firings, read.now_ms, received(message, "text"), conv, sender="s-1", pair=pair, user=USER))


def ring(driver: MailboxDriver, next_ms: int = 0, message: str = "m-r1", **more: Any) -> list[Fired]:
    """Read the one that is due, and ring it."""
    read = look(driver)
    (alarm,) = read.due
    return fire(driver, read, firing(alarm, next_ms), message=message, **more)


def record(driver: MailboxDriver, name: str) -> dict[str, str]:
    """A reminder's fields."""
    found = cast("dict[bytes, bytes]", driver.redis.hgetall(f"boss:reminder:{name}"))
    return {field.decode(): value.decode() for field, value in found.items()}


def scored(driver: MailboxDriver, name: str) -> int | None:
    """When somebody is to look at it, from now."""
    score = driver.redis.zscore("boss:alarms", name)
    return None if score is None else int(score) - driver.now


def told(driver: MailboxDriver, message: str) -> list[str]:
    """The texts that a message tells of."""
    found = driver.box.message(message)
    assert found is not None
    return [each.text for each in found.rings]


def test_a_reminder_waits_for_its_time(driver: MailboxDriver) -> None:
    """Record, alarm and index in one step; and the sweep knows when it is due."""
    result = remind(driver)
    name = result["reminder"]["id"]
    assert (result["number"], result["reminder"]["due"], scored(driver, name)) == (1, str(driver.now + HOUR), HOUR)
    assert (record(driver, name)["person"], record(driver, name)["revision"]) == (PERSON, "1")
    swept = driver.run(calls.sweep(recheck_ms=10_000))
    assert (swept.next_ms, swept.alarms) == (HOUR, False)
    assert names(look(driver)) == []
    driver.advance(HOUR)
    assert driver.run(calls.sweep(recheck_ms=10_000)).alarms
    assert names(look(driver)) == [name]


def test_the_same_call_sets_one_reminder(driver: MailboxDriver) -> None:
    """Whoever makes it again gets what stands."""
    first = remind(driver)
    driver.advance(1_000)
    assert remind(driver) == first
    assert driver.redis.zcard("boss:alarms") == 1


def test_the_201st_reminder_is_refused(driver: MailboxDriver) -> None:
    """And a person's bound is nobody else's. What has rung counts no more, until it is to ring again."""
    rung = set_one(driver, 0, call="first")
    ring(driver)
    for number in range(200):
        set_one(driver, call=f"c{number}")
    assert remind(driver, call="more") == {"ok": False, "reason": "too_many", "most": 200}
    assert change(driver, "move_reminder", rung).get("reason") == "too_many"
    assert change(driver, "snooze_reminder", rung).get("reason") == "too_many"
    assert remind(driver, call="more", person="p-2")["ok"]
    assert driver.redis.zcard("boss:alarms") == 201


def test_nobody_reaches_a_reminder_of_somebody_else(driver: MailboxDriver) -> None:
    """Ids are looked up under the turn's person."""
    name = set_one(driver)
    for kind in ("move_reminder", "cancel_reminder", "snooze_reminder"):
        assert change(driver, kind, name, person="p-2").get("reason") == "unknown"
        assert change(driver, kind, "none").get("reason") == "unknown"
    assert not run_effect(driver.scripts, "list_reminders", {}, person="p-2")["reminders"]
    assert record(driver, name)["revision"] == "1"


def test_what_others_wrote_rings_once_and_asks_nothing(driver: MailboxDriver) -> None:
    """In a mixed turn, by code; and the mark stays with the reminder, also when it is put off."""
    assert remind(driver, marked=True, recurrence=DAILY).get("reason") == "repeat_of_others"
    briefing = {"text": "news?", "kind": "briefing", "channel": "sms", "source": "", "recurrence": "", **timed(driver.now + HOUR)}
    assert run_effect(driver.scripts, "remind", briefing, marked=True).get("reason") == "briefing_of_others"
    name = set_one(driver, marked=True)
    assert change(driver, "move_reminder", name, recurrence=DAILY).get("reason") == "repeat_of_others"
    plain = set_one(driver, call="plain")
    assert change(driver, "move_reminder", plain, recurrence=DAILY, marked=True).get("reason") == "repeat_of_others"
    assert record(driver, name)["marked"] == "1"
    driver.advance(HOUR)
    read = look(driver)
    fire(driver, read, *(firing(alarm) for alarm in read.due if alarm.id == name))
    found = driver.box.message("m-r1")
    assert found is not None
    assert [each.marked for each in found.rings] == [True]


def test_an_occurrence_stands_in_the_priority_inbox(driver: MailboxDriver) -> None:
    """With its person's ends in the conversation; a one-off stays a day as rung, what repeats waits for the next."""
    once = set_one(driver, 0)
    assert ring(driver) == ["rings"]
    assert (driver.priority(), driver.inbox(), driver.priority_due()) == (["m-r1"], [], 1_000)
    kept = cast("list[bytes]", driver.redis.hmget(f"boss:conv:{C}", "channel", "pair", "sender"))
    assert kept == [b"sms", PAIR.encode(), b"s-1"]
    assert (record(driver, once)["state"], record(driver, once)["revision"], scored(driver, once)) == ("rung", "2", None)
    assert 0 < driver.ttl(f"boss:reminder:{once}") <= DAY
    assert [each["id"] for each in run_effect(driver.scripts, "list_reminders", {})["rung"]] == [once]
    daily = set_one(driver, 0, call="daily", recurrence=DAILY)
    assert ring(driver, driver.now + DAY, "m-r2") == ["rings"]
    assert (record(driver, daily)["state"], scored(driver, daily)) == ("waiting", DAY)
    assert record(driver, daily)["local"] == "2027-03-01T09:00"
    assert [line["n"] for line in driver.lines("reminder_due")] == ["1", "1"]
    assert told(driver, "m-r1") == ["tea"]


def test_a_reminder_is_served_before_what_waits_for_the_model(driver: MailboxDriver) -> None:
    """While the first inbox backs off, its sender has its share, and the day is used up."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.backoff("k1", 60_000)
    set_one(driver, 0)
    ring(driver)
    found = driver.claim("k2", share=0, day_tokens=1, amount=5)
    assert found.turn is not None
    assert [message.kind for message in found.turn.messages] == ["reminder"]
    assert found.reserved == 0


def test_the_history_knows_what_rang_by_its_reply_alone(driver: MailboxDriver) -> None:
    """Nobody wrote the message."""
    set_one(driver, 0)
    ring(driver)
    driver.taken("k1")
    driver.store("k1", "Reminder: tea", answers=cast("Any", "reminder"), attempt="a1")
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert driver.redis.lrange(f"boss:history:{C}", 0, -1) == [b"r:r-k1"]


def test_a_repeated_firing_rings_nothing_more(driver: MailboxDriver) -> None:
    """redis-py asks again after a timeout, and a second process may have read the same alarm."""
    daily = set_one(driver, 0, recurrence=DAILY)
    read = look(driver)
    again = firing(read.due[0], driver.now + DAY)
    assert fire(driver, read, again) == ["rings"]
    assert fire(driver, read, again) == ["stale"]
    assert fire(driver, read, again, message="m-r2") == ["stale"]
    assert (driver.priority(), record(driver, daily)["fired"], scored(driver, daily)) == (["m-r1"], "1", DAY)


def test_a_repeated_firing_of_the_same_time_is_stale(driver: MailboxDriver) -> None:
    """Also where the clock was set so that the next one is due at the same time: the revision tells them apart."""
    name = set_one(driver, 0, recurrence=DAILY)
    read = look(driver)
    fire(driver, read, firing(read.due[0], driver.now + 1))
    driver.redis.hset(f"boss:reminder:{name}", "due", read.due[0].due_ms)
    driver.redis.hset("boss:msg:m-r1", "state", "answered")
    assert fire(driver, read, firing(read.due[0], driver.now + DAY), message="m-r2") == ["stale"]


def test_a_firing_of_another_time_is_stale(driver: MailboxDriver) -> None:
    """Whoever computed it read something else."""
    name = set_one(driver, 0)
    read = look(driver)
    driver.redis.hset(f"boss:reminder:{name}", "due", driver.now - 1)
    assert fire(driver, read, firing(read.due[0])) == ["stale"]


def test_what_was_changed_since_it_was_read_does_not_ring(driver: MailboxDriver) -> None:
    """Moved, moved to the same time, cancelled."""
    name = set_one(driver, 0)
    read = look(driver)
    change(driver, "move_reminder", name, 0)
    assert fire(driver, read, firing(read.due[0])) == ["stale"]
    assert names(look(driver)) == [name]
    change(driver, "cancel_reminder", name)
    assert fire(driver, read, firing(read.due[0])) == ["gone"]
    assert (driver.priority(), names(look(driver)), record(driver, name)) == ([], [], {})


def test_a_reminder_whose_person_was_erased_is_gone(driver: MailboxDriver) -> None:
    """Its epoch is another: it rings no more, is shown no more, and its text goes."""
    name = set_one(driver, 0)
    later = set_one(driver, call="later")
    read = look(driver)
    driver.redis.hset(f"boss:person:{PERSON}", "epoch", 1)
    assert run_effect(driver.scripts, "list_reminders", {})["reminders"] in ([], {})
    assert change(driver, "cancel_reminder", later).get("reason") == "unknown"
    assert fire(driver, read, firing(read.due[0])) == ["gone"]
    driver.advance(HOUR)
    assert names(look(driver)) == []
    assert (record(driver, name), record(driver, later), driver.priority()) == ({}, {}, [])


def test_erasing_a_person_takes_all_their_reminders(driver: MailboxDriver) -> None:
    """Those that wait, and those that have rung; nobody else's."""
    driver.redis.hset("boss:people", USER, PERSON)
    rung = set_one(driver, 0)
    ring(driver)
    waits, other = set_one(driver, call="w"), set_one(driver, call="o", person="p-2")
    assert driver.run(calls.erase_begin(USER)).reminders == 2
    assert (record(driver, rung), record(driver, waits)) == ({}, {})
    assert (scored(driver, waits), scored(driver, other)) == (None, HOUR)


def test_erasing_a_person_takes_nobody_else_s(driver: MailboxDriver) -> None:
    """Nor where they have never set one."""
    driver.redis.hset("boss:people", USER, PERSON)
    name = set_one(driver)
    assert driver.run(calls.erase_begin("u-9")).reminders == 0
    assert record(driver, name)


def test_reading_puts_an_alarm_off(driver: MailboxDriver) -> None:
    """One that cannot be computed holds up no other, and two who look do not both get it."""
    name = set_one(driver, 0)
    assert names(look(driver)) == [name]
    assert (names(look(driver)), scored(driver, name)) == ([], 3_000)
    driver.advance(3_000)
    assert names(look(driver)) == [name]


def test_an_alarm_read_by_a_clock_that_stepped_back_is_due_at_its_own_time(driver: MailboxDriver) -> None:
    """It does not wait until the clock has come so far again."""
    name = set_one(driver, 10_000)
    driver.advance(HOUR)
    assert names(look(driver)) == [name]
    driver.advance(-HOUR)
    assert driver.run(calls.sweep(recheck_ms=10_000)).alarms
    assert names(look(driver)) == []
    assert scored(driver, name) == 10_000
    driver.advance(10_000)
    assert names(look(driver)) == [name]


def test_a_clock_that_stepped_back_rings_nothing(driver: MailboxDriver) -> None:
    """Neither before its time, nor by what was computed ahead of it; and it rings when its time has come."""
    name = set_one(driver, 10_000, recurrence=DAILY)
    driver.advance(11_000)
    read = look(driver)
    driver.advance(-500)
    assert fire(driver, read, firing(read.due[0], driver.now + DAY)) == ["again"]
    assert scored(driver, name) == -500
    driver.advance(-5_000)
    late = Alarms(driver.now, read.due)
    assert fire(driver, late, firing(read.due[0], driver.now + DAY)) == ["early"]
    assert (driver.priority(), scored(driver, name)) == ([], 4_500)
    driver.advance(4_500)
    assert ring(driver, driver.now + DAY) == ["rings"]


def test_the_next_one_lies_ahead(driver: MailboxDriver) -> None:
    """Where time has passed since it was computed, it is computed again: one that is past would ring twice in a row."""
    set_one(driver, 0, recurrence=DAILY)
    read = look(driver)
    driver.advance(5_000)
    assert fire(driver, read, firing(read.due[0], driver.now)) == ["again"]
    assert driver.priority() == []
    assert ring(driver, driver.now + 1) == ["rings"]


def test_what_a_clock_that_stepped_ahead_rings_it_rings_once(driver: MailboxDriver) -> None:
    """Early; and when the clock is put back it does not ring again."""
    name = set_one(driver, HOUR, recurrence=DAILY)
    driver.advance(2 * HOUR)
    assert ring(driver, driver.now + DAY) == ["rings"]
    driver.advance(-2 * HOUR)
    driver.advance(HOUR)
    assert names(look(driver)) == []
    assert (len(driver.priority()), record(driver, name)["fired"]) == (1, "1")


def test_none_is_put_while_its_person_cannot_get_it(driver: MailboxDriver) -> None:
    """Paused, opted out, without a channel, or while the one before waits: it is looked at again, and rings when that ends."""
    name = set_one(driver, 0, recurrence=DAILY)
    ends: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "paused": (driver.pause, driver.resume),
        "opted_out": (lambda: driver.run_opt_out(PAIR), lambda: driver.run(calls.opt_out(PAIR, out=False))),
    }
    for why, (begin, end) in ends.items():
        begin()
        assert ring(driver, driver.now + DAY) == [why]
        assert (driver.priority(), scored(driver, name), record(driver, name)["held"]) == ([], 30_000, why)
        end()
        driver.advance(30_000)
    read = look(driver)
    assert driver.run(calls.hold_back([firing(read.due[0], driver.now + DAY)], read.now_ms, "removed")) == ["removed"]
    driver.advance(30_000)
    assert ring(driver, driver.now + 60_000) == ["rings"]
    assert record(driver, name)["held"] == ""
    driver.advance(60_000)
    assert ring(driver, driver.now + DAY, "m-r2") == ["waits"]
    driver.taken("k1")
    driver.store("k1", "Reminder: tea", attempt="a1")
    driver.advance(30_000)
    assert ring(driver, driver.now + DAY, "m-r3") == ["rings"]
    assert driver.lines("reminder_held")[-1]["reason"] == "waits"


def test_one_person_s_pause_holds_nobody_else_s(driver: MailboxDriver) -> None:
    """Each pair by itself."""
    driver.pause(PAIR)
    set_one(driver, 0)
    assert ring(driver, conv="c-2", pair="p-2") == ["rings"]


def test_what_was_missed_is_told_in_one_message(driver: MailboxDriver) -> None:
    """And what of it cannot ring is not in it."""
    for call in ("a", "b", "c"):
        set_one(driver, 0, call=call, text=call)
    read = look(driver, PERSON)
    gone = read.due[1]
    change(driver, "cancel_reminder", gone.id)
    assert sorted(fire(driver, read, *(firing(alarm) for alarm in read.due))) == ["gone", "rings", "rings"]
    assert sorted(told(driver, "m-r1")) == sorted({"a", "b", "c"} - {gone.text})
    assert driver.priority() == ["m-r1"]
    left = [alarm for alarm in read.due if alarm is not gone]
    assert change(driver, "cancel_reminder", left[0].id)["withdrawn"]
    assert told(driver, "m-r1") == [left[1].text]
    assert change(driver, "cancel_reminder", left[1].id)["withdrawn"]
    driver.taken("k1")
    driver.store("k1", "missed", attempt="a1")
    assert driver.state("m-r1") == "ignored(cancelled)"


def test_what_is_cancelled_while_its_message_waits_is_not_sent(driver: MailboxDriver) -> None:
    """Not even where its reply is stored: it ends at its sending."""
    name = set_one(driver, 0)
    ring(driver)
    driver.taken("k1")
    driver.store("k1", "Reminder: tea")
    result = change(driver, "cancel_reminder", name)
    assert (result["ok"], result["withdrawn"]) == (True, True)
    found = driver.sending("k1", "a1")
    assert (found.outcome, driver.state("m-r1"), driver.priority()) == ("cancelled", "ignored(cancelled)", [])


def test_what_may_have_been_sent_is_not_taken_back(driver: MailboxDriver) -> None:
    """After an attempt it has rung, and who cancels is told so; a repeat ends all the same."""
    once = set_one(driver, 0)
    ring(driver)
    driver.taken("k1")
    driver.store("k1", "Reminder: tea", attempt="a1")
    assert change(driver, "cancel_reminder", once).get("reason") == "rung"
    driver.outcome("k1", "a1", "refused", code="x")
    assert driver.sending("k1", "a2").outcome == "ok"
    daily = set_one(driver, 0, call="daily", recurrence=DAILY)
    ring(driver, driver.now + DAY, "m-r2", conv="c-2", pair="p-2")
    driver.claim("k2", conv="c-2")
    driver.redis.hset("boss:reply:r-k2", mapping={"attempts": '[{"id":"a","at":1,"outcome":""}]'})
    result = change(driver, "cancel_reminder", daily)
    assert (result["ok"], result["withdrawn"], record(driver, daily)) == (True, False, {})


def test_what_was_tried_and_is_taken_back_then_is_sent(driver: MailboxDriver) -> None:
    """The attempt may have been taken: the reply goes its way to the end."""
    set_one(driver, 0)
    ring(driver)
    driver.taken("k1")
    driver.store("k1", "Reminder: tea", attempt="a1")
    driver.outcome("k1", "a1", "refused", code="x")
    driver.redis.hset("boss:msg:m-r1", "withdrawn", 1)
    assert driver.sending("k1", "a2").outcome == "ok"


def test_a_moved_reminder_rings_at_its_new_time_alone(driver: MailboxDriver) -> None:
    """The message that waits is taken back, the revision raised, and what had rung waits again."""
    name = set_one(driver, 0)
    ring(driver)
    result = change(driver, "move_reminder", name)
    assert (result["ok"], result["rung"], result["once"], scored(driver, name)) == (True, False, False, HOUR)
    assert (record(driver, name)["state"], record(driver, name)["revision"], driver.ttl(f"boss:reminder:{name}")) == ("waiting", "3", -1)
    driver.taken("k1")
    assert driver.store("k1", "Reminder: tea", attempt="a1").permit
    assert driver.state("m-r1") == "ignored(cancelled)"
    driver.advance(HOUR)
    assert ring(driver, message="m-r2") == ["rings"]
    driver.taken("k2")
    driver.store("k2", "Reminder: tea", attempt="a2")
    assert change(driver, "move_reminder", name)["rung"]


def test_a_time_alone_moves_one_occurrence_of_what_repeats(driver: MailboxDriver) -> None:
    """The rule stays, and where it would have rung is kept; a new rule takes the place of both."""
    name = set_one(driver, recurrence=DAILY)
    due = driver.now + HOUR
    for wait in (2_000, 1_000):
        assert change(driver, "move_reminder", name, wait)["once"]
    assert (record(driver, name)["recurrence"], record(driver, name)["regular"], scored(driver, name)) == (DAILY, str(due), 1_000)
    driver.advance(1_000)
    read = look(driver)
    assert read.due[0].regular_ms == due
    fire(driver, read, firing(read.due[0], due + DAY))
    assert record(driver, name)["regular"] == ""
    assert not change(driver, "move_reminder", name, recurrence='{"every":"weekly"}')["once"]
    assert (record(driver, name)["recurrence"], record(driver, name)["regular"]) == ('{"every":"weekly"}', "")


def test_put_off_it_rings_once_more(driver: MailboxDriver) -> None:
    """What rings once is the same again; beside what repeats there is one more, and the repeat goes on."""
    once = set_one(driver, 0, text="once")
    ring(driver)
    assert change(driver, "snooze_reminder", once)["reminder"]["id"] == once
    assert (record(driver, once)["state"], scored(driver, once)) == ("waiting", HOUR)
    daily = set_one(driver, 0, call="daily", recurrence=DAILY, text="daily", marked=False)
    ring(driver, driver.now + DAY, "m-r2")
    later = change(driver, "snooze_reminder", daily, call="snooze")["reminder"]
    assert change(driver, "snooze_reminder", daily, call="snooze")["reminder"] == later
    assert (later["text"], later["recurrence"], scored(driver, later["id"]), scored(driver, daily)) == ("daily", "", HOUR, DAY)


def test_a_list_shows_the_next_first_and_changes_nothing(driver: MailboxDriver) -> None:
    """At most fifty, and how many there are."""
    for number in range(60):
        set_one(driver, HOUR - number * 1_000, call=f"c{number}", text=str(number))
    before = driver.redis.dbsize(), driver.lines("reminder_set")
    found = run_effect(driver.scripts, "list_reminders", {})
    assert (found["number"], [each["text"] for each in found["reminders"]]) == (60, [str(number) for number in range(59, 9, -1)])
    assert (driver.redis.dbsize(), driver.lines("reminder_set")) == before


def test_a_briefing_is_a_question_in_the_first_inbox(driver: MailboxDriver) -> None:
    """It waits as others do, asks the model, and is not taken back, for it may be in a turn with others."""
    briefing = {"text": "news?", "kind": "briefing", "channel": "sms", "source": "", "recurrence": DAILY, **timed(driver.now)}
    name = run_effect(driver.scripts, "remind", briefing)["reminder"]["id"]
    read = look(driver)
    assert read.due[0].briefing
    call = calls.fire(
        [firing(read.due[0], driver.now + DAY)], read.now_ms, received("m-r1", "text"), C, sender="s-1", pair=PAIR, user=USER, kind="text"
    )
    assert driver.run(call) == ["rings"]
    assert (driver.inbox(), driver.priority(), driver.due()) == (["m-r1"], [], 1_000)
    result = change(driver, "cancel_reminder", name)
    assert (result["ok"], result["withdrawn"]) == (True, False)
    found = driver.claim("k1", amount=7)
    assert found.turn is not None
    assert ([message.kind for message in found.turn.messages], found.reserved) == (["text"], 7)


def test_a_reminder_that_cannot_be_sent_is_told_on_the_other_channel(driver: MailboxDriver) -> None:
    """With its text, however often, before all else there; and where that fails too, nowhere."""
    for number in (1, 2):
        set_one(driver, 0, call=f"c{number}")
        ring(driver, message=f"m-r{number}")
        driver.taken(f"k{number}")
        driver.store(f"k{number}", "Reminder: tea", attempt=f"a{number}")
        driver.outcome(f"k{number}", f"a{number}", "refused", code="x")
        driver.park(f"k{number}", looked_up=True, notice="outage")
        assert (driver.untold(), driver.inbox()) == ([f"r-k{number}"], [])
        assert driver.elsewhere(f"k{number}") == "told"
    told_there = [raw.decode() for raw in cast("list[bytes]", driver.redis.lrange("boss:priority:c-2", 0, -1))]
    assert told_there == ["n-k1", "n-k2"]
    assert told(driver, "n-k1") == ["tea"]
    found = driver.claim("k3", conv="c-2")
    assert found.turn is not None
    assert found.turn.messages[0].kind == "reminder"
    driver.redis.hset("boss:reply:r-k3", mapping={"turn": "t-k3", "conv": "c-2", "id": "r-k3", "state": "sent"})
    driver.redis.hset(
        "boss:reply:r-k3", "attempts", json.dumps([{"id": "a3", "at": 1, "outcome": "accepted", "provider_id": "SM3", "code": ""}])
    )
    driver.redis.set("boss:provider:SM3", "r-k3", px=RETENTION)
    driver.status("SM3", "failed")
    assert driver.untold() == []


def test_reminders_that_should_have_rung_are_counted(driver: MailboxDriver) -> None:
    """Also where nobody looks, and where somebody looks and rings nothing; by their own due times, for reading scores them later."""
    offset = int(time.time() * 1000) - driver.now  # the figures go by the server's own clock
    driver.advance(offset)
    set_one(driver, HOUR)
    unread = set_one(driver, 0, call="unread", text="unread")
    driver.advance(-300_000)
    held = set_one(driver, 0, call="held", recurrence=DAILY)
    driver.pause(PAIR)
    driver.advance(120_000)
    assert ring(driver, driver.now + DAY) == ["paused"]
    driver.advance(180_000)
    found = statistics.look(driver.redis).reminders
    assert (found.count, found.overdue, found.held, round(found.most_overdue_seconds / 10)) == (3, 1, 1, 30)
    driver.redis.zadd("boss:alarms", {unread: driver.now - 90_000})
    driver.redis.hset(f"boss:reminder:{unread}", "due", driver.now - 90_000)
    driver.redis.hset(f"boss:reminder:{held}", "held", "")
    found = statistics.look(driver.redis).reminders
    assert (found.overdue, found.held) == (2, 0)


def test_a_parked_reminder_that_is_retried_stands_in_the_priority_inbox(driver: MailboxDriver) -> None:
    """As it was put."""
    set_one(driver, 0)
    ring(driver)
    driver.taken("k1")
    driver.park("k1")
    driver.run(calls.retry("m-r1", "o-1", retention_ms=RETENTION, by="ada"))
    assert (driver.priority(), driver.inbox()) == (["m-r1"], [])
