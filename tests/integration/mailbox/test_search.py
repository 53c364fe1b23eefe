"""What is shown and found of a person's other conversations: their own, of their time, and nobody else's."""

from __future__ import annotations

from typing import Any

from shared.mailbox import calls
from shared.mailbox.calls import PersonMemory, SearchLook, SoughtWord
from shared.mailbox.records import Turn
from tests.support.mailbox_driver import C, MailboxDriver

OTHER, THIRD = "c-2", "c-3"
DAY = 86_400_000


def talked(driver: MailboxDriver, number: int, conv: str = C, body: str = "hello", *, user: str = "u-1") -> Turn:
    """A text from its acceptance to its answered end."""
    token = f"k{number}"
    driver.accept(f"m-{number}", conv=conv, user=user, body=body, pair=f"p-{conv}", sender=f"s-{user}")
    turn = claimed(driver, token, conv)
    assert driver.run(calls.finish(conv, token, retention_ms=30 * DAY)).outcome in ("empty", "more")
    driver.advance(1_000)
    return turn


def claimed(driver: MailboxDriver, token: str, conv: str = C) -> Turn:
    """A claim that is taken."""
    found = driver.claim(token, conv=conv)
    assert found.turn is not None, found.outcome
    return found.turn


def elsewhere(driver: MailboxDriver, turn: Turn, conv: str = C, said: int = 10_000) -> PersonMemory:
    return driver.run(calls.memory_of(turn.person, conv, facts_bytes=0, said_bytes=said))


def ids(memory: PersonMemory) -> list[str]:
    return [record.id for record in memory.elsewhere]


def look(driver: MailboxDriver, turn: Turn, *words: str, conv: str = "", epoch: str = "0", offset: int = 0, **more: Any) -> SearchLook:
    sought = [SoughtWord((word,), (word,)) for word in words]
    window = {"since_ms": 0, "till_ms": driver.now, **more}
    return driver.run(calls.search(turn.person, epoch, sought, conversation=conv, turn=turn.id, offset=offset, **window))


def test_a_question_knows_the_last_exchanges_of_the_persons_other_conversations(driver: MailboxDriver) -> None:
    """Not of the one that it is in, and a claim says whether there are any."""
    assert not talked(driver, 1).elsewhere
    assert not talked(driver, 2).elsewhere
    turn = talked(driver, 3, OTHER)
    assert turn.elsewhere
    assert ids(elsewhere(driver, turn, OTHER)) == ["m-2", "m-1"]
    assert ids(elsewhere(driver, turn, C)) == ["m-3"]
    assert ids(elsewhere(driver, turn, C, said=0)) == []
    assert ids(elsewhere(driver, turn, OTHER, said=1)) == ["m-2"]


def test_what_another_user_said_in_that_conversation_is_not_shown(driver: MailboxDriver) -> None:
    """A number may have changed hands: the conversation is the same, its words are the other's."""
    talked(driver, 1, OTHER, user="u-2")
    turn = talked(driver, 2, OTHER)
    assert ids(elsewhere(driver, turn)) == ["m-2"]


def test_what_is_older_than_two_weeks_or_before_a_new_chat_is_not_shown(driver: MailboxDriver) -> None:
    """A claim says so, too."""
    talked(driver, 1, OTHER)
    driver.advance(10 * DAY)
    turn = talked(driver, 2, OTHER)
    driver.advance(5 * DAY)
    assert ids(elsewhere(driver, turn)) == ["m-2"]
    driver.redis.rpush(f"boss:history:{OTHER}", "b:r-new")
    driver.redis.hset(f"boss:conv:{OTHER}", "begins", "r-new")
    assert ids(elsewhere(driver, turn)) == []
    driver.advance(10 * DAY)
    driver.accept("m-3")
    assert not claimed(driver, "k3").elsewhere


