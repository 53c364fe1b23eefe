"""Whose a record is: the pair whose opt-out is asked for, the user whose words are shown, and what is erased of them."""

from __future__ import annotations

from shared.mailbox import calls
from tests.support.mailbox_driver import PAIR, C, MailboxDriver


def forget_conversation(driver: MailboxDriver) -> None:
    """Its record goes after the retention, while a parked message stays."""
    driver.redis.delete(f"boss:conv:{C}")


def verdict_on_permit(driver: MailboxDriver, token: str = "k2") -> str:  # noqa: S107 - a lease's
    """A turn from its claim to the verdict on its first attempt."""
    driver.taken(token)
    assert driver.store(token).outcome == "stored"
    return driver.sending(token, f"a-{token}").outcome


def test_a_parked_text_that_outlived_its_conversation_hears_a_stop(driver: MailboxDriver) -> None:
    """The user said STOP meanwhile; a retry by the operator does not reach them."""
    driver.to_parked()
    forget_conversation(driver)
    driver.accept("m-2", keyword="stop")
    assert driver.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert verdict_on_permit(driver) == "opted_out"
    assert driver.state("m-1") == "ignored(opted_out)"


def test_a_parked_text_of_an_older_version_gets_its_pair_from_its_event(driver: MailboxDriver) -> None:
    """Its record does not say whose it is; the command that retries it knows its text."""
    driver.to_parked()
    driver.redis.hdel("boss:msg:m-1", "pair", "sender", "user")
    forget_conversation(driver)
    driver.run(calls.opt_out(PAIR, out=True))
    assert driver.run(calls.retry("m-1", "o-1", pair=PAIR, sender="s-1", user="u-1")).outcome == "done"
    assert verdict_on_permit(driver) == "opted_out"


def test_no_permit_is_given_for_a_reply_whose_pair_nobody_knows(driver: MailboxDriver) -> None:
    """Whether its user said STOP cannot be known."""
    driver.to_parked()
    driver.redis.hdel("boss:msg:m-1", "pair", "sender", "user")
    forget_conversation(driver)
    assert driver.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert verdict_on_permit(driver) == "no_pair"
    assert driver.reply("k2").attempts == ()


def test_a_repeated_permit_without_a_pair_is_lost(driver: MailboxDriver) -> None:
    """The first was given when the pair was known."""
    driver.to_sending()
    driver.redis.hdel("boss:reply:r-k1", "pair")
    driver.redis.hdel(f"boss:conv:{C}", "pair")
    assert driver.sending("k1", "a1").outcome == "lost"


def test_an_opt_out_is_asked_for_the_reply_s_own_pair(driver: MailboxDriver) -> None:
    """Whatever became of the conversation's record."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.redis.hdel(f"boss:conv:{C}", "pair")
    driver.run(calls.opt_out(PAIR, out=True))
    assert driver.sending("k1", "a1").outcome == "opted_out"


def test_a_user_s_word_counts_when_no_record_of_the_reply_is_left(driver: MailboxDriver) -> None:
    """A spam report may come months later. It names the pair; one without it says nothing."""
    driver.status("SM1", "", "k1", "a1", opt="out", report="o-1")
    assert not driver.redis.keys("boss:optout:*")
    driver.status("SM1", "", "k1", "a1", opt="out", report="o-2", pair=PAIR)
    assert driver.redis.exists(f"boss:optout:{PAIR}")
    driver.run(calls.opt_out(PAIR, out=False))
    driver.status("SM1", "", "k1", "a1", opt="out", report="o-2", pair=PAIR)
    assert not driver.redis.exists(f"boss:optout:{PAIR}")


def test_who_gets_a_number_does_not_get_what_was_said_before(driver: MailboxDriver) -> None:
    """Neither the former user's words nor the answers to them; their own they get."""
    for number, user in enumerate(("u-1", "u-2", "u-2")):
        driver.accept(f"m-{number}", user=user)
        turn = driver.claim(f"k{number}").turn
        assert turn is not None
        assert [said.id for said in turn.history] == (["m-1", "r-k1"] if number == 2 else [])
        driver.store(f"k{number}")
        driver.finish(f"k{number}")


