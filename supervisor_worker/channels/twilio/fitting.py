"""From plain text to what one text message holds: the smaller alphabet where it can be had, and no more than so many segments. Pure.

A text that is too long is cut after a sentence or a line, else after a word; the number of a list ends no sentence, and an address has no
place at which it could be cut. A sentence of ours says that MORE brings the rest, which is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from shared.model.events import MORE
from supervisor_worker.channels.truncation import CUT_MARK
from supervisor_worker.channels.twilio.look_alikes import without_look_alikes
from supervisor_worker.channels.twilio.plain_text import VERBATIM, verbatim_marked
from supervisor_worker.channels.twilio.segments import ROOM, fits_gsm, size

DEFAULT_SEGMENTS: Final = 6
REMEMBERED: Final = 32
"""Answers whose plain text is remembered: one is asked for three times, until it is known to be neither empty nor too long."""
MAX_REST: Final = 20_000
"""Characters kept of what was cut."""
_WORDS: Final = re.compile(r"(\s+)")
_END: Final = re.compile(r"""[.!?\u2026\u3002\uff01\uff1f]["')\]\u201d\u2019]*(?=\s)|[\u3002\uff01\uff1f]|\S(?=\n)""")
_LIST_NUMBER: Final = re.compile(r"(?:^|\s)\d{1,4}[.)]$")
_JOINED: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u065f\u0900-\u0dff\u0e31\u0e34-\u0e4e\u200c\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]"
)
_MAX_JOINED: Final = 20


@dataclass(frozen=True, slots=True)
class FittedText:
    """One message, and what it had to leave out; '' for nothing."""

    message: str
    rest: str = field(default="", repr=False)


def to_sms(markdown: str, max_segments: int) -> FittedText:
    """What a model wrote as one message."""
    return fit(in_small_alphabet(markdown), max_segments)


@lru_cache(maxsize=REMEMBERED)
def in_small_alphabet(markdown: str) -> str:
    """The plain text of Markdown; its look-alikes replaced where the whole of it then fits the GSM alphabet, else none.

    In code and in addresses nothing is replaced: there the twin is another letter.
    """
    marked = verbatim_marked(markdown)
    text: str = VERBATIM.sub(r"\1", marked)
    if fits_gsm(text):
        return text
    replaced = "".join(piece if verbatim else _replaced(piece) for piece, verbatim in _pieces(marked))
    return replaced if fits_gsm(replaced) else text


def fit(text: str, max_segments: int) -> FittedText:
    """Plain text in at most `max_segments` segments; also the rest of one, for whoever asks for more."""
    text = text.strip()
    if size(text).segments <= max_segments:
        return FittedText(text)
    place = _place(text, _room(text, max_segments))
    rest = text[place:].strip()
    if len(rest) > MAX_REST:
        rest = rest[: MAX_REST - len(CUT_MARK)] + CUT_MARK
    return FittedText(text[:place].rstrip() + MORE, rest)


def characters(max_segments: int, *, gsm: bool = True) -> int:
    """How many characters so many segments hold, all of them of one unit."""
    single, part = ROOM["GSM-7" if gsm else "UCS-2"]
    return single if max_segments == 1 else part * max_segments


def _pieces(marked: str) -> list[tuple[str, bool]]:
    """The pieces of a marked text, and whether each must stay letter for letter: in turn, beginning with one that need not."""
    return [(piece, number % 2 == 1) for number, piece in enumerate(VERBATIM.split(marked))]


def _replaced(text: str) -> str:
    return "".join(word if _is_address(word) else without_look_alikes(word) for word in _WORDS.split(text))


def _is_address(word: str) -> bool:
    """Whether a word is an address of the web or of mail. No pattern: one that looks for it takes a minute of 20,000 letters."""
    return "://" in word or ("@" in word and "." in word.rpartition("@")[2])


def _room(text: str, max_segments: int) -> int:
    """The longest beginning that fits with the closing sentence: a longer one never takes fewer segments."""
    fits, too_long = 0, min(len(text), characters(max_segments)) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if size(text[:middle].rstrip() + MORE).segments <= max_segments:
            fits = middle
        else:
            too_long = middle
    return fits


def _place(text: str, room: int) -> int:
    """Where to cut, at most at `room`."""
    window = text[: room + 2]
    ends = [found.end() for found in _END.finditer(window) if room // 2 <= found.end() <= room]
    sentences = [end for end in ends if not _LIST_NUMBER.search(text[max(0, end - 8) : end])]
    if sentences:
        return sentences[-1]
    words = _word_end(text, room)
    if words > 0 and (words >= room // 2 or _is_address(text[words:].split(maxsplit=1)[0])):
        return words
    return _between_characters(text, room)


def _word_end(text: str, room: int) -> int:
    """The last place between two words, but not behind the number of a list; 0 or less for none."""
    words = room + 1
    while (words := max(text.rfind(" ", 0, words), text.rfind("\n", 0, words))) > 0:
        if not _LIST_NUMBER.search(text[max(0, words - 8) : words]):
            break
    return words


def _between_characters(text: str, room: int) -> int:
    """The nearest place before `room` that parts no character from its accents, nor an emoji from its parts."""
    for place in range(room, max(1, room - _MAX_JOINED), -1):
        if not _JOINED.match(text, place) and text[place - 1] != "\u200d":
            return place
    return max(1, room)
