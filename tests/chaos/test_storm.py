"""Everything at once: many conversations, workers that are killed again and again, providers that fail one time in ten."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Final

import pytest

from tests.support.whole import Person, Whole, answered_words, reply_id, root_id

SEED: Final = 20261122
CONVERSATIONS: Final = 60
TEXTS: Final = 5
THREADS: Final = 10
MAILS: Final = 3
KILLS: Final = 5
OK: Final = 200
SHAKY: Final = {
    "twilio": {
        "latency_seconds": [0, 0.1],
        "fail": [
            {"fault": "503", "rate": 0.03},
            {"fault": "reset_after_accept", "rate": 0.03},
            {"fault": "500", "accept": True, "rate": 0.02},
            {"fault": "reset_before", "rate": 0.02},
        ],
    },
    "sendgrid": {"latency_seconds": [0, 0.1], "fail": [{"fault": "503", "rate": 0.05}, {"fault": "reset_after_accept", "rate": 0.05}]},
    "anthropic": {"latency_seconds": [0, 0.4], "fail": [{"fault": "529", "rate": 0.05}, {"fault": "reset_before", "rate": 0.05}]},
}


@pytest.mark.timeout(90)
def test_a_storm_loses_nothing_doubles_nothing_unmarked_and_keeps_each_conversations_order(whole: Whole) -> None:
    """300 texts in 60 conversations and 30 mails in 10 threads; two workers, killed five times at random moments."""
    dice = random.Random(SEED)  # noqa: S311 - dice, no secret
    whole.sandbox.knobs(**SHAKY)
    people = [whole.person() for _ in range(CONVERSATIONS)]
    mailers = [whole.person() for _ in range(THREADS)]
    crew = whole.fork(2)
    writing = [threading.Thread(target=work, args=(whole, group), daemon=True) for work, group in ((_write, people), (_mail, mailers))]
    for writer in writing:
        writer.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.3, 1.2))  # the kill's moment is the dice's, not a condition's
        victim = dice.randrange(2)
        crew[victim].kill9()
        crew[victim] = whole.fork()[0]
    for writer in writing:
        writer.join(30)
        assert not writer.is_alive()
    whole.quiet(45)
    for person in people:
        _assert_answered(whole, person, "sms", TEXTS)
    for person in mailers:
        _assert_answered(whole, person, "email", MAILS)


def _write(whole: Whole, people: list[Person]) -> None:
    """Each person's texts, one after the other; all people at once."""
    for number in range(TEXTS):
        assert set(whole.texts(people, number)) == {OK}


def _mail(whole: Whole, people: list[Person]) -> None:
    """Each person's mails, all in the thread of the first."""
    for number in range(MAILS):
        for person in people:
            thread = {"message_id": f"<{number}-{person.tag}@mail.example.com>", "references": root_id(person)} if number else {}
            assert whole.mail(person, number, **thread)["status"] == OK


def _assert_answered(whole: Whole, person: Person, channel: str, count: int) -> None:
    """Each message in exactly one reply, replies in order, and a second copy only of what is marked."""
    replies = whole.replies(person, channel)
    copies = Counter(reply_id(entry) for entry in replies)
    assert all(whole.marked(reply) for reply, count in copies.items() if count > 1), copies
    first = {reply_id(entry): entry for entry in reversed(replies)}
    in_order = sorted(first.values(), key=lambda entry: entry["seq"])
    assert answered_words(person, in_order) == [str(number) for number in range(count)]
