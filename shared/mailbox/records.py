"""What the mailbox keeps, as types, and how each is read from the fields of its hash in Redis. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, cast

from shared.errors import BadInput
from shared.model import approvals, codec, folds, rings, withheld
from shared.model.addresses import Channel
from shared.model.approvals import ApprovalCall
from shared.model.commands import Answered, CommandName
from shared.model.copies import NO_COPY, Copy
from shared.model.events import Received, Response
from shared.model.extracts import NOTHING_READ, Extracts
from shared.model.folds import Fold
from shared.model.heard import Heard
from shared.model.outgoing import NOTHING_SAID, Said
from shared.model.rings import Ring
from shared.model.withheld import WithheldMail

HEARD: Final = "heard:"
"""Before the id of a recording's file: the name of the field with what was heard in it."""


def reply_id_of(turn: str) -> str:
    """The id of a turn's one reply; `replies.lua` makes it in the same way (`reply_of`)."""
    return "r-" + turn.removeprefix("t-")


def turn_id_of(reply: str) -> str:
    """The id of the turn that a reply answers."""
    return "t-" + reply.removeprefix("r-")


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


Kind = Literal["text", "mail", "bridge", "notice", "reminder", "question", "approved", "copy", "outgoing"]
"""`text` and `mail` came from a provider, `bridge` from a local client; a `notice` is a sentence of ours to the user, a `reminder` says
what they asked to be reminded of. A `question` asks for a yes in another conversation than that of its turn; `approved` are the calls to
which somebody has said yes. A `copy` is what they asked to have on their other channel; `outgoing` is what a
program, or the operator, has the Boss write."""
AttemptOutcome = Literal["", "accepted", "refused", "absent"]
"""'' is pending; `absent` means that look-ups succeeded and did not find it: it may have been accepted all the same."""


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

    `notice` is the code of the notice that it carries, once it is known that it did not reach its user. `answers` is the command that it
    answers, or "digest", "reminder", "copy" or "outgoing", '' for
    what the model wrote, or what is `by_code`: a notice, or all that is said without the
    model. Of what the model wrote, code has put the first `code_before` and the last `code_behind` characters around it; with
    `names_others` a stranger's name may stand in what code said. `mixed`: words that the person did not write were shown when it was made.
    `next` is the reply that brought the next part of what it left out. `segments`, `encoding` and `price_class` are what is billed for a
    text (0 and "" for a mail, and in records of before). `stored_at` is in ms of Redis TIME; 0 where it is not known; and so is
    `lost_at`, when a report said that it did not arrive.
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
    answers: Answered = ""
    next: str = ""
    segments: int = 0
    encoding: str = ""
    price_class: str = ""
    stored_at: int = 0
    by_code: bool = False
    code_before: int = 0
    code_behind: int = 0
    names_others: bool = False
    mixed: bool = False
    lost_at: int = 0
    verdict: str = ""
    """What the answer came to that this is said to: "yes" or "always" where it was taken, and a call waits."""

    @property
    def pending(self) -> tuple[Attempt, ...]:
        """The attempts whose outcome is not known."""
        return tuple(attempt for attempt in self.attempts if not attempt.outcome)

    @property
    def uncertain(self) -> tuple[Attempt, ...]:
        """The attempts that the provider may have taken without our knowing it."""
        return tuple(attempt for attempt in self.attempts if attempt.outcome in ("", "absent"))


