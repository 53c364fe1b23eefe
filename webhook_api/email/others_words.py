"""Puts a mail's text together: its own, within its bound, the mails that are attached to it, and marks at what others wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.model.marks import MAX_SOURCE, Mark
from shared.model.subjects import FORWARD_PREFIXES
from shared.model.text import Seen, capped, one_line
from webhook_api.email import mime, text_choice
from webhook_api.email.mail_words import folded
from webhook_api.email.quoting import marks_of

MAX_TEXT: Final = 100_000
MAX_ATTACHED: Final = 20_000
"""Characters of one attached mail that are kept, as far as there is room within MAX_TEXT."""
LEAST_ROOM: Final = 500
MAX_HEADER: Final = 300
_CUT: Final = "\n\n[The message was cut here"
_FORWARD: Final = re.compile(rf"\[?(?:{'|'.join(map(re.escape, FORWARD_PREFIXES))})\.?\s?[:\uff1a]")


@dataclass(frozen=True, slots=True)
class MarkedText:
    """The text of a mail, the parts of it that others wrote, and how many characters of it nobody sees."""

    text: str
    marks: tuple[Mark, ...]
    hidden: int = 0


def is_forward(subject: str, parents: Iterable[str]) -> bool:
    """Whether a mail passes another one on, by its subject, or because it answers none: a reply's quote is no forward."""
    return _FORWARD.match(folded(subject.strip())) is not None or not any(parents)


def shown(bodies: mime.Bodies) -> Seen:
    """What a person sees of these texts."""
    found = [text_choice.shown(each.plain, each.html, alternatives=each.alternatives, html_first=each.html_first) for each in bodies.texts]
    if len(found) == 1:
        return found[0]
    return Seen("\n\n".join(text for each in found if (text := each.text.strip("\n"))), sum(each.hidden for each in found))


def marked(text: str, attached: Sequence[mime.AttachedMail], *, author: str, passed_on: bool) -> MarkedText:
    """The text with the attached mails behind it. `author` is its sender's address, `passed_on` as in `marks_of`."""
    text = text.strip()
    body = capped(text, MAX_TEXT)
    own = body if body == text else body[: body.rindex(_CUT)]
    marks, hidden = [*marks_of(own, author=author, passed_on=passed_on)], 0
    for mail in _with_inner(attached):
        room = min(MAX_ATTACHED, MAX_TEXT - len(body) - 2)
        if room < LEAST_ROOM:
            break
        found = shown(mail.bodies)
        piece = capped(_with_headers(mail, found.text.strip()), room)
        start = len(body) + 2 if body else 0
        body = f"{body}\n\n{piece}" if body else piece
        marks.append(Mark("attached", start, len(body), _source(mail)))
        hidden += found.hidden
    return MarkedText(body, tuple(marks), hidden)


def _with_inner(mails: Iterable[mime.AttachedMail]) -> Iterator[mime.AttachedMail]:
    """The mails, each with those that are attached to it behind it."""
    for mail in mails:
        yield mail
        yield from _with_inner(mail.bodies.mails)


def _with_headers(mail: mime.AttachedMail, text: str) -> str:
    lines = [
        ("From", mail.sender),
        ("Date", mail.date),
        ("Subject", mail.subject),
        ("Files", ", ".join(file.name for file in mail.bodies.files if file.name)),
    ]
    head = "\n".join(f"{name}: {one_line(value, MAX_HEADER)}" for name, value in lines if value.strip())
    return f"{head}\n\n{text}".strip() or "(an empty mail)"


def _source(mail: mime.AttachedMail) -> str:
    return one_line(", ".join(filter(None, (mail.sender, mail.date))), MAX_SOURCE)
