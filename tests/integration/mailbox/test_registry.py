"""The registry of people: one change at a time, and messages that are judged by the people of its version."""

from __future__ import annotations

import pytest

from shared.mailbox import calls, keys
from tests.support.mailbox_driver import MailboxDriver


def change(driver: MailboxDriver, version: int, entry: str = "{}", *, identity: str = "ada", renamed: str = "", by: str = "") -> str:
    """A change of one entry, by an operation of its own."""
    operation = by or f"o-{version}-{identity}-{entry}"
    return driver.run(calls.change_registry(version, identity, f"u-{identity}", entry, renamed=renamed, operation=operation))


def version(driver: MailboxDriver) -> int:
    return int(driver.redis.hget(keys.REGISTRY_STATE, "version") or 0)


def test_each_change_raises_the_version_and_is_told(driver: MailboxDriver) -> None:
    """Whoever keeps a copy sees that it is old."""
    assert [change(driver, 0), change(driver, 1, identity="bob")] == ["ok", "ok"]
    assert version(driver) == 2
    assert [line["user"] for line in driver.lines("registry_changed")] == ["u-ada", "u-bob"]


def test_a_change_that_was_judged_by_another_version_changes_nothing(driver: MailboxDriver) -> None:
    """Somebody else was faster, and may have given the address away."""
    change(driver, 0)
    assert change(driver, 0, '{"phone":"x"}', by="late") == "stale"
    assert (version(driver), driver.redis.hget(keys.REGISTRY, "ada")) == (1, b"{}")


def test_a_repeated_change_is_one(driver: MailboxDriver) -> None:
    """As redis-py sends it after a timeout, also when another change came between."""
    assert [change(driver, 0, by="o"), change(driver, 0, by="o")] == ["ok", "ok"]
    change(driver, 1, '{"other":1}', by="p")
    assert change(driver, 0, by="o") == "ok"
    assert (version(driver), driver.redis.hget(keys.REGISTRY, "ada")) == (2, b'{"other":1}')


def test_an_id_stays_taken_when_its_entry_goes(driver: MailboxDriver) -> None:
    """Nobody else is given it."""
    change(driver, 0)
    change(driver, 1, "")
    assert driver.redis.hgetall(keys.REGISTRY) == {}
    assert driver.redis.smembers(keys.REGISTRY_IDS) == {b"ada"}


def test_what_is_made_of_a_removed_person_s_words_is_stored_no_more(driver: MailboxDriver) -> None:
    """Their epoch is raised in the same step."""
    driver.accept("m-1", user="u-ada")
    turn = driver.claim("k1").turn
    assert turn is not None
    change(driver, 0)
    assert driver.redis.hget(keys.person(turn.person), "epoch") == b"0"
    change(driver, 1, "")
    assert driver.redis.hget(keys.person(turn.person), "epoch") == b"1"


@pytest.mark.parametrize("known", ["accept", "ignore"])
def test_a_message_is_judged_by_the_people_of_the_present_version(driver: MailboxDriver, known: str) -> None:
    """Under another one nothing changes, whoever it was judged to be of; a message that is known already stays known."""
    change(driver, 0)

    def take(users: int) -> str:
        if known == "ignore":
            return driver.run(calls.ignore("m-1", "sms", "stranger", users=users)).outcome
        return driver.accept("m-1", users=users).outcome

    before = driver.redis.dbsize()
    assert [take(0), take(2)] == ["stale", "stale"]
    assert driver.redis.dbsize() == before
    assert take(1) == ("ignored" if known == "ignore" else "accepted")
    assert take(0) == "duplicate"


def test_what_was_judged_before_is_not_judged_again(driver: MailboxDriver) -> None:
    """A message from the spool, whose person was known when it came."""
    change(driver, 0)
    assert driver.accept("m-1").outcome == "accepted"