def test_what_an_older_version_left_is_listed_when_the_person_is_met_first(driver: MailboxDriver) -> None:
    """It kept no list of conversations; what was answered of the newest messages makes it."""
    turn = talked(driver, 1, OTHER)
    driver.redis.delete(f"boss:talks:{turn.person}")
    driver.accept("m-2")
    assert claimed(driver, "k2").elsewhere
    assert ids(elsewhere(driver, turn)) == ["m-1"]


def test_an_erased_person_has_no_conversations_and_nothing_is_found_of_them(driver: MailboxDriver) -> None:
    """Also by who still holds a lease of before."""
    talked(driver, 1, OTHER, "my dentist")
    turn = talked(driver, 2, OTHER)
    assert look(driver, turn, "dentist").found == (("m-1", 1),)
    driver.run(calls.erase_begin("u-1"))
    assert ids(elsewhere(driver, turn)) == []
    assert look(driver, turn, "dentist").found == ()


def test_a_search_finds_words_in_all_conversations_of_the_person_and_in_nobody_elses(driver: MailboxDriver) -> None:
    """Newest first, each with how many of the words it says; of one conversation alone where that is asked."""
    talked(driver, 1, C, "The DENTIST is on Elm St")
    talked(driver, 2, OTHER, "the dentist moved to Oak St")
    talked(driver, 3, THIRD, "dentist", user="u-2")
    turn = talked(driver, 4, C, "nothing of that kind")
    assert look(driver, turn, "dentist").found == (("m-2", 1), ("m-1", 1))
    assert look(driver, turn, "dentist", "elm").found == (("m-2", 1), ("m-1", 2))
    assert look(driver, turn, "dentist", conv=C).found == (("m-1", 1),)
    assert look(driver, turn, "dentist", conv=THIRD).found == ()
    assert [name for name, _ in look(driver, turn).found] == ["m-2", "m-1"]


def test_a_search_finds_what_says_as_many_of_the_words_as_are_asked_for(driver: MailboxDriver) -> None:
    """Also where a record has more of them in its names than in its text."""
    talked(driver, 1, C, "the dentist is on Elm St")
    talked(driver, 2, C, "the dentist moved")
    turn = talked(driver, 3, OTHER)
    assert look(driver, turn, "dentist", "elm", least=2).found == (("m-1", 2),)
    assert look(driver, turn, "dentist", "provider_id", least=2).found == ()


def test_a_search_finds_no_names_of_records_and_not_the_turn_that_asks(driver: MailboxDriver) -> None:
    """A word is looked for in what was said, and not in the JSON around it."""
    turn = talked(driver, 1, C, "the message")
    other = talked(driver, 2, C, "something else")
    assert look(driver, other, "message").found == (("m-1", 1),)
    assert look(driver, other, "sms_received", "provider_id").found == ()
    assert look(driver, turn, "message").found == ()


def test_a_search_is_of_a_time_and_goes_on_where_a_look_ended(driver: MailboxDriver) -> None:
    """One look is bounded: by messages, and by what they say."""
    began = driver.now
    for number in range(1, 6):
        turn = talked(driver, number, C, "x" * 100_000 + f" dentist {number}")
    assert look(driver, turn, "dentist", since_ms=began + 500, till_ms=began + 2_500).found == (("m-3", 1), ("m-2", 1))
    first = look(driver, turn, "dentist")
    assert (first.looked, first.next) == (4, 4)
    rest = look(driver, turn, "dentist", offset=4)
    assert ([name for name, _ in (*first.found, *rest.found)], rest.next) == (["m-4", "m-3", "m-2", "m-1"], None)


def test_an_answer_is_searched_with_its_message(driver: MailboxDriver) -> None:
    """And a command is no message of a person's to be found."""
    driver.accept("m-1", body="when?")
    person = claimed(driver, "k1").person
    driver.store("k1", "At noon")
    asking = Turn("t-9", (), person=person)
    assert look(driver, asking, "noon").found == (("m-1", 1),)
    driver.redis.hset("boss:msg:m-1", "command", "status")
    assert look(driver, asking, "noon").found == ()
