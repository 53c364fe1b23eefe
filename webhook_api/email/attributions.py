"""Recognises the line that mail programs put above a mail that they quote: "On 3 May 2027 at 10:00, Ada <ada@example.com> wrote:". Pure.

Programs break it where it gets long: in up to three lines, even within the brackets of an address, so that `> wrote:` looks quoted.
"""

from __future__ import annotations

import re
from typing import Final

from shared.model.marks import MAX_SOURCE
from webhook_api.email.mail_words import OPENERS, WROTE

MAX_ATTRIBUTION: Final = 400
MAX_LINES: Final = 3
MAX_REST: Final = 80
NUMBERS_OF_A_TIME: Final = 3
_COLONS: Final = (":", "\uff1a")
_SPACED: Final = "\u0590"
"""Letters from here on belong to scripts that may write without blanks between words."""
_WORDS: Final = {word: re.compile(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W_])" if word < _SPACED else re.escape(word)) for word in WROTE}
_EVIDENCE: Final = re.compile(r"[0-9@]")
_NUMBER: Final = re.compile(r"\d+")
_ADDRESS: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_CLOCK: Final = re.compile(r"\d{1,2}[:.]\d{2}")
_IN_ANGLES: Final = re.compile(r">>>\s?([^>\s].*)\s>>>")
_IN_DASHES: Final = re.compile(r"-{2,}\s?(.*?)\s?-{2,}")
_BEGINS_WITH_DATE: Final = re.compile(r"(?:[^\W\d_]{1,12}[.,]{1,2}\s?)?\d")
_ENDS_WITH_ADDRESS: Final = re.compile(r"<\s?[^\s@<>]{1,64}@[^\s@<>]{1,255}>\)?\s?[:\uff1a]$")
_OPEN_ADDRESS: Final = re.compile(r"<\s?[^\s@<>]{1,64}@[^\s@<>]{1,255}$")
_QUOTE: Final = "> \t"


def begin(lines: list[str], least: int, number: int) -> int | None:
    """The index of the line where the attribution begins that a line ends; None for any other line. Lines before `least` are not read."""
    last = lines[number].strip()
    if not last or len(last) > MAX_ATTRIBUTION:
        return None
    dashed = _IN_DASHES.fullmatch(last)
    if dashed is not None:
        return number if is_dated(last) and _says(last) else None
    closed = last.endswith(_COLONS)
    ends = last.casefold().rstrip(":\uff1a \xa0").endswith(WROTE)
    first = max(least, number - MAX_LINES + 1)
    if not (closed or ends) or not any(map(_EVIDENCE.search, lines[first : number + 1])):
        return None
    words, found = "", None
    for start in range(number, first - 1, -1):
        line = lines[start].strip()
        if not line or len(line) > MAX_ATTRIBUTION or (start < number and _is_sentence(line)):
            break
        words = f"{line} {words}".rstrip()
        if found is None:
            found = start if _begins(line, words, closed=closed) else None
        elif lines[found].strip().startswith(("<", "(<")) or (_opens(line) and len(_NUMBER.findall(line)) > 1):
            found = start  # the name stands above, or the day
        else:
            break
    if found is not None:
        return found
    return number if closed and ends and _EVIDENCE.search(last) else None


def _begins(line: str, words: str, *, closed: bool) -> bool:
    """Whether an attribution, `words`, begins in its first line."""
    dated, opens = is_dated(words), _opens(line)
    if not (dated or (opens and _EVIDENCE.search(words))):
        return False
    if not closed:
        return dated and opens and _CLOCK.search(words) is not None and _says(words)
    if _says(words):
        return True
    return dated and bool(_BEGINS_WITH_DATE.match(words) and _CLOCK.search(words) and _ENDS_WITH_ADDRESS.search(words))


def _says(words: str) -> bool:
    """Whether a word for "wrote" stands in them."""
    folded = words.casefold()
    return any(word in folded and pattern.search(folded) for word, pattern in _WORDS.items())


def _is_sentence(line: str) -> bool:
    """Whether a line is the end of a sentence of the author's, rather than of a date or of a name ("Jr.")."""
    return line[-1] in ".!?" and not (_opens(line) and len(_NUMBER.findall(line)) >= NUMBERS_OF_A_TIME)


def is_dated(words: str) -> bool:
    """Whether an attribution has day, time and address, as no person writes them by hand."""
    rest, addresses = _ADDRESS.subn(" ", words)
    return addresses > 0 and len(_NUMBER.findall(rest)) >= NUMBERS_OF_A_TIME


def wrapped(lines: list[str], least: int, number: int) -> int | None:
    """The same of an attribution whose last line begins with the ">" that closes its address, and looks quoted.

    So does GroupWise's: `>>> Ada Lee <ada@example.com> 3.5.2027 10:00 >>>`.
    """
    rest = lines[number].strip()
    if (angled := _IN_ANGLES.fullmatch(rest[: MAX_ATTRIBUTION + 1])) is not None:
        return number if is_dated(angled[1]) else None
    if number <= least or not rest.endswith(_COLONS) or len(rest) > MAX_REST or not _OPEN_ADDRESS.search(lines[number - 1].rstrip()):
        return None
    first = max(least, number - MAX_LINES)
    whole = [*lines[first : number - 1], lines[number - 1].rstrip() + rest]
    found = begin(whole, 0, len(whole) - 1)
    return None if found is None else first + found


def source_of(lines: list[str]) -> str:
    """Who wrote it and when, as these lines say it."""
    words = " ".join(" ".join(lines).split()).strip("-")
    words = words.removeprefix(">>>").removesuffix(">>>")
    return words.strip(" \t").rstrip(":\uff1a ")[:MAX_SOURCE]


def source_in(line: str) -> str:
    """The same of a line that says so in words that no table knows: it names the source, and stays its author's."""
    named = len(line) <= MAX_ATTRIBUTION and line.endswith(_COLONS) and len(_NUMBER.findall(line)) > 1
    return source_of([line]) if named and _ADDRESS.search(line) else ""


def _opens(line: str) -> bool:
    return line.strip()[:16].casefold().startswith(OPENERS)
