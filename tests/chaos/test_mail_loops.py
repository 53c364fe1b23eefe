"""Two copies of the product, and programs that answer whatever they get, for an hour: bounded, and nobody else is delayed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

import pytest

from shared.model.words import DEFAULT, WORDS
from supervisor_worker.assistant.notices import NOTICES
from tests.chaos.robots import BEGINNINGS, BOSSES, BOUNDS, GATES, THREAD_HOUR, Case, Loop, cases, echo, loops, sentences
from tests.chaos.steady_people import HOUR_SECONDS, Writers, judge_people, people
from tests.chaos.table import FULL, Table
from tests.support import mail_robots, text_robots
from tests.support.installation import JsonObject, reply_id
from tests.support.message_router import MessageRouter, ProductCopy, Robot, User
from tests.support.scheduler_lag import SchedulerLag

pytestmark = pytest.mark.timeout(600 if FULL else 120)
CALM_SECONDS: Final = 20 if FULL else 3
"""At least so long people write alone, to be compared with."""
START_SECONDS: Final = 10 if FULL else 3
"""For both web processes; where they need longer, the loops wait for the next hour."""
QUIET_SECONDS: Final = 40


def test_programs_that_answer_are_bounded_as_written_and_delay_nobody_else(table: Table) -> None:
    """Each robot gets at most what its bound says, from each copy; people are answered once, in order, and as fast as without them."""
    robots = cases()
    lag = SchedulerLag()
    with ExitStack() as stack:
        stack.enter_context(lag.watched())
        copies = {name: stack.enter_context(ProductCopy(name, users(name, robots), BOUNDS)) for name in BOSSES}
        for copy in copies.values():
            copy.fork()
            copy.sandbox.faults(anthropic={"latency_seconds": 0.1, "length": 3000, "match": "essay"})
        hour_ms = hour_that_begins(int(1000 * (time.time() + START_SECONDS + CALM_SECONDS)), 1000 * HOUR_SECONDS)
        for copy in copies.values():
            copy.open(hour_ms)
        writers = Writers(copies)
        with writers.writing():
            began = hour_after(time.time() + CALM_SECONDS, hour_ms)
            time.sleep(max(0.0, began - time.time()))
            router = run_loops(copies, robots, began + hour_ms / 1000)
        for copy in copies.values():
            copy.quiet(QUIET_SECONDS)
        with table.all_rows() as failures:
            failures.extend(judge_loops(table, copies, robots, router, began))
            failures.extend(judge_people(table, writers.said, copies, began, lag))


def users(copy: str, robots: Sequence[Case]) -> list[User]:
    """Everybody who is answered there."""
    found = [User(person.tag, (person.phone, BOSSES[copy][0]), (person.email, BOSSES[copy][1])) for person in people(copy)]
    wanted = {case.robot.address for case in robots if case.wanted}
    for number, loop in enumerate(each for each in loops(robots) if each.copy == copy):
        ends, name = (loop.address, loop.boss), f"robot{number}"
        user = User(name, emails=ends, robots=loop.address in wanted) if "@" in loop.address else User(name, phones=ends)
        found.append(user)
    return found


def hour_that_begins(at_ms: int, about_ms: int) -> int:
    """A length of about so many ms of which a multiple is just behind `at_ms`: hours are the clock's, and one is to begin then."""
    lengths = range(about_ms - about_ms // 200, about_ms + about_ms // 200)
    return min(lengths, key=lambda length: -at_ms % length)


def hour_after(at: float, hour_ms: int) -> float:
    """When the next hour begins after that (seconds of the epoch)."""
    return -(int(-1000 * at) // hour_ms) * hour_ms / 1000


def run_loops(copies: Mapping[str, ProductCopy], robots: Sequence[Case], until: float) -> MessageRouter:
    """Let all of them run, and their people begin anew now and then, until then."""
    by_address = {address: copies[name] for name in BOSSES for address in (*BOSSES[name], GATES[name])}
    firsts = [people(name)[0] for name in BOSSES]
    own = [Robot("a person's own", person.email, mail_robots.vacation) for person in firsts]
    own += [Robot("a person's own", person.phone, text_robots.carrier) for person in firsts]
    with MessageRouter(by_address, [*(case.robot for case in robots), *own], gateways=list(GATES.values())) as router:
        begun = [(number, loop) for number in range(1, BEGINNINGS + 1) for loop in loops(robots)]
        apart = (until - time.time()) / len(begun)
        for number, loop in begun:
            words = "essay" if loop.name == "text: MORE" else "where were we?"
            router.begin(loop.address, loop.boss, number, f"Question {number}: {words}")
            time.sleep(max(0.0, min(apart, until - time.time() - 0.3)))
    return router


def judge_loops(table: Table, copies: Mapping[str, ProductCopy], robots: Sequence[Case], router: MessageRouter, began: float) -> list[str]:
    """Enter what each robot was sent; return what exceeds its bound."""
    failures = []
    sent = {name: sent_by(copy, began) for name, copy in copies.items()}
    by_name: dict[str, list[Loop]] = defaultdict(list)
    for loop in loops(robots):
        by_name[loop.name].append(loop)
    for name, both in by_name.items():
        told = [sum(is_notice(entry) for entry in sent[loop.copy][loop.address]) for loop in both]
        answers = [len(sent[loop.copy][loop.address]) - notices for loop, notices in zip(both, told, strict=True)]
        # An answer that came late is no echo: what follows it is as if its person had begun anew.
        late = max(router.late[loop.copy, loop.address] for loop in both) if both[0].most is echo else 0
        most = both[0].most(BEGINNINGS + late)
        received = sum(router.posted[loop.copy, loop.address] for loop in both)
        table.add(fault=f"robot, {name}", runs=received, note=f"{max(answers)} answers of at most {most}, {max(told)} sentences")
        if max(answers) > most or min(answers) == 0 or max(told) > sentences(BEGINNINGS + late):
            failures.append(f"{name}: answers {answers}, at most {most}; sentences {told}")
    for name, copy in copies.items():
        threads = answers_by_thread(copy, [entry for entries in sent[name].values() for entry in entries])
        if threads and max(threads.values()) > THREAD_HOUR:
            failures.append(f"{name}: {threads.most_common(3)} answers in a thread")
    return failures


def sent_by(copy: ProductCopy, began: float) -> dict[str, list[JsonObject]]:
    """What a copy has sent since then, by whom it went to."""
    found: dict[str, list[JsonObject]] = defaultdict(list)
    for entry in copy.sandbox.journal("twilio.create,sendgrid.send", accepted=True):
        if entry["at"] >= began:
            found[entry["request"]["to"]].append(entry)
    return found


def is_notice(entry: JsonObject) -> bool:
    """Whether a message is one of our own sentences."""
    words = entry["request"].get("body") or entry["request"].get("text") or ""
    return " ".join(words.split()).startswith(tuple(WORDS[name][DEFAULT].partition("{")[0] for name in NOTICES))


def answers_by_thread(copy: ProductCopy, entries: Sequence[JsonObject]) -> Counter[str]:
    """How many of these mails answer something in each conversation."""
    conversations = {line.fields["reply"]: line.fields["conv"] for line in copy.all_lines("reply_stored")}
    mails = [entry for entry in entries if entry["kind"] == "sendgrid.send" and not is_notice(entry)]
    return Counter(conversations[reply_id(entry)] for entry in mails)