def test_texts_of_two_users_of_one_number_are_two_turns(driver: MailboxDriver) -> None:
    """The operator gave the number away while a text of the former user waited."""
    driver.accept("m-1", user="u-1")
    driver.accept("m-2", user="u-2")
    assert driver.taken("k1") == ["m-1"]
    driver.finish("k1")
    assert driver.taken("k2") == ["m-2"]


def test_a_notice_is_of_the_user_whom_it_is_about(driver: MailboxDriver) -> None:
    """So that it is judged, and erased, with what it is about."""
    driver.accept("m-1", user="u-7")
    driver.taken("k1")
    driver.park("k1", notice="error")
    assert driver.redis.hmget("boss:msg:n-1", ["kind", "user", "pair", "sender"]) == [b"notice", b"u-7", PAIR.encode(), b"s-1"]


def test_erasing_fences_out_the_holder(driver: MailboxDriver) -> None:
    """Whoever works on what is erased stores nothing, sends nothing and ends nothing any more."""
    driver.accept("m-1")
    driver.accept("m-2", user="u-2")
    assert driver.taken("k1") == ["m-1"]
    assert driver.run(calls.erase(C, ["m-1", "t-k1"])) == 1
    assert driver.store("k1").outcome == "lost"
    assert driver.sending("k1", "a1").outcome == "lost"
    assert driver.renew("k1") == 0
    assert driver.backoff("k1").outcome == "lost"
    assert driver.finish("k1").outcome == "lost"
    assert (driver.state("m-1"), driver.inbox(), driver.due()) == ("", ["m-2"], 0)
    driver.run(calls.erase(C, ["m-2"]))
    assert not driver.redis.keys(f"boss:*{C}*")


def test_erasing_one_user_leaves_the_other_s_messages(driver: MailboxDriver) -> None:
    """They are answered as if nothing had been; the other's turn under way goes on."""
    driver.accept("m-1", user="u-1")
    driver.accept("m-2", user="u-2")
    assert driver.run(calls.erase(C, ["m-1"])) == 0
    assert driver.taken("k1") == ["m-2"]
    driver.accept("m-3", user="u-1")
    assert driver.run(calls.erase(C, ["m-3"])) == 0
    assert driver.store("k1").outcome == "stored"
    assert driver.finish("k1").outcome == "empty"
    assert driver.state("m-2") == "answered"


def test_what_is_erased_is_in_no_list_any_more(driver: MailboxDriver) -> None:
    """Parked, recent, open, told elsewhere, history: nothing names it."""
    driver.to_parked()
    driver.accept("m-2")
    driver.taken("k2")
    driver.store("k2")
    driver.sending("k2", "a1")
    driver.outcome("k2", "a1", "accepted", "SM1", token="k2")
    driver.status("SM1", "undelivered", "k2", "a1")
    assert driver.untold() == ["r-k2"]
    driver.redis.zadd("boss:unsettled", {"r-k2": 0})
    driver.run(calls.erase(C, ["m-1", "t-k1", "m-2", "t-k2", "r-k2"]))
    for key in ("boss:parked", "boss:recent", "boss:open", "boss:untold", "boss:unsettled", f"boss:unsure:{C}", "boss:due"):
        assert driver.redis.zcard(key) == 0, key
    assert driver.redis.llen(f"boss:history:{C}") == 0
    assert [line["n"] for line in driver.lines("erased")] == ["5"]


def test_an_outcome_that_comes_after_an_erasure_brings_nothing_back(driver: MailboxDriver) -> None:
    """The request had left; what the provider answers is no record any more."""
    driver.to_sending()
    driver.run(calls.erase(C, ["m-1", "t-k1", "r-k1"]))
    assert driver.outcome("k1", "a1", "accepted", "SM1", token="k1").state is None
    driver.status("SM1", "delivered", "k1", "a1")
    assert not driver.redis.keys("boss:reply:*")
    assert not driver.redis.keys("boss:msg:*")
