"""Recognises the parts of a mail's text that somebody else wrote: quoted mails, and mails that are passed on. Nothing is cut.

What a turn may do depends on these marks, so a rule errs towards marking; but what an author writes by themselves (a travel request with
From: and To:, a draft of a letter, a heading in dashes, a prompt of Python) must meet none of them. Three things are recognised:

- lines with ">" before them (`html_text` writes quoted blocks of HTML like that), with the attribution above them;
- the header lines that mail programs put above an unmarked mail (`header_lines`), from there to the end of the text;
- an attribution with day, time, address and "wrote" above an unmarked mail, likewise.

It scans line by line and is linear by construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from shared.model.marks import MAX_MARKS, MAX_SOURCE, Mark
from webhook_api.email import header_lines
from webhook_api.email.mail_words import OPENERS, PASSED_ON, WROTE, WROTE_WHO

MAX_ATTRIBUTION: Final = 400
MAX_ATTRIBUTION_LINES: Final = 3
MAX_BLANKS: Final = 3
NUMBERS_OF_A_TIME: Final = 3
_EVIDENCE: Final = re.compile(r"[0-9@]")
_NUMBER: Final = re.compile(r"\d+")
_ADDRESS: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_PROMPT: Final = re.compile(r"(?:>>>|\.\.\.)(?: |$)")
_QUOTE: Final = "> \t"
_RULES: Final = ("-", "_")


@dataclass(frozen=True, slots=True)
class _TextLines:
    """A text by lines: what each says, and where it starts."""

    lines: list[str]
    starts: list[int]

    @classmethod
    def of(cls, text: str) -> _TextLines:
        lines = text.split("\n")
        return cls(lines, [0, *accumulate(len(line) + 1 for line in lines)])

    def end(self, number: int) -> int:
        """Where a line ends."""
        return self.starts[number] + len(self.lines[number])


def marks_of(text: str, *, author: str = "", passed_on: bool = False) -> tuple[Mark, ...]:
    """The parts that others wrote, in their order; none overlaps another.

    `author` is the address of whoever sent the mail: a mail of their own in it is theirs. `passed_on` says that the mail is a forward, by
    its subject or because it answers none: what is in it is then marked `forwarded`, else only where the text says so.
    """
    found: list[Mark] = []
    for mark in _found(_TextLines.of(text), author.casefold(), passed_on=passed_on):
        if len(found) == MAX_MARKS:
            found[-1] = Mark(found[-1].kind, found[-1].start, len(text.rstrip()), found[-1].source)
            break
        found.append(mark)
    return tuple(found)


def _found(text: _TextLines, author: str, *, passed_on: bool) -> Iterator[Mark]:
    lines = text.lines
    last = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].strip()), 0)
    number, unmarked = 0, 0
    while number <= last:
        line = lines[number]
        if line.startswith(">"):
            behind = _block_end(lines, number)
            if not _is_session(lines[number:behind]):
                yield _block(text, unmarked, number, behind, passed_on=passed_on)
            number = unmarked = behind
            continue
        if ":" in line or "\uff1a" in line or line.lstrip()[:1] in _RULES:
            block = header_lines.at(lines, number, author)
            if block is not None:
                yield Mark("forwarded" if block.passed_on or passed_on else "quoted", text.starts[number], text.end(last), block.source)
                return
            above = _above_unmarked(lines, unmarked, number)
            if above is not None:
                yield Mark("quoted", text.starts[above], text.end(last), _source(lines[above : number + 1]))
                return
        number += 1


def _block_end(lines: list[str], start: int) -> int:
    """The index behind the quoted lines from `start` on; blank lines between two of them belong to them."""
    end = number = start
    while number < len(lines) and (lines[number].startswith(">") or not lines[number].strip()):
        number += 1
        end = number if lines[number - 1].startswith(">") else end
    return end


def _is_session(block: list[str]) -> bool:
    """Whether these lines are typed at a prompt of Python, and no quote of a quote of a quote."""
    return all(_PROMPT.match(line) for line in block if line.strip()) and any(line.strip(_QUOTE) for line in block)


def _block(text: _TextLines, least: int, start: int, behind: int, *, passed_on: bool) -> Mark:
    """The mark of quoted lines, with the attribution above them; lines before `least` are marked already."""
    lines = text.lines
    inner = [line.lstrip(_QUOTE) for line in lines[start : min(behind, start + header_lines.MOST_LINES)]]
    first = next((number for number, line in enumerate(inner) if line), 0)
    block = header_lines.at(inner, first, "", within_quote=True)
    above = start - 1
    while above > max(least, start - MAX_BLANKS) and not lines[above].strip():
        above -= 1
    opening = _attribution_start(lines, least, above) if above >= least else None
    line = lines[above].strip() if above >= least else ""
    source = block.source if block else _source(lines[opening : above + 1]) if opening is not None else _dated(line)
    announced = line.casefold() in PASSED_ON
    forwarded = announced or (block is not None and (block.passed_on or (passed_on and opening is None)))
    begin = above if announced else start if opening is None else opening
    return Mark("forwarded" if forwarded else "quoted", text.starts[begin], text.end(behind - 1), source)


def _source(attribution: list[str]) -> str:
    return " ".join(" ".join(attribution).split()).rstrip(":\uff1a ")[:MAX_SOURCE]


def _dated(line: str) -> str:
    """A line that says who and when in words that no table knows: it names the source, and stays its author's."""
    named = len(line) <= MAX_ATTRIBUTION and line.endswith((":", "\uff1a")) and len(_NUMBER.findall(line)) > 1
    return _source([line]) if named and _ADDRESS.search(line) else ""


def _attribution_start(texts: list[str], least: int, number: int) -> int | None:
    """The index of the line where the attribution begins ("On ..., Ada wrote:") that a line ends; None for any other line."""
    line = texts[number].strip()[: MAX_ATTRIBUTION + 1].casefold()
    if not line or len(line) > MAX_ATTRIBUTION or line[-1] not in ":\uff1a":
        return None
    if not (line.endswith(WROTE) or any(word in line for word in WROTE_WHO)):
        return None
    start = number
    while start > max(least, number - MAX_ATTRIBUTION_LINES + 1) and not _opens(texts[start]) and texts[start - 1].strip():
        start -= 1
    if not _opens(texts[start]):
        start = number
    attribution = " ".join(each[:MAX_ATTRIBUTION] for each in texts[start : number + 1])
    return start if _EVIDENCE.search(attribution) and (_opens(texts[start]) or line.endswith(WROTE)) else None


def _opens(line: str) -> bool:
    return line.strip()[:16].casefold().startswith(OPENERS)


def _above_unmarked(texts: list[str], least: int, number: int) -> int | None:
    """Where the attribution above an unmarked mail begins that this line ends; None where it ends none.

    No person writes day, time and address of a mail by hand; fewer of them above one's own words are the author's (`he wrote:`).
    """
    start = _attribution_start(texts, least, number)
    below = next((text for text in texts[number + 1 : number + 4] if text.strip()), ">")
    if start is None or below.startswith(">"):
        return None
    attribution = " ".join(texts[start : number + 1])
    return start if len(_NUMBER.findall(attribution)) >= NUMBERS_OF_A_TIME and _ADDRESS.search(attribution) else None
