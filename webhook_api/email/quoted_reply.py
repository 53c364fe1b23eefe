"""Removes the mail that a reply quotes, so that Claude reads only what is new.

It scans line by line and is linear by construction. mail-parser-reply is not used: its patterns take 10 s for a mail of 10 kB of empty
lines and 3 s for one long line that begins with "On" (measured), and it cuts at the first header even when the reply is below or between
the quoted lines. The rule here: only a quote at the end is removed, and something must be left.
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
_WROTE_WHO: Final = (" wrote ", " schrieb ", " skrev ", " schreef ", " escribió ", " napsal ")  # ... and the name behind it
_OPENERS: Final = ("on ", "am ", "le ", "el ", "il ", "em ", "op ", "den ", "dne ", "dnia ", "w dniu ", "on\u00a0", "в ", "2")
_FROM: Final = ("from:", "von:", "de:", "da:", "van:", "från:", "fra:", "od:", "от:", "发件人:", "差出人:", "lähettäjä:", "kimden:")
_ORIGINAL: Final = re.compile(
    r"-{4,}\s?(original message|ursprüngliche nachricht|message d'origine|mensaje original)\s?-{4,}", re.IGNORECASE
)
_FORWARDED: Final = re.compile(
    r"-{4,}\s?(?:forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|messaggio inoltrato|mensagem encaminhada"
    r"|doorgestuurd bericht|vidarebefordrat meddelande)\s?-{4,}|begin forwarded message:|anfang der weitergeleiteten nachricht:"
)
MIN_HEADERS: Final = 3
_RULE: Final = re.compile(r"_{20,}|-{20,}")
_EVIDENCE: Final = re.compile(r"[0-9@]")


def without_quote(text: str) -> str:
    """The new text of a mail; the whole text when nothing, or only quotes, would be left."""
    if len(text) > MAX_SCANNED:
        return text
    lines = text.split("\n")
    cut = _quote_start(lines)
    kept = "\n".join(lines[:cut]).rstrip()
    return kept if kept.strip() else text


def _quote_start(lines: list[str]) -> int:
    """The index of the first line of the quote at the end; the number of lines when there is none."""
    quoted_tail = _quoted_tail(lines)
    for number in range(quoted_tail):
        line = lines[number].strip()[: MAX_ATTRIBUTION + 1].casefold()
        if not line or line[0] == ">":
            continue
        if _FORWARDED.fullmatch(line):  # a forwarded mail is what its sender writes about
            return len(lines)
        if _is_separator(lines, number, line):
            return number
        if line[-1] in ":：" and not _answer_below(lines, number + 1, quoted_tail):
            start = _attribution_start(lines, number, line)
            if start is not None:
                return start
    return quoted_tail


def _quoted_tail(lines: list[str]) -> int:
    """The index of the first of the ">" lines with which the text ends."""
    start = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(">"):
            start = number
        elif lines[number].strip():
            break
    return start


def _attribution_start(lines: list[str], number: int, line: str) -> int | None:
    """The index of the line where the attribution begins ("On ..., Ada wrote:") that `line` (in lower case) ends; None for any other line.

    An attribution contains a time or an address, and may be wrapped over three lines.
    """
    if len(line) > MAX_ATTRIBUTION or not (line.endswith(_WROTE) or any(word in line for word in _WROTE_WHO)):
        return None
    start = number
    while start > max(0, number - 2) and not _opens(lines[start]) and lines[start - 1].strip():
        start -= 1
    if not _opens(lines[start]):
        start = number
    attribution = " ".join(each[:MAX_ATTRIBUTION] for each in lines[start : number + 1])
    return start if _EVIDENCE.search(attribution) and (_opens(lines[start]) or line.endswith(_WROTE)) else None


def _opens(line: str) -> bool:
    return line.strip()[:16].casefold().startswith(_OPENERS)


def _answer_below(lines: list[str], start: int, quoted_tail: int) -> bool:
    """Whether ">" lines follow and the author's own lines are below or between them: then everything is kept."""
    while start < len(lines) and not lines[start].strip():
        start += 1
    return start < quoted_tail and lines[start].startswith(">")


def _is_separator(lines: list[str], number: int, line: str) -> bool:
    """Whether Outlook's separator is here: "-----Original Message-----", or From: and more header lines, perhaps below a rule."""
    if line[0] not in "-_" and not line.startswith(_FROM):
        return False
    if _ORIGINAL.fullmatch(line):
        return True
    start = number + 1 if _RULE.fullmatch(line) else number
    block = [each.strip().strip("*")[:MAX_ATTRIBUTION].casefold() for each in lines[start : start + 4]]
    return bool(block) and block[0].startswith(_FROM) and sum(1 for each in block if ":" in each[:24]) >= MIN_HEADERS
