"""From plain text to what one text message holds: the smaller alphabet where it can be had, and no more than so many segments. Pure.

A text that is too long is cut after a sentence or a line, else after a word; an abbreviation or the number of a list ends no sentence, and
an address or a number has no place at which it could be cut. A sentence of ours says that MORE brings the rest, which is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from shared.model.sms_segments import ROOM, fits_gsm, size
from shared.model.words import DEFAULT, said
from supervisor_worker.channels import sentences
from supervisor_worker.channels.truncation import CUT_MARK
from supervisor_worker.channels.twilio.look_alikes import without_look_alikes
from supervisor_worker.channels.twilio.plain_text import VERBATIM, verbatim_marked

DEFAULT_SEGMENTS: Final = 6
_LOOKED_AHEAD: Final = 8
MAX_REST: Final = 20_000
"""Characters kept of what was cut."""
_WORDS: Final = re.compile(r"(\s+)")
_LINE_END: Final = re.compile(r"\S(?=\n)")
_MAX_JOINED: Final = 64
"""Characters that are read as one."""


@dataclass(frozen=True, slots=True)
class FittedText:
    """One message, and what it had to leave out; '' for nothing."""

    message: str
    rest: str = field(default="", repr=False)


def to_sms(markdown: str, max_segments: int, language: str = DEFAULT) -> FittedText:
    """What a model wrote as one message."""
    return fit(in_small_alphabet(markdown), max_segments, language)


def in_small_alphabet(markdown: str) -> str:
    """The plain text of Markdown; its look-alikes replaced where the whole of it then fits the GSM alphabet, else none.

    In code and in addresses nothing is replaced: there the twin is another letter. Nor is anything where it would take more segments, as
    a line of nothing but \u2026 would.
    """
    marked = verbatim_marked(markdown)
    text: str = VERBATIM.sub(r"\1", marked)
    if fits_gsm(text):
        return text
    replaced = "".join(piece if verbatim else _replaced(piece) for piece, verbatim in _pieces(marked))
    return replaced if fits_gsm(replaced) and size(replaced).segments <= size(text).segments else text


def fit(text: str, max_segments: int, language: str = DEFAULT) -> FittedText:
    """Plain text in at most `max_segments` segments; also the rest of one, for whoever asks for more."""
    more = said("more_hint", language)
    text = text.strip()
    if size(text).segments <= max_segments:
        return FittedText(text)
    place = _place(text, _room(text, max_segments, more))
    rest = text[place:].strip()
    if len(rest) > MAX_REST:
        rest = rest[: MAX_REST - len(CUT_MARK)] + CUT_MARK
    return FittedText(text[:place].rstrip() + more, rest)


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


def _room(text: str, max_segments: int, more: str) -> int:
    """The longest beginning that fits with the closing sentence: a longer one never takes fewer segments."""
    fits, too_long = 0, min(len(text), characters(max_segments)) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if size(text[:middle].rstrip() + more).segments <= max_segments:
            fits = middle
        else:
            too_long = middle
    return fits


def _place(text: str, room: int) -> int:
    """Where to cut, at most at `room`."""
    window = text[: room + _LOOKED_AHEAD]
    lines = (found.end() for found in _LINE_END.finditer(window) if not sentences.ends_with_number(window, found.end()))
    ends = [end for end in (*sentences.ends(window), *lines) if room // 2 <= end <= room]
    if ends:
        return max(ends)
    words = _word_end(text, room)
    if words > 0 and (words >= room // 2 or _is_address(text[words:].split(maxsplit=1)[0])):
        return words
    return _between_characters(text, room)


def _word_end(text: str, room: int) -> int:
    """The last place between two words; 0 for none."""
    return next((place for place in range(room, 0, -1) if sentences.is_between_words(text, place)), 0)


def _between_characters(text: str, room: int) -> int:
    """The nearest place before `room` that parts no word or address among letters without spaces, else no character."""
    for place in range(room, 1, -1):
        if not (sentences.parts_word(text, place) or sentences.parts_character(text, place)):
            if place >= room // 2 or _is_address(text[place:].split(maxsplit=1)[0]):
                return place
            break
    whole = (place for place in range(room, max(1, room - _MAX_JOINED), -1) if not sentences.parts_character(text, place))
    return next(whole, max(1, room))
