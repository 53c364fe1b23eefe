"""What code answers: an inbox of its own, served under the same lease and before the first, whatever holds that."""

from __future__ import annotations

from shared.mailbox import calls
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, LIFE

HOUR, DAY = 3_600_000, 86_400_000


def served(driver: MailboxDriver, token: str, answers: str = "status", **more: object) -> list[str]:
    """A command's turn, to its end: the messages that it was of."""
    found = driver.taken(token)
    assert driver.store(token, "an answer", answers=answers, attempt=f"a-{token}", **more).outcome == "stored"  # type: ignore[arg-type]
    driver.outcome(token, f"a-{token}", "accepted", f"SM-{token}", token=token)
    return found


def answered(driver: MailboxDriver, token: str, text: str = "an answer", rest: str = "") -> list[str]:
    """An ordinary turn, to its end."""
    found = driver.taken(token)
    driver.store(token, text, attempt=f"a-{token}", rest=rest)
    driver.outcome(token, f"a-{token}", "accepted", f"SM-{token}", token=token)
    return found


def test_a_command_stands_in_an_inbox_of_its_own(driver: MailboxDriver) -> None:
    """It joins no other message, and touches neither not-before nor agenda of the first."""
    driver.accept("m-1", settle=500)
    before = (driver.due(), driver.not_before())
    driver.accept("m-2", command="status", settle=500)
    assert (driver.inbox(), driver.priority()) == (["m-1"], ["m-2"])
    assert (driver.due(), driver.not_before()) == before
    assert driver.priority_due() == 1_000
    assert driver.lines("sms_received")[-1]["command"] == "status"


def test_a_command_is_served_while_the_first_inbox_backs_off(driver: MailboxDriver) -> None:
    """At once; and the wait of what backs off stays what it was."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.backoff("k1", 60_000)
    driver.accept("m-2", command="status")
    assert served(driver, "k2") == ["m-2"]
    assert (driver.due(), driver.not_before(), driver.priority_due()) == (60_000, 60_000, None)
    assert driver.claim("k3").outcome == "early"
    driver.advance(60_000)
    assert driver.taken("k4") == ["m-1"]


def test_a_command_is_served_while_its_first_message_settles(driver: MailboxDriver) -> None:
    """And that is looked at when it has settled, not a second later."""
    driver.accept("m-1", settle=500)
    driver.accept("m-2", command="status")
    assert served(driver, "k1") == ["m-2"]
    assert driver.due() == 500


def test_a_command_that_comes_during_a_turn_is_served_right_after_it(driver: MailboxDriver) -> None:
    """Also where that turn ends in a back-off: it waits at most for the request under way."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2", command="status")
    assert driver.claim("k2").outcome == "held"
    assert driver.priority_due() == LEASE
    driver.redis.delete(f"boss:wake:{C}")
    assert driver.backoff("k1", 60_000).outcome == "more"
    assert driver.redis.exists(f"boss:wake:{C}")
    assert driver.taken("k3") == ["m-2"]


def test_a_command_is_answered_over_every_bound(driver: MailboxDriver) -> None:
    """The day's tokens are used up, the rate is reached, the sender has its share of turns: none of them concerns it."""
    driver.accept("m-0", conv="c-2")
    assert driver.claim("k0", conv="c-2", share=1).outcome == "taken"
    driver.accept("m-1", limit=2)
    assert driver.accept("m-2", kind="mail", limit=2).reason == "rate_limited"
    assert driver.accept("m-3", command="status", limit=2, daily=0).outcome == "accepted"
    found = driver.claim("k1", share=1, day_tokens=10, amount=5)
    assert found.turn is not None
    assert ([message.id for message in found.turn.messages], found.reserved) == (["m-3"], 0)
    assert driver.redis.zcard("boss:busy:s-1") == 1
    driver.renew("k1")
    assert driver.redis.zcard("boss:busy:s-1") == 1
    assert (driver.priority_due(), driver.due()) == (LEASE, 1_000)
    driver.store("k1", answers="status", attempt="a1")
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert driver.claim("k2", share=1).outcome == "busy"
    assert driver.spent().get("turns") is None


def test_an_hour_has_sixty_commands_of_one_sender_s(driver: MailboxDriver) -> None:
    """A robot may know the words, and no turn's bound counts them."""
    verdicts = [driver.accept(f"m-{n}", command="status", pair=f"p-{n}").reason for n in range(62)]
    assert verdicts == [""] * 60 + ["rate_limited"] * 2


