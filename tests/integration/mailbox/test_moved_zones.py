"""People who move to another time zone: they are asked once about their reminders, and these move together or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from shared.mailbox import calls
from shared.mailbox.calls import Alarm
from shared.model.recurrence import Occurrence, local_time
from supervisor_worker.assistant.moved_reminders import moved
from tests.integration.mailbox.test_reminders import HOUR, fire, firing, look, names, record, remind, set_one, told
from tests.support.effects import PERSON, USER, run_effect
from tests.support.mailbox_driver import MailboxDriver

LONDON = ZoneInfo("Europe/London")
TOKYO = ZoneInfo("Asia/Tokyo")


def known(driver: MailboxDriver) -> None:
    """The person of an entry, as a turn makes it known."""
    driver.redis.hset("boss:people", USER, PERSON)


def changed(driver: MailboxDriver, **zones: str) -> tuple[str, ...]:
    """Tell the zones of the users file; whose has changed."""
    driver.run(calls.zones({user.replace("_", "-"): zone for user, zone in zones.items()}))
    return driver.run(calls.changed_zones()).users


def ask(driver: MailboxDriver, zone: str = "Europe/London", name: str = "ask-1") -> int:
    """Ask about a zone; about how many reminders."""
    return driver.run(calls.ask_zone(USER, zone, name, Occurrence(driver.now, local_time(driver.now, ZoneInfo(zone)))))


def waiting(driver: MailboxDriver) -> dict[str, Alarm]:
    """The reminders that wait, by their ids."""
    return {alarm.id: alarm for alarm in driver.run(calls.waiting_reminders(USER)).due}


def test_whose_zone_has_changed_is_noted_until_they_are_asked(driver: MailboxDriver) -> None:
    """Also back to UTC; what is told again changes nothing."""
    assert changed(driver, u_1="Europe/Berlin") == ("u-1",)
    known(driver)
    assert ask(driver, "Europe/Berlin") == 0
    assert changed(driver, u_1="Europe/Berlin") == ()
    assert changed(driver, u_1="Europe/London") == ("u-1",)
    ask(driver)
    assert changed(driver) == ("u-1",)


def test_who_has_reminders_by_another_clock_is_asked_once_for_each_zone(driver: MailboxDriver) -> None:
    """The question is due at once, on the channel of the next reminder; it is none of the reminders that are shown."""
    known(driver)
    first = set_one(driver)
    second = set_one(driver, 2 * HOUR, call="call-2")
    assert ask(driver) == 2
    assert record(driver, "ask-1")["zone"] == "Europe/London"
    assert names(look(driver)) == ["ask-1"]
    assert (ask(driver, name="ask-2"), ask(driver, "Asia/Tokyo", "ask-3")) == (0, 2)
    shown: Any = run_effect(driver.scripts, "list_reminders", {})
    assert [each["id"] for each in shown["reminders"]] == [first, second] == list(waiting(driver))


def test_who_has_no_reminder_by_another_clock_is_not_asked(driver: MailboxDriver) -> None:
    """Nor somebody of whom nothing is known."""
    assert ask(driver) == 0
    known(driver)
    remind(driver, zone="Europe/London")
    for name in waiting(driver):
        driver.redis.hset(f"boss:reminder:{name}", "zone", "Europe/London")
    assert ask(driver) == 0
    assert names(look(driver)) == []


def test_a_question_that_was_asked_leaves_nothing_behind(driver: MailboxDriver) -> None:
    """It is no reminder that could be put off."""
    known(driver)
    set_one(driver)
    ask(driver)
    read = look(driver)
    (alarm,) = read.due
    assert alarm.asks_zone
    assert fire(driver, read, firing(alarm)) == ["rings"]
    assert told(driver, "m-r1") == ["UTC"]
    assert driver.redis.exists("boss:reminder:ask-1") == 0


def test_reminders_move_unless_they_were_changed_since(driver: MailboxDriver) -> None:
    """A repeat finds nothing to do; what the person moved meanwhile stays as they want it."""
    known(driver)
    name, other = set_one(driver), set_one(driver, 2 * HOUR, call="call-2")
    before = waiting(driver)
    plans = [moved(alarm, TOKYO, driver.now) for alarm in before.values()]
    args = {"id": other, "recurrence": "", "due": str(driver.now + HOUR), "local": "2027-03-01T10:00", "zone": "UTC"}
    run_effect(driver.scripts, "move_reminder", args, call="call-3")
    assert driver.run(calls.move_zone(USER, TOKYO.key, plans)) == 1
    after = waiting(driver)
    assert (after[name].zone, after[name].local) == (TOKYO.key, before[name].local)
    assert before[name].due_ms - after[name].due_ms == 9 * HOUR + before[name].due_ms % 60_000
    assert after[other].zone == "UTC"
    assert driver.run(calls.move_zone(USER, TOKYO.key, plans)) == 0
    assert waiting(driver) == after


def test_nobody_moves_what_is_anothers(driver: MailboxDriver) -> None:
    """An id leads nowhere under another person, and nowhere after an erasure."""
    known(driver)
    set_one(driver)
    plans = [moved(alarm, TOKYO, driver.now) for alarm in waiting(driver).values()]
    driver.redis.hset("boss:people", "u-2", "p-2")
    assert driver.run(calls.move_zone("u-2", TOKYO.key, plans)) == 0
    driver.redis.hset(f"boss:person:{PERSON}", "epoch", 7)
    assert driver.run(calls.move_zone(USER, TOKYO.key, plans)) == 0


def test_what_repeats_goes_on_with_the_next_time_that_lies_ahead(driver: MailboxDriver) -> None:
    """By the new clock; one that was put off once stays put off, and its regular time moves as well."""
    known(driver)
    (alarm,) = [*waiting(driver).values()] or [look_alike(driver)]
    rule = '{"start":"2027-03-01T08:00","every":"daily","days":[],"day":0,"until":""}'
    at = int(alarm.local.replace(tzinfo=LONDON).timestamp() * 1000)
    daily = replace(alarm, recurrence=rule, local=alarm.local.replace(year=2027, month=3, day=2, hour=8, minute=0))
    _, due, regular = moved(daily, TOKYO, at)
    assert (due.local.hour, regular) == (8, 0)
    _, later, _ = moved(daily, TOKYO, due.due_ms)
    assert later.due_ms == due.due_ms + 24 * HOUR
    _, once, regular = moved(replace(daily, regular_ms=due.due_ms), TOKYO, at)
    assert once.local == daily.local
    assert regular != 0


def look_alike(driver: MailboxDriver) -> Alarm:
    """Any reminder."""
    set_one(driver)
    (alarm,) = waiting(driver).values()
    return alarm
