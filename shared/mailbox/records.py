"""What the mailbox's scripts answer, as types; and `Call`, one script call before it is sent.

A call is data: the face that is synchronous (web, command) and the one that is not (worker) send the same calls, and a
test can send one twice, as redis-py does after a timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, Literal, TypeVar

from shared.model.addresses import Channel
from shared.model.events import Received, Response

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

T = TypeVar("T")

Wake = tuple[str | bytes | int, ...]
"""A job that a script enqueues when its conversation has to be woken (`wake_queue.job`); empty for a caller that does it itself."""

Arguments = Mapping[str, str | bytes | int | float]
"""A script's arguments by their names in its head line (`shared.mailbox.scripts`)."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call of the script `name` with `args`, by their names, and the `rest`; `parse` turns the raw answer into the result.

    `alone` is for a result that is nothing worth unless a replica has what was written: what it becomes where none has.
    """

    name: str
    args: Arguments = field(repr=False)
    parse: Callable[[Any], T] = field(repr=False)
    rest: Wake = field(repr=False, default=())
    alone: Callable[[T], T] | None = field(repr=False, default=None)


class MessageState(StrEnum):
    """All states of a message; there are no others."""

    PENDING = "pending"
    IN_TURN = "in_turn"
    ANSWERED = "answered"
    IGNORED = "ignored"
    PARKED = "parked"
    HANDED_OVER = "handed_over"


class ReplyState(StrEnum):
    """All states of a reply; `maybe_sent` and `maybe_duplicate` are marks beside them."""

    STORED = "stored"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


Kind = Literal["text", "mail", "bridge", "notice"]
"""`text` and `mail` came from a provider, `bridge` from a local client; a `notice` is a sentence of ours to the user."""

AttemptOutcome = Literal["", "accepted", "refused", "absent"]
"""'' is unresolved; `absent` means that look-ups succeeded and did not find it: it may have been taken all the same."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to a provider. `at` is in ms of Redis TIME, and so is `looked`, the end of a first look-up that did not find it.

    `code` says why it was refused or, until it is resolved, why there was no answer. `since` is set where TIME has stepped back behind
    `at`: the time of its request runs from then.
    """

    id: str
    at: int
    outcome: AttemptOutcome = ""
    provider_id: str = ""
    code: str = ""
    looked: int = 0
    since: int = 0

    @property
    def runs_from(self) -> int:
        """From when the longest time of its request runs, in ms of Redis TIME."""
        return self.since or self.at


@dataclass(frozen=True, slots=True)
class Reply:
    """A stored reply: the command to send and what became of it. `code` is why it did not arrive, in the provider's words.

    `notice` is the code of the notice that it carries, once it is known that it did not reach its user.
    """

    id: str
    conversation: str
    turn: str
    command: Response
    state: ReplyState
    attempts: tuple[Attempt, ...] = ()
    maybe_sent: bool = False
    maybe_duplicate: bool = False
    code: str = ""
    notice: str = ""

    @property
    def unresolved(self) -> tuple[Attempt, ...]:
        """The attempts whose fate is not known."""
        return tuple(attempt for attempt in self.attempts if not attempt.outcome)

    @property
    def unsure(self) -> tuple[Attempt, ...]:
        """The attempts that the provider may have taken without our knowing it."""
        return tuple(attempt for attempt in self.attempts if attempt.outcome in ("", "absent"))


@dataclass(frozen=True, slots=True)
class Message:
    """A message record. `age_ms` leaves out the time in which sending was paused; `event` is None once its body expired.

    `asked` says that the model was asked about it before, and failed. `until` is of a notice: to when its user has to wait, in ms.
    """

    id: str
    conversation: str
    kind: Kind
    state: MessageState
    channel: Channel = "sms"
    event: Received | None = field(repr=False, default=None)
    reason: str = ""
    notice: str = ""
    errors: int = 0
    lost: int = 0
    asked: bool = False
    age_ms: int = 0
    accepted_at: int = 0
    turn: str = ""
    maybe_duplicate: bool = False
    until: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: messages that are answered by one reply, which may be stored already.

    `history` is what was said before, oldest first; empty for a turn whose reply is stored.
    """

    id: str
    messages: tuple[Message, ...]
    reply: Reply | None = None
    history: tuple[Message | Reply, ...] = field(repr=False, default=())

    @property
    def reply_id(self) -> str:
        """The id of the turn's one reply."""
        return "r-" + self.id.removeprefix("t-")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The verdict on a message from outside; `duplicate` and `accepted` and `ignored` all earn a 2xx, `full` changed nothing."""

    outcome: Literal["accepted", "duplicate", "ignored", "full"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim. `lease_end_ms` and `now_ms` are Redis TIME; `turn` is set when `outcome` is `taken`.

    `busy`: the sender has its share of turns under way. `alone`: another message's last try is under way, and this one's would be its last.
    `spent`, and `spend_stop` for the first to find it so: the day has no room for the turn's question; `share`: its sender's share of the
    day has none; `reserved`: what others have reserved leaves none for now. `reserved` is how many tokens were reserved for the first
    question.
    """

    outcome: Literal[
        "taken", "held", "early", "empty", "finished", "paused", "busy", "newer", "spent", "spend_stop", "share", "reserved", "alone"
    ]
    lease_end_ms: int = 0
    now_ms: int = 0
    turn: Turn | None = None
    reserved: int = 0


