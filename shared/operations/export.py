"""All that is kept of one person, as one archive: a JSON document, and the files of theirs that are still kept.

Everything is read and nothing changed. It holds texts, numbers and addresses: it is written for the person's own eyes, readable by its
owner alone.
"""

from __future__ import annotations

import os
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import Mailbox, keys
from shared.mailbox.books import read_books
from shared.mailbox.records import Message, Reply, reply_id_of
from shared.model import codec
from shared.model.channels import CHANNELS
from shared.model.events import EmailReceived, SendEmailResponse
from shared.model.files import File
from shared.model.prices import MICROS_PER_DOLLAR
from shared.model.users import User
from shared.operations.errors import NotPossible
from shared.operations.export_keys import stored_keys
from shared.operations.people import People
from shared.operations.person_ids import gather
from shared.operations.person_records import PersonRecords, batches

VERSION: Final = 1
"""Of the document's form."""
DOCUMENT: Final = "everything.json"
KEYS: Final = "keys.json"
"""The same, and the rest, as it is stored."""
MAX_SUFFIX: Final = 8

JsonObject = dict[str, Any]


@dataclass
class Exported:
    """What is in an archive, in figures."""

    messages: int = 0
    replies: int = 0
    conversations: int = 0
    facts: int = 0
    lists: int = 0
    reminders: int = 0
    files: int = 0
    gone: list[str] = field(default_factory=list)
    """Names of files that are not kept any more."""
    wanted: list[tuple[File, str]] = field(default_factory=list)
    """The files that messages name, each with its name in the archive."""


def export_person(redis: Redis, people: People, username: str, path: Path, *, retention_ms: int) -> Exported:
    """Write all that is kept of a user to a new zip archive. Raises NotPossible `unknown_user`, OSError or RedisError.

    `retention_ms` is how long records are kept at most.
    """
    exported, records = Exported(), PersonRecords(redis, people.whose(username), retention_ms)
    entry = next((each for each in people.users if each.username == username), None)
    document = _document(records, people, username, exported)
    if not any((exported.messages, exported.replies, exported.facts, exported.lists, exported.reminders)):
        raise NotPossible("nothing is kept of that name", "unknown_user")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, name in exported.wanted:
            content = _content(redis, file)
            if content is None:
                exported.gone.append(file.name)
                continue
            archive.writestr(name, content)
            exported.files += 1
        archive.writestr(DOCUMENT, codec.dumps(document))
        archive.writestr(KEYS, codec.dumps(list(stored_keys(redis, gather(records, people.pairs(entry) if entry else ())))))
    return exported


def _document(look: PersonRecords, people: People, username: str, exported: Exported) -> JsonObject:
    redis, user = look.redis, look.whose.user
    client = cast("Any", redis)
    person = (client.hget(keys.PEOPLE, user) or b"").decode()
    entry = next((each for each in people.users if each.username == username), None)
    conversations = _conversations(look, exported)
    facts, lists = (list(_entries(client, of(person))) if person else [] for of in (keys.facts_of, keys.lists_of))
    reminders = [*_reminders(client, keys.reminders_of(person)), *_reminders(client, keys.rung_of(person))] if person else []
    exported.facts, exported.lists, exported.reminders = len(facts), len(lists), len(reminders)
    return {
        "version": VERSION,
        "exported_at": _time(int(client.time()[0]) * 1000),
        "person": _person(entry) if entry else {"username": username},
        "facts": [{**each, "at": _time(each["at"])} for each in facts],
        "lists": [_list(client, person, each) for each in lists],
        "reminders": reminders,
        "spending": _spending(redis, user),
        "questions": list(_questions(client, user)),
        "always_allowed": [
            {"what": what.decode(), "at": _time(at.decode())} for what, at in client.hgetall(keys.always_of(person)).items()
        ],
        "opted_out": sorted(_opted_out(client, people, entry)) if entry else [],
        "conversations": conversations,
    }


def _person(entry: User) -> JsonObject:
    found = {
        name: getattr(entry, name)
        for name in ("username", "name", "phone", "email", "boss_phone", "boss_email", "timezone", "language", "role", "shared")
    }
    return {name: value if isinstance(value, bool) else str(value or "") for name, value in found.items()} | {
        "email_aliases": [alias.value for alias in entry.email_aliases],
        "forwarding": [each.address.value for each in entry.forwarding],
    }


def _opted_out(client: Any, people: People, entry: User) -> Iterator[str]:
    for channel in CHANNELS:
        if (ends := entry.ends(channel)) and client.exists(keys.opt_out(people.identities.pair(*ends))):
            yield channel


def _entries(client: Any, key: str) -> Iterator[JsonObject]:
    """The entries of a hash of facts, lists or items, in the order of their numbers; one field is the number of the newest."""
    found = [codec.loads(value) for name, value in client.hgetall(key).items() if name != b"next"]
    return iter(sorted(found, key=lambda each: int(str(each["id"]).rpartition(".")[2].lstrip("f"))))


def _list(client: Any, person: str, head: JsonObject) -> JsonObject:
    items = _entries(client, keys.items_of(person, head["id"]))
    return {
        "name": head["name"],
        "begun_at": _time(head["at"]),
        "items": [
            {"text": item["text"], "done": item["done"], "at": _time(item["at"]), "channel": item["channel"], "of_others": item["marked"]}
            for item in items
        ],
    }


def _reminders(client: Any, key: str) -> Iterator[JsonObject]:
    for name in client.zrange(key, 0, -1):
        record = {field.decode(): value.decode() for field, value in client.hgetall(keys.reminder(name.decode())).items()}
        if record:
            told = ("id", "text", "kind", "channel", "state", "local", "zone", "recurrence", "source")
            times = {"due": _time(record.get("due")), "created_at": _time(record.get("created_at"))}
            yield {name: record.get(name, "") for name in told} | times | {"of_others": record.get("marked") == "1"}


