"""The model's books: what it knows of messages, replies and conversations, and the real scripts under its own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import NoScriptError

from shared.mailbox import answer
from shared.mailbox.call import Call
from shared.mailbox.calls import DenialPolicy, SendLimits
from shared.mailbox.records import Kind
from shared.mailbox.scripts import arguments, script
from shared.model.commands import CommandName

T = TypeVar("T")

LEASE: Final = 60_000
LIFE: Final = 4_000
SEND: Final = 15_000
MARGIN: Final = 5_000
SETTLE: Final = 500
RECHECK: Final = 10_000
RETENTION: Final = 3_600_000
START: Final = 1_700_000_000_000
SHARE: Final = 1
"""Turns of one sender at once: of the first two conversations only one is under way."""
AGAIN: Final = 10_000
OLDEST: Final = 1_800_000
SEND_LIMITS: Final = SendLimits(SEND, MARGIN, RETENTION, jitter=0.5, oldest_ms=OLDEST, repeats=2)
WATCH: Final = DenialPolicy()
MAX_ERRORS: Final = 5
MAX_LOST: Final = 6
HOUR: Final = 3_600_000
CLOCK: Final = "test:clock"
_NOW: Final = "local function now() return tonumber(redis.call('GET', 'test:clock')) end\n"

ADVANCE: Final = """
redis.call('INCRBY', 'test:clock', ARGV[1])
for i = 2, #ARGV do
  local left = redis.call('PTTL', ARGV[i])
  if left >= 0 then redis.call('PEXPIRE', ARGV[i], left - ARGV[1]) end
end
"""

Mutation = tuple[str, str]
"""For tests that break the law: a text of the Lua, and what stands there instead."""


class ModelBroken(AssertionError):
    """The scripts broke the law."""


def must(holds: object, promise: str) -> None:
    """Raise Breach unless `holds`."""
    if not holds:
        raise ModelBroken(promise)


def scripted_clock(text: str) -> str:
    """A script's text with the model's clock in the place of the server's."""
    before, _, rest = text.partition("-- clock: begin\n")
    body, _, after = rest.partition("-- clock: end\n")
    assert "redis.call('TIME')" in body, "common.lua has lost its clock markers"
    return before + _NOW + after


class Scripts:
    """Runs calls against the real scripts, with the model's clock and, if asked, one rule broken."""

    def __init__(self, redis: Redis, mutation: Mutation | None = None) -> None:
        self.redis = redis
        self._mutation = mutation or ("", "")
        self._texts: dict[str, tuple[str, str]] = {}

    def run(self, call: Call[T]) -> T:
        """Send one call and parse its answer."""
        text, sha = self._script(call.name)
        sent = arguments(call)
        try:
            raw = self.redis.evalsha(sha, 0, *sent)
        except NoScriptError:
            raw = self.redis.eval(text, 0, *sent)
        return answer(call, raw)

    def eval(self, text: str, *sent: str) -> Any:
        """Run a text that no call names."""
        old, new = self._mutation
        return self.redis.eval(scripted_clock(text.replace(old, new) if old else text), 0, *sent)

    def _script(self, name: str) -> tuple[str, str]:
        if name not in self._texts:
            text = scripted_clock(script(name)[0])
            old, new = self._mutation
            text = text.replace(old, new) if old else text
            self._texts[name] = text, sha1(text.encode(), usedforsecurity=False).hexdigest()
        return self._texts[name]


@dataclass
class Said:
    """A message as the model knows it. `rank` is its place in its conversation, `since` from when on it ages; a retry renews both.

    `copied`: it was brought back, and may have been answered before. `elsewhere`: a notice of ours that tells of another reply's loss.
    `silent`: it was answered without a reply. `command`: what code does about it, '' for a question to the model. `of`: the turn with a
    step that it is in, also while it is parked.
    """

    id: str
    conv: str
    kind: Kind
    rank: int
    state: str = "open"
    errors: int = 0
    lost: int = 0
    reply: str = ""
    copies: int = 0
    copied: bool = False
    since: int = 0
    elsewhere: bool = False
    silent: bool = False
    command: CommandName = ""
    of: str = ""


@dataclass
class Alarm:
    """A pause that an alarm made: when, from when on and how long after that it is tried, and by which token last."""

    since: int
    probe_at: int
    wait: int
    probe: str = ""


@dataclass
class Tried:
    """A reply as the model knows it: its messages, its attempts and what is known of them.

    `runs_from`: from when an attempt's request may take its time; `left_at`: when the permit was given, by a clock that never steps.
    `forgiven`: of how many that were not found an operator knew who wants it sent all the same.
    """

    id: str
    conv: str
    messages: list[str]
    attempts: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    runs_from: dict[str, int] = field(default_factory=dict)
    left_at: dict[str, int] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    terminal: str = ""
    forgiven: int = 0

    @property
    def pending(self) -> list[str]:
        """Attempts of unknown outcome."""
        return [name for name, result in self.attempts.items() if not result]

    @property
    def uncertain(self) -> list[str]:
        """Attempts that may have been taken."""
        return [name for name, result in self.attempts.items() if result in ("", "absent")]

    @property
    def absent(self) -> int:
        """How many attempts may have been taken, for no look-up found them."""
        return list(self.attempts.values()).count("absent")

    @property
    def accepted(self) -> bool:
        """Whether one attempt is known to have been taken."""
        return "accepted" in self.attempts.values()


@dataclass
class Talk:
    """A conversation: both inboxes, the holder of the lease, its process, and the turn that the holder is in.

    `urgent`: that turn, or the one whose reply is stored, is of the `priority` inbox.

    `let_go`: the process was found dead, and this conversation is no longer on its list.
    `bound`: its turn with a step, which holds its inbox.
    `active` is the clock by which its messages age: it stands still in a pause. `held_at`: since when they wait for money, by that clock.
    """

    id: str
    pair: str
    sender: str
    inbox: list[str] = field(default_factory=list)
    priority: list[str] = field(default_factory=list)
    urgent: bool = False
    ranks: int = 0
    active: int = 0
    held_at: int | None = None
    holder: str = ""
    lease_end: int = 0
    process: str = ""
    let_go: bool = False
    turn: list[str] = field(default_factory=list)
    turn_id: str = ""
    bound: str = ""
    stored: str = ""
    holders: set[str] = field(default_factory=set)
    closed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def person(self) -> str:
        """Whose it is: a sender is one person here."""
        return "u" + self.sender[1:]

    def waiting(self, *, urgent: bool) -> list[str]:
        """The messages of one of its inboxes."""
        return self.priority if urgent else self.inbox

    def last_closed(self, token: str) -> str | None:
        """The result of the last finish, if that was this token's."""
        return self.closed[-1][1] if self.closed and self.closed[-1][0] == token else None

    def was_closed(self, token: str) -> bool:
        """Whether a turn of this token ended, at any time."""
        return any(token == name for name, _ in self.closed)
