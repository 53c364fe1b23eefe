"""The records that the spool keeps: a request that was verified, parsed and admitted, as one JSON file.

A record holds what the mailbox needs and cannot find out by itself. A message's id is fixed before the first attempt to store it;
conversation ids, retention and rates are looked up when the record is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from shared import submit
from shared.errors import BadInput
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.model import codec
from shared.model.addresses import Channel, masked
from shared.model.channels import CHANNELS
from shared.model.delivery_reports import Opt, State
from shared.model.events import Keyword, Received
from shared.model.threads import ThreadNames
from shared.runtime import Runtime
from shared.storage.replication import StorageResult

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
    """A message that is recorded with its reason, without its text, and not answered."""

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
SpoolRecord = ReceivedMessage | IgnoredMessage | Reports


def to_calls(record: SpoolRecord, runtime: Runtime, *, waited: bool = False) -> list[Call[Any]]:
    """The calls that store a record; `waited`: it has lain on disk. Raises StorageUnavailable while ids cannot be made."""
    if isinstance(record, ReceivedMessage):
        kind = CHANNELS[record.event.channel].kind
        return [submit.call_for(runtime, record.event, kind=kind, keyword=record.keyword, waited=waited)]
    if isinstance(record, IgnoredMessage):
        return [
            submit.ignored(
                runtime, record.id, record.channel, record.reason, sender=record.sender, recipient=record.recipient,
                provider_id=record.provider_id, header=record.header, who=record.who,
            )
        ]  # fmt: skip
    retention_ms = runtime.settings.retention_ms
    return [_status_call(report, submit.thread_of(runtime, report.header), retention_ms) for report in record]


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
    message_id, reason, *whose = _texts([value["id"], value["reason"], *(value.get(name, "") for name in _WHOSE)])
    return IgnoredMessage(message_id, _one_of(tuple(CHANNELS), value["channel"]), reason, *whose)


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
_READERS: Final[dict[str, Callable[[dict[str, Any]], SpoolRecord]]] = {"accept": _message, "ignore": _ignored, "status": _reports}