def _questions(client: Any, user: str) -> Iterator[JsonObject]:
    """What they asked for that needed a yes, with the arguments of its calls; not what they were asked on behalf of another person."""
    for name in client.zrange(keys.approvals_of(user), 0, -1):
        record = {field.decode(): value.decode() for field, value in client.hgetall(keys.approval(name.decode())).items()}
        if record.get("user") == user:
            yield {"at": _time(record.get("at")), "state": record.get("state", ""), "calls": codec.loads(record.get("calls") or "[]")}


def _summaries(client: Any, conversation: str, user: str) -> Iterator[str]:
    for key in keys.summaries_of(conversation):
        whose, text = client.hmget(key, "user", "text")
        if text and whose and whose.decode() == user:
            yield text.decode()


def _spending(redis: Redis, user: str) -> JsonObject:
    """The day's and the month's, which are all that is kept of a person's."""
    books = next((each for each in read_books(redis).persons if each.person == user), None)
    if books is None:
        return {}
    periods = (("today", books.day), ("month", books.month))
    return {name: {"dollars": used.money / MICROS_PER_DOLLAR, "tokens": used.tokens} for name, used in periods}


def _conversations(look: PersonRecords, exported: Exported) -> list[JsonObject]:
    mailbox, user = Mailbox(look.redis), look.whose.user
    messages: dict[str, list[Message]] = defaultdict(list)
    replies: dict[str, Reply] = {}
    found = list(look.records())
    for some in batches([record.id for record in found if record.kind == "msg"]):
        for message in mailbox.messages(some):
            if message is not None and message.user in ("", user):  # else somebody else's, who was asked for them
                messages[message.conversation].append(message)
                exported.messages += 1
    for record in found:
        if record.kind == "reply" and (reply := mailbox.reply(record.id)) is not None and reply.command.user == look.whose.entry:
            replies[reply.id] = reply
            exported.replies += 1
    told = [
        _conversation(name, said, replies, exported) | {"summaries": list(_summaries(mailbox.redis, name, user))}
        for name, said in messages.items()
    ]
    # Of these the messages have gone.
    left = [_reply(reply) | {"conversation": reply.conversation} for reply in replies.values()]
    exported.conversations = len(told)
    return [*sorted(told, key=lambda each: str(each["messages"][0]["at"])), *([{"id": "", "answers_alone": left}] if left else [])]


def _conversation(name: str, said: list[Message], replies: dict[str, Reply], exported: Exported) -> JsonObject:
    said.sort(key=lambda message: (message.accepted_at, message.id))
    entries = []
    for message in said:
        entry = _message(message, exported)
        reply = replies.pop(reply_id_of(message.turn), None) if message.turn else None
        entries.append(entry | ({"answer": _reply(reply)} if reply else {}))
    return {"id": name, "channel": said[0].channel, "messages": entries}


def _message(message: Message, exported: Exported) -> JsonObject:
    event = message.event
    entry: JsonObject = {"id": message.id, "at": _time(message.accepted_at), "kind": message.kind, "state": str(message.state)}
    told = {"reason": message.reason, "notice": message.notice, "command": message.command, "written_by_program": message.said.shown}
    entry |= {name: value for name, value in told.items() if value}
    if message.rings:
        entry["reminders"] = [ring.text for ring in message.rings]
    if event is None:
        return entry
    entry |= {"from": str(event.from_), "to": str(event.to), "text": event.text}
    if event.marks:
        entry["of_others"] = [{"kind": mark.kind, "start": mark.start, "end": mark.end, "source": mark.source} for mark in event.marks]
    if isinstance(event, EmailReceived):
        entry["subject"] = event.subject
        if event.via:
            entry |= {"forwarding_address": event.via, "author": event.author}
    if event.files:
        entry["files"] = [_file(file, exported) for file in event.files]
    if message.extracts:
        entry["read_in_files"] = [{"name": name, "text": text} for name, text in message.extracts]
    return entry


def _file(file: File, exported: Exported) -> JsonObject:
    told: JsonObject = {"name": file.name, "content_type": file.content_type, "bytes": file.size}
    if not file.key:
        return told | {"not_kept": file.fault}
    name = f"files/{file.key}{_suffix(file.name)}"
    exported.wanted.append((file, name))
    return told | {"file": name}


def _suffix(name: str) -> str:
    """The end of a file's name, where it is a plain one: the rest may hold anything."""
    end = name.rpartition(".")[2]
    return f".{end.lower()}" if "." in name and end.isascii() and end.isalnum() and len(end) <= MAX_SUFFIX else ""


def _reply(reply: Reply) -> JsonObject:
    command = reply.command
    subject = {"subject": command.subject} if isinstance(command, SendEmailResponse) else {}
    told = {"id": reply.id, "at": _time(reply.stored_at), "state": str(reply.state), "from": str(command.from_), "to": str(command.to)}
    rest = {"left_out": command.rest} if command.rest else {}
    return {**told, **subject, "text": command.text, **rest, "by_program": bool(reply.by_code or reply.answers), "of_others": reply.mixed}


def _content(redis: Redis, file: File) -> bytes | None:
    """A file's content from its pieces; None where it is not kept any more."""
    pieces = cast("dict[bytes, bytes]", redis.hgetall(keys.file(file.key)))
    content = b"".join(pieces[number] for number in sorted(pieces, key=int))
    return content if pieces and len(content) == file.size else None


def _time(ms: object) -> str:
    """UTC, to the second; '' for a time that is not known."""
    number = int(str(ms or 0))
    return datetime.fromtimestamp(number / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if number else ""
