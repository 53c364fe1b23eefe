"""What ties a mail to the conversation that it goes on: the ids that it names, Outlook's name of a thread, and its subject. Pure.

Mail programs write these as they like: an answer names its parent and nothing else, or the parent's id with words around it, or with
capitals in the host's name; a gateway drops the first id of a long row. So each id counts, in one spelling, and what is read is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_IDS: Final = 48
"""The Message-IDs of one mail that are read, its own among them."""
MAX_ID: Final = 400
MADE_ID: Final = "@made.invalid>"
"""The end of a Message-ID that we have made for a mail that came with none."""
MAX_TOPIC: Final = 150
"""Characters of a subject by which mails without any id are told apart: fewer than an answer of ours keeps of it."""

_BRACKETED: Final = re.compile(rf"<[!-;=?-~]{{1,{MAX_ID}}}>")
_BROKEN: Final = re.compile(r"<\s?(?:[!-;=?-~]{1,200}\s){1,4}[!-;=?-~]{0,200}>")
"""An id that a program broke in two where its line got too long, or with blanks at its ends."""
_BARE: Final = re.compile(rf"[!-;=?-~]{{1,{MAX_ID}}}")
_AROUND: Final = "\"'(),.:;"
_MARK: Final = re.compile(
    r"(?:re|aw|antw|antwort|sv|vs|vá|res|rif|r|odp|ynt|atb|bls|отв|απ|σχετ|תשובה|השב|رد|回复|回覆|答复|答覆|返信|회신)"
    r" ?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})? ?[:\uff1a] ?",
    re.IGNORECASE,
)
"""What mail programs put before the subject of an answer, in the languages that they speak."""


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a mail belongs; empty for a message whose conversation is its two ends.

    `ids` are Message-IDs as `canonical` spells them, first those by which it is looked up first; the mail's own is the last. `outlook` is
    Outlook's name of the thread. `topic` is the subject without the marks of answers. `by_topic`: the mail says that it is an answer, and
    has nothing but its subject to say of what.
    """

    ids: tuple[str, ...] = ()
    outlook: str = ""
    topic: str = ""
    by_topic: bool = False


NO_THREAD: Final = Thread()


@dataclass(frozen=True, slots=True)
class ThreadNames:
    """A `Thread` as it is kept: hashes of the ids and of Outlook's name, in this order, and of the topic."""

    names: tuple[str, ...] = ()
    topic: str = ""
    by_topic: bool = False

    def argument(self, kept_ms: int) -> str:
        """For `threads.lua`, in one text, which costs a message without a thread nothing; `kept_ms` is how long the names are kept."""
        return f"{kept_ms} {self.by_topic:d} {self.topic or '-'} {' '.join(self.names)}" if self.names else ""


NO_NAMES: Final = ThreadNames()


def ids_in(value: str) -> list[str]:
    """The ids in an In-Reply-To or a References, in their order, each once, with brackets; words around them are left out.

    Without a bracket, whatever has an @ is an id, and so is a header's only word.
    """
    found = _BRACKETED.findall(_BROKEN.sub(_mended, value))
    if not found:
        words = [word.strip(_AROUND) for word in value.split()]
        found = [f"<{word}>" for word in words if _BARE.fullmatch(word) and (0 < word.find("@") < len(word) - 1 or len(words) == 1)]
    return list(dict.fromkeys(found))


def _mended(found: re.Match[str]) -> str:
    whole = "".join(found[0].split())
    return whole if whole.count("@") == 1 else found[0]


def canonical(name: str) -> str:
    """One spelling of an id: in brackets, the host's name in small letters; "" for what is none. The part before the @ is left as it is."""
    bare = name.strip().removeprefix("<").removesuffix(">").strip()
    local, at, host = bare.rpartition("@")
    return f"<{local}{at}{host.lower()}>" if bare and len(bare) <= MAX_ID else ""


def topic_of(subject: str) -> str:
    """A subject without the marks of answers, however it is cased and spaced; "" where nothing is left."""
    rest = _one_line(subject)
    while found := _MARK.match(rest):
        rest = rest[found.end() :]
    return rest.casefold()[:MAX_TOPIC].strip()


def is_answer(subject: str) -> bool:
    """Whether a subject says that its mail is an answer."""
    return _MARK.match(_one_line(subject)) is not None


def of_mail(own: str, in_reply_to: str, references: Iterable[str], outlook: str, subject: str) -> Thread:
    """A mail's thread: by the mail that it answers, by its References from the newest on and, of a long row, by the root."""
    row = list(references)
    named = _unique([*ids_in(in_reply_to), *reversed(row)])
    if len(named) >= MAX_IDS:
        named = _unique([*named[: MAX_IDS - 2], *row[:1]])
    topic = topic_of(subject)
    return Thread(tuple(_unique([*named, own])), outlook, topic, by_topic=not named and topic != "" and is_answer(subject))


def of_reply(own: str, subject: str = "") -> Thread:
    """The thread of a mail of ours, whose conversation is known: how an answer to it will name it."""
    return Thread(tuple(_unique([own])), topic=topic_of(subject))


def _unique(names: Iterable[str]) -> list[str]:
    """In one spelling, each once, without what is no id."""
    return [name for name in dict.fromkeys(map(canonical, names)) if name]


def _one_line(subject: str) -> str:
    return " ".join(subject[: 10 * MAX_TOPIC].split())
