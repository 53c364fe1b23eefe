"""Claude answers while Redis is away: the answer was paid for, so it waits for Redis, and goes out as soon as that is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support.installation import Installation
from tests.support.outcome_check import Said, judge

PEOPLE: Final = 40 if FULL else 10
AWAY_SECONDS: Final[dict[str, float]] = {"full": 30 if FULL else 1, "killed": 30}
"""What a full server answers is an error, and at once; a dead one is asked again by redis-py for about ten seconds."""
SOON: Final = 10.0
"""A third of what a lease would have kept everybody waiting."""

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("how", list(AWAY_SECONDS) if FULL else ["full"])
def test_an_answer_that_comes_while_redis_is_away_is_asked_for_once_and_sent_when_it_is_back(table: Table, how: str) -> None:
    """Of texts and of mails, at the default times: nobody's turn is lost, and nobody waits for a lease to end."""
    fault = f"answers while redis is {how}"
    with Installation(times={}, WORKER_CONCURRENCY="200") as installation:
        installation.sandbox.faults(anthropic={"hold": True})
        installation.fork(2)
        people = [installation.person() for _ in range(PEOPLE)]
        mailing = people[::2]
        for person in people:
            (installation.mail if person in mailing else installation.text)(person, "word")
        for person in people:
            installation.wait_for_questions(person, seconds=60)
        with away(installation, how):
            installation.sandbox.faults(anthropic={"hold": False})
            time.sleep(AWAY_SECONDS[how])  # the outage itself, not a wait for anything
        back = time.monotonic()
        for person in people:
            installation.wait_for_replies(person, seconds=60, channel="email" if person in mailing else "sms")
        took = time.monotonic() - back
        installation.quiet(60)
        lost = [line.fields["conv"] for line in installation.all_lines("lease_lost")]
        asked = [len(installation.questions(person)) for person in people]
        seen = judge(installation, [Said(person, "email" if person in mailing else "sms", "word", fault) for person in people])[fault]
        table.add(
            fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, recoveries=[took], details=seen.details,
        )  # fmt: skip
    assert (lost, asked) == ([], [1] * PEOPLE)
    assert took < SOON


@contextmanager
def away(installation: Installation, how: str) -> Iterator[None]:
    """No write is taken meanwhile."""
    if how == "full":
        installation.redis.config_set("maxmemory", 1)
        yield
        installation.redis.config_set("maxmemory", "256mb")
    else:
        installation.server.kill9()
        yield
        installation.server.start()