Reserved = Literal["ok", "lost", "opted_out", "paused", "spent", "share", "reserved", "dear"]
"""The verdict on a question before it is asked. Only `ok` allows it. `dear`: no day has room for it; `spent`, `share` and `reserved` are a
`Claim`'s."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a turn ended: `more` asks the caller to enqueue the next job, `lost` says that somebody else holds the lease.

    `look_up` comes from `park` only: an attempt is unresolved and nobody has asked the provider.
    """

    outcome: Literal["more", "empty", "lost", "look_up"]


@dataclass(frozen=True, slots=True)
class Sending:
    """The verdict right before a request to a provider. Only `ok` allows it.

    `look_up`: `attempt` is unresolved, ask the provider first. `opted_out` and `paused` have given up the lease, and
    `more` says whether messages remain. `short`: renew once and ask again. `sent`: nothing left to send.
    `too_old`, `unknown` (too many attempts of unknown fate) and `no_pair` (nobody knows whom an opt-out would be
    asked for) are for the holder to park. `alone`: `ok`, but no
    replica of the server has the attempt: after a failover nobody would know of it, and send the reply again.
    """

    outcome: Literal["ok", "alone", "lost", "look_up", "opted_out", "paused", "short", "sent", "too_old", "unknown", "no_pair"]
    attempt: Attempt | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `store_reply`. `finished` (bridge messages): stored, answered and the turn closed.

    `leave` is the verdict on the first attempt, when one was asked for with it.
    """

    outcome: Literal["stored", "lost", "handed_over", "finished"]
    more: bool = False
    leave: Sending | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a look-up that did not show an attempt makes of it; unresolved, it is looked at again in `wait_ms`."""

    outcome: AttemptOutcome
    wait_ms: int = 0


Alarmed = Literal["paused", "held", "counted"]
"""What a provider's refusal of our key came to; see `calls.alarm`."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A reply that its provider took, under `provider_id`, and of which no final report has come."""

    reply: str
    attempt: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the recorded outcome makes of the reply. `decided`: it was refused, and no attempt may have been taken.

    `closed` says how the turn ended, when its holder asked to finish it with an accepted attempt.
    """

    state: ReplyState | None
    decided: bool = False
    closed: Closed | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """The answer to an operator's retry or discard."""

    outcome: Literal["done", "not_parked", "unknown"]
    conversation: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A conversation that somebody should look at now."""

    conversation: str
    channel: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found to wake, and in how many ms the next one's time comes; None when nothing is on the agenda.

    `untold` are replies that did not reach their users, who are to be told elsewhere.
    """

    due: tuple[Due, ...]
    next_ms: int | None = None
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause: of all sending when `user` is "", else of one user's, by their id. `since_ms` is Redis TIME; `by` the operator's name.

    One that an alarm made names the `provider` that refused us; from `probe_ms` (Redis TIME) on, the next turn tries it.
    """

    reason: str
    user: str = ""
    by: str = ""
    since_ms: int = 0
    provider: str = ""
    probe_ms: int = 0
