"""Ten messages a second by webhook and by bridge, while a test takes something away; and a report of what became of them.

A webhook's sender repeats what was not taken, under the same id, as a provider or its proxy does. What was answered is
counted at the sandbox's journal, and over the bridge frame by frame.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from tests.support.installation import Installation
from tests.support.load_answers import Answers
from tests.support.load_client import LoadClient
from tests.support.load_lanes import RATE, Answer, Lane, Post, Sent, deliver

REPEAT_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 0.25
LANES_A_CONNECTION: Final = 3
SLOW_SECONDS: Final = 45
"""A backlog that takes longer than this is explained."""
SHOWN_TURNS: Final = 21
"""A conversation's history of 20 turns, and the one that is asked."""
AWAY: Final = "away"
"""The property under which a test leaves its report, as JSON, for the table at the end of the run."""


class Load:
    """All lanes at work, between `with` and `drain`. The soak overrides when messages are due, and how they are posted."""

    def __init__(self, installation: Installation, chosen: list[Lane], bridge_url: str = "", *, rate: float = RATE) -> None:
        """Nothing is sent yet; `rate` is in messages a second, all lanes together."""
        self.installation = installation
        self.lanes = chosen
        self.period = len(chosen) / rate
        self.began = 0.0
        self._answers = Answers(installation.sandbox, chosen)
        self._ending = threading.Event()
        self._given_up = threading.Event()
        spoken = [lane for lane in chosen if lane.by_bridge]
        groups = [spoken[start : start + LANES_A_CONNECTION] for start in range(0, len(spoken), LANES_A_CONNECTION)]
        self.callers = [LoadClient(bridge_url, f"load-{number}", group) for number, group in enumerate(groups)]
        self._threads = [threading.Thread(target=self._post_all, args=(lane,), daemon=True) for lane in chosen if not lane.by_bridge]
        self._threads.append(threading.Thread(target=self._call_all, daemon=True))

    def __enter__(self) -> Self:
        """Begin."""
        self.began = time.time()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the threads, whatever is still open."""
        self._ending.set()
        self._given_up.set()
        for thread in self._threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def sent(self) -> list[Sent]:
        """All messages so far."""
        return [sent for lane in self.lanes for sent in list(lane.sent)]

    def wait_for_answers_in_all_lanes(self, seconds: float = 30) -> None:
        """Wait until each lane's first message was answered."""
        found = self._look_until(lambda answers: all(lane.sent and answers.get(lane.sent[0]) for lane in self.lanes), seconds)
        assert found, "a lane got no answer before anything was taken away"

    def drain(self, seconds: float) -> None:
        """Send no more, and wait until everything was taken and ended, or the time is over: the report tells."""
        self._ending.set()
        self._look_until(lambda answers: self._all_over() and all(found or sent.refused for sent, found in answers.items()), seconds)
        self._given_up.set()

    def look(self) -> dict[Sent, list[Answer]]:
        """Each message's answers, as of now."""
        return self._answers.gather()

    def _look_until(self, enough: Callable[[dict[Sent, list[Answer]]], bool], seconds: float) -> bool:
        """Look now and then, for each look reads the whole journal; False when the time is over."""
        end = time.monotonic() + seconds
        while not (found := enough(self.look())) and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return found

    def _all_over(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def ending(self) -> bool:
        """Whether no message that is not yet due shall be sent any more."""
        return self._ending.is_set()

    def due_times(self, lane: Lane) -> Iterator[tuple[int, float]]:
        """A lane's next message and when it is due, again and again until it was sent, and until the load ends."""
        while True:
            due = self.began + lane.offset + len(lane.sent) * self.period
            if self.ending and due > time.time():
                return
            yield len(lane.sent), due

    def _post_all(self, lane: Lane) -> None:
        for number, due in self.due_times(lane):
            if due > time.time():
                self._ending.wait(due - time.time())
                continue
            sent = Sent(lane, number, due)
            lane.sent.append(sent)
            while not self.post(sent):
                if self._given_up.wait(REPEAT_SECONDS):
                    return
        lane.over = True

    def post(self, sent: Sent) -> bool:
        """One attempt; True when it was taken."""
        began, at = time.monotonic(), time.time()
        status = deliver(self.installation.sandbox, sent)["status"]
        post = Post(at, time.monotonic() - began, status)
        sent.posts.append(post)
        sent.taken_at = time.time() if post.taken else 0.0
        return post.taken

    def _call_all(self) -> None:
        async def call() -> None:
            running = [asyncio.create_task(load_client.run(self.due_times)) for load_client in self.callers]
            while not self._given_up.is_set():  # noqa: ASYNC110 - a thread's event
                await asyncio.sleep(0.05)
            for task in running:
                task.cancel()
            for result in await asyncio.gather(*running, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

        asyncio.run(call())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a load while `fault` lasted `seconds`. Times in seconds; webhooks are those from the fault on."""

    fault: str
    seconds: float
    messages: int
    lost: int
    twice: int
    marked: int
    out_of_order: int
    webhooks: int
    not_taken: int
    p50: float
    p99: float
    longest: float
    drained_after: float
    details: tuple[str, ...] = ()
    """What went wrong, message by message."""

    COLUMNS: ClassVar = (
        "fault",
        "seconds",
        "messages",
        "lost",
        "twice",
        "marked",
        "disorder",
        "webhooks",
        "not taken",
        "p50",
        "p99",
        "max",
        "drained",
    )

    @classmethod
    def head(cls) -> str:
        """The names of what `row` shows; p50, p99 and max are webhooks' in ms."""
        return _aligned(cls.COLUMNS)

    def row(self) -> str:
        """Its line of a table."""
        counts = (self.messages, self.lost, self.twice, self.marked, self.out_of_order, self.webhooks, self.not_taken)
        times = (f"{seconds * 1000:.0f}" for seconds in (self.p50, self.p99, self.longest))
        return _aligned((self.fault, f"{self.seconds:.1f}", *counts, *times, f"{self.drained_after:.1f} s"))


def _aligned(cells: Iterable[object]) -> str:
    first, *others = map(str, cells)
    return first.ljust(16) + "".join(cell.rjust(11) for cell in others)


def report(load: Load, fault: str, began: float, returned: float) -> Report:
    """Judge a load that has drained; `began` and `returned` are the fault's, in seconds of the epoch."""
    answers = load.look()
    copies = {sent: Counter(answer.identity for answer in found) for sent, found in answers.items()}
    twice = {sent for sent, count in copies.items() if count.total() > 1}
    marked = {
        sent
        for sent in twice
        if all(load.installation.marked(identity) for identity, number in copies[sent].items()) and len(copies[sent]) == 1
    }
    lost = [sent for sent, found in answers.items() if not found]
    faults = [seen for load_client in load.callers for seen in load_client.faults]
    disorder = [f"{lane.way} {lane.person.tag}: {places}" for lane in load.lanes if not in_order(lane, places := _places(lane, answers))]
    posts = [post for sent in answers for post in sent.posts if post.at >= began]
    taken = sorted(post.seconds for post in posts if post.taken) or [0.0]
    backlog = [(found[0].at, sent.identity, sent) for sent, found in answers.items() if found and sent.due <= returned]
    last_at, _, slowest = max(backlog)
    late = [_story(load, slowest, returned)] if last_at - returned > SLOW_SECONDS else []
    return Report(
        fault=fault,
        seconds=returned - began,
        messages=len(answers),
        lost=len(lost),
        twice=len(twice - marked) + len(faults),
        marked=len(marked),
        out_of_order=len(disorder),
        webhooks=len(posts),
        not_taken=sum(not post.taken for post in posts),
        p50=taken[len(taken) // 2],
        p99=taken[int(len(taken) * 0.99)],
        longest=taken[-1],
        drained_after=max(0.0, last_at - returned),
        details=(
            *(f"{_described(sent, [])}\n{_records(load, sent)}" for sent in lost),
            *(_described(sent, answers[sent]) for sent in twice - marked),
            *faults,
            *disorder,
            *late,
        ),
    )


def in_order(lane: Lane, places: list[int]) -> bool:
    """Whether answers stand in the order of their messages.

    Those over the bridge say how many turns Claude was shown, which is 21 at most: from there on they only must not fall.
    """
    known = [place for place in places if not (lane.by_bridge and place >= SHOWN_TURNS)]
    return places == sorted(places) and len(set(known)) == len(known)


def _places(lane: Lane, answers: dict[Sent, list[Answer]]) -> list[int]:
    """Where the first copies of a lane's answers stand, in the order of its messages."""
    return [found[0].place for sent in lane.sent if (found := answers[sent])]


def _story(load: Load, sent: Sent, returned: float) -> str:
    """What the ledger tells of the conversation that was answered last, in seconds after the return."""
    channel = "email" if "email" in sent.lane.way else "sms"
    lines = load.installation.lines(load.installation.conversation(sent.lane.person, channel))
    told = (f"{line.at_ms / 1000 - returned:.1f} {line.type}" for line in lines if line.at_ms / 1000 > sent.due - SLOW_SECONDS)
    return f"{sent.identity} was answered last: {', '.join(told)}"


def _records(load: Load, sent: Sent) -> str:
    """What is known of a message that was not answered: its conversation, that one's ledger, and what lies on the web host's disk."""
    running = load.installation
    conversation = running.conversation(sent.lane.person, "email" if "email" in sent.lane.way else "sms")
    lines = [f"{line.at_ms / 1000 - sent.due:.1f} {line.type} {line.fields}" for line in running.lines(conversation)]
    state = running.redis.hgetall(f"boss:conv:{conversation}")
    spool = Path(running.settings["BOSS_DATA_DIR"]) / "spool"
    on_disk = sorted(str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file())
    posts = [(round(post.at - sent.due, 2), round(post.seconds, 2), post.status) for post in sent.posts]
    return "\n  ".join([f"  posts {posts}", f"state {state}", f"disk {on_disk}", *lines, f"web {running.web.output[-8000:]}"])


def _described(sent: Sent, found: list[Answer]) -> str:
    tries = [post.status for post in sent.posts]
    return f"{sent.lane.way} {sent.identity}: taken {bool(sent.taken_at)}, refused {sent.refused!r}, webhooks {tries}, answers {found}"
