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
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from shared.model.marks import MAX_MARKS, Mark, MarkKind
from webhook_api.email import attributions, header_lines
from webhook_api.email.mail_words import PASSED_ON, folded

MAX_BLANKS: Final = 3
BELOW_TITLE: Final = 8
"""Lines below a title, or below header lines, in which a line with ">" shows that the mail is quoted by such lines."""
_PROMPT: Final = re.compile(r"(?:>>>|\.\.\.)(?: |$)")
_QUOTE: Final = "> \t"
_RULES: Final = ("-", "_", "*")


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
            wrapped = attributions.wrapped(lines, unmarked, number)
            if wrapped is not None and behind == number + 1:  # the mail below it is not quoted by ">"
                yield Mark("quoted", text.starts[wrapped], text.end(last), attributions.source_of(lines[wrapped:behind]))
                return
            if wrapped is not None or not _is_session(lines[number:behind]):
                yield _block(text, unmarked, number, behind, wrapped, passed_on=passed_on)
            number = unmarked = behind
            continue
        if ":" in line or "\uff1a" in line or line.lstrip()[:1] in _RULES:
            mark = _unquoted(text, (unmarked, number, last), author, passed_on=passed_on)
            if mark is not None:
                yield mark
                number = unmarked = bisect_left(text.starts, mark.end)
                continue
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


def _source_within(lines: list[str], first: int) -> str:
    """Who wrote a mail whose attribution is quoted with it, as programs of phones do, or stands below a title."""
    while first < len(lines) and not lines[first].strip():
        first += 1
    for number in range(first, min(first + attributions.MAX_LINES, len(lines))):
        if attributions.begin(lines, first, number) == first:
            return attributions.source_of(lines[first : number + 1])
    return ""


def _unquoted(text: _TextLines, place: tuple[int, int, int], author: str, *, passed_on: bool) -> Mark | None:
    """The mark of a mail that is not quoted by ">", from its header lines or its attribution on; None where none begins.

    `place` are the first line that is not marked yet, the one that is looked at, and the last of the text.
    """
    least, number, last = place
    block = header_lines.at(text.lines, number, author)
    if block is None:
        above = _above_unmarked(text.lines, least, number)
        if above is None:
            return None
        source = attributions.source_of(text.lines[above : number + 1])
        return Mark("forwarded" if passed_on else "quoted", text.starts[above], text.end(last), source)
    if block.passed_on or passed_on or not _quoted_below(text.lines, block):
        kind: MarkKind = "forwarded" if block.passed_on or passed_on else "quoted"
        return Mark(kind, text.starts[number], text.end(last), block.source or _source_within(text.lines, block.end))
    if not block.source:
        return None
    # What its author answers stands between and below the quoted lines.
    return Mark("quoted", text.starts[number], text.end(_block_end(text.lines, block.end) - 1), block.source)


def _quoted_below(lines: list[str], block: header_lines.HeaderLines) -> bool:
    """Whether the mail below header lines is quoted by ">"; below a title alone such lines may stand further down."""
    if block.source:
        return _first_below(lines, block.end, BELOW_TITLE).startswith(">")
    return any(line.startswith(">") for line in lines[block.end : block.end + BELOW_TITLE])


def _block(text: _TextLines, least: int, start: int, behind: int, wrapped: int | None, *, passed_on: bool) -> Mark:
    """The mark of quoted lines, with the attribution above them, or `wrapped` into them; lines before `least` are marked already."""
    lines = text.lines
    if wrapped is not None:
        return Mark("quoted", text.starts[wrapped], text.end(behind - 1), attributions.source_of(lines[wrapped : start + 1]))
    inner = [line.lstrip(_QUOTE) for line in lines[start : min(behind, start + header_lines.MOST_LINES)]]
    first = next((number for number, line in enumerate(inner) if line), 0)
    block = header_lines.announced_in(inner, first) or header_lines.begun(inner, first)
    above = start - 1
    while above > max(least, start - MAX_BLANKS) and not lines[above].strip():
        above -= 1
    opening = attributions.begin(lines, least, above) if above >= least else None
    line = lines[above].strip() if above >= least else ""
    source = block.source if block else attributions.source_of(lines[opening : above + 1]) if opening is not None else ""
    source = source or attributions.source_in(line) or _source_within(inner, first)
    announced = folded(line) in PASSED_ON
    forwarded = announced or (block is not None and (block.passed_on or (passed_on and opening is None)))
    begin = above if announced else start if opening is None else opening
    return Mark("forwarded" if forwarded else "quoted", text.starts[begin], text.end(behind - 1), source)


def _above_unmarked(lines: list[str], least: int, number: int) -> int | None:
    """Where the attribution above an unmarked mail begins that this line ends; None where it ends none.

    No person writes day, time and address of a mail by hand; fewer of them above one's own words are the author's (`he wrote:`).
    """
    start = attributions.begin(lines, least, number)
    below = _first_below(lines, number + 1, MAX_BLANKS)
    if start is None or not below or below.startswith(">"):
        return None
    return start if attributions.is_dated(" ".join(lines[start : number + 1])) else None


def _first_below(lines: list[str], number: int, most: int) -> str:
    """The first line with words of so many; "" where there is none."""
    return next((line for line in lines[number : number + most] if line.strip()), "")
