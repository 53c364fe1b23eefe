"""What is known of a person beside the conversation that a question is of. No I/O.

Facts (`facts.lua` has the rules; the tools change them by `step`), the last exchanges of their other conversations, and a search
through all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.mailbox.call import DAY_MS, Arguments, Call
from shared.mailbox.records import Message, Reply, message_from, reply_from
from shared.model import approvals
from shared.model.approvals import ApprovalCall

ELSEWHERE_MS: Final = 14 * DAY_MS
"""How old an exchange of another conversation may be that a question shows."""


@dataclass(frozen=True, slots=True)
class RememberedFact:
    """A fact: its id, what it says, when it was said (ms of Redis TIME) and on which channel.

    `marked`: it is, or was made under the eyes of, words that the person did not write.
    """

    id: str
    text: str
    at: int
    channel: str
    marked: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class RememberedFacts:
    """Those that a question shows, pinned ones first and then the newest; `count` is how many there are."""

    shown: tuple[RememberedFact, ...] = ()
    count: int = 0


NO_FACTS: Final = RememberedFacts()


@dataclass(frozen=True, slots=True)
class WaitingQuestion:
    """Calls that wait for a yes, and until when (ms of Redis TIME); 0 where the person has not been asked yet."""

    calls: tuple[ApprovalCall, ...] = field(repr=False)
    until_ms: int


@dataclass(frozen=True, slots=True)
class PersonMemory:
    """What a question shows of a person. `elsewhere` are records of their other conversations, newest first in each.

    `waiting` are the questions that wait for a yes, the newest first.
    """

    facts: RememberedFacts = NO_FACTS
    elsewhere: tuple[Message | Reply, ...] = field(repr=False, default=())
    waiting: tuple[WaitingQuestion, ...] = ()


NOTHING_KNOWN: Final = PersonMemory()


@dataclass(frozen=True, slots=True)
class SoughtWord:
    """A word in all spellings in which it may stand: `raw` in a record's JSON, `text` in its text. ASCII letters are small."""

    raw: tuple[str, ...]
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchLook:
    """What one look of a search has found: ids of messages, newest first, each with how many of the words it says.

    `next` is where the following look begins, None where nothing is left; `looked` how many messages were looked through.
    """

    found: tuple[tuple[str, int], ...]
    looked: int
    next: int | None


def memory_of(person: str, conversation: str, *, facts_bytes: int, said_bytes: int) -> Call[PersonMemory]:
    """A person's facts, as far as `facts_bytes` of their texts have room, and some `said_bytes` of records of their other conversations."""
    arguments: Arguments = {"person": person, "most": facts_bytes, "conv": conversation, "most_said": said_bytes, "oldest": ELSEWHERE_MS}
    return Call("memory_of", arguments, _memory)


def search(
    person: str, epoch: str, words: Iterable[SoughtWord], *, conversation: str, turn: str, since_ms: int, till_ms: int, offset: int,
    least: int = 1,
) -> Call[SearchLook]:  # fmt: skip
    """One look for messages of that time that say `least` of these words, or any; of one conversation only, if it is named.

    `turn` is the one that asks: what it is about is not found.
    """
    sought = json.dumps([{"raw": word.raw, "text": word.text} for word in words])
    arguments: Arguments = {
        "person": person, "epoch": epoch, "conv": conversation, "turn": turn, "since": since_ms, "till": till_ms, "offset": offset,
        "least": least,
        "words": sought,
    }  # fmt: skip
    return Call("search", arguments, _look)


def fact_from(value: dict[str, Any]) -> RememberedFact:
    """A fact as the scripts write it."""
    return RememberedFact(
        value["id"], value["text"], int(value["at"]), value["channel"], bool(value.get("marked")), bool(value.get("pinned"))
    )  # fmt: skip


def _memory(raw: Any) -> PersonMemory:
    count, facts, said, waiting = raw
    return PersonMemory(
        RememberedFacts(tuple(fact_from(json.loads(text)) for text in facts), int(count)),
        tuple(_record(kind, dict(zip(flat[::2], flat[1::2], strict=True))) for _, kind, flat in said),
        tuple(WaitingQuestion(approvals.read(calls), int(until)) for calls, until in waiting),
    )


def _record(kind: str, fields: Mapping[str, Any]) -> Message | Reply:
    return message_from(dict(fields)) if kind == "m" else reply_from(dict(fields))


def _look(raw: Sequence[Any]) -> SearchLook:
    following, looked, *found = raw
    pairs = tuple((str(name), int(count)) for name, count in zip(found[::2], found[1::2], strict=True))
    return SearchLook(pairs, int(looked), int(following) if int(following) >= 0 else None)
