"""The mailbox's calls: one function a script, plain arguments in, a `Call` out. No I/O in here.

Times are integer milliseconds. Randomness is an argument (`jitter`, 0 to 1): a script has none that would survive
being repeated.
"""

from __future__ import annotations

import random
from typing import Any, Final, Literal, cast

from shared import codec
from shared.addresses import Channel
from shared.errors import BadInput
from shared.events import Received, Response
from shared.mailbox.types import (
    Accepted,
    Attempt,
    Call,
    Claim,
    Closed,
    Due,
    Kind,
    Message,
    MessageState,
    Outcome,
    Reply,
    ReplyState,
    Retried,
    Sending,
    Stored,
    Turn,
)

DAY_MS: Final = 86_400_000
DEDUPE_MS: Final[dict[str, int]] = {"sms": 30 * DAY_MS, "email": 7 * DAY_MS}
"""How long a provider's id is remembered: beyond SendGrid's 3 days of retries, and long against replays of signed texts."""
MAX_TEXTS_PER_TURN: Final = 100
SWEEP_LIMIT: Final = 100
WAKE_FLOOR_MS: Final = 1000

STANDBY: Final = "standby@"
"""How the name of a standby's worker begins; a regular worker's never does, for no host's name holds this sign."""
STANDBY_KEPT_MS: Final = 30_000
"""How long a standby that says nothing more stays in the book of standbys."""

Keyword = Literal["", "stop", "start", "yes"]
Standing = Literal["watching", "working", "retiring", "gone"]


def accept(
    event: Received,
    *,
    kind: Kind,
    conversation: str,
    sender: str,
    pair: str,
    settle_ms: int = 0,
    turns_per_hour: int = 60,
    keyword: Keyword = "",
) -> Call[Accepted]:
    """Take a message into its conversation, once; see `accept.lua`."""
    channel: Channel = "sms" if event.type == "sms_received" else "email"
    arguments = (
        event.id, channel, kind, conversation, sender, pair, codec.encode(event),
        DEDUPE_MS[channel], settle_ms, turns_per_hour, keyword, "",
    )  # fmt: skip
    return Call("accept", arguments, _accepted)


def ignore(message_id: str, channel: Channel, reason: str, *, conversation: str = "") -> Call[Accepted]:
    """Record a message that is not answered, with its reason and without its text; deduplicated like any other."""
    arguments = (message_id, channel, "text", conversation, "", "", "", DEDUPE_MS[channel], 0, 0, "", reason)
    return Call("accept", arguments, _accepted)


def refuse(channel: str, reason: str, status: int) -> Call[None]:
    """A ledger line for a request that was answered 4xx or 5xx; a flood of them is counted, not written out."""
    return Call("refuse", (channel, reason, status), _nothing)


