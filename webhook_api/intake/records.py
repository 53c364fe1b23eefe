"""The records that the spool keeps: a request that was verified, parsed and judged, as one JSON file.

A record holds what the mailbox needs and cannot find out by itself. A message's id is fixed before the first attempt to store it;
conversation ids, retention and rates are looked up when the record is replayed. A message from an address that nobody is known to have is
spooled as it came, and judged when it is replayed: somebody may have been added whom this process does not know yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast, get_args

from shared import submit
from shared.errors import BadInput
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import ANY_VERSION, Accepted
from shared.model import codec
from shared.model.addresses import Channel, masked
from shared.model.channels import CHANNELS
from shared.model.delivery_reports import Opt, State
from shared.model.events import Keyword, Received
from shared.model.outgoing import OutgoingMessage
from shared.model.threads import ThreadNames
from shared.runtime import Runtime
from shared.storage.replication import StorageResult
from webhook_api.intake import writing

MAX_CALLS: Final = 64
"""Calls in one MULTI: they take a hundredth of a second of Redis's time, a fraction of the timeout for its answer."""

_STATES: Final = get_args(State)
_OPTS: Final = get_args(Opt)
_KEYWORDS: Final = get_args(Keyword)


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message from a user to their Boss. `keyword` opts its sender out or in."""

    event: Received
    keyword: Keyword = ""


@dataclass(frozen=True, slots=True)
class IgnoredMessage:
    """A message that is recorded with its reason, without its text, and not answered. `unknown` as in `sms_admission.Ignored`."""

    id: str
    channel: Channel
    reason: str
    sender: str = field(default="", repr=False)
    recipient: str = field(default="", repr=False)
    """Both as the provider calls them: they are kept masked, and as ids by which the message is found."""
    provider_id: str = ""
    header: str = field(default="", repr=False)
    """A mail's Message-ID."""
    who: str = ""
    """Both, masked, in a record that an older version wrote."""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider reports about a reply.

    `opt` is what the user has told the provider: no more messages by this channel, or messages again. Only with it there are `id`, the
    report's own id, the same in every repetition, and `pair`, the two ends that it concerns, as we named them when we sent the reply.
    A report about `opt` alone has no `state`. `header` is a mail's Message-ID where that is not ours.
    """

    provider_id: str
    state: State
    reply: str = ""
    attempt: str = ""
    code: str = ""
    opt: Opt = ""
    id: str = ""
    pair: str = ""
    header: str = field(default="", repr=False)


Reports = tuple[Report, ...]
JudgedMessage = ReceivedMessage | IgnoredMessage


class ArrivedMessage(Protocol):
    """A message as it came."""

    @property
    def channel(self) -> Channel:
        """What it came by."""
        ...

    def judged(self, runtime: Runtime) -> JudgedMessage:
        """What it is by who is known now."""
        ...

    def fields(self) -> dict[str, object]:
        """All that is needed to judge it later, for a record in JSON."""
        ...


ReadArrived = Callable[[Mapping[str, Any]], ArrivedMessage]
"""Makes a message of its `fields`. Raises BadInput."""


@dataclass(frozen=True, slots=True)
class UnjudgedMessage:
    """A message from an address that nobody was known to have when it came, by its `fields`."""

    channel: Channel
    fields: Mapping[str, Any] = field(repr=False)


ReadyRecord = JudgedMessage | OutgoingMessage | Reports
"""What needs no judging any more."""
SpoolRecord = ReadyRecord | UnjudgedMessage


def message_call(record: JudgedMessage, runtime: Runtime, *, users: int = ANY_VERSION, waited: bool = False) -> Call[Accepted]:
    """The call that stores a message, judged by the version `users` of the registry; `waited`: it has lain on disk.

    Raises StorageUnavailable while ids cannot be made.
    """
    if isinstance(record, IgnoredMessage):
        return submit.ignored(
            runtime, record.id, record.channel, record.reason, sender=record.sender, recipient=record.recipient,
            provider_id=record.provider_id, header=record.header, who=record.who, users=users,
        )  # fmt: skip
    kind = CHANNELS[record.event.channel].kind
    return submit.call_for(runtime, record.event, kind=kind, keyword=record.keyword, users=users, waited=waited)


def report_calls(reports: Reports, runtime: Runtime) -> list[Call[Any]]:
    """The calls that store reports. Raises StorageUnavailable as above."""
    retention_ms = runtime.settings.retention_ms
    return [_status_call(report, submit.thread_of(runtime, report.header), retention_ms) for report in reports]


def to_calls(record: ReadyRecord, runtime: Runtime, *, waited: bool = False) -> list[Call[Any]]:
    """The calls that store a record; `waited` and StorageUnavailable as above."""
    if isinstance(record, OutgoingMessage):
        return [submit.outgoing(runtime, record, waited=waited)]
    return report_calls(record, runtime) if isinstance(record, tuple) else [message_call(record, runtime, waited=waited)]


def _status_call(report: Report, thread: ThreadNames, retention_ms: int) -> Any:
    return calls.status(
        report.provider_id, report.state, retention_ms=retention_ms,
        reply=report.reply, attempt=report.attempt, code=report.code, opt=report.opt, report=report.id, pair=report.pair, thread=thread,
    )  # fmt: skip


def send(runtime: Runtime, batch: Sequence[Call[Any]]) -> StorageResult[list[Any]]:
    """Send the calls of one or several records, MAX_CALLS in a MULTI: as `shared.submit.run_all`."""
    answers, replicated = list[Any](), True
    for start in range(0, len(batch), MAX_CALLS):
        result = submit.run_all(runtime, batch[start : start + MAX_CALLS])
        answers += result.answer
        replicated = replicated and result.replicated
    return StorageResult(answers, replicated)


def encode(record: SpoolRecord) -> bytes:
    """The file's content."""
    if isinstance(record, ReceivedMessage):
        fields: dict[str, Any] = {"kind": "accept", "event": codec.encode(record.event), "keyword": record.keyword}
    elif isinstance(record, IgnoredMessage):
        fields = {"kind": "ignore", "id": record.id, "channel": record.channel, "reason": record.reason, **_whose(record)}
    elif isinstance(record, UnjudgedMessage):
        # Whoever is erased is known by it (`erased_files`).
        sender = str(record.fields.get("sender") or "")
        fields = {"kind": "unjudged", "channel": record.channel, "sender": sender, "message": dict(record.fields)}
    elif isinstance(record, OutgoingMessage):
        fields = {"kind": "outgoing", "outgoing": writing.spelled(record)}
    else:
        rows = [_row(report) for report in record]
        fields = {"kind": "status", "reports": rows}
    return codec.dumps({"v": codec.SCHEMA_VERSION, **fields}).encode("ascii")


