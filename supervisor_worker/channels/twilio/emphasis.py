"""Which stars and underscores that Markdown takes for emphasis are none: those of code, names, sums and masks. Pure.

CommonMark pairs any run of stars that touches a word: of `f(*args, **kwargs) and 2**8` it makes bold words and takes the stars away.
Here a pair counts as emphasis only if nothing but a space or a mark of punctuation stands before and behind it, as people and models
write it. Scripts without spaces between their words have none there, and are emphasised all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markdown_it.token import Token

_WORD: Final = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_NOT_BEFORE: Final = re.compile(rf"{_WORD}|[\\*]")
_NOT_BEHIND: Final = re.compile(rf"{_WORD}|[*(]|[.@=\[]{_WORD}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_OPEN: Final = ("em_open", "strong_open")
_CLOSE: Final = ("em_close", "strong_close")


def literal_marks(tokens: Sequence[Token]) -> frozenset[int]:
    """The places of the marks of emphasis that are letters of the text."""
    literal: set[int] = set()
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token.type in _OPEN:
            opened.append(place)
        elif token.type in _CLOSE and opened:
            begin = opened.pop()
            if not _emphasises(tokens, begin, place):
                literal |= {begin, place}
    return frozenset(literal)


def _emphasises(tokens: Sequence[Token], begin: int, end: int) -> bool:
    before, behind = _before(tokens, begin), _behind(tokens, end)
    if _NOT_BEFORE.match(before[-1:]) or _NOT_BEHIND.match(behind) or "://" in before.rpartition(" ")[2]:
        return False
    inner = "".join(token.content for token in tokens[begin + 1 : end])
    return not (tokens[begin].markup == "__" and _NAME.fullmatch(inner))


def _before(tokens: Sequence[Token], place: int) -> str:
    """The line before a mark, back to another piece than text; marks of emphasis left out."""
    text = ""
    for token in reversed(tokens[:place]):
        if token.type not in (*_OPEN, *_CLOSE, "text"):
            break
        text = token.content + text
        if " " in token.content:
            break
    return text


def _behind(tokens: Sequence[Token], place: int) -> str:
    """The first letters behind a mark; marks of emphasis left out."""
    text = ""
    for token in tokens[place + 1 :]:
        if token.type not in (*_OPEN, *_CLOSE, "text") or len(text) > 1:
            break
        text += token.content
    return text
