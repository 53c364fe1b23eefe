"""What a standby says of itself: the script's book and ledger lines, and what `boss doctor` makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis import Redis
from rq.utils import utcformat

from boss.checks import server, standby
from boss.terminal.ledger_line import describe
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox, calls, keys
from shared.mailbox.call import Call
from shared.mailbox.calls import STANDBY, STANDBY_KEPT_MS
from shared.mailbox.ledger import latest
from shared.mailbox.wake_queue import QUEUE
from tests.support.mailbox_driver import MailboxDriver

SHIFT = STANDBY + "host-2-abc"


@pytest.fixture
def driver(redis: Redis) -> MailboxDriver:
    return MailboxDriver(redis)


@pytest.fixture
def settings() -> Settings:
    return load_settings(sandbox="on")


def look(standing: calls.Standing, shift: str = "", name: str = "host-1") -> Call[dict[str, str]]:
    return calls.standby(name, standing, shift, queue=QUEUE)


def told(driver: MailboxDriver) -> list[tuple[str, str]]:
    return [(kind, line["worker"]) for kind in ("standby_started", "standby_ended") for line in driver.lines(kind)]


def register(redis: Redis, name: str) -> None:
    """What RQ writes for a worker of our queue that lives."""
    redis.sadd("rq:workers", f"rq:worker:{name}")
    redis.sadd(f"rq:workers:{QUEUE}", f"rq:worker:{name}")
    redis.hset(f"rq:worker:{name}", mapping={"last_heartbeat": utcformat(datetime.now(UTC)), "queues": QUEUE})


def test_the_begin_and_the_end_of_its_work_are_told_once_however_often_it_looks(driver: MailboxDriver) -> None:
    """Also when it retires in between, and when a look is repeated after a timeout."""
    for standing in ("watching", "working", "working", "retiring", "working", "retiring"):
        shift = "" if standing == "watching" else SHIFT
        driver.run(look(standing, shift))
        driver.run(look(standing, shift))
        driver.advance(20_000)
    assert told(driver) == [("standby_started", SHIFT)]
    driver.run(look("watching"))
    driver.run(look("watching"))
    assert told(driver) == [("standby_started", SHIFT), ("standby_ended", SHIFT)]


def test_one_worker_after_another_is_told_as_an_end_and_a_begin(driver: MailboxDriver) -> None:
    """A worker that crashed and its successor, with no look in between."""
    driver.run(look("working", SHIFT))
    driver.run(look("working", SHIFT + "d"))
    assert told(driver) == [("standby_started", SHIFT), ("standby_started", SHIFT + "d"), ("standby_ended", SHIFT)]


def test_a_standby_that_ends_leaves_the_book(driver: MailboxDriver) -> None:
    """And tells the end of its work."""
    driver.run(look("working", SHIFT))
    driver.run(look("gone"))
    driver.run(look("gone"))
    assert told(driver) == [("standby_started", SHIFT), ("standby_ended", SHIFT)]
    assert not driver.redis.exists(keys.STANDBY)


def test_one_that_died_without_a_word_leaves_the_book_when_another_looks(driver: MailboxDriver) -> None:
    """Its end is told then; one that still speaks stays."""
    driver.run(look("working", SHIFT, "dead"))
    driver.advance(STANDBY_KEPT_MS - 1000)
    driver.run(look("watching", name="alive"))
    assert driver.redis.hkeys(keys.STANDBY) == [b"dead", b"alive"]
    driver.advance(STANDBY_KEPT_MS // 2)
    driver.run(look("watching", name="other"))
    assert driver.redis.hkeys(keys.STANDBY) == [b"alive", b"other"]
    assert told(driver) == [("standby_started", SHIFT), ("standby_ended", SHIFT)]


def test_a_look_that_changes_nothing_writes_nothing(driver: MailboxDriver) -> None:
    """Twice a second for months: the append-only file does not grow by it."""
    driver.run(look("watching"))
    before = driver.redis.info("persistence")["rdb_changes_since_last_save"]
    for _ in range(20):
        driver.run(look("watching"))
        driver.advance(400)
    advances = 20
    assert driver.redis.info("persistence")["rdb_changes_since_last_save"] - before == advances


def test_the_answer_is_the_heartbeats_of_the_regular_workers_of_our_queue(driver: MailboxDriver) -> None:
    """Not a standby's, not a record that has expired, not a worker of another queue."""
    for name in ("host-7-a", "standby-host-8-a", SHIFT):
        register(driver.redis, name)
    driver.redis.sadd(f"rq:workers:{QUEUE}", "rq:worker:expired")
    driver.redis.sadd("rq:workers:other", "rq:worker:elsewhere")
    driver.redis.hset("rq:worker:elsewhere", "last_heartbeat", "now")
    beats = driver.run(look("watching"))
    assert beats.keys() == {"host-7-a", "standby-host-8-a"}
    assert beats["host-7-a"] == driver.redis.hget("rq:worker:host-7-a", "last_heartbeat").decode()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("standing", "status", "words"), [("watching", "ok", "watches on host-1"), ("working", "warn", "WORKS"), ("retiring", "ok", "finishes")]
)
def test_the_doctor_says_how_the_standby_stands(
    redis: Redis, settings: Settings, standing: calls.Standing, status: str, words: str
) -> None:
    """That it works is a warning with what to do: no regular worker lives."""
    Mailbox(redis).run(look(standing, "" if standing == "watching" else SHIFT))
    (found,) = standby.standby(settings, redis)
    assert (found.status, words in found.detail, bool(found.todo)) == (status, True, status == "warn")


def test_the_doctor_knows_no_standby_from_one_that_may_not_work(redis: Redis, settings: Settings) -> None:
    """None matters in production alone; LOCAL_FALLBACK=off is the operator's choice; an entry of long ago, or a foreign one, is none."""
    redis.hset(keys.STANDBY, mapping={"old": '{"state":"working","since":"1","seen":"1"}', "foreign": "\x00", "list": "[]"})
    assert [(found.status, found.detail) for found in standby.standby(settings, redis)] == [("ok", "none runs")]
    production = settings.model_copy(update={"environment": "production"})
    assert [found.status for found in standby.standby(production, redis)] == ["warn"]
    off = production.model_copy(update={"local_fallback": "off"})
    assert ["LOCAL_FALLBACK=off" in found.detail for found in standby.standby(off, redis)] == [True]


@pytest.mark.parametrize(
    ("names", "status", "words"),
    [([], "fail", "nobody works"), ([SHIFT], "warn", "only the standby works"), ([SHIFT, "host-7-a"], "ok", "1 live")],
)
def test_the_doctor_does_not_take_the_standby_for_a_regular_worker(redis: Redis, names: list[str], status: str, words: str) -> None:
    """With the standby alone everything is answered, and something is wrong all the same."""
    for name in names:
        register(redis, name)
    (found,) = server.workers(redis)
    assert (found.status, words in found.detail) == (status, True)


def test_the_ledgers_line_names_the_worker(redis: Redis) -> None:
    """As `boss tail` shows it."""
    Mailbox(redis).run(look("working", SHIFT))
    shown = describe(latest(redis, 1)[0])
    assert [word in shown for word in ("standby_started", f"worker={SHIFT}")] == [True, True]
