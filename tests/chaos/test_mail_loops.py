"""Two copies of the product and a dozen programs that answer each other, for an hour: bounded, and nobody else is delayed."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest

from supervisor_worker.assistant.notices import NOTICES
from tests.chaos.table import FULL, Table
from tests.support import mail_robots, text_robots
from tests.support.installation import JsonObject, Person, answered_words, reply_id, root_id
from tests.support.message_router import MessageRouter, ProductCopy, Robot, User

pytestmark = pytest.mark.timeout(600 if FULL else 120)
HOUR_SECONDS: Final = 180 if FULL else 9
"""A twentieth, and in the short form a four-hundredth."""
CALM_SECONDS: Final = 20 if FULL else 3
"""At least so long people write alone, to be compared with."""
START_SECONDS: Final = 5
BEGINNINGS: Final = 12 if FULL else 4
"""How often in the hour the person behind each robot, or its owner, begins anew."""
PEOPLE: Final = 10 if FULL else 3
"""Of each copy; each of them writes as much in an hour as its bounds allow with some room."""
TEXTS_EACH, MAILS_EACH = (36, 10) if FULL else (8, 5)
QUIET_SECONDS: Final = 40
OK: Final = 200

BOSSES: Final = {"a": ("+15559870001", "boss@a.example"), "b": ("+15559870002", "boss@b.example")}
GATES: Final = {"a": "gate@a.example", "b": "gate@b.example"}
"""Where a gateway takes away what says that a program wrote a mail."""


@dataclass(frozen=True, slots=True)
class Case:
    """A robot, and what is written of it: at most so many messages of ours in an hour, after so many beginnings."""

    robot: Robot
    most: Callable[[int], int]
    wanted: bool = False
    """Its entry says `robots = "answer"`."""


def known(beginnings: int) -> int:
    """A program that is known as one: its person is answered, and it is not."""
    return beginnings


def echo(beginnings: int) -> int:
    """The beginning and two more are answered, the third that comes back is told, the rest is not answered."""
    return 4 * beginnings


def mail_hour(beginnings: int) -> int:
    """MAIL_TURNS_PER_HOUR, and its sentence."""
    del beginnings
    return 30 + 1


def text_hour(beginnings: int) -> int:
    """SENDER_TURNS_PER_HOUR, and its sentence."""
    del beginnings
    return 60 + 1


def command_hour(beginnings: int) -> int:
    """The same, and as many commands."""
    return text_hour(beginnings) + 60


THREAD_HOUR: Final = 12
"""THREAD_TURNS_PER_HOUR."""


def cases() -> list[Case]:
    """All of them, at addresses of their own."""
    subscribers = [email for _, email in BOSSES.values()]
    lists = {
        "mailing list": (mail_robots.mailing_list(subscribers, marked=True, kept=False), known, False),
        "mailing list, answered": (mail_robots.mailing_list(subscribers, marked=True, kept=True), known, True),
        "mailing list, answered, without our headers": (mail_robots.mailing_list(subscribers, marked=True, kept=False), mail_hour, True),
        "alias list without any header": (mail_robots.mailing_list(subscribers, marked=False, kept=False), mail_hour, False),
    }
    mails = {
        "vacation responder": (mail_robots.vacation, known, False),
        "vacation responder, answered": (mail_robots.vacation, known, True),
        "Exchange's answer without headers": (mail_robots.exchange, known, False),
        "responder, always the same words": (mail_robots.fixed_words, echo, False),
        "responder, a number in each": (mail_robots.changing_words, mail_hour, False),
        "bounces": (mail_robots.bounce, known, False),
        "bounces, answered": (mail_robots.bounce, known, True),
        "bounces in a person's name": (mail_robots.plain_bounce, mail_hour, False),
        "ticket system": (mail_robots.ticket, mail_hour, False),
        "ticket system, a new one for each mail": (mail_robots.new_ticket, mail_hour, True),
        **lists,
    }
    texts = {
        "carrier's answer": (text_robots.carrier, known, False),
        "phone, always the same words": (text_robots.fixed_words, echo, False),
        "phone, a number in each": (text_robots.changing_words, text_hour, False),
        "commands in turn": (text_robots.commands, command_hour, False),
        "MORE": (text_robots.more, command_hour, False),
        "reactions": (text_robots.reactions, known, False),
        "reactions in unknown words": (text_robots.foreign_reactions, text_hour, False),
    }
    found = [
        Case(Robot(f"mail: {name}", f"robot{number}@r{number}.example", answer), most, wanted)
        for number, (name, (answer, most, wanted)) in enumerate(mails.items())
    ]
    found += [
        Case(Robot(f"text: {name}", f"+1555300{number:04}", answer), most, wanted)
        for number, (name, (answer, most, wanted)) in enumerate(texts.items())
    ]
    return found


@dataclass(frozen=True, slots=True)
class Loop:
    """One robot and one copy: who writes to which of its addresses, and the most that the copy may send there in the hour."""

    name: str
    copy: str
    address: str
    boss: str
    most: Callable[[int], int]


def loops(robots: Sequence[Case]) -> list[Loop]:
    """Each robot with each copy, and the copies with each other."""
    found = [
        Loop(case.robot.name, copy, case.robot.address, BOSSES[copy][case.robot.mails], case.most) for case in robots for copy in BOSSES
    ]
    for copy, other in (("a", "b"), ("b", "a")):
        found += [
            Loop("text: two copies", copy, BOSSES[other][0], BOSSES[copy][0], text_hour),
            Loop("mail: two copies", copy, BOSSES[other][1], BOSSES[copy][1], known),
            Loop("mail: two copies, without their headers", copy, GATES[other], GATES[copy], mail_hour),
        ]
    return found


def people(copy: str) -> list[Person]:
    """The people of a copy; the tags are those of `Installation`."""
    place = 100 * list(BOSSES).index(copy)
    numbers = range(place + 1, place + PEOPLE + 1)
    return [Person(f"u{number:04}", f"+1555200{number:04}", f"u{number:04}@example.com") for number in numbers]


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


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a person's: when it was posted."""

    copy: str
    person: Person
    channel: str
    word: str
    at: float


