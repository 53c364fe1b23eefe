"""The steps of a turn at which a process dies or freezes, and what a conversation lives through that is struck at them."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.chaos.table import Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person, root_id
from tests.support.outcome_check import Death, Said, asked_again, judge, recoveries
from tests.support.scheduler_lag import SchedulerLag
from tests.support.wait import wait_for

LEASE: Final = 3
GRACE: Final = 2.0
PATIENCE: Final = 40
"""Seconds after which a conversation is given up, unless a test says otherwise."""
UNKNOWN: Final = ("reply stored, permit given", "request under way", "answered, not recorded")
"""The steps after which an attempt's outcome is not known."""
SEED: Final = 20261122
OK: Final = 200
BETWEEN: Final = 0.5
"""Seconds between two texts of somebody who is struck by nothing."""
BOTH: Final = ("sms", "email")
LATENCY: Final = {"latency_seconds": 0.25}
"""So that a request can be met under way; the providers act at once and answer that much later."""
TRUTHFUL: Final = {
    "anthropic": LATENCY,
    "twilio": {**LATENCY, "status_callbacks": False, "list_lag_seconds": 0.25},
    "sendgrid": {**LATENCY, "event_delay_seconds": 0.25},
}
"""Twilio's list alone tells what became of a text, 5 s late by the scale of the lease; SendGrid's event tells it of a mail."""
BLANK: Final = {
    "anthropic": LATENCY,
    "twilio": {**LATENCY, "status_callbacks": False, "list_lag_seconds": 3600},
    "sendgrid": {**LATENCY, "events": False},
}
"""Nothing tells what became of an attempt."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a turn; `plan` is what happens there, `{}` the signal that strikes.

    `stored`: Claude's answer is stored by then, and is not asked for again.
    """

    name: str
    plan: tuple[str, ...]
    channels: tuple[str, ...] = BOTH
    stored: bool = False


STEPS: Final = (
    Step("RQ's job taken", ("{} after:take",)),
    Step("before claim", ("{} before:claim",)),
    Step("after claim", ("{} after:claim",)),
    Step("Claude thinks", ("{} during:think",)),
    Step("before the reply is stored", ("{} before:store_reply",)),
    Step("reply stored, permit given", ("{} after:store_reply",), stored=True),
    Step("request about to leave", ("{} before:send",), stored=True),
    Step("request under way", ("{} during:send",), stored=True),
    Step("answered, not recorded", ("{} before:outcome",), stored=True),
    Step("finished, RQ not told", ("{} after:outcome",), stored=True),
    Step("in the look-up", ("SIGKILL during:send", "{} during:find"), ("sms",), stored=True),
    # A mail with two attempts of unknown outcome is set aside: SendGrid has no list that could tell of either.
    Step("permit given again", ("SIGKILL after:store_reply", "{} after:sending"), ("sms",), stored=True),
)
SWEEP: Final = (Step("in the sweep", ("{} after:sweep",), ("sms",)),)
"""For itself, because whoever dies there takes the wake-ups of others along."""
AFTER_SIGTERM: Final = (
    Step("SIGTERM, turn not given up", ("SIGTERM during:think", "{} before:backoff")),
    Step("SIGTERM, turn given up", ("SIGTERM during:think", "{} after:backoff")),
    Step("SIGTERM, job not given back", ("SIGTERM after:take", "{} before:give_back")),
    Step("SIGTERM, job given back", ("SIGTERM after:take", "{} after:give_back")),
)


def _share(runs: int, number: int, step: Step, channel: str) -> int:
    """How many of the strikes at a step are in a channel; an odd one goes to one channel at one step and to the other at the next."""
    if channel not in step.channels:
        return 0
    each, odd = divmod(runs, len(step.channels))
    return each + (odd if step.channels[number % len(step.channels)] == channel else 0)


def _fault(name: str, step: Step) -> str:
    return f"{name}: {step.name}"


