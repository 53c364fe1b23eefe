"""What answering costs in dollars: four books a call, bounds of days and months, of all and of a person, and calls that are no turn's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from shared.mailbox import calls
from shared.mailbox.calls import DAY_MS, Cost, DayBounds, Dearest, Settled
from shared.mailbox.scripts import together
from shared.model.prices import Price, Rates, Tier
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import CLOCK, LEASE, RETENTION, scripted_clock

HOUR_MS = 3_600_000
START_OF_DAY = 1_700_006_400_000  # 2023-11-15
DECEMBER = 1_701_388_800_000


def at(driver: MailboxDriver, ms: int) -> None:
    """Let it be that time."""
    driver.advance(ms - driver.now)


def asked(driver: MailboxDriver, token: str, tokens: int, **more: Any) -> None:
    """One message of u-1's, answered for so many tokens at a microdollar each."""
    driver.accept(f"m-{token}")
    found = driver.claim(token, **{"amount": 100, **more})
    assert (found.outcome, found.stop) == ("taken", ""), found
    driver.store(token, settled=Settled(f"q-{token}", tokens, "good", tokens))
    driver.finish(token)


def zone(driver: MailboxDriver, name: str = "Asia/Tokyo") -> str:
    """u-1 lives there, nine hours ahead; as a worker would say it."""
    driver.run(calls.zones({"u-1": name, "u-2": "Europe/Berlin"}))
    return "Not/Asia/Tokyo=1 Asia/Tokyo=32400000 Europe/Berlin=3600000"


