"""A worker that stands still longer than its lease, and comes back in the middle of another's turn: it changes nothing.

Five workers freeze, each at another step of a turn of its own; others take the conversations over and answer; then the frozen
ones go on where they were, while the next turn of each conversation is under way.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.plans import Plans
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
MOMENTS = ("before:store_reply", "after:store_reply", "before:outcome", "after:outcome")


def test_a_frozen_worker_that_comes_back_changes_nothing(whole: Whole, tmp_path: Path) -> None:
    """Every script that it calls refuses it: nothing is sent twice, and the turn that runs now is not closed under its holder."""
    plans = Plans(tmp_path)
    whole.sandbox.knobs(twilio={"status_callbacks": False})
    frozen = whole.fork(len(MOMENTS), CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1")
    people = [whole.person() for _ in MOMENTS]
    conversations = [whole.conversation(person) for person in people]
    for conversation, moment in zip(conversations, MOMENTS, strict=True):
        plans.freeze(conversation, moment)
    whole.texts(people, 1)
    for conversation in conversations:
        plans.wait_for_hits(conversation)
    whole.fork()
    _all(people, whole.wait_for_replies)
    whole.quiet()
    whole.sandbox.knobs(anthropic={"latency_seconds": 1.5})
    whole.texts(people, 2)
    _all(people, lambda person: whole.wait_for_questions(person, 3 if person is people[0] else 2))
    for worker in frozen:
        os.kill(worker.pid, signal.SIGCONT)
    for conversation in conversations:
        plans.wait_past(conversation)
    for worker in frozen:
        os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: not any(worker.alive for worker in frozen), 10, "the thawed workers' end")
    whole.quiet()
    assert {person.tag: whole.assert_one_copy(person) for person in people} == {person.tag: ["1", "2"] for person in people}


def _all(people: list[Person], work: Callable[[Person], object]) -> None:
    for person in people:
        work(person)
