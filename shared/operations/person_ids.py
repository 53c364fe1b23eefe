"""The ids of which one person's keys are made, gathered by the person's indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.mailbox import keys
from shared.mailbox.key_names import key
from shared.mailbox.records import attempts_from
from shared.operations.person_records import PersonRecord, PersonRecords, batches, now_ms


@dataclass
class PersonIds:
    """The ids, as far as they are known. `person` is "" for somebody for whom nothing was done yet; `now_ms` is the server's time."""

    entry: str
    user: str
    person: str = ""
    now_ms: int = 0
    senders: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)
    conversations: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    replies: set[str] = field(default_factory=set)
    provider_ids: set[str] = field(default_factory=set)
    reminders: set[str] = field(default_factory=set)
    approvals: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    model_calls: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    idempotency: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)
    """Those that hold, or held, a conversation of theirs."""
    threads: set[str] = field(default_factory=set)
    """Whole keys: the names by which mails find their conversations."""


def gather(records: PersonRecords, pairs: Iterable[str] = ()) -> PersonIds:
    """All ids of a person. `pairs` are those of the entry, which may have said nothing yet. Raises RedisError."""
    redis: Any = records.redis
    ids = PersonIds(records.whose.entry, records.whose.user, _text(redis.hget(keys.PEOPLE, records.whose.user)), now_ms(redis))
    ids.senders.update(records.whose.senders)
    ids.pairs.update(pairs)
    for some in batches(records.records()):
        _add_records(redis, ids, some)
    _add_conversations(redis, ids)
    _add_what_hangs_on_the_person(redis, ids)
    _add_approvals(redis, ids)
    _add_model_calls(redis, ids)
    return ids


def _add_records(redis: Any, ids: PersonIds, records: list[PersonRecord]) -> None:
    of_kind = {kind: [record.id for record in records if record.kind == kind] for kind in ("msg", "turn", "reply")}
    ids.messages.update(of_kind["msg"])
    ids.turns.update(of_kind["turn"])
    ids.replies.update(of_kind["reply"])
    for record in records:
        ids.conversations.update(_known(record.conversation))
        ids.senders.update(_known(record.sender))
        ids.pairs.update(_known(record.pair))
    for files, operation, request, process, index, approval, idempotency in _read(redis, map(keys.message, of_kind["msg"]), _OF_MESSAGE):
        ids.files.update(files.split())
        ids.requests.update(_known(operation, request))
        ids.processes.update(_known(process))
        ids.indexes.update(index.split())
        ids.approvals.update(_known(approval))
        ids.idempotency.update(_known(idempotency))
    for attempts, approval in _read(redis, map(keys.reply, of_kind["reply"]), ("attempts", "approval")):
        ids.provider_ids.update(_known(*(attempt.provider_id for attempt in attempts_from(attempts))))
        ids.approvals.update(_known(approval))


def _add_conversations(redis: Any, ids: PersonIds) -> None:
    names = sorted(ids.conversations)
    for holder, model_call in _read(redis, map(keys.conversation, names), ("holder", "call")):
        ids.processes.update(_known(holder))
        ids.model_calls.update(_known(model_call))
    for name in names:
        ids.threads.update(_texts(redis.zrange(key("threads") + name, 0, -1)))
    ids.indexes.update((ids.user, keys.beside(ids.user).removeprefix(key("index")), *ids.senders, *names))


def _add_what_hangs_on_the_person(redis: Any, ids: PersonIds) -> None:
    ids.files.update(_text(name) for name, entry in redis.hgetall(keys.FILES).items() if _text(entry).endswith(f" {ids.user}"))
    if ids.person:
        for source in (keys.reminders_of(ids.person), keys.rung_of(ids.person)):
            ids.reminders.update(_texts(redis.zrange(source, 0, -1)))
        ids.lists.update(_texts(redis.hkeys(keys.lists_of(ids.person))) - {"next"})


def _add_approvals(redis: Any, ids: PersonIds) -> None:
    """Questions that they asked for, or were asked. A record that a shared number leads to may be somebody else's."""
    for source in (keys.approvals_of(ids.user), *(key("asked") + pair for pair in ids.pairs)):
        ids.approvals.update(_texts(redis.zrange(source, 0, -1)))
    names = sorted(ids.approvals)
    ids.approvals.clear()
    for name, (user, approver, code) in zip(names, _read(redis, map(keys.approval, names), ("user", "approver", "code")), strict=True):
        if ids.user in (user, approver):
            ids.approvals.add(name)
        if ids.user == approver:
            ids.codes.add(code)


def _add_model_calls(redis: Any, ids: PersonIds) -> None:
    """Calls that are under way, or of which nobody has told: their records name the person's books, their address and conversation."""
    theirs = {ids.person, ids.user, *ids.senders, *ids.conversations} - {""}
    for source in (key("reserved"), key("ended")):
        for name in _texts(redis.zrange(source, 0, -1)):
            if not theirs.isdisjoint(_text(redis.get(key("call") + name)).replace(":", " ").split()):
                ids.model_calls.add(name)


_OF_MESSAGE = ("files", "operation", "request", "doubted_by", "index", "approval", "key")


def _read(redis: Any, names: Iterable[str], fields: tuple[str, ...]) -> list[list[str]]:
    """Fields of records, in one round trip."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hmget(name, fields)
        return [[_text(value) for value in row] for row in pipeline.execute()]


def _known(*values: str) -> set[str]:
    return {*values} - {""}


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


def _texts(values: Iterable[bytes]) -> set[str]:
    return {value.decode() for value in values}