@dataclass(frozen=True, slots=True)
class Message:
    """A message record. `age_ms` leaves out the time in which sending was paused; `event` is None once its body expired.

    `asked` says that the model was asked about it before, and failed. `until` is of a notice: to when its user has to wait, in ms.
    `user` is the id of the entry of the users file that it came from, `extracts` what was read and heard in its files, `heard` what was
    heard in each of its recordings, by the id of its file. `who` (sender and recipient, masked) and `provider_id` are of one that is not
    answered. `command` is what code does about it, '' for what the model answers; `rest` the reply of which a "more" asks the next part.
    `folds` are the parts that are shown as notes only; None until the message was first shown in a question.
    `withheld` are the mails that a digest names, `withheld_count` how many it is of. `rings` are the occurrences that a reminder's message
    tells of. `answer` is what it says to a question that waits for a yes, and `approval` that question's id, also of the message that asks
    it; `approved` are the calls that were approved. `copy` is what a copy says. Of what a program has the Boss write, `said` is that,
    `token` the id of the program's token, `expires_at` when it is not to be sent any more (ms of UTC), and `first` the message to which its
    Idempotency-Key had led before.
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
    user: str = ""
    who: str = ""
    provider_id: str = ""
    command: CommandName = ""
    rest: str = ""
    folds: tuple[Fold, ...] | None = field(repr=False, default=None)
    extracts: Extracts = NOTHING_READ
    heard: Mapping[str, Heard] = field(repr=False, default_factory=dict)
    withheld: tuple[WithheldMail, ...] = field(repr=False, default=())
    withheld_count: int = 0
    rings: tuple[Ring, ...] = field(repr=False, default=())
    answer: str = field(repr=False, default="")
    approval: str = ""
    approved: tuple[ApprovalCall, ...] = field(repr=False, default=())
    copy: Copy = NO_COPY
    said: Said = NOTHING_SAID
    token: str = ""
    expires_at: int = 0
    urgent: bool = False
    first: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model has noted of the beginning of a conversation, which is shown no more.

    `marked`: made of words that the person did not write, too; `source` is who wrote these, "" where that is not known of all or they are
    of several. `until` is the time of the newest line that it covers, in ms of Redis TIME.
    """

    text: str = field(repr=False)
    marked: bool = False
    source: str = ""
    until: int = 0


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the history of a conversation begins, as its record says it in its `version`. `summary` is of what stands before.

    `wanted`: a summary is on its way. `whole`: the history was read to its beginning; else it begins with what has been read.
    """

    version: int = 0
    summary: Summary | None = None
    wanted: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: messages that are answered by one reply, which may be stored already.

    `history` is what was said before, oldest first; empty for a turn whose reply is stored, that has a step, and for a command's.
    `beginning` says where it begins.
    `claimed_at` is in ms of Redis TIME. `steps` are what it has done, as JSON by their names (`step.lua`). `person` is whose it is, by the
    id that never changes, in the `epoch` in which it was claimed; "" for nobody's. `remembers`: facts are kept of them.
    `elsewhere`: they have talked in another conversation within two weeks.
    """

    id: str
    messages: tuple[Message, ...]
    reply: Reply | None = None
    history: tuple[Message | Reply, ...] = field(repr=False, default=())
    claimed_at: int = 0
    steps: Mapping[str, str] = field(repr=False, default_factory=dict)
    person: str = ""
    epoch: str = ""
    remembers: bool = False
    elsewhere: bool = False
    beginning: Beginning = Beginning()

    @property
    def reply_id(self) -> str:
        """The id of the turn's one reply."""
        return reply_id_of(self.id)

    @property
    def events(self) -> list[Received]:
        """What its messages say, without those whose text is gone."""
        return [message.event for message in self.messages if message.event is not None]


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


