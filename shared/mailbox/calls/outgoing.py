"""What a program, or the operator, has the Boss write: taking it in, and letting go what quiet hours held back. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.mailbox.call import DAY_MS, Call, Wake
from shared.mailbox.calls.acceptance import MAX_OPEN
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.events import Received
from shared.model.outgoing import OutgoingMessage, Said

Released = Literal["put", "held", "gone", "again", "address_removed", "expired", "opted_out"]
MOST_A_DAY: Final = 20
"""Messages that a token may have written to one person within a day; `outgoing.lua` counts them."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The verdict on such a message. `replayed`: the key led to the message `id` before; `key_reused`: to another one.

    `reason` is of what is `refused`, which left nothing behind, or `ignored`; after `wait_ms` a token's bound has room again.
    """

    outcome: Literal["accepted", "duplicate", "replayed", "key_reused", "refused", "ignored", "full"]
    id: str = ""
    reason: str = ""
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """How a message reaches its person now: the event of its two ends, and ids made of them; nothing where they cannot be reached."""

    event: Received | None = None
    conversation: str = ""
    sender: str = ""
    pair: str = ""
    wake: Wake = ()

    def arguments(self) -> dict[str, str]:
        """As the scripts take them."""
        encoded = codec.encode(self.event) if self.event else ""
        return {"conv": self.conversation, "sender": self.sender, "pair": self.pair, "event": encoded}


NO_ROUTE: Final = Route()
Spans = Iterable[tuple[int, int]]


def outgoing(
    message: OutgoingMessage, route: Route, user: str, *, key: str = "", body: str = "", quiet: Spans = (), max_open: int = MAX_OPEN,
    retention_ms: int = 90 * DAY_MS, age_ms: int = 0,
) -> Call[Outgoing]:  # fmt: skip
    """Take such a message in, once; see `outgoing.lua`. `user` is the id of its person's entry, as records have it.

    `key` and `body` are digests of the caller's Idempotency-Key and of what was asked for. `age_ms` is of what has waited on disk.
    """
    said = Said(message.text, message.source)
    arguments: dict[str, str | int] = {
        "id": message.id, "channel": message.channel, "user": user, **route.arguments(), "said": said.record(), "token": message.token,
        "urgent": int(message.urgent), "expires": message.expires_ms, "key": key, "body": body, "quiet": _spelled(quiet), "most": max_open,
        "kept": retention_ms, "mark": retention_ms, "age": age_ms,
    }  # fmt: skip
    return Call("outgoing", arguments, _outgoing, route.wake)


def release(
    message_id: str, channel: Channel, read_ms: int, route: Route, user: str, *, quiet: Spans = (), retention_ms: int = 90 * DAY_MS
) -> Call[Released]:  # fmt: skip
    """The time of a message has come that quiet hours held back; see `release.lua`."""
    arguments: dict[str, str | int] = {
        "id": message_id, "channel": channel, "read_at": read_ms, "user": user, **route.arguments(), "quiet": _spelled(quiet),
        "kept": min(retention_ms, CHANNELS[channel].kept_days * DAY_MS),
    }  # fmt: skip
    return Call("release", arguments, str, route.wake)  # type: ignore[arg-type] # the script's own words


def _spelled(quiet: Spans) -> str:
    return " ".join(f"{begins}-{ends}" for begins, ends in quiet)


def _outgoing(raw: Any) -> Outgoing:
    outcome, second, *rest = raw
    if outcome in ("refused", "ignored"):
        return Outgoing(outcome, reason=second, wait_ms=int(rest[0]) if rest else 0)
    return Outgoing(outcome, second)