def test_the_bound_of_commands_ends(driver: MailboxDriver) -> None:
    """An hour after the first of them."""
    driver.accept("m-1", command="status")
    driver.accept("m-2", command="status")
    assert 0 < driver.ttl("boss:commands:s-1") <= HOUR


def test_a_renewed_command_moves_its_own_agenda(driver: MailboxDriver) -> None:
    """The first inbox is looked at when it is due."""
    driver.accept("m-1", command="status")
    driver.taken("k1")
    driver.advance(1_000)
    driver.renew("k1")
    assert (driver.due(), driver.priority_due()) == (None, LEASE)


def test_a_clock_that_goes_back_delays_no_command(driver: MailboxDriver) -> None:
    """What was to be looked at later still is, by as much less."""
    driver.accept("m-1", command="status")
    driver.look()
    driver.advance(-600_000)
    driver.look()
    assert driver.priority_due() is not None
    assert driver.priority_due() <= 10_000  # type: ignore[operator]


def test_a_stored_reply_goes_out_before_a_command(driver: MailboxDriver) -> None:
    """Its messages came first, and its request may be under way; its wait is kept, for the command goes by the same provider."""
    driver.to_sending()
    driver.outcome("k1", "a1", "unknown")
    driver.backoff("k1", 20_000)
    driver.accept("m-2", command="status")
    assert driver.claim("k2").outcome == "early"
    assert (driver.due(), driver.priority_due()) == (20_000, 20_000)
    driver.advance(20_000)
    found = driver.claim("k3")
    assert found.turn is not None
    assert found.turn.reply is not None
    driver.outcome("k1", "a1", "accepted", "SM1", token="k3")
    assert driver.taken("k4") == ["m-2"]


