"""Which stars and underscores that Markdown takes for emphasis are none: those of code, names, sums and masks. Pure.

CommonMark pairs any run of stars that touches a word: of `f(*args, **kwargs) and 2**8` it makes bold words and takes the stars away.
Here a pair counts as emphasis only if nothing but a space or a mark of punctuation stands before and behind it, as people and models
write it. Scripts without spaces between their words have none there, and are emphasised all the same, also where punctuation of theirs
stands at the mark, for which CommonMark asks for a space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize
from markdown_it.token import Token

from supervisor_worker.channels.sentences import SPACELESS

_WORD: Final = rf"[^\W{SPACELESS}]"
_WITHOUT_SPACES: Final = re.compile(rf"[{SPACELESS}\u3000-\u3004\uff00-\uffef]")
_NOT_BEFORE: Final = re.compile(rf"{_WORD}|[\\*@$^%&=]")
_NOT_BEFORE_UNDERSCORE: Final = frozenset("/.#")
_QUOTES: Final = frozenset("\"'\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb")
_NOT_FIRST: Final = frozenset(")]},;")
_NOT_BEHIND: Final = re.compile(rf"{_WORD}|[*(]|[.@=\[]{_WORD}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_MAX_TOKENS: Final = 100
"""On either side of a mark that are looked at."""
_ADDRESS: Final = re.compile(r"://|(?:^|[(<])www\.|[\w-]\.[a-z]{2,}[/?#]", re.IGNORECASE)
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


def delimiter_rule(state: StateInline, silent: bool) -> bool:
    """The parser's rule for runs of stars, which may open and close beside a letter of a script without spaces."""
    begin, count = state.pos, len(state.delimiters)
    taken = tokenize(state, silent)
    if taken and state.src[begin] == "*":
        before, behind = state.src[max(0, begin - 1) : begin], state.src[state.pos : state.pos + 1]
        for delimiter in state.delimiters[count:]:
            delimiter.open = delimiter.open or (_WITHOUT_SPACES.match(before) is not None and behind != "" and not behind.isspace())
            delimiter.close = delimiter.close or (_WITHOUT_SPACES.match(behind) is not None and before != "" and not before.isspace())
    return taken


def _emphasises(tokens: Sequence[Token], begin: int, end: int) -> bool:
    before, behind = _before(tokens, begin), _behind(tokens, end)
    if _NOT_BEFORE.match(before[-1:]) or _NOT_BEHIND.match(behind) or _ADDRESS.search(before.rpartition(" ")[2]):
        return False
    inner = "".join(token.content for token in tokens[begin + 1 : end])
    if before[-1:] in _NOT_BEFORE_UNDERSCORE and tokens[begin].markup.startswith("_"):
        return False  # a name in a path
    if inner[:1] in _NOT_FIRST or (inner[:1] in _QUOTES and before[-1:] in _QUOTES):
        return False  # a star in quotation marks or brackets by itself
    return not (tokens[begin].markup == "__" and _NAME.fullmatch(inner))


def _before(tokens: Sequence[Token], place: int) -> str:
    """The line before a mark, back to another piece than text; marks of emphasis left out."""
    text = ""
    for token in reversed(tokens[max(0, place - _MAX_TOKENS) : place]):
        if token.type not in (*_OPEN, *_CLOSE, "text"):
            break
        text = token.content + text
        if " " in token.content:
            break
    return text


def _behind(tokens: Sequence[Token], place: int) -> str:
    """The first letters behind a mark; marks of emphasis left out."""
    text = ""
    for token in tokens[place + 1 : place + 1 + _MAX_TOKENS]:
        if token.type not in (*_OPEN, *_CLOSE, "text") or len(text) > 1:
            break
        text += token.content
    return text