def claim(conversation: str, token: str, turn: str, *, lease_ms: int, jitter: float | None = None) -> Call[Claim]:
    """Take the conversation's lease and get its turn. `token` is new for every run of a job, `turn` a new turn id."""
    arguments = (conversation, token, turn, lease_ms, lease_ms // 2, _jitter(jitter), MAX_TEXTS_PER_TURN, codec.SCHEMA_VERSION)
    return Call("claim", arguments, _claim)


def renew(conversation: str, token: str, *, lease_ms: int) -> Call[int]:
    """Extend the lease; the answer is its new end in ms, 0 when it is lost."""
    return Call("renew", (conversation, token, lease_ms), int)


def store_reply(
    conversation: str, token: str, turn: Turn, command: Response, *, retention_ms: int, figures: dict[str, int | str] | None = None
) -> Call[Stored]:
    """Store the turn's reply before anything is sent. `figures` (tokens, model, ms) go to the record and the ledger."""
    flat = [part for item in sorted((figures or {}).items()) for part in item]
    channel = "sms" if command.type == "send_sms_response" else "email"
    arguments = (conversation, token, turn.id, turn.reply_id, codec.encode(command), channel, retention_ms, *flat)
    return Call("store_reply", arguments, lambda raw: Stored(raw[0], more=raw[1] == "more"))


def sending(
    conversation: str, token: str, reply: str, attempt: str, *, send_ms: int, margin_ms: int, retention_ms: int,
    pause_wait_ms: int = 30_000, jitter: float | None = None,
) -> Call[Sending]:  # fmt: skip
    """Ask leave for one request to the provider, and store the attempt in the same step."""
    arguments = (conversation, token, reply, attempt, send_ms, margin_ms, pause_wait_ms, _jitter(jitter), retention_ms)
    return Call("sending", arguments, _sending)


def outcome(
    reply: str, attempt: str, result: Literal["accepted", "refused", "absent"], *, retention_ms: int, provider_id: str = "", code: str = ""
) -> Call[Outcome]:
    """Record what the provider answered to an attempt; never fenced, never thrown away."""
    return Call("outcome", (reply, attempt, result, provider_id, code, retention_ms), _outcome)


def status(
    provider_id: str, state: Literal["sent", "delivered", "undelivered", "failed"], *, retention_ms: int,
    reply: str = "", attempt: str = "", code: str = "",
) -> Call[Outcome]:  # fmt: skip
    """Record a delivery report; it also proves that the attempt was accepted. Order and repeats do not matter."""
    return Call("status", (reply, attempt, provider_id, state, code, retention_ms), _outcome)


def finish(
    conversation: str, token: str, *, retention_ms: int, state: Literal["answered", "ignored"] = "answered", reason: str = ""
) -> Call[Closed]:
    """Close the turn: remove exactly its messages, give up the lease, say whether messages remain."""
    return Call("finish", (conversation, token, state, reason, retention_ms), _closed)


def backoff(conversation: str, token: str, delay_ms: int, reason: str, *, counted: bool) -> Call[Closed]:
    """Give up the lease until `delay_ms` from now. `counted` adds one error to each message of the turn."""
    return Call("backoff", (conversation, token, delay_ms, reason, int(counted)), _closed)


def park(conversation: str, token: str, reason: str, *, looked_up: bool, retention_ms: int, notice: str = "") -> Call[Closed]:
    """Set the turn's messages aside, visibly, and free the conversation. `notice` names a sentence to tell the user."""
    return Call("park", (conversation, token, reason, int(looked_up), notice, retention_ms), _closed)


def retry(message: str, operation: str, *, retention_ms: int = 90 * DAY_MS) -> Call[Retried]:
    """Append a parked message at the tail again; `operation` is a new id, so that the call can be repeated.

    `retention_ms` is for its old reply, which nobody sends any more.
    """
    return Call("retry", (message, operation, retention_ms), _retried)


def discard(message: str, operation: str, *, retention_ms: int) -> Call[Retried]:
    """End a parked message as `ignored(discarded)`."""
    return Call("discard", (message, operation, retention_ms), _retried)


def hand_over(message: str, *, retention_ms: int) -> Call[str]:
    """An old bridge client answers this message itself. The answer is the message's state, or `replied`."""
    return Call("hand_over", (message, retention_ms), str)


def sweep(*, recheck_ms: int, oldest_wait_ms: int = 0) -> Call[tuple[Due, ...]]:
    """The conversations to wake now, at most 100, oldest first; `oldest_wait_ms` is the queue's."""
    arguments = (SWEEP_LIMIT, recheck_ms, max(WAKE_FLOOR_MS, 2 * oldest_wait_ms))
    return Call("sweep", arguments, lambda raw: tuple(Due(conv, channel) for conv, channel in raw))


def opt_out(pair: str, *, out: bool) -> Call[None]:
    """Record that a user does, or does not, want texts from a Boss number."""
    return Call("opt_out", (pair, int(out)), _nothing)


def pause(reason: str) -> Call[bool]:
    """Pause all sending; True when it was not paused before, so that the alarm sounds once."""
    return Call("pause", (reason,), bool)


def resume() -> Call[bool]:
    """End the pause; True when there was one."""
    return Call("resume", (), bool)


def standby(name: str, standing: Standing, shift: str, *, queue: str) -> Call[dict[str, str]]:
    """Say how a standby stands and under which name it works (`shift`, "" for none); the answer is each regular worker's last heartbeat."""
    return Call("standby", (name, standing, shift, queue, STANDBY_KEPT_MS), _beats)


def message_from(record: dict[str, Any], *, age_ms: int = 0) -> Message:
    """A message from its record's fields."""
    return Message(
        id=record["id"],
        conversation=record.get("conv", ""),
        kind=cast("Kind", record.get("kind") or "text"),
        state=MessageState(record["state"]),
        event=_event(record.get("event") or ""),
        reason=record.get("reason", ""),
        notice=record.get("notice", ""),
        errors=int(record.get("errors") or 0),
        lost=int(record.get("lost") or 0),
        age_ms=int(record.get("age", age_ms)),
        accepted_at=int(record.get("accepted_at") or 0),
        turn=record.get("turn", ""),
        maybe_duplicate=record.get("maybe_duplicate") == "1",
    )


def reply_from(record: dict[str, Any]) -> Reply:
    """A reply from its record's fields."""
    return Reply(
        id=record["id"],
        conversation=record["conv"],
        turn=record["turn"],
        command=cast("Response", codec.decode(record["command"])),
        state=ReplyState(record["state"]),
        attempts=tuple(_attempt(item) for item in codec.loads(record.get("attempts") or "[]") or []),
        maybe_sent=record.get("maybe_sent") == "1",
        maybe_duplicate=record.get("maybe_duplicate") == "1",
    )


def _event(text: str) -> Received | None:
    """The event of a record; None for one whose body expired or cannot be read (its message is parked)."""
    try:
        return cast("Received", codec.decode(text)) if text else None
    except BadInput:
        return None


def _jitter(value: float | None) -> float:
    return random.random() if value is None else value  # noqa: S311 - spreads retries, guards nothing


def _beats(raw: Any) -> dict[str, str]:
    """Of all workers; one whose record has expired has none, and a standby's own says nothing about the regular ones."""
    found = zip(raw[::2], raw[1::2], strict=True)
    named = {key.removeprefix("rq:worker:"): beat for key, beat in found if beat}
    return {name: beat for name, beat in named.items() if not name.startswith(STANDBY)}


def _nothing(_raw: Any) -> None:
    return None


def _attempt(item: dict[str, Any]) -> Attempt:
    return Attempt(item["id"], int(item["at"]), item["outcome"], item["provider_id"], item["code"])


def _accepted(raw: Any) -> Accepted:
    return Accepted(raw[0], raw[1])


def _closed(raw: Any) -> Closed:
    return Closed(raw)


def _retried(raw: Any) -> Retried:
    return Retried(raw[0], raw[1], raw[2])


def _outcome(raw: Any) -> Outcome:
    return Outcome(ReplyState(raw[0]) if raw[0] else None, decided=raw[1] == "1")


def _sending(raw: Any) -> Sending:
    attempt = _attempt(codec.loads(raw[1])) if raw[1] else None
    return Sending(raw[0], attempt, more=raw[2] == "more")


def _claim(raw: Any) -> Claim:
    if raw[0] != "taken":
        return Claim(raw[0])
    view = codec.loads(raw[1])
    reply = reply_from(view["reply"]) if view.get("reply") else None
    messages = tuple(message_from(record) for record in view["messages"] or [])
    return Claim("taken", int(view["lease_end"]), int(view["now"]), Turn(view["turn"], messages, reply))