@dataclass(slots=True)
class Writers:
    """The people of the copies, who write at a steady rate between `with`."""

    copies: Mapping[str, ProductCopy]
    said: list[Said] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Each person in each channel, beside the body."""
        over = threading.Event()
        rates = {"sms": HOUR_SECONDS / TEXTS_EACH, "email": HOUR_SECONDS / MAILS_EACH}
        threads = [
            threading.Thread(target=self._write, args=(copy, person, channel, seconds, over), daemon=True)
            for copy in BOSSES
            for person in people(copy)
            for channel, seconds in rates.items()
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.03)  # not all in the same moment
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
        if self.errors:
            raise self.errors[0]

    def _write(self, copy: str, person: Person, channel: str, seconds: float, over: threading.Event) -> None:
        try:
            for number in itertools.count():
                at = time.time()
                assert self._send(self.copies[copy], copy, person, channel, number) == OK
                self.said.append(Said(copy, person, channel, f"{channel}{number}", at))
                if over.wait(max(0.0, at + seconds - time.time())):
                    return
        except BaseException as error:  # noqa: BLE001 - raised above
            self.errors.append(error)

    @staticmethod
    def _send(installation: ProductCopy, copy: str, person: Person, channel: str, number: int) -> int | None:
        phone, email = BOSSES[copy]
        status: int | None
        if channel == "sms":
            status = installation.text(person, f"sms{number}", to=phone)["status"]
        else:
            thread = {"message_id": f"<{number}-{person.tag}@mail.example.com>", "references": root_id(person)} if number else {}
            status = installation.mail(person, f"email{number}", to=email, **thread)["status"]
        return status


def test_programs_that_answer_are_bounded_as_written_and_delay_nobody_else(table: Table) -> None:
    """Each robot gets at most what its bound says, from each copy; people are answered once, in order, and as fast as without them."""
    robots = cases()
    about_ms = 1000 * HOUR_SECONDS
    hour_ms = hour_that_begins(int(1000 * (time.time() + START_SECONDS + CALM_SECONDS)), about_ms)
    with ExitStack() as stack:
        copies = {name: stack.enter_context(ProductCopy(name, users(name, robots), hour_ms)) for name in BOSSES}
        for copy in copies.values():
            copy.fork()
            copy.sandbox.faults(anthropic={"latency_seconds": 0.1, "length": 3000, "match": "essay"})
        writers = Writers(copies)
        with writers.writing():
            began = hour_after(time.time() + CALM_SECONDS, hour_ms)
            time.sleep(max(0.0, began - time.time()))
            router = run_loops(copies, robots, began + hour_ms / 1000)
        for copy in copies.values():
            copy.quiet(QUIET_SECONDS)
        with table.all_rows() as failures:
            failures.extend(judge_loops(table, copies, robots, router.posted, began))
            failures.extend(judge_people(table, writers.said, copies, began))


def hour_after(at: float, hour_ms: int) -> float:
    """When the next hour begins after that (seconds of the epoch)."""
    return -(int(-1000 * at) // hour_ms) * hour_ms / 1000


def run_loops(copies: Mapping[str, ProductCopy], robots: Sequence[Case], until: float) -> MessageRouter:
    """Let all of them run, and their people begin anew now and then, until then."""
    by_address = {address: copies[name] for name in BOSSES for address in (*BOSSES[name], GATES[name])}
    firsts = [people(name)[0] for name in BOSSES]
    own = [Robot("a person's own", person.email, mail_robots.vacation) for person in firsts]
    own += [Robot("a person's own", person.phone, text_robots.reactions) for person in firsts]
    with MessageRouter(by_address, [*(case.robot for case in robots), *own], gateways=list(GATES.values())) as router:
        apart = (until - time.time()) / BEGINNINGS
        for number in range(1, BEGINNINGS + 1):
            for loop in loops(robots):
                words = "essay" if loop.name == "text: MORE" else "where were we?"
                router.begin(loop.address, loop.boss, number, f"Question {number}: {words}")
            time.sleep(max(0.0, min(apart, until - time.time() - 0.3)))
    return router


def judge_loops(
    table: Table, copies: Mapping[str, ProductCopy], robots: Sequence[Case], posted: Counter[tuple[str, str]], began: float
) -> list[str]:
    """Enter what each robot was sent; return what exceeds its bound."""
    failures = []
    sent = {name: sent_by(copy, began) for name, copy in copies.items()}
    by_name: dict[str, list[Loop]] = defaultdict(list)
    for loop in loops(robots):
        by_name[loop.name].append(loop)
    for name, both in by_name.items():
        counts = [len(sent[loop.copy][loop.address]) for loop in both]
        told = max(sum(is_notice(entry) for entry in sent[loop.copy][loop.address]) for loop in both)
        most = both[0].most(BEGINNINGS)
        received = sum(posted[loop.copy, loop.address] for loop in both)
        table.add(fault=f"robot, {name}", runs=received, note=f"sent {max(counts)} of at most {most}, {told} of them sentences")
        if max(counts) > most or min(counts) == 0:
            failures.append(f"{name}: sent {counts}, at most {most}")
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
    return words.startswith(tuple(NOTICES.values()))


def answers_by_thread(copy: ProductCopy, entries: Sequence[JsonObject]) -> Counter[str]:
    """How many of these mails answer something in each conversation."""
    conversations = {line.fields["reply"]: line.fields["conv"] for line in copy.all_lines("reply_stored")}
    mails = [entry for entry in entries if entry["kind"] == "sendgrid.send" and not is_notice(entry)]
    return Counter(conversations[reply_id(entry)] for entry in mails)


def judge_people(table: Table, said: Sequence[Said], copies: Mapping[str, ProductCopy], began: float) -> list[str]:
    """Enter how people were answered, alone and beside the robots; return what is late."""
    answered: dict[tuple[str, str, str], float] = {}
    lost = duplicates = disorder = 0
    for name, copy in copies.items():
        for person in people(name):
            for channel in ("sms", "email"):
                entries = copy.replies(person, channel)
                words = answered_words(person, entries)
                written = [one.word for one in said if one.person == person and one.channel == channel]
                lost += len(set(written) - set(words))
                duplicates += len(words) - len(set(words))
                disorder += [word for word in written if word in words] != list(dict.fromkeys(words))
                answered |= {(person.tag, channel, word): entry["at"] for entry in entries for word in answered_words(person, [entry])}
    times = {one: answered[key] - one.at for one in said if (key := (one.person.tag, one.channel, one.word)) in answered}
    alone = [seconds for one, seconds in times.items() if one.at < began]
    beside = [seconds for one, seconds in times.items() if one.at >= began]
    before, during = worst_but_one_in_a_hundred(alone), worst_but_one_in_a_hundred(beside)
    table.add(
        fault="people beside the robots", runs=len(beside), lost=lost, duplicates=duplicates, disorder=disorder, recoveries=beside,
        note=f"p99 {during:.2f} s, alone {before:.2f} s; median {statistics.median(beside):.2f} s, alone {statistics.median(alone):.2f} s",
    )  # fmt: skip
    return [f"p99 {during:.2f} s beside the robots, {before:.2f} s alone"] if during > 2 * before else []


def worst_but_one_in_a_hundred(seconds: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[(99 * len(seconds) - 1) // 100]