def test_a_command_s_back_off_is_its_own(driver: MailboxDriver) -> None:
    """Its reply is stored: it is resumed when its wait is over, and the first inbox's longer wait is left as it is."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.backoff("k1", 60_000)
    driver.accept("m-2", command="status")
    driver.taken("k2")
    driver.store("k2", answers="status")
    driver.backoff("k2", 5_000)
    assert driver.not_before() == 60_000
    assert driver.claim("k3").outcome == "early"
    driver.advance(5_000)
    assert driver.taken("k4") == ["m-2"]
    driver.park("k4")
    assert driver.not_before() == 55_000


def test_a_command_whose_worker_died_is_served_again(driver: MailboxDriver) -> None:
    """One lost lease; from the second on it waits, and holds up nobody: the first inbox is served meanwhile."""
    driver.accept("m-1", command="status")
    driver.accept("m-2")
    for n in (1, 2):
        assert driver.taken(f"k{n}") == ["m-1"]
        driver.advance(LEASE + 1)
    assert driver.taken("k3") == ["m-2"]
    assert driver.counts("m-1") == (0, 2)
    driver.finish("k3")
    driver.advance(LEASE)
    assert served(driver, "k4") == ["m-1"]


def test_commands_are_served_in_their_order_one_a_turn(driver: MailboxDriver) -> None:
    """They coalesce with nothing."""
    for n in (1, 2, 3):
        driver.accept(f"m-{n}", command="status")
    assert [served(driver, f"k{n}") for n in (1, 2, 3)] == [["m-1"], ["m-2"], ["m-3"]]
    assert driver.priority_due() is None
    assert driver.claim("k4").outcome == "empty"


def test_a_pause_and_an_opt_out_hold_a_command_like_any_message(driver: MailboxDriver) -> None:
    """Nothing is sent to who does not want it, nor while nothing is sent."""
    driver.accept("m-1", command="status")
    driver.pause()
    assert driver.claim("k1").outcome == "paused"
    driver.resume()
    driver.taken("k2")
    driver.run_opt_out(PAIR)
    stored = driver.store("k2", answers="status", attempt="a1")
    assert stored.permit is not None
    assert (stored.permit.outcome, driver.state("m-1")) == ("opted_out", "ignored(opted_out)")
    assert driver.accept("m-2", command="status").reason == "opted_out"


def test_a_trial_of_claude_goes_past_the_commands(driver: MailboxDriver) -> None:
    """A command cannot show that Claude takes our key again; a pause that waited for it would never end."""
    driver.accept("m-1")
    driver.alarm(provider="claude", sure=True)
    driver.accept("m-2", command="status")
    driver.advance(10 * 60_000)
    assert driver.taken("k1") == ["m-1"]


def test_a_command_that_an_older_version_has_ended_is_not_answered_again(driver: MailboxDriver) -> None:
    """It resumes a stored reply and closes the turn, and knows one inbox to take its message out of."""
    driver.accept("m-1", command="status")
    driver.accept("m-2", command="status")
    driver.redis.hset("boss:msg:m-1", "state", "answered")
    assert driver.claim("k1").outcome == "empty"
    assert driver.priority() == ["m-2"]
    assert driver.taken("k2") == ["m-2"]


def test_the_sweep_wakes_for_commands_too(driver: MailboxDriver) -> None:
    """Their agenda is their own: an older version, which knows one inbox, cannot take them off it."""
    driver.accept("m-1", command="status")
    driver.redis.zrem("boss:due", C)
    driver.advance(1_000)
    assert driver.look() == [C]
    assert driver.priority_due() is not None
    assert driver.priority_due() > 0  # type: ignore[operator]


def test_what_a_dead_process_held_of_commands_is_due_at_once(driver: MailboxDriver) -> None:
    """As it is with every turn."""
    driver.accept("m-1", command="status")
    driver.look()
    assert driver.claim("k1", process="w-1", life=LIFE).outcome == "taken"
    driver.watch(3 * LIFE, "w-2")
    assert driver.priority_due() is not None
    assert driver.priority_due() <= LIFE  # type: ignore[operator]
    assert driver.claim("k2", process="w-2", life=LIFE).outcome == "taken"


def test_a_retried_command_stands_among_the_commands(driver: MailboxDriver) -> None:
    """Not among what the model is asked about."""
    driver.accept("m-1", command="status")
    driver.taken("k1")
    driver.park("k1")
    driver.run(calls.retry("m-1", "o-1"))
    assert (driver.inbox(), driver.priority()) == ([], ["m-1"])


def test_a_word_that_our_question_named_is_an_answer(driver: MailboxDriver) -> None:
    """Until we have said something else."""
    driver.accept("m-1")
    answered(driver, "k1", "It is done. Shall I tell you the status, or more?")
    driver.accept("m-2", command="status")
    assert (driver.inbox(), driver.priority()) == (["m-2"], [])
    driver.accept("m-3", command="help")
    assert driver.priority() == ["m-3"]
    served(driver, "k2", "help")
    driver.accept("m-4", command="status")
    assert driver.priority() == ["m-4"]


def test_more_is_a_command_while_the_newest_answer_was_cut(driver: MailboxDriver) -> None:
    """For a day, until something else was said; what it asks for is the answer's next part, and after the last there is no more."""
    driver.accept("m-1", command="more")
    assert driver.inbox() == ["m-1"]
    answered(driver, "k1", "part one", rest="part two, part three")
    for n, rest in ((2, "part three"), (3, "")):
        driver.accept(f"m-{n}", command="more")
        assert driver.priority() == [f"m-{n}"]
        record = driver.box.message(f"m-{n}")
        assert record is not None
        assert record.rest == f"r-k{n - 1}"
        served(driver, f"k{n}", "more", rest=rest)
        assert driver.reply(f"k{n - 1}").next == f"r-k{n}"
    driver.accept("m-4", command="more")
    assert driver.priority() == ["m-4"]
    served(driver, "k4", "more")
    driver.advance(DAY + 1)
    driver.accept("m-5", command="more")
    assert (driver.inbox(), driver.priority()) == (["m-5"], [])


def test_more_brings_the_rest_also_where_the_part_before_it_asks_who_wants_more(driver: MailboxDriver) -> None:
    """The last line of a cut answer says so; the question has not been asked to its end."""
    driver.accept("m-1")
    answered(driver, "k1", "Do you want more of these?", rest="part two")
    driver.accept("m-2", command="more")
    assert (driver.inbox(), driver.priority()) == ([], ["m-2"])
    served(driver, "k2", "more")
    driver.accept("m-3", command="more")
    assert (driver.inbox(), driver.priority()) == ([], ["m-3"])


