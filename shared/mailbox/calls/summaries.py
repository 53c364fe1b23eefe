"""The beginning of a conversation's history, and the summary of what stands before. No I/O. `history.lua` has the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from shared.mailbox.call import Call, nothing
from shared.mailbox.calls.turns import flat_record, said_from
from shared.mailbox.records import Beginning, Message, Reply, Summary, beginning_from

SummaryPutOff = Literal["nothing", "no_room", "failed", "shutdown"]
"""Why no summary was made: there was nothing to summarise, no room in four fifths of a bound, no answer that can be used, or the process
ended."""

QUIET_MS: Final = 300_000
"""So long nothing is said before a summary is made: a question that comes sooner would be asked from another beginning, and no cache
would hold that yet."""


def entry_of(record: Message | Reply) -> str:
    """A record's entry in its conversation's history."""
    return f"{'m' if isinstance(record, Message) else 'r'}:{record.id}"


def outgrown(
    conversation: str, token: str, version: int, *, begins_with: str = "", wanted: bool = True, quiet_ms: int = QUIET_MS, retention_ms: int
) -> Call[int | None]:  # fmt: skip
    """Say that a history has outgrown its bound, and, in a holder's turn, with which entry it begins from now on ("" where that stays).

    `version` is the record's that the question is made of. `wanted`: a summary is to be made when nothing was said for `quiet_ms`. The
    answer is the record's version, None where the lease is lost or a summary was stored meanwhile.
    """
    arguments: dict[str, str | int] = {
        "conv": conversation, "token": token, "version": version, "from": begins_with, "wanted": int(wanted), "quiet": quiet_ms,
        "retention": retention_ms,
    }  # fmt: skip
    return Call("outgrown", arguments, _version)


@dataclass(frozen=True, slots=True)
class SummarySource:
    """What a summary is to be made of: `lines` (oldest first) that are in none, of which the first `eligible` may be summarised.

    `version`, `chat`, `user`, `person` and `epoch` are what it is judged by when it is stored; `pair` is the conversation's.
    `whole`: no line is missing at the end.
    """

    conversation: str
    version: int
    chat: str
    user: str
    person: str
    epoch: str
    whole: bool
    eligible: int
    beginning: Beginning
    pair: str
    lines: tuple[Message | Reply, ...] = field(repr=False, default=())


def summary_source(conversation: str, *, most_bytes: int) -> Call[SummarySource | None]:
    """What a summary is to be made of, in about so many bytes of records; None where there is nothing to do."""

    def parse(raw: Any) -> SummarySource | None:
        if not raw:
            return None
        version, chat, user, person, epoch, whole, eligible, record, entries, pair = raw
        lines = tuple(said_from(kind, flat) for kind, flat in entries)
        return SummarySource(
            conversation, int(version), chat, user, person, epoch, bool(whole), int(eligible), beginning_from(flat_record(record)), pair,
            lines,
        )  # fmt: skip

    return Call("summary_source", {"conv": conversation, "most": most_bytes}, parse)


def store_summary(
    source: SummarySource, name: str, summary: Summary, *, begins_with: str, more: bool, retention_ms: int
) -> Call[Literal["ok", "stale", "gone", "erased"]]:  # fmt: skip
    """Store a summary, whose id `name` is new, of what stands before the entry `begins_with`; `more` asks for another one at once."""
    arguments: dict[str, str | int] = {
        "conv": source.conversation, "id": name, "version": source.version, "chat": source.chat, "user": source.user,
        "person": source.person, "epoch": source.epoch, "upto": begins_with, "text": summary.text, "marked": int(summary.marked),
        "source": summary.source, "covers": summary.until, "more": int(more), "retention": retention_ms,
    }  # fmt: skip
    return Call("store_summary", arguments, _stored)


def put_off_summary(conversation: str, reason: SummaryPutOff, *, wait_ms: int = -1) -> Call[None]:
    """Say that a summary could not be made, and when it is tried again; -1: when a turn wants it again, 0: at once, by anybody."""
    return Call("put_off_summary", {"conv": conversation, "reason": reason, "wait": wait_ms}, nothing)


def _version(raw: Any) -> int | None:
    return None if raw in ("lost", "stale") else int(raw)


def _stored(raw: Any) -> Literal["ok", "stale", "gone", "erased"]:
    return cast('Literal["ok", "stale", "gone", "erased"]', raw)