def test_a_call_stands_in_four_books_from_its_reservation_to_its_late_truth(driver: MailboxDriver) -> None:
    """Of all and of its person, day and month, as they were when it was reserved; each of them once, whatever is repeated."""
    at(driver, DECEMBER - HOUR_MS)
    zones = zone(driver)
    books = (str(driver.now // DAY_MS), "2023-11", f"per-k1:{(driver.now + 9 * HOUR_MS) // DAY_MS}", "per-k1:2023-12")
    driver.accept("m-1")
    for _ in range(2):
        driver.claim("k1", amount=100, zones=zones)
        assert [driver.book(name).get("money_reserved") for name in books] == [100] * 4
    driver.advance(LEASE + 1 + 2 * HOUR_MS)
    driver.sweep()
    found = [driver.book(name) for name in books]
    assert [(book.get("money"), book.get("money_reserved"), book.get("tokens")) for book in found] == [(100, None, 100)] * 4
    for _ in range(2):
        driver.store("k1", settled=Settled("q-k1", 30, "good", 40))
        found = [driver.book(name) for name in books]
        assert [(book.get("money"), book.get("tokens")) for book in found] == [(40, 30)] * 4
    assert driver.book("2023-12") == {}
    assert (found[1].get("model:m:money"), found[1].get("model:m:tokens"), found[1].get("day:30:money")) == (40, 30, 40)
    assert (found[0].get("model:m:money"), found[0].get("model:m:tokens")) == (40, 30)
    assert not driver.redis.exists("boss:costs")
    assert driver.redis.zscore("boss:spenders", "per-k1")


def test_searches_of_the_web_are_counted_once_in_all_books_of_their_call(driver: MailboxDriver) -> None:
    """Those of a person who was erased do not come back, by a call whose holder died either; and a call that is not there has none."""
    at(driver, DECEMBER - HOUR_MS)
    books = (str(driver.now // DAY_MS), "2023-11", f"per-k1:{driver.now // DAY_MS}", "per-k1:2023-11")
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    assert [driver.run(calls.searched("q-k1", 2)) for _ in range(2)] == [True, False]
    assert [driver.book(name)["searches"] for name in books] == [2] * 4
    assert driver.run(calls.searched("q-nobody", 2)) is False
    driver.accept("m-2", conv="c-2")
    driver.claim("k2", conv="c-2", amount=100)
    driver.advance(LEASE + 1)
    driver.sweep()
    driver.redis.delete("boss:ended")  # by an older version, which lists no such call
    driver.run(calls.erase_spending("u-1"))
    assert driver.run(calls.searched("q-k2", 1)) is True
    assert [driver.book(name).get("searches") for name in books] == [3, 3, None, None]


def test_what_a_question_may_cost_is_its_tokens_in_the_dearest_tier_that_it_reaches(driver: MailboxDriver) -> None:
    """As the prices say it: the same as in Python, for any size of prompt and answer."""
    price = Price(
        (Tier(0, Rates(100, 500, 125, 200, 10)), Tier(1_000, Rates(500, 2_500, 625, 1_000, 50)), Tier(5_000, Rates(1, 1, 1, 1, 1)))
    )
    for number, (fixed, answer) in enumerate(((900, 100), (1_100, 100), (1_101, 100), (9_000, 1), (0, 0), (3, 1), (12_345, 678))):
        driver.accept(f"m-{number}", conv=f"c-{number}")
        before = driver.book("2023-11").get("money_reserved", 0)
        driver.claim(f"k{number}", conv=f"c-{number}", dearest=Dearest(fixed=fixed, answer=answer, tiers=price.spelled))
        assert driver.book("2023-11").get("money_reserved", 0) - before == price.most(fixed - answer, answer), (fixed, answer)


def test_months_and_days_are_the_calendar_s(driver: MailboxDriver) -> None:
    """Over leap years and ends of centuries."""
    library = scripted_clock(together("common", "spending")) + "\nlocal found = {}\n"
    text = (
        library
        + "for i = 1, #ARGV do local month, day = Money.month_of(ARGV[i] * 86400000) found[i] = month .. '-' .. day end\nreturn found"
    )
    days = [*range(0, 60_000, 37), *range(19_600, 20_100), *range(10_900, 11_100), *range(47_400, 47_700)]
    found: Any = driver.redis.eval("local PROVIDERS, REPORTS_LATE = {}, {}\n" + text, 0, *days)
    assert [raw.decode() for raw in found] == [f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}" for day in days]


def test_dollars_spent_and_reserved_together_never_pass_a_bound(driver: MailboxDriver) -> None:
    """What others may leave is waited for, in each of the four books."""
    driver.accept("m-1")
    driver.accept("m-2", conv="c-2")
    driver.claim("k1", amount=60)
    for name in ("day", "month", "own_day", "own_month"):
        bounds = DayBounds(**{name: 100})
        assert driver.claim(f"k2-{name}", conv="c-2", amount=41, bounds=bounds).outcome == "reserved", name
    driver.store("k1", settled=Settled("q-k1", 60, "good", 10))
    assert driver.claim("k4", conv="c-2", amount=90, bounds=DayBounds(0, 0, 0, 0, 100, 100, 100, 100)).outcome == "taken"


def test_what_no_day_and_no_month_has_room_for_is_said_to_be_so(driver: MailboxDriver) -> None:
    """Its holder parks it."""
    driver.accept("m-1")
    driver.claim("k1", amount=1)
    for name in ("day", "month", "own_day", "own_month"):
        assert driver.reserve("k1", f"q-{name}", 101, bounds=DayBounds(**{name: 100})) == "dear", name
    assert driver.reserve("k1", "q-2", 100, bounds=DayBounds(own_month=101)) == "ok"
    assert driver.reserve("k1", "q-3", 2, bounds=DayBounds(own_month=101), settled=Settled("q-2", 100, "bad", 100)) == "own_month"
    assert driver.reserve("k1", "q-4", 2, bounds=DayBounds(month=101)) == "month"
    assert driver.reserve("k1", "q-5", 2, bounds=DayBounds(own_day=101)) == "share"
    assert driver.reserve("k1", "q-6", 2, bounds=DayBounds(day=101)) == "spent"


def test_a_person_s_day_is_of_their_own_clock_and_holds_nobody_else_up(driver: MailboxDriver) -> None:
    """They are told once when it goes on; at their midnight it does."""
    at(driver, START_OF_DAY + 14 * HOUR_MS)
    tight: dict[str, Any] = {"bounds": DayBounds(own_day=150), "zones": zone(driver)}
    asked(driver, "k1", 90, **tight)
    driver.accept("m-2")
    found = driver.claim("k2", amount=100, **tight).turn
    assert found is not None
    assert (found.messages[0].notice, found.messages[0].until) == ("waits_share", START_OF_DAY + 15 * HOUR_MS)
    driver.store("k2")
    driver.finish("k2")
    assert driver.claim("k3", amount=100, **tight).outcome == "share"
    driver.accept("m-9", conv="c-9", sender="s-9", pair="p-9", user="u-9")
    assert driver.claim("k4", conv="c-9", amount=100, **tight).outcome == "taken"
    driver.accept("m-8", conv="c-8", sender="s-8", pair="p-8")
    assert driver.claim("k5", conv="c-8", amount=100, **tight).turn.messages[0].notice == "waits_share", "by whichever number"  # type: ignore[union-attr]
    driver.advance(HOUR_MS)
    turn = driver.claim("k6", amount=100, **tight).turn
    assert turn is not None
    assert [(message.id, message.age_ms) for message in turn.messages] == [("m-2", 0)], "what waited has not aged"


def test_a_day_whose_dollars_are_used_up_waits_like_one_whose_tokens_are(driver: MailboxDriver) -> None:
    """With the alarm, and the sentence; a model that costs nothing goes on."""
    tight: dict[str, Any] = {"amount": 100, "bounds": DayBounds(day=150)}
    asked(driver, "k1", 90, **tight)
    driver.accept("m-2")
    assert driver.claim("k2", **tight).outcome == "spend_stop"
    assert driver.taken_notice("k3", **tight) == "waits_day"
    driver.store("k3")
    driver.finish("k3")
    assert driver.claim("k4", **tight).outcome == "spent"
    free = driver.claim("k5", dearest=Dearest(fixed=100, tiers="0 0 0"), bounds=DayBounds(day=150))
    assert (free.outcome, free.reserved) == ("taken", 100)


def test_a_month_whose_dollars_are_used_up_ends_messages_and_says_so_once_a_day(driver: MailboxDriver) -> None:
    """The operator hears of it once; nothing is reserved; the turn says which month it is, also to a repeat; the next month it goes on."""
    for number, (name, bounds) in enumerate((("month", DayBounds(month=150)), ("own_month", DayBounds(own_month=150, month=1_000)))):
        driver.redis.flushdb()
        driver.redis.set(CLOCK, START_OF_DAY)
        tight: dict[str, Any] = {"amount": 100, "bounds": bounds}
        asked(driver, "k1", 90, **tight)
        driver.accept("m-2")
        for told in (True, False):
            found = driver.claim("k2", **tight)
            assert (found.outcome, found.stop, found.reserved) == ("taken", name, 0)
            assert (name in found.alarms) is told
        driver.store("k2", settled=Settled(), figures={})
        driver.finish("k2")
        driver.accept("m-3")
        again = driver.claim("k3", **tight)
        assert (again.stop, again.alarms) == ("told", ())
        driver.run(calls.finish(C, "k3", retention_ms=RETENTION, reason="month_spent"))
        assert driver.state("m-3") == "answered(month_spent)"
        assert [line["user"] for line in driver.lines("month_stop")] == [("", "u-1")[number]]
        driver.accept("m-4", kind="bridge")
        assert driver.claim("k4", **tight).stop == name, "who asks over the bridge hears it there"
        driver.finish("k4")
        driver.accept("m-5")
        driver.advance(DAY_MS)
        assert driver.claim("k5", **tight).stop == name, "told once a day"
        driver.backoff("k5", 0)
        at(driver, DECEMBER)
        assert (driver.claim("k6", **tight).outcome, driver.claim("k6", **tight).stop) == ("taken", "")


def near(driver: MailboxDriver) -> tuple[str, ...]:
    """What the next sweep has to log."""
    return driver.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE)).near


def test_four_fifths_of_a_bound_are_told_the_operator_once_in_its_period(driver: MailboxDriver) -> None:
    """Of each bound by itself, with a person's id, as soon as it is so; and again in the next period."""
    bounds = DayBounds(tokens=1_000, turns=5, day=1_000, month=1_000, own_day=1_000, own_month=1_000)
    for number in range(3):
        asked(driver, f"k{number}", 260, bounds=bounds)
    assert near(driver) == ()
    asked(driver, "k3", 20, bounds=bounds)
    names = ("daily_tokens", "daily_dollars", "monthly_dollars", "person_daily_dollars", "person_monthly_dollars", "daily_turns")
    assert (near(driver), near(driver)) == (names, ())
    assert [(line["bound"], line["used"], line["of"], line["user"]) for line in driver.lines("spend_near")] == [
        (
            name,
            "4" if name == "daily_turns" else "800",
            "5" if name == "daily_turns" else "1000",
            "u-1" if name.startswith("person") else "",
        )
        for name in names
    ]
    driver.accept("m-1")
    driver.claim("k4", amount=100, bounds=bounds)
    driver.backoff("k4", 0, settled=Settled("q-k4", 50, "bad", 50))
    assert near(driver) == ()
    driver.advance(DAY_MS)
    driver.accept("m-2", conv="c-2")
    driver.claim("k5", conv="c-2", amount=50, bounds=bounds)
    driver.run(calls.settle(Settled("q-k5", 50, "bad", 50)))
    assert near(driver) == (), "of the month the operator knows"
    assert job(driver, "q-7", 90, DayBounds(own_day=100)) == "ok"
    driver.run(calls.settle(Settled("q-7", 90, "good", 90)))
    assert near(driver) == ("person_daily_dollars",), "of a call that is no turn's too"


def test_a_call_that_uses_more_than_was_reserved_for_it_is_told(driver: MailboxDriver) -> None:
    """What is reserved is an upper bound: else a bound could be passed. It counts with what it used."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.store("k1", settled=Settled("q-k1", 101, "good", 100))
    driver.finish("k1")
    asked(driver, "k2", 100)
    driver.accept("m-3")
    driver.claim("k3", amount=100)
    driver.backoff("k3", 0, settled=Settled("q-k3", 3, "bad", 101))
    lines = driver.lines("reservation_exceeded")
    assert [(line["call"], line["used"], line["reserved"], line["cost"]) for line in lines] == [
        ("q-k1", "101", "100", "100"),
        ("q-k3", "3", "100", "101"),
    ]
    assert driver.spent().get("tokens") == 204


def test_all_forwarding_addresses_are_one_person_who_is_nobody(driver: MailboxDriver) -> None:
    """What strangers cost is not taken from whom it is forwarded to."""
    tight: dict[str, Any] = {"bounds": DayBounds(own_day=150), "zones": zone(driver)}
    for number in range(2):
        driver.accept(f"m-{number}", conv=f"c-f{number}", sender=f"f-{number}", pair=f"p-{number}", user=f"u-{number}")
    assert driver.claim("k0", conv="c-f0", amount=100, **tight).outcome == "taken"
    assert driver.claim("k1", conv="c-f1", amount=100, **tight).outcome == "reserved"
    driver.accept("m-3")
    assert driver.claim("k2", amount=100, **tight).outcome == "taken"
    assert driver.book(f"forwarded:{driver.now // DAY_MS}").get("money_reserved") == 100


def test_a_message_of_nobody_s_has_no_person_s_bound(driver: MailboxDriver) -> None:
    """One of an older version's; those of all hold."""
    driver.accept("m-1", user="")
    assert driver.claim("k1", amount=100, bounds=DayBounds(own_day=50, own_month=50)).reserved == 100


def job(driver: MailboxDriver, name: str, tokens: int, bounds: DayBounds) -> str:
    """A summary, say, of somebody nine hours ahead."""
    call = calls.reserve_job(
        name, tokens, person="u-1", offset_ms=9 * HOUR_MS, lasts_ms=5 * LEASE, cost=Cost(tokens, "small"), bounds=bounds
    )  # fmt: skip
    return driver.run(call)


def test_a_call_that_is_no_turn_s_counts_and_ends_by_itself(driver: MailboxDriver) -> None:
    """It holds no conversation and is no turn; its first true use counts once; without a word it costs its amount, also when TIME steps."""
    bounds = DayBounds(tokens=1_000, turns=1, day=1_000, own_day=150)
    today = f"u-1:{(driver.now + 9 * HOUR_MS) // DAY_MS}"
    for _ in range(2):
        assert job(driver, "q-1", 100, bounds) == "ok"
        assert (driver.spent(), driver.book(today).get("money_reserved")) == ({"reserved": 100}, 100)
    assert job(driver, "q-2", 100, bounds) == "reserved"
    driver.sweep()
    driver.advance(LEASE + 1)
    driver.sweep()
    assert driver.book(today).get("money_reserved") == 100, "it has an end of its own"
    for _ in range(2):
        driver.run(calls.settle(Settled("q-1", 40, "good", 30)))
        assert (driver.spent(), driver.book(today)) == ({"tokens": 40, "calls": 1}, {"money": 30, "tokens": 40})
    assert job(driver, "q-3", 100, bounds) == "ok"
    driver.advance(-DAY_MS)
    driver.sweep()
    driver.advance(5 * LEASE + 1)
    driver.sweep()
    assert (driver.book(today).get("money"), driver.spent(1).get("tokens")) == (130, 140)
    assert not driver.redis.exists("boss:reserved", "boss:costs", "boss:conv:-")
    driver.run(calls.settle(Settled("q-3", 10, "good", 5)))
    assert (driver.book(today).get("money"), driver.spent(1).get("tokens")) == (35, 50)


def test_what_an_older_version_reserved_is_settled_in_all_of_its_books(driver: MailboxDriver) -> None:
    """Its dollars stand in a record beside the call's; a version before that had none, and the day's book alone."""
    for dollars in (True, False):
        driver.redis.flushdb()
        driver.redis.set(CLOCK, START_OF_DAY)
        driver.accept("m-1")
        driver.claim("k1", amount=100)
        record = cast("bytes", driver.redis.get("boss:call:q-k1")).split()
        books = [name.decode().removeprefix("boss:spent:") for name in record[10:]]
        driver.redis.set("boss:call:q-k1", b" ".join(record[:6]))
        if dollars:
            driver.redis.set("boss:cost:q-k1", b" ".join([b"live", record[6], b"100", *record[7:]]))
            driver.redis.zadd("boss:costs", {"q-k1": 1})
        driver.advance(LEASE + 1)
        driver.sweep()
        found = [driver.book(name) for name in books]
        assert [(book.get("money"), book.get("money_reserved"), book.get("tokens")) for book in found[:4:3]] == (
            [(100, None, 100)] * 2 if dollars else [(None, 100, 100), (None, 100, None)]
        )
        driver.store("k1", settled=Settled("q-k1", 30, "good", 40))
        assert [driver.book(name).get("tokens") for name in books] == ([30] * 4 if dollars else [30, None, None, None])
        assert [driver.book(name).get("money") for name in books[1:]] == ([40] * 3 if dollars else [None] * 3)
        assert not driver.redis.exists("boss:costs", "boss:reserved")


def test_tokens_without_a_price_cost_what_was_reserved_for_them(driver: MailboxDriver) -> None:
    """But for a call that was not made."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.backoff("k1", 0, settled=Settled("q-k1", 30, "bad"))
    assert (driver.book("2023-11").get("money"), driver.book("2023-11").get("tokens")) == (100, 30)
    driver.advance(1)
    driver.claim("k2", amount=100)
    driver.backoff("k2", 0, settled=Settled("q-k2"))
    assert (driver.book("2023-11").get("money"), driver.book("2023-11").get("tokens")) == (100, 30)


def test_the_books_of_money_go_with_their_time(driver: MailboxDriver) -> None:
    """A day's after two, a month's after the next; who spends nothing any more is on no list."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    for name, days in (("2023-11", 70), ("per-k1:2023-11", 70), (f"per-k1:{driver.now // DAY_MS}", 3)):
        assert 0 < driver.ttl(f"boss:spent:{name}") <= days * DAY_MS
    driver.redis.zadd("boss:spenders", {"u-gone": driver.now - 71 * DAY_MS})
    driver.accept("m-2", conv="c-2", user="u-2")
    driver.claim("k2", conv="c-2")
    assert driver.redis.zrange("boss:spenders", 0, -1) == [b"per-k1", b"per-k2"]
    driver.run(calls.zones({"u-1": "Asia/Tokyo"}))
    driver.run(calls.zones({}))
    assert not driver.redis.exists("boss:zones")


def test_what_an_erased_person_has_cost_is_forgotten_and_stays_in_the_books_of_all(driver: MailboxDriver) -> None:
    """Nobody else's goes; a call under way is settled at its amount, and its late truth is in no book of theirs."""
    at(driver, DECEMBER - HOUR_MS)
    zones = zone(driver)
    asked(driver, "k0", 20, zones=zones)
    driver.accept("m-9", conv="c-9", sender="s-9", pair="p-9", user="u-10")
    driver.claim("k9", conv="c-9", amount=100)
    driver.accept("m-1")
    driver.claim("k1", amount=100, zones=zones)
    driver.run(calls.erase_spending("u-1"))
    assert driver.redis.keys("boss:spent:per-k0:*") == []
    assert driver.redis.zrange("boss:spenders", 0, -1) == [b"per-k9"]
    assert (driver.book("2023-11").get("money"), driver.book("2023-11").get("money_reserved")) == (120, 100)
    driver.accept("m-8", conv="c-8")
    driver.claim("k8", conv="c-8", amount=100, zones=zones)
    driver.store("k1", settled=Settled("q-k1", 30, "good", 40))
    own = driver.book("per-k0:2023-12")
    assert (own.get("money"), own.get("money_reserved")) == (None, 100), "in what began since it has no place"
    assert driver.book("2023-11").get("money") == 60
    assert driver.book("per-k9:2023-11").get("money_reserved") == 100


def test_what_an_erased_person_s_call_has_cost_makes_no_book_of_theirs_however_late_it_is_known(driver: MailboxDriver) -> None:
    """Also of one whose holder was dead before."""
    driver.accept("m-1")
    driver.claim("k1", amount=100)
    driver.advance(LEASE + 1)
    driver.sweep()
    driver.redis.delete("boss:ended")  # by an older version, which lists no such call
    driver.run(calls.erase_spending("u-1"))
    driver.store("k1", settled=Settled("q-k1", 30, "good", 40))
    assert driver.redis.keys("boss:spent:per-*") == []
    assert driver.book("2023-11").get("money") == 40


def test_what_an_older_version_kept_by_a_person_s_entry_goes_on_under_the_person(driver: MailboxDriver) -> None:
    """What was spent counts toward the bound, and a call under way, or told late, where it was reserved; erasing takes both."""
    bounds = DayBounds(own_day=1_000, own_month=1_000)
    driver.accept("m-1")
    driver.claim("k1", amount=100, bounds=bounds)
    driver.accept("m-2", conv="c-2")
    driver.claim("k2", conv="c-2", amount=100, bounds=bounds)
    driver.redis.hset("boss:people", "u-1", "per-k3")
    driver.redis.rename("boss:person:per-k1", "boss:person:per-k3")
    for key in cast("list[bytes]", driver.redis.keys("boss:spent:per-k1:*")):
        driver.redis.rename(key, key.replace(b"per-k1", b"u-1"))
    for name in ("q-k1", "q-k2"):
        record = cast("bytes", driver.redis.get(f"boss:call:{name}"))
        driver.redis.set(f"boss:call:{name}", record.replace(b"per-k1", b"u-1"))
    driver.redis.delete("boss:spenders")
    driver.redis.zadd("boss:spenders", {"u-1": driver.now})
    driver.run(calls.settle(Settled("q-k2", 60, "good", 60)))
    assert driver.book("u-1:2023-11") == {"money": 60, "money_reserved": 100, "tokens": 60, "reserved": 100}
    driver.accept("m-3", conv="c-3")
    assert driver.claim("k3", conv="c-3", amount=841, bounds=bounds).outcome == "reserved"
    assert driver.claim("k4", conv="c-3", amount=840, bounds=bounds).outcome == "taken"
    driver.store("k1", settled=Settled("q-k1", 30, "good", 40))
    own = {"money": 100, "money_reserved": 840, "tokens": 90, "reserved": 840}
    assert [driver.book(f"per-k3:{period}") for period in ("2023-11", driver.now // DAY_MS)] == [own, own]
    assert driver.redis.keys("boss:spent:u-1:*") == []
    assert driver.redis.zrange("boss:spenders", 0, -1) == [b"per-k3"]
    driver.redis.hset("boss:spent:u-1:2023-10", "money", 5)
    driver.run(calls.erase_spending("u-1"))
    assert driver.redis.keys("boss:spent:u-1:*") == driver.redis.keys("boss:spent:per-*") == []