def message_from(record: dict[str, Any], *, age_ms: int = 0) -> Message:
    """A message from its record's fields."""
    return Message(
        id=record["id"],
        conversation=record.get("conv", ""),
        kind=cast("Kind", record.get("kind") or "text"),
        state=MessageState(record["state"]),
        channel=cast("Channel", record.get("channel") or "sms"),
        event=_event(record.get("event") or ""),
        reason=record.get("reason", ""),
        notice=record.get("notice", ""),
        errors=int(record.get("errors") or 0),
        lost=int(record.get("lost") or 0),
        asked=record.get("asked") == "1",
        age_ms=int(record.get("age", age_ms)),
        accepted_at=int(record.get("accepted_at") or 0),
        turn=record.get("turn", ""),
        maybe_duplicate=record.get("maybe_duplicate") == "1",
        until=int(record.get("until") or 0),
        user=record.get("user", ""),
        who=record.get("who", ""),
        provider_id=record.get("provider_id", ""),
        command=cast("CommandName", record.get("command", "")),
        rest=record.get("rest", ""),
        folds=folds.decode(record["folds"]) if record.get("folds") else None,
        extracts=Extracts.parse(record["read"]) if record.get("read") else NOTHING_READ,
        heard=_heard(record),
        withheld=withheld.read(record["named"]) if record.get("named") else (),
        withheld_count=int(record.get("withheld") or 0),
        rings=rings.read(record["rings"]) if record.get("rings") else (),
        answer=record.get("answer", ""),
        approval=record.get("approval", ""),
        approved=approvals.read(record["approved"]) if record.get("approved") else (),
        copy=Copy.parse(record["copy"]) if record.get("copy") else NO_COPY,
        said=Said.parse(record["outgoing"]) if record.get("outgoing") else NOTHING_SAID,
        token=record.get("token", ""),
        expires_at=int(record.get("expires_at") or 0),
        urgent=record.get("urgent") == "1",
        first=record.get("first", ""),
    )


def _heard(record: dict[str, Any]) -> dict[str, Heard]:
    """What was heard in a message's recordings: each has a field of its own."""
    fields = {name.removeprefix(HEARD): Heard.parse(value) for name, value in record.items() if name.startswith(HEARD)}
    return {name: heard for name, heard in fields.items() if heard is not None}


def beginning_from(record: dict[str, Any], *, whole: bool = True) -> Beginning:
    """Where a history begins, from its record's fields; without a record, where the chat does."""
    text = record.get("text", "")
    summary = Summary(text, record.get("marked") == "1", record.get("source", ""), int(record.get("until") or 0)) if text else None
    return Beginning(int(record.get("version") or 0), summary, bool(record.get("queued")), whole)


def reply_from(record: dict[str, Any]) -> Reply:
    """A reply from its record's fields."""
    return Reply(
        id=record["id"],
        conversation=record["conv"],
        turn=record["turn"],
        command=cast("Response", codec.decode(record["command"])),
        state=ReplyState(record["state"]),
        attempts=attempts_from(record.get("attempts", "")),
        maybe_sent=record.get("maybe_sent") == "1",
        maybe_duplicate=record.get("maybe_duplicate") == "1",
        code=record.get("code", ""),
        notice=record.get("notice", ""),
        answers=cast("Answered", record.get("answers", "")),
        next=record.get("next", ""),
        segments=int(record.get("segments") or 0),
        encoding=record.get("encoding", ""),
        price_class=record.get("price_class", ""),
        stored_at=int(record.get("stored_at") or 0),
        by_code=record.get("by_code") == "1",
        code_before=int(record.get("code_before") or 0),
        code_behind=int(record.get("code_behind") or 0),
        mixed=record.get("mixed") == "1",
        names_others=record.get("names_others") == "1",
        lost_at=int(record.get("lost_at") or 0),
        verdict=record.get("verdict", ""),
    )


def attempts_from(text: str) -> tuple[Attempt, ...]:
    """A reply's attempts from its record's field, oldest first."""
    return tuple(attempt_from(item) for item in codec.loads(text or "[]") or [])


def attempt_from(item: dict[str, Any]) -> Attempt:
    """One attempt from its JSON object."""
    looked, since = int(item.get("looked") or 0), int(item.get("since") or 0)
    return Attempt(item["id"], int(item["at"]), item["outcome"], item["provider_id"], item["code"], looked, since)


def pause_from(record: dict[str, Any]) -> Pause | None:
    """A pause from its record's fields; None for one that has ended, or never was."""
    if not record.get("since"):
        return None
    provider = record.get("provider", "")
    return Pause(
        record.get("reason", ""), record.get("user", ""), record.get("by", ""), int(record.get("at") or record["since"]), provider,
        int(record.get("probe_at") or 0) if provider else 0,
    )  # fmt: skip


def _event(text: str) -> Received | None:
    """The event of a record; None for one whose body expired or cannot be read (its message is parked)."""
    try:
        return cast("Received", codec.decode(text)) if text else None
    except BadInput:
        return None
