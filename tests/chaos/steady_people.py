"""People who write texts and mails to the copies at a steady rate, and how they were answered."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.robots import BOSSES
from tests.chaos.table import FULL, Table
from tests.support.installation import Person, answered_words, root_id
from tests.support.message_router import ProductCopy
from tests.support.scheduler_lag import SchedulerLag

HOUR_SECONDS: Final = 180 if FULL else 10
"""A twentieth; in the short form much less."""
PEOPLE: Final = 10 if FULL else 2
"""Of each copy; each of them writes as much in an hour as its bounds allow with some room."""
TEXTS_EACH, MAILS_EACH = (36, 10) if FULL else (6, 2)
RATIO: Final = 2
"""How much later the slowest of a hundred may be answered beside the robots than without them."""
NOISE_SECONDS: Final = 0.25
"""A worker looks at its agenda so often: a message that met one look by chance may meet the next."""
OK: Final = 200


def people(copy: str) -> list[Person]:
    """The people of a copy; the tags are those of `Installation`."""
    place = 100 * list(BOSSES).index(copy)
    numbers = range(place + 1, place + PEOPLE + 1)
    return [Person(f"u{number:04}", f"+1555200{number:04}", f"u{number:04}@example.com") for number in numbers]


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


def judge_people(table: Table, said: Sequence[Said], copies: Mapping[str, ProductCopy], began: float, lag: SchedulerLag) -> list[str]:
    """Enter how people were answered, alone and beside the robots; return what is late."""
    answered: dict[tuple[str, str, str], float] = {}
    lost = duplicates = disorder = 0
    details: list[str] = []
    for name, copy in copies.items():
        for person in people(name):
            for channel in ("sms", "email"):
                entries = copy.replies(person, channel)
                words = answered_words(person, entries)
                written = [one.word for one in said if one.person == person and one.channel == channel]
                if missing := set(written) - set(words):
                    lost += len(missing)
                    details.append(f"{name} {person.tag} {channel} {sorted(missing)}: {_ends(copy, person, channel, BOSSES[name])}")
                duplicates += len(words) - len(set(words))
                disorder += [word for word in written if word in words] != list(dict.fromkeys(words))
                answered |= {(person.tag, channel, word): entry["at"] for entry in entries for word in answered_words(person, [entry])}
    times = {one: answered[key] - one.at for one in said if (key := (one.person.tag, one.channel, one.word)) in answered}
    alone, beside = ({one: took for one, took in times.items() if (one.at >= began) is later} for later in (False, True))
    p99 = [percentile(list(some.values())) for some in (alone, beside)]
    ours = [percentile([max(0.0, took - lag.between(one.at, one.at + took)) for one, took in some.items()]) for some in (alone, beside)]
    medians = [statistics.median(some.values()) for some in (alone, beside)]
    table.add(
        fault="people beside the robots", runs=len(beside), lost=lost, duplicates=duplicates, disorder=disorder,
        recoveries=list(beside.values()), details=details,
        note=f"median {medians[1]:.2f} s, alone {medians[0]:.2f} s; p99 {p99[1]:.2f} s, alone {p99[0]:.2f} s, "
        f"less what the machine was late {ours[1]:.2f} s and {ours[0]:.2f} s",
    )  # fmt: skip
    return [f"p99 {ours[1]:.2f} s beside the robots, {ours[0]:.2f} s alone"] if ours[1] > RATIO * ours[0] + NOISE_SECONDS else []


def _ends(copy: ProductCopy, person: Person, channel: str, boss: tuple[str, str]) -> Counter[str]:
    """How often each thing happened in a conversation, by the ledger."""
    lines = copy.lines(copy.conversation(person, channel, boss[channel == "email"]))
    return Counter(f"{line.type} {line.fields.get('reason', '')}".strip() for line in lines)


def percentile(seconds: Sequence[float]) -> float:
    """The 99th."""
    return sorted(seconds)[(99 * len(seconds) - 1) // 100]
