"""What Twilio calls the texts of a person, in both directions: read from their records before these go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.records import attempts_from
from shared.model import codec
from shared.model.channels import CHANNELS
from shared.model.events import Received
from shared.model.sms_admission import sms_id
from shared.operations.person_records import PersonRecord, batches

PROVIDER = "twilio"


@dataclass
class TextIds:
    """Twilio's ids of what was texted, as far as records say so."""

    redis: Redis
    found: set[str] = field(default_factory=set)

    def add(self, records: Iterable[PersonRecord]) -> None:
        """Read them from these records. Raises RedisError."""
        for some in batches(records):
            messages = [keys.message(record.id) for record in some if record.kind == "msg"]
            replies = [keys.reply(record.id) for record in some if record.kind == "reply"]
            for channel, provider_id, event in _read(self.redis, messages, ("channel", "provider_id", "event")):
                if _is_text(channel):
                    self.found.update({provider_id, _name_of(event)} - {""})
            for channel, attempts in _read(self.redis, replies, ("channel", "attempts")):
                if _is_text(channel):
                    self.found.update({attempt.provider_id for attempt in attempts_from(attempts)} - {""})


def of_others(redis: Redis, account: str, sids: Iterable[str], user: str) -> set[str]:
    """Those of Twilio's ids that belong to another user here; `user` is an entry's id. Raises RedisError."""
    found: set[str] = set()
    for some in batches(sids):
        client: Any = redis
        owners = [owner.decode() if owner else "" for owner in client.mget([keys.provider(sid) for sid in some])]
        received = _read(redis, [keys.message(sms_id(account, sid)) for sid in some], ("user",))
        sent = _read(redis, [keys.reply(owner) for owner in owners], ("user",))
        found.update(sid for sid, (own,), (answered,) in zip(some, received, sent, strict=True) if {own, answered} - {"", user})
    return found


def _is_text(channel: str) -> bool:
    return channel in CHANNELS and CHANNELS[channel].provider == PROVIDER


def _name_of(content: str) -> str:
    """The provider's id in an event; "" where it cannot be read."""
    try:
        event = codec.decode(content) if content else None
    except BadInput:
        return ""
    return event.provider_name if isinstance(event, Received) else ""


def _read(redis: Any, names: list[str], fields: tuple[str, ...]) -> list[list[str]]:
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hmget(name, fields)
        return [[value.decode() if value else "" for value in row] for row in pipeline.execute()]