class Strikes:
    """Strikes conversations at steps, and tells the table what came of it.

    Each step is one message, the strike, a second message before the recovery, and the wait until both are dealt with. With
    `thaw`, who was struck was frozen, and goes on while the second message's turn is under way. A conversation that does not come
    through ends the strikes; what had been said by then is judged all the same.
    """

    def __init__(
        self, installation: Installation, fault_plan: FaultPlan, *, thaw: bool = False, most: float = LEASE + GRACE,
        most_asked: float = LEASE + GRACE, patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        """`most` seconds until the next line are promised, `most_asked` where a request had left."""
        self._installation, self._plans, self._thaw = installation, fault_plan, thaw
        self._most, self._most_asked, self._patience = most, most_asked, patience
        self._lateness = SchedulerLag()
        self._said: list[Said] = []
        self._deaths: list[Death] = []
        self._faults: dict[str, Step] = {}
        self._broken: list[str] = []
        self._beside: list[Death] = []
        self._signal = "SIGSTOP" if thaw else "SIGKILL"

    def run(self, name: str, steps: Sequence[Step], *, runs: int, conversations: int, at_once: int) -> None:
        """Strike `runs` times at each step, half of the times in texts and half in mails where there are both.

        So many `conversations` live through it, `at_once` of them at a time.
        """
        dice = random.Random(SEED)  # noqa: S311 - dice, no secret
        dealt: dict[tuple[Person, str], list[Step]] = {}
        for channel in BOTH:
            mine = [step for number, step in enumerate(steps) for _ in range(_share(runs, number, step, channel))]
            dice.shuffle(mine)
            people = [self._installation.person() for _ in range(min(conversations // 2, len(mine)))]
            dealt |= {(person, channel): mine[place :: len(people)] for place, person in enumerate(people)}
        self._faults |= {_fault(name, step): step for step in steps}
        with self._lateness.watched():
            with self._somebody_else(), ThreadPoolExecutor(at_once) as pool:
                for done in [pool.submit(self._lives_through, name, *key, its_steps) for key, its_steps in dealt.items()]:
                    done.result()
            if not self._broken:
                self._installation.quiet(self._patience)
        self._beside = [Death(name, conversation, at_ms) for conversation, at_ms in self._plans.swept()]

    @contextmanager
    def _somebody_else(self) -> Iterator[None]:
        """Somebody else who writes all the while, and is struck by nothing.

        What proves that an attempt was not taken is a list that shows what came after it: the last conversations would have no such proof.
        """
        person, over = self._installation.person(), threading.Event()

        def write() -> None:
            for number in itertools.count():
                if over.wait(BETWEEN):
                    return
                self._installation.text(person, f"else {number}")

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                yield
            finally:
                over.set()
            writing.result()

    def _lives_through(self, name: str, person: Person, channel: str, steps: Sequence[Step]) -> None:
        """One conversation through all its strikes."""
        conversation, numbers = self._installation.conversation(person, channel), itertools.count()
        for step in steps:
            if self._broken:
                return
            try:
                self._live(person, channel, conversation, step, numbers, _fault(name, step))
            except AssertionError as error:
                self._broken.append(f"{_fault(name, step)}, {person.tag} {channel}: {error}\n{self._told(conversation)}")

    def _told(self, conversation: str) -> str:
        """What the ledger tells of a conversation, and what its record says now."""
        lines = [f"  {line.at_ms} {line.type} {line.fields}" for line in self._installation.lines(conversation)[-40:]]
        return "\n".join([*lines, f"  {self._installation.now_ms()} {self._installation.redis.hgetall(f'boss:conv:{conversation}')}"])

    def _live(self, person: Person, channel: str, conversation: str, step: Step, numbers: Iterator[int], fault: str) -> None:  # noqa: PLR0917
        """One strike."""
        self._plans.set(conversation, *(line.format(self._signal) for line in step.plan))
        self._say(person, channel, next(numbers), fault)
        hits = self._plans.wait_for_hits(conversation, len(step.plan), self._patience)
        self._deaths += [Death(fault, conversation, hit.at_ms) for hit in hits if hit.signal != "SIGTERM"]
        if self._thaw:
            self._wait_until_dealt_with(conversation)
        self._say(person, channel, next(numbers), fault)
        if self._thaw:
            self._plans.thaw(conversation)
        self._wait_until_dealt_with(conversation)

    def _say(self, person: Person, channel: str, number: int, fault: str) -> None:
        self._said.append(Said(person, channel, str(number), fault))
        if channel == "sms":
            status = self._installation.text(person, number)["status"]
        else:
            thread = {"message_id": f"<{number}-{person.tag}@mail.example.com>", "references": root_id(person)} if number else {}
            status = self._installation.mail(person, number, **thread)["status"]
        assert status == OK

    def _wait_until_dealt_with(self, conversation: str) -> None:
        wait_for(lambda: self._installation.redis.zscore("boss:due", conversation) is None, self._patience, "its end", every=0.1)

    def enter(self, table: Table, *, most_marked: int = 0) -> None:
        """Enter a row for each step, and only then fail if one is not as promised: `most_marked` second copies a strike, or none."""
        seen, times = judge(self._installation, self._said), recoveries(self._installation, self._beside + self._deaths)
        runs, again = Counter(death.fault for death in self._deaths), asked_again(self._installation, self._said)
        with table.all_rows() as failures:
            for fault, step in self._faults.items():
                of = seen[fault]
                excused = min(of.marked, most_marked * runs[fault])  # where a look could tell, its mark excuses no second copy
                table.add(
                    fault=fault, runs=runs[fault], lost=of.lost, duplicates=of.duplicates + of.marked - excused, disorder=of.disorder,
                    marked=excused, recoveries=[seconds for death, seconds in times if death.fault == fault], details=of.details,
                )  # fmt: skip
                if step.stored and again[fault]:
                    failures.append(f"{fault}: Claude was asked again in {again[fault]} cases")
            failures.extend(self._too_late(times) + self._broken)

    def _too_late(self, times: list[tuple[Death, float]]) -> list[str]:
        """The recoveries that took longer than is promised, on a machine that is as late as this one was just then."""
        bounds = [
            self._bound(death.fault) + self._lateness.between(death.at_ms / 1000, death.at_ms / 1000 + seconds) for death, seconds in times
        ]
        return [
            f"{death}: {seconds:.2f} s, at most {bound:.2f} s"
            for (death, seconds), bound in zip(times, bounds, strict=True)
            if seconds > bound
        ]

    def _bound(self, fault: str) -> float:
        step = self._faults.get(fault)
        asked = step is not None and (step.name in UNKNOWN or (len(step.plan) > 1 and step.stored))
        return self._most_asked if asked else self._most
