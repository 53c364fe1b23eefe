"""Whose a record is: the pair whose opt-out is asked for, the user whose words are shown, and what is erased of them."""

from __future__ import annotations

from shared.mailbox import calls
from tests.integration.mailbox_desk import PAIR, C, Desk


def forget_conversation(desk: Desk) -> None:
    """Its record goes after the retention, while a parked message stays."""
    desk.redis.delete(f"boss:conv:{C}")


def to_leave(desk: Desk, token: str = "k2") -> str:  # noqa: S107 - a lease's
    """A turn from its claim to the verdict on its first attempt."""
    desk.taken(token)
    assert desk.store(token).outcome == "stored"
    return desk.sending(token, f"a-{token}").outcome


def test_a_parked_text_that_outlived_its_conversation_hears_a_stop(desk: Desk) -> None:
    """The user said STOP meanwhile; a retry by the operator does not reach them."""
    desk.to_parked()
    forget_conversation(desk)
    desk.accept("m-2", keyword="stop")
    assert desk.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert to_leave(desk) == "opted_out"
    assert desk.state("m-1") == "ignored(opted_out)"


def test_a_parked_text_of_an_older_version_gets_its_pair_from_its_event(desk: Desk) -> None:
    """Its record does not say whose it is; the command that retries it knows its text."""
    desk.to_parked()
    desk.redis.hdel("boss:msg:m-1", "pair", "sender", "user")
    forget_conversation(desk)
    desk.run(calls.opt_out(PAIR, out=True))
    assert desk.run(calls.retry("m-1", "o-1", pair=PAIR, sender="s-1", user="u-1")).outcome == "done"
    assert to_leave(desk) == "opted_out"


def test_no_leave_is_given_for_a_reply_whose_pair_nobody_knows(desk: Desk) -> None:
    """Whether its user said STOP cannot be known."""
    desk.to_parked()
    desk.redis.hdel("boss:msg:m-1", "pair", "sender", "user")
    forget_conversation(desk)
    assert desk.run(calls.retry("m-1", "o-1")).outcome == "done"
    assert to_leave(desk) == "no_pair"
    assert desk.reply("k2").attempts == ()


def test_a_repeated_leave_without_a_pair_is_lost(desk: Desk) -> None:
    """The first was given when the pair was known."""
    desk.to_sending()
    desk.redis.hdel("boss:reply:r-k1", "pair")
    desk.redis.hdel(f"boss:conv:{C}", "pair")
    assert desk.sending("k1", "a1").outcome == "lost"


def test_an_opt_out_is_asked_for_the_reply_s_own_pair(desk: Desk) -> None:
    """Whatever became of the conversation's record."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.redis.hdel(f"boss:conv:{C}", "pair")
    desk.run(calls.opt_out(PAIR, out=True))
    assert desk.sending("k1", "a1").outcome == "opted_out"


def test_a_user_s_word_counts_when_no_record_of_the_reply_is_left(desk: Desk) -> None:
    """A spam report may come months later. It names the pair; one without it says nothing."""
    desk.status("SM1", "", "k1", "a1", opt="out", report="o-1")
    assert not desk.redis.keys("boss:optout:*")
    desk.status("SM1", "", "k1", "a1", opt="out", report="o-2", pair=PAIR)
    assert desk.redis.exists(f"boss:optout:{PAIR}")
    desk.run(calls.opt_out(PAIR, out=False))
    desk.status("SM1", "", "k1", "a1", opt="out", report="o-2", pair=PAIR)
    assert not desk.redis.exists(f"boss:optout:{PAIR}")


def test_who_gets_a_number_does_not_get_what_was_said_before(desk: Desk) -> None:
    """Neither the former user's words nor the answers to them; their own they get."""
    for number, user in enumerate(("u-1", "u-2", "u-2")):
        desk.accept(f"m-{number}", user=user)
        turn = desk.claim(f"k{number}").turn
        assert turn is not None
        assert [said.id for said in turn.history] == (["m-1", "r-k1"] if number == 2 else [])
        desk.store(f"k{number}")
        desk.finish(f"k{number}")


