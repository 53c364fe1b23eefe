"""The lanes of a load: conversations, their messages, and all that became of each.

A lane's messages are sent one after the other, each as soon as it is due and the one before it was taken, so that their
order is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

from tests.support.installation import JsonObject, Person, root_id
from tests.support.sandbox import SandboxProcess
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE

RATE: Final = 10
"""Messages a second, all lanes together."""

Way = Literal["sms", "email", "bridge sms", "bridge email"]
WAYS: Final[tuple[Way, ...]] = ("sms", "bridge sms", "email", "sms", "bridge sms", "sms", "bridge email", "email")
"""Three lanes in eight are texts, two are mails, three use the bridge."""


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook: when, how long it took, how it was answered (None: not at all)."""

    at: float
    seconds: float
    status: int | None

    @property
    def taken(self) -> bool:
        """Whether the provider may forget the message."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One copy of an answer: when, which reply or frame it was, and its place: these rise within a conversation that is in order."""

    at: float
    identity: str
    place: int


@dataclass(eq=False, slots=True)
class Sent:
    """One message and all that became of it. Times are seconds of the epoch."""

    lane: Lane
    number: int
    due: float
    taken_at: float = 0.0
    posts: list[Post] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refused: str = ""

    @property
    def identity(self) -> str:
        """Its id over the bridge."""
        return f"{self.lane.person.tag}-{self.number}"


@dataclass(eq=False, slots=True)
class Lane:
    """One conversation and how its messages come in; `offset` is the first one's time after the start."""

    person: Person
    way: Way
    offset: float
    sent: list[Sent] = field(default_factory=list)
    over: bool = False
    """Nothing more will be sent, and everything was taken."""

    @property
    def by_bridge(self) -> bool:
        """Whether its messages go over the bridge."""
        return self.way.startswith("bridge")


def lanes(people: Iterable[Person], *, bridge: bool = True, ways: Iterable[Way] = WAYS, rate: float = RATE) -> list[Lane]:
    """A lane for each of them, all `ways` in turn; without a bridge, its lanes are texts."""
    taken = ("sms" if way.startswith("bridge") and not bridge else way for way in itertools.cycle(ways))
    return [Lane(person, way, number / rate) for number, (person, way) in enumerate(zip(people, taken, strict=False))]


def deliver(courier: SandboxProcess, sent: Sent, **fields: object) -> JsonObject:
    """Let a text or a mail arrive, the same each time; `fields` are the sandbox's."""
    person, number = sent.lane.person, sent.number
    if sent.lane.way == "sms":
        sid = f"SM{int(person.tag[1:]):016x}{number:016x}"
        return courier.send_sms(person.says(number), from_=person.phone, to=BOSS_PHONE, message_sid=sid, **fields)
    thread = {"message_id": f"<{number}-{person.tag}@mail.example.com>", "references": root_id(person)} if number else {}
    known = {"from_": person.email, "to": BOSS_EMAIL, "subject": "A question", "message_id": root_id(person)}
    date = format_datetime(datetime.fromtimestamp(int(sent.due), UTC))  # it is a part of what a mail is known by
    return courier.send_email(person.says(number), date=date, **{**known, **thread, **fields})


def request(sent: Sent) -> JsonObject:
    """What a client with ids sends for a message, the same each time."""
    person = sent.lane.person
    common = {"id": sent.identity, "user": person.tag}
    if sent.lane.way == "bridge sms":
        return {"type": "sms_received", "from": person.phone, "to": BOSS_PHONE, "message": person.says(sent.number), **common}
    mail = {"type": "email_received", "from": person.email, "to": BOSS_EMAIL, "subject": "A question", "body": person.says(sent.number)}
    thread = {"message_id": f"<{sent.number}-{person.tag}@mail.example.com>", "references": [root_id(person)]} if sent.number else {}
    return {**mail, **common, "message_id": root_id(person), **thread}