def decode(content: bytes) -> SpoolRecord:
    """The record in a file. Raises BadInput or SchemaTooNew for one that this process cannot replay."""
    value = codec.loads(content)
    if not isinstance(value, dict):
        raise BadInput(code="bad_json")
    codec.check_version(value.get("v"))
    try:
        return _READERS[str(value.get("kind"))](value)
    except (KeyError, TypeError, ValueError):
        raise BadInput(code="bad_field") from None


def _whose(record: IgnoredMessage) -> dict[str, str]:
    """`who` is what an older process reads."""
    who = f"{masked(record.sender)} to {masked(record.recipient)}" if record.sender or record.recipient else record.who
    return {**{name: getattr(record, name) for name in _WHOSE}, "who": who}


def _message(value: dict[str, Any]) -> ReceivedMessage:
    event = codec.decode(value["event"])
    if not isinstance(event, Received):
        raise BadInput(code="unknown_type")
    return ReceivedMessage(event, cast("Keyword", _one_of(_KEYWORDS, value["keyword"])))


def _ignored(value: dict[str, Any]) -> IgnoredMessage:
    message_id, reason = _texts([value["id"], value["reason"]])
    sender, recipient, provider_id, header, who = _texts([value.get(name, "") for name in _WHOSE])
    channel = _one_of(tuple(CHANNELS), value["channel"])
    return IgnoredMessage(message_id, channel, reason, sender, recipient, provider_id, header, who)


def _unjudged(value: dict[str, Any]) -> UnjudgedMessage:
    if not isinstance(value["message"], dict):
        raise TypeError
    return UnjudgedMessage(_one_of(tuple(CHANNELS), value["channel"]), value["message"])


def _reports(value: dict[str, Any]) -> Reports:
    return tuple(_report(row) for row in value["reports"])


def _row(report: Report) -> list[str]:
    """The last fields only where there is something in them: most rows stay as an older process writes and reads them."""
    row = [report.provider_id, report.state, report.reply, report.attempt, report.code, report.opt, report.id, report.pair, report.header]
    return row if report.header else row[:8] if report.opt else row[:5]


def _report(row: Sequence[Any]) -> Report:
    provider_id, state, reply, attempt, code, *rest = _texts(row)
    opt, own_id, pair, header = (*rest, "", "", "", "")[:4]  # rows of an older process lack some of them, or all
    opt = cast("Opt", _one_of(_OPTS, opt))
    return Report(provider_id, cast("State", _one_of(_STATES, state)), reply, attempt, code, opt, own_id, pair, header)


def _texts(values: Sequence[Any]) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError
    return list(values)


def _one_of(words: tuple[str, ...], value: Any) -> str:
    if value not in words:
        raise ValueError
    return str(value)


_WHOSE: Final = ("sender", "recipient", "provider_id", "header", "who")
"""Records of an older version have the last one alone."""
_READERS: Final[dict[str, Callable[[dict[str, Any]], SpoolRecord]]] = {
    "accept": _message, "ignore": _ignored, "unjudged": _unjudged, "status": _reports,
    "outgoing": lambda value: writing.read(value["outgoing"]),
}  # fmt: skip
