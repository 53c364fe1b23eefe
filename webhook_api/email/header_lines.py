"""Recognises the header lines ("From: ... Sent: ... Subject: ...") that mail programs put above other mails.

People write such lines too: a train to find (From: Boston, To: Lisbon, Date: 12 May), opening hours, the draft of a letter. So From: with
an address and a time are asked for; Outlook's own "Sent:", which nobody writes by hand; or a line above that only a program writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.model.marks import MAX_SOURCE
from webhook_api.email.attributions import NUMBERS_OF_A_TIME
from webhook_api.email.mail_words import FROM, ORIGINAL_TITLES, OTHERS, PASSED_ON, PASSED_ON_TITLES, SENT, folded

MOST_LINES: Final = 16
"""As many lines as a block is looked for in."""
MAX_LINE: Final = 1_000
MAX_ANNOUNCEMENT: Final = 80
MOST_BLANKS: Final = 2
MIN_LABELS: Final = 3
MIN_LABELS_UNKNOWN: Final = 4
MIN_LABELS_ANNOUNCED: Final = 2
NUMBERS_OF_A_DATE: Final = 2
_LABEL: Final = re.compile(r"[\s*_|]{0,4}([^\W\d_][^:\uff1a\n]{0,24}?)[\s*]{0,2}[:\uff1a][\s*]{0,6}(.*)")
_BARE_LABEL: Final = re.compile(r"([^\W\d_]{2,20})[ \t]+([^:\uff1a\s].*)")
_RULE: Final = re.compile(r"[_-]{20,}")
_TITLE: Final = re.compile(r"-{2,}\s?([^-].{2,60}?)\s?-{2,}")
_BETWEEN_TITLES: Final = re.compile(r"\s(?:-{2,}|/)\s")
_TITLED: Final = re.compile(r"(-{2,}\s?[^-].{2,60}?\s?-{2,})\s*(\S.*)")
_EMPHASIS: Final = "*_ \t"
_ADDRESS: Final = re.compile(r"[^\s@<>\[\]()]{1,64}@[^\s@<>\[\]()]{1,255}")
_NUMBER: Final = re.compile(r"\d+")


_CAPITALISED: Final = {form for word in FROM | SENT | OTHERS for form in (word.capitalize(), word.upper())}
_INLINE: Final = re.compile(rf"({'|'.join(map(re.escape, sorted(_CAPITALISED, key=len, reverse=True)))})\s?[:\uff1a]\s*")
"""A label within a line, as Yahoo's plain texts have all of them, without a blank before; from its capital on."""


@dataclass(frozen=True, slots=True)
class HeaderLines:
    """A block of them: who wrote the mail and when, as it says, and whether it says that the mail is passed on; `end` is behind it."""

    source: str
    passed_on: bool
    end: int


@dataclass(frozen=True, slots=True)
class _Field:
    label: str
    value: str

    @property
    def addressed(self) -> bool:
        return _ADDRESS.search(self.value) is not None

    @property
    def numbers(self) -> int:
        """How many numbers stand in it, as in a date; none where an address may hold them."""
        return 0 if self.addressed else len(_NUMBER.findall(self.value))


def at(lines: list[str], start: int, author: str, *, within_quote: bool = False) -> HeaderLines | None:
    """The block that begins in this line, with the rule or title above it; None where none does.

    One that says that `author` (an address in lower case) wrote the mail is none, unless a program says so above it: they are the author's
    own words. Within a quote, what looks like one is one.
    """
    first = lines[start][:MAX_LINE].strip()
    titled = _TITLED.fullmatch(first)
    if titled is not None and (inline := _inline(titled[2])):
        return HeaderLines(_source(inline), _title(titled[1]) != "original", start + 1)
    title = _title(first)
    ruled = bool(title) or _RULE.fullmatch(first) is not None
    if not (ruled or _begins_known(lines, start) or _begins_unknown(lines, start)):
        return None
    fields, end = _fields(lines, start + 1 if ruled else start, bare=title != "")
    if not ruled and not _is_known(first) and any(_is_word(field.label) for field in fields):
        return None  # a line of the author's own above it: it begins further down
    announced = title in ("passed on", "original")
    if not _is_block(fields, announced=announced, titled=title != "", quoted=within_quote):
        return HeaderLines("", title == "passed on", start + 1) if announced and first.strip(_EMPHASIS).startswith("--") else None
    if not announced and author and _writer(fields) == author:
        return None
    return HeaderLines(_source(fields), title == "passed on", end)


def announced_in(lines: list[str], start: int) -> HeaderLines | None:
    """The block of a mail that the line above it announces, in whatever language ("Begin forwarded message:"); only within a quote."""
    first = lines[start].strip()
    if not first.endswith((":", "\uff1a")) or len(first) > MAX_ANNOUNCEMENT or _NUMBER.search(first) or "@" in first:
        return None
    below = next((number for number in range(start + 1, min(start + 2 + MOST_BLANKS, len(lines))) if lines[number].strip()), start)
    block = at(lines, below, "", within_quote=True) if below > start else None
    return block and HeaderLines(block.source, True, block.end)


