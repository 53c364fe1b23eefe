"""Cuts the mail that an answer quotes, so that Claude reads what is new.

A scan by lines, linear by construction. mail-parser-reply is not used: its patterns take 10 s for a mail of 10 kB of empty
lines and 3 s for one long line that begins with "On" (measured), and it cuts at the first header even when the answer
stands below or between the quoted lines. The rule here: what is cut must stand at the end, and something must be left.
"""
# ruff: noqa: RUF001 - the words of many languages hold letters that look alike

from __future__ import annotations

import re
from typing import Final

MAX_SCANNED: Final = 256_000
MAX_ATTRIBUTION: Final = 400

# "On Mon, 1 Jan 2024 at 10:00, Ada <ada@example.com> wrote:" in the languages of common clients: how such lines end.
_WROTE: Final = (
    "wrote:", "schrieb:", "geschrieben:", "a écrit :", "a écrit:", "escribió:", "ha scritto:", "escreveu:", "schreef:", "skrev:",
    "kirjoitti:", "napsal:", "napsal(a):", "napsala:", "napisał:", "napisał(a):", "napisała:", "пишет:", "написал:", "написала:",
    "написав:", "yazdı:", "írta:", "a scris:", "έγραψε:", "写道：", "写道:", "のメール:", "님이 작성:", "כתב:", "كتب:",
)  # fmt: skip
_FROM: Final = ("from:", "von:", "de:", "da:", "van:", "från:", "fra:", "od:", "от:", "发件人:", "差出人:", "lähettäjä:", "kimden:")
_ORIGINAL: Final = re.compile(
    r"-{4,}\s?(original message|ursprüngliche nachricht|message d'origine|mensaje original|forwarded message)\s?-{4,}", re.IGNORECASE
)
MIN_HEADERS: Final = 3
_RULE: Final = re.compile(r"_{20,}|-{20,}")
_EVIDENCE: Final = re.compile(r"[0-9@]")


def without_quote(text: str) -> str:
    """The new text of a mail; all of it when nothing, or nothing but quotes, would be left."""
    if len(text) > MAX_SCANNED:
        return text
    lines = text.split("\n")
    cut = _quote_start(lines)
    kept = "\n".join(lines[:cut]).rstrip()
    return kept if kept.strip() else text


def _quote_start(lines: list[str]) -> int:
    """The number of the first line of the quote at the end; the number of lines when there is none."""
    quoted_tail = _quoted_tail(lines)
    for number, line in enumerate(lines):
        if number >= quoted_tail:
            return _attribution_before(lines, quoted_tail)
        if line.startswith(">"):
            continue
        if _is_separator(lines, number):
            return number
        if _is_attribution(lines, number) and not _answer_below(lines, number + 1, quoted_tail):
            return _attribution_start(lines, number)
    return len(lines)


def _quoted_tail(lines: list[str]) -> int:
    """The first of the ">" lines with which the text ends."""
    start = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(">"):
            start = number
        elif lines[number].strip():
            break
    return start


def _is_attribution(lines: list[str], number: int) -> bool:
    """Whether a line says who wrote what follows: it ends like one and names a time or an address, perhaps a line or two above."""
    line = lines[number].strip()
    if len(line) > MAX_ATTRIBUTION or not line.casefold().endswith(_WROTE):
        return False
    return any(_EVIDENCE.search(each[:MAX_ATTRIBUTION]) for each in lines[_attribution_start(lines, number) : number + 1])


def _attribution_start(lines: list[str], number: int) -> int:
    """Where an attribution that is broken over up to three lines begins: not across an empty line."""
    start = number
    while start > max(0, number - 2) and lines[start - 1].strip() and not _EVIDENCE.search(lines[start][:MAX_ATTRIBUTION]):
        start -= 1
    return start


def _attribution_before(lines: list[str], quoted_tail: int) -> int:
    """The quote's first line, or that of the attribution above it."""
    above = quoted_tail - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    return _attribution_start(lines, above) if above >= 0 and _is_attribution(lines, above) else quoted_tail


def _answer_below(lines: list[str], start: int, quoted_tail: int) -> bool:
    """Whether what follows is quoted with ">" and the author's own lines stand below or between: then all of it is kept."""
    while start < len(lines) and not lines[start].strip():
        start += 1
    return start < quoted_tail and lines[start].startswith(">")


def _is_separator(lines: list[str], number: int) -> bool:
    """Outlook's: "-----Original Message-----", or From: and three more header lines, perhaps below a rule."""
    line = lines[number].strip()[:MAX_ATTRIBUTION]
    if _ORIGINAL.fullmatch(line):
        return True
    start = number + 1 if _RULE.fullmatch(line) else number
    block = [each.strip().strip("*")[:MAX_ATTRIBUTION].casefold() for each in lines[start : start + 4]]
    return bool(block) and block[0].startswith(_FROM) and sum(1 for each in block if ":" in each[:24]) >= MIN_HEADERS