def test_texts_of_two_users_of_one_number_are_two_turns(desk: Desk) -> None:
    """The operator gave the number away while a text of the former user waited."""
    desk.accept("m-1", user="u-1")
    desk.accept("m-2", user="u-2")
    assert desk.taken("k1") == ["m-1"]
    desk.finish("k1")
    assert desk.taken("k2") == ["m-2"]


def test_a_notice_is_of_the_user_whom_it_is_about(desk: Desk) -> None:
    """So that it is judged, and erased, with what it is about."""
    desk.accept("m-1", user="u-7")
    desk.taken("k1")
    desk.park("k1", notice="error")
    assert desk.redis.hmget("boss:msg:n-1", ["kind", "user", "pair", "sender"]) == [b"notice", b"u-7", PAIR.encode(), b"s-1"]


def test_erasing_fences_out_the_holder(desk: Desk) -> None:
    """Whoever works on what is erased stores nothing, sends nothing and ends nothing any more."""
    desk.accept("m-1")
    desk.accept("m-2", user="u-2")
    assert desk.taken("k1") == ["m-1"]
    assert desk.run(calls.erase(C, ["m-1", "t-k1"])) == 1
    assert desk.store("k1").outcome == "lost"
    assert desk.sending("k1", "a1").outcome == "lost"
    assert desk.renew("k1") == 0
    assert desk.backoff("k1").outcome == "lost"
    assert desk.finish("k1").outcome == "lost"
    assert (desk.state("m-1"), desk.inbox(), desk.due()) == ("", ["m-2"], 0)
    desk.run(calls.erase(C, ["m-2"]))
    assert not desk.redis.keys(f"boss:*{C}*")


def test_erasing_one_user_leaves_the_other_s_messages(desk: Desk) -> None:
    """They are answered as if nothing had been; the other's turn under way goes on."""
    desk.accept("m-1", user="u-1")
    desk.accept("m-2", user="u-2")
    assert desk.run(calls.erase(C, ["m-1"])) == 0
    assert desk.taken("k1") == ["m-2"]
    desk.accept("m-3", user="u-1")
    assert desk.run(calls.erase(C, ["m-3"])) == 0
    assert desk.store("k1").outcome == "stored"
    assert desk.finish("k1").outcome == "empty"
    assert desk.state("m-2") == "answered"


def test_what_is_erased_is_in_no_list_any_more(desk: Desk) -> None:
    """Parked, recent, open, told elsewhere, history: nothing names it."""
    desk.to_parked()
    desk.accept("m-2")
    desk.taken("k2")
    desk.store("k2")
    desk.sending("k2", "a1")
    desk.outcome("k2", "a1", "accepted", "SM1", token="k2")
    desk.status("SM1", "undelivered", "k2", "a1")
    assert desk.untold() == ["r-k2"]
    desk.redis.zadd("boss:unsettled", {"r-k2": 0})
    desk.run(calls.erase(C, ["m-1", "t-k1", "m-2", "t-k2", "r-k2"]))
    for key in ("boss:parked", "boss:recent", "boss:open", "boss:untold", "boss:unsettled", f"boss:unsure:{C}", "boss:due"):
        assert desk.redis.zcard(key) == 0, key
    assert desk.redis.llen(f"boss:history:{C}") == 0
    assert [line["n"] for line in desk.lines("erased")] == ["5"]


def test_an_outcome_that_comes_after_an_erasure_brings_nothing_back(desk: Desk) -> None:
    """The request had left; what the provider answers is no record any more."""
    desk.to_sending()
    desk.run(calls.erase(C, ["m-1", "t-k1", "r-k1"]))
    assert desk.outcome("k1", "a1", "accepted", "SM1", token="k1").state is None
    desk.status("SM1", "delivered", "k1", "a1")
    assert not desk.redis.keys("boss:reply:*")
    assert not desk.redis.keys("boss:msg:*")
