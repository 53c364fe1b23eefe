"""Recognises, above a line that is held, the lines by which a mail program says whose it is: without a table of any language. Pure.

They are found by what stands right below them, and go into the note word for word: so a sentence of the author's that looks like one
("Answers to your mail of 3 May to boss@example.com:") is not lost either.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

MAX_LINES: Final = 4
MAX_HEADER_LINES: Final = 10
MAX_LENGTH: Final = 600
MAX_BLANKS: Final = 3
MIN_LABELS: Final = 3
MIN_LABELS_UNDATED: Final = 4
NUMBERS_BESIDE_ADDRESS: Final = 2
NUMBERS_BESIDE_NAME: Final = 3
_ADDRESS: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_NUMBER: Final = re.compile(r"\d+")
_PREFIX: Final = re.compile(r"[> \t]*")
_LABEL: Final = re.compile(r"[\s*_|]{0,4}[^\W\d_][^:\uff1a\n]{0,24}?[\s*]{0,2}[:\uff1a](.*)")
_RULE: Final = re.compile(r"_{5,}|-{2,}[^-]{0,60}-{2,}|\u2015{3,}")


def above(texts: list[str], line: int, names: Collection[str]) -> int:
    """Where the attribution or the header block begins that ends above a line; the line itself where there is none.

    `names` are the names and addresses of both sides, in lower case.
    """
    last = line - 1
    while last >= 0 and last >= line - MAX_BLANKS and not _bare(texts[last]):
        last -= 1
    if last < 0 or not _bare(texts[last]) or depth(texts[last]) > depth(texts[line]):
        return line
    found = _attribution(texts, last, names)
    if found is None:
        found = _header_block(texts, last, names)
    return line if found is None else found


def _attribution(texts: list[str], last: int, names: Collection[str]) -> int | None:
    if not _bare(texts[last]).endswith((":", "\uff1a", ">")):
        return None
    words: list[str] = []
    for number in range(last, max(-1, last - MAX_LINES), -1):
        line = _bare(texts[number])
        if not line or len(line) > MAX_LENGTH or depth(texts[number]) != depth(texts[last]):
            return None
        words.insert(0, line)
        if _says_who_and_when(" ".join(words), names):
            return number
    return None


def _says_who_and_when(words: str, names: Collection[str]) -> bool:
    numbers = len(_NUMBER.findall(_ADDRESS.sub(" ", words)))
    if numbers >= NUMBERS_BESIDE_ADDRESS and _ADDRESS.search(words):
        return True
    return numbers >= NUMBERS_BESIDE_NAME and _named(words, names)


def _header_block(texts: list[str], last: int, names: Collection[str]) -> int | None:
    """Three labelled lines with a known name or an address, and a date; or four, undated."""
    first, labels, known, dated = last + 1, 0, False, False
    while first > 0 and last - first + 1 < MAX_HEADER_LINES:
        line = _bare(texts[first - 1])
        label = _LABEL.fullmatch(line) if len(line) <= MAX_LENGTH and depth(texts[first - 1]) == depth(texts[last]) else None
        if label is None and not (line and first <= last and _ADDRESS.search(line) and first > 1):
            break
        if label is not None:
            labels += 1
            known = known or _ADDRESS.search(label[1]) is not None or _named(label[1], names)
            dated = dated or len(_NUMBER.findall(_ADDRESS.sub(" ", label[1]))) >= NUMBERS_BESIDE_ADDRESS
        first -= 1
    if not known or labels < (MIN_LABELS if dated else MIN_LABELS_UNDATED):
        return None
    return first - 1 if first > 0 and _RULE.fullmatch(_bare(texts[first - 1])) else first


def _named(words: str, names: Collection[str]) -> bool:
    folded = words.casefold()
    return any(name in folded for name in names)


def _bare(line: str) -> str:
    """A line without marks of quotation."""
    return line[_PREFIX.match(line).end() :].strip()  # type: ignore[union-attr]  # it matches everything


def depth(line: str) -> int:
    """How many marks of quotation stand before a line."""
    prefix = _PREFIX.match(line)
    return prefix[0].count(">") if prefix else 0