def test_more_is_none_after_something_else_was_said(driver: MailboxDriver) -> None:
    """Whatever the person has said since, that is what "more" is about; also before it is answered."""
    driver.accept("m-1")
    answered(driver, "k1", "part one", rest="part two")
    driver.accept("m-2")
    driver.accept("m-3", command="more")
    assert (driver.inbox(), driver.priority()) == (["m-2", "m-3"], [])


def test_more_is_none_after_a_new_chat(driver: MailboxDriver) -> None:
    """What was said is not spoken of any more."""
    driver.accept("m-1")
    answered(driver, "k1", "part one", rest="part two")
    driver.accept("m-2", command="new")
    served(driver, "k2", "new")
    driver.accept("m-3", command="more")
    assert driver.priority() == []


def test_a_status_between_leaves_the_rest_of_an_answer(driver: MailboxDriver) -> None:
    """It says nothing else."""
    driver.accept("m-1")
    answered(driver, "k1", "part one", rest="part two")
    driver.accept("m-2", command="status")
    served(driver, "k2")
    driver.accept("m-3", command="more")
    assert driver.priority() == ["m-3"]


def history(driver: MailboxDriver, token: str) -> list[str]:
    """The ids of what a turn is shown of what was said before."""
    found = driver.claim(token)
    assert found.turn is not None
    driver.store(token, attempt=f"a-{token}")
    driver.outcome(token, f"a-{token}", "accepted", f"SM-{token}", token=token)
    return [record.id for record in found.turn.history]


def test_a_new_chat_begins_behind_what_was_said(driver: MailboxDriver) -> None:
    """Nothing is deleted: within an hour "back" returns to it, once; later the word is an ordinary one."""
    driver.accept("m-1")
    assert history(driver, "k1") == []
    driver.accept("m-2", command="new")
    driver.taken("k2")
    driver.store("k2", answers="new")
    driver.store("k2", answers="new", attempt="a2")  # a repeat, which asks for a permit
    driver.outcome("k2", "a2", "accepted", "SM2", token="k2")
    assert len(driver.lines("chat_began")) == 1
    driver.accept("m-3")
    assert history(driver, "k3") == ["m-2", "r-k2"]
    driver.advance(HOUR)
    driver.accept("m-4", command="back")
    assert driver.priority() == ["m-4"]
    served(driver, "k4", "back")
    driver.accept("m-5")
    assert history(driver, "k5") == ["m-1", "r-k1", "m-2", "r-k2", "m-3", "r-k3", "m-4", "r-k4"]
    driver.accept("m-6", command="back")
    assert driver.inbox() == ["m-6"]


def test_back_is_an_ordinary_word_an_hour_after_the_new_chat(driver: MailboxDriver) -> None:
    """And before any."""
    driver.accept("m-1", command="back")
    assert driver.inbox() == ["m-1"]
    answered(driver, "k1")
    driver.accept("m-2", command="new")
    served(driver, "k2", "new")
    driver.advance(HOUR + 1)
    driver.accept("m-3", command="back")
    assert driver.inbox() == ["m-3"]


def test_an_erased_person_s_chat_leaves_nothing(driver: MailboxDriver) -> None:
    """Neither a command that waits nor the place at which a chat began."""
    driver.accept("m-1", command="new")
    served(driver, "k1", "new")
    driver.accept("m-2", command="status")
    driver.run(calls.erase(C, ["m-1", "m-2", "t-k1", "r-k1"]))
    assert driver.priority_due() is None
    assert not list(driver.redis.scan_iter("boss:priority*")) + list(driver.redis.scan_iter("boss:history:*"))
    assert not driver.redis.exists(f"boss:conv:{C}")


def test_an_erased_person_s_chat_leaves_no_place_in_a_conversation_that_goes_on(driver: MailboxDriver) -> None:
    """With somebody else's message, or one of their own of later: it begins nowhere, and nothing is known of what was said."""
    driver.accept("m-1", command="new")
    served(driver, "k1", "new")
    driver.accept("m-2", user="u-2")
    driver.run(calls.erase(C, ["m-1", "t-k1", "r-k1"]))
    assert driver.redis.lrange(f"boss:history:{C}", 0, -1) == []
    assert driver.redis.hmget(f"boss:conv:{C}", "begins", "said", "heard", "said_at") == [None] * 4
    assert driver.inbox() == ["m-2"]
