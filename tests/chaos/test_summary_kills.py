"""kill -9 of the worker that makes a summary: the next one makes it, nothing of the history is lost, and no reply waits for it.

`make chaos` strikes thirty times at each row, `make e2e` once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, cast

import pytest

from supervisor_worker.assistant.summary import INSTRUCTIONS
from tests.chaos.steps import TRUTHFUL
from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import FAST, Installation, JsonObject, Person
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.wait import wait_for

RUNS: Final = 30 if FULL else 1
WORKERS: Final = 4
AT_ONCE: Final = 8
EXCHANGES: Final = 13
"""More than a thousand tokens have room for; the newest ten are never summarised."""
PATIENCE: Final = 60
LATER_MS: Final = 3_600_000
ROWS: Final = {"source read, not asked": ("summary_source", 0), "answer read, not stored": ("store_summary", 1), "stored": ("", 0)}
"""The call before which the worker dies ("": after the summary is stored), and how many answers are paid for and not stored."""

pytestmark = pytest.mark.timeout(900 if FULL else 120)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Short histories, and a model that is given up soon."""
    with Installation({**FAST, "CLAUDE_TIMEOUT_SECONDS": "2"}, HISTORY_TOKENS="1000") as running:
        running.sandbox.faults(**TRUTHFUL)
        yield running


@pytest.fixture
def fault_plan(installation: Installation, tmp_path: Path) -> Iterator[FaultPlan]:
    """Workers that die as planned, and are replaced."""
    with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path)):
        yield FaultPlan(tmp_path)


def talk(installation: Installation, person: Person, numbers: range) -> None:
    """So many exchanges, one after the other."""
    for number in numbers:
        installation.text(person, f"thing {number}.")
        installation.wait_for_replies(person, number, seconds=PATIENCE)


def asked_for_notes(installation: Installation, person: Person) -> list[JsonObject]:
    """The questions for a person's summary."""
    entries = installation.sandbox.journal("anthropic.messages", contains=person.tag)
    return [entry for entry in entries if INSTRUCTIONS[:60] in str(entry["request"]["system"])]


def prepare(installation: Installation, person: Person) -> None:
    """A chat that has outgrown its bound; its summary waits until its turn comes."""
    talk(installation, person, range(1, EXCHANGES + 1))
    redis, conversation = installation.redis, installation.conversation(person)
    wait_for(lambda: redis.zscore("boss:summaries", conversation) is not None, PATIENCE, "the wish for a summary")
    redis.zadd("boss:summaries", {conversation: installation.now_ms() + LATER_MS})


def strike(installation: Installation, plans: FaultPlan, person: Person, row: str) -> list[str]:
    """One person's summary, whose maker dies at that row; what is not as promised."""
    redis: Any = installation.redis
    conversation, (moment, lost) = installation.conversation(person), ROWS[row]
    try:
        plans.kill(conversation, f"before:{moment}" if moment else "after:store_summary")
        for key in ("boss:summaries", "boss:conversations"):
            redis.zadd(key, {conversation: 0})
        plans.wait_for_hits(conversation, seconds=PATIENCE)
        talk(installation, person, range(EXCHANGES + 1, EXCHANGES + 2))  # nobody waits for it
        wait_for(lambda: made(redis, conversation), PATIENCE, "the summary", every=0.1)
        installation.quiet(PATIENCE)
        redis.zadd("boss:summaries", {conversation: installation.now_ms() + LATER_MS}, xx=True)
        talk(installation, person, range(EXCHANGES + 2, EXCHANGES + 3))
    except AssertionError as error:
        return [f"{row}, {person.tag}: {error}"]
    newest = str(installation.questions(person)[-1]["request"]["messages"])
    missing = [number for number in range(EXCHANGES - 8, EXCHANGES + 2) if person.says(f"thing {number}.") not in newest]
    asked, stored = len(asked_for_notes(installation, person)), len(installation.lines(conversation, "summary_stored"))
    found = {
        "lines that are shown no more": missing,
        "questions in vain": [asked - stored] if asked - stored != lost else [],
        "a reservation": [] if wait_for_settlement(redis) else ["is left"],
    }
    return [f"{row}, {person.tag}: {what}: {which}" for what, which in found.items() if which]


def made(redis: Any, conversation: str) -> bool:
    """Whether the summary is there; until then nothing was said in the conversation for a long time."""
    redis.zadd("boss:conversations", {conversation: 0}, xx=True)
    return bool(redis.hget(f"boss:summary:{conversation}", "text"))


def wait_for_settlement(redis: Any) -> bool:
    """Whether all that was reserved is settled."""
    return bool(wait_for(lambda: not cast("int", redis.zcard("boss:reserved")), PATIENCE, "the settlement"))


def test_a_kill_of_whoever_makes_a_summary_costs_at_most_one_answer_and_no_line(
    installation: Installation, fault_plan: FaultPlan, table: Table
) -> None:
    """Made once, shown with all that it does not cover; a message that comes meanwhile is answered meanwhile."""
    strikes = [(installation.person(), row) for _, row in itertools.product(range(RUNS), ROWS)]
    answers = [{"text": f"Notes of {person.tag}.", "match": INSTRUCTIONS[:60], "times": None} for person, _ in strikes[:1]]
    installation.sandbox.script(*answers)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda each: prepare(installation, each[0]), strikes))
    # One after the other: whoever dies with several in hand loses an answer of each.
    faults = [fault for person, row in strikes for fault in strike(installation, fault_plan, person, row)]
    with table.all_rows() as failures:
        for row in ROWS:
            mine = [fault for fault in faults if fault.startswith(f"{row}, ")]
            table.add(fault=f"summary, killed: {row}", runs=RUNS, lost=len(mine), details=mine)
        failures.extend(fault for fault in faults if not any(fault.startswith(f"{row}, ") for row in ROWS))