def begun(lines: list[str], start: int) -> HeaderLines | None:
    """The block that begins here in a quote, or below a line with its day and hour, as in Orange's "Message du 03/05/27 10:00"."""
    block = at(lines, start, "", within_quote=True)
    if block is not None or start + 1 >= len(lines):
        return block
    below = at(lines, start + 1, "", within_quote=True)
    dated = below is not None and len(_NUMBER.findall(lines[start][:MAX_LINE])) >= NUMBERS_OF_A_TIME
    return HeaderLines(f"{below.source}, {lines[start].strip()}"[:MAX_SOURCE], below.passed_on, below.end) if below and dated else below


def _inline(text: str) -> list[_Field]:
    """The labelled values in one line that belong to a mail; [] where there are none of an address and a date."""
    pieces = _INLINE.split(text)
    if pieces[0].strip():
        return []
    fields = [_Field(folded(label), value.strip()) for label, value in zip(pieces[1::2], pieces[2::2], strict=True)]
    return fields if _is_block(fields, announced=False, titled=True, quoted=True) else []


def _title(line: str) -> str:
    """What a line of a program says above a mail: "passed on", "original", "unknown" of other words in dashes, "" for any other line."""
    words = folded(line).strip(_EMPHASIS)
    if words in PASSED_ON:
        return "passed on"
    found = _TITLE.fullmatch(words)
    if found is None:
        return ""
    titles = {title.strip() for title in _BETWEEN_TITLES.split(found[1])}
    return "passed on" if titles & PASSED_ON_TITLES else "original" if titles & ORIGINAL_TITLES else "unknown"


def _is_known(line: str) -> bool:
    found = _LABEL.fullmatch(line)
    return found is not None and _is_word(folded(found[1].strip()))


def _is_word(label: str) -> bool:
    return label in FROM or label in SENT or label in OTHERS


def _begins_known(lines: list[str], start: int) -> bool:
    """Whether a known label stands here, and none right above: so no row of them is read more than once."""
    return _is_known(lines[start][:MAX_LINE].strip()) and not (start and _is_known(lines[start - 1][:MAX_LINE].strip()))


def _begins_unknown(lines: list[str], start: int) -> bool:
    """Whether a label in a language that no table knows stands here, behind a blank line."""
    return _LABEL.fullmatch(lines[start][:MAX_LINE]) is not None and not (start and lines[start - 1].strip())


def _fields(lines: list[str], start: int, *, bare: bool = False) -> tuple[list[_Field], int]:
    """The labelled lines in a row, and where they end; blank lines before them, and further lines of addresses, are passed over.

    `bare`: a known label may have no colon, as in eM Client's lines below a title.
    """
    fields: list[_Field] = []
    blanks, end = 0, start
    for number, line in enumerate(lines[start : start + MOST_LINES], start):
        text = line[:MAX_LINE].strip()
        found = (_bare_label(text) if bare else None) or _LABEL.fullmatch(text)
        blanks = 0 if text else blanks
        if found is not None:
            fields.append(_Field(folded(found[1].strip()), found[2].strip()))
        elif fields and text and (line[:1] in " \t" or (_ADDRESS.search(text) and text[0] not in ">-")):
            pass
        elif text or blanks == MOST_BLANKS or (fields and not _goes_on(lines, number)):
            break
        else:
            blanks += 1
            continue
        end = number + 1
    return fields, end


def _bare_label(text: str) -> re.Match[str] | None:
    found = _BARE_LABEL.fullmatch(text)
    return found if found is not None and _is_word(folded(found[1])) else None


def _goes_on(lines: list[str], blank: int) -> bool:
    """Whether a known label stands right below a blank line: each label may be a paragraph of its own."""
    return blank + 1 < len(lines) and _is_known(lines[blank + 1][:MAX_LINE].strip())


def _is_block(fields: list[_Field], *, announced: bool, titled: bool, quoted: bool) -> bool:
    writers = [field for field in fields if field.label in FROM]
    dated = max((field.numbers for field in fields), default=0)
    if announced and len(fields) >= MIN_LABELS_ANNOUNCED:
        return True
    if len(fields) < MIN_LABELS:
        return False
    if any(field.addressed for field in writers) and (quoted or dated >= NUMBERS_OF_A_DATE):
        return True
    sent = any(field.label in SENT and field.numbers >= NUMBERS_OF_A_TIME for field in fields)
    if writers and (sent or (quoted and dated >= NUMBERS_OF_A_DATE)):
        return True
    if titled and dated >= NUMBERS_OF_A_DATE and any(field.addressed for field in fields) and any(_is_word(each.label) for each in fields):
        return True
    unknown = not any(_is_word(field.label) for field in fields[:MIN_LABELS])
    addresses = [number for number, field in enumerate(fields) if field.addressed]
    return unknown and len(fields) >= MIN_LABELS_UNKNOWN and len(addresses) > 1 and addresses[0] < MIN_LABELS and dated >= NUMBERS_OF_A_TIME


def _written_by(fields: list[_Field]) -> str:
    named = [field.value for field in fields if field.label in FROM] or [field.value for field in fields if field.addressed]
    return named[0] if named else ""


def _writer(fields: list[_Field]) -> str:
    """The address of who wrote the mail, in lower case; '' where the block names none."""
    found = _ADDRESS.search(_written_by(fields).casefold())
    return found[0] if found else ""


def _source(fields: list[_Field]) -> str:
    when = next((field.value for field in fields if field.label in SENT or field.numbers >= NUMBERS_OF_A_DATE), "")
    return ", ".join(" ".join(text.split()) for text in (_written_by(fields), when) if text)[:MAX_SOURCE]
