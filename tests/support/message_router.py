"""What lies between copies of the product and those who write to them: it takes what each sends and carries it to whom it is for.

It is everybody's carrier and mail server: of the other copies, of the programs that answer, and of nobody else (people only read). What the
copies sent is read in their sandboxes' journals, and what comes back is posted as Twilio and SendGrid post it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from tests.support import mail_robots
from tests.support.installation import FAST, Installation
from tests.support.mail_robots import Mail, MailAnswer
from tests.support.processes import WebProcess
from tests.support.text_robots import TextAnswer

POLL_SECONDS: Final = 0.1
POSTS_AT_ONCE: Final = 8
LATE_SECONDS: Final = 1.2
"""Behind what it answers. The product takes an answer for one that came at once within two seconds of the reply's storing, and on a busy
machine a good part of a second goes by until that is sent."""
SENT: Final = "twilio.create,twilio.confirmation,sendgrid.send"
MODULE: Final = "tests.support.short_hours_web"


class ShortHoursWeb(WebProcess):
    """A web process with short hours."""

    program = (MODULE,)


@dataclass(frozen=True, slots=True)
class User:
    """An entry of a copy's users file: both ends of texts, of mails or of both."""

    name: str
    phones: tuple[str, str] | None = None
    emails: tuple[str, str] | None = None
    robots: bool = False

    def entry(self) -> str:
        """Its table."""
        fields = {"username": self.name}
        for ends, channel in ((self.phones, "phone"), (self.emails, "email")):
            if ends:
                fields |= {channel: ends[0], f"boss_{channel}": ends[1]}
        if self.robots:
            fields["robots"] = "answer"
        return "[[users]]\n" + "".join(f'{name} = "{value}"\n' for name, value in fields.items())


class ProductCopy(Installation):
    """The whole product, with bounds of its own for an hour and a day; what takes webhooks is opened last."""

    def __init__(self, name: str, users: Sequence[User], bounds: Mapping[str, int]) -> None:
        """It answers `users`, each at the address that their entry names; `bounds` are settings."""
        # A text that the list shows would be counted by whole hours, and no webhook is lost here.
        super().__init__(FAST, web=False, RECONCILE_MINUTES="0")
        self.settings |= {name: str(bound) for name, bound in bounds.items()}
        self.name = name
        self.users = "".join(user.entry() for user in users)

    def open(self, hour_ms: int) -> None:
        """Take webhooks from now on, and count by hours of so many ms."""
        self.web = ShortHoursWeb(self.settings | {"HOUR_MS": str(hour_ms)}).start()


@dataclass(slots=True)
class Robot:
    """A program at an address, which may be a person's. `answer` is a mail's where the address has an @, else a text's."""

    name: str
    address: str
    answer: Any
    """A `MailAnswer` or a `TextAnswer`."""
    wait_seconds: float = 0.4
    """Until it answers."""
    got: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def mails(self) -> bool:
        """Whether it answers mail."""
        return "@" in self.address


class MessageRouter:
    """Carries messages between `with`, from those on that were sent after it began."""

    def __init__(self, copies: Mapping[str, ProductCopy], robots: Sequence[Robot], gateways: Sequence[str] = ()) -> None:
        """`copies` are the installations by each of their addresses. Mail to one of `gateways` loses its headers on its way."""
        self.posted: Counter[tuple[str, str]] = Counter()
        """How many messages were posted, by the copy's name and who sent them."""
        self.late: Counter[tuple[str, str]] = Counter()
        """How many of them came later than a robot's `wait_seconds` said, on a busy machine."""
        self._copies, self._gateways = copies, frozenset(gateways)
        self._installations = list({id(copy): copy for copy in copies.values()}.values())
        self._robots = {robot.address: robot for robot in robots}
        self._seen = dict.fromkeys(map(id, self._installations), 0)
        self._due: list[tuple[float, float, str, str, Mail | str]] = []
        self._posts: list[Future[None]] = []
        self._lock, self._over = threading.Lock(), threading.Event()
        self._pool = ThreadPoolExecutor(POSTS_AT_ONCE)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Begin behind what the journals have."""
        for copy in self._installations:
            self._seen[id(copy)] = int(copy.sandbox.call("GET", "/sandbox/journal?limit=0")["last"])
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End; what is being posted is. An error of its own is the test's."""
        self._over.set()
        self._thread.join(60)
        self._pool.shutdown()
        for post in self._posts:
            post.result()
        if self._error is not None and error is None:
            raise self._error

    def begin(self, robot: str, boss: str, number: int, words: str) -> None:
        """Let the person behind a robot's address write to a Boss by themselves: a text, or a mail that begins a thread."""
        self._post(boss, robot, mail_robots.beginning(robot, boss, number, words) if "@" in boss else words)

    def _run(self) -> None:
        try:
            while not self._over.wait(POLL_SECONDS):
                for copy in self._installations:
                    self._collect(copy)
                now = time.monotonic()
                ready = [each for each in self._due if each[0] <= now]
                self._due = [each for each in self._due if each[0] > now]
                for _, late_at, boss, sender, what in ready:
                    self._post(boss, sender, what, late_at)
        except BaseException as error:  # noqa: BLE001 - the test's to hear
            self._error = error

    def _collect(self, copy: ProductCopy) -> None:
        """What a copy has sent since, and what comes of it."""
        for entry in copy.sandbox.journal(SENT, since=self._seen[id(copy)]):
            self._seen[id(copy)] = entry["seq"]
            if entry["accepted"] is not False:
                self._carry(entry["kind"], entry["request"], entry["at"])

    def _carry(self, kind: str, request: dict[str, Any], at: float) -> None:
        to, sender = request["to"], request["from"]
        robot = self._robots.get(to)
        if to in self._copies:
            mail = kind == "sendgrid.send"
            what = mail_robots.passed_on(mail_robots.sent(request), stripped=to in self._gateways) if mail else request["body"]
            self._later(0, at, to, sender, what)
        elif robot and robot.mails:
            answer: MailAnswer = robot.answer
            for made in answer(mail_robots.sent(request), next(robot.got)):
                self._later(robot.wait_seconds, at, made.recipient, to, made)
        elif robot:
            reply: TextAnswer = robot.answer
            for body in reply(request["body"], next(robot.got)):
                self._later(robot.wait_seconds, at, sender, to, body)

    def _later(self, seconds: float, at: float, boss: str, sender: str, what: Mail | str) -> None:
        late_at = at + (LATE_SECONDS if seconds < LATE_SECONDS else float("inf"))
        self._due.append((time.monotonic() + seconds, late_at, boss, sender, what))

    def _post(self, boss: str, sender: str, what: Mail | str, late_at: float = float("inf")) -> None:
        post = self._pool.submit(self._deliver, self._copies[boss], boss, sender, what, late_at)
        with self._lock:
            self._posts.append(post)

    def _deliver(self, copy: ProductCopy, boss: str, sender: str, what: Mail | str, late_at: float) -> None:
        if isinstance(what, Mail):
            answer = copy.sandbox.send_email(what.text, **what.fields())
        else:
            answer = copy.sandbox.send_sms(what, from_=sender, to=boss)
        assert answer["status"] in (200, 204), answer
        with self._lock:
            self.posted[copy.name, sender] += 1
            self.late[copy.name, sender] += time.time() > late_at
