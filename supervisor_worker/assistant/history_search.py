"""Looks through what one person and the Boss have said to each other, by words and by time, over all of the person's conversations.

The looks are made by a script of bounded work, one after the other, so that Redis serves others between them; what is shown is read, cut
and marked here. Nothing is changed by it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import TurnHolder, search
from shared.mailbox.records import Message, Reply, reply_id_of
from shared.model.approvals import without_codes
from shared.model.events import EmailReceived, Received
from shared.model.subjects import is_passed_on
from shared.model.text import clean
from supervisor_worker.assistant.history import shows_others
from supervisor_worker.assistant.other_chats import models_words
from supervisor_worker.assistant.sought_words import spellings, words_in

MOST_LOOKED_AT: Final = 10_000
"""Messages, the newest first: a search of more is told how far it has come."""
MOST_SHOWN: Final = 10
"""Exchanges of one result."""
MOST_BYTES: Final = 15_000
"""Of the texts of one result."""
MOST_CHARACTERS: Final = 400
"""Of what was said, of others' words, and of the answer, around the first word that is looked for."""

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """The best messages: how many of the words each says, its place by age, its id. How many were looked through, and whether all."""

    best: list[tuple[int, int, str]]
    looked: int
    all: bool


@dataclass(frozen=True, slots=True)
class HistorySearch:
    """The search of one turn: the person's, and `only_here` that conversation alone. `till_ms` is when the turn was claimed."""

    mailbox: AsyncMailbox
    holder: TurnHolder
    till_ms: int
    only_here: bool

    async def __call__(self, arguments: Mapping[str, Any]) -> Result:
        """What is found by the arguments that the tool has prepared: `words`, `since` and `until` in ms (0 for none). Raises RedisError."""
        words = words_in(str(arguments["words"]))
        until = int(arguments["until"]) or self.till_ms
        found = await self._looked_through(words, int(arguments["since"]), min(until, self.till_ms))
        exchanges = await self._exchanges([name for _, _, name in sorted(found.best, reverse=True)], words)
        return {"ok": True, "exchanges": exchanges, "looked": found.looked, "all": found.all, "only_here": self.only_here}

    async def _looked_through(self, words: Sequence[str], since_ms: int, till_ms: int) -> _Found:
        best: list[tuple[int, int, str]] = []
        sought, newest, looked = [*map(spellings, words)], count(0, -1), 0
        offset: int | None = 0
        while offset is not None and offset < MOST_LOOKED_AT:
            least = best[-1][0] + 1 if len(best) == MOST_SHOWN else 1  # an older one has to say more words than those that there are
            if least > len(words) and len(best) == MOST_SHOWN:
                return _Found(best, looked, all=False)
            look = await self.mailbox.run(
                search(
                    self.holder.person, self.holder.epoch, sought, conversation=self.holder.conversation if self.only_here else "",
                    turn=self.holder.turn, since_ms=since_ms, till_ms=till_ms, offset=offset, least=least,
                )
            )  # fmt: skip
            best = heapq.nlargest(MOST_SHOWN, [*best, *((said, next(newest), name) for name, said in look.found)])
            looked, offset = offset + look.looked, look.next
        return _Found(best, looked, all=offset is None)

    async def _exchanges(self, names: list[str], words: Sequence[str]) -> list[Result]:
        """What is shown of these messages, with their answers; of texts that were answered together the answer once."""
        found = [message for message in await self.mailbox.messages(names) if message is not None]
        room = MOST_BYTES
        turns = [*dict.fromkeys(message.turn for message in found if message.turn)]
        replies = {reply.turn: reply for reply in await self.mailbox.replies([reply_id_of(turn) for turn in turns]) if reply}
        shown = list[Result]()
        for message in found:
            one = exchange(message, replies.pop(message.turn, None), words)
            room -= sum(len(str(one[name]).encode()) for name in ("said", "of_others", "answer"))
            if room < 0:
                break
            shown.append(one)
        return shown


def exchange(message: Message, reply: Reply | None, words: Sequence[str]) -> Result:
    """A message and its answer as a result holds them, cut to what is about the words. `marked`: words of others stand in it."""
    own, others = ("", "") if message.event is None else _parts(message.event)
    read = "\n".join(text for _, text in message.extracts)
    said = (own, "\n".join(filter(None, (others, read))))
    shown, of_others = (around(text, words) for text in said)
    answer = _answer(reply) if reply else ""
    by_code = reply is not None and not models_words(reply)
    marked = bool(of_others) or (reply is not None and bool(answer) and shows_others(reply))
    return {
        "id": message.id,
        "at": message.accepted_at, "channel": message.channel, "said": shown, "of_others": of_others, "source": _source(message.event),
        "answer": around(answer, words), "by_code": by_code, "answer_marked": reply is not None and shows_others(reply), "marked": marked,
    }  # fmt: skip


def _answer(reply: Reply) -> str:
    """What was said: the model's words, or code's where it said all; with what a text had to leave out."""
    by_code = without_codes(reply.command.written)
    return "\n".join(filter(None, (models_words(reply) or by_code, reply.command.rest)))


def _parts(event: Received) -> tuple[str, str]:
    """The person's own words, and those of others."""
    subject = event.subject if isinstance(event, EmailReceived) else ""
    if event.forwarding:
        return "", "\n".join(filter(None, (subject, event.text)))
    passed_on = is_passed_on(subject)
    own, others, at = [] if passed_on else [subject], [subject] if passed_on else list[str](), 0
    for mark in sorted(event.marks, key=lambda mark: mark.start):
        own.append(event.text[at : max(at, mark.start)])
        others.append(event.text[max(at, mark.start) : mark.end])
        at = max(at, mark.end)
    return _joined([*own, event.text[at:]]), _joined(others)


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part.strip() for part in parts if part.strip())


def _source(event: Received | None) -> str:
    """Who wrote the words of others, as far as that is one and known."""
    if isinstance(event, EmailReceived) and event.via:
        return event.author[:100]
    sources = {mark.source for mark in event.marks if mark.source} if event else set()
    return sources.pop()[:100] if len(sources) == 1 else ""


def around(text: str, words: Sequence[str]) -> str:
    """The part of a text around the first of the words that stands in it; its beginning where none does."""
    text = " ".join(clean(text).split())
    if len(text) <= MOST_CHARACTERS:
        return text
    folded = text.casefold()
    places = [place for word in words if (place := folded.find(word.casefold())) >= 0]
    start = max(0, min(min(places, default=0) - MOST_CHARACTERS // 4, len(text) - MOST_CHARACTERS))
    end = start + MOST_CHARACTERS
    return "..." * (start > 0) + text[start:end].strip() + "..." * (end < len(text))
