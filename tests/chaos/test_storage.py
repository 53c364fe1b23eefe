"""The server forgets its scripts, has no memory left, or is killed: every text is taken, and answered once, in order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.mailbox.wake_queue import Dispatcher
from tests.chaos.table import Table
from tests.support.installation import Installation, Person, in_threads, reply_id
from tests.support.rq_enqueue import wake
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
PEOPLE = 12
TEXTS = 4
OK = 200


def test_script_flush_at_any_time_loses_nothing(installation: Installation, table: Table) -> None:
    """The server forgets all scripts, over and over, while texts come in and are answered."""
    installation.fork(2)
    people = [installation.person() for _ in range(PEOPLE)]
    with _over_and_over(installation.redis.script_flush):
        for number in range(TEXTS):
            assert set(installation.texts(people, number)) == {OK}
        installation.quiet()
    _judge(installation, table, "redis forgets its scripts", {person: [str(number) for number in range(TEXTS)] for person in people})


@pytest.mark.parametrize("fate", ["lost", "doubled"])
def test_lost_and_doubled_jobs_cost_only_time(installation: Installation, fate: str, table: Table) -> None:
    """RQ's queue vanishes over and over, or every conversation is woken again and again: each text is answered once all the same."""
    installation.fork(2)
    people = [installation.person() for _ in range(PEOPLE)]
    conversations = [installation.conversation(person) for person in people]
    dispatcher = Dispatcher(installation.redis)

    def disturb() -> None:
        if fate == "lost":
            installation.redis.delete(dispatcher.queue.key)
        else:
            for conversation in conversations:
                wake(dispatcher, conversation, "sms")

    with _over_and_over(disturb):
        for number in range(TEXTS):
            assert set(installation.texts(people, number)) == {OK}
    installation.quiet()
    _judge(installation, table, f"jobs {fate}", {person: [str(number) for number in range(TEXTS)] for person in people})
    for person in people:
        assert len(installation.questions(person)) == len(installation.replies(person)), "something was thought twice"


def test_at_maxmemory_texts_wait_on_disk_and_are_answered_in_order(installation: Installation, table: Table) -> None:
    """Memory ends while texts come in: each gets its 2xx, and its answer once there is memory again; a repeat changes nothing."""
    people = [installation.person() for _ in range(PEOPLE)]
    installation.redis.config_set("maxmemory", int(installation.redis.info("memory")["used_memory"]) + 200_000)
    texts, statuses = list[tuple[Person, str]](), list[int | None]()
    for number in range(60):
        batch = [(person, f"{number} {'x' * 1400}") for person in people]
        texts += batch
        statuses += in_threads(lambda item: installation.text(*item, message_sid=_sid(*item))["status"], batch)
        if _on_disk(installation) > 2 * PEOPLE:
            break
    assert _on_disk(installation), "the limit was not reached"
    assert set(statuses) == {OK}
    installation.redis.config_set("maxmemory", "256mb")
    installation.fork(2)
    _nothing_on_disk(installation)
    again = in_threads(lambda item: installation.text(*item, message_sid=_sid(*item))["status"], texts)
    assert set(again) == {OK}
    installation.quiet()
    assert installation.redis.info("stats")["evicted_keys"] == 0
    written = {person: [word for writer, word in texts if writer == person] for person in people}
    _enter(installation, table, "redis at its memory limit, a flood", written, {person: _asked(installation, person) for person in people})
    for person in people:
        assert len(installation.replies(person)) == len(installation.questions(person))


@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_a_server_in_trouble_under_load_loses_no_text(installation: Installation, trouble: str, table: Table) -> None:
    """Killed or standing still in the midst of webhooks and turns: each text gets its 2xx meanwhile, and one answer, in its place."""
    installation.fork(2)
    people = [installation.person() for _ in range(PEOPLE)]
    halfway, statuses = threading.Event(), dict[tuple[Person, int], int | None]()

    def write(person: Person) -> None:
        for number in range(TEXTS * 2):
            statuses[person, number] = installation.text(person, number)["status"]
            if number == TEXTS:
                halfway.set()

    writers = [threading.Thread(target=write, args=(person,), daemon=True) for person in people]
    for writer in writers:
        writer.start()
    assert halfway.wait(20)
    if trouble == "killed":
        installation.server.kill9()
    else:
        installation.server.freeze()
    assert installation.text(people[0], "meanwhile")["status"] == OK
    if trouble == "killed":
        installation.server.start()
    else:
        installation.server.thaw()
    for writer in writers:
        writer.join(40)
    assert set(statuses.values()) == {OK}
    assert set(installation.texts(people, "after")) == {OK}
    _nothing_on_disk(installation)
    installation.quiet()
    # Where "meanwhile" stands among the others is not known: it has a place of its own.
    written = {person: [*(str(number) for number in range(TEXTS * 2)), "after"] for person in people}
    assert installation.assert_one_copy(people[0]).count("meanwhile") == 1
    answered = {person: [word for word in installation.answered(person) if word != "meanwhile"] for person in people}
    _enter(installation, table, f"redis {trouble} in a rush", written, answered)


def _judge(installation: Installation, table: Table, fault: str, written: dict[Person, list[str]]) -> None:
    _enter(installation, table, fault, written, {person: installation.answered(person) for person in written})


def _enter(
    installation: Installation, table: Table, fault: str, written: dict[Person, list[str]], answered: dict[Person, list[str]]
) -> None:
    """Compare what was written with what was answered, each person's in order, and count replies that came twice."""
    copies = [count - 1 for person in written for count in Counter(reply_id(entry) for entry in installation.replies(person)).values()]
    repeated = sum(len(words) - len(set(words)) for words in answered.values())
    table.add(
        fault=fault,
        runs=1,
        lost=sum(len(set(words) - set(answered[person])) for person, words in written.items()),
        duplicates=max(sum(copies), repeated),
        disorder=sum(list(dict.fromkeys(answered[person])) != words for person, words in written.items()),
        details=[f"{person.tag}: {answered[person]}" for person, words in written.items() if answered[person] != words],
    )


@contextmanager
def _over_and_over(work: object) -> Iterator[None]:
    """Do something all the time beside the body, and at least once."""
    assert callable(work)
    stop, done = threading.Event(), threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            work()
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
        assert done.wait(5)
    finally:
        stop.set()
        thread.join(5)


def _on_disk(installation: Installation) -> int:
    """How many texts wait in the web process's spool."""
    return len(list(Path(installation.settings["BOSS_DATA_DIR"]).glob("spool/waiting/*.json")))


def _nothing_on_disk(installation: Installation) -> None:
    wait_for(lambda: not _on_disk(installation), 20, "an empty spool")


def _sid(person: Person, word: str) -> str:
    return "SM" + f"{int(person.tag[1:]):016x}" + f"{int(word.partition(' ')[0]):016x}"


def _asked(installation: Installation, person: Person) -> list[str]:
    """The words that Claude was asked about, in order; a long one is echoed only in its beginning."""
    return [word for entry in installation.questions(person) for word in person.words(entry["request"]["text"])]
