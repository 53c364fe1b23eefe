"""All records of one person, found by their indexes: what they wrote and what was said to them, and what others were asked for them.

Where an older version may have left something that no index leads to, all records are looked through as well. That takes a while on a large
server and blocks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar, cast

from redis import Redis

from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.call import DAY_MS
from shared.mailbox.calls.indexes import END, progress_from
from shared.mailbox.records import attempts_from, reply_id_of
from shared.model import codec

T = TypeVar("T")
BATCH_SIZE: Final = 500
EVER: Final = 10**15
"""Ms of Redis TIME, long after any."""
_KINDS: Final[dict[keys.Record, str]] = {"msg": "event", "turn": "messages", "reply": "command"}
"""The kinds of records, by the names of their keys, with the field that tells whose a record of an older version is."""
_MADE: Final[dict[keys.Record, str]] = {"msg": "accepted_at", "turn": "formed_at", "reply": "stored_at"}


@dataclass(frozen=True, slots=True)
class Whose:
    """The person whose records are looked for: the id of their entry, the same as Redis has it, and the ids of their addresses."""

    entry: str
    user: str
    senders: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A message (`msg`), a turn or a reply. `sender` and `pair` are ids, "" where the record does not say."""

    kind: keys.Record
    id: str
    conversation: str
    pair: str
    sender: str = ""
    under_way_ms: int = 0
    """The time of its newest attempt that nobody has heard of, in ms of Redis TIME; 0 without one."""


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """One look for the records of a person that were made until `until_ms`; `retention_ms` is how long records are kept at most."""

    redis: Redis
    whose: Whose
    retention_ms: int
    until_ms: int = EVER

    def records(self) -> Iterator[PersonRecord]:
        """Every record, each once: a message before its turns and their replies."""
        found: set[str] = set()
        for record in self._by_index():
            found.add(record.id)
            yield record
        if self.is_upgraded():
            yield from (record for record in self._by_looking_through() if record.id not in found)

    def is_upgraded(self) -> bool:
        """Whether an older version may have left what no index leads to."""
        raw = cast("dict[bytes, bytes]", self.redis.hgetall(keys.INDEXING))
        progress = progress_from({name.decode(): value.decode() for name, value in raw.items()})
        if progress.at != END:
            return True
        return progress.there > 0 and now_ms(self.redis) - progress.moved_ms < self.retention_ms + 2 * DAY_MS

    def _by_index(self) -> Iterator[PersonRecord]:
        known: set[str] = set()
        own = self.whose.user
        indexes: list[tuple[str, Callable[[str], bool]]] = [
            (keys.index(own), lambda user: user in ("", own)),
            (keys.beside(own), lambda _: True),  # what others were asked for them is in a record of those
            *((keys.index(sender), lambda user: user == "") for sender in self.whose.senders),  # of who was nobody's, or not believed
        ]
        for name, is_theirs in indexes:
            for messages in batches(self._listed(name)):
                yield from self._with_turns(messages, known, is_theirs)

    def _listed(self, index: str) -> Iterator[str]:
        return (name.decode() for name in cast("list[bytes]", self.redis.zrangebyscore(index, 0, self.until_ms)))

    def _with_turns(self, messages: list[str], known: set[str], is_theirs: Callable[[str], bool]) -> Iterator[PersonRecord]:
        fields = ("id", "conv", "pair", "sender", "user", "turn", "turns")
        turns: list[str] = []
        for raw in self._read("msg", messages, fields):
            name, conversation, pair, sender, user, turn, before = raw
            if not name or name in known or not is_theirs(user):
                continue
            known.add(name)
            yield PersonRecord("msg", name, conversation, pair, sender)
            turns += [each for each in dict.fromkeys([*before.split(), turn]) if each and each not in known]
            known.update(turns)
        for some in batches(turns):
            for name, conversation, pair in self._read("turn", some, ("id", "conv", "pair")):
                if name:
                    yield PersonRecord("turn", name, conversation, pair)
            replies = [reply_id_of(turn) for turn in some]
            for name, conversation, pair, attempts in self._read("reply", replies, ("id", "conv", "pair", "attempts")):
                if name:
                    yield PersonRecord("reply", name, conversation, pair, under_way_ms=_under_way(attempts))

    def _by_looking_through(self) -> Iterator[PersonRecord]:
        messages: set[str] = set()
        for kind, field_name in _KINDS.items():
            fields = ("id", "conv", "pair", "sender", "user", _MADE[kind], field_name, "attempts")
            for batch in batches(self.redis.scan_iter(match=keys.record(kind, "*"), count=BATCH_SIZE)):
                names = [cast("bytes", key).decode().removeprefix(keys.record(kind, "")) for key in batch]
                for name, conversation, pair, sender, owner, made, content, attempts in self._read(kind, names, fields):
                    if not name or int(made or 0) > self.until_ms:
                        continue
                    if not (owner == self.whose.user if owner else _is_of(content, self.whose.entry, messages)):
                        continue
                    if kind == "msg":
                        messages.add(name)
                    yield PersonRecord(kind, name, conversation, pair, sender, _under_way(attempts))

    def _read(self, kind: keys.Record, names: Iterable[str], fields: tuple[str, ...]) -> list[list[str]]:
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(keys.record(kind, name), fields)
            rows: list[list[Any]] = pipeline.execute()
        return [[value.decode() if value else "" for value in row] for row in rows]


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """At most `BATCH_SIZE` at a time."""
    left = iter(items)
    while batch := list(islice(left, BATCH_SIZE)):
        yield batch


def now_ms(redis: Redis) -> int:
    """The server's time."""
    seconds, micros = redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


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
