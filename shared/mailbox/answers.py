"""From the scripts' raw answers to the types: one function a call, and one for each kind of record. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from shared.errors import BadInput
from shared.mailbox.records import (
    Accepted,
    Alarmed,
    Attempt,
    Claim,
    Closed,
    Due,
    Kind,
    Message,
    MessageState,
    Outcome,
    Pause,
    Reply,
    ReplyState,
    Reserved,
    Retried,
    Sending,
    Stored,
    Swept,
    Turn,
    Unseen,
    Unsettled,
)
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.events import Received, Response


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
    )


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
    )


def attempts_from(text: str) -> tuple[Attempt, ...]:
    """A reply's attempts from its record's field, oldest first."""
    return tuple(_attempt(item) for item in codec.loads(text or "[]") or [])


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


def swept(raw: Any) -> Swept:
    """The answer to `sweep`."""
    woken, next_ms, untold = raw
    return Swept(tuple(Due(conv, channel) for conv, channel in woken), next_ms if next_ms >= 0 else None, tuple(untold))


def alarmed(raw: Any) -> Alarmed:
    """The answer to `alarm`."""
    return cast("Alarmed", raw)


def unsettled(raw: Any) -> tuple[Unsettled, ...]:
    """The answer to `unsettled`."""
    return tuple(Unsettled(*found) for found in raw)


def nothing(_raw: Any) -> None:
    """The answer to a call whose answer says nothing."""


def _attempt(item: dict[str, Any]) -> Attempt:
    looked, since = int(item.get("looked") or 0), int(item.get("since") or 0)
    return Attempt(item["id"], int(item["at"]), item["outcome"], item["provider_id"], item["code"], looked, since)


def accepted(raw: Any) -> Accepted:
    """The answer to `accept` and `ignore`."""
    return Accepted(raw[0], raw[1])


def closed(raw: Any) -> Closed:
    """The answer to a call that ends a turn."""
    return Closed(raw)


def retried(raw: Any) -> Retried:
    """The answer to `retry` and `discard`."""
    return Retried(raw[0], raw[1], raw[2])


def outcome(raw: Any) -> Outcome:
    """The answer to `outcome` and `status`."""
    state, decided, *end = raw
    return Outcome(ReplyState(state) if state else None, decided=decided == "1", closed=closed(end[0]) if end and end[0] else None)


def unseen(raw: Any) -> Unseen:
    """The answer to `unseen`."""
    return Unseen(raw[0], int(raw[1]))


def sending(raw: Any) -> Sending:
    """The answer to `sending`."""
    attempt = _attempt(codec.loads(raw[1])) if raw[1] else None
    return Sending(raw[0], attempt, more=raw[2] == "more")


def sending_alone(verdict: Sending) -> Sending:
    """Leave to send whose attempt no replica has."""
    return replace(verdict, outcome="alone") if verdict.outcome == "ok" else verdict


def stored_alone(answer: Stored) -> Stored:
    """The same for a reply that was stored with its first attempt."""
    return replace(answer, leave=sending_alone(answer.leave)) if answer.leave else answer


def stored(raw: Any) -> Stored:
    """The answer to `store_reply`."""
    verdict, more, *leave = raw
    return Stored(verdict, more=more == "more", leave=sending(leave[0]) if leave else None)


def claim(raw: Any) -> Claim:
    """The answer to `claim`."""
    if raw[0] != "taken":
        return Claim(raw[0])
    _, turn, now, lease_end, messages, reply, history, reserved = raw
    found = Turn(
        turn,
        tuple(message_from(_record(flat)) for flat in messages),
        reply_from(_record(reply)) if reply else None,
        tuple(_said(kind, _record(flat)) for kind, flat in reversed(history)),
    )
    return Claim("taken", int(lease_end), int(now), found, int(reserved))


def reserved(raw: Any) -> Reserved:
    """The answer to `reserve`."""
    return cast("Reserved", raw)


def _said(kind: str, record: dict[str, Any]) -> Message | Reply:
    return message_from(record) if kind == "m" else reply_from(record)


def _record(flat: list[str]) -> dict[str, Any]:
    """A record from its fields and values, as a script reads them."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
