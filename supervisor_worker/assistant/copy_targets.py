"""Where a copy goes: the other channel of the person whose turn it is, and nowhere else. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from shared.model import codec
from shared.model.addresses import Channel, Identities
from shared.model.channels import CHANNELS
from shared.model.users import User
from shared.model.words import said
from supervisor_worker.assistant.tools.tool import Arguments
from supervisor_worker.channels.formats import FORMATS


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """The person of a turn on `channel`; `at` is when they asked, in epoch seconds."""

    user: User | None
    identities: Identities
    turn: str
    channel: Channel
    at: float

    def added(self, arguments: Arguments, call: str) -> Arguments:
        """The arguments with the message that the copy will be (`to`); None where the person has no other channel."""
        return {**arguments, "to": self._to(call)}

    def _to(self, call: str) -> dict[str, Any] | None:
        other = next((name for name in CHANNELS if name != self.channel and self.user is not None and self.user.ends(name)), None)
        if self.user is None or other is None or self.user.bridge_only or (ends := self.user.ends(other)) is None:
            return None
        name = "m-" + hashlib.sha256(f"copy\x1f{self.turn}\x1f{call}".encode()).hexdigest()[:24]
        event = FORMATS[other].notice_event(ends, name, self.user.id, said("copy_subject", self.user.language), self.at)
        return {
            "message": name,
            "conv": self.identities.conversation(event.key()),
            "channel": other,
            "pair": self.identities.pair(event.to, event.from_),
            "sender": self.identities.sender(event.from_),
            "event": codec.encode(event),
        }
