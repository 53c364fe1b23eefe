"""Where a history begins: what a claim reads of a conversation, and who moves its beginning."""

from __future__ import annotations

from shared.mailbox import calls
from shared.mailbox.records import Beginning, Turn
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import RETENTION


def turn(driver: MailboxDriver, number: int, begins_with: str = "", *, wanted: bool = False, user: str = "u-1") -> Turn:
    """A message and its answer; the turn as it was claimed. Its holder says that the history begins with an entry from now on."""
    driver.accept(f"m-{number}", user=user)
    found = driver.claim(f"k{number}").turn
    assert found is not None
    if begins_with or wanted:
        assert outgrown(driver, f"k{number}", found.beginning.version, begins_with, wanted=wanted) is not None
    driver.store(f"k{number}", f"answer {number}", attempt=f"a{number}")
    driver.outcome(f"k{number}", f"a{number}", "accepted", f"SM{number}", token=f"k{number}")
    return found


def outgrown(driver: MailboxDriver, token: str, version: int, begins_with: str = "", *, wanted: bool = False) -> int | None:
    """The word of a turn's holder."""
    return driver.run(calls.outgrown(C, token, version, begins_with=begins_with, wanted=wanted, quiet_ms=5_000, retention_ms=RETENTION))


def shown(driver: MailboxDriver, token: str) -> tuple[list[str], Beginning]:
    """What the next turn is shown, and where it begins; the turn is given up."""
    found = driver.claim(token).turn
    assert found is not None
    driver.backoff(token, 0)
    return [record.id for record in found.history], found.beginning


def test_a_history_is_read_from_where_its_record_says_and_a_turns_holder_says_so(driver: MailboxDriver) -> None:
    """Once, and under the version that the question was made of."""
    for number in range(1, 5):
        assert turn(driver, number).beginning == Beginning()
    driver.accept("m-5")
    driver.taken("k5")
    assert outgrown(driver, "k0", 0, "r:r-k3") is None
    assert outgrown(driver, "k5", 0, "r:r-k3") == outgrown(driver, "k5", 0, "r:r-k3") == 1
    assert outgrown(driver, "k5", 0, "m:m-4") is None
    driver.backoff("k5", 0)
    assert shown(driver, "k6") == (["r-k3", "m-4", "r-k4"], Beginning(1))


def test_what_is_not_found_any_more_makes_a_history_that_was_not_read_to_its_beginning(driver: MailboxDriver) -> None:
    """An older version has shortened the list, or the bound on what is read came first."""
    for number in range(1, 4):
        turn(driver, number)
    driver.accept("m-4")
    driver.taken("k4")
    outgrown(driver, "k4", 0, "m:m-2")
    driver.backoff("k4", 0)
    driver.redis.ltrim(f"boss:history:{C}", -3, -1)
    assert shown(driver, "k5") == (["r-k2", "m-3", "r-k3"], Beginning(1, whole=False))
    bounded = driver.claim("k6", history_bytes=1).turn
    assert bounded is not None
    assert ([record.id for record in bounded.history], bounded.beginning.whole) == (["r-k3"], False)


def test_a_list_that_may_have_lost_its_first_entries_begins_with_none_of_a_chat(driver: MailboxDriver) -> None:
    """A thousand are kept."""
    driver.redis.rpush(f"boss:history:{C}", *(f"m:gone-{number}" for number in range(1_500)))
    turn(driver, 1)
    assert driver.redis.llen(f"boss:history:{C}") == 1_000
    driver.accept("m-2")
    assert shown(driver, "k2") == (["m-1", "r-k1"], Beginning(whole=False))


def test_a_new_chat_has_a_beginning_of_its_own_and_the_old_one_keeps_its_own(driver: MailboxDriver) -> None:
    """Also where the new one got one, as long as the old one can be taken up again."""
    turn(driver, 1)
    turn(driver, 2)
    turn(driver, 3, "m:m-2")
    say(driver, "m-4", "new")
    found = turn(driver, 5)
    assert ([record.id for record in found.history], found.beginning) == (["m-4", "r-k4"], Beginning())
    turn(driver, 6, "r:r-k5")
    driver.accept("m-7")
    assert shown(driver, "k7") == (["r-k5", "m-6", "r-k6"], Beginning(1))
    say(driver, "m-8", "back")
    names, beginning = shown(driver, "k9")
    assert (names[0], beginning) == ("m-2", Beginning(1))


def say(driver: MailboxDriver, message: str, command: str) -> None:
    """A command, and its answer."""
    driver.accept(message, command=command)  # type: ignore[arg-type]
    token = message.replace("m-", "k")
    assert driver.taken(token) == [message]
    driver.store(token, "done", attempt=f"a-{token}", answers=command)  # type: ignore[arg-type]
    driver.outcome(token, f"a-{token}", "accepted", f"SM{token}", token=token)


def test_who_gets_a_number_gets_a_beginning_of_their_own(driver: MailboxDriver) -> None:
    """What was said of another user's history holds for theirs alone."""
    turn(driver, 1)
    turn(driver, 2, "r:r-k1")
    found = turn(driver, 3, "m:m-9", user="u-2")
    assert ([*found.history], found.beginning) == ([], Beginning())
    assert driver.redis.hget(f"boss:summary:{C}", "user") == b"u-2"


def test_where_a_history_begins_is_kept_as_long_as_it_and_erased_with_what_it_is_of(driver: MailboxDriver) -> None:
    """In both of its places."""
    places = [f"boss:summary:{C}", f"boss:summary:{C}:other"]
    turn(driver, 1)
    for key in places:
        driver.redis.hset(key, mapping={"v": "1", "chat": "", "user": "u-1", "version": 1, "from": "m:m-1"})
    turn(driver, 2)
    assert [RETENTION - 1_000 < driver.ttl(key) <= RETENTION for key in places] == [True, True]
    driver.run(calls.erase(C, ["m-2"]))
    assert driver.redis.exists(*places) == 0
