"""Everything at once: many conversations, workers that are killed again and again, providers that fail one time in ten."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Final

import pytest

from tests.support.whole import Person, Whole, answered_words, reply_id

SEED: Final = 20261122
CONVERSATIONS: Final = 60
TEXTS: Final = 5
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
    "anthropic": {"latency_seconds": [0, 0.4], "fail": [{"fault": "529", "rate": 0.05}, {"fault": "reset_before", "rate": 0.05}]},
}


@pytest.mark.timeout(90)
def test_a_storm_loses_nothing_doubles_nothing_unmarked_and_keeps_each_conversations_order(whole: Whole) -> None:
    """300 texts in 60 conversations; two workers, killed five times at random moments; each text is answered exactly once, in order."""
    dice = random.Random(SEED)  # noqa: S311 - dice, no secret
    whole.sandbox.knobs(**SHAKY)
    people = [whole.person() for _ in range(CONVERSATIONS)]
    crew = whole.fork(2)
    writing = threading.Thread(target=_write, args=(whole, people), daemon=True)
    writing.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.3, 1.2))  # the kill's moment is the dice's, not a condition's
        victim = dice.randrange(2)
        crew[victim].kill9()
        crew[victim] = whole.fork()[0]
    writing.join(30)
    assert not writing.is_alive()
    whole.quiet(45)
    for person in people:
        _assert_answered(whole, person)


def _write(whole: Whole, people: list[Person]) -> None:
    """Each person's texts, one after the other; all people at once."""
    for number in range(TEXTS):
        assert set(whole.texts(people, number)) == {OK}


def _assert_answered(whole: Whole, person: Person) -> None:
    """Each text in exactly one reply, replies in order, and a second copy only of what is marked."""
    replies = whole.replies(person)
    copies = Counter(reply_id(entry) for entry in replies)
    assert all(whole.marked(reply) for reply, count in copies.items() if count > 1), copies
    first = {reply_id(entry): entry for entry in reversed(replies)}
    in_order = sorted(first.values(), key=lambda entry: entry["seq"])
    assert answered_words(person, in_order) == [str(number) for number in range(TEXTS)]
