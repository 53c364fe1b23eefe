"""What waits in the spool: a call that was verified, parsed and admitted, as one file of JSON.

An entry holds what the storing step needs and Redis does not have to tell: a message's id is fixed before the first attempt,
while conversation ids, retention and rates are found at the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from shared import submit as storing
from shared.errors import BadInput
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.delivery_reports import Opt, State
from shared.model.events import Keyword, Received
from shared.runtime import Runtime

AT_ONCE: Final = 64
"""Calls in one MULTI: a hundredth of a second of Redis's time, and a fraction of the answer's timeout."""

_STATES: Final = get_args(State)
_OPTS: Final = get_args(Opt)
_KEYWORDS: Final = get_args(Keyword)


@dataclass(frozen=True, slots=True)
class Message:
    """A message from a user to their Boss. `keyword` is theirs to opt out or in."""

    event: Received
    keyword: Keyword = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that is recorded with its reason, without its text, and not answered."""

    id: str
    channel: Channel
    reason: str
    who: str = ""
    """The sender, masked."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a reply, as its provider says.

    `opt` is what the provider heard from the user meanwhile: no more messages by this channel, or again; `id` is that report's own,
    the same in every repetition, and `pair` whom it is about, as we said when we sent the reply. A report of nothing else has no `state`.
    """

    provider_id: str
    state: State
    reply: str = ""
    attempt: str = ""
    code: str = ""
    opt: Opt = ""
    id: str = ""
    pair: str = ""


Reports = tuple[Report, ...]
Entry = Message | Ignored | Reports


def steps(entry: Entry, runtime: Runtime) -> list[Call[Any]]:
    """The calls that store an entry; raises StorageUnavailable while ids cannot be made."""
    if isinstance(entry, Message):
        return [storing.message(runtime, entry.event, kind=CHANNELS[entry.event.channel].kind, keyword=entry.keyword)]
    if isinstance(entry, Ignored):
        return [calls.ignore(entry.id, entry.channel, entry.reason, who=entry.who)]
    return [_status(report, runtime.settings.retention_ms) for report in entry]


def _status(report: Report, retention_ms: int) -> Any:
    return calls.status(
        report.provider_id, report.state, retention_ms=retention_ms,
        reply=report.reply, attempt=report.attempt, code=report.code, opt=report.opt, report=report.id, pair=report.pair,
    )  # fmt: skip


def send(runtime: Runtime, calls_of: Sequence[Call[Any]]) -> list[Any]:
    """Send the calls of one entry or several, 64 in a MULTI; their answers, as `shared.submit.together` gives them.

    `runtime.replicas.confirmed` tells whether a replica has all of them.
    """
    answers, confirmed = list[Any](), True
    for start in range(0, len(calls_of), AT_ONCE):
        answers += storing.together(runtime, calls_of[start : start + AT_ONCE])
        confirmed = confirmed and runtime.replicas.confirmed
    runtime.replicas.confirmed = confirmed
    return answers


def encode(entry: Entry) -> bytes:
    """The file's content."""
    if isinstance(entry, Message):
        fields: dict[str, Any] = {"kind": "accept", "event": codec.encode(entry.event), "keyword": entry.keyword}
    elif isinstance(entry, Ignored):
        fields = {"kind": "ignore", "id": entry.id, "channel": entry.channel, "reason": entry.reason, "who": entry.who}
    else:
        rows = [_row(report) for report in entry]
        fields = {"kind": "status", "reports": rows}
    return codec.dumps({"v": codec.SCHEMA_VERSION, **fields}).encode("ascii")


def decode(content: bytes) -> Entry:
    """The entry of a file; raises BadInput or SchemaTooNew for one that this process cannot replay."""
    value = codec.loads(content)
    if not isinstance(value, dict):
        raise BadInput(code="bad_json")
    codec.check_version(value.get("v"))
    try:
        return _READERS[str(value.get("kind"))](value)
    except (KeyError, TypeError, ValueError):
        raise BadInput(code="bad_field") from None


def _message(value: dict[str, Any]) -> Message:
    event = codec.decode(value["event"])
    if not isinstance(event, Received):
        raise BadInput(code="unknown_type")
    return Message(event, cast("Keyword", _one_of(_KEYWORDS, value["keyword"])))


def _ignored(value: dict[str, Any]) -> Ignored:
    message_id, reason, who = _texts([value["id"], value["reason"], value.get("who", "")])
    return Ignored(message_id, _one_of(tuple(CHANNELS), value["channel"]), reason, who)


def _reports(value: dict[str, Any]) -> Reports:
    return tuple(_report(row) for row in value["reports"])


def _row(report: Report) -> list[str]:
    """The user's word only where there is one: most rows are what an older process writes and reads."""
    row = [report.provider_id, report.state, report.reply, report.attempt, report.code]
    return [*row, report.opt, report.id, report.pair] if report.opt else row


def _report(row: Sequence[Any]) -> Report:
    provider_id, state, reply, attempt, code, *rest = _texts(row)
    opt, own_id, pair = (*rest, "", "", "")[:3]  # an older process's rows have no pair, or none of the three
    opt = cast("Opt", _one_of(_OPTS, opt))
    return Report(provider_id, cast("State", _one_of(_STATES, state)), reply, attempt, code, opt, own_id, pair)


def _texts(values: Sequence[Any]) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError
    return list(values)


def _one_of(words: tuple[str, ...], value: Any) -> str:
    if value not in words:
        raise ValueError
    return str(value)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Entry]]] = {"accept": _message, "ignore": _ignored, "status": _reports}
