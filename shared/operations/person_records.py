"""All records of one user: found by looking through all that there are, so that none depends on an index that an older version lacked.

That takes a while on a large server and blocks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from redis import Redis

from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.records import attempts_from
from shared.model import codec

T = TypeVar("T")
BATCH_SIZE: Final = 500
_KINDS: Final[dict[keys.Record, str]] = {"msg": "event", "turn": "messages", "reply": "command"}
"""The kinds of records, by the names of their keys, with the field that tells whose a record of an older version is."""


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A message (`msg`), a turn or a reply."""

    kind: str
    id: str
    conversation: str
    pair: str
    under_way_ms: int
    """The time of its newest attempt that nobody has heard of, in ms of Redis TIME; 0 without one."""


def records_of(redis: Redis, entry: str, user: str) -> Iterator[PersonRecord]:
    """Every record of this user, messages first: an older turn is known by its messages.

    `entry` is their id, `user` the same as Redis has it.
    """
    messages: set[str] = set()
    for kind, field_name in _KINDS.items():
        for batch in batches(redis.scan_iter(match=keys.record(kind, "*"), count=BATCH_SIZE)):
            with redis.pipeline(transaction=False) as pipeline:
                for key in batch:
                    pipeline.hmget(key, ["id", "conv", "pair", "user", field_name, "attempts"])
                for _, raw in zip(batch, pipeline.execute(), strict=True):
                    name, conversation, pair, owner, content, attempts = (value.decode() if value else "" for value in raw)
                    if not name or not (owner == user if owner else _is_of(content, entry, messages)):
                        continue
                    if kind == "msg":
                        messages.add(name)
                    yield PersonRecord(kind, name, conversation, pair, _under_way(attempts))


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """At most `BATCH_SIZE` at a time."""
    left = iter(items)
    while batch := list(islice(left, BATCH_SIZE)):
        yield batch


def _is_of(content: str, entry: str, messages: set[str]) -> bool:
    """Whose a record is that does not say it: a message's event and a reply's command name the user, a turn its messages."""
    try:
        if not content:
            return False
        if content.startswith("["):
            return not messages.isdisjoint(codec.loads(content) or ())
        found: Any = codec.decode(content)
        return getattr(found, "user", None) == entry
    except (BadInput, TypeError):
        return False


def _under_way(attempts: str) -> int:
    return max((attempt.at for attempt in attempts_from(attempts) if not attempt.outcome), default=0)
